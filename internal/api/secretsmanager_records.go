package api

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/secret"
	wire "slipway.dev/slipway/internal/wire/secretsmanager"
)

const (
	codeBadToken        apprunner.Code = "InvalidNextTokenException"
	codeMalformedPolicy apprunner.Code = "MalformedPolicyDocumentException"
	codePublicPolicy    apprunner.Code = "PublicPolicyException"
)

func secretTagsOut(tags map[string]string) []wire.Tag {
	out := make([]wire.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, wire.Tag{Key: &k, Value: new(tags[k])})
	}
	return out
}

// stagesOut are the versions that have stages, by id.
func stagesOut(x secret.Secret) map[string][]string {
	var out map[string][]string
	for _, v := range x.Versions {
		if len(v.Stages) == 0 {
			continue
		}
		if out == nil {
			out = map[string][]string{}
		}
		out[v.ID] = v.Stages
	}
	return out
}

func (a *secretsAPI) describe(ctx context.Context, c Call, in *wire.DescribeSecretRequest) (*wire.DescribeSecretResponse, error) {
	x, err := a.Secrets.Describe(ctx, c.Scope, *in.SecretId)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeSecretResponse{
		ARN: new(x.ARN()), Name: &x.Name, Description: given(x.Description), KmsKeyId: given(x.KeyID), LastChangedDate: &x.ChangedAt,
		LastAccessedDate: moment(x.ReadOn), DeletedDate: moment(x.DeletedAt), Tags: secretTagsOut(x.Tags), VersionIdsToStages: stagesOut(x), CreatedDate: &x.CreatedAt,
	}, nil
}

// filtered are the secrets that pass all filters.
func (a *secretsAPI) filtered(ctx context.Context, c Call, in []wire.Filter, planned bool) ([]secret.Secret, error) {
	filters := make([]secret.Filter, len(in))
	for i, f := range in {
		filters[i] = secret.Filter{Key: val(f.Key), Values: f.Values}
		if err := filters[i].Check(); err != nil {
			return nil, err
		}
	}
	all, err := a.Secrets.List(ctx, c.Scope)
	return slices.DeleteFunc(all, func(x secret.Secret) bool {
		return !planned && !x.DeletedAt.IsZero() || slices.ContainsFunc(filters, func(f secret.Filter) bool { return !f.Fits(x) })
	}), err
}

// placeBy is where a secret stands in a listing of that order.
func placeBy(order string, descending bool) func(secret.Secret) position {
	by := func(t time.Time) position { return position{At: -t.UnixMicro()} }
	return func(x secret.Secret) position {
		var p position
		switch order {
		case wire.SortByTypeName:
			p.Name = x.Name
			if descending {
				p.Name = backwards(x.Name)
			}
			return p
		case wire.SortByTypeLastAccessedDate:
			p = by(x.ReadOn)
		case wire.SortByTypeLastChangedDate:
			p = by(x.ChangedAt)
		default:
			p = by(x.CreatedAt)
		}
		if descending {
			p.At = -p.At
		}
		p.Name = x.Name
		return p
	}
}

// backwards is a text that sorts where the name sorts in the opposite order.
func backwards(name string) string {
	b := []byte(name)
	for i := range b {
		b[i] = ^b[i]
	}
	return hex.EncodeToString(b) + "~" // after all digits: the shorter of two names with the same beginning comes last
}

// defaultSecretsPage is how many secrets or versions a page has where the request does not say.
const defaultSecretsPage = 100

func pageLimit(asked *int32) *int32 {
	if asked == nil {
		return new(int32(defaultSecretsPage))
	}
	return asked
}

func (a *secretsAPI) list(ctx context.Context, c Call, in *wire.ListSecretsRequest) (*wire.ListSecretsResponse, error) {
	all, err := a.filtered(ctx, c, in.Filters, val(in.IncludePlannedDeletion))
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "secretsmanager/ListSecrets", params: []any{in.Filters, val(in.IncludePlannedDeletion), val(in.SortBy), val(in.SortOrder)}}
	some, next, err := page(a.Tokens, l, all, placeBy(val(in.SortBy), val(in.SortOrder) == wire.SortOrderTypeDesc), pageLimit(in.MaxResults), in.NextToken)
	if err != nil {
		return nil, apprunner.Errorf(codeBadToken, "%w", err)
	}
	out := &wire.ListSecretsResponse{SecretList: make([]wire.SecretListEntry, len(some)), NextToken: next}
	for i, x := range some {
		out.SecretList[i] = wire.SecretListEntry{
			ARN: new(x.ARN()), Name: &x.Name, Description: given(x.Description), KmsKeyId: given(x.KeyID), LastChangedDate: &x.ChangedAt, LastAccessedDate: moment(x.ReadOn),
			DeletedDate: moment(x.DeletedAt), Tags: secretTagsOut(x.Tags), SecretVersionsToStages: stagesOut(x), CreatedDate: &x.CreatedAt,
		}
	}
	return out, nil
}

func (a *secretsAPI) listVersions(ctx context.Context, c Call, in *wire.ListSecretVersionIdsRequest) (*wire.ListSecretVersionIdsResponse, error) {
	x, err := a.Secrets.Describe(ctx, c.Scope, *in.SecretId)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(slices.Clone(x.Versions), func(v secret.Version) bool { return len(v.Stages) == 0 && !val(in.IncludeDeprecated) })
	l := listing{scope: c.Scope, operation: "secretsmanager/ListSecretVersionIds", params: []any{x.ARN(), val(in.IncludeDeprecated)}}
	some, next, err := page(a.Tokens, l, all, func(v secret.Version) position { return apprunner.PlaceOf(v.CreatedAt, v.ID) }, pageLimit(in.MaxResults), in.NextToken)
	if err != nil {
		return nil, apprunner.Errorf(codeBadToken, "%w", err)
	}
	out := &wire.ListSecretVersionIdsResponse{ARN: new(x.ARN()), Name: &x.Name, Versions: make([]wire.SecretVersionsListEntry, len(some)), NextToken: next}
	for i, v := range some {
		out.Versions[i] = wire.SecretVersionsListEntry{VersionId: &v.ID, CreatedDate: &v.CreatedAt, LastAccessedDate: moment(v.ReadOn), KmsKeyIds: []string{v.KeyARN}}
		if len(v.Stages) > 0 {
			out.Versions[i].VersionStages = v.Stages
		}
		if !x.OwnKey() {
			out.Versions[i].KmsKeyIds = []string{"DefaultEncryptionKey"}
		}
	}
	return out, nil
}

func (a *secretsAPI) delete(ctx context.Context, c Call, in *wire.DeleteSecretRequest) (*wire.DeleteSecretResponse, error) {
	x, err := a.Secrets.Delete(ctx, c.Scope, *in.SecretId, val(in.RecoveryWindowInDays), val(in.ForceDeleteWithoutRecovery))
	if err != nil {
		return nil, err
	}
	return &wire.DeleteSecretResponse{ARN: new(x.ARN()), Name: &x.Name, DeletionDate: &x.PurgeAt}, nil
}

func (a *secretsAPI) restore(ctx context.Context, c Call, in *wire.RestoreSecretRequest) (*wire.RestoreSecretResponse, error) {
	x, err := a.Secrets.Restore(ctx, c.Scope, *in.SecretId)
	if err != nil {
		return nil, err
	}
	return &wire.RestoreSecretResponse{ARN: new(x.ARN()), Name: &x.Name}, nil
}

func (a *secretsAPI) putPolicy(ctx context.Context, c Call, in *wire.PutResourcePolicyRequest) (*wire.PutResourcePolicyResponse, error) {
	doc, err := iam.ParseDocument(*in.ResourcePolicy, iam.ResourcePolicy)
	if err != nil {
		return nil, apprunner.Errorf(codeMalformedPolicy, "This resource policy contains a syntax error: %w", err)
	}
	if val(in.BlockPublicPolicy) && openToAll(doc) {
		return nil, apprunner.Errorf(codePublicPolicy, "The resource policy grants access to everybody: a statement allows the principal * without a condition. Name the principals, or leave BlockPublicPolicy out.")
	}
	x, err := a.Secrets.SetPolicy(ctx, c.Scope, *in.SecretId, *in.ResourcePolicy)
	if err != nil {
		return nil, err
	}
	return &wire.PutResourcePolicyResponse{ARN: new(x.ARN()), Name: &x.Name}, nil
}

// openToAll tells whether a policy lets a caller of an account that no statement can have meant read the value.
func openToAll(doc iam.Document) bool {
	const nobody = "000000000000"
	decision, _ := iam.DecideFor(doc, iam.Caller{ARN: "arn:aws:iam::" + nobody + ":user/nobody", Account: nobody}, iam.Request{Action: "secretsmanager:GetSecretValue", Resource: "*"})
	return decision == iam.Allow
}

func (a *secretsAPI) getPolicy(ctx context.Context, c Call, in *wire.GetResourcePolicyRequest) (*wire.GetResourcePolicyResponse, error) {
	x, err := a.Secrets.Describe(ctx, c.Scope, *in.SecretId)
	if err != nil {
		return nil, err
	}
	return &wire.GetResourcePolicyResponse{ARN: new(x.ARN()), Name: &x.Name, ResourcePolicy: given(x.Policy)}, nil
}

func (a *secretsAPI) deletePolicy(ctx context.Context, c Call, in *wire.DeleteResourcePolicyRequest) (*wire.DeleteResourcePolicyResponse, error) {
	x, err := a.Secrets.SetPolicy(ctx, c.Scope, *in.SecretId, "")
	if err != nil {
		return nil, err
	}
	return &wire.DeleteResourcePolicyResponse{ARN: new(x.ARN()), Name: &x.Name}, nil
}

func (a *secretsAPI) validatePolicy(_ context.Context, _ Call, in *wire.ValidateResourcePolicyRequest) (*wire.ValidateResourcePolicyResponse, error) {
	out := &wire.ValidateResourcePolicyResponse{PolicyValidationPassed: new(true), ValidationErrors: []wire.ValidationErrorsEntry{}}
	refuse := func(check, why string) {
		out.PolicyValidationPassed = new(false)
		out.ValidationErrors = append(out.ValidationErrors, wire.ValidationErrorsEntry{CheckName: &check, ErrorMessage: &why})
	}
	doc, err := iam.ParseDocument(*in.ResourcePolicy, iam.ResourcePolicy)
	switch {
	case err != nil:
		refuse("POLICY_SYNTAX", err.Error())
	case openToAll(doc):
		refuse("PUBLIC_POLICY", "A statement allows the principal * without a condition.")
	}
	return out, nil
}

func (a *secretsAPI) tag(ctx context.Context, c Call, in *wire.TagResourceRequest) error {
	return a.Secrets.Tag(ctx, c.Scope, *in.SecretId, tagsByKey(secretTags(in.Tags)))
}

func (a *secretsAPI) untag(ctx context.Context, c Call, in *wire.UntagResourceRequest) error {
	return a.Secrets.Untag(ctx, c.Scope, *in.SecretId, in.TagKeys)
}
