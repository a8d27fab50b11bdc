package api

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/events"
	wire "slipway.dev/slipway/internal/wire/events"
)

// onDefaultBus refuses other buses, of which there are none.
func onDefaultBus(c Call, bus *string) error {
	if !events.IsDefault(c.Scope, val(bus)) {
		return apprunner.Errorf(apprunner.CodeNotFound, "Event bus %s does not exist. The only one here is %s.", *bus, events.DefaultBus)
	}
	return nil
}

func (e *eventsAPI) putRule(ctx context.Context, c Call, in *wire.PutRuleRequest) (*wire.PutRuleResponse, error) {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	switch {
	case val(in.ScheduleExpression) != "":
		return nil, apprunner.Errorf(events.CodeValidation, "Parameter ScheduleExpression is not supported here: rules choose events by patterns, and nothing runs by the clock. Use cron or a systemd timer that calls PutEvents.")
	case val(in.EventPattern) == "":
		return nil, apprunner.Errorf(events.CodeValidation, "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case val(in.State) == wire.RuleStateEnabledWithAllCloudtrailManagementEvents:
		return nil, apprunner.Errorf(events.CodeValidation, "The state %s is not supported here: CloudTrail sends no events to the bus. Use ENABLED.", *in.State)
	}
	r := events.Rule{
		Scope: c.Scope, Name: *in.Name, Description: val(in.Description), Pattern: *in.EventPattern, RoleARN: val(in.RoleArn),
		Enabled: val(in.State) != wire.RuleStateDisabled, CreatedBy: c.Scope.Account, Tags: map[string]string{},
	}
	for _, t := range in.Tags {
		r.Tags[*t.Key] = *t.Value
	}
	if err := e.bus.PutRule(ctx, r); err != nil {
		return nil, err
	}
	return &wire.PutRuleResponse{RuleArn: new(r.ARN())}, nil
}

func stateOf(r events.Rule) *string {
	if r.Enabled {
		return new(wire.RuleStateEnabled)
	}
	return new(wire.RuleStateDisabled)
}

func (e *eventsAPI) describeRule(ctx context.Context, c Call, in *wire.DescribeRuleRequest) (*wire.DescribeRuleResponse, error) {
	r, err := e.ruleOn(ctx, c, in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeRuleResponse{
		Name: &r.Name, Arn: new(r.ARN()), EventPattern: &r.Pattern, State: stateOf(r), Description: given(r.Description), RoleArn: given(r.RoleARN),
		ManagedBy: given(r.ManagedBy), EventBusName: new(events.DefaultBus), CreatedBy: given(r.CreatedBy),
	}, nil
}

func (e *eventsAPI) ruleOn(ctx context.Context, c Call, bus, name *string) (events.Rule, error) {
	if err := onDefaultBus(c, bus); err != nil {
		return events.Rule{}, err
	}
	return e.bus.Rule(ctx, c.Scope, val(name))
}

func ruleOut(r events.Rule) wire.Rule {
	return wire.Rule{
		Name: &r.Name, Arn: new(r.ARN()), EventPattern: &r.Pattern, State: stateOf(r), Description: given(r.Description), RoleArn: given(r.RoleARN),
		ManagedBy: given(r.ManagedBy), EventBusName: new(events.DefaultBus),
	}
}

// eventsPage cuts one page out of a listing.
func eventsPage[T any](e *eventsAPI, c Call, operation string, all []T, name func(T) string, params any, limit *int32, token *string) ([]T, *string, error) {
	l := listing{scope: c.Scope, operation: "events/" + operation, params: params}
	return pageByName(e.tokens, l, events.CodeValidation, all, name, limit, token)
}

func (e *eventsAPI) listRules(ctx context.Context, c Call, in *wire.ListRulesRequest) (*wire.ListRulesResponse, error) {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	all, err := e.bus.Rules(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	var rules []events.Rule
	for _, r := range all {
		if strings.HasPrefix(r.Name, val(in.NamePrefix)) {
			rules = append(rules, r)
		}
	}
	rules, next, err := eventsPage(e, c, "ListRules", rules, func(r events.Rule) string { return r.Name }, in.NamePrefix, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListRulesResponse{Rules: make([]wire.Rule, len(rules)), NextToken: next}
	for i, r := range rules {
		out.Rules[i] = ruleOut(r)
	}
	return out, nil
}

func (e *eventsAPI) enableRule(ctx context.Context, c Call, in *wire.EnableRuleRequest) error {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return err
	}
	return e.bus.Enable(ctx, c.Scope, *in.Name, true)
}

func (e *eventsAPI) disableRule(ctx context.Context, c Call, in *wire.DisableRuleRequest) error {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return err
	}
	return e.bus.Enable(ctx, c.Scope, *in.Name, false)
}

func (e *eventsAPI) deleteRule(ctx context.Context, c Call, in *wire.DeleteRuleRequest) error {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return err
	}
	return e.bus.DeleteRule(ctx, c.Scope, *in.Name)
}

func (e *eventsAPI) describeBus(_ context.Context, c Call, in *wire.DescribeEventBusRequest) (*wire.DescribeEventBusResponse, error) {
	if err := onDefaultBus(c, in.Name); err != nil {
		return nil, err
	}
	return &wire.DescribeEventBusResponse{Name: new(events.DefaultBus), Arn: new(events.BusARN(c.Scope))}, nil
}

func (e *eventsAPI) listBuses(_ context.Context, c Call, in *wire.ListEventBusesRequest) (*wire.ListEventBusesResponse, error) {
	out := &wire.ListEventBusesResponse{EventBuses: []wire.EventBus{}}
	if strings.HasPrefix(events.DefaultBus, val(in.NamePrefix)) {
		out.EventBuses = append(out.EventBuses, wire.EventBus{Name: new(events.DefaultBus), Arn: new(events.BusARN(c.Scope))})
	}
	return out, nil
}

func (e *eventsAPI) tag(ctx context.Context, c Call, in *wire.TagResourceRequest) (*wire.TagResourceResponse, error) {
	rule, err := ruleWithTags(c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[*t.Key] = *t.Value
	}
	return &wire.TagResourceResponse{}, e.bus.Tag(ctx, c.Scope, rule, tags)
}

// ruleWithTags refuses tags of the bus.
func ruleWithTags(c Call, arn *string) (string, error) {
	rule, isBus, err := taggedRule(c, arn)
	if isBus {
		return "", apprunner.Errorf(events.CodeValidation, "The default event bus takes no tags here; rules do.")
	}
	return rule, err
}

func (e *eventsAPI) untag(ctx context.Context, c Call, in *wire.UntagResourceRequest) (*wire.UntagResourceResponse, error) {
	rule, err := ruleWithTags(c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &wire.UntagResourceResponse{}, e.bus.Untag(ctx, c.Scope, rule, in.TagKeys)
}

func (e *eventsAPI) listTags(ctx context.Context, c Call, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	out := &wire.ListTagsForResourceResponse{Tags: []wire.Tag{}}
	rule, isBus, err := taggedRule(c, in.ResourceARN)
	if err != nil || isBus {
		return out, err
	}
	r, err := e.bus.Rule(ctx, c.Scope, rule)
	if err != nil {
		return nil, err
	}
	for _, k := range sortedKeys(r.Tags) {
		out.Tags = append(out.Tags, wire.Tag{Key: &k, Value: new(r.Tags[k])})
	}
	return out, nil
}
