package e2e

import (
	"context"
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
	awaitIngress(t, v.House, a.VpcIngressConnection.VpcIngressConnectionArn, types.VpcIngressConnectionStatusAvailable)
	return a.VpcIngressConnection
}

// awaitIngress waits for a status of an ingress connection.
func awaitIngress(t *testing.T, h *rig.House, arn string, want types.VpcIngressConnectionStatus) {
	t.Helper()
	var last types.VpcIngressConnectionStatus
	eventually(t, "an ingress connection is "+string(want), func() bool {
		out, err := h.Apps.DescribeVpcIngressConnection(t.Context(), &apprunner.DescribeVpcIngressConnectionInput{VpcIngressConnectionArn: &arn})
		if err != nil {
			t.Fatal(err)
		}
		last = out.VpcIngressConnection.Status
		return last == want
	})
	if last != want {
		t.FailNow()
	}
}

// privateStory is a private service that is joined to a VPC's endpoint, and another service that is not.
type privateStory struct {
	namesHouse
	vpc     rig.VPC
	s       rig.Service
	other   rig.Service
	ingress ingress
}

func (p *privateStory) page() string { return "https://" + p.s.Host() + "/" }

// gets checks what curl sees inside the VPC; "" stands for anything but 200.
func (p *privateStory) gets(t *testing.T, want, url string, more ...string) {
	t.Helper()
	if status, text := p.vpc.Curl(t, url, more...); status != want && (want != "" || status == "200") {
		t.Errorf("inside the VPC %s answers %s, want %s: %s", url, status, want, text)
	}
}

// becomes waits until curl sees a status inside the VPC.
func (p *privateStory) becomes(t *testing.T, want string) {
	t.Helper()
	eventually(t, "inside the VPC the service answers "+want, func() bool {
		status, _ := p.vpc.Curl(t, p.page(), "--connect-timeout", "1")
		return status == want
	})
}

// TestPrivateEndpoint is the story of a service that is reached from inside a VPC and from nowhere else, with stock clients: curl inside the
// VPC, the AWS CLI outside.
//
// checklist: 216, 218, 219, 220, 221, 222, 223, 229, 230, 231, 232, 233, 234
func TestPrivateEndpoint(t *testing.T) {
	t.Parallel()
	world := rig.NewDNS(t)
	// curl never asks for names below localhost.
	h := rig.Own(t, "--start-timeout", startTimeout, "--stop-grace", "5s", "--domain", "apps.test", "--dns-resolver", world.Addr)
	world.Delegate("apps.test", h.Env["SLIPWAY_DNS"])
	h.PushApp(t, "app", "v1", "v1")
	p := &privateStory{namesHouse: namesHouse{house{h}, world, h.Browser(world)}}
	p.s = h.Begin(t, "private", rig.ImageSource("app", "v1", nil), rig.Small, inside)
	p.other = h.Begin(t, "other", rig.ImageSource("app", "v1", nil), rig.Small, inside)
	p.vpc = h.NewVPC(t, "10.40.0.0/16")
	p.s, p.other = h.Await(t, p.s.ARN(), types.ServiceStatusRunning), h.Await(t, p.other.ARN(), types.ServiceStatusRunning)
	if list := addresses(t, h, p.s.Host()); len(list) > 0 {
		t.Errorf("before there is an ingress connection %s resolves to %v", p.s.Host(), list)
	}
	p.ingress = connect(t, p.vpc, "door", p.s)
	if events := p.s.Events(); !strings.Contains(events, "VPC ingress connection door is available") {
		t.Errorf("the events do not tell of the ingress connection:\n%s", events)
	}
	for _, part := range []struct {
		name string
		run  func(*privateStory, *testing.T)
	}{
		{"reached inside, and from nowhere else", (*privateStory).reached},
		{"names of endpoints", (*privateStory).endpointNames},
		{"a custom domain", (*privateStory).customDomain},
		{"killed processes", (*privateStory).killed},
		{"an upgrade", (*privateStory).upgraded},
		{"security groups", (*privateStory).groups},
		{"another endpoint", (*privateStory).moved},
		{"held in use", (*privateStory).held},
		{"public again", (*privateStory).publicAgain},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(p, t) }) {
			return
		}
	}
}

func (p *privateStory) reached(t *testing.T) {
	eventually(t, "the name resolves to the endpoint's addresses", func() bool { return slices.Equal(addresses(t, p.House, p.s.Host()), p.vpc.Addresses) })
	p.gets(t, "200", p.page())
	p.gets(t, "", "http://"+p.s.Host()+"/", "--connect-timeout", "2") // the group lets HTTPS in alone
	if status, body, err := p.s.Get("/"); status != 404 {
		t.Errorf("from outside: %d %q, %v", status, body, err)
	}
	p.gets(t, "", "https://"+p.other.Host()+"/", "--connect-to", "::"+p.vpc.Addresses[0].String()+":443")
	if list := addresses(t, p.House, p.other.Host()); len(list) > 0 {
		t.Errorf("a private service without an ingress connection resolves to %v", list)
	}
}

func (p *privateStory) endpointNames(t *testing.T) {
	v := p.vpc
	if list := addresses(t, p.House, v.Regional); !slices.Equal(list, v.Addresses) {
		t.Errorf("%s resolves to %v, want %v", v.Regional, list, v.Addresses)
	}
	if list := addresses(t, p.House, v.ZoneName); len(list) != 1 || !slices.Contains(v.Addresses, list[0]) {
		t.Errorf("%s resolves to %v, want one of %v", v.ZoneName, list, v.Addresses)
	}
	p.gets(t, "", "https://"+v.Regional+"/", "-k")
	p.gets(t, "", "https://"+v.ZoneName+"/", "-k")
	p.gets(t, "", "https://"+v.Regional+"/", "-k", "-H", "Host: "+p.s.Host())
}

func (p *privateStory) customDomain(t *testing.T) {
	p.link(t, p.s, "inside.shop.test", "--no-enable-www-subdomain")
	p.until(t, p.s, "inside.shop.test", "pending_certificate_dns_validation")
	p.dns.Set(t, "inside.shop.test. 60 CNAME "+p.s.Host()+".")
	p.prove(t, p.s, "inside.shop.test")
	p.until(t, p.s, "inside.shop.test", "active")
	list, err := p.dns.Resolver().LookupNetIP(t.Context(), "ip4", "inside.shop.test.")
	if slices.SortFunc(list, netip.Addr.Compare); err != nil || !slices.Equal(list, p.vpc.Addresses) {
		t.Errorf("the custom domain resolves to %v, %v; want %v", list, err, p.vpc.Addresses)
	}
	p.gets(t, "200", "https://inside.shop.test/")
	p.unlink(t, p.s, "inside.shop.test")
}

// killed: who was killed finds everything again.
func (p *privateStory) killed(t *testing.T) {
	for _, role := range []string{"edge", "control"} {
		p.Reborn(t, role, p.Kill(t, role))
		p.becomes(t, "200")
	}
}

func (p *privateStory) upgraded(t *testing.T) {
	load := p.s.Load(rig.Pressure{Path: "/", Rate: 60, Client: p.vpc.Client()})
	if out, err := p.Slipway("upgrade", "--data-dir", p.Dir, "--binary", copied(t)); err != nil {
		t.Fatal(err, out)
	}
	time.Sleep(time.Second) // of the new edge alone
	load.Stop().Unharmed(t)
	p.gets(t, "200", p.page())
}

func (p *privateStory) groups(t *testing.T) {
	p.vpc.Allow(t, "revoke-security-group-ingress", "10.40.0.0/16")
	p.becomes(t, "000")
	p.vpc.Allow(t, "authorize-security-group-ingress", "10.40.2.0/24")
	p.becomes(t, "200")
}

// moved: an update joins the service to another endpoint, and to that one alone.
func (p *privateStory) moved(t *testing.T) {
	former := p.vpc.Addresses[0]
	p.vpc.AddEndpoint(t, p.vpc.Subnets[2])
	p.must(t, nil, "apprunner", "update-vpc-ingress-connection", "--vpc-ingress-connection-arn", p.ingress.VpcIngressConnectionArn,
		"--ingress-vpc-configuration", asJSON(t, map[string]string{"VpcId": p.vpc.ID, "VpcEndpointId": p.vpc.EndpointID}))
	awaitIngress(t, p.House, p.ingress.VpcIngressConnectionArn, types.VpcIngressConnectionStatusAvailable)
	eventually(t, "the name resolves to the other endpoint", func() bool { return slices.Equal(addresses(t, p.House, p.s.Host()), p.vpc.Addresses) })
	p.becomes(t, "200")
	p.gets(t, "", p.page(), "--connect-to", "::"+former.String()+":443", "--connect-timeout", "2")
}

// held: as long as there is an ingress connection the endpoint stays, and the service private.
func (p *privateStory) held(t *testing.T) {
	out, err := p.AWS("ec2", "delete-vpc-endpoints", "--vpc-endpoint-ids", p.vpc.EndpointID)
	if err != nil || !strings.Contains(out, "DependencyViolation") {
		t.Errorf("an endpoint in use is deleted: %s, %v", out, err)
	}
	_, err = p.Apps.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: p.s.ServiceArn, NetworkConfiguration: reach(true)})
	if rig.Code(err) != "InvalidRequestException" {
		t.Errorf("a service with an ingress connection becomes public: %v", err)
	}
}

func (p *privateStory) publicAgain(t *testing.T) {
	p.must(t, nil, "apprunner", "delete-vpc-ingress-connection", "--vpc-ingress-connection-arn", p.ingress.VpcIngressConnectionArn)
	awaitIngress(t, p.House, p.ingress.VpcIngressConnectionArn, types.VpcIngressConnectionStatusDeleted)
	eventually(t, "the name has no address any more", func() bool { return len(addresses(t, p.House, p.s.Host())) == 0 })
	p.s.Update(t, &apprunner.UpdateServiceInput{NetworkConfiguration: reach(true)}, types.ServiceStatusRunning)
	eventually(t, "the service is public again", func() bool {
		status, _, err := p.s.Get("/")
		return err == nil && status == 200
	})
	p.gets(t, "", p.page(), "--connect-to", "::"+p.vpc.Addresses[0].String()+":443")
	state := p.AWSText(t, "VpcEndpoints[0].State", "ec2", "describe-vpc-endpoints", "--vpc-endpoint-ids", p.vpc.EndpointID)
	if state != "available" {
		t.Errorf("the endpoint went with the ingress connection: it is %s", state)
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
