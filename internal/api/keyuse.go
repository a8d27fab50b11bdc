package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
)

// keyRecords finds the KMS keys that a service uses for its callers.
type keyRecords interface {
	Describe(ctx context.Context, sc apprunner.Scope, key string) (kms.Key, error)
	Granted(ctx context.Context, key kms.Key, u kms.Use) (bool, error)
}

// KeyUse is what a service does with a key for its caller.
type KeyUse struct {
	Service string // signing name, such as secretsmanager
	Key     string // id, ARN or alias
	Actions []string
	Bound   map[string]string // the encryption context
}

// UsingKey asks whether somebody may use a key through a service. Managed keys are for everybody of their account who may use the service,
// and for nobody else. Of a key that is not there nothing is asked: the action will say so.
func UsingKey(ctx context.Context, keys keyRecords, p iam.Principal, sc apprunner.Scope, u KeyUse) ([]iam.Request, error) {
	k, err := keys.Describe(ctx, sc, u.Key)
	if apprunner.CodeOf(err) == apprunner.CodeInternal && err != nil {
		return nil, err
	}
	if err != nil || k.Managed && k.Account == p.Account {
		return nil, nil
	}
	asked := make([]iam.Request, len(u.Actions))
	for i, does := range u.Actions {
		asked[i] = iam.Request{Action: "kms:" + does, Resource: k.ARN(), ResourcePolicy: k.Policy, PolicyFirst: true, Context: u.context(k, p)}
		if asked[i].Granted, err = keys.Granted(ctx, k, kms.Use{Principals: namesOf(p), Operation: does, Context: u.Bound}); err != nil {
			return nil, err
		}
	}
	return asked, nil
}

// context are the condition keys about the use of a key.
func (u KeyUse) context(k kms.Key, p iam.Principal) map[string][]string {
	keys := map[string][]string{"kms:ViaService": {u.Service + "." + k.Region + ".amazonaws.com"}, "kms:CallerAccount": {p.Account}}
	for name, value := range u.Bound {
		keys["kms:EncryptionContext:"+name] = []string{value}
		keys["kms:EncryptionContextKeys"] = append(keys["kms:EncryptionContextKeys"], name)
	}
	for name, value := range k.Tags {
		keys["aws:ResourceTag/"+name] = []string{value}
	}
	return keys
}
