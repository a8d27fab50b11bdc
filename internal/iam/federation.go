package iam

import (
	"context"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// FederationInput asks for credentials for somebody whom a user or root vouches for.
type FederationInput struct {
	Name       string
	Duration   time.Duration // zero: 12 hours, of root's one
	Policies   []string
	PolicyARNs []string
	Tags       map[string]string
}

// FederationToken gives temporary credentials that may do what both the caller and the given policies allow: without policies
// nothing but what resources allow a federated user themselves (sts:GetFederationToken).
func (d *Directory) FederationToken(ctx context.Context, caller Principal, in FederationInput) (Credentials, error) {
	if caller.Session != nil {
		return Credentials{}, apprunner.Errorf(apprunner.CodeAccessDenied, "Cannot call GetFederationToken with session credentials")
	}
	if err := checkTags(in.Tags); err != nil {
		return Credentials{}, err
	}
	if in.Duration == 0 {
		in.Duration = 12 * time.Hour
	}
	if in.Duration < minSession || in.Duration > maxUserSession {
		return Credentials{}, apprunner.Errorf(CodeValidationError, "DurationSeconds is %d; it must be from %d to %d.",
			int64(in.Duration/time.Second), int64(minSession/time.Second), int64(maxUserSession/time.Second))
	}
	policies, err := d.sessionPolicies(ctx, caller.Account, in.Policies, in.PolicyARNs)
	if err != nil {
		return Credentials{}, err
	}
	s := &Session{Name: in.Name, Policies: policies, Tags: in.Tags, IssuerARN: caller.ARN}
	if caller.Type == TypeRoot {
		in.Duration = min(in.Duration, maxRootSession)
	} else {
		s.UserID = caller.ID
	}
	return d.issue(Principal{
		Type: TypeFederatedUser, Account: caller.Account, ID: caller.Account + ":" + in.Name, ARN: FederatedARN(caller.Account, in.Name), Session: s,
	}, in.Duration)
}

// FederatedARN names a federated user.
func FederatedARN(account, name string) string {
	return "arn:aws:sts::" + account + ":federated-user/" + name
}

// federatedOwners are the ids whose policies count for a federated user: those of the user who vouched. Root may do everything.
func (d *Directory) federatedOwners(tx *store.Tx, p Principal, set *PolicySet) (owners []string, boundary string, tags map[string]string, err error) {
	if p.Session == nil {
		return nil, "", nil, nil
	}
	if p.Session.UserID == "" {
		set.Identity, err = d.parseAll([]string{allowEverything}, IdentityPolicy)
		return nil, "", p.Session.Tags, err
	}
	owners, boundary, _, err = userOwners(tx, p.Session.UserID)
	return owners, boundary, p.Session.Tags, err
}

// serviceLinked tells whether a principal is a session of a service's own role, which limits of the account do not bind.
func (p Principal) serviceLinked() bool {
	return p.Session != nil && strings.Contains(p.Session.RoleARN, ":role"+servicePath)
}
