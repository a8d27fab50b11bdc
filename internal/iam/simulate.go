package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// SourcedPolicy is a policy and where it comes from.
type SourcedPolicy struct {
	ID   string // a policy's name, or its place in the request
	Type string // as SimulatePrincipalPolicy spells it: user, group, role, aws-managed, user-managed, resource, none
	ARN  string // of managed policies
	Text string
}

// SimulateInput is what the policies would be asked.
type SimulateInput struct {
	Policies []SourcedPolicy
	// Boundary limits the policies; nil is none. Limits are those of the account.
	Boundary, Limits []SourcedPolicy
	// ResourcePolicy is the resource's own; the caller is then named by CallerARN. An empty one is none.
	ResourcePolicy string
	CallerARN      string
	Actions        []string
	Resources      []string // none: "*"
	Context        map[string][]string
}

// Simulation is the answer about one action on one resource.
type Simulation struct {
	Action, Resource string
	Decision         Decision
	// Matched are the policies whose statements decided.
	Matched []SourcedPolicy
	// Missing are condition keys, in lower case, that statements about this action ask for and the request does not have.
	Missing []string
	// AllowedByBoundary and AllowedByLimits are nil without a boundary and limits.
	AllowedByBoundary, AllowedByLimits *bool
}

// SimulatePolicies decides without doing. It is pure but for the error of a policy that cannot be read.
func SimulatePolicies(in SimulateInput) ([]Simulation, error) {
	s, err := newSimulator(in)
	if err != nil {
		return nil, err
	}
	if len(in.Resources) == 0 {
		in.Resources = []string{"*"}
	}
	var out []Simulation
	for _, action := range in.Actions {
		for _, resource := range in.Resources {
			out = append(out, s.decide(Request{Action: action, Resource: resource, Context: in.Context}))
		}
	}
	return out, nil
}

// simulator is the parsed input.
type simulator struct {
	set      PolicySet
	sources  []SourcedPolicy // of set.Identity, and of the resource's policy at the end
	resource *Document
	caller   Caller
}

func newSimulator(in SimulateInput) (*simulator, error) {
	s := &simulator{caller: callerOf(in.CallerARN)}
	parse := func(list []SourcedPolicy) ([]Document, error) {
		docs := make([]Document, 0, len(list))
		for _, p := range list {
			doc, err := ParseDocument(p.Text, IdentityPolicy)
			if err != nil {
				return nil, apprunner.Errorf(CodeInvalidInput, "%s: %w", p.ID, err)
			}
			docs = append(docs, doc)
		}
		return docs, nil
	}
	var err error
	if s.set.Identity, err = parse(in.Policies); err != nil {
		return nil, err
	}
	s.sources = slices.Clone(in.Policies)
	if in.Boundary != nil {
		if s.set.Boundary, err = parse(in.Boundary); err != nil {
			return nil, err
		}
	}
	if in.Limits != nil {
		if s.set.Limits, err = parse(in.Limits); err != nil {
			return nil, err
		}
	}
	if in.ResourcePolicy == "" {
		return s, nil
	}
	doc, err := ParseDocument(in.ResourcePolicy, ResourcePolicy)
	if err != nil {
		return nil, apprunner.Errorf(CodeInvalidInput, "ResourcePolicy: %w", err)
	}
	s.resource = &doc
	s.sources = append(s.sources, SourcedPolicy{ID: "ResourcePolicy", Type: "resource"})
	return s, nil
}

// callerOf is the principal with an ARN as policies of resources see it.
func callerOf(arn string) Caller {
	c := Caller{Account: AccountOf(arn), ARN: arn}
	if name, session := strings.CutPrefix(arn, "arn:aws:sts::"+c.Account+":assumed-role/"); session {
		role, _, _ := strings.Cut(name, "/")
		c.RoleARN = "arn:aws:iam::" + c.Account + ":role/" + role
	}
	return c
}

func (s *simulator) decide(q Request) Simulation {
	out := Simulation{Action: q.Action, Resource: q.Resource}
	c := newEvalContext(q)
	c.principal = &s.caller
	out.Decision = s.set.decide(c)
	if s.resource != nil && out.Decision != ExplicitDeny {
		same := sameAccount(s.caller.Account, q.Resource)
		switch d, _ := DecideFor(*s.resource, s.caller, q); {
		case d == ExplicitDeny:
			out.Decision = ExplicitDeny
		case s.set.allowsWith(*s.resource, s.caller, q, same, same):
			out.Decision = Allow
		default:
			out.Decision = ImplicitDeny
		}
	}
	allowed := func(docs []Document) *bool {
		if docs == nil {
			return nil
		}
		return new(c.evaluate(docs) == Allow)
	}
	out.AllowedByBoundary, out.AllowedByLimits = allowed(s.set.Boundary), allowed(s.set.Limits)
	docs := s.set.Identity
	if s.resource != nil {
		docs = slices.Concat(docs, []Document{*s.resource})
	}
	for i := range docs {
		s.trace(&out, c, &docs[i], s.sources[i])
	}
	slices.Sort(out.Missing)
	out.Missing = slices.Compact(out.Missing)
	return out
}

// trace notes whether a policy took part in the decision, and what its statements would have liked to know.
func (s *simulator) trace(out *Simulation, c *evalContext, doc *Document, from SourcedPolicy) {
	matched := false
	for i := range doc.Statements {
		st := &doc.Statements[i]
		if !c.actionApplies(st) || !c.resourceApplies(st, doc.Variables) || !c.principalApplies(st) {
			continue
		}
		for _, cond := range st.Conditions {
			if len(c.keys[cond.Key]) == 0 {
				out.Missing = append(out.Missing, cond.Key)
			}
		}
		decisive := out.Decision == ExplicitDeny && st.Deny || out.Decision == Allow && !st.Deny
		matched = matched || decisive && c.conditionsHold(st.Conditions, doc.Variables)
	}
	if matched {
		out.Matched = append(out.Matched, from)
	}
}

// PoliciesOf are the policies of a user, group or role by its ARN, with where they come from: what SimulatePrincipalPolicy asks.
// keys are the condition keys about the principal.
func (d *Directory) PoliciesOf(ctx context.Context, account, arn string) (in SimulateInput, keys map[string][]string, err error) {
	if AccountOf(arn) != account {
		return in, nil, noSuch("entity", arn)
	}
	err = d.db.View(ctx, func(tx *store.Tx) error {
		p, owners, boundary, tags, err := d.entityPrincipal(tx, account, arn)
		if err != nil {
			return err
		}
		keys = d.principalContext(p, tags, nil)
		for _, o := range owners {
			list, err := d.sourced(tx, o)
			if err != nil {
				return err
			}
			in.Policies = append(in.Policies, list...)
		}
		if boundary != "" {
			text, _, err := d.policyText(tx, boundary)
			if err != nil {
				return err
			}
			in.Boundary = []SourcedPolicy{d.managedSource(boundary, text)}
		}
		in.Limits, err = d.sourcedLimits(tx, account)
		return err
	})
	in.CallerARN = arn
	return in, keys, err
}

// entityOwner is the id of an entity and what it is, for the names of its inline policies.
type entityOwner struct{ id, kind, name string }

func (d *Directory) entityPrincipal(tx *store.Tx, account, arn string) (p Principal, owners []entityOwner, boundary string, tags map[string]string, err error) {
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	switch {
	case strings.Contains(arn, ":user/"):
		u, err := getUser(tx, account, name)
		if err != nil {
			return p, nil, "", nil, err
		}
		groups, err := selectGroups(tx, ` JOIN iam_members m ON m.group_id = g.id WHERE m.user_id = $1 ORDER BY folded`, u.ID)
		owners = []entityOwner{{u.ID, "user", u.Name}}
		for _, g := range groups {
			owners = append(owners, entityOwner{g.ID, "group", g.Name})
		}
		return userPrincipal(u), owners, u.Boundary, u.Tags, err
	case strings.Contains(arn, ":group/"):
		g, err := getGroup(tx, account, name)
		return p, []entityOwner{{g.ID, "group", g.Name}}, "", nil, err
	case strings.Contains(arn, ":role/"):
		r, err := getRole(tx, account, name)
		if err != nil {
			return p, nil, "", nil, err
		}
		p = d.roleSession(r, "simulation", nil, nil)
		return p, []entityOwner{{r.ID, "role", r.Name}}, r.Boundary, r.Tags, nil
	}
	return p, nil, "", nil, apprunner.Errorf(CodeInvalidInput, "%s is not the ARN of a user, group or role.", clip(arn))
}

// sourced are the inline and attached policies of one entity.
func (d *Directory) sourced(tx *store.Tx, o entityOwner) (out []SourcedPolicy, err error) {
	h, err := held(tx, o.id)
	if err != nil {
		return nil, err
	}
	for _, p := range h.Inline {
		out = append(out, SourcedPolicy{ID: o.kind + "_" + o.name + "_" + p.Name, Type: o.kind, Text: p.Document})
	}
	for _, p := range h.Attached {
		text, found, err := d.policyText(tx, p.ARN)
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, d.managedSource(p.ARN, text))
		}
	}
	return out, nil
}

func (d *Directory) managedSource(arn, text string) SourcedPolicy {
	kind := "user-managed"
	if _, aws := d.managed[arn]; aws {
		kind = "aws-managed"
	}
	return SourcedPolicy{ID: attachedPolicy(arn).Name, Type: kind, ARN: arn, Text: text}
}

func (d *Directory) sourcedLimits(tx *store.Tx, account string) ([]SourcedPolicy, error) {
	texts, err := d.limitTexts(tx, account)
	if err != nil || texts == nil {
		return nil, err
	}
	out := make([]SourcedPolicy, len(texts))
	for i, text := range texts {
		out[i] = SourcedPolicy{ID: fmt.Sprintf("OrganizationPolicy.%d", i+1), Type: "none", Text: text}
	}
	return out, nil
}
