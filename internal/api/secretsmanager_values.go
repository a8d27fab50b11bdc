package api

import (
	"context"
	"errors"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/secret"
	wire "slipway.dev/slipway/internal/wire/secretsmanager"
)

// newVersion reads the value of a request; nil: it has none. Clients that send no token get one.
func newVersion(token, text *string, binary []byte, stages []string) (*secret.NewVersion, error) {
	switch {
	case text != nil && binary != nil:
		return nil, apprunner.Errorf(secret.CodeInvalidParameter, "You can't specify both a binary secret value and a string secret value in the same secret.")
	case text == nil && binary == nil:
		return nil, nil
	}
	v := &secret.NewVersion{ID: val(token), Value: secret.Value{Bytes: binary, Binary: true}, Stages: stages}
	if text != nil {
		v.Value = secret.Text(*text)
	}
	if v.ID == "" {
		v.ID = apprunner.NewUUID()
	}
	return v, nil
}

func (a *secretsAPI) create(ctx context.Context, c Call, in *wire.CreateSecretRequest) (*wire.CreateSecretResponse, error) {
	if len(in.AddReplicaRegions) > 0 {
		return nil, apprunner.Errorf(secret.CodeInvalidParameter, "AddReplicaRegions is not served here: secrets are not copied to other regions. Create the secret in each region.")
	}
	if err := unmanaged(in.Type); err != nil {
		return nil, err
	}
	v, err := newVersion(in.ClientRequestToken, in.SecretString, in.SecretBinary, nil)
	if err != nil {
		return nil, err
	}
	x := secret.Secret{Scope: c.Scope, Name: *in.Name, Description: val(in.Description), KeyID: val(in.KmsKeyId), Tags: tagsByKey(secretTags(in.Tags))}
	if x, err = a.Secrets.Create(ctx, x, v); err != nil {
		return nil, err
	}
	out := &wire.CreateSecretResponse{ARN: new(x.ARN()), Name: &x.Name}
	if v != nil {
		out.VersionId = &v.ID
	}
	return out, nil
}

// unmanaged refuses secrets whose values other companies would rotate.
func unmanaged(kind *string) error {
	if val(kind) != "" {
		return apprunner.Errorf(secret.CodeInvalidParameter, "Type %q is not served here: nothing rotates secrets of partners. Leave Type out.", clip(*kind, 64))
	}
	return nil
}

func (a *secretsAPI) put(ctx context.Context, c Call, in *wire.PutSecretValueRequest) (*wire.PutSecretValueResponse, error) {
	v, err := newVersion(in.ClientRequestToken, in.SecretString, in.SecretBinary, in.VersionStages)
	if err == nil && v == nil {
		err = apprunner.Errorf(apprunner.CodeInvalidRequest, "You must provide either SecretString or SecretBinary.")
	}
	if err != nil {
		return nil, err
	}
	x, made, err := a.Secrets.Put(ctx, c.Scope, *in.SecretId, *v)
	if err != nil {
		return nil, err
	}
	return &wire.PutSecretValueResponse{ARN: new(x.ARN()), Name: &x.Name, VersionId: &made.ID, VersionStages: made.Stages}, nil
}

func (a *secretsAPI) update(ctx context.Context, c Call, in *wire.UpdateSecretRequest) (*wire.UpdateSecretResponse, error) {
	if err := unmanaged(in.Type); err != nil {
		return nil, err
	}
	v, err := newVersion(in.ClientRequestToken, in.SecretString, in.SecretBinary, nil)
	if err != nil {
		return nil, err
	}
	x, err := a.Secrets.Update(ctx, c.Scope, *in.SecretId, secret.Change{Description: in.Description, KeyID: in.KmsKeyId, Version: v})
	if err != nil {
		return nil, err
	}
	out := &wire.UpdateSecretResponse{ARN: new(x.ARN()), Name: &x.Name}
	if v != nil {
		out.VersionId = &v.ID
	}
	return out, nil
}

func (a *secretsAPI) restage(ctx context.Context, c Call, in *wire.UpdateSecretVersionStageRequest) (*wire.UpdateSecretVersionStageResponse, error) {
	x, err := a.Secrets.Restage(ctx, c.Scope, *in.SecretId, *in.VersionStage, val(in.RemoveFromVersionId), val(in.MoveToVersionId))
	if err != nil {
		return nil, err
	}
	return &wire.UpdateSecretVersionStageResponse{ARN: new(x.ARN()), Name: &x.Name}, nil
}

func (a *secretsAPI) get(ctx context.Context, c Call, in *wire.GetSecretValueRequest) (*wire.GetSecretValueResponse, error) {
	e, err := a.value(ctx, c, *in.SecretId, secret.Which{Version: val(in.VersionId), Stage: val(in.VersionStage)})
	if err != nil {
		return nil, err
	}
	return &wire.GetSecretValueResponse{
		ARN: e.ARN, Name: e.Name, VersionId: e.VersionId, SecretBinary: e.SecretBinary, SecretString: e.SecretString, VersionStages: e.VersionStages, CreatedDate: e.CreatedDate,
	}, nil
}

func (a *secretsAPI) value(ctx context.Context, c Call, id string, w secret.Which) (wire.SecretValueEntry, error) {
	x, v, value, err := a.Secrets.Value(ctx, c.Scope, id, w)
	if err != nil {
		return wire.SecretValueEntry{}, err
	}
	e := wire.SecretValueEntry{ARN: new(x.ARN()), Name: &x.Name, VersionId: &v.ID, CreatedDate: &v.CreatedAt}
	if len(v.Stages) > 0 {
		e.VersionStages = v.Stages
	}
	if value.Binary {
		e.SecretBinary = value.Bytes
	} else {
		e.SecretString = new(string(value.Bytes))
	}
	return e, nil
}

// batchGet reads several secrets, each of which the caller must be allowed to read by itself; those that cannot be read are told.
func (a *secretsAPI) batchGet(ctx context.Context, c Call, in *wire.BatchGetSecretValueRequest) (*wire.BatchGetSecretValueResponse, error) {
	ids, next, err := a.batch(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &wire.BatchGetSecretValueResponse{SecretValues: []wire.SecretValueEntry{}, Errors: []wire.APIErrorType{}, NextToken: next}
	for _, id := range ids {
		e, err := a.allowedValue(ctx, c, id)
		known := new(apprunner.Error)
		switch {
		case err == nil:
			out.SecretValues = append(out.SecretValues, e)
		case errors.As(err, &known) && known.Code != apprunner.CodeInternal:
			out.Errors = append(out.Errors, wire.APIErrorType{SecretId: &id, ErrorCode: new(string(known.Code)), Message: new(shorten(known.Error()))})
		default:
			return nil, err
		}
	}
	return out, nil
}

func (a *secretsAPI) allowedValue(ctx context.Context, c Call, id string) (e wire.SecretValueEntry, err error) {
	asked, err := a.reading(ctx, c, id, secret.Which{})
	if err != nil {
		return e, err
	}
	for _, q := range asked {
		q.Context = c.context(q.Context)
		c.entrance.limit(&q)
		if err := a.Rights.Authorize(ctx, c.Principal, q); err != nil {
			return e, err
		}
	}
	return a.value(ctx, c, id, secret.Which{})
}

// defaultBatch is how many values a page has where the request does not say.
const defaultBatch = 20

// batch are the ids of one page: those that are named, or those that filters choose.
func (a *secretsAPI) batch(ctx context.Context, c Call, in *wire.BatchGetSecretValueRequest) (ids []string, next *string, err error) {
	switch {
	case len(in.SecretIdList) > 0 && len(in.Filters) > 0, len(in.SecretIdList) == 0 && len(in.Filters) == 0:
		return nil, nil, apprunner.Errorf(secret.CodeInvalidParameter, "Either SecretIdList or Filters must be specified, and not both.")
	case len(in.SecretIdList) > 0:
		return in.SecretIdList, nil, nil
	}
	all, err := a.filtered(ctx, c, in.Filters, false)
	if err != nil {
		return nil, nil, err
	}
	limit := in.MaxResults
	if limit == nil {
		limit = new(int32(defaultBatch))
	}
	l := listing{scope: c.Scope, operation: "secretsmanager/BatchGetSecretValue", params: in.Filters}
	some, next, err := pageByName(a.Tokens, l, codeBadToken, all, func(x secret.Secret) string { return x.Name }, limit, in.NextToken)
	for _, x := range some {
		ids = append(ids, x.ARN())
	}
	return ids, next, err
}

func (a *secretsAPI) randomPassword(_ context.Context, _ Call, in *wire.GetRandomPasswordRequest) (*wire.GetRandomPasswordResponse, error) {
	p, err := secret.Password(secret.PasswordRules{
		Length: int(val(in.PasswordLength)), Exclude: val(in.ExcludeCharacters), NoUpper: val(in.ExcludeUppercase), NoLower: val(in.ExcludeLowercase),
		NoDigits: val(in.ExcludeNumbers), NoPunctuation: val(in.ExcludePunctuation), Space: val(in.IncludeSpace),
		Each: in.RequireEachIncludedType == nil || *in.RequireEachIncludedType,
	})
	if err != nil {
		return nil, err
	}
	return &wire.GetRandomPasswordResponse{RandomPassword: &p}, nil
}
