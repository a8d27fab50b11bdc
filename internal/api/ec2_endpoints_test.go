package api_test

import (
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/network"
)

// An endpoint has an interface with an address of its own in each subnet, a name for all of them and one for each zone.
//
// checklist: 217, 228, 232
func TestEndpoints(t *testing.T) {
	c := newCloud(t, true)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	a := c.do(t, "CreateSubnet", "VpcId="+vpc, "CidrBlock=10.0.1.0/24", "AvailabilityZone=us-east-1a").text("subnet/subnetId")
	b := c.do(t, "CreateSubnet", "VpcId="+vpc, "CidrBlock=10.0.2.0/24", "AvailabilityZone=us-east-1b").text("subnet/subnetId")
	twin := c.do(t, "CreateSubnet", "VpcId="+vpc, "CidrBlock=10.0.3.0/24", "AvailabilityZone=us-east-1b").text("subnet/subnetId")
	group := c.do(t, "CreateSecurityGroup", "GroupName=ends", "GroupDescription=d", "VpcId="+vpc).text("groupId")
	const requests, own = "ServiceName=com.amazonaws.us-east-1.apprunner.requests", "ServiceName=com.amazonaws.us-east-1.apprunner"
	in := "VpcId=" + vpc
	x := c.do(t, "CreateVpcEndpoint", in, requests, "VpcEndpointType=Interface", "SubnetId.1="+a, "SubnetId.2="+b, "SecurityGroupId.1="+group, "ClientToken=once").at("vpcEndpoint")
	id := x.text("vpcEndpointId")
	if x.text("state") != "pending" || x.text("vpcEndpointType") != "Interface" || x.text("groupSet/item/groupId") != group || x.text("privateDnsEnabled") != "false" || len(x.at("networkInterfaceIdSet").Inner) != 2 {
		t.Errorf("%v", x)
	}
	names := x.texts("dnsEntrySet", "dnsName")
	head, rest, _ := strings.Cut(names[0], ".")
	if len(names) != 3 || !strings.HasPrefix(head, id+"-") || rest != "requests.apprunner.us-east-1.vpce.amazonaws.com" || names[1] != head+"-us-east-1a."+rest || names[2] != head+"-us-east-1b."+rest {
		t.Errorf("names: %v", names)
	}
	if again := c.do(t, "CreateVpcEndpoint", in, requests, "SubnetId.1="+a, "ClientToken=once").text("vpcEndpoint/vpcEndpointId"); again != id {
		t.Errorf("the same token made %s", again)
	}
	c.refused(t, "IdempotentParameterMismatch", "CreateVpcEndpoint", in, own, "ClientToken=once")
	ok(t, c.net.Settle(t.Context(), id, network.EndpointAvailable, ""))
	if state := c.do(t, "DescribeVpcEndpoints", "VpcEndpointId.1="+id).text("vpcEndpointSet/item/state"); state != "available" {
		t.Errorf("state %s", state)
	}
	enis := c.do(t, "DescribeNetworkInterfaces", "Filter.1.Name=group-id", "Filter.1.Value.1="+group).at("networkInterfaceSet")
	var addresses []string
	for _, eni := range enis.Inner {
		addresses = append(addresses, eni.text("privateIpAddress"))
		if eni.text("interfaceType") != "vpc_endpoint" || eni.text("requesterManaged") != "true" || eni.text("description") != "VPC Endpoint Interface "+id {
			t.Errorf("%v", eni)
		}
	}
	if slices.Sort(addresses); !slices.Equal(addresses, []string{"10.0.1.4", "10.0.2.4"}) {
		t.Errorf("addresses %v: the first four of a subnet are kept", addresses)
	}
	for _, tc := range [][]string{
		{"InvalidServiceName", "ServiceName=com.amazonaws.us-east-1.s3"},
		{"InvalidServiceName", "ServiceName=com.amazonaws.eu-west-1.apprunner.requests"},
		{"MissingParameter"},
		{"InvalidParameter", requests, "VpcEndpointType=Gateway"},
		{"InvalidSubnetID.NotFound", requests, "SubnetId.1=subnet-00000000"},
		{"DuplicateSubnetsInSameZone", requests, "SubnetId.1=" + b, "SubnetId.2=" + twin},
		{"InvalidGroup.NotFound", requests, "SecurityGroupId.1=sg-00000000"},
		{"InvalidParameter", own, "PrivateDnsEnabled=true"},
		{"InvalidParameter", requests, "PrivateDnsEnabled=true"},
		{"InvalidParameterValue", requests, `PolicyDocument={"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`},
		{"InvalidPolicyDocument", own, "PolicyDocument={"},
		{"InvalidPolicyDocument", own, "PrivateDnsEnabled=false", `PolicyDocument={"Id":"` + strings.Repeat("x", 20480) + `","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`},
	} {
		c.refused(t, tc[0], "CreateVpcEndpoint", append([]string{in}, tc[1:]...)...)
	}
	c.refused(t, "InvalidVpcID.NotFound", "CreateVpcEndpoint", "VpcId=vpc-00000000", requests)
	c.do(t, "ModifyVpcEndpoint", "VpcEndpointId="+id, "RemoveSubnetId.1="+b, "AddSubnetId.1="+twin)
	c.refused(t, "InvalidParameterValue", "ModifyVpcEndpoint", "VpcEndpointId="+id, "RemoveSecurityGroupId.1="+group)
	if subnets := c.do(t, "DescribeVpcEndpoints", "VpcEndpointId.1="+id).texts("vpcEndpointSet", "subnetIdSet/item"); len(subnets) != 1 {
		t.Errorf("%v", subnets)
	}
	c.refused(t, "DependencyViolation", "DeleteSubnet", "SubnetId="+twin)
	c.refused(t, "DependencyViolation", "DeleteSecurityGroup", "GroupId="+group)
	c.do(t, "DeleteSubnet", "SubnetId="+b)

	c.users[id] = []string{"inside"}
	kept := c.do(t, "DeleteVpcEndpoints", "VpcEndpointId.1="+id, "VpcEndpointId.2=vpce-00000000")
	if codes := kept.texts("unsuccessful", "error"); len(codes) != 2 || kept.texts("unsuccessful", "resourceId")[0] != id {
		t.Fatalf("%v", kept)
	}
	items := kept.at("unsuccessful").Inner
	if items[0].text("error/code") != "DependencyViolation" || !strings.Contains(items[0].text("error/message"), "inside") || items[1].text("error/code") != "InvalidVpcEndpointId.NotFound" {
		t.Errorf("%v", items)
	}
	delete(c.users, id)
	if rest := c.do(t, "DeleteVpcEndpoints", "VpcEndpointId.1="+id).at("unsuccessful").Inner; len(rest) != 0 {
		t.Errorf("%v", rest)
	}
	if state := c.do(t, "DescribeVpcEndpoints", "VpcEndpointId.1="+id).text("vpcEndpointSet/item/state"); state != "deleting" {
		t.Errorf("state %s", state)
	}
	c.refused(t, "DependencyViolation", "DeleteSubnet", "SubnetId="+twin)
	ok(t, c.net.Settle(t.Context(), id, network.EndpointDeleted, ""))
	if state := c.do(t, "DescribeVpcEndpoints", "VpcEndpointId.1="+id).text("vpcEndpointSet/item/state"); state != "deleted" {
		t.Errorf("state %s", state)
	}
	c.do(t, "DeleteSubnet", "SubnetId="+twin)
}

// The endpoint of the API takes a policy, and private DNS where the VPC has names.
func TestAPIEndpoint(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	in := []string{"VpcId=" + vpc, "ServiceName=com.amazonaws.us-east-1.apprunner"}
	c.refused(t, "InvalidParameter", "CreateVpcEndpoint", in...) // private DNS is on unless somebody says otherwise, and takes names
	c.do(t, "ModifyVpcAttribute", "VpcId="+vpc, "EnableDnsHostnames.Value=true")
	x := c.do(t, "CreateVpcEndpoint", in...).at("vpcEndpoint")
	if x.text("state") != "available" || x.text("privateDnsEnabled") != "true" || x.text("policyDocument") != network.FullAccess || !slices.Contains(x.texts("dnsEntrySet", "dnsName"), "apprunner.us-east-1.amazonaws.com") {
		t.Errorf("%v", x)
	}
	c.refused(t, "InvalidParameter", "CreateVpcEndpoint", in...) // two of the same names
	policy := `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"apprunner:List*","Resource":"*"}]}`
	id := "VpcEndpointId=" + x.text("vpcEndpointId")
	c.do(t, "ModifyVpcEndpoint", id, "PolicyDocument="+policy, "PrivateDnsEnabled=false")
	if got := c.do(t, "DescribeVpcEndpoints").at("vpcEndpointSet/item"); got.text("policyDocument") != policy || got.text("privateDnsEnabled") != "false" {
		t.Errorf("%v", got)
	}
	c.do(t, "ModifyVpcEndpoint", id, "ResetPolicy=true")
	if got := c.do(t, "DescribeVpcEndpoints").text("vpcEndpointSet/item/policyDocument"); got != network.FullAccess {
		t.Errorf("%s", got)
	}
	services := c.do(t, "DescribeVpcEndpointServices")
	if names := services.texts("serviceNameSet", "."); !slices.Equal(names, []string{"com.amazonaws.us-east-1.apprunner", "com.amazonaws.us-east-1.apprunner.requests"}) {
		t.Errorf("%v", names)
	}
	c.refused(t, "InvalidServiceName", "DescribeVpcEndpointServices", "ServiceName.1=com.amazonaws.us-east-1.s3")
}
