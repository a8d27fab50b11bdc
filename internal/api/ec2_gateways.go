package api

import (
	"context"

	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

func (e *ec2API) gatewayActions() map[string]Action {
	return map[string]Action{
		"CreateInternetGateway": ec2Action(ec2On(e, "CreateInternetGateway", func(in *ec2.CreateInternetGatewayRequest) []ec2Ref {
			return []ec2Ref{making(network.TypeGateway, in.TagSpecifications)}
		}), e.createInternetGateway),
		"DeleteInternetGateway": ec2Command(ec2On(e, "DeleteInternetGateway", func(in *ec2.DeleteInternetGatewayRequest) []ec2Ref {
			return refs(network.TypeGateway, val(in.InternetGatewayId))
		}), func(ctx context.Context, c Call, in *ec2.DeleteInternetGatewayRequest) error {
			return e.net.DeleteInternetGateway(ctx, c.Scope, *in.InternetGatewayId)
		}),
		"AttachInternetGateway": ec2Command(ec2On(e, "AttachInternetGateway", func(in *ec2.AttachInternetGatewayRequest) []ec2Ref {
			return append(refs(network.TypeGateway, val(in.InternetGatewayId)), refs(network.TypeVPC, val(in.VpcId))...)
		}), func(ctx context.Context, c Call, in *ec2.AttachInternetGatewayRequest) error {
			return e.net.AttachInternetGateway(ctx, c.Scope, *in.InternetGatewayId, *in.VpcId)
		}),
		"DetachInternetGateway": ec2Command(ec2On(e, "DetachInternetGateway", func(in *ec2.DetachInternetGatewayRequest) []ec2Ref {
			return append(refs(network.TypeGateway, val(in.InternetGatewayId)), refs(network.TypeVPC, val(in.VpcId))...)
		}), func(ctx context.Context, c Call, in *ec2.DetachInternetGatewayRequest) error {
			return e.net.DetachInternetGateway(ctx, c.Scope, *in.InternetGatewayId, *in.VpcId)
		}),
		"CreateNatGateway": ec2Action(ec2On(e, "CreateNatGateway", func(in *ec2.CreateNatGatewayRequest) []ec2Ref {
			about := append(refs(network.TypeSubnet, val(in.SubnetId)), making(network.TypeNAT, in.TagSpecifications))
			if in.AllocationId != nil {
				about = append(about, refs(network.TypeAddress, *in.AllocationId)...)
			}
			return about
		}), e.createNAT),
		"DeleteNatGateway": ec2Action(ec2On(e, "DeleteNatGateway", func(in *ec2.DeleteNatGatewayRequest) []ec2Ref {
			return refs(network.TypeNAT, val(in.NatGatewayId))
		}), e.deleteNAT),
		"AllocateAddress": ec2Action(ec2On(e, "AllocateAddress", func(in *ec2.AllocateAddressRequest) []ec2Ref {
			return []ec2Ref{making(network.TypeAddress, in.TagSpecifications)}
		}), e.allocate),
		"ReleaseAddress": ec2Command(ec2On(e, "ReleaseAddress", func(in *ec2.ReleaseAddressRequest) []ec2Ref {
			return refs(network.TypeAddress, val(in.AllocationId))
		}), func(ctx context.Context, c Call, in *ec2.ReleaseAddressRequest) error {
			return e.net.ReleaseAddress(ctx, c.Scope, val(in.AllocationId), val(in.PublicIp))
		}),
		"DescribeInternetGateways": ec2Action(anything[ec2.DescribeInternetGatewaysRequest]("ec2:DescribeInternetGateways"), e.describeInternetGateways),
		"DescribeNatGateways":      ec2Action(anything[ec2.DescribeNatGatewaysRequest]("ec2:DescribeNatGateways"), e.describeNATs),
		"DescribeAddresses":        ec2Action(anything[ec2.DescribeAddressesRequest]("ec2:DescribeAddresses"), e.describeAddresses),
	}
}

func (e *ec2API) createInternetGateway(ctx context.Context, c Call, in *ec2.CreateInternetGatewayRequest) (*ec2.CreateInternetGatewayResult, error) {
	tags, err := specified(network.TypeGateway, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	g, err := e.net.CreateInternetGateway(ctx, c.Scope, tags)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateInternetGatewayResult{InternetGateway: new(gatewayOut(g))}, nil
}

func (e *ec2API) describeInternetGateways(ctx context.Context, c Call, in *ec2.DescribeInternetGatewaysRequest) (*ec2.DescribeInternetGatewaysResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeInternetGateways", in.InternetGatewayIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListInternetGateways(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(g network.InternetGateway) position { return placeOf(g.Head) }, gatewayOut)
	return &ec2.DescribeInternetGatewaysResult{InternetGateways: list, NextToken: next}, err
}

// gatewayOut shows a gateway. The state of an attachment is "available", as EC2 says it, not one of the words of its model.
func gatewayOut(g network.InternetGateway) ec2.InternetGateway {
	out := ec2.InternetGateway{InternetGatewayId: &g.ID, OwnerId: &g.Scope.Account, Tags: tagsEC2(g.Tags), Attachments: []ec2.InternetGatewayAttachment{}}
	if g.VPCID != "" {
		out.Attachments = append(out.Attachments, ec2.InternetGatewayAttachment{VpcId: &g.VPCID, State: new("available")})
	}
	return out
}

func (e *ec2API) createNAT(ctx context.Context, c Call, in *ec2.CreateNatGatewayRequest) (*ec2.CreateNatGatewayResult, error) {
	if err := notServed(map[string]bool{
		"AvailabilityMode": val(in.AvailabilityMode) == ec2.AvailabilityModeRegional, "AvailabilityZoneAddresses": len(in.AvailabilityZoneAddresses) > 0,
		"SecondaryAllocationIds": len(in.SecondaryAllocationIds) > 0, "SecondaryPrivateIpAddresses": len(in.SecondaryPrivateIpAddresses) > 0,
		"SecondaryPrivateIpAddressCount": in.SecondaryPrivateIpAddressCount != nil,
	}); err != nil {
		return nil, err
	}
	tags, err := specified(network.TypeNAT, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	g, err := e.net.CreateNAT(ctx, c.Scope, network.NATInput{
		SubnetID: val(in.SubnetId), Private: val(in.ConnectivityType) == ec2.ConnectivityTypePrivate, Allocation: val(in.AllocationId),
		Address: val(in.PrivateIpAddress), Token: val(in.ClientToken), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateNatGatewayResult{NatGateway: new(natOut(s)(g)), ClientToken: in.ClientToken}, nil
}

func (e *ec2API) deleteNAT(ctx context.Context, c Call, in *ec2.DeleteNatGatewayRequest) (*ec2.DeleteNatGatewayResult, error) {
	if err := e.net.DeleteNAT(ctx, c.Scope, *in.NatGatewayId); err != nil {
		return nil, err
	}
	return &ec2.DeleteNatGatewayResult{NatGatewayId: in.NatGatewayId}, nil
}

func (e *ec2API) describeNATs(ctx context.Context, c Call, in *ec2.DescribeNatGatewaysRequest) (*ec2.DescribeNatGatewaysResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeNatGateways", in.NatGatewayIds, in.Filter, in.MaxResults, in.NextToken}
	all, err := s.ListNATs(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(g network.NATGateway) position { return placeOf(g.Head) }, natOut(s))
	return &ec2.DescribeNatGatewaysResult{NatGateways: list, NextToken: next}, err
}

func natOut(s *network.Snapshot) func(network.NATGateway) ec2.NatGateway {
	return func(g network.NATGateway) ec2.NatGateway {
		kind := ec2.ConnectivityTypePrivate
		if g.Public {
			kind = ec2.ConnectivityTypePublic
		}
		out := ec2.NatGateway{
			NatGatewayId: &g.ID, VpcId: &g.VPCID, SubnetId: &g.SubnetID, State: &g.State, ConnectivityType: &kind, CreateTime: moment(g.CreatedAt), DeleteTime: moment(g.DeletedAt),
			Tags: tagsEC2(g.Tags), NatGatewayAddresses: []ec2.NatGatewayAddress{},
		}
		if g.Interface.ID == "" {
			return out
		}
		address := ec2.NatGatewayAddress{
			AllocationId: given(g.Allocation), NetworkInterfaceId: &g.Interface.ID, PrivateIp: new(g.Interface.Address.String()), IsPrimary: new(true),
			Status: new(ec2.NatGatewayAddressStatusSucceeded),
		}
		if a := s.Allocated(g.Allocation); a != nil {
			address.PublicIp, address.AssociationId = new(a.Address.String()), &a.Association
		}
		out.NatGatewayAddresses = append(out.NatGatewayAddresses, address)
		return out
	}
}

func (e *ec2API) allocate(ctx context.Context, c Call, in *ec2.AllocateAddressRequest) (*ec2.AllocateAddressResult, error) {
	if err := notServed(map[string]bool{
		"Address": in.Address != nil, "PublicIpv4Pool": val(in.PublicIpv4Pool) != "" && val(in.PublicIpv4Pool) != publicPool, "CustomerOwnedIpv4Pool": in.CustomerOwnedIpv4Pool != nil,
		"IpamPoolId": in.IpamPoolId != nil, "NetworkBorderGroup": val(in.NetworkBorderGroup) != "" && val(in.NetworkBorderGroup) != c.Scope.Region,
		"Domain": val(in.Domain) == ec2.DomainTypeStandard,
	}); err != nil {
		return nil, err
	}
	tags, err := specified(network.TypeAddress, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	a, err := e.net.AllocateAddress(ctx, c.Scope, tags)
	if err != nil {
		return nil, err
	}
	return &ec2.AllocateAddressResult{
		AllocationId: &a.ID, PublicIp: new(a.Address.String()), Domain: new(ec2.DomainTypeVpc), PublicIpv4Pool: new(publicPool), NetworkBorderGroup: &c.Scope.Region,
	}, nil
}

// publicPool is the name of the pool that all addresses are from.
const publicPool = "amazon"

func (e *ec2API) describeAddresses(ctx context.Context, c Call, in *ec2.DescribeAddressesRequest) (*ec2.DescribeAddressesResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	all, err := s.ListAddresses(network.Ask{IDs: in.AllocationIds, Filters: filtersIn(in.Filters)}, in.PublicIps)
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeAddressesResult{Addresses: make([]ec2.Address, len(all))}
	for i, a := range all {
		out.Addresses[i] = ec2.Address{
			AllocationId: &a.ID, PublicIp: new(a.Address.String()), Domain: new(ec2.DomainTypeVpc), PublicIpv4Pool: new(publicPool), NetworkBorderGroup: &a.Scope.Region,
			AssociationId: given(a.Association), NetworkInterfaceId: given(a.Interface), Tags: tagsEC2(a.Tags),
		}
		if a.Private.IsValid() {
			out.Addresses[i].PrivateIpAddress, out.Addresses[i].NetworkInterfaceOwnerId = new(a.Private.String()), &a.Scope.Account
		}
	}
	return out, nil
}
