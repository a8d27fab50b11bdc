package api_test

import (
	"slices"
	"testing"
)

// A route is sent through another target, and subnets and VPCs get other tables, without a moment in between.
func TestRoutesAreReplaced(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	subnet := c.do(t, "CreateSubnet", "VpcId="+vpc, "CidrBlock=10.0.1.0/24").text("subnet/subnetId")
	first := c.do(t, "CreateRouteTable", "VpcId="+vpc).text("routeTable/routeTableId")
	second := c.do(t, "CreateRouteTable", "VpcId="+vpc).text("routeTable/routeTableId")
	gateway := c.do(t, "CreateInternetGateway").text("internetGateway/internetGatewayId")
	c.do(t, "AttachInternetGateway", "InternetGatewayId="+gateway, "VpcId="+vpc)
	nat := c.do(t, "CreateNatGateway", "SubnetId="+subnet, "ConnectivityType=private").text("natGateway/natGatewayId")

	in, all := "RouteTableId="+first, "DestinationCidrBlock=0.0.0.0/0"
	c.refused(t, "InvalidParameterValue", "ReplaceRoute", in, all, "GatewayId="+gateway)
	c.do(t, "CreateRoute", in, all, "GatewayId="+gateway)
	c.do(t, "ReplaceRoute", in, all, "NatGatewayId="+nat)
	for _, tc := range [][]string{
		{"MissingParameter", all},
		{"UnsupportedOperation", all, "TransitGatewayId=tgw-00000000"},
		{"NatGatewayNotFound", all, "NatGatewayId=nat-00000000"},
		{"InvalidParameterValue", "DestinationCidrBlock=10.0.1.0/24", "GatewayId=" + gateway},
	} {
		c.refused(t, tc[0], "ReplaceRoute", append([]string{in}, tc[1:]...)...)
	}
	routes := c.do(t, "DescribeRouteTables", "RouteTableId.1="+first).at("routeTableSet/item")
	if got := routes.texts("routeSet", "natGatewayId"); !slices.Contains(got, nat) || slices.Contains(routes.texts("routeSet", "gatewayId"), gateway) {
		t.Errorf("%v", routes)
	}

	assoc := c.do(t, "AssociateRouteTable", in, "SubnetId="+subnet).text("associationId")
	if same := c.do(t, "ReplaceRouteTableAssociation", "AssociationId="+assoc, in).text("newAssociationId"); same != assoc {
		t.Errorf("the same table makes association %s of %s", same, assoc)
	}
	next := c.do(t, "ReplaceRouteTableAssociation", "AssociationId="+assoc, "RouteTableId="+second).text("newAssociationId")
	c.refused(t, "InvalidAssociationID.NotFound", "ReplaceRouteTableAssociation", "AssociationId="+assoc, in)
	if got := c.do(t, "DescribeRouteTables", "Filter.1.Name=association.subnet-id", "Filter.1.Value.1="+subnet); got.text("routeTableSet/item/routeTableId") != second ||
		got.text("routeTableSet/item/associationSet/item/routeTableAssociationId") != next {
		t.Errorf("%v", got)
	}

	main := c.do(t, "DescribeRouteTables", "Filter.1.Name=association.main", "Filter.1.Value.1=true", "Filter.2.Name=vpc-id", "Filter.2.Value.1="+vpc).at("routeTableSet/item")
	c.do(t, "ReplaceRouteTableAssociation", "AssociationId="+main.text("associationSet/item/routeTableAssociationId"), in)
	if got := c.do(t, "DescribeRouteTables", "Filter.1.Name=association.main", "Filter.1.Value.1=true", "Filter.2.Name=vpc-id", "Filter.2.Value.1="+vpc).text("routeTableSet/item/routeTableId"); got != first {
		t.Errorf("the main table is %s, want %s", got, first)
	}
	c.do(t, "DeleteRouteTable", "RouteTableId="+main.text("routeTableId"))
	c.refused(t, "DependencyViolation", "DeleteRouteTable", in)
}

// Rules of groups keep their ids when what they allow, or only their description, becomes another.
func TestRulesAreModified(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	group := "GroupId=" + c.do(t, "CreateSecurityGroup", "GroupName=g", "GroupDescription=d", "VpcId="+vpc).text("groupId")
	permission := func(port, cidr, text string) []string {
		return []string{
			group, "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=" + port, "IpPermissions.1.ToPort=" + port,
			"IpPermissions.1.IpRanges.1.CidrIp=" + cidr, "IpPermissions.1.IpRanges.1.Description=" + text,
		}
	}
	id := c.do(t, "AuthorizeSecurityGroupIngress", permission("443", "10.0.0.0/8", "one")...).text("securityGroupRuleSet/item/securityGroupRuleId")
	c.do(t, "AuthorizeSecurityGroupIngress", permission("80", "10.0.0.0/8", "")...)
	rule := func() element {
		return c.do(t, "DescribeSecurityGroupRules", "SecurityGroupRuleId.1="+id).at("securityGroupRuleSet/item")
	}
	described := func(want string) {
		t.Helper()
		if got := rule().text("description"); got != want {
			t.Errorf("the description is %q, want %q", got, want)
		}
	}
	c.do(t, "UpdateSecurityGroupRuleDescriptionsIngress", permission("443", "10.0.0.0/8", "two words")...)
	described("two words")
	c.do(t, "UpdateSecurityGroupRuleDescriptionsIngress", group, "SecurityGroupRuleDescription.1.SecurityGroupRuleId="+id)
	described("")
	c.refused(t, "InvalidPermission.NotFound", "UpdateSecurityGroupRuleDescriptionsIngress", permission("444", "10.0.0.0/8", "x")...)
	c.refused(t, "InvalidPermission.NotFound", "UpdateSecurityGroupRuleDescriptionsEgress", permission("443", "10.0.0.0/8", "x")...)
	c.refused(t, "MissingParameter", "UpdateSecurityGroupRuleDescriptionsIngress", group)

	change := func(more ...string) []string {
		return append([]string{group, "SecurityGroupRule.1.SecurityGroupRuleId=" + id, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol=tcp"}, more...)
	}
	const from, to, cidr = "SecurityGroupRule.1.SecurityGroupRule.FromPort=", "SecurityGroupRule.1.SecurityGroupRule.ToPort=", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4="
	c.do(t, "ModifySecurityGroupRules", change(from+"8443", to+"8444", cidr+"192.0.2.0/24", "SecurityGroupRule.1.SecurityGroupRule.Description=new")...)
	if got := rule(); got.text("fromPort") != "8443" || got.text("toPort") != "8444" || got.text("cidrIpv4") != "192.0.2.0/24" || got.text("description") != "new" || got.text("isEgress") != "false" {
		t.Errorf("%v", got)
	}
	c.refused(t, "InvalidPermission.Duplicate", "ModifySecurityGroupRules", change(from+"80", to+"80", cidr+"10.0.0.0/8")...)
	c.refused(t, "InvalidSecurityGroupRuleId.NotFound", "ModifySecurityGroupRules", group, "SecurityGroupRule.1.SecurityGroupRuleId=sgr-00000000000000000",
		"SecurityGroupRule.1.SecurityGroupRule.IpProtocol=-1", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4=0.0.0.0/0")
	described("new")
}

// An address that a NAT gateway has cannot be taken from it; one that nothing has, or is gone, has no association.
func TestAddressesAreNotTakenFromGateways(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	subnet := c.do(t, "CreateSubnet", "VpcId="+vpc, "CidrBlock=10.0.1.0/24").text("subnet/subnetId")
	gateway := c.do(t, "CreateInternetGateway").text("internetGateway/internetGatewayId")
	c.do(t, "AttachInternetGateway", "InternetGatewayId="+gateway, "VpcId="+vpc)
	allocation := c.do(t, "AllocateAddress")
	address := "PublicIp=" + allocation.text("publicIp")
	c.refused(t, "InvalidAssociationID.NotFound", "DisassociateAddress", address)
	nat := c.do(t, "CreateNatGateway", "SubnetId="+subnet, "AllocationId="+allocation.text("allocationId")).text("natGateway/natGatewayId")
	assoc := "AssociationId=" + c.do(t, "DescribeAddresses").text("addressesSet/item/associationId")
	c.refused(t, "AuthFailure", "DisassociateAddress", assoc)
	c.refused(t, "AuthFailure", "DisassociateAddress", address)
	c.do(t, "DeleteNatGateway", "NatGatewayId="+nat)
	c.refused(t, "InvalidAssociationID.NotFound", "DisassociateAddress", assoc)
	c.refused(t, "MissingParameter", "DisassociateAddress")
}
