package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/image"
)

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// ecrWorld is the ECR API over a real image store.
func ecrWorld(t *testing.T) (*endpoint, *sdk.Client) {
	t.Helper()
	db := openStore(t)
	store, err := image.Open(context.Background(), image.Config{Dir: t.TempDir(), DB: db, Scope: scope, Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	service, err := api.NewECR(store)
	if err != nil {
		t.Fatal(err)
	}
	e := serve(t, db, service)
	return e, sdk.NewFromConfig(e.config())
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// upload puts a layer into a repository by the layer actions.
func upload(t *testing.T, c *sdk.Client, repository string, content []byte) {
	t.Helper()
	ctx, name := context.Background(), &repository
	begun, err := c.InitiateLayerUpload(ctx, &sdk.InitiateLayerUploadInput{RepositoryName: name})
	if err != nil {
		t.Fatal(err)
	}
	half := len(content) / 2
	for _, part := range [][2]int{{0, half}, {half, len(content)}} {
		out, err := c.UploadLayerPart(ctx, &sdk.UploadLayerPartInput{
			RepositoryName: name, UploadId: begun.UploadId, PartFirstByte: aws.Int64(int64(part[0])), PartLastByte: aws.Int64(int64(part[1] - 1)), LayerPartBlob: content[part[0]:part[1]],
		})
		if err != nil || *out.LastByteReceived != int64(part[1]-1) {
			t.Fatalf("part %v: %v", part, err)
		}
	}
	done, err := c.CompleteLayerUpload(ctx, &sdk.CompleteLayerUploadInput{RepositoryName: name, UploadId: begun.UploadId, LayerDigests: []string{digest(content)}})
	if err != nil || *done.LayerDigest != digest(content) {
		t.Fatalf("complete: %v", err)
	}
}

func TestRepositoriesThroughTheSDK(t *testing.T) {
	_, c := ecrWorld(t)
	ctx, name := context.Background(), aws.String("team/web")
	made, err := c.CreateRepository(ctx, &sdk.CreateRepositoryInput{
		RepositoryName: name, ImageTagMutability: types.ImageTagMutabilityImmutable, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := made.Repository
	arn := "arn:aws:ecr:us-east-1:123456789012:repository/team/web"
	if *r.RepositoryArn != arn || *r.RepositoryUri != "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/web" || *r.RegistryId != account ||
		r.ImageTagMutability != types.ImageTagMutabilityImmutable || r.CreatedAt == nil || r.ImageScanningConfiguration.ScanOnPush {
		t.Errorf("created %+v", r)
	}
	if _, err := c.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: name}); !isA[*types.RepositoryAlreadyExistsException](err) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := c.DescribeRepositories(ctx, &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"nothing"}}); !isA[*types.RepositoryNotFoundException](err) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := c.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String("Web")}); !isA[*types.InvalidParameterException](err) {
		t.Errorf("upper case: %v", err)
	}
	for i := range 3 {
		if _, err := c.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: aws.String(fmt.Sprintf("more-%d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	pages := sdk.NewDescribeRepositoriesPaginator(c, &sdk.DescribeRepositoriesInput{MaxResults: aws.Int32(3)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Repositories {
			names = append(names, *r.RepositoryName)
		}
	}
	if got := strings.Join(names, " "); got != "more-0 more-1 more-2 team/web" {
		t.Errorf("repositories: %s", got)
	}
	if _, err := c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if tags, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn}); err != nil || len(tags.Tags) != 0 {
		t.Errorf("tags: %v", err)
	}
	if _, err := c.GetRepositoryPolicy(ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: name}); !isA[*types.RepositoryPolicyNotFoundException](err) {
		t.Errorf("no policy: %v", err)
	}
	policy := `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}`
	if _, err := c.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: &policy}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: aws.String("{}")}); !isA[*types.InvalidParameterException](err) {
		t.Errorf("a broken policy: %v", err)
	}
	if p, err := c.GetRepositoryPolicy(ctx, &sdk.GetRepositoryPolicyInput{RepositoryName: name}); err != nil || *p.PolicyText != policy {
		t.Errorf("policy: %v", err)
	}
}

func TestImagesThroughTheSDK(t *testing.T) {
	_, c := ecrWorld(t)
	ctx, name := context.Background(), aws.String("web")
	if _, err := c.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: name}); err != nil {
		t.Fatal(err)
	}
	layer := bytes.Repeat([]byte{0}, 1024) // an empty tar
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + digest(layer) + `"]}}`)
	upload(t, c, *name, layer)
	upload(t, c, *name, config)
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%d}]}`,
		digest(config), len(config), digest(layer), len(layer))
	put, err := c.PutImage(ctx, &sdk.PutImageInput{RepositoryName: name, ImageManifest: &manifest, ImageTag: aws.String("v1")})
	if err != nil {
		t.Fatal(err)
	}
	if *put.Image.ImageId.ImageDigest != digest([]byte(manifest)) || *put.Image.ImageId.ImageTag != "v1" {
		t.Errorf("put: %+v", put.Image.ImageId)
	}
	checked, err := c.BatchCheckLayerAvailability(ctx, &sdk.BatchCheckLayerAvailabilityInput{RepositoryName: name, LayerDigests: []string{digest(layer), digest([]byte("no"))}})
	if err != nil || checked.Layers[0].LayerAvailability != types.LayerAvailabilityAvailable || checked.Layers[1].LayerAvailability != types.LayerAvailabilityUnavailable {
		t.Errorf("layers: %+v, %v", checked, err)
	}
	described, err := c.DescribeImages(ctx, &sdk.DescribeImagesInput{RepositoryName: name})
	if err != nil {
		t.Fatal(err)
	}
	if d := described.ImageDetails[0]; *d.ImageDigest != digest([]byte(manifest)) || d.ImageTags[0] != "v1" || d.ImagePushedAt == nil || *d.ImageSizeInBytes == 0 {
		t.Errorf("described: %+v", d)
	}
	if listed, err := c.ListImages(ctx, &sdk.ListImagesInput{RepositoryName: name, Filter: &types.ListImagesFilter{TagStatus: types.TagStatusTagged}}); err != nil || len(listed.ImageIds) != 1 {
		t.Errorf("listed: %v", err)
	}
	got, err := c.BatchGetImage(ctx, &sdk.BatchGetImageInput{RepositoryName: name, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("v1")}, {ImageTag: aws.String("v2")}}})
	if err != nil || *got.Images[0].ImageManifest != manifest || got.Failures[0].FailureCode != types.ImageFailureCodeImageNotFound {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := c.DeleteRepository(ctx, &sdk.DeleteRepositoryInput{RepositoryName: name}); !isA[*types.RepositoryNotEmptyException](err) {
		t.Errorf("delete a full repository: %v", err)
	}
	if gone, err := c.BatchDeleteImage(ctx, &sdk.BatchDeleteImageInput{RepositoryName: name, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("v1")}}}); err != nil || len(gone.ImageIds) != 1 {
		t.Errorf("delete: %v", err)
	}
	if _, err := c.DeleteRepository(ctx, &sdk.DeleteRepositoryInput{RepositoryName: name}); err != nil {
		t.Error(err)
	}
}

func TestLoginPasswordWithTheStockCLI(t *testing.T) {
	e, _ := ecrWorld(t)
	out, ok := e.aws(t, "ecr", "get-login-password")
	if !ok || len(strings.TrimSpace(out)) < 40 {
		t.Errorf("get-login-password: %s", out)
	}
	out, ok = e.aws(t, "ecr", "get-registry-scanning-configuration")
	if ok || !strings.Contains(out, "UnknownOperationException") || !strings.Contains(out, "not implemented here") {
		t.Errorf("an operation that is not served: %s", out)
	}
}

// A repository's policy lets another account in, as far as that account lets its own users out.
//
// checklist: 194, 195
func TestRepositoryPoliciesReachAcrossAccounts(t *testing.T) {
	x := newCrossing(t)
	ctx := t.Context()
	_, err := x.dir.EnsureRoot(ctx, otherAccount)
	ok(t, err)
	_, err = x.dir.CreateUser(ctx, iam.User{Account: otherAccount, Name: "guest"})
	ok(t, err)
	key, err := x.dir.CreateAccessKey(ctx, otherAccount, "guest")
	ok(t, err)
	owner := sdk.NewFromConfig(x.config())
	guest := sdk.NewFromConfig((&endpoint{url: x.url, key: key}).config())
	look := func() error {
		_, err := guest.ListImages(ctx, &sdk.ListImagesInput{RegistryId: aws.String(account), RepositoryName: aws.String("victim")})
		return err
	}
	may := func(policy string) {
		ok(t, x.dir.PutInlinePolicy(ctx, iam.Entity{Account: otherAccount, Kind: iam.EntityUser, Name: "guest"}, "p", policy))
	}
	open := func(policy string) {
		_, err := owner.SetRepositoryPolicy(ctx, &sdk.SetRepositoryPolicyInput{RepositoryName: aws.String("victim"), PolicyText: &policy})
		ok(t, err)
	}
	refused(t, look(), "AccessDeniedException", http.StatusForbidden)
	may(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`)
	refused(t, look(), "AccessDeniedException", http.StatusForbidden)
	open(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:user/guest"},"Action":"ecr:ListImages"}}`)
	ok(t, look())
	_, err = guest.DeleteRepository(ctx, &sdk.DeleteRepositoryInput{RegistryId: aws.String(account), RepositoryName: aws.String("victim")})
	refused(t, err, "AccessDeniedException", http.StatusForbidden)
	may(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*"}}`)
	refused(t, look(), "AccessDeniedException", http.StatusForbidden)
	may(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`)
	open(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"},{"Effect":"Deny","Principal":{"AWS":"999999999999"},"Action":"ecr:ListImages"}]}`)
	refused(t, look(), "AccessDeniedException", http.StatusForbidden)
	// In the same account the policy alone is enough where it names the caller.
	open(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/caller"},"Action":"ecr:ListImages"}}`)
	caller := sdk.NewFromConfig((&endpoint{url: x.url, key: x.caller}).config())
	_, err = caller.ListImages(ctx, &sdk.ListImagesInput{RepositoryName: aws.String("victim")})
	ok(t, err)
}
