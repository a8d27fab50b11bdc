package api

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	wire "slipway.dev/slipway/internal/wire/kms"
)

// acrossAccounts are the actions that a key of another account can be named for (KMS, permissions reference).
func acrossAccounts(action string) bool {
	return slices.Contains([]string{
		"CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GetKeyRotationStatus",
		"ListGrants", "ReEncryptFrom", "ReEncryptTo", "RetireGrant", "RevokeGrant",
	}, action)
}

// question asks for an action on the key that a request names. A key that is not there has no policy: the action says that it is missing
// to those whose own policies would let them.
func (k *kmsAPI) question(ctx context.Context, c Call, action, ref string, about map[string]string) (iam.Request, error) {
	key, err := k.keys.Look(ctx, c.Scope, ref)
	if err != nil && apprunner.CodeOf(err) == apprunner.CodeInternal {
		return iam.Request{}, err
	}
	if err != nil {
		return iam.Request{Action: "kms:" + action, Resource: keyResource(c.Scope, ref)}, nil
	}
	q, err := k.asked(ctx, c, action, key, about)
	if strings.HasPrefix(ref, "alias/") || strings.Contains(ref, ":alias/") {
		q.Context["kms:RequestAlias"] = []string{ref[strings.Index(ref, "alias/"):]}
	}
	return q, err
}

// keyResource is the ARN that a name would have.
func keyResource(sc apprunner.Scope, ref string) string {
	switch {
	case strings.HasPrefix(ref, "arn:"):
		return clip(ref, 256)
	case strings.HasPrefix(ref, "alias/"):
		return kms.AliasARN(sc, clip(ref, 256))
	}
	return kms.KeyARN(sc, clip(ref, 256))
}

// asked asks for an action on a key, with its policy, its grants and what is known about both.
func (k *kmsAPI) asked(ctx context.Context, c Call, action string, key kms.Key, about map[string]string) (iam.Request, error) {
	q := iam.Request{Action: "kms:" + action, Resource: key.ARN(), ResourcePolicy: key.Policy, PolicyFirst: true}
	if key.Account != c.Scope.Account && !acrossAccounts(action) {
		return q, iam.Denied(c.Principal, q)
	}
	q.Context = map[string][]string{
		"kms:CallerAccount": {c.Scope.Account}, "kms:KeySpec": {wire.KeySpecSymmetricDefault}, "kms:KeyUsage": {wire.KeyUsageTypeEncryptDecrypt},
		"kms:KeyOrigin": {wire.OriginTypeAwsKms}, "kms:EncryptionAlgorithm": {wire.EncryptionAlgorithmSpecSymmetricDefault},
	}
	for name, v := range key.Tags {
		q.Context["aws:ResourceTag/"+name] = []string{v}
	}
	for name, v := range about {
		q.Context["kms:EncryptionContext:"+name] = []string{v}
		q.Context["kms:EncryptionContextKeys"] = append(q.Context["kms:EncryptionContextKeys"], name)
	}
	var err error
	if slices.Contains(kms.GrantOperations(), action) && key.ID != "" {
		q.Granted, err = k.keys.Granted(ctx, key, kms.Use{Principals: namesOf(c.Principal), Operation: action, Context: about})
	}
	return q, err
}

// namesOf are the ARNs that a principal goes by in grants.
func namesOf(p iam.Principal) []string {
	names := []string{p.ARN}
	if p.Session != nil && p.Session.RoleARN != "" {
		names = append(names, p.Session.RoleARN)
	}
	return names
}

// onKey asks for an action on the key that a request names.
func onKey[In any](k *kmsAPI, name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		return one(k.question(ctx, c, name, val(of(in)), nil))
	}
}

func one(q iam.Request, err error) ([]iam.Request, error) { return []iam.Request{q}, err }

func kmsTags(in []wire.Tag) []apprunner.Tag {
	tags := make([]apprunner.Tag, len(in))
	for i, t := range in {
		tags[i] = apprunner.Tag{Key: val(t.TagKey), Value: val(t.TagValue)}
	}
	return tags
}

func (k *kmsAPI) mayCreateKey(_ context.Context, c Call, in *wire.CreateKeyRequest) ([]iam.Request, error) {
	keys := map[string][]string{
		"kms:CallerAccount": {c.Scope.Account}, "kms:BypassPolicyLockoutSafetyCheck": {strconv.FormatBool(val(in.BypassPolicyLockoutSafetyCheck))},
		"kms:KeySpec": {specOf(in)}, "kms:KeyUsage": {orElse(in.KeyUsage, wire.KeyUsageTypeEncryptDecrypt)}, "kms:KeyOrigin": {orElse(in.Origin, wire.OriginTypeAwsKms)},
	}
	requestTags(keys, kmsTags(in.Tags))
	asked := []iam.Request{{Action: "kms:CreateKey", Resource: "*", Context: keys}}
	if len(in.Tags) > 0 {
		asked = append(asked, iam.Request{Action: "kms:TagResource", Resource: kms.KeyARN(c.Scope, "*"), Context: keys})
	}
	return asked, nil
}

// orElse is a member that has a default.
func orElse(p *string, def string) string {
	if p == nil {
		return def
	}
	return *p
}

func specOf(in *wire.CreateKeyRequest) string {
	return orElse(in.KeySpec, orElse(in.CustomerMasterKeySpec, wire.KeySpecSymmetricDefault))
}

func (k *kmsAPI) mayScheduleDeletion(ctx context.Context, c Call, in *wire.ScheduleKeyDeletionRequest) ([]iam.Request, error) {
	q, err := k.question(ctx, c, "ScheduleKeyDeletion", val(in.KeyId), nil)
	return one(with(q, "kms:ScheduleKeyDeletionPendingWindowInDays", strconv.Itoa(windowOf(in))), err)
}

func (k *kmsAPI) mayPutPolicy(ctx context.Context, c Call, in *wire.PutKeyPolicyRequest) ([]iam.Request, error) {
	q, err := k.question(ctx, c, "PutKeyPolicy", val(in.KeyId), nil)
	return one(with(q, "kms:BypassPolicyLockoutSafetyCheck", strconv.FormatBool(val(in.BypassPolicyLockoutSafetyCheck))), err)
}

func (k *kmsAPI) mayRotate(ctx context.Context, c Call, in *wire.EnableKeyRotationRequest) ([]iam.Request, error) {
	q, err := k.question(ctx, c, "EnableKeyRotation", val(in.KeyId), nil)
	return one(with(q, "kms:RotationPeriodInDays", strconv.Itoa(periodOf(in))), err)
}

func (k *kmsAPI) mayTag(ctx context.Context, c Call, in *wire.TagResourceRequest) ([]iam.Request, error) {
	q, err := k.question(ctx, c, "TagResource", val(in.KeyId), nil)
	q = with(q, "kms:CallerAccount", c.Scope.Account)
	requestTags(q.Context, kmsTags(in.Tags))
	return one(q, err)
}

func (k *kmsAPI) mayUntag(ctx context.Context, c Call, in *wire.UntagResourceRequest) ([]iam.Request, error) {
	q, err := k.question(ctx, c, "UntagResource", val(in.KeyId), nil)
	return one(with(q, "aws:TagKeys", in.TagKeys...), err)
}

// with adds a condition key to a question.
func with(q iam.Request, key string, values ...string) iam.Request {
	if q.Context == nil {
		q.Context = map[string][]string{}
	}
	q.Context[key] = values
	return q
}
