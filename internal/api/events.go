package api

import (
	"context"
	"errors"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe/events"
	wire "slipway.dev/slipway/internal/wire/events"
)

// eventBus is what the EventBridge API needs of the observe room.
type eventBus interface {
	PutRule(context.Context, events.Rule) error
	Rule(ctx context.Context, sc apprunner.Scope, name string) (events.Rule, error)
	Rules(context.Context, apprunner.Scope) ([]events.Rule, error)
	RulesFor(ctx context.Context, sc apprunner.Scope, arn string) ([]string, error)
	Enable(ctx context.Context, sc apprunner.Scope, name string, on bool) error
	DeleteRule(ctx context.Context, sc apprunner.Scope, name string) error
	PutTargets(ctx context.Context, sc apprunner.Scope, rule string, targets []events.Target) error
	RemoveTargets(ctx context.Context, sc apprunner.Scope, rule string, ids []string) (unknown []string, err error)
	PutEvents(context.Context, apprunner.Scope, []events.Entry) ([]events.Entered, error)
	Tag(ctx context.Context, sc apprunner.Scope, name string, tags map[string]string) error
	Untag(ctx context.Context, sc apprunner.Scope, name string, keys []string) error
}

type eventsAPI struct {
	bus    eventBus
	tokens *Tokens
}

// NewEvents returns the EventBridge API (adjacent §6).
func NewEvents(bus eventBus, tokens *Tokens) (*Service, error) {
	if bus == nil || tokens == nil {
		return nil, errors.New("EventBridge API: the bus and the tokens are required")
	}
	e := &eventsAPI{bus, tokens}
	return &Service{
		API: &wire.API, Constraint: events.CodeValidation, Internal: "InternalException",
		Actions: map[string]Action{
			"PutRule":      action(e.mayPutRule, e.putRule),
			"DescribeRule": action(onRule(e, "DescribeRule", func(in *wire.DescribeRuleRequest) *string { return in.Name }), e.describeRule),
			"ListRules":    action(anything[wire.ListRulesRequest]("events:ListRules"), e.listRules),
			"EnableRule":   command(onRule(e, "EnableRule", func(in *wire.EnableRuleRequest) *string { return in.Name }), e.enableRule),
			"DisableRule":  command(onRule(e, "DisableRule", func(in *wire.DisableRuleRequest) *string { return in.Name }), e.disableRule),
			"DeleteRule":   command(onRule(e, "DeleteRule", func(in *wire.DeleteRuleRequest) *string { return in.Name }), e.deleteRule),

			"PutTargets":            action(e.mayPutTargets, e.putTargets),
			"RemoveTargets":         action(onRule(e, "RemoveTargets", func(in *wire.RemoveTargetsRequest) *string { return in.Rule }), e.removeTargets),
			"ListTargetsByRule":     action(onRule(e, "ListTargetsByRule", func(in *wire.ListTargetsByRuleRequest) *string { return in.Rule }), e.listTargets),
			"ListRuleNamesByTarget": action(anything[wire.ListRuleNamesByTargetRequest]("events:ListRuleNamesByTarget"), e.listRuleNames),

			"PutEvents":        action(e.mayPutEvents, e.putEvents),
			"TestEventPattern": action(anything[wire.TestEventPatternRequest]("events:TestEventPattern"), e.testPattern),
			"DescribeEventBus": action(e.mayDescribeBus, e.describeBus),
			"ListEventBuses":   action(anything[wire.ListEventBusesRequest]("events:ListEventBuses"), e.listBuses),

			"TagResource":         action(e.mayTag, e.tag),
			"UntagResource":       action(onTagged(e, "UntagResource", func(in *wire.UntagResourceRequest) *string { return in.ResourceARN }), e.untag),
			"ListTagsForResource": action(onTagged(e, "ListTagsForResource", func(in *wire.ListTagsForResourceRequest) *string { return in.ResourceARN }), e.listTags),
		},
	}, nil
}

// question asks for an action on a rule, whose tags are condition keys.
func (e *eventsAPI) question(ctx context.Context, c Call, name, rule string) iam.Request {
	q := iam.Request{Action: "events:" + name, Resource: events.RuleARN(c.Scope, rule), Context: map[string][]string{}}
	if r, err := e.bus.Rule(ctx, c.Scope, rule); err == nil { // of one that is not there nothing is known
		for k, v := range r.Tags {
			q.Context["aws:ResourceTag/"+k] = []string{v}
		}
		if r.ManagedBy != "" {
			q.Context["events:ManagedBy"] = []string{r.ManagedBy}
		}
	}
	return q
}

// onRule asks for an action on the rule that a request names.
func onRule[In any](e *eventsAPI, name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		return []iam.Request{e.question(ctx, c, name, val(of(in)))}, nil
	}
}

// passTo asks for iam:PassRole on a role that EventBridge is to act with.
func passTo(asked []iam.Request, role *string) []iam.Request {
	if val(role) == "" {
		return asked
	}
	return append(asked, iam.Request{Action: "iam:PassRole", Resource: *role, Context: map[string][]string{"iam:PassedToService": {"events.amazonaws.com"}}})
}

func (e *eventsAPI) mayPutRule(ctx context.Context, c Call, in *wire.PutRuleRequest) ([]iam.Request, error) {
	q := e.question(ctx, c, "PutRule", val(in.Name))
	requestTags(q.Context, eventTags(in.Tags))
	asked := []iam.Request{q}
	if len(in.Tags) > 0 {
		asked = append(asked, iam.Request{Action: "events:TagResource", Resource: q.Resource, Context: q.Context})
	}
	return passTo(asked, in.RoleArn), nil
}

func (e *eventsAPI) mayPutTargets(ctx context.Context, c Call, in *wire.PutTargetsRequest) ([]iam.Request, error) {
	q := e.question(ctx, c, "PutTargets", val(in.Rule))
	asked := []iam.Request{q}
	for _, t := range in.Targets {
		q.Context["events:TargetArn"] = append(q.Context["events:TargetArn"], val(t.Arn))
		asked = passTo(asked, t.RoleArn)
	}
	return asked, nil
}

// mayPutEvents asks for each entry by itself, so that conditions on sources hold for all of them.
func (e *eventsAPI) mayPutEvents(_ context.Context, c Call, in *wire.PutEventsRequest) (asked []iam.Request, err error) {
	for _, entry := range in.Entries {
		keys := map[string][]string{"events:source": {val(entry.Source)}, "events:detail-type": {val(entry.DetailType)}}
		asked = append(asked, iam.Request{Action: "events:PutEvents", Resource: events.BusARN(c.Scope), Context: keys})
	}
	if len(asked) == 0 {
		asked = []iam.Request{{Action: "events:PutEvents", Resource: events.BusARN(c.Scope)}}
	}
	return asked, nil
}

func (e *eventsAPI) mayDescribeBus(_ context.Context, c Call, _ *wire.DescribeEventBusRequest) ([]iam.Request, error) {
	return []iam.Request{{Action: "events:DescribeEventBus", Resource: events.BusARN(c.Scope)}}, nil
}

// taggedRule is the name of the rule in the ARN of a thing with tags. The bus itself has no tags.
func taggedRule(c Call, arn *string) (name string, isBus bool, err error) {
	if val(arn) == events.BusARN(c.Scope) {
		return "", true, nil
	}
	name, is := strings.CutPrefix(val(arn), events.RuleARN(c.Scope, ""))
	name = strings.TrimPrefix(name, events.DefaultBus+"/")
	if !is || name == "" {
		return "", false, apprunner.Errorf(apprunner.CodeNotFound, "There is no rule %s in this account and region.", val(arn))
	}
	return name, false, nil
}

// onTagged asks for an action on the rule whose ARN a request holds.
func onTagged[In any](e *eventsAPI, name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		rule, isBus, err := taggedRule(c, of(in))
		switch {
		case err != nil:
			return []iam.Request{{Action: "events:" + name, Resource: "*"}}, nil // the action will say that it is none
		case isBus:
			return []iam.Request{{Action: "events:" + name, Resource: events.BusARN(c.Scope)}}, nil
		}
		return []iam.Request{e.question(ctx, c, name, rule)}, nil
	}
}

func (e *eventsAPI) mayTag(ctx context.Context, c Call, in *wire.TagResourceRequest) ([]iam.Request, error) {
	asked, err := onTagged(e, "TagResource", func(in *wire.TagResourceRequest) *string { return in.ResourceARN })(ctx, c, in)
	for i := range asked {
		if asked[i].Context == nil {
			asked[i].Context = map[string][]string{}
		}
		requestTags(asked[i].Context, eventTags(in.Tags))
	}
	return asked, err
}

func eventTags(in []wire.Tag) []apprunner.Tag {
	tags := make([]apprunner.Tag, len(in))
	for i, t := range in {
		tags[i] = apprunner.Tag{Key: val(t.Key), Value: val(t.Value)}
	}
	return tags
}
