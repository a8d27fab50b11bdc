package api

import (
	"context"

	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

func (e *ec2API) vpcActions() map[string]Action {
	return map[string]Action{
		"CreateVpc": ec2Action(ec2On(e, "CreateVpc", func(in *ec2.CreateVpcRequest) []ec2Ref {
			return []ec2Ref{making(network.TypeVPC, in.TagSpecifications)}
		}), e.createVPC),
		"CreateDefaultVpc": ec2Action(ec2On(e, "CreateDefaultVpc", func(*ec2.CreateDefaultVpcRequest) []ec2Ref {
			return []ec2Ref{making(network.TypeVPC, nil)}
		}), e.createDefaultVPC),
		"DeleteVpc": ec2Command(ec2On(e, "DeleteVpc", func(in *ec2.DeleteVpcRequest) []ec2Ref { return refs(network.TypeVPC, val(in.VpcId)) }),
			func(ctx context.Context, c Call, in *ec2.DeleteVpcRequest) error {
				return e.net.DeleteVPC(ctx, c.Scope, *in.VpcId)
			}),
		"ModifyVpcAttribute":   ec2Command(ec2On(e, "ModifyVpcAttribute", func(in *ec2.ModifyVpcAttributeRequest) []ec2Ref { return refs(network.TypeVPC, val(in.VpcId)) }), e.modifyVPC),
		"DescribeVpcAttribute": ec2Action(ec2On(e, "DescribeVpcAttribute", func(in *ec2.DescribeVpcAttributeRequest) []ec2Ref { return refs(network.TypeVPC, val(in.VpcId)) }), e.describeVPCAttribute),
		"DescribeVpcs":         ec2Action(anything[ec2.DescribeVpcsRequest]("ec2:DescribeVpcs"), e.describeVPCs),
		"CreateSubnet": ec2Action(ec2On(e, "CreateSubnet", func(in *ec2.CreateSubnetRequest) []ec2Ref {
			return append(refs(network.TypeVPC, val(in.VpcId)), making(network.TypeSubnet, in.TagSpecifications))
		}), e.createSubnet),
		"DeleteSubnet": ec2Command(ec2On(e, "DeleteSubnet", func(in *ec2.DeleteSubnetRequest) []ec2Ref { return refs(network.TypeSubnet, val(in.SubnetId)) }),
			func(ctx context.Context, c Call, in *ec2.DeleteSubnetRequest) error {
				return e.net.DeleteSubnet(ctx, c.Scope, *in.SubnetId)
			}),
		"ModifySubnetAttribute": ec2Command(ec2On(e, "ModifySubnetAttribute", func(in *ec2.ModifySubnetAttributeRequest) []ec2Ref {
			return refs(network.TypeSubnet, val(in.SubnetId))
		}), e.modifySubnet),
		"DescribeSubnets": ec2Action(anything[ec2.DescribeSubnetsRequest]("ec2:DescribeSubnets"), e.describeSubnets),
	}
}

func (e *ec2API) createVPC(ctx context.Context, c Call, in *ec2.CreateVpcRequest) (*ec2.CreateVpcResult, error) {
	tags, err := specified(network.TypeVPC, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	if err := notServed(map[string]bool{
		"Ipv6Pool": in.Ipv6Pool != nil, "Ipv6CidrBlock": in.Ipv6CidrBlock != nil, "Ipv4IpamPoolId": in.Ipv4IpamPoolId != nil, "Ipv6IpamPoolId": in.Ipv6IpamPoolId != nil,
		"AmazonProvidedIpv6CidrBlock": val(in.AmazonProvidedIpv6CidrBlock), "VpcEncryptionControl": in.VpcEncryptionControl != nil, "Ipv4NetmaskLength": in.Ipv4NetmaskLength != nil,
	}); err != nil {
		return nil, err
	}
	v, err := e.net.CreateVPC(ctx, c.Scope, network.VPCInput{CIDR: val(in.CidrBlock), Tenancy: val(in.InstanceTenancy), Tags: tags})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateVpcResult{Vpc: new(vpcOut(v))}, nil
}

func (e *ec2API) createDefaultVPC(ctx context.Context, c Call, _ *ec2.CreateDefaultVpcRequest) (*ec2.CreateDefaultVpcResult, error) {
	v, err := e.net.CreateDefaultVPC(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateDefaultVpcResult{Vpc: new(vpcOut(v))}, nil
}

func (e *ec2API) modifyVPC(ctx context.Context, c Call, in *ec2.ModifyVpcAttributeRequest) error {
	return e.net.ModifyVPC(ctx, c.Scope, *in.VpcId, network.VPCChange{
		DNSSupport: attribute(in.EnableDnsSupport), DNSHostnames: attribute(in.EnableDnsHostnames), AddressUsage: attribute(in.EnableNetworkAddressUsageMetrics),
	})
}

// attribute is a sent flag; nil where there is none.
func attribute(a *ec2.AttributeBooleanValue) *bool {
	if a == nil {
		return nil
	}
	return a.Value
}

func (e *ec2API) describeVPCAttribute(ctx context.Context, c Call, in *ec2.DescribeVpcAttributeRequest) (*ec2.DescribeVpcAttributeResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	found, err := s.ListVPCs(network.Ask{IDs: []string{*in.VpcId}})
	if err != nil {
		return nil, err
	}
	v, out := found[0], &ec2.DescribeVpcAttributeResult{VpcId: in.VpcId}
	switch *in.Attribute {
	case ec2.VpcAttributeNameEnableDnsSupport:
		out.EnableDnsSupport = &ec2.AttributeBooleanValue{Value: &v.DNSSupport}
	case ec2.VpcAttributeNameEnableDnsHostnames:
		out.EnableDnsHostnames = &ec2.AttributeBooleanValue{Value: &v.DNSHostnames}
	default:
		out.EnableNetworkAddressUsageMetrics = &ec2.AttributeBooleanValue{Value: &v.AddressUsage}
	}
	return out, nil
}

func (e *ec2API) describeVPCs(ctx context.Context, c Call, in *ec2.DescribeVpcsRequest) (*ec2.DescribeVpcsResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeVpcs", in.VpcIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListVPCs(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(v network.VPC) position { return placeOf(v.Head) }, vpcOut)
	return &ec2.DescribeVpcsResult{Vpcs: list, NextToken: next}, err
}

func vpcOut(v network.VPC) ec2.Vpc {
	return ec2.Vpc{
		VpcId: &v.ID, OwnerId: &v.Scope.Account, CidrBlock: new(v.CIDR.String()), State: new("available"), IsDefault: &v.Default,
		InstanceTenancy: &v.Tenancy, DhcpOptionsId: &v.DHCPOptions, Tags: tagsEC2(v.Tags), Ipv6CidrBlockAssociationSet: []ec2.VpcIpv6CidrBlockAssociation{},
		CidrBlockAssociationSet: []ec2.VpcCidrBlockAssociation{{
			AssociationId: new(v.CIDRAssociation()), CidrBlock: new(v.CIDR.String()), CidrBlockState: &ec2.VpcCidrBlockState{State: new("associated")},
		}},
	}
}

func (e *ec2API) createSubnet(ctx context.Context, c Call, in *ec2.CreateSubnetRequest) (*ec2.CreateSubnetResult, error) {
	tags, err := specified(network.TypeSubnet, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	if err := notServed(map[string]bool{
		"Ipv6CidrBlock": in.Ipv6CidrBlock != nil, "OutpostArn": in.OutpostArn != nil, "Ipv6Native": val(in.Ipv6Native),
		"Ipv4IpamPoolId": in.Ipv4IpamPoolId != nil, "Ipv6IpamPoolId": in.Ipv6IpamPoolId != nil,
	}); err != nil {
		return nil, err
	}
	sub, err := e.net.CreateSubnet(ctx, c.Scope, network.SubnetInput{
		VPCID: *in.VpcId, CIDR: val(in.CidrBlock), Zone: val(in.AvailabilityZone), ZoneID: val(in.AvailabilityZoneId), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	out := subnetOut(&network.Snapshot{Scope: c.Scope})(sub)
	return &ec2.CreateSubnetResult{Subnet: &out}, nil
}

func (e *ec2API) modifySubnet(ctx context.Context, c Call, in *ec2.ModifySubnetAttributeRequest) error {
	if err := notServed(map[string]bool{
		"AssignIpv6AddressOnCreation": val(attribute(in.AssignIpv6AddressOnCreation)), "MapCustomerOwnedIpOnLaunch": val(attribute(in.MapCustomerOwnedIpOnLaunch)),
		"EnableDns64": val(attribute(in.EnableDns64)), "EnableLniAtDeviceIndex": in.EnableLniAtDeviceIndex != nil,
		"EnableResourceNameDnsAAAARecordOnLaunch": val(attribute(in.EnableResourceNameDnsAAAARecordOnLaunch)),
	}); err != nil {
		return err
	}
	return e.net.ModifySubnet(ctx, c.Scope, *in.SubnetId, network.SubnetChange{
		MapPublicIP: attribute(in.MapPublicIpOnLaunch), HostnameType: in.PrivateDnsHostnameTypeOnLaunch, ResourceNameA: attribute(in.EnableResourceNameDnsARecordOnLaunch),
	})
}

func (e *ec2API) describeSubnets(ctx context.Context, c Call, in *ec2.DescribeSubnetsRequest) (*ec2.DescribeSubnetsResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeSubnets", in.SubnetIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListSubnets(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(x network.Subnet) position { return placeOf(x.Head) }, subnetOut(s))
	return &ec2.DescribeSubnetsResult{Subnets: list, NextToken: next}, err
}

func subnetOut(s *network.Snapshot) func(network.Subnet) ec2.Subnet {
	return func(x network.Subnet) ec2.Subnet {
		no := new(bool)
		return ec2.Subnet{
			SubnetId: &x.ID, SubnetArn: new(network.ARN(x.Scope, network.TypeSubnet, x.ID)), VpcId: &x.VPCID, OwnerId: &x.Scope.Account, CidrBlock: new(x.CIDR.String()),
			State: new("available"), AvailabilityZone: &x.Zone, AvailabilityZoneId: new(network.ZoneID(x.Scope.Region, x.Zone)),
			AvailableIpAddressCount: int32Out(s.Free(x)), DefaultForAz: &x.DefaultForZone, MapPublicIpOnLaunch: &x.MapPublicIP, Tags: tagsEC2(x.Tags),
			AssignIpv6AddressOnCreation: no, EnableDns64: no, Ipv6Native: no, MapCustomerOwnedIpOnLaunch: no,
			Ipv6CidrBlockAssociationSet:   []ec2.SubnetIpv6CidrBlockAssociation{},
			PrivateDnsNameOptionsOnLaunch: &ec2.PrivateDnsNameOptionsOnLaunch{HostnameType: &x.HostnameType, EnableResourceNameDnsARecord: &x.ResourceNameA, EnableResourceNameDnsAAAARecord: no},
		}
	}
}
