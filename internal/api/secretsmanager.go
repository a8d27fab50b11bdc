package api

import (
	"context"
	"errors"
	"strconv"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/secret"
	wire "slipway.dev/slipway/internal/wire/secretsmanager"
)

// secrets is what the Secrets Manager API needs of the secret room.
type secrets interface {
	Create(ctx context.Context, x secret.Secret, v *secret.NewVersion) (secret.Secret, error)
	Put(ctx context.Context, sc apprunner.Scope, id string, v secret.NewVersion) (secret.Secret, secret.Version, error)
	Update(ctx context.Context, sc apprunner.Scope, id string, c secret.Change) (secret.Secret, error)
	Restage(ctx context.Context, sc apprunner.Scope, id, stage, from, to string) (secret.Secret, error)
	Describe(ctx context.Context, sc apprunner.Scope, id string) (secret.Secret, error)
	Value(ctx context.Context, sc apprunner.Scope, id string, w secret.Which) (secret.Secret, secret.Version, secret.Value, error)
	List(ctx context.Context, sc apprunner.Scope) ([]secret.Secret, error)
	Delete(ctx context.Context, sc apprunner.Scope, id string, days int64, force bool) (secret.Secret, error)
	Restore(ctx context.Context, sc apprunner.Scope, id string) (secret.Secret, error)
	SetPolicy(ctx context.Context, sc apprunner.Scope, id, policy string) (secret.Secret, error)
	Tag(ctx context.Context, sc apprunner.Scope, id string, tags map[string]string) error
	Untag(ctx context.Context, sc apprunner.Scope, id string, keys []string) error
}

// rights answers what a caller may do, for actions on many things of which each is allowed or refused by itself.
type rights interface {
	Authorize(ctx context.Context, p iam.Principal, q iam.Request) error
}

// SecretsConfig is what the Secrets Manager API needs; all of it is required.
type SecretsConfig struct {
	Secrets secrets
	Keys    keyRecords
	Rights  rights
	Tokens  *Tokens
}

type secretsAPI struct{ SecretsConfig }

// secretsManager is the signing name of the service, by which keys know it too.
const secretsManager = "secretsmanager"

// NewSecrets returns the Secrets Manager API (adjacent §10).
func NewSecrets(conf SecretsConfig) (*Service, error) {
	if conf.Secrets == nil || conf.Keys == nil || conf.Rights == nil || conf.Tokens == nil {
		return nil, errors.New("Secrets Manager API: the secrets, the keys, the rights and the tokens are required")
	}
	a := &secretsAPI{conf}
	return &Service{
		API: &wire.API, Constraint: secret.CodeInvalidParameter, Internal: "InternalServiceError",
		Actions: map[string]Action{
			"CreateSecret":             action(a.mayCreate, a.create),
			"PutSecretValue":           action(a.mayPut, a.put),
			"UpdateSecret":             action(a.mayUpdate, a.update),
			"UpdateSecretVersionStage": action(onSecret(a, "UpdateSecretVersionStage", func(in *wire.UpdateSecretVersionStageRequest) *string { return in.SecretId }), a.restage),

			"GetSecretValue":       action(a.mayGet, a.get),
			"BatchGetSecretValue":  action(anything[wire.BatchGetSecretValueRequest]("secretsmanager:BatchGetSecretValue"), a.batchGet),
			"DescribeSecret":       action(onSecret(a, "DescribeSecret", func(in *wire.DescribeSecretRequest) *string { return in.SecretId }), a.describe),
			"ListSecrets":          action(anything[wire.ListSecretsRequest]("secretsmanager:ListSecrets"), a.list),
			"ListSecretVersionIds": action(onSecret(a, "ListSecretVersionIds", func(in *wire.ListSecretVersionIdsRequest) *string { return in.SecretId }), a.listVersions),
			"GetRandomPassword":    action(anything[wire.GetRandomPasswordRequest]("secretsmanager:GetRandomPassword"), a.randomPassword),

			"DeleteSecret":  action(a.mayDelete, a.delete),
			"RestoreSecret": action(onSecret(a, "RestoreSecret", func(in *wire.RestoreSecretRequest) *string { return in.SecretId }), a.restore),

			"PutResourcePolicy":      action(onSecret(a, "PutResourcePolicy", func(in *wire.PutResourcePolicyRequest) *string { return in.SecretId }), a.putPolicy),
			"GetResourcePolicy":      action(onSecret(a, "GetResourcePolicy", func(in *wire.GetResourcePolicyRequest) *string { return in.SecretId }), a.getPolicy),
			"DeleteResourcePolicy":   action(onSecret(a, "DeleteResourcePolicy", func(in *wire.DeleteResourcePolicyRequest) *string { return in.SecretId }), a.deletePolicy),
			"ValidateResourcePolicy": action(a.mayValidate, a.validatePolicy),

			"TagResource":   command(a.mayTag, a.tag),
			"UntagResource": command(a.mayUntag, a.untag),
		},
	}, nil
}

// question asks for an action on the secret that an id means, whose tags are condition keys and whose policy has a say.
func (a *secretsAPI) question(ctx context.Context, c Call, name, id string) (iam.Request, secret.Secret) {
	q := iam.Request{Action: "secretsmanager:" + name, Resource: secret.ToBeARN(c.Scope, id), Context: map[string][]string{}}
	x, err := a.Secrets.Describe(ctx, c.Scope, id)
	if err != nil { // of one that is not there nothing is known
		return q, secret.Secret{}
	}
	q.Resource, q.ResourcePolicy = x.ARN(), x.Policy
	q.Context["secretsmanager:SecretId"] = []string{x.ARN()}
	for k, v := range x.Tags {
		q.Context["aws:ResourceTag/"+k], q.Context["secretsmanager:ResourceTag/"+k] = []string{v}, []string{v}
	}
	return q, x
}

// onSecret asks for an action on the secret that a request names.
func onSecret[In any](a *secretsAPI, name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		q, _ := a.question(ctx, c, name, val(of(in)))
		return []iam.Request{q}, nil
	}
}

// sealing and opening are what Secrets Manager does with a key to write and to read a value.
var (
	sealing = []string{"GenerateDataKey", "Decrypt"}
	opening = []string{"Decrypt"}
)

// withKey adds the questions about the key of a secret, where its user chose one or the caller is of another account.
func (a *secretsAPI) withKey(ctx context.Context, c Call, asked []iam.Request, x secret.Secret, actions []string) ([]iam.Request, error) {
	if x.Account == "" {
		x.Scope = c.Scope // it is to be made
	}
	if !x.OwnKey() && x.Account == c.Principal.Account {
		return asked, nil
	}
	more, err := UsingKey(ctx, a.Keys, c.Principal, x.Scope, KeyUse{secretsManager, x.Key(), actions, map[string]string{"SecretARN": asked[0].Resource}})
	return append(asked, more...), err
}

func (a *secretsAPI) mayCreate(ctx context.Context, c Call, in *wire.CreateSecretRequest) ([]iam.Request, error) {
	q := iam.Request{Action: "secretsmanager:CreateSecret", Resource: secret.ToBeARN(c.Scope, val(in.Name)), Context: map[string][]string{}}
	q.Context["secretsmanager:Name"] = []string{val(in.Name)}
	requestTags(q.Context, secretTags(in.Tags))
	asked := []iam.Request{q}
	if len(in.Tags) > 0 {
		asked = append(asked, iam.Request{Action: "secretsmanager:TagResource", Resource: q.Resource, Context: q.Context})
	}
	return a.withKey(ctx, c, asked, secret.Secret{KeyID: val(in.KmsKeyId)}, sealing)
}

func (a *secretsAPI) mayPut(ctx context.Context, c Call, in *wire.PutSecretValueRequest) ([]iam.Request, error) {
	q, x := a.question(ctx, c, "PutSecretValue", val(in.SecretId))
	return a.withKey(ctx, c, []iam.Request{q}, x, sealing)
}

func (a *secretsAPI) mayUpdate(ctx context.Context, c Call, in *wire.UpdateSecretRequest) ([]iam.Request, error) {
	q, x := a.question(ctx, c, "UpdateSecret", val(in.SecretId))
	asked, err := a.withKey(ctx, c, []iam.Request{q}, x, sealing)
	if err != nil || in.KmsKeyId == nil || *in.KmsKeyId == x.KeyID {
		return asked, err
	}
	x.KeyID = *in.KmsKeyId
	return a.withKey(ctx, c, asked, x, sealing)
}

func (a *secretsAPI) mayGet(ctx context.Context, c Call, in *wire.GetSecretValueRequest) ([]iam.Request, error) {
	return a.reading(ctx, c, val(in.SecretId), secret.Which{Version: val(in.VersionId), Stage: val(in.VersionStage)})
}

// reading asks for the value of a secret.
func (a *secretsAPI) reading(ctx context.Context, c Call, id string, w secret.Which) ([]iam.Request, error) {
	q, x := a.question(ctx, c, "GetSecretValue", id)
	if w.Version != "" {
		q.Context["secretsmanager:VersionId"] = []string{w.Version}
	}
	if w.Stage == "" && w.Version == "" {
		w.Stage = secret.StageCurrent
	}
	if w.Stage != "" {
		q.Context["secretsmanager:VersionStage"] = []string{w.Stage}
	}
	return a.withKey(ctx, c, []iam.Request{q}, x, opening)
}

func (a *secretsAPI) mayDelete(ctx context.Context, c Call, in *wire.DeleteSecretRequest) ([]iam.Request, error) {
	q, _ := a.question(ctx, c, "DeleteSecret", val(in.SecretId))
	q.Context["secretsmanager:ForceDeleteWithoutRecovery"] = []string{strconv.FormatBool(val(in.ForceDeleteWithoutRecovery))}
	if in.RecoveryWindowInDays != nil {
		q.Context["secretsmanager:RecoveryWindowInDays"] = []string{strconv.FormatInt(*in.RecoveryWindowInDays, 10)}
	}
	return []iam.Request{q}, nil
}

func (a *secretsAPI) mayValidate(ctx context.Context, c Call, in *wire.ValidateResourcePolicyRequest) ([]iam.Request, error) {
	if val(in.SecretId) == "" {
		return []iam.Request{{Action: "secretsmanager:ValidateResourcePolicy", Resource: "*"}}, nil
	}
	q, _ := a.question(ctx, c, "ValidateResourcePolicy", *in.SecretId)
	return []iam.Request{q}, nil
}

func (a *secretsAPI) mayTag(ctx context.Context, c Call, in *wire.TagResourceRequest) ([]iam.Request, error) {
	q, _ := a.question(ctx, c, "TagResource", val(in.SecretId))
	requestTags(q.Context, secretTags(in.Tags))
	return []iam.Request{q}, nil
}

func (a *secretsAPI) mayUntag(ctx context.Context, c Call, in *wire.UntagResourceRequest) ([]iam.Request, error) {
	q, _ := a.question(ctx, c, "UntagResource", val(in.SecretId))
	q.Context["aws:TagKeys"] = in.TagKeys
	return []iam.Request{q}, nil
}

func secretTags(in []wire.Tag) []apprunner.Tag {
	tags := make([]apprunner.Tag, len(in))
	for i, t := range in {
		tags[i] = apprunner.Tag{Key: val(t.Key), Value: val(t.Value)}
	}
	return tags
}

// tagsByKey are tags as rooms keep them.
func tagsByKey(tags []apprunner.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}
