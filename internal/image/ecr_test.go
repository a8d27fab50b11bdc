package image_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image"
)

func TestRepositories(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	repo, err := w.CreateRepository(ctx, scope, image.NewRepository{Name: "team/app", Tags: map[string]string{"k": "v"}})
	if err != nil {
		t.Fatal(err)
	}
	if repo.ARN() != "arn:aws:ecr:us-east-1:123456789012:repository/team/app" || repo.URI() != ecrHost+"/team/app" {
		t.Errorf("%s %s", repo.ARN(), repo.URI())
	}
	_, err = w.CreateRepository(ctx, scope, image.NewRepository{Name: "team/app"})
	wantCode(t, err, image.CodeRepositoryAlreadyExists)
	for _, bad := range []string{"", "a", "Upper", "a//b", "a/", "/a", "a b", strings.Repeat("x", 257)} {
		_, err := w.CreateRepository(ctx, scope, image.NewRepository{Name: bad})
		wantCode(t, err, image.CodeInvalidParameter)
	}
	other := apprunner.Scope{Account: scope.Account, Region: "eu-central-1"}
	if _, err := w.CreateRepository(ctx, other, image.NewRepository{Name: "team/app"}); err != nil {
		t.Errorf("the same name in another region: %v", err)
	}
	for i := range 5 {
		w.repository(t, fmt.Sprintf("many-%d", i))
	}
	var names []string
	for page := (image.Page{Max: 4}); ; {
		repos, next, err := w.DescribeRepositories(ctx, scope, nil, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range repos {
			names = append(names, r.Name)
		}
		if next == "" {
			break
		}
		page.Token = next
	}
	if len(names) != 6 || !slices.IsSorted(names) {
		t.Errorf("%v", names)
	}
	_, _, err = w.DescribeRepositories(ctx, scope, []string{"team/app", "none"}, image.Page{})
	wantCode(t, err, image.CodeRepositoryNotFound, "none")
	_, _, err = w.DescribeRepositories(ctx, scope, nil, image.Page{Max: 1001})
	wantCode(t, err, image.CodeInvalidParameter)

	w.push(t, "team/app:v1", smallImage(t, "x"))
	_, err = w.DeleteRepository(ctx, scope, "team/app", false)
	wantCode(t, err, image.CodeRepositoryNotEmpty)
	if _, err := w.DeleteRepository(ctx, scope, "team/app", true); err != nil {
		t.Error(err)
	}
	_, err = w.DeleteRepository(ctx, scope, "team/app", true)
	wantCode(t, err, image.CodeRepositoryNotFound)
}

func TestRepositoryPoliciesAndTags(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.repository(t, "app")
	_, err := w.GetRepositoryPolicy(ctx, scope, "app")
	wantCode(t, err, image.CodeRepositoryPolicyNotFound)
	policy := `{"Version":"2008-10-17"}`
	if _, err := w.SetRepositoryPolicy(ctx, scope, "app", policy); err != nil {
		t.Fatal(err)
	}
	if r, err := w.GetRepositoryPolicy(ctx, scope, "app"); err != nil || r.Policy != policy {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := w.DeleteRepositoryPolicy(ctx, scope, "app"); err != nil || r.Policy != policy {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = w.DeleteRepositoryPolicy(ctx, scope, "app")
	wantCode(t, err, image.CodeRepositoryPolicyNotFound)

	arn := image.RepositoryARN(scope, "app")
	if err := w.TagRepository(ctx, arn, map[string]string{"a": "1", "b": "2"}); err != nil {
		t.Fatal(err)
	}
	if err := w.UntagRepository(ctx, arn, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if tags, err := w.RepositoryTags(ctx, arn); err != nil || len(tags) != 1 || tags["b"] != "2" {
		t.Errorf("%v, %v", tags, err)
	}
	wantCode(t, w.TagRepository(ctx, arn, map[string]string{"aws:x": "1"}), image.CodeInvalidTagParameter)
	wantCode(t, w.TagRepository(ctx, "arn:aws:s3:::x", nil), image.CodeInvalidParameter)
}

func TestImagesOfARepository(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.repository(t, "app")
	one, two := smallImage(t, "1"), smallImage(t, "2")
	w.push(t, "app:v1", one)
	w.push(t, "app:stable", one)
	w.push(t, "app:v2", two)
	d1, d2 := mustDigest(t, one), mustDigest(t, two)

	details, _, err := w.DescribeImages(ctx, scope, "app", []image.ImageID{{Tag: "v1"}, {Digest: d1}}, "", image.Page{})
	if err != nil || len(details) != 1 || !slices.Equal(details[0].Tags, []string{"stable", "v1"}) || details[0].SizeBytes == 0 || details[0].PushedAt.IsZero() {
		t.Errorf("%+v, %v", details, err)
	}
	_, _, err = w.DescribeImages(ctx, scope, "app", []image.ImageID{{Tag: "none"}}, "", image.Page{})
	wantCode(t, err, image.CodeImageNotFound, "none")
	_, _, err = w.DescribeImages(ctx, scope, "none", nil, "", image.Page{})
	wantCode(t, err, image.CodeRepositoryNotFound)

	var listed []image.ImageID
	for page := (image.Page{Max: 2}); ; {
		ids, next, err := w.ListImages(ctx, scope, "app", image.TagTagged, page)
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, ids...)
		if next == "" {
			break
		}
		page.Token = next
	}
	if len(listed) != 3 {
		t.Errorf("%v", listed)
	}

	got, failures, err := w.BatchGetImage(ctx, scope, "app", []image.ImageID{{Tag: "v2"}, {Tag: "none"}, {}, {Digest: "x"}, {Tag: "v1", Digest: d2}})
	if err != nil || len(got) != 1 || got[0].ID.Digest != d2 || sum([]byte(got[0].Manifest)) != d2 {
		t.Errorf("%+v, %v", got, err)
	}
	codes := []string{"ImageNotFound", "MissingDigestAndTag", "InvalidImageDigest", "ImageTagDoesNotMatchDigest"}
	for i, f := range failures {
		if f.Code != codes[i] {
			t.Errorf("failure %d is %+v", i, f)
		}
	}

	deleted, _, err := w.BatchDeleteImage(ctx, scope, "app", []image.ImageID{{Tag: "stable"}})
	if err != nil || len(deleted) != 1 || deleted[0] != (image.ImageID{Digest: d1, Tag: "stable"}) {
		t.Errorf("%+v, %v", deleted, err)
	}
	deleted, _, err = w.BatchDeleteImage(ctx, scope, "app", []image.ImageID{{Tag: "v1"}, {Digest: d2}})
	if err != nil || len(deleted) != 2 {
		t.Errorf("%+v, %v", deleted, err)
	}
	if ids, _, err := w.ListImages(ctx, scope, "app", "", image.Page{}); err != nil || len(ids) != 0 {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestPushThroughTheAPI(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.repository(t, "app")
	config := []byte(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`)
	digest := sum(config)
	m := string(manifestFor(config))

	_, err := w.PutImage(ctx, scope, "app", m, manifestType, "v1", "")
	wantCode(t, err, image.CodeLayersNotFound, digest)
	id, err := w.InitiateLayerUpload(ctx, scope, "app")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.CompleteLayerUpload(ctx, scope, "app", id, digest), image.CodeEmptyUpload)
	if last, err := w.UploadLayerPart(ctx, scope, "app", id, 0, 9, config[:10]); err != nil || last != 9 {
		t.Errorf("%d, %v", last, err)
	}
	_, err = w.UploadLayerPart(ctx, scope, "app", id, 20, 29, config[20:30])
	wantCode(t, err, image.CodeInvalidLayerPart)
	if _, err := w.UploadLayerPart(ctx, scope, "app", id, 10, int64(len(config)-1), config[10:]); err != nil {
		t.Fatal(err)
	}
	if err := w.CompleteLayerUpload(ctx, scope, "app", id, digest); err != nil {
		t.Fatal(err)
	}
	states, failures, err := w.BatchCheckLayerAvailability(ctx, scope, "app", []string{digest, someDigest, "x"})
	if err != nil || !states[0].Available || states[1].Available || failures[0].Code != "InvalidLayerDigest" {
		t.Errorf("%+v %+v %v", states, failures, err)
	}
	link, err := w.GetDownloadURLForLayer(ctx, scope, someone, "app", digest, w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t, w, ""}
	if _, body := c.do("GET", link, nil); body != string(config) {
		t.Errorf("the link gives %q", body)
	}
	c.want(401, "", "GET", strings.Replace(link, digest, someDigest, 1), nil)
	c.want(401, "", "GET", w.server.URL+"/v2/?"+strings.SplitN(link, "?", 2)[1], nil)
	_, err = w.GetDownloadURLForLayer(ctx, scope, someone, "app", someDigest, w.server.URL)
	wantCode(t, err, image.CodeLayersNotFound)
	_, err = w.PutImage(ctx, scope, "app", m, manifestType, "v1", someDigest)
	wantCode(t, err, image.CodeImageDigestDoesNotMatch)
	_, err = w.PutImage(ctx, scope, "app", "{", manifestType, "v1", "")
	wantCode(t, err, image.CodeInvalidParameter)
	put, err := w.PutImage(ctx, scope, "app", m, manifestType, "v1", sum([]byte(m)))
	if err != nil || put.ID.Digest != sum([]byte(m)) {
		t.Fatalf("%+v, %v", put, err)
	}
	_, err = w.PutImage(ctx, scope, "app", m, manifestType, "v1", "")
	wantCode(t, err, image.CodeImageAlreadyExists)
	if _, err := w.PutImage(ctx, scope, "app", m, manifestType, "v2", ""); err != nil {
		t.Error(err)
	}
	_, err = w.Pull(ctx, ecrHost+"/app:v1", image.Credential{Principal: someone})
	if err != nil {
		t.Error(err)
	}
}

func TestTokensTellTheirEnd(t *testing.T) {
	w := newWorld(t)
	tok, err := w.IssueToken(scope, someone)
	if err != nil {
		t.Fatal(err)
	}
	if left := tok.ExpiresAt.Sub(w.clock()); left.Hours() < 11.9 || left.Hours() > 12 || tok.ProxyEndpoint != "https://"+ecrHost {
		t.Errorf("%s, %s", left, tok.ProxyEndpoint)
	}
}
