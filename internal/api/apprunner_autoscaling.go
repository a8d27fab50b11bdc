package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// autoScalings is what the API needs for auto scaling configurations (§12).
type autoScalings interface {
	CreateAutoScalingConfiguration(context.Context, apprunner.Scope, apprunner.AutoScalingConfigurationInput) (apprunner.AutoScalingConfiguration, error)
	DescribeAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.AutoScalingConfiguration, error)
	ListAutoScalingConfigurations(ctx context.Context, sc apprunner.Scope, name string, latestOnly bool) ([]apprunner.AutoScalingConfiguration, error)
	ListServicesForAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) ([]apprunner.ServiceSummary, error)
	UpdateDefaultAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.AutoScalingConfiguration, error)
	DeleteAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.AutoScalingConfiguration, error)
	DeleteAllAutoScalingRevisions(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.AutoScalingConfiguration, error)
}

func (a *appRunner) autoScalingActions() map[string]Action {
	return map[string]Action{
		"CreateAutoScalingConfiguration": action(
			creating("CreateAutoScalingConfiguration", apprunner.KindAutoScaling, func(in *wire.CreateAutoScalingConfigurationRequest) (*string, []wire.Tag) {
				return in.AutoScalingConfigurationName, in.Tags
			}), a.createAutoScaling),
		"DescribeAutoScalingConfiguration": action(
			on(a, "DescribeAutoScalingConfiguration", func(in *wire.DescribeAutoScalingConfigurationRequest) *string {
				return in.AutoScalingConfigurationArn
			}), a.describeAutoScaling),
		"ListAutoScalingConfigurations": action(
			anything[wire.ListAutoScalingConfigurationsRequest]("apprunner:ListAutoScalingConfigurations"), a.listAutoScalings),
		"ListServicesForAutoScalingConfiguration": action(
			on(a, "ListServicesForAutoScalingConfiguration", func(in *wire.ListServicesForAutoScalingConfigurationRequest) *string {
				return in.AutoScalingConfigurationArn
			}), a.listServicesForAutoScaling),
		"UpdateDefaultAutoScalingConfiguration": action(
			on(a, "UpdateDefaultAutoScalingConfiguration", func(in *wire.UpdateDefaultAutoScalingConfigurationRequest) *string {
				return in.AutoScalingConfigurationArn
			}), a.updateDefaultAutoScaling),
		"DeleteAutoScalingConfiguration": action(
			on(a, "DeleteAutoScalingConfiguration", func(in *wire.DeleteAutoScalingConfigurationRequest) *string {
				return in.AutoScalingConfigurationArn
			}), a.deleteAutoScaling),
	}
}

func (a *appRunner) createAutoScaling(ctx context.Context, c Call, in *wire.CreateAutoScalingConfigurationRequest) (*wire.CreateAutoScalingConfigurationResponse, error) {
	conf, err := a.Control.CreateAutoScalingConfiguration(ctx, c.Scope, apprunner.AutoScalingConfigurationInput{
		Name: val(in.AutoScalingConfigurationName), Tags: tagsIn(in.Tags),
		MaxConcurrency: number(in.MaxConcurrency), MinSize: number(in.MinSize), MaxSize: number(in.MaxSize),
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateAutoScalingConfigurationResponse{AutoScalingConfiguration: a.to(c).autoScaling(conf)}, nil
}

func (a *appRunner) describeAutoScaling(ctx context.Context, c Call, in *wire.DescribeAutoScalingConfigurationRequest) (*wire.DescribeAutoScalingConfigurationResponse, error) {
	conf, err := a.Control.DescribeAutoScalingConfiguration(ctx, c.Scope, *in.AutoScalingConfigurationArn)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeAutoScalingConfigurationResponse{AutoScalingConfiguration: a.to(c).autoScaling(conf)}, nil
}

func (a *appRunner) listAutoScalings(ctx context.Context, c Call, in *wire.ListAutoScalingConfigurationsRequest) (*wire.ListAutoScalingConfigurationsResponse, error) {
	latestOnly := in.LatestOnly == nil || *in.LatestOnly
	all, err := a.Control.ListAutoScalingConfigurations(ctx, c.Scope, val(in.AutoScalingConfigurationName), latestOnly)
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "ListAutoScalingConfigurations", params: []any{in.AutoScalingConfigurationName, latestOnly, in.MaxResults}}
	at := func(conf apprunner.AutoScalingConfiguration) position { return byRevision(conf.Name, conf.Revision) }
	list, next, err := page(a.Tokens, l, all, at, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListAutoScalingConfigurationsResponse{AutoScalingConfigurationSummaryList: make([]wire.AutoScalingConfigurationSummary, len(list)), NextToken: next}
	for i, conf := range list {
		out.AutoScalingConfigurationSummaryList[i] = *a.to(c).autoScalingSummary(conf)
	}
	return out, nil
}

func (a *appRunner) listServicesForAutoScaling(ctx context.Context, c Call, in *wire.ListServicesForAutoScalingConfigurationRequest) (*wire.ListServicesForAutoScalingConfigurationResponse, error) {
	all, err := a.Control.ListServicesForAutoScalingConfiguration(ctx, c.Scope, *in.AutoScalingConfigurationArn)
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "ListServicesForAutoScalingConfiguration", params: []any{in.AutoScalingConfigurationArn, in.MaxResults}}
	list, next, err := page(a.Tokens, l, all, apprunner.ServiceSummary.Place, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListServicesForAutoScalingConfigurationResponse{ServiceArnList: make([]string, len(list)), NextToken: next}
	for i, s := range list {
		out.ServiceArnList[i] = s.ARN
	}
	return out, nil
}

func (a *appRunner) updateDefaultAutoScaling(ctx context.Context, c Call, in *wire.UpdateDefaultAutoScalingConfigurationRequest) (*wire.UpdateDefaultAutoScalingConfigurationResponse, error) {
	conf, err := a.Control.UpdateDefaultAutoScalingConfiguration(ctx, c.Scope, *in.AutoScalingConfigurationArn)
	if err != nil {
		return nil, err
	}
	return &wire.UpdateDefaultAutoScalingConfigurationResponse{AutoScalingConfiguration: a.to(c).autoScaling(conf)}, nil
}

func (a *appRunner) deleteAutoScaling(ctx context.Context, c Call, in *wire.DeleteAutoScalingConfigurationRequest) (*wire.DeleteAutoScalingConfigurationResponse, error) {
	if val(in.DeleteAllRevisions) {
		conf, err := a.Control.DeleteAllAutoScalingRevisions(ctx, c.Scope, *in.AutoScalingConfigurationArn)
		if err != nil {
			return nil, err
		}
		return &wire.DeleteAutoScalingConfigurationResponse{AutoScalingConfiguration: &wire.AutoScalingConfiguration{
			AutoScalingConfigurationArn: &conf.ARN, AutoScalingConfigurationName: &conf.Name, Status: a.to(c).autoScalingStatus(false),
		}}, nil
	}
	conf, err := a.Control.DeleteAutoScalingConfiguration(ctx, c.Scope, *in.AutoScalingConfigurationArn)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteAutoScalingConfigurationResponse{AutoScalingConfiguration: a.to(c).autoScaling(conf)}, nil
}
