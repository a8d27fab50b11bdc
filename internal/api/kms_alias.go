package api

import (
	"context"

	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	wire "slipway.dev/slipway/internal/wire/kms"
)

func (k *kmsAPI) aliasActions() map[string]Action {
	return map[string]Action{
		"CreateAlias": command(k.mayCreateAlias, k.createAlias),
		"UpdateAlias": command(k.mayUpdateAlias, k.updateAlias),
		"DeleteAlias": command(k.mayDeleteAlias, k.deleteAlias),
		"ListAliases": action(anything[wire.ListAliasesRequest]("kms:ListAliases"), k.listAliases),
	}
}

// onAlias asks for an action on an alias, the key it names at present, if any, and those given.
func (k *kmsAPI) onAlias(ctx context.Context, c Call, action string, alias *string, keys ...string) ([]iam.Request, error) {
	asked := []iam.Request{{Action: "kms:" + action, Resource: kms.AliasARN(c.Scope, val(alias)), Context: map[string][]string{"kms:CallerAccount": {c.Scope.Account}}}}
	a, found, err := k.keys.Alias(ctx, c.Scope, val(alias))
	if err != nil {
		return nil, err
	}
	if found && action != "CreateAlias" {
		keys = append(keys, a.KeyID)
	}
	for _, key := range keys {
		q, err := k.question(ctx, c, action, key, nil)
		if err != nil {
			return nil, err
		}
		asked = append(asked, q)
	}
	return asked, nil
}

func (k *kmsAPI) mayCreateAlias(ctx context.Context, c Call, in *wire.CreateAliasRequest) ([]iam.Request, error) {
	return k.onAlias(ctx, c, "CreateAlias", in.AliasName, val(in.TargetKeyId))
}

func (k *kmsAPI) mayUpdateAlias(ctx context.Context, c Call, in *wire.UpdateAliasRequest) ([]iam.Request, error) {
	return k.onAlias(ctx, c, "UpdateAlias", in.AliasName, val(in.TargetKeyId))
}

func (k *kmsAPI) mayDeleteAlias(ctx context.Context, c Call, in *wire.DeleteAliasRequest) ([]iam.Request, error) {
	return k.onAlias(ctx, c, "DeleteAlias", in.AliasName)
}

func (k *kmsAPI) createAlias(ctx context.Context, c Call, in *wire.CreateAliasRequest) error {
	return k.keys.CreateAlias(ctx, c.Scope, *in.AliasName, *in.TargetKeyId)
}

func (k *kmsAPI) updateAlias(ctx context.Context, c Call, in *wire.UpdateAliasRequest) error {
	return k.keys.UpdateAlias(ctx, c.Scope, *in.AliasName, *in.TargetKeyId)
}

func (k *kmsAPI) deleteAlias(ctx context.Context, c Call, in *wire.DeleteAliasRequest) error {
	return k.keys.DeleteAlias(ctx, c.Scope, *in.AliasName)
}

func (k *kmsAPI) listAliases(ctx context.Context, c Call, in *wire.ListAliasesRequest) (*wire.ListAliasesResponse, error) {
	only := ""
	if in.KeyId != nil {
		key, err := k.own(ctx, c, in.KeyId)
		if err != nil {
			return nil, err
		}
		only = key.ID
	}
	all, err := k.keys.Aliases(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	var chosen []kms.Alias
	for _, a := range all {
		if only == "" || a.KeyID == only {
			chosen = append(chosen, a)
		}
	}
	chosen, next, more, err := kmsPage(k, c, "ListAliases", chosen, func(a kms.Alias) string { return a.Name }, only, in.Limit, 50, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListAliasesResponse{Aliases: make([]wire.AliasListEntry, len(chosen)), NextMarker: next, Truncated: more}
	for i, a := range chosen {
		out.Aliases[i] = wire.AliasListEntry{AliasName: &a.Name, AliasArn: new(a.ARN()), TargetKeyId: given(a.KeyID)}
		if !a.CreatedAt.IsZero() {
			out.Aliases[i].CreationDate, out.Aliases[i].LastUpdatedDate = &a.CreatedAt, &a.UpdatedAt
		}
	}
	return out, nil
}
