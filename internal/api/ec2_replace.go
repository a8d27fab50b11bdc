package api

import (
	"context"

	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

// replaceActions change in place what else would be taken away and made again.
func (e *ec2API) replaceActions() map[string]Action {
	return map[string]Action{
		"ReplaceRoute": ec2Command(ec2On(e, "ReplaceRoute", func(in *ec2.ReplaceRouteRequest) []ec2Ref {
			return refs(network.TypeTable, val(in.RouteTableId))
		}), e.replaceRoute),
		"ReplaceRouteTableAssociation": ec2Action(ec2On(e, "ReplaceRouteTableAssociation", func(in *ec2.ReplaceRouteTableAssociationRequest) []ec2Ref {
			return refs(network.TypeTable, val(in.RouteTableId))
		}), e.replaceAssociation),
		"DisassociateAddress": ec2Command(ec2On(e, "DisassociateAddress", func(*ec2.DisassociateAddressRequest) []ec2Ref {
			return refs(network.TypeAddress, "") // the request names an association
		}), func(ctx context.Context, c Call, in *ec2.DisassociateAddressRequest) error {
			return e.net.DisassociateAddress(ctx, c.Scope, val(in.AssociationId), val(in.PublicIp))
		}),
		"ModifySecurityGroupRules": ec2Action(ec2On(e, "ModifySecurityGroupRules", func(in *ec2.ModifySecurityGroupRulesRequest) []ec2Ref {
			return []ec2Ref{groupRef(in.GroupId, nil)}
		}), e.modifyRules),
		"UpdateSecurityGroupRuleDescriptionsIngress": ec2Action(ec2On(e, "UpdateSecurityGroupRuleDescriptionsIngress", func(in *ec2.UpdateSecurityGroupRuleDescriptionsIngressRequest) []ec2Ref {
			return []ec2Ref{groupRef(in.GroupId, in.GroupName)}
		}), e.describeIngress),
		"UpdateSecurityGroupRuleDescriptionsEgress": ec2Action(ec2On(e, "UpdateSecurityGroupRuleDescriptionsEgress", func(in *ec2.UpdateSecurityGroupRuleDescriptionsEgressRequest) []ec2Ref {
			return []ec2Ref{groupRef(in.GroupId, in.GroupName)}
		}), e.describeEgress),
	}
}

func (e *ec2API) replaceRoute(ctx context.Context, c Call, in *ec2.ReplaceRouteRequest) error {
	if err := notServed(map[string]bool{
		"DestinationPrefixListId": in.DestinationPrefixListId != nil, "VpcEndpointId": in.VpcEndpointId != nil, "TransitGatewayId": in.TransitGatewayId != nil,
		"LocalGatewayId": in.LocalGatewayId != nil, "CarrierGatewayId": in.CarrierGatewayId != nil, "CoreNetworkArn": in.CoreNetworkArn != nil,
		"EgressOnlyInternetGatewayId": in.EgressOnlyInternetGatewayId != nil, "InstanceId": in.InstanceId != nil,
		"VpcPeeringConnectionId": in.VpcPeeringConnectionId != nil, "LocalTarget": in.LocalTarget != nil,
	}); err != nil {
		return err
	}
	target := val(in.GatewayId) + val(in.NatGatewayId) + val(in.NetworkInterfaceId) // at most one, or it is no id
	return e.net.ReplaceRoute(ctx, c.Scope, *in.RouteTableId, destination(in.DestinationCidrBlock, in.DestinationIpv6CidrBlock), target)
}

func (e *ec2API) replaceAssociation(ctx context.Context, c Call, in *ec2.ReplaceRouteTableAssociationRequest) (*ec2.ReplaceRouteTableAssociationResult, error) {
	id, err := e.net.ReplaceRouteTableAssociation(ctx, c.Scope, *in.AssociationId, *in.RouteTableId)
	if err != nil {
		return nil, err
	}
	return &ec2.ReplaceRouteTableAssociationResult{NewAssociationId: &id, AssociationState: associated()}, nil
}

func (e *ec2API) modifyRules(ctx context.Context, c Call, in *ec2.ModifySecurityGroupRulesRequest) (*ec2.ModifySecurityGroupRulesResult, error) {
	changes := map[string]network.Peer{}
	for _, u := range in.SecurityGroupRules {
		if u.SecurityGroupRule == nil {
			return nil, network.Missing("SecurityGroupRule")
		}
		r := u.SecurityGroupRule
		if err := notServed(map[string]bool{"PrefixListId": r.PrefixListId != nil}); err != nil {
			return nil, err
		}
		p := network.Peer{Protocol: val(r.IpProtocol), FromPort: r.FromPort, ToPort: r.ToPort}
		changes[val(u.SecurityGroupRuleId)] = p.With(val(r.CidrIpv4)+val(r.CidrIpv6), network.GroupRef{ID: val(r.ReferencedGroupId)}, val(r.Description))
	}
	if err := e.net.ModifyRules(ctx, c.Scope, *in.GroupId, changes); err != nil {
		return nil, err
	}
	return &ec2.ModifySecurityGroupRulesResult{Return: new(true)}, nil
}

func (e *ec2API) describeIngress(ctx context.Context, c Call, in *ec2.UpdateSecurityGroupRuleDescriptionsIngressRequest) (*ec2.UpdateSecurityGroupRuleDescriptionsIngressResult, error) {
	ref := network.GroupRef{ID: val(in.GroupId), Name: val(in.GroupName)}
	if err := e.describe(ctx, c, ref, false, in.IpPermissions, in.SecurityGroupRuleDescriptions); err != nil {
		return nil, err
	}
	return &ec2.UpdateSecurityGroupRuleDescriptionsIngressResult{Return: new(true)}, nil
}

func (e *ec2API) describeEgress(ctx context.Context, c Call, in *ec2.UpdateSecurityGroupRuleDescriptionsEgressRequest) (*ec2.UpdateSecurityGroupRuleDescriptionsEgressResult, error) {
	ref := network.GroupRef{ID: val(in.GroupId), Name: val(in.GroupName)}
	if err := e.describe(ctx, c, ref, true, in.IpPermissions, in.SecurityGroupRuleDescriptions); err != nil {
		return nil, err
	}
	return &ec2.UpdateSecurityGroupRuleDescriptionsEgressResult{Return: new(true)}, nil
}

func (e *ec2API) describe(ctx context.Context, c Call, ref network.GroupRef, egress bool, permissions []ec2.IpPermission, byID []ec2.SecurityGroupRuleDescription) error {
	rules, err := peers(permissions, oldRule{})
	if err != nil {
		return err
	}
	ids := map[string]string{}
	for _, d := range byID {
		ids[val(d.SecurityGroupRuleId)] = val(d.Description)
	}
	return e.net.DescribeRules(ctx, c.Scope, ref, egress, rules, ids)
}
