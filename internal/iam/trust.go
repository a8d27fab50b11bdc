package iam

import (
	"context"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/store"
)

// Caller is a principal as resource and trust policies see it.
type Caller struct {
	Account string
	ARN     string // of the user or session
	RoleARN string // of a session's role
	Service string // service principals only, e.g. tasks.apprunner.amazonaws.com
	// Federated is the ARN of the provider that vouches for a caller of no account.
	Federated string
}

func (p Principal) caller() Caller {
	c := Caller{Account: p.Account, ARN: p.ARN}
	if p.Session != nil {
		c.RoleARN = p.Session.RoleARN
	}
	return c
}

// DecideFor is the decision of one resource or trust policy about a caller. direct says that the caller itself was named rather
// than its account or everyone; only then may the identity policies be silent (adjacent §2.4, step 5).
func DecideFor(doc Document, caller Caller, q Request) (d Decision, direct bool) {
	c := newEvalContext(q)
	c.principal = &caller
	d = c.evaluate([]Document{doc})
	if d == Allow {
		c.directOnly = true
		direct = c.evaluate([]Document{doc}) == Allow
	}
	return d, direct
}

func (c *evalContext) principalApplies(s *Statement) bool {
	switch {
	case s.Principals == nil && s.NotPrincipals == nil:
		return true
	case c.principal == nil:
		return false
	case s.NotPrincipals != nil:
		return !c.covers(s.NotPrincipals)
	default:
		return c.covers(s.Principals)
	}
}

// covers tells whether the caller is among the principals.
func (c *evalContext) covers(p Principals) bool {
	if c.principal.Service != "" {
		return slices.Contains(p["Service"], c.principal.Service)
	}
	if c.principal.Federated != "" {
		return slices.Contains(p["Federated"], c.principal.Federated)
	}
	return slices.ContainsFunc(p["AWS"], c.isCaller)
}

func (c *evalContext) isCaller(named string) bool {
	switch {
	case named == "":
		return false
	case named == c.principal.ARN || named == c.principal.RoleARN:
		return true
	case c.directOnly:
		return false
	case named == "*" || named == c.principal.Account:
		return true
	default:
		return strings.HasPrefix(named, "arn:") && strings.HasSuffix(named, ":root") && AccountOf(named) == c.principal.Account
	}
}

// ActionAssumeRole is what trust policies allow.
const ActionAssumeRole = "sts:AssumeRole"

const (
	actionTagSession        = "sts:TagSession"
	actionSetSourceIdentity = "sts:SetSourceIdentity"
)

// RoleTrusts tells whether a role exists and whether its trust policy lets a service, such as build.apprunner.amazonaws.com or
// tasks.apprunner.amazonaws.com, assume it (§18) for the resource source, which trust policies may name against confused deputies.
func (d *Directory) RoleTrusts(ctx context.Context, roleARN, servicePrincipal, source string) (exists, trusts bool, err error) {
	_, exists, trusts, err = d.trusted(ctx, roleARN, servicePrincipal, source)
	return exists, trusts, err
}

// trusted finds a role and asks its trust policy about a service that acts for the resource source, where that is known.
func (d *Directory) trusted(ctx context.Context, roleARN, servicePrincipal, source string) (role Role, exists, trusts bool, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		role, exists, err = findRole(tx, roleARN)
		return err
	})
	if err != nil || !exists {
		return Role{}, false, false, err
	}
	doc, err := d.parsed.parse(role.Trust, TrustPolicy)
	if err != nil {
		return Role{}, true, false, err
	}
	keys := map[string][]string{"aws:SourceAccount": {role.Account}}
	if source != "" {
		keys["aws:SourceAccount"], keys["aws:SourceArn"] = []string{AccountOf(source)}, []string{source}
	}
	decision, _ := DecideFor(doc, Caller{Service: servicePrincipal}, Request{Action: ActionAssumeRole, Resource: roleARN, Context: keys})
	return role, true, decision == Allow, nil
}

// findRole finds a role by its full ARN.
func findRole(tx *store.Tx, arn string) (Role, bool, error) {
	name := arn[strings.LastIndex(arn, "/")+1:]
	role, found, err := lookupRole(tx, AccountOf(arn), name)
	return role, found && role.ARN() == arn, err
}
