package api_test

import (
	"context"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/store"
)

// cloud is the EC2 API alone behind the front door.
type cloud struct {
	*endpoint
	net   *network.Network
	users usedNetworks
}

// usedNetworks is who uses networks from outside, by the id of what is used.
type usedNetworks map[string][]string

func (u usedNetworks) EndpointUsers(_ *store.Tx, _ apprunner.Scope, id string) ([]string, error) {
	return u[id], nil
}

func (u usedNetworks) NetworkUsers(_ *store.Tx, _ apprunner.Scope, id string) ([]string, error) {
	return u[id], nil
}

func newCloud(t *testing.T, hosted bool) *cloud {
	t.Helper()
	c := &cloud{users: usedNetworks{}}
	db := openStore(t)
	var err error
	c.net, err = network.Open(context.Background(), network.Config{DB: db, Users: c.users, Hosted: hosted})
	ok(t, err)
	c.endpoint = serve(t, db, ec2Service(t, c.net))
	return c
}

func ec2Service(t *testing.T, n *network.Network) *api.Service {
	t.Helper()
	tokens, err := api.NewTokens([]byte("0123456789abcdef"))
	ok(t, err)
	s, err := api.NewEC2(n, tokens, "api.example.com")
	ok(t, err)
	return s
}

// element is an XML element of an answer.
type element struct {
	XMLName xml.Name
	Text    string    `xml:",chardata"`
	Inner   []element `xml:",any"`
}

// at is the first element below a path such as vpc/vpcId; an empty one where there is none.
func (e element) at(path string) element {
	for _, name := range strings.Split(path, "/") {
		i := slices.IndexFunc(e.Inner, func(x element) bool { return x.XMLName.Local == name })
		if i < 0 {
			return element{}
		}
		e = e.Inner[i]
	}
	return e
}

func (e element) text(path string) string { return e.at(path).Text }

// texts are those at a path in every item of a list.
func (e element) texts(list, path string) (out []string) {
	for _, item := range e.at(list).Inner {
		if path == "." {
			out = append(out, item.Text)
			continue
		}
		out = append(out, item.text(path))
	}
	return out
}

// try sends an action, whose parameters are pairs joined by =, and returns the answer, and the code of an error.
func (c *cloud) try(t *testing.T, action string, parameters ...string) (element, string) {
	t.Helper()
	form := "Action=" + action + "&Version=2016-11-15"
	for _, p := range parameters {
		k, v, _ := strings.Cut(p, "=")
		form += "&" + k + "=" + strings.NewReplacer("/", "%2F", ":", "%3A", " ", "%20", "&", "%26", "*", "%2A", "{", "%7B", "}", "%7D", `"`, "%22").Replace(v)
	}
	status, body := c.post(t, "ec2", "", form)
	var root element
	if err := xml.Unmarshal([]byte(body), &root); err != nil {
		t.Fatalf("%s: %d %s: %v", action, status, body, err)
	}
	if status != 200 {
		if root.XMLName.Local != "Response" || root.text("RequestID") == "" {
			t.Errorf("%s: the error has another form: %s", action, body)
		}
		return root, root.text("Errors/Error/Code")
	}
	if root.XMLName.Local != action+"Response" || root.XMLName.Space != "http://ec2.amazonaws.com/doc/2016-11-15" || root.text("requestId") == "" {
		t.Errorf("%s: the answer has another form: %s", action, body)
	}
	return root, ""
}

// do is try for an action that must succeed.
func (c *cloud) do(t *testing.T, action string, parameters ...string) element {
	t.Helper()
	out, code := c.try(t, action, parameters...)
	if code != "" {
		t.Fatalf("%s %v: %s %s", action, parameters, code, out.text("Errors/Error/Message"))
	}
	return out
}

// refused is try for an action that must fail with a code.
func (c *cloud) refused(t *testing.T, code, action string, parameters ...string) {
	t.Helper()
	out, got := c.try(t, action, parameters...)
	if got != code {
		t.Errorf("%s %v: %q %s, want %s", action, parameters, got, out.text("Errors/Error/Message"), code)
	}
}

// An account has a default VPC with a public subnet in each zone, and one who deletes it stays without until it is made anew.
func TestDefaultVPC(t *testing.T) {
	c := newCloud(t, false)
	out := c.do(t, "DescribeVpcs")
	if ids, cidrs := out.texts("vpcSet", "vpcId"), out.texts("vpcSet", "cidrBlock"); len(ids) != 1 || cidrs[0] != "172.31.0.0/16" || out.texts("vpcSet", "isDefault")[0] != "true" {
		t.Fatalf("%v %v", ids, cidrs)
	}
	vpc := out.texts("vpcSet", "vpcId")[0]
	out = c.do(t, "DescribeSubnets", "Filter.1.Name=default-for-az", "Filter.1.Value.1=true")
	if zones, free := out.texts("subnetSet", "availabilityZone"), out.texts("subnetSet", "availableIpAddressCount"); !slices.Equal(slices.Sorted(slices.Values(zones)), []string{"us-east-1a", "us-east-1b", "us-east-1c"}) || free[0] != "4091" {
		t.Errorf("%v %v", zones, free)
	}
	if routes := c.do(t, "DescribeRouteTables").at("routeTableSet/item/routeSet"); len(routes.Inner) != 2 || !strings.HasPrefix(routes.Inner[1].text("gatewayId"), "igw-") {
		t.Errorf("%v", routes)
	}
	if acl := c.do(t, "DescribeNetworkAcls").at("networkAclSet/item"); acl.text("default") != "true" || len(acl.at("entrySet").Inner) != 4 || len(acl.at("associationSet").Inner) != 3 {
		t.Errorf("%v", acl)
	}
	if options := c.do(t, "DescribeDhcpOptions").texts("dhcpOptionsSet", "dhcpOptionsId"); len(options) != 1 || options[0] != c.do(t, "DescribeVpcs").text("vpcSet/item/dhcpOptionsId") {
		t.Errorf("%v", options)
	}
	c.refused(t, "DefaultVpcAlreadyExists", "CreateDefaultVpc")
	c.refused(t, "DependencyViolation", "DeleteVpc", "VpcId="+vpc)
	for _, id := range c.do(t, "DescribeSubnets").texts("subnetSet", "subnetId") {
		c.do(t, "DeleteSubnet", "SubnetId="+id)
	}
	gateway := c.do(t, "DescribeInternetGateways").text("internetGatewaySet/item/internetGatewayId")
	c.refused(t, "DependencyViolation", "DeleteVpc", "VpcId="+vpc)
	c.do(t, "DetachInternetGateway", "InternetGatewayId="+gateway, "VpcId="+vpc)
	c.do(t, "DeleteInternetGateway", "InternetGatewayId="+gateway)
	if out := c.do(t, "DeleteVpc", "VpcId="+vpc); out.text("return") != "true" {
		t.Errorf("%v", out)
	}
	if left := c.do(t, "DescribeVpcs").at("vpcSet").Inner; len(left) != 0 {
		t.Errorf("a deleted default VPC came back: %v", left)
	}
	if tables, groups := c.do(t, "DescribeRouteTables").at("routeTableSet").Inner, c.do(t, "DescribeSecurityGroups").at("securityGroupInfo").Inner; len(tables)+len(groups) != 0 {
		t.Errorf("what the VPC had is left: %v %v", tables, groups)
	}
	c.refused(t, "VPCIdNotSpecified", "CreateSecurityGroup", "GroupName=web", "GroupDescription=web")
	if again := c.do(t, "CreateDefaultVpc").text("vpc/vpcId"); again == vpc || again == "" {
		t.Errorf("%q", again)
	}
}

// Subnets lie in their VPC and overlap no other; zones are given by name, by id, or not at all.
func TestSubnets(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.5.7/16", "TagSpecification.1.ResourceType=vpc", "TagSpecification.1.Tag.1.Key=Name", "TagSpecification.1.Tag.1.Value=main")
	if vpc.text("vpc/cidrBlock") != "10.0.0.0/16" || vpc.text("vpc/isDefault") != "false" || vpc.text("vpc/tagSet/item/value") != "main" {
		t.Errorf("%v", vpc)
	}
	in := "VpcId=" + vpc.text("vpc/vpcId")
	first := c.do(t, "CreateSubnet", in, "CidrBlock=10.0.1.0/28", "AvailabilityZone=us-east-1b").at("subnet")
	if first.text("availabilityZoneId") != "use1-az2" || first.text("availableIpAddressCount") != "11" || first.text("state") != "available" {
		t.Errorf("%v", first)
	}
	if zone := c.do(t, "CreateSubnet", in, "CidrBlock=10.0.2.0/24", "AvailabilityZoneId=use1-az3").text("subnet/availabilityZone"); zone != "us-east-1c" {
		t.Errorf("by id: %s", zone)
	}
	if zone := c.do(t, "CreateSubnet", in, "CidrBlock=10.0.3.0/24").text("subnet/availabilityZone"); zone != "us-east-1a" {
		t.Errorf("the emptiest: %s", zone)
	}
	for _, tc := range [][2]string{
		{"InvalidSubnet.Conflict", "10.0.1.0/24"},
		{"InvalidSubnet.Range", "10.1.0.0/24"},
		{"InvalidSubnet.Range", "10.0.0.0/15"},
		{"InvalidSubnet.Range", "10.0.9.0/29"},
		{"InvalidParameterValue", "10.0.9.0"},
		{"InvalidParameterValue", "fd00::/64"},
		{"MissingParameter", ""},
	} {
		c.refused(t, tc[0], "CreateSubnet", in, "CidrBlock="+tc[1])
	}
	c.refused(t, "InvalidParameterValue", "CreateSubnet", in, "CidrBlock=10.0.9.0/24", "AvailabilityZone=eu-west-1a")
	c.refused(t, "InvalidVpcID.NotFound", "CreateSubnet", "VpcId=vpc-00000000", "CidrBlock=10.0.9.0/24")
	c.refused(t, "MissingParameter", "CreateSubnet", "CidrBlock=10.0.9.0/24")
	c.refused(t, "InvalidVpc.Range", "CreateVpc", "CidrBlock=10.0.0.0/8")
	c.refused(t, "InvalidVpc.Range", "CreateVpc", "CidrBlock=127.0.0.0/16")
	c.refused(t, "MissingParameter", "CreateVpc")
	c.refused(t, "UnsupportedOperation", "CreateVpc", "CidrBlock=10.9.0.0/16", "AmazonProvidedIpv6CidrBlock=true")
	c.refused(t, "InvalidSubnetID.NotFound", "DescribeSubnets", "SubnetId.1=subnet-00000000")
	id := "SubnetId=" + first.text("subnetId")
	c.do(t, "ModifySubnetAttribute", id, "MapPublicIpOnLaunch.Value=true")
	if out := c.do(t, "DescribeSubnets", "SubnetId.1="+first.text("subnetId")); out.text("subnetSet/item/mapPublicIpOnLaunch") != "true" {
		t.Errorf("%v", out)
	}
	c.users[first.text("subnetId")] = []string{"the VPC connector out"}
	c.refused(t, "DependencyViolation", "DeleteSubnet", id)
	delete(c.users, first.text("subnetId"))
	c.do(t, "DeleteSubnet", id)
	c.refused(t, "InvalidSubnetID.NotFound", "DeleteSubnet", id)
}

func TestVPCAttributes(t *testing.T) {
	c := newCloud(t, false)
	id := "VpcId=" + c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	for _, tc := range []struct{ name, before, after string }{{"enableDnsSupport", "true", "false"}, {"enableDnsHostnames", "false", "true"}, {"enableNetworkAddressUsageMetrics", "false", "true"}} {
		if got := c.do(t, "DescribeVpcAttribute", id, "Attribute="+tc.name).text(tc.name + "/value"); got != tc.before {
			t.Errorf("%s is %s at first", tc.name, got)
		}
		c.do(t, "ModifyVpcAttribute", id, strings.ToUpper(tc.name[:1])+tc.name[1:]+".Value="+tc.after)
		if got := c.do(t, "DescribeVpcAttribute", id, "Attribute="+tc.name).text(tc.name + "/value"); got != tc.after {
			t.Errorf("%s is %s then", tc.name, got)
		}
	}
	c.refused(t, "InvalidParameterValue", "DescribeVpcAttribute", id, "Attribute=colour")
	c.refused(t, "InvalidVpcID.NotFound", "ModifyVpcAttribute", "VpcId=vpc-00000000", "EnableDnsSupport.Value=true")
}

// Rules are added and taken all or none, each once; groups are not deleted while something needs them.
func TestSecurityGroups(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	named := []string{"GroupName=web", "GroupDescription=d", "VpcId=" + vpc}
	c.do(t, "CreateSecurityGroup", named...)
	c.refused(t, "InvalidGroup.Duplicate", "CreateSecurityGroup", named...)
	web := c.do(t, "DescribeSecurityGroups", "Filter.1.Name=group-name", "Filter.1.Value.1=we?", "Filter.2.Name=vpc-id", "Filter.2.Value.1="+vpc).at("securityGroupInfo/item")
	if out := web.at("ipPermissionsEgress/item"); out.text("ipProtocol") != "-1" || out.text("ipRanges/item/cidrIp") != "0.0.0.0/0" || len(web.at("ipPermissions").Inner) != 0 {
		t.Errorf("a new group: %v", web)
	}
	id := web.text("groupId")
	db := c.do(t, "CreateSecurityGroup", "GroupName=db", "GroupDescription=d", "VpcId="+vpc).text("groupId")
	added := c.do(t, "AuthorizeSecurityGroupIngress", "GroupId="+id, "IpPermissions.1.IpProtocol=6", "IpPermissions.1.FromPort=443", "IpPermissions.1.ToPort=443",
		"IpPermissions.1.IpRanges.1.CidrIp=10.0.0.9/8", "IpPermissions.1.IpRanges.1.Description=inside", "IpPermissions.1.Groups.1.GroupId="+db,
		"TagSpecification.1.ResourceType=security-group-rule", "TagSpecification.1.Tag.1.Key=k", "TagSpecification.1.Tag.1.Value=v")
	if ids := added.texts("securityGroupRuleSet", "securityGroupRuleId"); len(ids) != 2 || !strings.HasPrefix(ids[0], "sgr-") || added.text("securityGroupRuleSet/item/cidrIpv4") != "10.0.0.0/8" || added.text("return") != "true" {
		t.Errorf("%v", added)
	}
	shown := c.do(t, "DescribeSecurityGroups", "GroupId.1="+id).at("securityGroupInfo/item/ipPermissions")
	if len(shown.Inner) != 1 || shown.text("item/fromPort") != "443" || shown.text("item/ipRanges/item/description") != "inside" || shown.text("item/groups/item/groupId") != db {
		t.Errorf("%v", shown)
	}
	for _, tc := range [][]string{
		{"InvalidPermission.Duplicate", "IpProtocol=tcp", "FromPort=443", "ToPort=443", "CidrIp=10.0.0.0/8"},
		{"InvalidParameterValue", "IpProtocol=tcp", "CidrIp=10.0.0.0/8"},
		{"InvalidParameterValue", "IpProtocol=tcp", "FromPort=5", "ToPort=4", "CidrIp=10.0.0.0/8"},
		{"InvalidParameterValue", "IpProtocol=tcp", "FromPort=5", "ToPort=70000", "CidrIp=10.0.0.0/8"},
		{"InvalidParameterValue", "IpProtocol=ftp", "CidrIp=10.0.0.0/8"},
		{"InvalidParameterValue", "IpProtocol=tcp", "FromPort=5", "ToPort=5", "CidrIp=10.0.0.0"},
		{"InvalidParameterCombination", "IpProtocol=tcp", "FromPort=5", "ToPort=5"},
		{"InvalidParameterValue", "IpProtocol=icmp", "FromPort=300", "CidrIp=10.0.0.0/8"},
		{"InvalidGroup.NotFound", "IpPermissions.1.IpProtocol=-1", "IpPermissions.1.Groups.1.GroupId=sg-00000000"},
		{"InvalidParameterValue", "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=x"},
		{"MissingParameter"},
	} {
		c.refused(t, tc[0], "AuthorizeSecurityGroupIngress", append([]string{"GroupId=" + id}, tc[1:]...)...)
	}
	c.do(t, "AuthorizeSecurityGroupEgress", "GroupId="+id, "IpPermissions.1.IpProtocol=udp", "IpPermissions.1.FromPort=53", "IpPermissions.1.ToPort=53", "IpPermissions.1.Ipv6Ranges.1.CidrIpv6=fd00::/8")
	rules := c.do(t, "DescribeSecurityGroupRules", "Filter.1.Name=group-id", "Filter.1.Value.1="+id).at("securityGroupRuleSet")
	if len(rules.Inner) != 4 {
		t.Errorf("%d rules", len(rules.Inner))
	}
	if tagged := c.do(t, "DescribeSecurityGroupRules", "Filter.1.Name=tag:k", "Filter.1.Value.1=v").at("securityGroupRuleSet").Inner; len(tagged) != 2 {
		t.Errorf("%d tagged rules", len(tagged))
	}
	c.refused(t, "DependencyViolation", "DeleteSecurityGroup", "GroupId="+db)
	c.refused(t, "InvalidPermission.NotFound", "RevokeSecurityGroupIngress", "GroupId="+id, "IpProtocol=tcp", "FromPort=80", "ToPort=80", "CidrIp=10.0.0.0/8")
	c.refused(t, "InvalidSecurityGroupRuleId.NotFound", "RevokeSecurityGroupIngress", "GroupId="+id, "SecurityGroupRuleId.1=sgr-00000000")
	gone := c.do(t, "RevokeSecurityGroupIngress", "GroupId="+id, "SecurityGroupRuleId.1="+added.texts("securityGroupRuleSet", "securityGroupRuleId")[1])
	if gone.text("revokedSecurityGroupRuleSet/item/referencedGroupId") != db {
		t.Errorf("%v", gone)
	}
	c.do(t, "RevokeSecurityGroupEgress", "GroupId="+id, "IpPermissions.1.IpProtocol=-1", "IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	c.users[db] = []string{"the VPC connector out"}
	c.refused(t, "DependencyViolation", "DeleteSecurityGroup", "GroupId="+db)
	delete(c.users, db)
	if out := c.do(t, "DeleteSecurityGroup", "GroupId="+db); out.text("return") != "true" || out.text("groupId") != db {
		t.Errorf("%v", out)
	}
	c.refused(t, "InvalidGroup.NotFound", "DescribeSecurityGroups", "GroupId.1="+db)
	standard := c.do(t, "DescribeSecurityGroups", "Filter.1.Name=group-name", "Filter.1.Value.1=default", "Filter.2.Name=vpc-id", "Filter.2.Value.1="+vpc).text("securityGroupInfo/item/groupId")
	c.refused(t, "CannotDelete", "DeleteSecurityGroup", "GroupId="+standard)
	for _, name := range []string{"default", "sg-mine", "", "no|bars"} {
		c.refused(t, "InvalidParameterValue", "CreateSecurityGroup", "GroupName="+name, "GroupDescription=d", "VpcId="+vpc)
	}
	// The form of the first days names groups of the default VPC.
	c.do(t, "CreateSecurityGroup", "GroupName=old", "GroupDescription=d")
	c.do(t, "AuthorizeSecurityGroupIngress", "GroupName=old", "SourceSecurityGroupName=default")
	c.do(t, "DeleteSecurityGroup", "GroupName=old")
}

// Whatever has an id has tags, which are written, found and taken by everything that lists.
func TestEC2Tags(t *testing.T) {
	c := newCloud(t, false)
	vpc := c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16").text("vpc/vpcId")
	table := c.do(t, "DescribeRouteTables", "Filter.1.Name=vpc-id", "Filter.1.Value.1="+vpc).text("routeTableSet/item/routeTableId")
	c.do(t, "CreateTags", "ResourceId.1="+vpc, "ResourceId.2="+table, "Tag.1.Key=Name", "Tag.1.Value=a", "Tag.2.Key=stage", "Tag.2.Value=prod")
	c.do(t, "CreateTags", "ResourceId.1="+vpc, "Tag.1.Key=Name", "Tag.1.Value=b")
	for filter, want := range map[string]int{
		"tag:Name=b": 1, "tag:Name=a": 0, "tag-key=stage": 1, "tag:stage=p*d": 1, "tag:stage=PROD": 0, `tag:stage=\*`: 0, "is-default=true": 1, "cidr=10.0.0.0/16": 1, "state=available": 2, "owner-id=1234567890??": 2,
	} {
		name, value, _ := strings.Cut(filter, "=")
		if got := len(c.do(t, "DescribeVpcs", "Filter.1.Name="+name, "Filter.1.Value.1="+value).at("vpcSet").Inner); got != want {
			t.Errorf("%s: %d VPCs, want %d", filter, got, want)
		}
	}
	c.refused(t, "InvalidParameterValue", "DescribeVpcs", "Filter.1.Name=colour", "Filter.1.Value.1=red")
	tags := c.do(t, "DescribeTags", "Filter.1.Name=resource-type", "Filter.1.Value.1=vpc", "Filter.2.Name=key", "Filter.2.Value.1=Name")
	if tags.text("tagSet/item/value") != "b" || tags.text("tagSet/item/resourceId") != vpc || len(tags.at("tagSet").Inner) != 1 {
		t.Errorf("%v", tags)
	}
	c.do(t, "DeleteTags", "ResourceId.1="+vpc, "Tag.1.Key=Name", "Tag.1.Value=other", "Tag.2.Key=stage")
	if left := c.do(t, "DescribeVpcs", "VpcId.1="+vpc).texts("vpcSet", "tagSet/item"); len(left) != 1 {
		t.Errorf("%v", left)
	}
	if left := c.do(t, "DescribeTags", "Filter.1.Name=resource-id", "Filter.1.Value.1="+vpc).texts("tagSet", "key"); !slices.Equal(left, []string{"Name"}) {
		t.Errorf("%v", left)
	}
	c.refused(t, "InvalidVpcID.NotFound", "CreateTags", "ResourceId.1=vpc-00000000", "Tag.1.Key=k")
	c.refused(t, "InvalidID", "CreateTags", "ResourceId.1=i-1", "Tag.1.Key=k")
	c.refused(t, "InvalidParameterValue", "CreateTags", "ResourceId.1="+vpc, "Tag.1.Key=aws:k")
	c.refused(t, "InvalidParameterValue", "CreateVpc", "CidrBlock=10.0.0.0/16", "TagSpecification.1.ResourceType=subnet", "TagSpecification.1.Tag.1.Key=k")
	var many []string
	for i := range 51 {
		many = append(many, "Tag."+strconv.Itoa(i+1)+".Key=k"+strconv.Itoa(i))
	}
	c.refused(t, "TagLimitExceeded", "CreateTags", append(many, "ResourceId.1="+vpc)...)
}

// Pages hold what is asked for, none twice, and a token is good for its own listing alone.
func TestEC2Pages(t *testing.T) {
	c := newCloud(t, false)
	for i := range 12 {
		c.do(t, "CreateVpc", "CidrBlock=10."+strconv.Itoa(i)+".0.0/16")
	}
	var seen []string
	token := ""
	for page := 0; page < 5; page++ {
		ask := []string{"MaxResults=5"}
		if token != "" {
			ask = append(ask, "NextToken="+token)
		}
		out := c.do(t, "DescribeVpcs", ask...)
		seen = append(seen, out.texts("vpcSet", "vpcId")...)
		if token = out.text("nextToken"); token == "" {
			break
		}
		if page == 0 {
			c.refused(t, "InvalidNextToken", "DescribeVpcs", "MaxResults=6", "NextToken="+token)
		}
	}
	if slices.Sort(seen); len(seen) != 13 || len(slices.Compact(seen)) != 13 {
		t.Errorf("%d VPCs on all pages", len(seen))
	}
	c.refused(t, "InvalidParameterValue", "DescribeVpcs", "MaxResults=4")
	c.refused(t, "InvalidParameterValue", "DescribeVpcEndpoints", "MaxResults=-1")
	c.refused(t, "InvalidParameterCombination", "DescribeVpcs", "MaxResults=5", "VpcId.1="+seen[0])
}

// A dry run says what would happen, and nothing does.
func TestEC2DryRun(t *testing.T) {
	c := newCloud(t, false)
	c.refused(t, "DryRunOperation", "CreateVpc", "CidrBlock=10.0.0.0/16", "DryRun=true")
	c.refused(t, "DryRunOperation", "DescribeVpcs", "DryRun=true")
	c.refused(t, "InvalidVpcID.NotFound", "DeleteVpc", "VpcId=vpc-00000000", "DryRun=true")
	if vpcs := c.do(t, "DescribeVpcs").at("vpcSet").Inner; len(vpcs) != 1 {
		t.Errorf("%d VPCs", len(vpcs))
	}
}

func TestEC2Surroundings(t *testing.T) {
	c := newCloud(t, false)
	zones := c.do(t, "DescribeAvailabilityZones", "Filter.1.Name=zone-id", "Filter.1.Value.1=use1-az1")
	if names := zones.texts("availabilityZoneInfo", "zoneName"); !slices.Equal(names, []string{"us-east-1a"}) {
		t.Errorf("%v", names)
	}
	c.refused(t, "InvalidParameterValue", "DescribeAvailabilityZones", "ZoneName.1=eu-west-1a")
	if r := c.do(t, "DescribeRegions"); r.text("regionInfo/item/regionName") != region || r.text("regionInfo/item/regionEndpoint") != "api.example.com" {
		t.Errorf("%v", r)
	}
	attributes := c.do(t, "DescribeAccountAttributes", "AttributeName.1=default-vpc")
	if got := attributes.text("accountAttributeSet/item/attributeValueSet/item/attributeValue"); got != c.do(t, "DescribeVpcs").text("vpcSet/item/vpcId") {
		t.Errorf("%v", attributes)
	}
	if lists := c.do(t, "DescribePrefixLists", "Filter.1.Name=prefix-list-name", "Filter.1.Value.1=x").at("prefixListSet"); lists.XMLName.Local == "" || len(lists.Inner) != 0 {
		t.Errorf("%v", lists)
	}
	c.refused(t, "InvalidPrefixListId.NotFound", "DescribePrefixLists", "PrefixListId.1=pl-00000000")
	c.refused(t, "InvalidAction", "RunInstances")
}

// The service is recognised by its version alone, where a request is signed for another.
func TestEC2IsRecognised(t *testing.T) {
	c := newCloud(t, false)
	status, body := c.post(t, "sts", "", "Action=DescribeVpcs&Version=2016-11-15")
	if status != 403 || !strings.Contains(body, "<Code>AuthFailure</Code>") || !strings.Contains(body, "<Response>") {
		t.Errorf("%d %s", status, body)
	}
}

// Deleted endpoints and gateways are shown for a while, and then not any more.
func TestDeletedAreShownForAWhile(t *testing.T) {
	db, now := openStore(t), time.Now()
	n, err := network.Open(t.Context(), network.Config{DB: db, Now: func() time.Time { return now }})
	ok(t, err)
	c := &cloud{net: n, endpoint: serve(t, db, ec2Service(t, n))}
	vpc := c.do(t, "DescribeVpcs").text("vpcSet/item/vpcId")
	id := c.do(t, "CreateVpcEndpoint", "VpcId="+vpc, "ServiceName=com.amazonaws.us-east-1.apprunner.requests").text("vpcEndpoint/vpcEndpointId")
	c.do(t, "DeleteVpcEndpoints", "VpcEndpointId.1="+id)
	if state := c.do(t, "DescribeVpcEndpoints", "VpcEndpointId.1="+id).text("vpcEndpointSet/item/state"); state != "deleted" {
		t.Errorf("state %s", state)
	}
	now = now.Add(11 * time.Minute)
	c.refused(t, "InvalidVpcEndpointId.NotFound", "DescribeVpcEndpoints", "VpcEndpointId.1="+id)
	c.do(t, "CreateVpc", "CidrBlock=10.0.0.0/16")
	var rows int
	ok(t, db.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Get(`SELECT count(*) FROM network_records WHERE id = $1`, []any{id}, &rows)
		return err
	}))
	if rows != 0 {
		t.Error("the record of a deleted endpoint is kept for ever")
	}
}
