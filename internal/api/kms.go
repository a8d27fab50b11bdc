package api

import (
	"context"
	"errors"
	"maps"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/kms"
	wire "slipway.dev/slipway/internal/wire/kms"
)

// kmsRecords is what the actions about keys need of the kms room.
type kmsRecords interface {
	Create(context.Context, apprunner.Scope, kms.New) (kms.Key, error)
	Describe(ctx context.Context, sc apprunner.Scope, key string) (kms.Key, error)
	Look(ctx context.Context, sc apprunner.Scope, key string) (kms.Key, error)
	List(context.Context, apprunner.Scope) ([]kms.Key, error)
	Enable(ctx context.Context, sc apprunner.Scope, key string, on bool) error
	SetPolicy(ctx context.Context, sc apprunner.Scope, key, policy string) error
	SetRotation(ctx context.Context, sc apprunner.Scope, key string, on bool, days int) error
	ScheduleDeletion(ctx context.Context, sc apprunner.Scope, key string, days int) (kms.Key, error)
	CancelDeletion(ctx context.Context, sc apprunner.Scope, key string) (kms.Key, error)
	Tag(ctx context.Context, sc apprunner.Scope, key string, tags map[string]string) error
	Untag(ctx context.Context, sc apprunner.Scope, key string, names []string) error
}

// kmsUse is what encrypting, aliases and grants need of it.
type kmsUse interface {
	Encrypt(ctx context.Context, sc apprunner.Scope, key string, plain []byte, context map[string]string) (kms.Ciphertext, error)
	Decrypt(ctx context.Context, sc apprunner.Scope, blob []byte, context map[string]string) (kms.Plaintext, error)
	DataKey(ctx context.Context, sc apprunner.Scope, key string, bytes int, context map[string]string) ([]byte, kms.Ciphertext, error)
	KeyOf(ctx context.Context, sc apprunner.Scope, blob []byte) (kms.Key, error)
	CreateAlias(ctx context.Context, sc apprunner.Scope, alias, key string) error
	UpdateAlias(ctx context.Context, sc apprunner.Scope, alias, key string) error
	DeleteAlias(ctx context.Context, sc apprunner.Scope, alias string) error
	Alias(ctx context.Context, sc apprunner.Scope, alias string) (kms.Alias, bool, error)
	Aliases(context.Context, apprunner.Scope) ([]kms.Alias, error)
	CreateGrant(ctx context.Context, sc apprunner.Scope, key string, g kms.Grant) (kms.Grant, error)
	Grants(ctx context.Context, sc apprunner.Scope, key string) ([]kms.Grant, error)
	Granted(context.Context, kms.Key, kms.Use) (bool, error)
	RemoveGrant(ctx context.Context, sc apprunner.Scope, key, id string) error
}

type kmsRoom interface {
	kmsRecords
	kmsUse
}

type kmsAPI struct {
	keys   kmsRoom
	rights rights
	tokens *Tokens
}

// NewKMS returns the KMS API (adjacent §9).
func NewKMS(keys kmsRoom, rights rights, tokens *Tokens) (*Service, error) {
	if keys == nil || rights == nil || tokens == nil {
		return nil, errors.New("KMS API: the keys, the rights and the tokens are required")
	}
	k := &kmsAPI{keys, rights, tokens}
	actions := k.keyActions()
	for _, more := range []map[string]Action{k.useActions(), k.aliasActions(), k.grantActions()} {
		maps.Copy(actions, more)
	}
	return &Service{API: &wire.API, Constraint: kms.CodeValidation, Internal: kms.CodeInternal, Actions: actions}, nil
}

func (k *kmsAPI) keyActions() map[string]Action {
	return map[string]Action{
		"CreateKey":            action(k.mayCreateKey, k.createKey),
		"DescribeKey":          action(onKey(k, "DescribeKey", func(in *wire.DescribeKeyRequest) *string { return in.KeyId }), k.describeKey),
		"ListKeys":             action(anything[wire.ListKeysRequest]("kms:ListKeys"), k.listKeys),
		"EnableKey":            command(onKey(k, "EnableKey", func(in *wire.EnableKeyRequest) *string { return in.KeyId }), k.enableKey),
		"DisableKey":           command(onKey(k, "DisableKey", func(in *wire.DisableKeyRequest) *string { return in.KeyId }), k.disableKey),
		"ScheduleKeyDeletion":  action(k.mayScheduleDeletion, k.scheduleDeletion),
		"CancelKeyDeletion":    action(onKey(k, "CancelKeyDeletion", func(in *wire.CancelKeyDeletionRequest) *string { return in.KeyId }), k.cancelDeletion),
		"GetKeyPolicy":         action(onKey(k, "GetKeyPolicy", func(in *wire.GetKeyPolicyRequest) *string { return in.KeyId }), k.getPolicy),
		"PutKeyPolicy":         command(k.mayPutPolicy, k.putPolicy),
		"ListKeyPolicies":      action(onKey(k, "ListKeyPolicies", func(in *wire.ListKeyPoliciesRequest) *string { return in.KeyId }), k.listPolicies),
		"EnableKeyRotation":    command(k.mayRotate, k.enableRotation),
		"DisableKeyRotation":   command(onKey(k, "DisableKeyRotation", func(in *wire.DisableKeyRotationRequest) *string { return in.KeyId }), k.disableRotation),
		"GetKeyRotationStatus": action(onKey(k, "GetKeyRotationStatus", func(in *wire.GetKeyRotationStatusRequest) *string { return in.KeyId }), k.rotationStatus),
		"TagResource":          command(k.mayTag, k.tag),
		"UntagResource":        command(k.mayUntag, k.untag),
		"ListResourceTags":     action(onKey(k, "ListResourceTags", func(in *wire.ListResourceTagsRequest) *string { return in.KeyId }), k.listTags),
	}
}
