package api_test

import (
	"slices"
	"testing"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/observe"
)

// Policies name networks by ARN, by their tags, by those that are about to be put on them, and by the VPC they are in.
func TestEC2Policies(t *testing.T) {
	var n *network.Network
	d := newDoor(t, func(c *api.Config) {
		var err error
		n, err = network.Open(t.Context(), network.Config{DB: openStore(t)})
		ok(t, err)
		c.Services = append(c.Services, ec2Service(t, n))
	})
	root := &cloud{endpoint: d.endpoint, net: n}
	vpc := func(team, cidr string) string {
		return root.do(t, "CreateVpc", "CidrBlock="+cidr, "TagSpecification.1.ResourceType=vpc", "TagSpecification.1.Tag.1.Key=team", "TagSpecification.1.Tag.1.Value="+team).text("vpc/vpcId")
	}
	ours, theirs := vpc("a", "10.0.0.0/16"), vpc("b", "10.1.0.0/16")
	record, _ := d.last(t)
	if record.EventSource != "ec2.amazonaws.com" || record.EventName != "CreateVpc" || !slices.Contains(record.Resources, observe.AuditResource{Type: "AWS::EC2::VPC", Name: theirs}) {
		t.Errorf("the record of the last creation: %+v", record)
	}
	_, err := d.dir.CreateUser(t.Context(), iam.User{Account: account, Name: "ana"})
	ok(t, err)
	key, err := d.dir.CreateAccessKey(t.Context(), account, "ana")
	ok(t, err)
	ana := &cloud{endpoint: &endpoint{url: d.url, key: key, db: d.db}, net: n}
	may := func(statements string) {
		t.Helper()
		ok(t, d.dir.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: "ana"}, "rights", `{"Version":"2012-10-17","Statement":[`+statements+`]}`))
	}
	const denied = "UnauthorizedOperation"

	may(`{"Effect":"Allow","Action":"ec2:DeleteVpc","Resource":"arn:aws:ec2:us-east-1:123456789012:vpc/*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}`)
	ana.refused(t, denied, "DeleteVpc", "VpcId="+theirs)
	ana.refused(t, denied, "DeleteVpc", "VpcId="+theirs, "DryRun=true")
	ana.refused(t, "DryRunOperation", "DeleteVpc", "VpcId="+ours, "DryRun=true")
	ana.refused(t, denied, "DescribeVpcs")

	may(`{"Effect":"Allow","Action":"ec2:CreateVpc","Resource":"*"}`)
	tagged := []string{"CidrBlock=10.2.0.0/16", "TagSpecification.1.ResourceType=vpc", "TagSpecification.1.Tag.1.Key=team", "TagSpecification.1.Tag.1.Value=a"}
	ana.refused(t, denied, "CreateVpc", tagged...)
	may(`{"Effect":"Allow","Action":"ec2:CreateVpc","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a"}}},
		{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*","Condition":{"StringEquals":{"ec2:CreateAction":"CreateVpc"}}}`)
	ana.do(t, "CreateVpc", tagged...)
	ana.refused(t, denied, "CreateVpc", "CidrBlock=10.3.0.0/16")
	ana.refused(t, denied, "CreateTags", "ResourceId.1="+ours, "Tag.1.Key=team", "Tag.1.Value=b")

	group := func(vpc string) string {
		return root.do(t, "CreateSecurityGroup", "GroupName=web", "GroupDescription=d", "VpcId="+vpc).text("groupId")
	}
	inOurs, inTheirs := group(ours), group(theirs)
	may(`{"Effect":"Allow","Action":"ec2:AuthorizeSecurityGroupIngress","Resource":"*","Condition":{"ArnEquals":{"ec2:Vpc":"arn:aws:ec2:us-east-1:123456789012:vpc/` + ours + `"}}}`)
	rule := []string{"IpProtocol=tcp", "FromPort=443", "ToPort=443", "CidrIp=10.0.0.0/8"}
	ana.do(t, "AuthorizeSecurityGroupIngress", append(rule, "GroupId="+inOurs)...)
	ana.refused(t, denied, "AuthorizeSecurityGroupIngress", append(rule, "GroupId="+inTheirs)...)

	may(`{"Effect":"Allow","Action":"ec2:CreateVpcEndpoint","Resource":"*"},
		{"Effect":"Deny","Action":"ec2:CreateVpcEndpoint","Resource":"arn:aws:ec2:*:*:vpc-endpoint/*","Condition":{"StringNotEquals":{"ec2:VpceServiceName":"com.amazonaws.us-east-1.apprunner.requests"}}}`)
	ana.do(t, "CreateVpcEndpoint", "VpcId="+ours, "ServiceName=com.amazonaws.us-east-1.apprunner.requests")
	ana.refused(t, denied, "CreateVpcEndpoint", "VpcId="+ours, "ServiceName=com.amazonaws.us-east-1.apprunner")
}
