package api

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/image"
	wire "slipway.dev/slipway/internal/wire/ecr"
)

// repositories is what the repository actions of ECR need of the image room.
type repositories interface {
	IssueToken(sc apprunner.Scope, principal string) (image.Token, error)
	CreateRepository(context.Context, apprunner.Scope, image.NewRepository) (image.Repository, error)
	DescribeRepositories(ctx context.Context, sc apprunner.Scope, names []string, page image.Page) ([]image.Repository, string, error)
	DeleteRepository(ctx context.Context, sc apprunner.Scope, name string, force bool) (image.Repository, error)
	SetImmutable(ctx context.Context, sc apprunner.Scope, name string, immutable bool) (image.Repository, error)
	SetScanOnPush(ctx context.Context, sc apprunner.Scope, name string, scan bool) (image.Repository, error)
	SetRepositoryPolicy(ctx context.Context, sc apprunner.Scope, name, policy string) (image.Repository, error)
	GetRepositoryPolicy(ctx context.Context, sc apprunner.Scope, name string) (image.Repository, error)
	PolicyOf(ctx context.Context, scope apprunner.Scope, name string) (string, error)
	DeleteRepositoryPolicy(ctx context.Context, sc apprunner.Scope, name string) (image.Repository, error)
	SetLifecycle(ctx context.Context, sc apprunner.Scope, name, text string) (image.Repository, error)
	GetLifecycle(ctx context.Context, sc apprunner.Scope, name string) (image.Lifecycle, error)
	DeleteLifecycle(ctx context.Context, sc apprunner.Scope, name string) (image.Lifecycle, error)
	TagRepository(ctx context.Context, arn string, tags map[string]string) error
	UntagRepository(ctx context.Context, arn string, keys []string) error
	RepositoryTags(ctx context.Context, arn string) (map[string]string, error)
}

// images is what the image and layer actions of ECR need of the image room.
type images interface {
	DescribeImages(ctx context.Context, sc apprunner.Scope, repository string, ids []image.ImageID, status image.TagStatus, page image.Page) ([]image.ImageDetail, string, error)
	ListImages(ctx context.Context, sc apprunner.Scope, repository string, status image.TagStatus, page image.Page) ([]image.ImageID, string, error)
	BatchGetImage(ctx context.Context, sc apprunner.Scope, repository string, ids []image.ImageID) ([]image.RegistryImage, []image.ImageFailure, error)
	BatchDeleteImage(ctx context.Context, sc apprunner.Scope, repository string, ids []image.ImageID) ([]image.ImageID, []image.ImageFailure, error)
	PutImage(ctx context.Context, sc apprunner.Scope, repository, manifest, mediaType, tag, want string) (image.RegistryImage, error)
	BatchCheckLayerAvailability(ctx context.Context, sc apprunner.Scope, repository string, digests []string) ([]image.LayerState, []image.LayerFailure, error)
	InitiateLayerUpload(ctx context.Context, sc apprunner.Scope, repository string) (string, error)
	UploadLayerPart(ctx context.Context, sc apprunner.Scope, repository, uploadID string, first, last int64, part []byte) (int64, error)
	CompleteLayerUpload(ctx context.Context, sc apprunner.Scope, repository, uploadID, digest string) error
}

// imageStore is the image room as ECR sees it.
type imageStore interface {
	repositories
	images
}

type ecrAPI struct{ store imageStore }

// maxLayerPart is the body of the largest layer part, in base64, with room for what is around it.
const maxLayerPart = 4*(image.LayerPartBytes/3) + 1<<20

// NewECR returns the ECR API (adjacent §3.1).
func NewECR(store imageStore) (*Service, error) {
	if store == nil {
		return nil, errors.New("ECR API: the image store is required")
	}
	e := &ecrAPI{store}
	actions := e.repositoryActions()
	maps.Copy(actions, e.imageActions())
	maps.Copy(actions, e.lifecycleActions())
	for name, a := range actions {
		a.Permissions = e.withPolicies(a.Permissions)
		actions[name] = a
	}
	return &Service{API: &wire.API, Constraint: image.CodeInvalidParameter, Internal: "ServerException", MaxBody: maxLayerPart, Actions: actions}, nil
}

// withPolicies adds to each question about a repository the policy that the repository has (adjacent §2.4, steps 2 and 8).
func (e *ecrAPI) withPolicies(permissions func(context.Context, Call, any) ([]iam.Request, error)) func(context.Context, Call, any) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in any) ([]iam.Request, error) {
		asked, err := permissions(ctx, c, in)
		for i := range asked {
			parts := strings.SplitN(asked[i].Resource, ":", 6)
			name, about := strings.CutPrefix(parts[len(parts)-1], "repository/")
			if len(parts) < 6 || !about || asked[i].ToBe {
				continue
			}
			policy, err := e.store.PolicyOf(ctx, apprunner.Scope{Account: parts[4], Region: parts[3]}, name)
			if err != nil {
				return nil, err
			}
			asked[i].ResourcePolicy = policy
		}
		return asked, err
	}
}

func (e *ecrAPI) repositoryActions() map[string]Action {
	return map[string]Action{
		"GetAuthorizationToken": action(anything[wire.GetAuthorizationTokenRequest]("ecr:GetAuthorizationToken"), e.getAuthorizationToken),
		"DescribeRegistry":      action(anything[wire.DescribeRegistryRequest]("ecr:DescribeRegistry"), e.describeRegistry),
		"CreateRepository":      action(e.mayCreate, e.createRepository),
		"DescribeRepositories":  action(e.mayDescribe, e.describeRepositories),
		"DeleteRepository": action(onRepository("DeleteRepository", func(in *wire.DeleteRepositoryRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.deleteRepository),
		"PutImageTagMutability": action(onRepository("PutImageTagMutability", func(in *wire.PutImageTagMutabilityRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.putImageTagMutability),
		"PutImageScanningConfiguration": action(onRepository("PutImageScanningConfiguration", func(in *wire.PutImageScanningConfigurationRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.putImageScanningConfiguration),
		"SetRepositoryPolicy": action(onRepository("SetRepositoryPolicy", func(in *wire.SetRepositoryPolicyRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.setRepositoryPolicy),
		"GetRepositoryPolicy": action(onRepository("GetRepositoryPolicy", func(in *wire.GetRepositoryPolicyRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.getRepositoryPolicy),
		"DeleteRepositoryPolicy": action(onRepository("DeleteRepositoryPolicy", func(in *wire.DeleteRepositoryPolicyRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.deleteRepositoryPolicy),
		"TagResource":         action(onARN("TagResource", func(in *wire.TagResourceRequest) *string { return in.ResourceArn }), e.tagResource),
		"UntagResource":       action(onARN("UntagResource", func(in *wire.UntagResourceRequest) *string { return in.ResourceArn }), e.untagResource),
		"ListTagsForResource": action(onARN("ListTagsForResource", func(in *wire.ListTagsForResourceRequest) *string { return in.ResourceArn }), e.listTags),
	}
}

// registry is the account whose repositories a request means: the caller's, or the one it names.
func registry(c Call, id *string) apprunner.Scope {
	sc := c.Scope
	if id != nil {
		sc.Account = *id
	}
	return sc
}

// onRepository asks for an action on a repository.
func onRepository[In any](name string, of func(*In) (registry, name *string)) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(_ context.Context, c Call, in *In) ([]iam.Request, error) {
		id, repository := of(in)
		return []iam.Request{{Action: "ecr:" + name, Resource: image.RepositoryARN(registry(c, id), val(repository))}}, nil
	}
}

// onARN asks for an action on the repository with an ARN.
func onARN[In any](name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(_ context.Context, _ Call, in *In) ([]iam.Request, error) {
		return []iam.Request{{Action: "ecr:" + name, Resource: val(of(in))}}, nil
	}
}

func (e *ecrAPI) getAuthorizationToken(_ context.Context, c Call, _ *wire.GetAuthorizationTokenRequest) (*wire.GetAuthorizationTokenResponse, error) {
	t, err := e.store.IssueToken(c.Scope, c.Principal.Handle())
	if err != nil {
		return nil, err
	}
	return &wire.GetAuthorizationTokenResponse{AuthorizationData: []wire.AuthorizationData{{
		AuthorizationToken: new(base64.StdEncoding.EncodeToString([]byte("AWS:" + t.Password))),
		ExpiresAt:          &t.ExpiresAt,
		ProxyEndpoint:      &t.ProxyEndpoint,
	}}}, nil
}

func (e *ecrAPI) describeRegistry(_ context.Context, c Call, _ *wire.DescribeRegistryRequest) (*wire.DescribeRegistryResponse, error) {
	return &wire.DescribeRegistryResponse{
		RegistryId:               &c.Scope.Account,
		ReplicationConfiguration: &wire.ReplicationConfiguration{Rules: []wire.ReplicationRule{}},
	}, nil
}

func (e *ecrAPI) mayCreate(_ context.Context, c Call, in *wire.CreateRepositoryRequest) ([]iam.Request, error) {
	arn := image.RepositoryARN(registry(c, in.RegistryId), val(in.RepositoryName))
	keys := map[string][]string{}
	for _, t := range in.Tags {
		keys["aws:RequestTag/"+val(t.Key)] = []string{val(t.Value)}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], val(t.Key))
	}
	asked := []iam.Request{{Action: "ecr:CreateRepository", Resource: arn, Context: keys}}
	if len(in.Tags) > 0 {
		asked = append(asked, iam.Request{Action: "ecr:TagResource", Resource: arn, Context: keys})
	}
	return asked, nil
}

func (e *ecrAPI) createRepository(ctx context.Context, c Call, in *wire.CreateRepositoryRequest) (*wire.CreateRepositoryResponse, error) {
	if enc := in.EncryptionConfiguration; enc != nil && val(enc.EncryptionType) != wire.EncryptionTypeAes256 {
		return nil, apprunner.Errorf(image.CodeInvalidParameter, "The encryption type %s is not supported here; use AES256.", val(enc.EncryptionType))
	}
	immutable, err := isImmutable(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	repo := image.NewRepository{Name: *in.RepositoryName, Immutable: immutable, Tags: repositoryTags(in.Tags)}
	if in.ImageScanningConfiguration != nil {
		repo.ScanOnPush = val(in.ImageScanningConfiguration.ScanOnPush)
	}
	made, err := e.store.CreateRepository(ctx, registry(c, in.RegistryId), repo)
	if err != nil {
		return nil, err
	}
	return &wire.CreateRepositoryResponse{Repository: repositoryOut(made)}, nil
}

// isImmutable reads the two mutabilities that are served.
func isImmutable(mutability *string, exclusions []wire.ImageTagMutabilityExclusionFilter) (bool, error) {
	switch val(mutability) {
	case "", wire.ImageTagMutabilityMutable, wire.ImageTagMutabilityImmutable:
		if len(exclusions) == 0 {
			return val(mutability) == wire.ImageTagMutabilityImmutable, nil
		}
	}
	return false, apprunner.Errorf(image.CodeInvalidParameter, "Exclusions from tag mutability are not supported here; use MUTABLE or IMMUTABLE without filters.")
}

func repositoryTags(in []wire.Tag) map[string]string {
	out := make(map[string]string, len(in))
	for _, t := range in {
		out[val(t.Key)] = val(t.Value)
	}
	return out
}

func mutability(immutable bool) *string {
	if immutable {
		return new(wire.ImageTagMutabilityImmutable)
	}
	return new(wire.ImageTagMutabilityMutable)
}

func repositoryOut(r image.Repository) *wire.Repository {
	return &wire.Repository{
		RepositoryArn:              new(r.ARN()),
		RegistryId:                 &r.Scope.Account,
		RepositoryName:             &r.Name,
		RepositoryUri:              new(r.URI()),
		CreatedAt:                  &r.CreatedAt,
		ImageTagMutability:         mutability(r.Immutable),
		ImageScanningConfiguration: &wire.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
		EncryptionConfiguration:    &wire.EncryptionConfiguration{EncryptionType: new(wire.EncryptionTypeAes256)},
	}
}

func (e *ecrAPI) mayDescribe(_ context.Context, c Call, in *wire.DescribeRepositoriesRequest) ([]iam.Request, error) {
	names := in.RepositoryNames
	if len(names) == 0 {
		names = []string{"*"}
	}
	asked := make([]iam.Request, len(names))
	for i, n := range names {
		asked[i] = iam.Request{Action: "ecr:DescribeRepositories", Resource: image.RepositoryARN(registry(c, in.RegistryId), n)}
	}
	return asked, nil
}

func (e *ecrAPI) describeRepositories(ctx context.Context, c Call, in *wire.DescribeRepositoriesRequest) (*wire.DescribeRepositoriesResponse, error) {
	repos, next, err := e.store.DescribeRepositories(ctx, registry(c, in.RegistryId), in.RepositoryNames, pageOf(in.MaxResults, in.NextToken))
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeRepositoriesResponse{Repositories: make([]wire.Repository, len(repos)), NextToken: given(next)}
	for i, r := range repos {
		out.Repositories[i] = *repositoryOut(r)
	}
	return out, nil
}

func pageOf(limit *int32, token *string) image.Page {
	return image.Page{Max: int(val(limit)), Token: val(token)}
}

func (e *ecrAPI) deleteRepository(ctx context.Context, c Call, in *wire.DeleteRepositoryRequest) (*wire.DeleteRepositoryResponse, error) {
	r, err := e.store.DeleteRepository(ctx, registry(c, in.RegistryId), *in.RepositoryName, val(in.Force))
	if err != nil {
		return nil, err
	}
	return &wire.DeleteRepositoryResponse{Repository: repositoryOut(r)}, nil
}

func (e *ecrAPI) putImageTagMutability(ctx context.Context, c Call, in *wire.PutImageTagMutabilityRequest) (*wire.PutImageTagMutabilityResponse, error) {
	immutable, err := isImmutable(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	r, err := e.store.SetImmutable(ctx, registry(c, in.RegistryId), *in.RepositoryName, immutable)
	if err != nil {
		return nil, err
	}
	return &wire.PutImageTagMutabilityResponse{RegistryId: &r.Scope.Account, RepositoryName: &r.Name, ImageTagMutability: mutability(r.Immutable)}, nil
}

func (e *ecrAPI) putImageScanningConfiguration(ctx context.Context, c Call, in *wire.PutImageScanningConfigurationRequest) (*wire.PutImageScanningConfigurationResponse, error) {
	r, err := e.store.SetScanOnPush(ctx, registry(c, in.RegistryId), *in.RepositoryName, val(in.ImageScanningConfiguration.ScanOnPush))
	if err != nil {
		return nil, err
	}
	return &wire.PutImageScanningConfigurationResponse{
		RegistryId: &r.Scope.Account, RepositoryName: &r.Name, ImageScanningConfiguration: &wire.ImageScanningConfiguration{ScanOnPush: &r.ScanOnPush},
	}, nil
}

func (e *ecrAPI) setRepositoryPolicy(ctx context.Context, c Call, in *wire.SetRepositoryPolicyRequest) (*wire.SetRepositoryPolicyResponse, error) {
	if _, err := iam.ParseDocument(*in.PolicyText, iam.ResourcePolicy); err != nil {
		return nil, apprunner.Errorf(image.CodeInvalidParameter, "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided': %w", err)
	}
	r, err := e.store.SetRepositoryPolicy(ctx, registry(c, in.RegistryId), *in.RepositoryName, *in.PolicyText)
	if err != nil {
		return nil, err
	}
	return &wire.SetRepositoryPolicyResponse{RegistryId: &r.Scope.Account, RepositoryName: &r.Name, PolicyText: &r.Policy}, nil
}

func (e *ecrAPI) getRepositoryPolicy(ctx context.Context, c Call, in *wire.GetRepositoryPolicyRequest) (*wire.GetRepositoryPolicyResponse, error) {
	r, err := e.store.GetRepositoryPolicy(ctx, registry(c, in.RegistryId), *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	return &wire.GetRepositoryPolicyResponse{RegistryId: &r.Scope.Account, RepositoryName: &r.Name, PolicyText: &r.Policy}, nil
}

func (e *ecrAPI) deleteRepositoryPolicy(ctx context.Context, c Call, in *wire.DeleteRepositoryPolicyRequest) (*wire.DeleteRepositoryPolicyResponse, error) {
	r, err := e.store.DeleteRepositoryPolicy(ctx, registry(c, in.RegistryId), *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteRepositoryPolicyResponse{RegistryId: &r.Scope.Account, RepositoryName: &r.Name, PolicyText: &r.Policy}, nil
}

func (e *ecrAPI) tagResource(ctx context.Context, _ Call, in *wire.TagResourceRequest) (*wire.TagResourceResponse, error) {
	return &wire.TagResourceResponse{}, e.store.TagRepository(ctx, *in.ResourceArn, repositoryTags(in.Tags))
}

func (e *ecrAPI) untagResource(ctx context.Context, _ Call, in *wire.UntagResourceRequest) (*wire.UntagResourceResponse, error) {
	return &wire.UntagResourceResponse{}, e.store.UntagRepository(ctx, *in.ResourceArn, in.TagKeys)
}

func (e *ecrAPI) listTags(ctx context.Context, _ Call, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	tags, err := e.store.RepositoryTags(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &wire.ListTagsForResourceResponse{Tags: []wire.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, wire.Tag{Key: &k, Value: new(tags[k])})
	}
	return out, nil
}
