package api

import (
	"context"
	"encoding/json"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/events"
	wire "slipway.dev/slipway/internal/wire/events"
)

func (e *eventsAPI) putTargets(ctx context.Context, c Call, in *wire.PutTargetsRequest) (*wire.PutTargetsResponse, error) {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	targets := make([]events.Target, len(in.Targets))
	for i, t := range in.Targets {
		var err error
		if targets[i], err = targetIn(t); err != nil {
			return nil, err
		}
	}
	if err := e.bus.PutTargets(ctx, c.Scope, *in.Rule, targets); err != nil {
		return nil, err
	}
	return &wire.PutTargetsResponse{FailedEntryCount: new(int32(0)), FailedEntries: []wire.PutTargetsResultEntry{}}, nil
}

// targetIn reads a target. What is for kinds of targets that are not here is kept as it is.
func targetIn(t wire.Target) (events.Target, error) {
	if t.HttpParameters != nil {
		return events.Target{}, apprunner.Errorf(events.CodeValidation, "HttpParameters of target %s are not supported here; put headers and parameters into the address that the setting event-targets gives.", val(t.Id))
	}
	out := events.Target{
		ID: *t.Id, ARN: *t.Arn, RoleARN: val(t.RoleArn), Input: val(t.Input), InputPath: val(t.InputPath),
	}
	if x := t.InputTransformer; x != nil {
		out.Transform = &events.Transform{Paths: x.InputPathsMap, Template: *x.InputTemplate}
	}
	if p := t.RetryPolicy; p != nil {
		if n := p.MaximumRetryAttempts; n != nil {
			out.Tries = new(int(*n))
		}
		out.MaxAge = int(val(p.MaximumEventAgeInSeconds))
	}
	if t.DeadLetterConfig != nil {
		out.DeadLetter = val(t.DeadLetterConfig.Arn)
	}
	rest := wire.Target{
		KinesisParameters: t.KinesisParameters, RunCommandParameters: t.RunCommandParameters, EcsParameters: t.EcsParameters, BatchParameters: t.BatchParameters,
		SqsParameters: t.SqsParameters, RedshiftDataParameters: t.RedshiftDataParameters, SageMakerPipelineParameters: t.SageMakerPipelineParameters,
		AppSyncParameters: t.AppSyncParameters,
	}
	body, err := json.Marshal(rest)
	if err != nil {
		return events.Target{}, fmt.Errorf("keep the parameters of a target: %w", err)
	}
	out.Rest = body
	return out, nil
}

func targetOut(t events.Target) (out wire.Target, err error) {
	if len(t.Rest) > 0 {
		if err := json.Unmarshal(t.Rest, &out); err != nil {
			return out, fmt.Errorf("read the parameters of a target: %w", err)
		}
	}
	out.Id, out.Arn, out.RoleArn, out.Input, out.InputPath = &t.ID, &t.ARN, given(t.RoleARN), given(t.Input), given(t.InputPath)
	if x := t.Transform; x != nil {
		out.InputTransformer = &wire.InputTransformer{InputPathsMap: x.Paths, InputTemplate: &x.Template}
	}
	if t.Tries != nil || t.MaxAge != 0 {
		out.RetryPolicy = &wire.RetryPolicy{}
		if t.Tries != nil {
			out.RetryPolicy.MaximumRetryAttempts = int32Out(*t.Tries)
		}
		if t.MaxAge != 0 {
			out.RetryPolicy.MaximumEventAgeInSeconds = int32Out(t.MaxAge)
		}
	}
	if t.DeadLetter != "" {
		out.DeadLetterConfig = &wire.DeadLetterConfig{Arn: &t.DeadLetter}
	}
	return out, nil
}

func (e *eventsAPI) removeTargets(ctx context.Context, c Call, in *wire.RemoveTargetsRequest) (*wire.RemoveTargetsResponse, error) {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	unknown, err := e.bus.RemoveTargets(ctx, c.Scope, *in.Rule, in.Ids)
	if err != nil {
		return nil, err
	}
	out := &wire.RemoveTargetsResponse{FailedEntryCount: int32Out(len(unknown)), FailedEntries: []wire.RemoveTargetsResultEntry{}}
	for _, id := range unknown {
		out.FailedEntries = append(out.FailedEntries, wire.RemoveTargetsResultEntry{
			TargetId: &id, ErrorCode: new(string(apprunner.CodeNotFound)), ErrorMessage: new("The rule has no target " + id + "."),
		})
	}
	return out, nil
}

func (e *eventsAPI) listTargets(ctx context.Context, c Call, in *wire.ListTargetsByRuleRequest) (*wire.ListTargetsByRuleResponse, error) {
	r, err := e.ruleOn(ctx, c, in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	list, next, err := eventsPage(e, c, "ListTargetsByRule", r.Targets, func(t events.Target) string { return t.ID }, in.Rule, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListTargetsByRuleResponse{Targets: make([]wire.Target, len(list)), NextToken: next}
	for i, t := range list {
		if out.Targets[i], err = targetOut(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e *eventsAPI) listRuleNames(ctx context.Context, c Call, in *wire.ListRuleNamesByTargetRequest) (*wire.ListRuleNamesByTargetResponse, error) {
	if err := onDefaultBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	names, err := e.bus.RulesFor(ctx, c.Scope, *in.TargetArn)
	if err != nil {
		return nil, err
	}
	names, next, err := eventsPage(e, c, "ListRuleNamesByTarget", names, func(n string) string { return n }, in.TargetArn, in.Limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &wire.ListRuleNamesByTargetResponse{RuleNames: append([]string{}, names...), NextToken: next}, nil
}

func (e *eventsAPI) putEvents(ctx context.Context, c Call, in *wire.PutEventsRequest) (*wire.PutEventsResponse, error) {
	if val(in.EndpointId) != "" {
		return nil, apprunner.Errorf(events.CodeValidation, "EndpointId is not supported here: there are no global endpoints.")
	}
	entries := make([]events.Entry, len(in.Entries))
	for i, x := range in.Entries {
		entries[i] = events.Entry{
			Time: val(x.Time), Source: val(x.Source), DetailType: val(x.DetailType), Detail: val(x.Detail), Resources: x.Resources, Bus: val(x.EventBusName),
		}
	}
	made, err := e.bus.PutEvents(ctx, c.Scope, entries)
	if err != nil {
		return nil, err
	}
	out := &wire.PutEventsResponse{Entries: make([]wire.PutEventsResultEntry, len(made))}
	failed := 0
	for i, m := range made {
		out.Entries[i] = wire.PutEventsResultEntry{EventId: given(m.ID), ErrorCode: given(m.Code), ErrorMessage: given(m.Message)}
		if m.Code != "" {
			failed++
		}
	}
	out.FailedEntryCount = int32Out(failed)
	return out, nil
}

func (e *eventsAPI) testPattern(_ context.Context, _ Call, in *wire.TestEventPatternRequest) (*wire.TestEventPatternResponse, error) {
	matches, err := events.TestPattern(*in.EventPattern, *in.Event)
	if err != nil {
		return nil, err
	}
	return &wire.TestEventPatternResponse{Result: &matches}, nil
}
