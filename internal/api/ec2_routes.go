package api

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

func (e *ec2API) routeActions() map[string]Action {
	return map[string]Action{
		"CreateRouteTable": ec2Action(ec2On(e, "CreateRouteTable", func(in *ec2.CreateRouteTableRequest) []ec2Ref {
			return append(refs(network.TypeVPC, val(in.VpcId)), making(network.TypeTable, in.TagSpecifications))
		}), e.createRouteTable),
		"DeleteRouteTable": ec2Command(ec2On(e, "DeleteRouteTable", func(in *ec2.DeleteRouteTableRequest) []ec2Ref {
			return refs(network.TypeTable, val(in.RouteTableId))
		}), func(ctx context.Context, c Call, in *ec2.DeleteRouteTableRequest) error {
			return e.net.DeleteRouteTable(ctx, c.Scope, *in.RouteTableId)
		}),
		"AssociateRouteTable": ec2Action(ec2On(e, "AssociateRouteTable", func(in *ec2.AssociateRouteTableRequest) []ec2Ref {
			return append(refs(network.TypeTable, val(in.RouteTableId)), refs(network.TypeSubnet, val(in.SubnetId))...)
		}), e.associateRouteTable),
		"DisassociateRouteTable": ec2Command(ec2On(e, "DisassociateRouteTable", func(*ec2.DisassociateRouteTableRequest) []ec2Ref {
			return refs(network.TypeTable, "") // the request names an association
		}), func(ctx context.Context, c Call, in *ec2.DisassociateRouteTableRequest) error {
			return e.net.DisassociateRouteTable(ctx, c.Scope, *in.AssociationId)
		}),
		"CreateRoute": ec2Action(ec2On(e, "CreateRoute", func(in *ec2.CreateRouteRequest) []ec2Ref {
			return refs(network.TypeTable, val(in.RouteTableId))
		}), e.createRoute),
		"DeleteRoute": ec2Command(ec2On(e, "DeleteRoute", func(in *ec2.DeleteRouteRequest) []ec2Ref {
			return refs(network.TypeTable, val(in.RouteTableId))
		}), func(ctx context.Context, c Call, in *ec2.DeleteRouteRequest) error {
			return e.net.DeleteRoute(ctx, c.Scope, *in.RouteTableId, destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock))
		}),
		"DescribeRouteTables": ec2Action(anything[ec2.DescribeRouteTablesRequest]("ec2:DescribeRouteTables"), e.describeRouteTables),
	}
}

func destination(four, six *string) string {
	if four == nil {
		return val(six)
	}
	return *four
}

func (e *ec2API) createRouteTable(ctx context.Context, c Call, in *ec2.CreateRouteTableRequest) (*ec2.CreateRouteTableResult, error) {
	tags, err := specified(network.TypeTable, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	t, err := e.net.CreateRouteTable(ctx, c.Scope, *in.VpcId, tags)
	if err != nil {
		return nil, err
	}
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateRouteTableResult{RouteTable: new(tableOut(s)(t)), ClientToken: in.ClientToken}, nil
}

func (e *ec2API) associateRouteTable(ctx context.Context, c Call, in *ec2.AssociateRouteTableRequest) (*ec2.AssociateRouteTableResult, error) {
	if err := notServed(map[string]bool{"GatewayId": in.GatewayId != nil, "PublicIpv4Pool": in.PublicIpv4Pool != nil}); err != nil {
		return nil, err
	}
	if val(in.SubnetId) == "" {
		return nil, network.Missing("SubnetId")
	}
	id, err := e.net.AssociateRouteTable(ctx, c.Scope, *in.RouteTableId, *in.SubnetId)
	if err != nil {
		return nil, err
	}
	return &ec2.AssociateRouteTableResult{AssociationId: &id, AssociationState: associated()}, nil
}

func associated() *ec2.RouteTableAssociationState {
	return &ec2.RouteTableAssociationState{State: new("associated")}
}

func (e *ec2API) createRoute(ctx context.Context, c Call, in *ec2.CreateRouteRequest) (*ec2.CreateRouteResult, error) {
	if err := notServed(map[string]bool{
		"DestinationPrefixListId": in.DestinationPrefixListId != nil, "VpcEndpointId": in.VpcEndpointId != nil, "TransitGatewayId": in.TransitGatewayId != nil,
		"LocalGatewayId": in.LocalGatewayId != nil, "CarrierGatewayId": in.CarrierGatewayId != nil, "CoreNetworkArn": in.CoreNetworkArn != nil,
		"OdbNetworkArn": in.OdbNetworkArn != nil, "EgressOnlyInternetGatewayId": in.EgressOnlyInternetGatewayId != nil, "InstanceId": in.InstanceId != nil,
		"VpcPeeringConnectionId": in.VpcPeeringConnectionId != nil,
	}); err != nil {
		return nil, err
	}
	target := val(in.GatewayId) + val(in.NatGatewayId) + val(in.NetworkInterfaceId) // at most one, or it is no id
	err := e.net.CreateRoute(ctx, c.Scope, *in.RouteTableId, destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock), target)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateRouteResult{Return: new(true)}, nil
}

func (e *ec2API) describeRouteTables(ctx context.Context, c Call, in *ec2.DescribeRouteTablesRequest) (*ec2.DescribeRouteTablesResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeRouteTables", in.RouteTableIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListRouteTables(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(t network.RouteTable) position { return placeOf(t.Head) }, tableOut(s))
	return &ec2.DescribeRouteTablesResult{RouteTables: list, NextToken: next}, err
}

func tableOut(s *network.Snapshot) func(network.RouteTable) ec2.RouteTable {
	return func(t network.RouteTable) ec2.RouteTable {
		out := ec2.RouteTable{
			RouteTableId: &t.ID, VpcId: &t.VPCID, OwnerId: &t.Scope.Account, Tags: tagsEC2(t.Tags), PropagatingVgws: []ec2.PropagatingVgw{},
			Associations: []ec2.RouteTableAssociation{}, Routes: []ec2.Route{},
		}
		if local := s.CIDROf(t.VPCID); local != "" {
			out.Routes = append(out.Routes, ec2.Route{DestinationCidrBlock: &local, GatewayId: new("local"), Origin: new(ec2.RouteOriginCreateRouteTable), State: new(ec2.RouteStateActive)})
		}
		for _, r := range t.Routes {
			out.Routes = append(out.Routes, routeOut(r, s.RouteState(t, r)))
		}
		if t.Main != "" {
			out.Associations = append(out.Associations, ec2.RouteTableAssociation{Main: new(true), RouteTableAssociationId: &t.Main, RouteTableId: &t.ID, AssociationState: associated()})
		}
		for _, a := range t.Associations {
			out.Associations = append(out.Associations, ec2.RouteTableAssociation{
				Main: new(false), RouteTableAssociationId: &a.ID, RouteTableId: &t.ID, SubnetId: &a.SubnetID, AssociationState: associated(),
			})
		}
		return out
	}
}

func routeOut(r network.Route, state string) ec2.Route {
	out := ec2.Route{DestinationCidrBlock: new(r.Destination.String()), Origin: new(ec2.RouteOriginCreateRoute), State: &state}
	switch {
	case strings.HasPrefix(r.Target, "nat-"):
		out.NatGatewayId = &r.Target
	case strings.HasPrefix(r.Target, "eni-"):
		out.NetworkInterfaceId = &r.Target
	default:
		out.GatewayId = &r.Target
	}
	return out
}
