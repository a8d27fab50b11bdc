package console

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// ec2 makes something with the stock AWS CLI and reads one text out of the answer.
func ec2(t *testing.T, h *rig.House, query string, args ...string) string {
	t.Helper()
	out, err := h.AWS(append([]string{"ec2", "--query", query, "--output", "json"}, args...)...)
	ok(t, err)
	var text string
	if err := json.Unmarshal([]byte(out), &text); err != nil {
		t.Fatalf("aws ec2 %v: %v in %s", args, err, out)
	}
	return text
}

func named(kind, name string) []string {
	return []string{"--tag-specifications", "ResourceType=" + kind + ",Tags=[{Key=Name,Value=" + name + "}]"}
}

// vpc is a network with two private subnets and a group that lets HTTPS in.
type vpc struct{ ID, One, Two, Group string }

func newVPC(t *testing.T, h *rig.House, name string) vpc {
	t.Helper()
	var v vpc
	v.ID = ec2(t, h, "Vpc.VpcId", append([]string{"create-vpc", "--cidr-block", "10.20.0.0/16"}, named("vpc", name)...)...)
	subnet := func(zone, cidr string) string {
		return ec2(t, h, "Subnet.SubnetId", append([]string{"create-subnet", "--vpc-id", v.ID, "--cidr-block", cidr, "--availability-zone", zone}, named("subnet", name+"-"+zone)...)...)
	}
	v.One, v.Two = subnet("us-east-1a", "10.20.1.0/24"), subnet("us-east-1b", "10.20.2.0/24")
	v.Group = ec2(t, h, "GroupId", "create-security-group", "--vpc-id", v.ID, "--group-name", name+"-https", "--description", "lets HTTPS in")
	_, err := h.AWS("ec2", "authorize-security-group-ingress", "--group-id", v.Group, "--protocol", "tcp", "--port", "443", "--cidr", "10.20.0.0/16")
	ok(t, err)
	return v
}

// A public service becomes private through an endpoint that is made on the way; the endpoint is edited, not deleted while it is used,
// and deleted when the service is public again.
//
// checklist: 225, 226, 227, 228, 229
func TestPrivateEndpoints(t *testing.T) {
	h := theHouse(t)
	v := newVPC(t, h, "shop")
	s := h.Create(t, "inner", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "private", user(t, h, "petra", mayAll), map[string]any{"service": s.ARN(), "vpc": v})
	s.Says(t, "/", "hello v1")
	now, err := h.Describe(s.ARN())
	ok(t, err)
	joined, err := h.Apps.ListVpcIngressConnections(t.Context(), &apprunner.ListVpcIngressConnectionsInput{Filter: &types.ListVpcIngressConnectionsFilter{ServiceArn: s.ServiceArn}})
	ok(t, err)
	if !now.NetworkConfiguration.IngressConfiguration.IsPubliclyAccessible || len(joined.VpcIngressConnectionSummaryList) != 0 {
		t.Errorf("the story left %+v, %+v", now.NetworkConfiguration, joined.VpcIngressConnectionSummaryList)
	}
}

// Who may not look at networks is told which permission is missing.
func TestNetworksDenied(t *testing.T) {
	h := theHouse(t)
	play(t, h, "networks_denied", user(t, h, "paula", mayRead), nil)
}

// The wizard makes a service that is private from the beginning, and its dashboard deletes it.
//
// checklist: 225, 226
func TestPrivateFromTheBeginning(t *testing.T) {
	h := theHouse(t)
	v := newVPC(t, h, "vault")
	image := *rig.ImageSource("app", "v1", nil).ImageRepository.ImageIdentifier
	play(t, h, "private_wizard", user(t, h, "pavel", mayAll), map[string]any{"vpc": v, "image": image})
	left, err := h.Apps.ListVpcIngressConnections(t.Context(), &apprunner.ListVpcIngressConnectionsInput{})
	ok(t, err)
	if _, err := h.Named("vault-service"); err == nil || len(left.VpcIngressConnectionSummaryList) != 0 {
		t.Errorf("the story left the service (%v) or %+v", err, left.VpcIngressConnectionSummaryList)
	}
}

// VPC connectors are listed, made and deleted, and chosen for a service.
//
// checklist: 249
func TestVPCConnectors(t *testing.T) {
	h := theHouse(t)
	v := newVPC(t, h, "data")
	s := h.Create(t, "outer", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "connectors", user(t, h, "conrad", mayAll), map[string]any{"service": s.ARN(), "vpc": v})
	list, err := h.Apps.ListVpcConnectors(t.Context(), &apprunner.ListVpcConnectorsInput{})
	ok(t, err)
	if len(list.VpcConnectors) != 1 || *list.VpcConnectors[0].VpcConnectorName != "to-data" || list.VpcConnectors[0].SecurityGroups[0] != v.Group {
		t.Errorf("the story left %+v", list.VpcConnectors)
	}
}
