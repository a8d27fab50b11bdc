package iam

import "strings"

// Request is one question to the policies.
type Request struct {
	// Action is "<service>:<Action>".
	Action string
	// Resource is the ARN acted on, or "*" for actions without one.
	Resource string
	// ToBe says that the resource is about to be created and that Resource lacks the id nobody knows yet: a pattern for the ARN
	// itself or for anything below it ("…/<name>/*") covers it (adjacent §2.4).
	ToBe bool
	// Context holds the condition keys that are present, in any case. A missing key and one without values are the same.
	Context map[string][]string
	// ResourcePolicy is the document of the resource's own policy, where its kind has one and it has one.
	ResourcePolicy string
	// PolicyFirst says that nobody may do what ResourcePolicy does not allow, root of the account included: KMS keys (adjacent §9).
	PolicyFirst bool
	// Granted says that a grant of the resource gives the action to the caller, which is enough unless something denies it: KMS keys.
	Granted bool
	// EndpointPolicy is the document of the interface endpoint that the call came in at; "" for calls that came in at none. It gives
	// nothing and has to allow as well (§20.3).
	EndpointPolicy string
}

// Decision is what a set of policies says.
type Decision int

// The decisions, from the weakest to the strongest.
const (
	ImplicitDeny Decision = iota
	Allow
	ExplicitDeny
)

// PolicySet is everything that has a say in one request of one account (adjacent §2.4). A nil limit means there is none; an
// empty one that is not nil allows nothing.
type PolicySet struct {
	Identity []Document
	// Boundary and Session limit what Identity allows; each must allow as well.
	Boundary []Document
	Session  []Document
	// Limits are set from outside the account and bind everybody in it.
	Limits []Document
}

// Decide evaluates the set: an explicit Deny anywhere wins, then every limit must allow, then an identity policy must. It is pure,
// and the order of policies and statements does not matter.
func (s PolicySet) Decide(q Request) Decision { return s.decide(newEvalContext(q)) }

// decideFor is Decide where the first of the policies name principals.
func (s PolicySet) decideFor(caller Caller, q Request) Decision {
	c := newEvalContext(q)
	c.principal = &caller
	return s.decide(c)
}

func (s PolicySet) decide(c *evalContext) Decision {
	identity := c.evaluate(s.Identity)
	limits := [][]Document{s.Limits, s.Boundary, s.Session}
	allowed := identity == Allow
	if identity == ExplicitDeny {
		return ExplicitDeny
	}
	for _, limit := range limits {
		if limit == nil {
			continue
		}
		switch c.evaluate(limit) {
		case ExplicitDeny:
			return ExplicitDeny
		case ImplicitDeny:
			allowed = false
		case Allow:
		}
	}
	if allowed {
		return Allow
	}
	return ImplicitDeny
}

// Evaluate is the decision of identity policies alone.
func Evaluate(docs []Document, q Request) Decision { return newEvalContext(q).evaluate(docs) }

// evalContext is a request prepared for matching: its keys in lower case.
type evalContext struct {
	Request
	keys      map[string][]string
	principal *Caller
	// directOnly leaves out principals that name the caller's account or everyone.
	directOnly bool
}

func newEvalContext(q Request) *evalContext {
	c := &evalContext{Request: q, keys: make(map[string][]string, len(q.Context))}
	for k, v := range q.Context {
		if k = strings.ToLower(k); len(v) > 0 {
			c.keys[k] = append(c.keys[k], v...)
		}
	}
	return c
}

func (c *evalContext) evaluate(docs []Document) Decision {
	decision := ImplicitDeny
	for i := range docs {
		for j := range docs[i].Statements {
			s := &docs[i].Statements[j]
			if !s.Deny && decision == Allow || !c.applies(s, docs[i].Variables) {
				continue
			}
			if s.Deny {
				return ExplicitDeny
			}
			decision = Allow
		}
	}
	return decision
}

// applies tells whether every part of a statement fits the request.
func (c *evalContext) applies(s *Statement, variables bool) bool {
	return c.actionApplies(s) && c.resourceApplies(s, variables) && c.principalApplies(s) && c.conditionsHold(s.Conditions, variables)
}

func (c *evalContext) actionApplies(s *Statement) bool {
	if s.NotActions != nil {
		return !anyAction(s.NotActions, c.Action)
	}
	return anyAction(s.Actions, c.Action)
}

func anyAction(patterns []string, action string) bool {
	for _, p := range patterns {
		if matchAction(p, action) {
			return true
		}
	}
	return false
}

func (c *evalContext) resourceApplies(s *Statement, variables bool) bool {
	switch {
	case s.NotResources != nil:
		return !c.anyResource(s.NotResources, variables)
	case s.Resources != nil:
		return c.anyResource(s.Resources, variables)
	default: // trust policies, and resource policies that leave it out, are about their own resource
		return true
	}
}

func (c *evalContext) anyResource(patterns []string, variables bool) bool {
	for _, p := range patterns {
		g, ok := c.pattern(p, variables)
		if !ok {
			continue
		}
		if g.matchARN(c.Resource) || c.ToBe && g.matchARN(c.Resource+"/*") {
			return true
		}
	}
	return false
}

// pattern fills in policy variables; it reports false when one has no value, and then the pattern matches nothing.
func (c *evalContext) pattern(p string, variables bool) (glob, bool) {
	if !variables || !strings.Contains(p, "${") {
		return parseGlob(p), true
	}
	var g glob
	for p != "" {
		start := strings.Index(p, "${")
		end := -1
		if start >= 0 {
			end = strings.Index(p[start:], "}")
		}
		if end < 0 {
			return append(g, parseGlob(p)...), true
		}
		end += start
		g = append(g, parseGlob(p[:start])...)
		value, ok := c.variable(p[start+2 : end])
		if !ok {
			return nil, false
		}
		g = append(g, []rune(value)...)
		p = p[end+1:]
	}
	return g, true
}

// variable is the value of ${name} or ${name, 'default'}; ${*}, ${?} and ${$} stand for the characters themselves.
func (c *evalContext) variable(expr string) (string, bool) {
	switch expr {
	case "*", "?", "$":
		return expr, true
	}
	name, fallback, hasDefault := strings.Cut(expr, ",")
	if v := c.keys[strings.ToLower(strings.TrimSpace(name))]; len(v) == 1 {
		return v[0], true
	}
	if hasDefault {
		return strings.Trim(strings.TrimSpace(fallback), "'"), true
	}
	return "", false
}
