package wire_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/wire"
	"slipway.dev/slipway/internal/wire/ec2"
)

// Lists have no element around their entries, names begin with a capital letter, and positions need not follow each other.
func TestEC2Request(t *testing.T) {
	got, err := decodeForm(&ec2.API, "CreateVpcEndpoint", "VpcId=vpc-1&SubnetId.2=b&SubnetId.1=a&SecurityGroupId.7=g&PrivateDnsEnabled=true"+
		"&TagSpecification.1.ResourceType=vpc-endpoint&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v&SubnetIds.1=ignored")
	if err != nil {
		t.Fatal(err)
	}
	want := &ec2.CreateVpcEndpointRequest{
		VpcId: new("vpc-1"), SubnetIds: []string{"a", "b"}, SecurityGroupIds: []string{"g"}, PrivateDnsEnabled: new(true),
		TagSpecifications: []ec2.TagSpecification{{ResourceType: new("vpc-endpoint"), Tags: []ec2.Tag{{Key: new("k"), Value: new("v")}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = decodeForm(&ec2.API, "AuthorizeSecurityGroupIngress", "GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=443"+
		"&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8&IpPermissions.1.Groups.1.GroupId=sg-2&DryRun=true")
	if err != nil {
		t.Fatal(err)
	}
	rules := &ec2.AuthorizeSecurityGroupIngressRequest{GroupId: new("sg-1"), DryRun: new(true), IpPermissions: []ec2.IpPermission{{
		IpProtocol: new("tcp"), FromPort: new(int32(443)), IpRanges: []ec2.IpRange{{CidrIp: new("10.0.0.0/8")}}, UserIdGroupPairs: []ec2.UserIdGroupPair{{GroupId: new("sg-2")}},
	}}}
	if diff := cmp.Diff(rules, got); diff != "" {
		t.Error(diff)
	}
}

// A name that a model gives to requests alone is taken as it stands.
func TestEC2QueryName(t *testing.T) {
	s := toy
	s.Protocol = wire.EC2
	s.Shapes = append([]wire.Shape(nil), toy.Shapes...)
	s.Shapes[5] = wire.Shape{Kind: wire.Structure, Members: []wire.Member{{Name: "Text", Shape: 1, Alias: "text", Query: "wordsAsTheyAre"}}}
	got, err := decodeForm(&s, "Do", "Inner.wordsAsTheyAre=a&Inner.Text=b&Plain.1=x")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&toyIn{Inner: &toyInner{Text: new("a")}, Plain: []string{"x"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEC2Answers(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	const head = ` xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><requestId>id-1</requestId>`
	for _, tc := range []struct {
		op   string
		out  any
		want string
	}{
		{"DescribeVpcs", &ec2.DescribeVpcsResult{Vpcs: []ec2.Vpc{{VpcId: new("vpc-1"), IsDefault: new(false), Tags: []ec2.Tag{}}}}, `<DescribeVpcsResponse` + head +
			`<vpcSet><item><isDefault>false</isDefault><tagSet></tagSet><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>`},
		{"CreateVpcEndpoint", &ec2.CreateVpcEndpointResult{VpcEndpoint: &ec2.VpcEndpoint{SubnetIds: []string{"a", "b"}, CreationTimestamp: &at}}, `<CreateVpcEndpointResponse` + head +
			`<vpcEndpoint><subnetIdSet><item>a</item><item>b</item></subnetIdSet><creationTimestamp>2026-11-21T09:00:00Z</creationTimestamp></vpcEndpoint></CreateVpcEndpointResponse>`},
		{"DeleteVpc", nil, `<DeleteVpcResponse` + head + `<return>true</return></DeleteVpcResponse>`},
	} {
		res := ec2.API.Encode(ec2.API.Operation(tc.op), tc.out, "id-1")
		if string(res.Body) != tc.want || res.ContentType != "text/xml" || res.Status != 200 {
			t.Errorf("%s: %d %s\ngot  %s\nwant %s", tc.op, res.Status, res.ContentType, res.Body, tc.want)
		}
	}
	res := ec2.API.EncodeError(0, "InvalidVpcID.NotFound", "a < b", "id-1")
	if want := `<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>a &lt; b</Message></Error></Errors><RequestID>id-1</RequestID></Response>`; string(res.Body) != want || res.Status != 400 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}
