package waf

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// Request is what is judged. Its texts are only read during the call.
type Request struct {
	// IP is where the request comes from; the zero Addr where that is not known.
	IP     netip.Addr
	Method string
	Path   string // as sent, without the query
	Query  string // as sent, without the question mark
	Fields []Field
	// Body is the beginning of the body, no longer than [Engine.BodyBytes]; Truncated tells that there is more.
	Body      []byte
	Truncated bool
}

// Field is a header field, in the order they came.
type Field struct{ Name, Value string }

// Verdict is what becomes of a request.
type Verdict struct {
	Block bool
	// Response is what a blocked request is answered with; nil for the usual 403.
	Response *Response
	// Rule is the rule that decided, in the form group/rule where it is one of a group; empty when none did and the default action holds.
	Rule string
	// RateBased tells that the rule counts requests.
	RateBased bool
	// Counted are the rules that matched and only counted.
	Counted []string
	// Insert are fields for the application.
	Insert []Field
	// Labels are what the rules that matched put on.
	Labels []string
}

// Response is an answer of the owner's choice.
type Response struct {
	Status      int
	ContentType string // empty where there is no body
	Body        string
	Fields      []Field
}

// Engine judges requests by one ACL. It is safe for use by many goroutines.
type Engine struct {
	rules    []rule
	fallback action
	body     int
}

// rule is a compiled rule, or a group of them.
type rule struct {
	name      string
	matches   condition
	action    action
	labels    []string
	rateBased bool
	group     []rule // asked when matches holds, in place of the action
	countOnly bool   // of a group: its rules decide nothing
}

// action is a compiled action.
type action struct {
	block, count bool
	response     *Response
	insert       []Field
}

// condition is a compiled statement.
type condition func(*trial) bool

// trial is one request while it is judged.
type trial struct {
	*Request
	now     time.Duration
	verdict Verdict
}

// Compile makes the engine of an ACL.
func Compile(acl webacl.Resolved) (*Engine, error) {
	c := &compiler{acl: acl}
	e := &Engine{fallback: c.action(acl.DefaultAction)}
	rules := slices.Clone(acl.Rules)
	slices.SortStableFunc(rules, func(a, b webacl.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	for i := range rules {
		r, err := c.rule(&rules[i], acl.LabelNamespace())
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", rules[i].Name, err)
		}
		e.rules = append(e.rules, r)
	}
	if c.body {
		e.body = acl.BodyBytes()
	}
	return e, nil
}

// BodyBytes is how much of a body has to be shown; 0 when no rule looks at bodies.
func (e *Engine) BodyBytes() int { return e.body }

// Judge holds a request against the rules. now only grows.
func (e *Engine) Judge(r *Request, now time.Duration) Verdict {
	t := &trial{Request: r, now: now}
	if !t.decide(e.rules, false) {
		t.apply(&e.fallback)
	}
	return t.verdict
}

// decide asks the rules in turn; true when one decided. quiet lets none decide.
func (t *trial) decide(rules []rule, quiet bool) bool {
	for i := range rules {
		r := &rules[i]
		if !r.matches(t) {
			continue
		}
		if r.group != nil {
			if t.decide(r.group, quiet || r.countOnly) {
				return true
			}
			continue
		}
		t.verdict.Labels = append(t.verdict.Labels, r.labels...)
		if quiet || r.action.count {
			t.verdict.Counted = append(t.verdict.Counted, r.name)
			if r.action.count {
				t.verdict.Insert = append(t.verdict.Insert, r.action.insert...)
			}
			continue
		}
		t.verdict.Rule, t.verdict.RateBased = r.name, r.rateBased
		t.apply(&r.action)
		return true
	}
	return false
}

func (t *trial) apply(a *action) {
	t.verdict.Block, t.verdict.Response = a.block, a.response
	t.verdict.Insert = append(t.verdict.Insert, a.insert...)
	if a.block {
		t.verdict.Insert = nil
	}
}

// compiler holds what compiling a rule needs to know.
type compiler struct {
	acl  webacl.Resolved
	body bool // some rule looks at bodies
}

func (c *compiler) rule(r *webacl.Rule, namespace string) (rule, error) {
	out := rule{name: r.Name, rateBased: r.Statement.RateBasedStatement != nil}
	if m := r.Statement.ManagedRuleGroupStatement; m != nil {
		return c.managed(out, r, m)
	}
	for _, l := range r.RuleLabels {
		out.labels = append(out.labels, namespace+l.Name)
	}
	if r.Action == nil {
		return out, fmt.Errorf("it has no action")
	}
	out.action = c.action(*r.Action)
	var err error
	out.matches, err = c.statement(&r.Statement)
	return out, err
}

// managed compiles a built-in rule group with what the ACL changes about it.
func (c *compiler) managed(out rule, r *webacl.Rule, m *webacl.ManagedGroup) (rule, error) {
	group, found := webacl.Group(m.VendorName, m.Name)
	if !found {
		return out, fmt.Errorf("there is no rule group %s", m.Name)
	}
	out.matches = func(*trial) bool { return true }
	if m.ScopeDownStatement != nil {
		var err error
		if out.matches, err = c.statement(m.ScopeDownStatement); err != nil {
			return out, err
		}
	}
	out.countOnly = r.OverrideAction != nil && r.OverrideAction.Count != nil
	out.group = []rule{}
	for i := range group.Rules {
		inner, err := c.rule(&group.Rules[i], group.Labels)
		if err != nil {
			return out, fmt.Errorf("%s: %w", group.Rules[i].Name, err)
		}
		c.override(&inner, m)
		inner.name = r.Name + "/" + inner.name
		out.group = append(out.group, inner)
	}
	return out, nil
}

func (c *compiler) override(r *rule, m *webacl.ManagedGroup) {
	for _, e := range m.ExcludedRules {
		if e.Name == r.name {
			r.action = action{count: true}
		}
	}
	for _, o := range m.RuleActionOverrides {
		if o.Name == r.name {
			r.action = c.action(o.ActionToUse)
		}
	}
}

// insertPrefix begins the names of inserted fields, so that they cannot take the place of any other.
const insertPrefix = "x-amzn-waf-"

// Inserted tells whether a header field has a name that only an ACL may give. What clients send under one is taken off.
func Inserted(name string) bool {
	return len(name) > len(insertPrefix) && strings.EqualFold(name[:len(insertPrefix)], insertPrefix)
}

func (c *compiler) action(a webacl.Action) action {
	switch {
	case a.Allow != nil:
		return action{insert: inserted(a.Allow)}
	case a.Count != nil:
		return action{count: true, insert: inserted(a.Count)}
	case a.Block == nil || a.Block.CustomResponse == nil:
		return action{block: true}
	}
	custom := a.Block.CustomResponse
	r := &Response{Status: custom.ResponseCode}
	if b, there := c.acl.CustomResponseBodies[custom.CustomResponseBodyKey]; there {
		r.Body, r.ContentType = b.Content, contentTypes[b.ContentType]
	}
	for _, h := range custom.ResponseHeaders {
		r.Fields = append(r.Fields, Field(h))
	}
	return action{block: true, response: r}
}

var contentTypes = map[string]string{
	"TEXT_PLAIN": "text/plain; charset=utf-8", "TEXT_HTML": "text/html; charset=utf-8", "APPLICATION_JSON": "application/json",
}

func inserted(in *webacl.Insert) (list []Field) {
	if in.CustomRequestHandling == nil {
		return nil
	}
	for _, h := range in.CustomRequestHandling.InsertHeaders {
		list = append(list, Field{Name: insertPrefix + h.Name, Value: h.Value})
	}
	return list
}
