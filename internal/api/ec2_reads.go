package api

import (
	"context"
	"slices"
	"strconv"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

// readActions are those about what can only be looked at.
func (e *ec2API) readActions() map[string]Action {
	return map[string]Action{
		"DescribeNetworkInterfaces": ec2Action(anything[ec2.DescribeNetworkInterfacesRequest]("ec2:DescribeNetworkInterfaces"), e.describeInterfaces),
		"DescribeNetworkAcls":       ec2Action(anything[ec2.DescribeNetworkAclsRequest]("ec2:DescribeNetworkAcls"), e.describeACLs),
		"DescribeDhcpOptions":       ec2Action(anything[ec2.DescribeDhcpOptionsRequest]("ec2:DescribeDhcpOptions"), e.describeOptions),
		"DescribeAvailabilityZones": ec2Action(anything[ec2.DescribeAvailabilityZonesRequest]("ec2:DescribeAvailabilityZones"), e.describeZones),
		"DescribeRegions":           ec2Action(anything[ec2.DescribeRegionsRequest]("ec2:DescribeRegions"), e.describeRegions),
		"DescribePrefixLists":       ec2Action(anything[ec2.DescribePrefixListsRequest]("ec2:DescribePrefixLists"), e.describePrefixLists),
		"DescribeAccountAttributes": ec2Action(anything[ec2.DescribeAccountAttributesRequest]("ec2:DescribeAccountAttributes"), e.describeAccount),
	}
}

func (e *ec2API) describeInterfaces(ctx context.Context, c Call, in *ec2.DescribeNetworkInterfacesRequest) (*ec2.DescribeNetworkInterfacesResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeNetworkInterfaces", in.NetworkInterfaceIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListInterfaces(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(i network.Interface) position { return placeOf(i.Head) }, interfaceOut(s))
	return &ec2.DescribeNetworkInterfacesResult{NetworkInterfaces: list, NextToken: next}, err
}

func interfaceOut(s *network.Snapshot) func(network.Interface) ec2.NetworkInterface {
	return func(i network.Interface) ec2.NetworkInterface {
		address := i.Address.String()
		out := ec2.NetworkInterface{
			NetworkInterfaceId: &i.ID, SubnetId: &i.SubnetID, VpcId: &i.VPCID, OwnerId: &i.Scope.Account, AvailabilityZone: &i.Zone,
			AvailabilityZoneId: new(network.ZoneID(i.Scope.Region, i.Zone)), Description: &i.Description, InterfaceType: &i.Kind, MacAddress: &i.MAC,
			PrivateIpAddress: &address, PrivateIpAddresses: []ec2.NetworkInterfacePrivateIpAddress{{Primary: new(true), PrivateIpAddress: &address}},
			RequesterManaged: new(!i.IsCommand()), SourceDestCheck: new(i.Kind != network.InterfaceNAT), Status: new("in-use"),
			Groups: []ec2.GroupIdentifier{}, TagSet: tagsEC2(i.Tags), Ipv6Addresses: []ec2.NetworkInterfaceIpv6Address{},
			Attachment: &ec2.NetworkInterfaceAttachment{
				AttachmentId: new("eni-attach-" + i.ID[len("eni-"):]), AttachTime: moment(i.CreatedAt), DeleteOnTermination: new(false), DeviceIndex: int32Out(1),
				InstanceOwnerId: new("amazon-aws"), Status: new(ec2.AttachmentStatusAttached),
			},
		}
		for _, id := range i.Groups {
			out.Groups = append(out.Groups, ec2.GroupIdentifier{GroupId: &id, GroupName: new(s.GroupName(id))})
		}
		if a := s.PublicOf(i.ID); a != nil {
			out.Association = &ec2.NetworkInterfaceAssociation{AllocationId: &a.ID, AssociationId: &a.Association, PublicIp: new(a.Address.String()), IpOwnerId: &a.Scope.Account}
			out.PrivateIpAddresses[0].Association = out.Association
		}
		return out
	}
}

func (e *ec2API) describeACLs(ctx context.Context, c Call, in *ec2.DescribeNetworkAclsRequest) (*ec2.DescribeNetworkAclsResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeNetworkAcls", in.NetworkAclIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListACLs(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(a network.ACL) position { return placeOf(a.Head) }, networkACLOut(s))
	return &ec2.DescribeNetworkAclsResult{NetworkAcls: list, NextToken: next}, err
}

// lastRule is the number of the rule of a network ACL that refuses what no other allows.
const lastRule = 32767

func networkACLOut(s *network.Snapshot) func(network.ACL) ec2.NetworkAcl {
	return func(a network.ACL) ec2.NetworkAcl {
		out := ec2.NetworkAcl{NetworkAclId: &a.ID, VpcId: &a.VPCID, OwnerId: &a.Scope.Account, IsDefault: new(true), Tags: tagsEC2(a.Tags), Associations: []ec2.NetworkAclAssociation{}}
		for _, egress := range []bool{true, false} {
			for number, does := range map[int]string{100: ec2.RuleActionAllow, lastRule: ec2.RuleActionDeny} {
				out.Entries = append(out.Entries, ec2.NetworkAclEntry{
					CidrBlock: new("0.0.0.0/0"), Egress: &egress, Protocol: new("-1"), RuleAction: &does, RuleNumber: int32Out(number),
				})
			}
		}
		slices.SortStableFunc(out.Entries, func(x, y ec2.NetworkAclEntry) int { return int(*x.RuleNumber - *y.RuleNumber) })
		for _, sub := range s.SubnetsOf(a.VPCID) {
			out.Associations = append(out.Associations, ec2.NetworkAclAssociation{
				NetworkAclAssociationId: new("aclassoc-" + sub.ID[len("subnet-"):]), NetworkAclId: &a.ID, SubnetId: &sub.ID,
			})
		}
		return out
	}
}

func (e *ec2API) describeOptions(ctx context.Context, c Call, in *ec2.DescribeDhcpOptionsRequest) (*ec2.DescribeDhcpOptionsResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	ids := slices.DeleteFunc(slices.Clone(in.DhcpOptionsIds), func(id string) bool { return id == "default" })
	l := ec2Listing{c, "DescribeDhcpOptions", ids, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListOptions(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(o network.DHCPOptions) position { return placeOf(o.Head) }, optionsOut)
	return &ec2.DescribeDhcpOptionsResult{DhcpOptions: list, NextToken: next}, err
}

func optionsOut(o network.DHCPOptions) ec2.DhcpOptions {
	option := func(key, value string) ec2.DhcpConfiguration {
		return ec2.DhcpConfiguration{Key: &key, Values: []ec2.AttributeValue{{Value: &value}}}
	}
	return ec2.DhcpOptions{
		DhcpOptionsId: &o.ID, OwnerId: &o.Scope.Account, Tags: tagsEC2(o.Tags),
		DhcpConfigurations: []ec2.DhcpConfiguration{option("domain-name", network.DomainName(o.Scope.Region)), option("domain-name-servers", network.ProvidedDNS)},
	}
}

func (e *ec2API) describeZones(_ context.Context, c Call, in *ec2.DescribeAvailabilityZonesRequest) (*ec2.DescribeAvailabilityZonesResult, error) {
	out := &ec2.DescribeAvailabilityZonesResult{AvailabilityZones: []ec2.AvailabilityZone{}}
	zones := network.Zones(c.Scope.Region)
	for member, want := range map[string][]string{"ZoneName": in.ZoneNames, "ZoneId": in.ZoneIds} {
		for _, name := range want {
			if !slices.ContainsFunc(zones, func(z network.Zone) bool {
				return z.Name == name && member == "ZoneName" || z.ID == name && member == "ZoneId"
			}) {
				return nil, apprunner.Errorf(network.CodeParameterValue, "Invalid availability zone: [%s] for %s.", clip(name, 64), member)
			}
		}
	}
	for _, z := range zones {
		passes, err := network.Passes(filtersIn(in.Filters), nil, zoneField(c.Scope.Region, z))
		if err != nil {
			return nil, err
		}
		wanted := (len(in.ZoneNames) == 0 || slices.Contains(in.ZoneNames, z.Name)) && (len(in.ZoneIds) == 0 || slices.Contains(in.ZoneIds, z.ID))
		if !passes || !wanted {
			continue
		}
		out.AvailabilityZones = append(out.AvailabilityZones, ec2.AvailabilityZone{
			ZoneName: &z.Name, ZoneId: &z.ID, ZoneType: new("availability-zone"), RegionName: &c.Scope.Region, State: new("available"), OptInStatus: new("opt-in-not-required"),
			GroupName: new(c.Scope.Region + "-zg-1"), NetworkBorderGroup: &c.Scope.Region, Messages: []ec2.AvailabilityZoneMessage{},
		})
	}
	return out, nil
}

func zoneField(region string, z network.Zone) func(string) ([]string, bool) {
	values := map[string]string{
		"zone-name": z.Name, "zone-id": z.ID, "zone-type": "availability-zone", "region-name": region, "state": "available", "opt-in-status": "opt-in-not-required",
		"group-name": region + "-zg-1", "message": "", "parent-zone-id": "", "parent-zone-name": "",
	}
	return func(name string) ([]string, bool) {
		v, known := values[name]
		return []string{v}, known
	}
}

// describeRegions shows the region that the request is signed for: an installation serves whatever region it is asked in.
func (e *ec2API) describeRegions(_ context.Context, c Call, in *ec2.DescribeRegionsRequest) (*ec2.DescribeRegionsResult, error) {
	names := in.RegionNames
	if len(names) == 0 {
		names = []string{c.Scope.Region}
	}
	out := &ec2.DescribeRegionsResult{Regions: []ec2.Region{}}
	for _, name := range names {
		if !regionForm.MatchString(name) {
			return nil, apprunner.Errorf(network.CodeParameterValue, "Invalid region name: [%s].", clip(name, 64))
		}
		values := map[string]string{"region-name": name, "endpoint": e.endpoint, "opt-in-status": "opt-in-not-required"}
		passes, err := network.Passes(filtersIn(in.Filters), nil, func(f string) ([]string, bool) {
			v, known := values[f]
			return []string{v}, known
		})
		if err != nil {
			return nil, err
		}
		if passes {
			out.Regions = append(out.Regions, ec2.Region{RegionName: &name, Endpoint: &e.endpoint, OptInStatus: new("opt-in-not-required")})
		}
	}
	return out, nil
}

// describePrefixLists lists nothing: prefix lists belong to gateway endpoints, which are not here. Templates ask for that of every endpoint.
func (e *ec2API) describePrefixLists(_ context.Context, _ Call, in *ec2.DescribePrefixListsRequest) (*ec2.DescribePrefixListsResult, error) {
	if len(in.PrefixListIds) > 0 {
		return nil, apprunner.Errorf("InvalidPrefixListId.NotFound", "The prefix list ID '%s' does not exist", clip(in.PrefixListIds[0], 64))
	}
	return &ec2.DescribePrefixListsResult{PrefixLists: []ec2.PrefixList{}}, nil
}

func (e *ec2API) describeAccount(ctx context.Context, c Call, in *ec2.DescribeAccountAttributesRequest) (*ec2.DescribeAccountAttributesResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	defaultVPC := "none"
	if v := s.DefaultVPC(); v != nil {
		defaultVPC = v.ID
	}
	out := &ec2.DescribeAccountAttributesResult{AccountAttributes: []ec2.AccountAttribute{}}
	for _, a := range [][2]string{
		{"supported-platforms", "VPC"}, {"default-vpc", defaultVPC}, {"vpc-max-elastic-ips", strconv.Itoa(network.MaxAddresses)},
	} {
		if len(in.AttributeNames) == 0 || slices.Contains(in.AttributeNames, a[0]) {
			out.AccountAttributes = append(out.AccountAttributes, ec2.AccountAttribute{AttributeName: &a[0], AttributeValues: []ec2.AccountAttributeValue{{AttributeValue: &a[1]}}})
		}
	}
	return out, nil
}
