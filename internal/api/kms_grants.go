package api

import (
	"context"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	wire "slipway.dev/slipway/internal/wire/kms"
)

func (k *kmsAPI) grantActions() map[string]Action {
	return map[string]Action{
		"CreateGrant": action(k.mayCreateGrant, k.createGrant),
		"ListGrants":  action(onKey(k, "ListGrants", func(in *wire.ListGrantsRequest) *string { return in.KeyId }), k.listGrants),
		"RevokeGrant": command(onKey(k, "RevokeGrant", func(in *wire.RevokeGrantRequest) *string { return in.KeyId }), k.revokeGrant),
		"RetireGrant": command(k.mayRetireGrant, k.retireGrant),
	}
}

func (k *kmsAPI) mayCreateGrant(ctx context.Context, c Call, in *wire.CreateGrantRequest) ([]iam.Request, error) {
	q, err := k.question(ctx, c, "CreateGrant", val(in.KeyId), nil)
	q = with(q, "kms:GrantOperations", in.Operations...)
	q = with(q, "kms:GranteePrincipal", granteeOf(in))
	q = with(q, "kms:GrantIsForAWSResource", "false")
	if r := retiringOf(in); r != "" {
		q = with(q, "kms:RetiringPrincipal", r)
	}
	if in.Constraints != nil {
		q = with(q, "kms:GrantConstraintType", constraintType(in.Constraints))
	}
	return one(q, err)
}

func constraintType(c *wire.GrantConstraints) string {
	if c.EncryptionContextEquals != nil {
		return "EncryptionContextEquals"
	}
	return "EncryptionContextSubset"
}

func granteeOf(in *wire.CreateGrantRequest) string {
	return orElse(in.GranteePrincipal, val(in.GranteeServicePrincipal))
}

func retiringOf(in *wire.CreateGrantRequest) string {
	return orElse(in.RetiringPrincipal, val(in.RetiringServicePrincipal))
}

// checkPrincipals refuses a grant for nobody, for two, or for what is not a principal.
func checkPrincipals(in *wire.CreateGrantRequest) error {
	switch {
	case (in.GranteePrincipal == nil) == (in.GranteeServicePrincipal == nil):
		return apprunner.Errorf(kms.CodeValidation, "Exactly one of granteePrincipal and granteeServicePrincipal is required.")
	case in.RetiringPrincipal != nil && in.RetiringServicePrincipal != nil:
		return apprunner.Errorf(kms.CodeValidation, "At most one of retiringPrincipal and retiringServicePrincipal may be given.")
	}
	for member, p := range map[string]*string{"granteePrincipal": in.GranteePrincipal, "retiringPrincipal": in.RetiringPrincipal} {
		if p != nil && !strings.HasPrefix(*p, "arn:aws:iam::") && !strings.HasPrefix(*p, "arn:aws:sts::") {
			return apprunner.Errorf(kms.CodeInvalidARN, "%s %s is not the ARN of a user, a role, a session or an account.", member, clip(*p, 120))
		}
	}
	return nil
}

func (k *kmsAPI) createGrant(ctx context.Context, c Call, in *wire.CreateGrantRequest) (*wire.CreateGrantResponse, error) {
	if err := checkPrincipals(in); err != nil {
		return nil, err
	}
	key, err := k.own(ctx, c, in.KeyId)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return nil, err
	}
	g := kms.Grant{Name: val(in.Name), Grantee: granteeOf(in), Retiring: retiringOf(in), Issuer: c.Scope.Account, Operations: slices.Clone(in.Operations)}
	if in.Constraints != nil {
		g.Equals, g.Subset, g.SourceARN = in.Constraints.EncryptionContextEquals, in.Constraints.EncryptionContextSubset, val(in.Constraints.SourceArn)
	}
	if g, err = k.keys.CreateGrant(ctx, key.Scope, key.ID, g); err != nil {
		return nil, err
	}
	return &wire.CreateGrantResponse{GrantId: &g.ID, GrantToken: new(g.Token(key))}, nil
}

func (k *kmsAPI) listGrants(ctx context.Context, c Call, in *wire.ListGrantsRequest) (*wire.ListGrantsResponse, error) {
	key, err := k.own(ctx, c, in.KeyId)
	if err != nil {
		return nil, err
	}
	all, err := k.keys.Grants(ctx, key.Scope, key.ID)
	if err != nil {
		return nil, err
	}
	grantee := orElse(in.GranteePrincipal, val(in.GranteeServicePrincipal))
	all = slices.DeleteFunc(all, func(g kms.Grant) bool {
		return in.GrantId != nil && g.ID != *in.GrantId || grantee != "" && g.Grantee != grantee
	})
	all, next, more, err := kmsPage(k, c, "ListGrants", all, func(g kms.Grant) string { return g.ID }, []any{key.ID, in.GrantId, grantee}, in.Limit, 50, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListGrantsResponse{Grants: make([]wire.GrantListEntry, len(all)), NextMarker: next, Truncated: more}
	for i, g := range all {
		out.Grants[i] = grantOut(key, g)
	}
	return out, nil
}

func grantOut(key kms.Key, g kms.Grant) wire.GrantListEntry {
	out := wire.GrantListEntry{
		KeyId: new(key.ARN()), GrantId: &g.ID, Name: given(g.Name), CreationDate: &g.CreatedAt, IssuingAccount: new(iam.RootARN(g.Issuer)), Operations: g.Operations,
	}
	if strings.HasPrefix(g.Grantee, "arn:") {
		out.GranteePrincipal = &g.Grantee
	} else {
		out.GranteeServicePrincipal, out.GranteePrincipal = &g.Grantee, &g.Grantee
	}
	if out.RetiringPrincipal = given(g.Retiring); g.Retiring != "" && !strings.HasPrefix(g.Retiring, "arn:") {
		out.RetiringServicePrincipal = &g.Retiring
	}
	if g.Equals != nil || g.Subset != nil || g.SourceARN != "" {
		out.Constraints = &wire.GrantConstraints{EncryptionContextEquals: g.Equals, EncryptionContextSubset: g.Subset, SourceArn: given(g.SourceARN)}
	}
	return out
}

func (k *kmsAPI) revokeGrant(ctx context.Context, c Call, in *wire.RevokeGrantRequest) error {
	key, err := k.own(ctx, c, in.KeyId)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return err
	}
	return k.keys.RemoveGrant(ctx, key.Scope, key.ID, *in.GrantId)
}

// retired is the key and the grant that a request retires, which names them or has a token that does.
func (k *kmsAPI) retired(ctx context.Context, c Call, in *wire.RetireGrantRequest) (key kms.Key, g kms.Grant, err error) {
	ref, id := val(in.KeyId), val(in.GrantId)
	if token := val(in.GrantToken); token != "" {
		if ref, id, err = kms.ParseToken(token); err != nil {
			return key, g, err
		}
	}
	if ref == "" || id == "" {
		return key, g, apprunner.Errorf(kms.CodeValidation, "grantToken, or keyId and grantId, are required.")
	}
	if key, err = k.own(ctx, c, &ref); err != nil {
		return key, g, err
	}
	all, err := k.keys.Grants(ctx, key.Scope, key.ID)
	if err != nil {
		return key, g, err
	}
	i := slices.IndexFunc(all, func(g kms.Grant) bool { return g.ID == id })
	if i < 0 {
		return key, g, apprunner.Errorf(kms.CodeNotFound, "Grant %s of key '%s' does not exist", clip(id, 128), key.ARN())
	}
	return key, all[i], nil
}

// mayRetireGrant lets those retire a grant whom the grant names for it, and root of the key's account (KMS, RetireGrant). A deny of any
// policy still counts.
func (k *kmsAPI) mayRetireGrant(ctx context.Context, c Call, in *wire.RetireGrantRequest) ([]iam.Request, error) {
	key, g, err := k.retired(ctx, c, in)
	if err != nil {
		return nil, err
	}
	q, err := k.asked(ctx, c, "RetireGrant", key, nil)
	if err != nil {
		return nil, err
	}
	names := namesOf(c.Principal)
	q.Granted = slices.Contains(names, g.Retiring) || slices.Contains(names, g.Grantee) && slices.Contains(g.Operations, "RetireGrant") ||
		c.Principal.Type == iam.TypeRoot && c.Scope.Account == key.Account
	if !q.Granted {
		return nil, iam.Denied(c.Principal, q)
	}
	return []iam.Request{q}, nil
}

func (k *kmsAPI) retireGrant(ctx context.Context, c Call, in *wire.RetireGrantRequest) error {
	key, g, err := k.retired(ctx, c, in)
	if err == nil {
		err = tried(in.DryRun)
	}
	if err != nil {
		return err
	}
	return k.keys.RemoveGrant(ctx, key.Scope, key.ID, g.ID)
}
