package api

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	wire "slipway.dev/slipway/internal/wire/kms"
)

// createKey refuses all that symmetric keys of this installation cannot be.
func (k *kmsAPI) createKey(ctx context.Context, c Call, in *wire.CreateKeyRequest) (*wire.CreateKeyResponse, error) {
	unsupported := func(member, value string) error {
		return apprunner.Errorf(kms.CodeUnsupported, "%s %s is not supported here: keys are symmetric (SYMMETRIC_DEFAULT), encrypt and decrypt, belong to one region, and are made by this installation.", member, value)
	}
	switch {
	case specOf(in) != wire.KeySpecSymmetricDefault:
		return nil, unsupported("keySpec", specOf(in))
	case orElse(in.KeyUsage, wire.KeyUsageTypeEncryptDecrypt) != wire.KeyUsageTypeEncryptDecrypt:
		return nil, unsupported("keyUsage", *in.KeyUsage)
	case orElse(in.Origin, wire.OriginTypeAwsKms) != wire.OriginTypeAwsKms:
		return nil, unsupported("origin", *in.Origin)
	case val(in.MultiRegion):
		return nil, unsupported("multiRegion", "true")
	case in.CustomKeyStoreId != nil:
		return nil, unsupported("customKeyStoreId", *in.CustomKeyStoreId)
	case in.XksKeyId != nil:
		return nil, unsupported("xksKeyId", *in.XksKeyId)
	}
	if in.Policy != nil {
		if err := k.checkPolicy(ctx, c, kms.KeyARN(c.Scope, apprunner.NewUUID()), *in.Policy, val(in.BypassPolicyLockoutSafetyCheck)); err != nil {
			return nil, err
		}
	}
	key, err := k.keys.Create(ctx, c.Scope, kms.New{Description: val(in.Description), Policy: val(in.Policy), Tags: kmsTagMap(in.Tags)})
	if err != nil {
		return nil, err
	}
	return &wire.CreateKeyResponse{KeyMetadata: metadata(key)}, nil
}

func kmsTagMap(tags []wire.Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[*t.TagKey] = *t.TagValue
	}
	return m
}

// checkPolicy refuses a key policy that is none, or that would lock its author out (unless that is wanted).
func (k *kmsAPI) checkPolicy(ctx context.Context, c Call, keyARN, policy string, bypass bool) error {
	if _, err := iam.ParseDocument(policy, iam.ResourcePolicy); err != nil {
		return apprunner.Errorf(kms.CodeMalformedPolicy, "%w", err)
	}
	if bypass {
		return nil
	}
	q := iam.Request{Action: "kms:PutKeyPolicy", Resource: keyARN, ResourcePolicy: policy, PolicyFirst: true, Context: c.context(map[string][]string{"kms:CallerAccount": {c.Scope.Account}})}
	if k.rights.Authorize(ctx, c.Principal, q) != nil {
		return apprunner.Errorf(kms.CodeMalformedPolicy, "The new key policy will not allow you to update the key policy in the future.").
			WithHint("Let it allow kms:PutKeyPolicy to you or to the account, or send BypassPolicyLockoutSafetyCheck.")
	}
	return nil
}

func metadata(key kms.Key) *wire.KeyMetadata {
	m := &wire.KeyMetadata{
		AWSAccountId: &key.Account, KeyId: &key.ID, Arn: new(key.ARN()), CreationDate: &key.CreatedAt, Enabled: new(key.State == kms.StateEnabled),
		Description: &key.Description, KeyUsage: new(wire.KeyUsageTypeEncryptDecrypt), KeyState: new(string(key.State)), Origin: new(wire.OriginTypeAwsKms),
		KeyManager: new(wire.KeyManagerTypeCustomer), CustomerMasterKeySpec: new(wire.CustomerMasterKeySpecSymmetricDefault),
		KeySpec: new(wire.KeySpecSymmetricDefault), EncryptionAlgorithms: []string{wire.EncryptionAlgorithmSpecSymmetricDefault}, MultiRegion: new(false),
		CurrentKeyMaterialId: new(key.MaterialID()),
	}
	if key.Managed {
		m.KeyManager = new(wire.KeyManagerTypeAws)
	}
	if !key.DeletionAt.IsZero() {
		m.DeletionDate = &key.DeletionAt
	}
	return m
}

func (k *kmsAPI) describeKey(ctx context.Context, c Call, in *wire.DescribeKeyRequest) (*wire.DescribeKeyResponse, error) {
	key, err := k.keys.Describe(ctx, c.Scope, *in.KeyId)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeKeyResponse{KeyMetadata: metadata(key)}, nil
}

// kmsPage cuts one page out of a listing; without a limit it has as many items as most.
func kmsPage[T any](k *kmsAPI, c Call, operation string, all []T, name func(T) string, params any, limit *int32, most int32, marker *string) ([]T, *string, *bool, error) {
	if limit == nil {
		limit = &most
	}
	list, next, err := pageByName(k.tokens, listing{scope: c.Scope, operation: "kms/" + operation, params: params}, kms.CodeInvalidMarker, all, name, limit, marker)
	return list, next, new(next != nil), err
}

func (k *kmsAPI) listKeys(ctx context.Context, c Call, in *wire.ListKeysRequest) (*wire.ListKeysResponse, error) {
	all, err := k.keys.List(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	keys, next, more, err := kmsPage(k, c, "ListKeys", all, func(key kms.Key) string { return key.ID }, nil, in.Limit, 100, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListKeysResponse{Keys: make([]wire.KeyListEntry, len(keys)), NextMarker: next, Truncated: more}
	for i, key := range keys {
		out.Keys[i] = wire.KeyListEntry{KeyId: &key.ID, KeyArn: new(key.ARN())}
	}
	return out, nil
}

func (k *kmsAPI) enableKey(ctx context.Context, c Call, in *wire.EnableKeyRequest) error {
	return k.keys.Enable(ctx, c.Scope, *in.KeyId, true)
}

func (k *kmsAPI) disableKey(ctx context.Context, c Call, in *wire.DisableKeyRequest) error {
	return k.keys.Enable(ctx, c.Scope, *in.KeyId, false)
}

func windowOf(in *wire.ScheduleKeyDeletionRequest) int {
	if in.PendingWindowInDays == nil {
		return kms.DefaultWindow
	}
	return int(*in.PendingWindowInDays)
}

func (k *kmsAPI) scheduleDeletion(ctx context.Context, c Call, in *wire.ScheduleKeyDeletionRequest) (*wire.ScheduleKeyDeletionResponse, error) {
	days := windowOf(in)
	key, err := k.keys.ScheduleDeletion(ctx, c.Scope, *in.KeyId, days)
	if err != nil {
		return nil, err
	}
	return &wire.ScheduleKeyDeletionResponse{
		KeyId: new(key.ARN()), DeletionDate: &key.DeletionAt, KeyState: new(string(key.State)), PendingWindowInDays: new(int32(days)),
	}, nil
}

func (k *kmsAPI) cancelDeletion(ctx context.Context, c Call, in *wire.CancelKeyDeletionRequest) (*wire.CancelKeyDeletionResponse, error) {
	key, err := k.keys.CancelDeletion(ctx, c.Scope, *in.KeyId)
	if err != nil {
		return nil, err
	}
	return &wire.CancelKeyDeletionResponse{KeyId: new(key.ARN())}, nil
}

// onlyPolicy refuses names of policies other than the one there is.
func onlyPolicy(name *string) error {
	if name != nil && *name != kms.PolicyName {
		return apprunner.Errorf(kms.CodeNotFound, "A key has no policy named %s; the only one is %s.", clip(*name, 128), kms.PolicyName)
	}
	return nil
}

// own is the key that an action names which takes ids and ARNs only.
func (k *kmsAPI) own(ctx context.Context, c Call, ref *string) (kms.Key, error) {
	if strings.HasPrefix(val(ref), "alias/") || strings.Contains(val(ref), ":alias/") {
		return kms.Key{}, apprunner.Errorf(kms.CodeInvalidARN, "%s is an alias; this action takes the id or the ARN of a key.", clip(*ref, 120))
	}
	return k.keys.Look(ctx, c.Scope, val(ref))
}

func (k *kmsAPI) getPolicy(ctx context.Context, c Call, in *wire.GetKeyPolicyRequest) (*wire.GetKeyPolicyResponse, error) {
	if err := onlyPolicy(in.PolicyName); err != nil {
		return nil, err
	}
	key, err := k.own(ctx, c, in.KeyId)
	if err != nil {
		return nil, err
	}
	return &wire.GetKeyPolicyResponse{Policy: &key.Policy, PolicyName: new(kms.PolicyName)}, nil
}

func (k *kmsAPI) putPolicy(ctx context.Context, c Call, in *wire.PutKeyPolicyRequest) error {
	if err := onlyPolicy(in.PolicyName); err != nil {
		return err
	}
	key, err := k.own(ctx, c, in.KeyId)
	if err != nil {
		return err
	}
	if err := k.checkPolicy(ctx, c, key.ARN(), *in.Policy, val(in.BypassPolicyLockoutSafetyCheck)); err != nil {
		return err
	}
	return k.keys.SetPolicy(ctx, c.Scope, key.ID, *in.Policy)
}

func (k *kmsAPI) listPolicies(ctx context.Context, c Call, in *wire.ListKeyPoliciesRequest) (*wire.ListKeyPoliciesResponse, error) {
	if _, err := k.own(ctx, c, in.KeyId); err != nil {
		return nil, err
	}
	return &wire.ListKeyPoliciesResponse{PolicyNames: []string{kms.PolicyName}, Truncated: new(false)}, nil
}

func periodOf(in *wire.EnableKeyRotationRequest) int {
	if in.RotationPeriodInDays == nil {
		return kms.DefaultRotation
	}
	return int(*in.RotationPeriodInDays)
}

func (k *kmsAPI) enableRotation(ctx context.Context, c Call, in *wire.EnableKeyRotationRequest) error {
	return k.keys.SetRotation(ctx, c.Scope, *in.KeyId, true, periodOf(in))
}

func (k *kmsAPI) disableRotation(ctx context.Context, c Call, in *wire.DisableKeyRotationRequest) error {
	return k.keys.SetRotation(ctx, c.Scope, *in.KeyId, false, 0)
}

func (k *kmsAPI) rotationStatus(ctx context.Context, c Call, in *wire.GetKeyRotationStatusRequest) (*wire.GetKeyRotationStatusResponse, error) {
	key, err := k.own(ctx, c, in.KeyId)
	if err != nil {
		return nil, err
	}
	out := &wire.GetKeyRotationStatusResponse{KeyId: &key.ID, KeyRotationEnabled: &key.Rotation.On}
	if key.Rotation.On {
		out.RotationPeriodInDays, out.NextRotationDate = new(int32(key.Rotation.Days)), &key.Rotation.Next //nolint:gosec // 2560 at most
	}
	return out, nil
}

func (k *kmsAPI) tag(ctx context.Context, c Call, in *wire.TagResourceRequest) error {
	return k.keys.Tag(ctx, c.Scope, *in.KeyId, kmsTagMap(in.Tags))
}

func (k *kmsAPI) untag(ctx context.Context, c Call, in *wire.UntagResourceRequest) error {
	return k.keys.Untag(ctx, c.Scope, *in.KeyId, in.TagKeys)
}

func (k *kmsAPI) listTags(ctx context.Context, c Call, in *wire.ListResourceTagsRequest) (*wire.ListResourceTagsResponse, error) {
	key, err := k.own(ctx, c, in.KeyId)
	if err != nil {
		return nil, err
	}
	names, next, more, err := kmsPage(k, c, "ListResourceTags", sortedKeys(key.Tags), func(s string) string { return s }, key.ID, in.Limit, 50, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListResourceTagsResponse{Tags: make([]wire.Tag, len(names)), NextMarker: next, Truncated: more}
	for i, name := range names {
		out.Tags[i] = wire.Tag{TagKey: &name, TagValue: new(key.Tags[name])}
	}
	return out, nil
}
