package network

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Those who connect services to subnets speak the App Runner API: what they are told has its codes.

// CheckConnector checks that the subnets exist and belong to one VPC and that the groups exist in that VPC. It returns the groups in
// effect: the VPC's default group where none are given (§20.1). It is part of the transaction that relies on it.
func CheckConnector(tx *store.Tx, sc apprunner.Scope, subnets, groups []string) ([]string, error) {
	s, err := snapshot(tx, sc, time.Time{})
	if err != nil {
		return nil, err
	}
	vpc, err := s.oneVPC(subnets)
	if err != nil {
		return nil, err
	}
	for _, id := range groups {
		if g := find(s.Groups, id); g == nil || g.VPCID != vpc.ID {
			return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "The security group %s does not exist in VPC %s, to which the subnets belong.", id, vpc.ID)
		}
	}
	return s.endpointGroups(*vpc, groups)
}

func (s *Snapshot) oneVPC(subnets []string) (*VPC, error) {
	vpcID := ""
	for _, id := range subnets {
		sub := find(s.Subnets, id)
		switch {
		case sub == nil:
			return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "The subnet %s does not exist in account %s, region %s.", id, s.Scope.Account, s.Scope.Region)
		case vpcID != "" && sub.VPCID != vpcID:
			return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "All subnets must belong to one VPC; %s is in %s, others are in %s.", id, sub.VPCID, vpcID)
		}
		vpcID = sub.VPCID
	}
	return need(s.VPCs, vpcID)
}

// CheckEndpoint checks that an endpoint exists in the VPC, is one for private services and is available (§20.2). It is part of the
// transaction that relies on it.
func CheckEndpoint(tx *store.Tx, sc apprunner.Scope, vpcID, endpointID string) error {
	s, err := snapshot(tx, sc, time.Time{})
	if err != nil {
		return err
	}
	refuse := func(format string, args ...any) error {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
	}
	x := find(s.Endpoints, endpointID)
	switch {
	case find(s.VPCs, vpcID) == nil:
		return refuse("The VPC %s does not exist in account %s, region %s.", vpcID, sc.Account, sc.Region)
	case x == nil || x.VPCID != vpcID:
		return refuse("The VPC endpoint %s does not exist in VPC %s.", endpointID, vpcID)
	case x.Service != ServiceRequests:
		return refuse("The VPC endpoint %s is for %s. A private service needs one for %s.", endpointID, ServiceName(sc.Region, x.Service), ServiceName(sc.Region, ServiceRequests))
	case x.State != EndpointAvailable:
		return refuse("The VPC endpoint %s is %s; wait until it is available.", endpointID, x.State)
	}
	return nil
}

// managedTag marks the interfaces of connectors (§20.1).
const managedTag = "AWSAppRunnerManaged"

// connectorOwner begins the owner of the interfaces of connectors.
const connectorOwner = "apprunner:"

// IsConnector tells whether services go out through the interface.
func (i Interface) IsConnector() bool { return strings.HasPrefix(i.Owner, connectorOwner) }

// connectorKey is what the interfaces of a set of subnets and groups belong to: connectors with the same set share them.
func connectorKey(subnets, groups []string) string {
	return connectorOwner + strings.Join(slices.Sorted(slices.Values(subnets)), ",") + "|" + strings.Join(slices.Sorted(slices.Values(groups)), ",")
}

// Connect gives a set of subnets and groups one interface in each subnet, which all services that go through the set share; what is there
// stays. Subnets that no connector can go through are refused, see [edit.passable].
func (n *Network) Connect(ctx context.Context, sc apprunner.Scope, subnets, groups []string) (own []Interface, err error) {
	key := connectorKey(subnets, groups)
	err = n.change(ctx, sc, func(e *edit) error {
		through, err := e.passable(subnets)
		if err != nil {
			return err
		}
		if own = ownedBy(e.Interfaces, key); len(own) == len(subnets) {
			e.tx.Quiet()
		}
		for _, sub := range through {
			if slices.ContainsFunc(own, func(i Interface) bool { return i.SubnetID == sub.ID }) {
				continue
			}
			i, err := e.connect(sub, Interface{
				Head: Head{Tags: map[string]string{managedTag: "true"}}, Kind: InterfaceConnector, Owner: key, Groups: groups,
				Description: "AWS App Runner VPC connector interface",
			}, netip.Addr{})
			if err != nil {
				return unconnected(sub, err)
			}
			own = append(own, i)
		}
		return nil
	})
	return own, err
}

// passable are the subnets of a connector. One that is gone, that is public (what has only a private address gets no answer through an
// internet gateway) or that is in a zone without connectors is refused (§20.1).
func (e *edit) passable(ids []string) (list []Subnet, err error) {
	var closed, open []string
	for _, id := range ids {
		sub := find(e.Subnets, id)
		if sub == nil {
			return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "The subnet %s does not exist any more. Create a VPC connector with other subnets.", id)
		}
		if slices.Contains(e.n.ClosedZones, sub.Zone) {
			closed = append(closed, sub.ID+" ("+sub.Zone+")")
		}
		if e.Public(*sub) {
			open = append(open, sub.ID)
		}
		list = append(list, *sub)
	}
	switch {
	case len(closed) > 0:
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "These subnets are in availability zones that VPC connectors cannot use: %s. Create a VPC connector without them.", strings.Join(closed, ", "))
	case len(open) > 0:
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "These subnets are public, their route tables have a route to an internet gateway: %s. Create a VPC connector with private subnets.", strings.Join(open, ", "))
	}
	return list, nil
}

// unconnected tells those who speak the App Runner API why a subnet has no room for an interface.
func unconnected(sub Subnet, err error) error {
	var refused *apprunner.Error
	if !errors.As(err, &refused) {
		return err
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "The subnet %s (%s) cannot have a network interface: %s Free an address in it, or create a VPC connector with other subnets.", sub.ID, sub.Zone, refused.Message)
}

// Connected are the interfaces that a set of subnets and groups has.
func (n *Network) Connected(ctx context.Context, sc apprunner.Scope, subnets, groups []string) (own []Interface, err error) {
	err = n.DB.View(ctx, func(tx *store.Tx) error {
		list, err := all[Interface](tx, sc)
		own = ownedBy(list, connectorKey(subnets, groups))
		return err
	})
	return own, err
}

// Disconnect takes the interfaces of a set away, which nobody uses any more. It is part of the transaction of who knows that.
func Disconnect(tx *store.Tx, sc apprunner.Scope, subnets, groups []string) error {
	interfaces, err := all[Interface](tx, sc)
	if err != nil {
		return err
	}
	for _, i := range ownedBy(interfaces, connectorKey(subnets, groups)) {
		if err := drop(tx, i.ID); err != nil {
			return err
		}
	}
	return nil
}
