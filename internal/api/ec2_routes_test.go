package api_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/store"
)

// What a subnet's table says makes it public; gateways and tables are not deleted while something needs them.
func TestRoutesAndGateways(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	subnet := c.do(t, "CreateSubnet", "VpcId="+vpc, "CidrBlock=10.0.1.0/24").text("subnet/subnetId")
	table := c.do(t, "CreateRouteTable", "VpcId="+vpc).text("routeTable/routeTableId")
	in := "RouteTableId=" + table
	assoc := c.do(t, "AssociateRouteTable", in, "SubnetId="+subnet).text("associationId")
	other := c.do(t, "CreateRouteTable", "VpcId="+vpc).text("routeTable/routeTableId")
	c.refused(t, "Resource.AlreadyAssociated", "AssociateRouteTable", "RouteTableId="+other, "SubnetId="+subnet)
	c.refused(t, "DependencyViolation", "DeleteRouteTable", in)
	gateway := c.do(t, "CreateInternetGateway").text("internetGateway/internetGatewayId")
	via := "GatewayId=" + gateway
	c.refused(t, "InvalidParameterValue", "CreateRoute", in, "DestinationCidrBlock=0.0.0.0/0", via)
	c.do(t, "AttachInternetGateway", "InternetGatewayId="+gateway, "VpcId="+vpc)
	c.refused(t, "Resource.AlreadyAssociated", "AttachInternetGateway", "InternetGatewayId="+gateway, "VpcId="+vpc)
	c.do(t, "CreateRoute", in, "DestinationCidrBlock=0.0.0.0/0", via)
	for _, tc := range [][]string{
		{"RouteAlreadyExists", "DestinationCidrBlock=0.0.0.0/0", via},
		{"InvalidParameterValue", "DestinationCidrBlock=10.0.1.0/24", via},
		{"InvalidInternetGatewayID.NotFound", "DestinationCidrBlock=192.168.0.0/16", "GatewayId=igw-00000000"},
		{"MissingParameter", "DestinationCidrBlock=192.168.0.0/16"},
		{"NatGatewayNotFound", "DestinationCidrBlock=192.168.0.0/16", "NatGatewayId=nat-00000000"},
		{"MissingParameter", via},
		{"UnsupportedOperation", "DestinationCidrBlock=192.168.0.0/16", "TransitGatewayId=tgw-00000000"},
	} {
		c.refused(t, tc[0], "CreateRoute", append([]string{in}, tc[1:]...)...)
	}
	s, err := c.net.Snapshot(t.Context(), scope)
	ok(t, err)
	subnets, err := s.ListSubnets(network.Ask{IDs: []string{subnet}})
	if ok(t, err); !s.Public(subnets[0]) {
		t.Error("a route to an internet gateway makes a subnet public")
	}
	_, err = c.net.Connect(t.Context(), scope, []string{subnet}, nil)
	if apprunner.CodeOf(err) != apprunner.CodeInvalidRequest || !strings.Contains(err.Error(), subnet) {
		t.Errorf("a connector through a public subnet: %v", err)
	}

	allocation := c.do(t, "AllocateAddress")
	if a, err := netip.ParseAddr(allocation.text("publicIp")); err != nil || !netip.MustParsePrefix("198.18.0.0/15").Contains(a) {
		t.Errorf("%v", allocation)
	}
	eip := "AllocationId=" + allocation.text("allocationId")
	nat := c.do(t, "CreateNatGateway", "SubnetId="+subnet, eip).at("natGateway")
	if nat.text("state") != "available" || nat.text("natGatewayAddressSet/item/publicIp") != allocation.text("publicIp") || nat.text("natGatewayAddressSet/item/privateIp") != "10.0.1.4" {
		t.Errorf("%v", nat)
	}
	c.refused(t, "Resource.AlreadyAssociated", "CreateNatGateway", "SubnetId="+subnet, eip)
	c.refused(t, "InvalidIPAddress.InUse", "ReleaseAddress", eip)
	c.refused(t, "DependencyViolation", "DetachInternetGateway", "InternetGatewayId="+gateway, "VpcId="+vpc)
	c.do(t, "CreateRoute", "RouteTableId="+other, "DestinationCidrBlock=0.0.0.0/0", "NatGatewayId="+nat.text("natGatewayId"))
	c.do(t, "DeleteNatGateway", "NatGatewayId="+nat.text("natGatewayId"))
	if state := c.do(t, "DescribeNatGateways").text("natGatewaySet/item/state"); state != "deleted" {
		t.Errorf("state %s", state)
	}
	if states := c.do(t, "DescribeRouteTables", "RouteTableId.1="+other).at("routeTableSet/item/routeSet").Inner; states[1].text("state") != "blackhole" {
		t.Errorf("%v", states)
	}
	private := c.do(t, "CreateNatGateway", "SubnetId="+subnet, "ConnectivityType=private", "PrivateIpAddress=10.0.1.77").at("natGateway")
	if private.text("connectivityType") != "private" || private.text("natGatewayAddressSet/item/privateIp") != "10.0.1.77" {
		t.Errorf("%v", private)
	}
	c.refused(t, "InvalidIPAddress.InUse", "CreateNatGateway", "SubnetId="+subnet, "ConnectivityType=private", "PrivateIpAddress=10.0.1.77")
	c.refused(t, "InvalidParameterValue", "CreateNatGateway", "SubnetId="+subnet, "ConnectivityType=private", "PrivateIpAddress=10.0.1.255")
	c.do(t, "DeleteNatGateway", "NatGatewayId="+private.text("natGatewayId"))
	c.do(t, "ReleaseAddress", eip)
	c.refused(t, "InvalidAllocationID.NotFound", "ReleaseAddress", eip)
	c.do(t, "DeleteRoute", in, "DestinationCidrBlock=0.0.0.0/0")
	c.refused(t, "InvalidRoute.NotFound", "DeleteRoute", in, "DestinationCidrBlock=0.0.0.0/0")
	c.do(t, "DisassociateRouteTable", "AssociationId="+assoc)
	c.refused(t, "InvalidAssociationID.NotFound", "DisassociateRouteTable", "AssociationId="+assoc)
	c.do(t, "DeleteRouteTable", in)
	c.refused(t, "DependencyViolation", "DeleteInternetGateway", "InternetGatewayId="+gateway)
	c.refused(t, "Gateway.NotAttached", "DetachInternetGateway", "InternetGatewayId="+gateway, "VpcId=vpc-00000000")
}

// A set of subnets and groups has one interface a subnet, however often and by whomever it is used.
//
// checklist: 240, 241
func TestConnectorInterfaces(t *testing.T) {
	c, ctx := newCloud(t, false), t.Context()
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	var subnets []string
	for i, cidr := range []string{"10.0.1.0/24", "10.0.2.0/24"} {
		subnets = append(subnets, c.do(t, "CreateSubnet", "VpcId="+vpc, "CidrBlock="+cidr, "AvailabilityZone=us-east-1"+string(rune('a'+i))).text("subnet/subnetId"))
	}
	placed := func(subnets, groups []string) (effective []string, err error) {
		err = c.db.View(ctx, func(tx *store.Tx) error {
			effective, err = network.CheckConnector(tx, scope, subnets, groups)
			return err
		})
		return effective, err
	}
	groups, err := placed(subnets, nil)
	if err != nil || len(groups) != 1 {
		t.Fatalf("the default group: %v, %v", groups, err)
	}
	for range 3 {
		if made, err := c.net.Connect(ctx, scope, subnets, groups); err != nil || len(made) != 2 {
			t.Fatalf("%v, %v", made, err)
		}
		slices.Reverse(subnets)
	}
	enis := c.do(t, "DescribeNetworkInterfaces", "Filter.1.Name=tag-key", "Filter.1.Value.1=AWSAppRunnerManaged").at("networkInterfaceSet").Inner
	if len(enis) != 2 {
		t.Fatalf("%d interfaces", len(enis))
	}
	for _, eni := range enis {
		if eni.text("requesterManaged") != "true" || !strings.Contains(eni.text("description"), "App Runner") || eni.text("association/publicIp") != "" || !strings.HasPrefix(eni.text("privateIpAddress"), "10.0.") {
			t.Errorf("%v", eni)
		}
	}
	c.refused(t, "DependencyViolation", "DeleteSubnet", "SubnetId="+subnets[0])
	ok(t, c.db.Update(ctx, func(tx *store.Tx) error { return network.Disconnect(tx, scope, subnets, groups) }))
	c.do(t, "DeleteSubnet", "SubnetId="+subnets[0])

	elsewhere := c.do(t, "CreateSubnet", "VpcId="+c.do(t, "CreateVpc", "CidrBlock=10.1.0.0/16").text("vpc/vpcId"), "CidrBlock=10.1.1.0/24").text("subnet/subnetId")
	for name, tc := range map[string][2][]string{
		"unknown subnet": {{"subnet-00000000"}, nil}, "two VPCs": {{subnets[1], elsewhere}, nil}, "group of another VPC": {{elsewhere}, groups},
	} {
		if _, err := placed(tc[0], tc[1]); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A subnet has no more interfaces than addresses, and what is given back is there again.
func TestSubnetRunsOutOfAddresses(t *testing.T) {
	c := newCloud(t, false)
	subnet := c.do(t, "CreateSubnet", "VpcId="+c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/28").text("vpc/vpcId"), "CidrBlock=10.0.0.0/28").text("subnet/subnetId")
	var last string
	for range 11 {
		last = c.do(t, "CreateNatGateway", "SubnetId="+subnet, "ConnectivityType=private").text("natGateway/natGatewayId")
	}
	if free := c.do(t, "DescribeSubnets", "SubnetId.1="+subnet).text("subnetSet/item/availableIpAddressCount"); free != "0" {
		t.Errorf("%s free", free)
	}
	c.refused(t, "InsufficientFreeAddressesInSubnet", "CreateNatGateway", "SubnetId="+subnet, "ConnectivityType=private")
	c.do(t, "DeleteNatGateway", "NatGatewayId="+last)
	c.do(t, "CreateNatGateway", "SubnetId="+subnet, "ConnectivityType=private")
}
