package control

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// An ingress connection is pending while somebody works on it. Where nobody does, what is answered is the pending status, and what is
// kept is the settled one.

// CreateVPCIngressConnection joins a private, running service to an endpoint (§20.2).
func (c *Control) CreateVPCIngressConnection(ctx context.Context, sc apprunner.Scope, in apprunner.VPCIngressConnectionInput) (apprunner.VPCIngressConnection, error) {
	conn := apprunner.VPCIngressConnection{
		Name: in.Name, Status: apprunner.IngressPendingCreation, Account: sc.Account, VPCID: in.VPCID, EndpointID: in.EndpointID, CreatedAt: c.Now().UTC(),
	}
	if err := in.Check(); err != nil {
		return conn, err
	}
	conn.ARN = apprunner.ARN{Scope: sc, Kind: apprunner.KindVPCIngress, Name: in.Name, ID: apprunner.NewID()}.String()
	err := c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.checkEndpoint(tx, sc, in.VPCID, in.EndpointID); err != nil {
			return err
		}
		s, err := c.service(tx, sc, in.ServiceARN, apprunner.ActCreateIngress)
		if err != nil {
			return err
		}
		if s.Network.Public {
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "Service %s is publicly accessible. Update it with isPubliclyAccessible false first.", s.Name)
		}
		conn.ServiceARN, conn.DomainName = s.ARN(), s.URL
		all, err := c.ingresses(tx, sc, "")
		if err != nil {
			return err
		}
		ofService := ingressesOf(all, s.ARN())
		if err := c.checkQuota(tx, sc, apprunner.QuotaVPCIngressPerService, len(ofService)); err != nil {
			return err
		}
		for _, other := range all {
			if other.Name == in.Name {
				return apprunner.Errorf(apprunner.CodeInvalidRequest, "VPC ingress connection with the provided name already exists: %s. Choose another name, or delete that one first.", in.Name)
			}
		}
		if err := c.putIngress(tx, conn); err != nil {
			return err
		}
		return tx.PutTags(conn.ARN, in.Tags)
	})
	return conn, err
}

// DescribeVPCIngressConnection returns an ingress connection by its full ARN, deleted ones while they are kept.
func (c *Control) DescribeVPCIngressConnection(ctx context.Context, sc apprunner.Scope, arn string) (conn apprunner.VPCIngressConnection, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		conn, err = c.ingress(tx, sc, arn)
		return err
	})
	return conn, err
}

// ListVPCIngressConnections returns the scope's ingress connections, newest first: those of a service and of an endpoint, where
// these are given. A service that does not exist has none.
func (c *Control) ListVPCIngressConnections(ctx context.Context, sc apprunner.Scope, serviceARN, endpointID string) (list []apprunner.VPCIngressConnection, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		if serviceARN != "" {
			s, err := c.service(tx, sc, serviceARN, apprunner.ActDescribe)
			if apprunner.CodeOf(err) == apprunner.CodeNotFound {
				return nil
			}
			if err != nil {
				return err
			}
			serviceARN = s.ARN()
		}
		list, err = c.ingresses(tx, sc, endpointID)
		if serviceARN != "" {
			list = ingressesOf(list, serviceARN)
		}
		return err
	})
	return list, err
}

// UpdateVPCIngressConnection moves an ingress connection to another endpoint; what is nil stays.
func (c *Control) UpdateVPCIngressConnection(ctx context.Context, sc apprunner.Scope, arn string, vpcID, endpointID *string) (conn apprunner.VPCIngressConnection, err error) {
	if conn, err = c.DescribeVPCIngressConnection(ctx, sc, arn); err != nil {
		return conn, err
	}
	vpc, endpoint := sentOr(conn.VPCID, vpcID), sentOr(conn.EndpointID, endpointID)
	if err := apprunner.CheckIngressVPC(vpc, endpoint); err != nil {
		return conn, err
	}
	if err := mayChange(conn, "UpdateVpcIngressConnection", conn.Status.MayUpdate()); err != nil {
		return conn, err
	}
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.checkEndpoint(tx, sc, vpc, endpoint); err != nil {
			return err
		}
		if conn, err = c.ingress(tx, sc, arn); err != nil {
			return err
		}
		if err := mayChange(conn, "UpdateVpcIngressConnection", conn.Status.MayUpdate()); err != nil {
			return err
		}
		conn.VPCID, conn.EndpointID, conn.Status = vpc, endpoint, apprunner.IngressPendingUpdate
		return c.putIngress(tx, conn)
	})
	return conn, err
}

// sentOr is a sent value, else the present one.
func sentOr(present string, sent *string) string {
	if sent != nil {
		return *sent
	}
	return present
}

// DeleteVPCIngressConnection takes a service from its endpoint.
func (c *Control) DeleteVPCIngressConnection(ctx context.Context, sc apprunner.Scope, arn string) (conn apprunner.VPCIngressConnection, err error) {
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		conn, err = c.ingress(tx, sc, arn)
		switch {
		case err != nil:
			return err
		case conn.Status == apprunner.IngressDeleted:
			return missing(sc, arn)
		}
		if err := mayChange(conn, "DeleteVpcIngressConnection", conn.Status.MayDelete()); err != nil {
			return err
		}
		conn.Status, conn.DeletedAt = apprunner.IngressPendingDeletion, c.Now().UTC()
		return c.putIngress(tx, conn)
	})
	return conn, err
}

func mayChange(conn apprunner.VPCIngressConnection, action string, allowed bool) error {
	switch {
	case conn.Status == apprunner.IngressDeleted:
		return apprunner.Errorf(apprunner.CodeNotFound, "VPC ingress connection %s is deleted.", conn.ARN)
	case !allowed:
		return apprunner.Errorf(apprunner.CodeInvalidState, "%s is not possible while VPC ingress connection %s is in status %s. Wait until it has changed and try again.", action, conn.Name, conn.Status)
	}
	return nil
}

// PendingVPCIngressConnections lists, of all accounts and regions, the ingress connections that wait for work.
func (c *Control) PendingVPCIngressConnections(ctx context.Context) (list []apprunner.VPCIngressConnection, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		all, err := store.Resources[apprunner.VPCIngressConnection](tx, apprunner.Scope{}, apprunner.KindVPCIngress, "")
		for _, conn := range all {
			if conn.Status.Pending() {
				list = append(list, conn)
			}
		}
		return err
	})
	return list, err
}

// SettleVPCIngressConnection ends the work on a pending ingress connection; one that is not pending any more stays as it is.
func (c *Control) SettleVPCIngressConnection(ctx context.Context, arn string, ok bool) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		conn, found, err := store.Resource[apprunner.VPCIngressConnection](tx, arn)
		if err != nil || !found {
			return err
		}
		conn.Status = conn.Status.Settled(ok)
		return tx.PutResource(conn)
	})
}

func (c *Control) checkEndpoint(tx *store.Tx, sc apprunner.Scope, vpcID, endpointID string) error {
	if c.Networks == nil {
		return nil
	}
	return c.Networks.Endpoint(tx, sc, vpcID, endpointID)
}

// putIngress keeps an ingress connection: pending where somebody will work on it, settled where there is nothing to do.
func (c *Control) putIngress(tx *store.Tx, conn apprunner.VPCIngressConnection) error {
	if !c.IngressWork {
		conn.Status = conn.Status.Settled(true)
	}
	if err := tx.PutResource(conn); err != nil {
		return fmt.Errorf("write VPC ingress connection: %w", err)
	}
	return nil
}

func (c *Control) ingress(tx *store.Tx, sc apprunner.Scope, arn string) (apprunner.VPCIngressConnection, error) {
	a, err := exactly(sc, apprunner.KindVPCIngress, arn)
	if err != nil {
		return apprunner.VPCIngressConnection{}, err
	}
	conn, found, err := store.Resource[apprunner.VPCIngressConnection](tx, a.String())
	if err != nil {
		return conn, fmt.Errorf("read VPC ingress connection: %w", err)
	}
	if !found || conn.Status == apprunner.IngressDeleted && c.over(conn.DeletedAt) {
		return conn, missing(sc, arn)
	}
	return conn, nil
}

// ingresses lists the live ingress connections of a scope, newest first; with an endpoint, only those of it.
func (c *Control) ingresses(tx *store.Tx, sc apprunner.Scope, endpointID string) ([]apprunner.VPCIngressConnection, error) {
	all, err := store.Resources[apprunner.VPCIngressConnection](tx, sc, apprunner.KindVPCIngress, "")
	if err != nil {
		return nil, fmt.Errorf("read VPC ingress connections: %w", err)
	}
	var list []apprunner.VPCIngressConnection
	for _, conn := range all {
		if endpointID == "" || conn.EndpointID == endpointID {
			list = append(list, conn)
		}
	}
	return list, nil
}

func ingressesOf(list []apprunner.VPCIngressConnection, serviceARN string) (own []apprunner.VPCIngressConnection) {
	for _, conn := range list {
		if conn.ServiceARN == serviceARN {
			own = append(own, conn)
		}
	}
	return own
}
