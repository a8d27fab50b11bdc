package reconcile

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// connect makes sure that the VPC connector of the service has its network interfaces, one in each of its subnets, before instances are
// started. A set of subnets and groups has them once, whichever services and however many instances go through it; public subnets are
// refused (§20.1).
func (j *job) connect(ctx context.Context) error {
	arn := j.svc.Network.VPCConnectorARN
	if arn == "" || j.r.Networks == nil {
		return nil
	}
	var conn apprunner.VPCConnector
	err := j.r.DB.View(ctx, func(tx *store.Tx) (err error) {
		conn, _, err = store.Resource[apprunner.VPCConnector](tx, arn)
		return err
	})
	if err != nil {
		return fmt.Errorf("read VPC connector %s: %w", arn, err)
	}
	interfaces, err := j.r.Networks.Connect(ctx, j.svc.Scope, conn.Subnets, conn.SecurityGroups)
	if err != nil {
		return fmt.Errorf("VPC connector %s: %w", conn.Name, err)
	}
	j.log.Step("VPC connector %s has %d network interface(s) in its subnets.", conn.Name, len(interfaces))
	return nil
}
