package network

import (
	"context"
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

// connectorKey is what the interfaces of a set of subnets and groups belong to: connectors with the same set share them.
func connectorKey(subnets, groups []string) string {
	return "apprunner:" + strings.Join(slices.Sorted(slices.Values(subnets)), ",") + "|" + strings.Join(slices.Sorted(slices.Values(groups)), ",")
}

// Connect gives a set of subnets and groups one interface in each subnet, which all services that go through the set share; what is there
// stays. A public subnet is refused: what has only a private address gets no answer through it (§20.1).
func (n *Network) Connect(ctx context.Context, sc apprunner.Scope, subnets, groups []string) ([]Interface, error) {
	key := connectorKey(subnets, groups)
	var own []Interface
	err := n.change(ctx, sc, func(e *edit) error {
		if own = ownedBy(e.Interfaces, key); len(own) == len(subnets) {
			e.tx.Quiet()
		}
		for _, id := range subnets {
			sub := find(e.Subnets, id)
			switch {
			case sub == nil:
				return apprunner.Errorf(apprunner.CodeInvalidRequest, "The subnet %s does not exist any more.", id)
			case e.Public(*sub):
				return apprunner.Errorf(apprunner.CodeInvalidRequest, "The subnet %s is public: its route table has a route to an internet gateway. Use private subnets.", id)
			case slices.ContainsFunc(own, func(i Interface) bool { return i.SubnetID == id }):
				continue
			}
			i, err := e.connect(*sub, Interface{
				Head: Head{Tags: map[string]string{managedTag: "true"}}, Kind: InterfaceConnector, Owner: key, Groups: groups,
				Description: "AWS App Runner VPC connector interface",
			}, netip.Addr{})
			if err != nil {
				return err
			}
			own = append(own, i)
		}
		return nil
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
