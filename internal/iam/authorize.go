package iam

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Authorize answers nil when the principal may do what the request asks, and an *apprunner.Error with CodeAccessDenied in the
// form of §1.3 when it may not. Nothing is allowed that no policy allows; root of the resource's account may do everything that the
// account may. The keys about the principal and the time are filled in here, those about the call (aws:SourceIp and its kin) and the resource by
// the caller.
func (d *Directory) Authorize(ctx context.Context, p Principal, q Request) error {
	set, tags, err := d.policiesOf(ctx, p)
	if err != nil {
		return fmt.Errorf("read the policies of %s: %w", p.ARN, err)
	}
	q.Context = d.principalContext(p, tags, q.Context)
	if err := d.letIn(p, q); err != nil {
		return err
	}
	same := sameAccount(p.Account, q.Resource)
	if q.ResourcePolicy == "" || p.Type == TypeRoot && same && !q.PolicyFirst {
		if same && set.Decide(q) == Allow {
			return nil
		}
		return Denied(p, q)
	}
	doc, err := d.parsed.parse(q.ResourcePolicy, ResourcePolicy)
	if err != nil {
		return fmt.Errorf("policy of %s: %w", q.Resource, err)
	}
	if set.allowsWith(doc, p.caller(), q, same, same && !q.PolicyFirst) {
		return nil
	}
	return Denied(p, q)
}

// letIn answers nil when the policy of the endpoint that a call came in at allows it, in the words of AWS when it does not.
func (d *Directory) letIn(p Principal, q Request) error {
	if q.EndpointPolicy == "" {
		return nil
	}
	doc, err := d.parsed.parse(q.EndpointPolicy, ResourcePolicy)
	if err != nil {
		return fmt.Errorf("policy of the endpoint: %w", err)
	}
	switch decision, _ := DecideFor(doc, p.caller(), q); decision {
	case Allow:
		return nil
	case ExplicitDeny:
		return apprunner.Errorf(apprunner.CodeAccessDenied, "%w with an explicit deny in a VPC endpoint policy", Denied(p, q))
	default:
		return apprunner.Errorf(apprunner.CodeAccessDenied, "%w because no VPC endpoint policy allows the %s action", Denied(p, q), q.Action)
	}
}

// AuthorizeResource is Authorize for a resource with this policy of its own; an empty one is none.
func (d *Directory) AuthorizeResource(ctx context.Context, p Principal, q Request, policy string) error {
	q.ResourcePolicy = policy
	return d.Authorize(ctx, p, q)
}

// allowsWith decides where a resource has a policy of its own, such as an image repository or a role's trust (adjacent §2.4, steps
// 3, 5 and 8). A Deny on either side wins. Within one account the resource's policy suffices where it names the caller itself;
// otherwise both sides must allow, or the caller's alone where alone says so. A grant of the resource is as good as being named, in any
// account.
func (s PolicySet) allowsWith(doc Document, caller Caller, q Request, same, alone bool) bool {
	resource, direct := DecideFor(doc, caller, q)
	identity := s.Decide(q)
	if resource == ExplicitDeny || identity == ExplicitDeny {
		return false
	}
	switch {
	case q.Granted:
		granted := Document{Statements: []Statement{{Actions: []string{q.Action}, Resources: []string{"*"}}}}
		s.Identity, s.Boundary, resource = []Document{granted}, nil, Allow
		identity = s.Decide(q)
	case direct && same:
		// Named itself, the caller needs no identity policy and is not limited by its boundary; what narrows its session or its
		// account still does.
		s.Identity, s.Boundary = []Document{doc}, nil
		identity = s.decideFor(caller, q)
	}
	return identity == Allow && (resource == Allow || alone)
}

// Denied is the refusal of a request (§1.3).
func Denied(p Principal, q Request) error {
	return apprunner.Errorf(apprunner.CodeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s", p.ARN, q.Action, q.Resource)
}

// sameAccount tells whether an ARN may be reached with the policies of an account alone. Names without an account, such as AWS
// managed policies and "*", belong to everyone.
func sameAccount(account, arn string) bool {
	owner := AccountOf(arn)
	return owner == "" || owner == "aws" || owner == account
}

// principalContext adds the keys about the principal and the time to those the caller knows (adjacent §2.4).
func (d *Directory) principalContext(p Principal, tags map[string]string, known map[string][]string) map[string][]string {
	now := d.now().UTC()
	out := maps.Clone(known)
	if out == nil {
		out = make(map[string][]string)
	}
	set := func(key, value string) {
		if value != "" {
			out[key] = []string{value}
		}
	}
	set("aws:PrincipalArn", p.PolicyARN())
	set("aws:PrincipalAccount", p.Account)
	set("aws:PrincipalType", principalTypeKey(p.Type))
	set("aws:username", p.UserName)
	set("aws:userid", p.ID)
	set("aws:CurrentTime", now.Format(time.RFC3339))
	set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	if p.Session != nil {
		set("aws:SourceIdentity", p.Session.SourceIdentity)
		set("aws:TokenIssueTime", p.Session.IssuedAt.UTC().Format(time.RFC3339))
		p.Session.mfaContext(set, now)
	}
	for k, v := range tags {
		out["aws:PrincipalTag/"+k] = []string{v}
	}
	return out
}

// mfaContext adds the keys about MFA. They are there with temporary credentials that somebody asked for who may have a device, and
// not with others: hence the advice to write BoolIfExists in a Deny.
func (s *Session) mfaContext(set func(key, value string), now time.Time) {
	if s.InstanceID != "" || s.UserID != "" {
		return
	}
	set("aws:MultiFactorAuthPresent", strconv.FormatBool(!s.MFAAt.IsZero()))
	if !s.MFAAt.IsZero() {
		set("aws:MultiFactorAuthAge", strconv.FormatInt(int64(now.Sub(s.MFAAt)/time.Second), 10))
	}
}

// principalTypeKey is the value of aws:PrincipalType, which differs from the audit trail's word.
func principalTypeKey(t PrincipalType) string {
	switch t {
	case TypeRoot:
		return "Account"
	case TypeUser:
		return "User"
	case TypeAssumedRole:
		return "AssumedRole"
	case TypeFederatedUser:
		return "FederatedUser"
	case TypeService:
		return "Service"
	}
	return string(t)
}

// policiesOf collects what has a say about a principal, and its tags.
func (d *Directory) policiesOf(ctx context.Context, p Principal) (set PolicySet, tags map[string]string, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		var owners []string
		var boundary string
		switch p.Type {
		case TypeRoot:
			if set.Identity, err = d.parseAll([]string{allowEverything}, IdentityPolicy); err != nil {
				return err
			}
		case TypeFederatedUser:
			if owners, boundary, tags, err = d.federatedOwners(tx, p, &set); err != nil {
				return err
			}
		case TypeUser:
			if owners, boundary, tags, err = userOwners(tx, p.ID); err != nil {
				return err
			}
		case TypeAssumedRole:
			if owners, boundary, tags, err = roleOwners(tx, p.Session); err != nil {
				return err
			}
		case TypeService:
			return nil
		}
		for _, owner := range owners {
			docs, err := d.identityPolicies(tx, owner)
			if err != nil {
				return err
			}
			set.Identity = append(set.Identity, docs...)
		}
		if set.Boundary, err = d.boundary(tx, boundary); err != nil || p.serviceLinked() {
			return err
		}
		set.Limits, err = d.limits(tx, p.Account)
		return err
	})
	if err == nil && p.Session != nil && (len(p.Session.Policies) > 0 || p.Type == TypeFederatedUser) {
		set.Session, err = d.parseAll(p.Session.Policies, IdentityPolicy)
	}
	return set, tags, err
}

// allowEverything stands in for policies where root acts across accounts.
const allowEverything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// userOwners are the ids whose policies count for a user: itself and its groups. The user goes by id: one deleted and made again
// under the same name is another.
func userOwners(tx *store.Tx, userID string) (owners []string, boundary string, tags map[string]string, err error) {
	var text string
	found, err := tx.Get(`SELECT boundary, tags FROM iam_users WHERE id = $1`, []any{userID}, &boundary, &text)
	if err != nil || !found {
		return nil, "", nil, err
	}
	groups, err := column(tx, `SELECT group_id FROM iam_members WHERE user_id = $1`, userID)
	return append([]string{userID}, groups...), boundary, decodeTags(text), err
}

// roleOwners are the ids whose policies count for a session: its role, as long as it is the same role.
func roleOwners(tx *store.Tx, s *Session) (owners []string, boundary string, tags map[string]string, err error) {
	role, found, err := findRole(tx, s.RoleARN)
	if err != nil || !found || role.ID != s.RoleID {
		return nil, "", nil, err
	}
	if s.InstanceID != "" {
		if there, err := instanceThere(tx, s.InstanceID); err != nil || !there {
			return nil, "", nil, err
		}
	}
	tags = maps.Clone(role.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	maps.Copy(tags, s.Tags)
	return []string{role.ID}, role.Boundary, tags, nil
}

// identityPolicies are the inline and attached policies of one user, group or role.
func (d *Directory) identityPolicies(tx *store.Tx, owner string) ([]Document, error) {
	texts, err := column(tx, `SELECT document FROM iam_inline_policies WHERE owner = $1`, owner)
	if err != nil {
		return nil, err
	}
	arns, err := column(tx, `SELECT policy_arn FROM iam_attachments WHERE owner = $1`, owner)
	if err != nil {
		return nil, err
	}
	for _, arn := range arns {
		text, found, err := d.policyText(tx, arn)
		if err != nil {
			return nil, err
		}
		if found {
			texts = append(texts, text)
		}
	}
	return d.parseAll(texts, IdentityPolicy)
}

// column reads the one text column of a query.
func column(tx *store.Tx, query string, args ...any) (out []string, err error) {
	err = tx.Each(query, args, func(row store.Row) error {
		var s string
		err := row.Scan(&s)
		out = append(out, s)
		return err
	})
	return out, err
}

// boundary is the limit a managed policy sets; one that is gone allows nothing.
func (d *Directory) boundary(tx *store.Tx, arn string) ([]Document, error) {
	if arn == "" {
		return nil, nil
	}
	text, found, err := d.policyText(tx, arn)
	if err != nil || !found {
		return []Document{}, err
	}
	return d.parseAll([]string{text}, IdentityPolicy)
}

func (d *Directory) parseAll(texts []string, kind DocumentKind) ([]Document, error) {
	docs := make([]Document, 0, len(texts))
	for _, text := range texts {
		doc, err := d.parsed.parse(text, kind)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}
