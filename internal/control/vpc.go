package control

import (
	"context"
	"fmt"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// networks knows what there is of VPCs, in the transaction that relies on it. An error for the caller is an *apprunner.Error of
// CodeInvalidRequest.
type networks interface {
	// Connector checks that the subnets exist, belong to one VPC and are of one address type, and that the groups exist in that VPC;
	// it returns the groups in effect, the VPC's default group where none are given (§20.1).
	Connector(tx *store.Tx, sc apprunner.Scope, subnets, groups []string) ([]string, error)
	// Endpoint checks that the endpoint exists in the VPC, is one for App Runner requests and is available (§20.2).
	Endpoint(tx *store.Tx, sc apprunner.Scope, vpcID, endpointID string) error
	// Disconnect forgets what was made for the connectors with these subnets and groups, of which there is none any more.
	Disconnect(tx *store.Tx, sc apprunner.Scope, subnets, groups []string) error
}

// CreateVPCConnector records a connector (§20.1).
func (c *Control) CreateVPCConnector(ctx context.Context, sc apprunner.Scope, in apprunner.VPCConnectorInput) (apprunner.VPCConnector, error) {
	conn := apprunner.VPCConnector{Name: in.Name, Revision: 1, Subnets: in.Subnets, SecurityGroups: in.SecurityGroups, Active: true, CreatedAt: c.Now().UTC()}
	if err := in.Check(); err != nil {
		return conn, err
	}
	// Asked before anything is made for it, and again when it is: what it needs may go meanwhile.
	err := c.DB.View(ctx, func(tx *store.Tx) error { return c.place(tx, sc, &conn) })
	if err != nil {
		return conn, err
	}
	if c.FirstConnector != nil {
		if err := c.FirstConnector(store.Apart(ctx), sc.Account); err != nil {
			return conn, err
		}
	}
	conn.ARN = apprunner.ARN{Scope: sc, Kind: apprunner.KindVPCConnector, Name: in.Name, Revision: 1, ID: apprunner.NewID()}.String()
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.place(tx, sc, &conn); err != nil {
			return err
		}
		all, err := store.Resources[apprunner.VPCConnector](tx, sc, apprunner.KindVPCConnector, "")
		if err != nil {
			return fmt.Errorf("read VPC connectors: %w", err)
		}
		for _, other := range all {
			if other.Name == in.Name {
				return apprunner.Errorf(apprunner.CodeInvalidRequest, "VPC connector with the provided name already exists: %s. Choose another name, or delete that connector first.", in.Name)
			}
		}
		if err := c.checkQuota(tx, sc, apprunner.QuotaVPCConnectors, len(all)); err != nil {
			return err
		}
		return c.insertResource(tx, conn, in.Tags)
	})
	return conn, err
}

// place checks that a connector's subnets and groups are there, and gives it the groups in effect.
func (c *Control) place(tx *store.Tx, sc apprunner.Scope, conn *apprunner.VPCConnector) error {
	if c.Networks == nil {
		return nil
	}
	groups, err := c.Networks.Connector(tx, sc, conn.Subnets, conn.SecurityGroups)
	if err == nil {
		conn.SecurityGroups = groups
	}
	return err
}

// DescribeVPCConnector returns a connector by its full ARN, deleted ones while they are kept.
func (c *Control) DescribeVPCConnector(ctx context.Context, sc apprunner.Scope, arn string) (conn apprunner.VPCConnector, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		conn, err = c.vpcConnector(tx, sc, arn)
		return err
	})
	return conn, err
}

// ListVPCConnectors returns the scope's active connectors, newest first.
func (c *Control) ListVPCConnectors(ctx context.Context, sc apprunner.Scope) (list []apprunner.VPCConnector, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = store.Resources[apprunner.VPCConnector](tx, sc, apprunner.KindVPCConnector, "")
		return err
	})
	return list, err
}

// DeleteVPCConnector deletes a connector that no service uses.
func (c *Control) DeleteVPCConnector(ctx context.Context, sc apprunner.Scope, arn string) (conn apprunner.VPCConnector, err error) {
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		conn, err = c.vpcConnector(tx, sc, arn)
		switch {
		case err != nil:
			return err
		case !conn.Active:
			return missing(sc, arn)
		}
		used, err := tx.InUse(conn.ARN)
		switch {
		case err != nil:
			return fmt.Errorf("look for users of %s: %w", conn.ARN, err)
		case used:
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "VPC connector %s is in use by a service. Delete the service, or update it to another connector or to egressType DEFAULT, first.", conn.ARN)
		}
		conn.Active, conn.DeletedAt = false, c.Now().UTC()
		if err := tx.PutResource(conn); err != nil {
			return err
		}
		return c.disconnect(tx, sc, conn)
	})
	return conn, err
}

// disconnect forgets what a deleted connector had in its VPC, unless another connector has the same subnets and groups: they share it.
func (c *Control) disconnect(tx *store.Tx, sc apprunner.Scope, gone apprunner.VPCConnector) error {
	if c.Networks == nil {
		return nil
	}
	all, err := store.Resources[apprunner.VPCConnector](tx, sc, apprunner.KindVPCConnector, "")
	if err != nil {
		return fmt.Errorf("read VPC connectors: %w", err)
	}
	for _, other := range all {
		if sameSet(other.Subnets, gone.Subnets) && sameSet(other.SecurityGroups, gone.SecurityGroups) {
			return nil
		}
	}
	return c.Networks.Disconnect(tx, sc, gone.Subnets, gone.SecurityGroups)
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (c *Control) vpcConnector(tx *store.Tx, sc apprunner.Scope, arn string) (apprunner.VPCConnector, error) {
	a, err := exactly(sc, apprunner.KindVPCConnector, arn)
	if err != nil {
		return apprunner.VPCConnector{}, err
	}
	conn, found, err := store.Resource[apprunner.VPCConnector](tx, a.String())
	if err != nil {
		return conn, fmt.Errorf("read VPC connector: %w", err)
	}
	if !found || !conn.Active && c.over(conn.DeletedAt) {
		return conn, missing(sc, arn)
	}
	return conn, nil
}
