package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// observabilities is what the API needs for observability configurations (§23).
type observabilities interface {
	CreateObservabilityConfiguration(context.Context, apprunner.Scope, apprunner.ObservabilityConfigurationInput) (apprunner.ObservabilityConfiguration, error)
	DescribeObservabilityConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.ObservabilityConfiguration, error)
	ListObservabilityConfigurations(ctx context.Context, sc apprunner.Scope, name string, latestOnly bool) ([]apprunner.ObservabilityConfiguration, error)
	DeleteObservabilityConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.ObservabilityConfiguration, error)
}

func (a *appRunner) observabilityActions() map[string]Action {
	return map[string]Action{
		"CreateObservabilityConfiguration": action(
			creating("CreateObservabilityConfiguration", apprunner.KindObservability, func(in *wire.CreateObservabilityConfigurationRequest) (*string, []wire.Tag) {
				return in.ObservabilityConfigurationName, in.Tags
			}), a.createObservability),
		"DescribeObservabilityConfiguration": action(
			on(a, "DescribeObservabilityConfiguration", func(in *wire.DescribeObservabilityConfigurationRequest) *string {
				return in.ObservabilityConfigurationArn
			}), a.describeObservability),
		"ListObservabilityConfigurations": action(
			anything[wire.ListObservabilityConfigurationsRequest]("apprunner:ListObservabilityConfigurations"), a.listObservabilities),
		"DeleteObservabilityConfiguration": action(
			on(a, "DeleteObservabilityConfiguration", func(in *wire.DeleteObservabilityConfigurationRequest) *string {
				return in.ObservabilityConfigurationArn
			}), a.deleteObservability),
	}
}

func (a *appRunner) createObservability(ctx context.Context, c Call, in *wire.CreateObservabilityConfigurationRequest) (*wire.CreateObservabilityConfigurationResponse, error) {
	conf, err := a.Control.CreateObservabilityConfiguration(ctx, c.Scope, apprunner.ObservabilityConfigurationInput{
		Name: val(in.ObservabilityConfigurationName), Vendor: val(val(in.TraceConfiguration).Vendor), Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateObservabilityConfigurationResponse{ObservabilityConfiguration: observabilityOut(conf)}, nil
}

func (a *appRunner) describeObservability(ctx context.Context, c Call, in *wire.DescribeObservabilityConfigurationRequest) (*wire.DescribeObservabilityConfigurationResponse, error) {
	conf, err := a.Control.DescribeObservabilityConfiguration(ctx, c.Scope, *in.ObservabilityConfigurationArn)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeObservabilityConfigurationResponse{ObservabilityConfiguration: observabilityOut(conf)}, nil
}

func (a *appRunner) listObservabilities(ctx context.Context, c Call, in *wire.ListObservabilityConfigurationsRequest) (*wire.ListObservabilityConfigurationsResponse, error) {
	latestOnly := in.LatestOnly == nil || *in.LatestOnly
	all, err := a.Control.ListObservabilityConfigurations(ctx, c.Scope, val(in.ObservabilityConfigurationName), latestOnly)
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "ListObservabilityConfigurations", params: []any{in.ObservabilityConfigurationName, latestOnly, in.MaxResults}}
	at := func(conf apprunner.ObservabilityConfiguration) position { return byRevision(conf.Name, conf.Revision) }
	list, next, err := page(a.Tokens, l, all, at, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListObservabilityConfigurationsResponse{ObservabilityConfigurationSummaryList: make([]wire.ObservabilityConfigurationSummary, len(list)), NextToken: next}
	for i, conf := range list {
		out.ObservabilityConfigurationSummaryList[i] = wire.ObservabilityConfigurationSummary{
			ObservabilityConfigurationArn: &conf.ARN, ObservabilityConfigurationName: &conf.Name, ObservabilityConfigurationRevision: int32Out(conf.Revision),
		}
	}
	return out, nil
}

func (a *appRunner) deleteObservability(ctx context.Context, c Call, in *wire.DeleteObservabilityConfigurationRequest) (*wire.DeleteObservabilityConfigurationResponse, error) {
	conf, err := a.Control.DeleteObservabilityConfiguration(ctx, c.Scope, *in.ObservabilityConfigurationArn)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteObservabilityConfigurationResponse{ObservabilityConfiguration: observabilityOut(conf)}, nil
}

func observabilityOut(c apprunner.ObservabilityConfiguration) *wire.ObservabilityConfiguration {
	out := &wire.ObservabilityConfiguration{
		ObservabilityConfigurationArn:      &c.ARN,
		ObservabilityConfigurationName:     &c.Name,
		ObservabilityConfigurationRevision: int32Out(c.Revision),
		Latest:                             &c.Latest,
		Status:                             new(activeWord(c.Active)),
		CreatedAt:                          moment(c.CreatedAt),
		DeletedAt:                          moment(c.DeletedAt),
	}
	if c.Vendor != "" {
		out.TraceConfiguration = &wire.TraceConfiguration{Vendor: &c.Vendor}
	}
	return out
}
