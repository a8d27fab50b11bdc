package reconcile

import (
	"context"
	"errors"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/store"
)

// connect makes sure that the VPC connector of the service works before instances are started: that it has its network interfaces, one
// in each of its subnets, and that what goes through each of them arrives. A set of subnets and groups has them once, whichever services
// and however many instances go through it, and is waited for once (§20.1).
func (j *job) connect(ctx context.Context) error {
	conn, found, err := j.r.connector(ctx, j.svc)
	if err != nil || !found {
		return err
	}
	before, err := j.r.Networks.Connected(ctx, j.svc.Scope, conn.Subnets, conn.SecurityGroups)
	if err != nil {
		return fmt.Errorf("read the interfaces of VPC connector %s: %w", conn.Name, err)
	}
	if len(before) < len(conn.Subnets) {
		j.log.Step("Making the network interfaces of VPC connector %s.", conn.Name)
	}
	if _, err := j.r.Networks.Connect(ctx, j.svc.Scope, conn.Subnets, conn.SecurityGroups); err != nil {
		return fmt.Errorf("VPC connector %s: %w", conn.Name, err)
	}
	ways, err := j.r.waysOut(ctx, j.svc)
	if err != nil {
		return err
	}
	j.log.Step("VPC connector %s works: outgoing traffic goes through %d network interface(s).", conn.Name, len(ways))
	return nil
}

// connector is the VPC connector through which a service calls out, if it does.
func (r *Reconciler) connector(ctx context.Context, svc apprunner.Service) (conn apprunner.VPCConnector, found bool, err error) {
	arn := svc.Network.VPCConnectorARN
	if svc.Network.Egress != apprunner.EgressVPC || r.Networks == nil {
		return conn, false, nil
	}
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		conn, found, err = store.Resource[apprunner.VPCConnector](tx, arn)
		return err
	})
	if err == nil && !found {
		err = errors.New("it is not on record")
	}
	if err != nil {
		return conn, false, fmt.Errorf("read VPC connector %s: %w", arn, err)
	}
	return conn, true, nil
}

// waysOut are the interfaces through which a service calls out, once all of them work; none for one that does not go through a VPC.
func (r *Reconciler) waysOut(ctx context.Context, svc apprunner.Service) (list []instance.Uplink, err error) {
	conn, found, err := r.connector(ctx, svc)
	if err != nil || !found {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, r.JoinTimeout)
	defer cancel()
	interfaces, err := r.Networks.Connected(within, svc.Scope, conn.Subnets, conn.SecurityGroups)
	if err == nil && len(interfaces) == 0 {
		err = errors.New("it has no network interface")
	}
	for _, i := range interfaces {
		up, lost := r.Networks.WayOut(within, i.ID)
		if err = lost; lost != nil {
			err = fmt.Errorf("the interface %s in subnet %s (%s): %w", i.ID, i.SubnetID, i.Zone, lost)
			break
		}
		list = append(list, up)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, apprunner.Errorf(apprunner.CodeInternal, "VPC connector %s does not work: %w.", conn.Name, err).
			WithHint("Look at the subnets of the connector, and at the server's own log for this VPC; then try again.")
	}
	return list, nil
}

// calls says how the n-th of a set of instances calls out. The set is spread over the interfaces, and so over the zones, of its connector;
// first, an id, says where to begin.
func calls(spec instance.Spec, ways []instance.Uplink, first string, n int) instance.Spec {
	if len(ways) > 0 {
		spec.Egress, spec.Uplink = instance.EgressUplink, ways[(int(first[0])+n)%len(ways)]
	}
	return spec
}

// serving is the service as its serving instances know it: an update under way has changed the record before its own instances serve.
func (v view) serving() apprunner.Service {
	svc := v.svc
	if v.op.Before == nil {
		return svc
	}
	for _, i := range v.rows {
		if i.Phase == apprunner.PhaseActive && i.OperationID == v.op.ID {
			return svc
		}
	}
	svc.Settings = *v.op.Before
	return svc
}
