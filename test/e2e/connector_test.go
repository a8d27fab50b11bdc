package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// through sends a service's calls through a VPC connector.
func through(connector string) *types.NetworkConfiguration {
	return &types.NetworkConfiguration{
		EgressConfiguration:  &types.EgressConfiguration{EgressType: types.EgressTypeVpc, VpcConnectorArn: &connector},
		IngressConfiguration: &types.IngressConfiguration{IsPubliclyAccessible: true},
	}
}

// A connector's interfaces are there before its services run, one a subnet, and are shared by services and instances. With public subnets
// a creation fails and an update is rolled back.
//
// checklist: 240, 241, 242
func TestVPCConnectors(t *testing.T) {
	h := theHouse(t)
	h.PushApp(t, "connectors", "v1", "v1")
	source := rig.ImageSource("connectors", "v1", nil)
	vpc := h.AWSText(t, "Vpc.VpcId", "ec2", "create-vpc", "--cidr-block", "10.40.0.0/16")
	subnet := func(cidr, zone string) string {
		return h.AWSText(t, "Subnet.SubnetId", "ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", cidr, "--availability-zone", h.Env["AWS_REGION"]+zone)
	}
	a, b, open := subnet("10.40.1.0/24", "a"), subnet("10.40.2.0/24", "b"), subnet("10.40.3.0/24", "c")
	gateway := h.AWSText(t, "InternetGateway.InternetGatewayId", "ec2", "create-internet-gateway")
	table := h.AWSText(t, "RouteTable.RouteTableId", "ec2", "create-route-table", "--vpc-id", vpc)
	for _, args := range [][]string{
		{"attach-internet-gateway", "--internet-gateway-id", gateway, "--vpc-id", vpc},
		{"create-route", "--route-table-id", table, "--destination-cidr-block", "0.0.0.0/0", "--gateway-id", gateway},
		{"associate-route-table", "--route-table-id", table, "--subnet-id", open},
	} {
		h.must(t, nil, append([]string{"ec2"}, args...)...)
	}
	private := h.AWSText(t, "VpcConnector.VpcConnectorArn", "apprunner", "create-vpc-connector", "--vpc-connector-name", "private", "--subnets", a, b)
	public := h.AWSText(t, "VpcConnector.VpcConnectorArn", "apprunner", "create-vpc-connector", "--vpc-connector-name", "public", "--subnets", open)
	via := func(connector string) func(*apprunner.CreateServiceInput) {
		return func(in *apprunner.CreateServiceInput) { in.NetworkConfiguration = through(connector) }
	}

	failed := h.Create(t, "through-public", source, types.ServiceStatusCreateFailed, rig.Small, via(public))
	if events := failed.Events(); !strings.Contains(events, open) {
		t.Errorf("the events name no subnet: %s", events)
	}
	first := h.Create(t, "through-private", source, types.ServiceStatusRunning, rig.Small, via(private))
	interfaces := managed(t, h, vpc)
	if len(interfaces) != 2 {
		t.Fatalf("%d interfaces, want one in each of 2 subnets: %+v", len(interfaces), interfaces)
	}
	h.Create(t, "also-private", source, types.ServiceStatusRunning, rig.Small, via(private))
	if again := managed(t, h, vpc); len(again) != 2 || again[0] != interfaces[0] || again[1] != interfaces[1] {
		t.Errorf("a second service changed the interfaces from %+v to %+v", interfaces, again)
	}
	if _, err := h.Apps.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: aws.String(first.ARN()), NetworkConfiguration: through(public)}); err != nil {
		t.Fatal(err)
	}
	after := h.Await(t, first.ARN(), types.ServiceStatusRunning)
	if got := aws.ToString(after.NetworkConfiguration.EgressConfiguration.VpcConnectorArn); got != private {
		t.Errorf("after the rollback the service goes through %s, want %s", got, private)
	}
	if out, err := h.AWS("ec2", "delete-subnet", "--subnet-id", a); err == nil || !strings.Contains(err.Error()+out, "DependencyViolation") {
		t.Errorf("a subnet in use is deleted: %v %s", err, out)
	}
}

// eni is a network interface as the CLI prints it.
type eni struct{ NetworkInterfaceId, PrivateIpAddress, SubnetId string }

func managed(t *testing.T, h house, vpc string) []eni {
	t.Helper()
	return managedIn(t, h, vpc, "10.40.")
}

// managedIn are the interfaces of connectors in a VPC, whose addresses begin so. None has a public address.
func managedIn(t *testing.T, h house, vpc, begin string) []eni {
	t.Helper()
	out, err := h.AWS("ec2", "describe-network-interfaces", "--filters", "Name=tag-key,Values=AWSAppRunnerManaged", "Name=vpc-id,Values="+vpc)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		NetworkInterfaces []struct {
			eni
			RequesterManaged bool
			Association      *struct{}
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatal(err)
	}
	var list []eni
	for _, i := range answer.NetworkInterfaces {
		if !i.RequesterManaged || i.Association != nil || !strings.HasPrefix(i.PrivateIpAddress, begin) {
			t.Errorf("interface %+v", i)
		}
		list = append(list, i.eni)
	}
	return list
}
