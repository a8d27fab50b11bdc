package api

import (
	"context"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

func (e *ec2API) endpointActions() map[string]Action {
	return map[string]Action{
		"CreateVpcEndpoint": ec2Action(ec2On(e, "CreateVpcEndpoint", func(in *ec2.CreateVpcEndpointRequest) []ec2Ref {
			made := making(network.TypeEndpoint, in.TagSpecifications)
			made.keys = map[string][]string{"ec2:VpceServiceName": {val(in.ServiceName)}}
			return slices.Concat([]ec2Ref{made}, refs(network.TypeVPC, val(in.VpcId)), refs(network.TypeSubnet, in.SubnetIds...), refs(network.TypeGroup, in.SecurityGroupIds...))
		}), e.createEndpoint),
		"ModifyVpcEndpoint": ec2Action(ec2On(e, "ModifyVpcEndpoint", func(in *ec2.ModifyVpcEndpointRequest) []ec2Ref {
			return slices.Concat(refs(network.TypeEndpoint, val(in.VpcEndpointId)), refs(network.TypeSubnet, slices.Concat(in.AddSubnetIds, in.RemoveSubnetIds)...),
				refs(network.TypeGroup, slices.Concat(in.AddSecurityGroupIds, in.RemoveSecurityGroupIds)...))
		}), e.modifyEndpoint),
		"DeleteVpcEndpoints": ec2Action(ec2On(e, "DeleteVpcEndpoints", func(in *ec2.DeleteVpcEndpointsRequest) []ec2Ref {
			return refs(network.TypeEndpoint, in.VpcEndpointIds...)
		}), e.deleteEndpoints),
		"DescribeVpcEndpoints":        ec2Action(anything[ec2.DescribeVpcEndpointsRequest]("ec2:DescribeVpcEndpoints"), e.describeEndpoints),
		"DescribeVpcEndpointServices": ec2Action(anything[ec2.DescribeVpcEndpointServicesRequest]("ec2:DescribeVpcEndpointServices"), e.describeEndpointServices),
	}
}

// checkPolicy reads the policy of an endpoint as the policies of other resources are read.
func checkPolicy(document *string) error {
	if val(document) == "" {
		return nil
	}
	if _, err := iam.ParseDocument(*document, iam.ResourcePolicy); err != nil {
		return apprunner.Errorf("InvalidPolicyDocument", "The policy document is not valid: %w", err)
	}
	return nil
}

func (e *ec2API) createEndpoint(ctx context.Context, c Call, in *ec2.CreateVpcEndpointRequest) (*ec2.CreateVpcEndpointResult, error) {
	if kind := val(in.VpcEndpointType); kind != "" && kind != ec2.VpcEndpointTypeInterface {
		return nil, apprunner.Errorf(network.CodeParameter, "Endpoint type (%s) does not match available service types ([Interface]).", kind)
	}
	if err := notServed(map[string]bool{
		"RouteTableIds": len(in.RouteTableIds) > 0, "SubnetConfigurations": len(in.SubnetConfigurations) > 0, "ServiceNetworkArn": in.ServiceNetworkArn != nil,
		"ResourceConfigurationArn": in.ResourceConfigurationArn != nil, "IpAddressType": val(in.IpAddressType) != "" && val(in.IpAddressType) != "ipv4",
		"ServiceRegion": val(in.ServiceRegion) != "" && val(in.ServiceRegion) != c.Scope.Region,
	}); err != nil {
		return nil, err
	}
	tags, err := specified(network.TypeEndpoint, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	if err := checkPolicy(in.PolicyDocument); err != nil {
		return nil, err
	}
	x, err := e.net.CreateEndpoint(ctx, c.Scope, network.EndpointInput{
		VPCID: *in.VpcId, ServiceName: val(in.ServiceName), Subnets: in.SubnetIds, Groups: in.SecurityGroupIds, PrivateDNS: in.PrivateDnsEnabled,
		Policy: val(in.PolicyDocument), Token: val(in.ClientToken), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	return &ec2.CreateVpcEndpointResult{VpcEndpoint: new(endpointOut(s)(x)), ClientToken: in.ClientToken}, nil
}

func (e *ec2API) modifyEndpoint(ctx context.Context, c Call, in *ec2.ModifyVpcEndpointRequest) (*ec2.ModifyVpcEndpointResult, error) {
	if err := notServed(map[string]bool{
		"AddRouteTableIds": len(in.AddRouteTableIds) > 0, "RemoveRouteTableIds": len(in.RemoveRouteTableIds) > 0, "SubnetConfigurations": len(in.SubnetConfigurations) > 0,
		"IpAddressType": val(in.IpAddressType) != "" && val(in.IpAddressType) != "ipv4",
	}); err != nil {
		return nil, err
	}
	if err := checkPolicy(in.PolicyDocument); err != nil {
		return nil, err
	}
	err := e.net.ModifyEndpoint(ctx, c.Scope, *in.VpcEndpointId, network.EndpointChange{
		AddSubnets: in.AddSubnetIds, RemoveSubnets: in.RemoveSubnetIds, AddGroups: in.AddSecurityGroupIds, RemoveGroups: in.RemoveSecurityGroupIds,
		PrivateDNS: in.PrivateDnsEnabled, Policy: val(in.PolicyDocument), ResetPolicy: val(in.ResetPolicy),
	})
	if err != nil {
		return nil, err
	}
	return &ec2.ModifyVpcEndpointResult{Return: new(true)}, nil
}

func (e *ec2API) deleteEndpoints(ctx context.Context, c Call, in *ec2.DeleteVpcEndpointsRequest) (*ec2.DeleteVpcEndpointsResult, error) {
	kept, err := e.net.DeleteEndpoints(ctx, c.Scope, in.VpcEndpointIds)
	if err != nil {
		return nil, err
	}
	out := &ec2.DeleteVpcEndpointsResult{Unsuccessful: make([]ec2.UnsuccessfulItem, len(kept))}
	for i, k := range kept {
		out.Unsuccessful[i] = ec2.UnsuccessfulItem{
			ResourceId: &k.ID, Error: &ec2.UnsuccessfulItemError{Code: new(string(apprunner.CodeOf(k.Err))), Message: new(k.Err.Error())},
		}
	}
	return out, nil
}

func (e *ec2API) describeEndpoints(ctx context.Context, c Call, in *ec2.DescribeVpcEndpointsRequest) (*ec2.DescribeVpcEndpointsResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeVpcEndpoints", in.VpcEndpointIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListEndpoints(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(x network.Endpoint) position { return placeOf(x.Head) }, endpointOut(s))
	return &ec2.DescribeVpcEndpointsResult{VpcEndpoints: list, NextToken: next}, err
}

func endpointOut(s *network.Snapshot) func(network.Endpoint) ec2.VpcEndpoint {
	return func(x network.Endpoint) ec2.VpcEndpoint {
		out := ec2.VpcEndpoint{
			VpcEndpointId: &x.ID, VpcEndpointType: new(ec2.VpcEndpointTypeInterface), VpcId: &x.VPCID, OwnerId: &x.Scope.Account,
			ServiceName: new(network.ServiceName(x.Scope.Region, x.Service)), ServiceRegion: &x.Scope.Region, State: new(string(x.State)), PolicyDocument: given(x.Policy),
			RouteTableIds: []string{}, SubnetIds: append([]string{}, x.Subnets...), Groups: []ec2.SecurityGroupIdentifier{}, IpAddressType: new("ipv4"),
			DnsOptions: &ec2.DnsOptions{DnsRecordIpType: new("ipv4")}, PrivateDnsEnabled: &x.PrivateDNS, RequesterManaged: new(false),
			NetworkInterfaceIds: []string{}, DnsEntries: []ec2.DnsEntry{}, CreationTimestamp: moment(x.CreatedAt), Tags: tagsEC2(x.Tags), FailureReason: given(x.Reason),
		}
		for _, id := range x.Groups {
			out.Groups = append(out.Groups, ec2.SecurityGroupIdentifier{GroupId: &id, GroupName: new(s.GroupName(id))})
		}
		for _, i := range x.Interfaces {
			out.NetworkInterfaceIds = append(out.NetworkInterfaceIds, i.ID)
		}
		for _, n := range x.Names() {
			out.DnsEntries = append(out.DnsEntries, ec2.DnsEntry{DnsName: &n.Host, HostedZoneId: new("")})
		}
		if name := network.PrivateName(x.Scope.Region, x.Service); x.PrivateDNS && name != "" {
			out.DnsEntries = append(out.DnsEntries, ec2.DnsEntry{DnsName: &name, HostedZoneId: new("")})
		}
		if x.Reason != "" {
			out.LastError = &ec2.LastError{Code: new("Failed"), Message: &x.Reason}
		}
		return out
	}
}

func (e *ec2API) describeEndpointServices(_ context.Context, c Call, in *ec2.DescribeVpcEndpointServicesRequest) (*ec2.DescribeVpcEndpointServicesResult, error) {
	var names []string
	for _, s := range network.EndpointServices() {
		names = append(names, network.ServiceName(c.Scope.Region, s))
	}
	for _, want := range in.ServiceNames {
		if !slices.Contains(names, want) {
			return nil, apprunner.Errorf(network.CodeServiceName, "The Vpc Endpoint Service '%s' does not exist", clip(want, 128))
		}
	}
	var all []ec2.ServiceDetail
	for _, s := range network.EndpointServices() {
		d := serviceOut(c, s)
		passes, err := network.Passes(filtersIn(in.Filters), nil, serviceField(d))
		if err != nil {
			return nil, err
		}
		if passes && (len(in.ServiceNames) == 0 || slices.Contains(in.ServiceNames, *d.ServiceName)) {
			all = append(all, d)
		}
	}
	l := ec2Listing{c, "DescribeVpcEndpointServices", nil, in.Filters, in.MaxResults, in.NextToken}
	list, next, err := pageEC2(e, l, all, func(d ec2.ServiceDetail) position { return position{Name: *d.ServiceName} }, func(d ec2.ServiceDetail) ec2.ServiceDetail { return d })
	out := &ec2.DescribeVpcEndpointServicesResult{ServiceDetails: list, ServiceNames: []string{}, NextToken: next}
	for _, d := range list {
		out.ServiceNames = append(out.ServiceNames, *d.ServiceName)
	}
	return out, err
}

func serviceField(d ec2.ServiceDetail) func(string) ([]string, bool) {
	return func(name string) ([]string, bool) {
		switch name {
		case "service-name":
			return []string{*d.ServiceName}, true
		case "service-type":
			return []string{"Interface"}, true
		case "service-region":
			return []string{*d.ServiceRegion}, true
		case "owner":
			return []string{"amazon"}, true
		case "supported-ip-address-types":
			return []string{"ipv4"}, true
		}
		return nil, false
	}
}

func serviceOut(c Call, service string) ec2.ServiceDetail {
	region := c.Scope.Region
	d := ec2.ServiceDetail{
		ServiceName: new(network.ServiceName(region, service)), ServiceId: new("vpce-svc-" + strings.ReplaceAll(service, ".", "-")), ServiceRegion: &region,
		ServiceType: []ec2.ServiceTypeDetail{{ServiceType: new(ec2.ServiceTypeInterface)}}, Owner: new("amazon"), BaseEndpointDnsNames: []string{network.BaseName(region, service)},
		VpcEndpointPolicySupported: new(service == network.ServiceAPI), AcceptanceRequired: new(false), ManagesVpcEndpoints: new(false),
		Tags: []ec2.Tag{}, SupportedIpAddressTypes: []string{"ipv4"}, AvailabilityZones: []string{}, AvailabilityZoneIds: []string{},
	}
	for _, z := range network.Zones(region) {
		d.AvailabilityZones, d.AvailabilityZoneIds = append(d.AvailabilityZones, z.Name), append(d.AvailabilityZoneIds, z.ID)
	}
	if name := network.PrivateName(region, service); name != "" {
		d.PrivateDnsName, d.PrivateDnsNames, d.PrivateDnsNameVerificationState = &name, []ec2.PrivateDnsDetails{{PrivateDnsName: &name}}, new("verified")
	}
	return d
}
