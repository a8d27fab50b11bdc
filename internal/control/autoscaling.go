package control

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// autoScalingFor finds the revision that a service shall use: the one an ARN names, else the present one, else the account's
// default (§6.4, §12.2).
func (c *Control) autoScalingFor(ctx context.Context, sc apprunner.Scope, present apprunner.AutoScalingConfiguration, arn *string) (apprunner.AutoScalingConfiguration, error) {
	if arn == nil && present.ARN != "" {
		return present, nil
	}
	want := apprunner.DefaultAutoScalingARN(sc).String()
	if arn != nil {
		want = *arn
	}
	conf, err := c.DescribeAutoScalingConfiguration(ctx, sc, want)
	if err != nil {
		return conf, apprunner.Errorf(apprunner.CodeInvalidRequest, "autoScalingConfigurationArn %s does not name an active auto scaling configuration.", want)
	}
	return conf, nil
}

// DescribeAutoScalingConfiguration returns the revision that a full or partial ARN names (§12.4). The provided default
// configuration is the one there is.
func (c *Control) DescribeAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.AutoScalingConfiguration, error) {
	var none apprunner.AutoScalingConfiguration
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return none, err
	}
	if !names(a, apprunner.DefaultAutoScalingARN(sc)) {
		return none, apprunner.Errorf(apprunner.CodeNotFound, "Auto scaling configuration %s does not exist in account %s, region %s.", arn, sc.Account, sc.Region)
	}
	conf := apprunner.DefaultAutoScaling(sc, c.Epoch)
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		services, err := tx.Services(sc)
		if err != nil {
			return fmt.Errorf("read services: %w", err)
		}
		for _, s := range services {
			conf.HasAssociatedService = conf.HasAssociatedService || s.AutoScaling.ARN == conf.ARN
		}
		return nil
	})
	return conf, err
}
