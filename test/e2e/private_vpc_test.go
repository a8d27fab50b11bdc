package e2e

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// inside makes a service private from the beginning.
func inside(in *apprunner.CreateServiceInput) {
	in.NetworkConfiguration = reach(false)
}

func reach(public bool) *types.NetworkConfiguration {
	return &types.NetworkConfiguration{IngressConfiguration: &types.IngressConfiguration{IsPubliclyAccessible: public}}
}

// addresses asks the installation's name server, from outside.
func addresses(t *testing.T, h *rig.House, name string) []netip.Addr {
	t.Helper()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, h.Env["SLIPWAY_DNS"])
	}}
	list, err := r.LookupNetIP(t.Context(), "ip", name+".")
	if e, is := err.(*net.DNSError); err != nil && (!is || !e.IsNotFound) {
		t.Fatal(err)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

// ingress is a VpcIngressConnection as the CLI prints it.
type ingress struct{ VpcIngressConnectionArn, DomainName, Status string }

// connect joins a service to the VPC's endpoint and waits until it is available.
func connect(t *testing.T, v rig.VPC, name string, s rig.Service) ingress {
	t.Helper()
	var a struct{ VpcIngressConnection ingress }
	house{v.House}.must(t, &a, "apprunner", "create-vpc-ingress-connection", "--service-arn", s.ARN(), "--vpc-ingress-connection-name", name,
		"--ingress-vpc-configuration", asJSON(t, map[string]string{"VpcId": v.ID, "VpcEndpointId": v.EndpointID}))
	if a.VpcIngressConnection.Status != "PENDING_CREATION" || a.VpcIngressConnection.DomainName != s.Host() {
		t.Errorf("create-vpc-ingress-connection answered %+v", a.VpcIngressConnection)
	}
	t.Cleanup(func() { // a service that has one is not deleted
		_, _ = v.House.AWS("apprunner", "delete-vpc-ingress-connection", "--vpc-ingress-connection-arn", a.VpcIngressConnection.VpcIngressConnectionArn)
	})
	return awaitIngress(t, v.House, a.VpcIngressConnection.VpcIngressConnectionArn, "AVAILABLE")
}

func awaitIngress(t *testing.T, h *rig.House, arn, want string) ingress {
	t.Helper()
	var a struct{ VpcIngressConnection ingress }
	for deadline := time.Now().Add(90 * time.Second); a.VpcIngressConnection.Status != want; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the ingress connection is %s, want %s", a.VpcIngressConnection.Status, want)
		}
		house{h}.must(t, &a, "apprunner", "describe-vpc-ingress-connection", "--vpc-ingress-connection-arn", arn)
	}
	return a.VpcIngressConnection
}

// TestPrivateEndpoint is the story of a service that is reached from inside a VPC and from nowhere else, all with stock clients: curl inside
// the VPC, the AWS CLI outside.
//
// checklist: 216, 218, 219, 220, 221, 222, 223, 229, 230, 232, 233, 234
func TestPrivateEndpoint(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--start-timeout", startTimeout, "--domain", "apps.test") // curl never asks for names below localhost
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "private", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, inside)
	v := h.NewVPC(t, "10.40.0.0/16")
	if list := addresses(t, h, s.Host()); len(list) > 0 {
		t.Errorf("before there is an ingress connection %s resolves to %v", s.Host(), list)
	}
	c := connect(t, v, "door", s)

	eventually(t, "the name resolves to the endpoint's addresses", func() bool { return slices.Equal(addresses(t, h, s.Host()), v.Addresses) })
	page := "https://" + s.Host() + "/"
	if status, text := v.Curl(t, page); status != "200" {
		t.Fatalf("inside the VPC: %s", text)
	}
	if status, body, err := s.Get("/"); status != 404 {
		t.Errorf("from outside: %d %q, %v", status, body, err)
	}
	if status, text := v.Curl(t, "http://"+s.Host()+"/", "-o", "/dev/null"); status == "200" {
		t.Errorf("over plain HTTP, which the security group does not let in: %s", text)
	}

	if list := addresses(t, h, v.Regional); !slices.Equal(list, v.Addresses) {
		t.Errorf("%s resolves to %v, want %v", v.Regional, list, v.Addresses)
	}
	if list := addresses(t, h, v.ZoneName); len(list) != 1 || !slices.Contains(v.Addresses, list[0]) {
		t.Errorf("%s resolves to %v, want one of %v", v.ZoneName, list, v.Addresses)
	}
	for _, refused := range []string{"https://" + v.Regional + "/", "https://" + v.ZoneName + "/"} {
		if status, text := v.Curl(t, refused, "-k"); status == "200" {
			t.Errorf("under an endpoint's own name: %s", text)
		}
	}
	if status, _ := v.Curl(t, "https://"+v.Regional+"/", "-k", "-H", "Host: "+s.Host()); status == "200" {
		t.Error("a handshake under an endpoint's own name leads to a service")
	}

	v.Allow(t, "revoke-security-group-ingress", "10.40.0.0/16")
	eventually(t, "nothing gets in without HTTPS in the security group", func() bool {
		status, _ := v.Curl(t, page, "--connect-timeout", "1")
		return status == "000"
	})
	v.Allow(t, "authorize-security-group-ingress", "10.40.2.0/24")
	eventually(t, "the subnet that the group names gets in", func() bool {
		status, _ := v.Curl(t, page, "--connect-timeout", "1")
		return status == "200"
	})

	out, err := h.AWS("ec2", "delete-vpc-endpoints", "--vpc-endpoint-ids", v.EndpointID)
	if err != nil || !strings.Contains(out, "DependencyViolation") {
		t.Errorf("an endpoint in use is deleted: %s, %v", out, err)
	}
	if _, err := h.AWS("apprunner", "update-service", "--service-arn", s.ARN(), "--network-configuration", asJSON(t, map[string]any{"IngressConfiguration": map[string]any{"IsPubliclyAccessible": true}})); err == nil || !strings.Contains(err.Error(), "InvalidRequestException") {
		t.Errorf("a service with an ingress connection becomes public: %v", err)
	}

	house{h}.must(t, nil, "apprunner", "delete-vpc-ingress-connection", "--vpc-ingress-connection-arn", c.VpcIngressConnectionArn)
	awaitIngress(t, h, c.VpcIngressConnectionArn, "DELETED")
	eventually(t, "the name has no address any more", func() bool { return len(addresses(t, h, s.Host())) == 0 })
	s.Update(t, &apprunner.UpdateServiceInput{NetworkConfiguration: reach(true)}, types.ServiceStatusRunning)
	eventually(t, "the service is public again", func() bool {
		status, _, err := s.Get("/")
		return err == nil && status == 200
	})
	if status, text := v.Curl(t, page, "-k", "--resolve", s.Host()+":443:"+v.Addresses[0].String()); status == "200" {
		t.Errorf("a public service is still reached at the endpoint: %s", text)
	}
	var endpoints struct{ VpcEndpoints []struct{ State string } }
	text, err := h.AWS("ec2", "describe-vpc-endpoints", "--vpc-endpoint-ids", v.EndpointID)
	if err != nil || json.Unmarshal([]byte(text), &endpoints) != nil || len(endpoints.VpcEndpoints) != 1 || endpoints.VpcEndpoints[0].State != "available" {
		t.Errorf("the endpoint went with the ingress connection: %s, %v", text, err)
	}
}

// A command inside a subnet has its own address, its exit code is passed on, and nothing of it stays.
func TestVPCExec(t *testing.T) {
	t.Parallel()
	v := theHouse(t).NewVPC(t, "10.41.0.0/16")
	if out, code := v.Exec(t, "sh", "-c", "cat /etc/resolv.conf; exit 7"); code != 7 || strings.TrimSpace(out) != "nameserver 10.41.0.2" {
		t.Errorf("exit code %d, printed %q", code, out)
	}
	if out, code := v.Exec(t, "sh", "-c", "kill -KILL $$"); code != 128+9 {
		t.Errorf("a command that was killed: exit code %d, printed %q", code, out)
	}
	if out, code := v.Exec(t, "no-such-program"); code != 1 || !strings.Contains(out, "no-such-program") {
		t.Errorf("a program that does not exist: exit code %d, printed %q", code, out)
	}
	list := v.House.AWSText(t, "to_string(length(NetworkInterfaces))", "ec2", "describe-network-interfaces", "--filters", "Name=vpc-id,Values="+v.ID)
	if list != "2" {
		t.Errorf("there are %s interfaces, want the endpoint's two", list)
	}
}
