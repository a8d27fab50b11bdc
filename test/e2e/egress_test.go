package e2e

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/test/rig"
)

// callers is a VPC with a server in one subnet, private subnets in three zones for connectors, of which the last one cannot be used, and a
// public subnet; and services that call.
type callers struct {
	house
	vpc        string
	private    []string
	database   string // the subnet of the server
	public     string // a subnet with a route to the internet gateway
	tables     string // the private subnets' route table
	gateway    string // the NAT gateway
	group      string // of the connector
	serverSide string // the group of the server: HTTP may come in from the connector's group
	connector  string
	world      netip.Addr
	near       netip.Addr // this machine, as the world sees it

	plain, through rig.Service
}

// The server of every VPC of these tests has this address.
const serverAddress = "10.60.9.4"

// newCallers makes the networks.
func newCallers(t *testing.T, h house, name string) *callers {
	t.Helper()
	c := &callers{house: h}
	c.vpc = h.AWSText(t, "Vpc.VpcId", "ec2", "create-vpc", "--cidr-block", "10.60.0.0/16")
	subnet := func(cidr, zone string) string {
		return h.AWSText(t, "Subnet.SubnetId", "ec2", "create-subnet", "--vpc-id", c.vpc, "--cidr-block", cidr, "--availability-zone", h.Env["AWS_REGION"]+zone)
	}
	c.private = []string{subnet("10.60.1.0/24", "a"), subnet("10.60.2.0/24", "b"), subnet("10.60.3.0/24", "c")}
	c.database, c.public = subnet("10.60.9.0/24", "a"), subnet("10.60.8.0/24", "a")
	group := func(name string) string {
		return h.AWSText(t, "GroupId", "ec2", "create-security-group", "--vpc-id", c.vpc, "--group-name", name, "--description", name)
	}
	c.group, c.serverSide = group("callers"), group("servers")
	c.rule(t, "authorize-security-group-ingress", c.serverSide, "--protocol", "tcp", "--port", "80", "--source-group", c.group)
	h.Serve(t, name, c.database, c.serverSide)
	c.connector = c.connect(t, name, c.private[:2], c.group)
	return c
}

func (c *callers) rule(t *testing.T, action, group string, more ...string) {
	t.Helper()
	c.must(t, nil, append([]string{"ec2", action, "--group-id", group}, more...)...)
}

// connect makes a connector.
func (c *callers) connect(t *testing.T, name string, subnets []string, groups ...string) (arn string) {
	t.Helper()
	args := append([]string{"apprunner", "create-vpc-connector", "--vpc-connector-name", name, "--subnets"}, subnets...)
	if len(groups) > 0 {
		args = append(append(args, "--security-groups"), groups...)
	}
	return c.AWSText(t, "VpcConnector.VpcConnectorArn", args...)
}

// egress updates how a service calls out; by default publicly.
func (c *callers) egress(t *testing.T, s rig.Service, connector string) rig.Service {
	t.Helper()
	n := &types.NetworkConfiguration{EgressConfiguration: &types.EgressConfiguration{EgressType: types.EgressTypeDefault}, IngressConfiguration: &types.IngressConfiguration{IsPubliclyAccessible: true}}
	if connector != "" {
		n = through(connector)
	}
	return s.Update(t, &apprunner.UpdateServiceInput{NetworkConfiguration: n}, types.ServiceStatusRunning)
}

// dials checks whether a service can connect to an address.
func dials(t *testing.T, s rig.Service, what, address string, want bool) {
	t.Helper()
	if got := s.Says(t, "/dial?address="+address, ""); strings.HasPrefix(got, "connected") != want {
		t.Errorf("service %s to %s at %s: %s", *s.ServiceName, what, address, got)
	}
}

// getsThrough waits until a service gets through to the server of its VPC, and returns the address that it was seen to come from.
func getsThrough(t *testing.T, s rig.Service, version string) netip.Addr {
	t.Helper()
	eventually(t, "service "+*s.ServiceName+" reaches "+version, func() bool {
		status, body, err := request(t, s, "POST", "/exchange?address="+serverAddress+":80", "GET / HTTP/1.0\r\n\r\n")
		return err == nil && status == 200 && strings.Contains(body, "hello "+version+" from")
	})
	_, body, err := request(t, s, "POST", "/exchange?address="+serverAddress+":80", "GET /request HTTP/1.0\r\n\r\n")
	_, rest, _ := strings.Cut(body, `"Remote":"`)
	remote, _, _ := strings.Cut(rest, `"`)
	from, unclear := netip.ParseAddrPort(remote)
	if err != nil || unclear != nil {
		t.Errorf("the server does not say who called: %q, %v", body, err)
	}
	return from.Addr()
}

// TestVPCEgress is the story of services that call out through a VPC, with the stock AWS CLI, real containers and a real server in the VPC.
//
// checklist: 191, 236, 237, 238, 239, 243, 244, 245, 246, 247, 248
func TestVPCEgress(t *testing.T) {
	t.Parallel()
	h := house{rig.Own(t, "--start-timeout", startTimeout, "--stop-grace", "5s", "--drain-timeout", "10s", "--closed-zones", "us-east-1c", "--quotas", "vpc-connectors=4")}
	h.PushApp(t, "app", "v1", "v1")
	c := newCallers(t, h, "server")
	c.world, c.near = rig.NewWorld(t)
	source := rig.ImageSource("app", "v1", nil)
	c.plain = h.Create(t, "plain", source, types.ServiceStatusRunning, rig.Small)
	c.through = h.Create(t, "through", source, types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) { in.NetworkConfiguration = through(c.connector) })
	for _, part := range []struct {
		name string
		run  func(*callers, *testing.T)
	}{
		{"public addresses and nothing private", (*callers).publicly},
		{"the VPC and nothing else", (*callers).privately},
		{"shared", (*callers).shared},
		{"security groups", (*callers).groups},
		{"another VPC with the same addresses", (*callers).sameAddresses},
		{"killed processes", (*callers).killed},
		{"an endpoint for the API", (*callers).apiEndpoint},
		{"cut off", (*callers).cutOff},
		{"a NAT gateway", (*callers).natGateway},
		{"an update under load", (*callers).underLoad},
		{"zones that cannot be used", (*callers).closedZones},
		{"down and up", (*callers).downAndUp},
		{"deleted", (*callers).deleted},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(c, t) }) {
			return
		}
	}
}

// publicly: without a connector.
func (c *callers) publicly(t *testing.T) {
	dials(t, c.plain, "the world", c.world.String()+":80", true)
	for what, address := range c.forbidden(t, c.through) {
		dials(t, c.plain, what, address, false)
	}
	dials(t, c.plain, "a server in a VPC", serverAddress+":80", false)
	dials(t, c.plain, "a private network", "192.168.1.1:80", false)
}

// forbidden are addresses that no service reaches, among them that of another one's instance.
func (c *callers) forbidden(t *testing.T, other rig.Service) map[string]string {
	t.Helper()
	list := map[string]string{
		"the metadata service": "169.254.169.254:80", "the front door": c.Env["SLIPWAY_HTTPS"], "the API": c.API(), "another instance": c.address(t, other),
	}
	_, port, _ := strings.Cut(c.API(), ":")
	for _, own := range ownAddresses(t) {
		list["the API at "+own] = own + ":" + port
	}
	return list
}

// privately: with a connector.
func (c *callers) privately(t *testing.T) {
	interfaces := managedIn(t, c.house, c.vpc, "10.60.")
	if len(interfaces) != 2 {
		t.Fatalf("%d interfaces, want one in each of 2 subnets: %+v", len(interfaces), interfaces)
	}
	from := getsThrough(t, c.through, "server")
	if !slices.ContainsFunc(interfaces, func(i eni) bool { return i.PrivateIpAddress == from.String() }) {
		t.Errorf("the server sees %v, want the address of one of %+v", from, interfaces)
	}
	for what, address := range c.forbidden(t, c.plain) {
		dials(t, c.through, what, address, false)
	}
	dials(t, c.through, "the world", c.world.String()+":80", false)
	dials(t, c.through, "the machine's resolver of instances", gatewayOf(c.address(t, c.through))+":53", false)
	dials(t, c.through, "the VPC's resolver", "10.60.0.2:53", true)
	dials(t, c.through, "an IPv6 address", "[2001:db8::1]:80", false)
	c.through.Says(t, "/file?path=/etc/resolv.conf", "nameserver 10.60.0.2\n")
	// What the server does for the service does not go through the VPC, whose groups let nothing of it pass.
	c.through.Says(t, "/print?text=heard", "")
	c.through.Printed(t, "heard")
	// An API of AWS is not there, other than credentials.
	if _, body, err := request(t, c.through, "POST", "/exchange?address=169.254.170.2:80", "POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n"); err != nil || !strings.Contains(body, " 403 ") {
		t.Errorf("the APIs of this machine, past the VPC: %q, %v", body, err)
	}
}

// gatewayOf is the first address of the network of instances that an address, with its port, is in.
func gatewayOf(instance string) string {
	a := netip.MustParseAddrPort(instance).Addr()
	return netip.PrefixFrom(a, 22).Masked().Addr().Next().String()
}

// shared: an update of another service to the same connector waits for nothing and makes nothing.
func (c *callers) shared(t *testing.T) {
	before := managedIn(t, c.house, c.vpc, "10.60.")
	if first := c.through.Deployment(""); !strings.Contains(first, "Making the network interfaces") || !strings.Contains(first, "VPC connector server works") {
		t.Errorf("the first service through the connector does not tell of its interfaces: %s", first)
	}
	c.plain = c.egress(t, c.plain, c.connector)
	getsThrough(t, c.plain, "server")
	if second := c.plain.Deployment(""); strings.Contains(second, "Making the network interfaces") || !strings.Contains(second, "VPC connector server works") {
		t.Errorf("the second service through the connector: %s", second)
	}
	if after := managedIn(t, c.house, c.vpc, "10.60."); !slices.Equal(before, after) {
		t.Errorf("the second service changed the interfaces from %+v to %+v", before, after)
	}
	dials(t, c.plain, "the world", c.world.String()+":80", false)
	if _, err := c.AWS("apprunner", "delete-vpc-connector", "--vpc-connector-arn", c.connector); err == nil {
		t.Error("a connector in use is deleted")
	}
}

// groups: both sides decide, at once.
func (c *callers) groups(t *testing.T) {
	cutOff := func() {
		t.Helper()
		eventually(t, "the server is not reached", func() bool {
			return !strings.HasPrefix(c.through.Says(t, "/dial?address="+serverAddress+":80", ""), "connected")
		})
	}
	fromConnector := []string{"--protocol", "tcp", "--port", "80", "--source-group", c.group}
	c.rule(t, "revoke-security-group-ingress", c.serverSide, fromConnector...)
	cutOff()
	c.rule(t, "authorize-security-group-ingress", c.serverSide, fromConnector...)
	getsThrough(t, c.through, "server")
	everything := []string{"--protocol", "-1", "--cidr", "0.0.0.0/0"}
	c.rule(t, "revoke-security-group-egress", c.group, everything...)
	cutOff()
	c.rule(t, "authorize-security-group-egress", c.group, "--protocol", "tcp", "--port", "80", "--cidr", "10.60.9.0/24")
	getsThrough(t, c.through, "server")
	c.rule(t, "authorize-security-group-egress", c.group, everything...)
	// Without groups the VPC's default one is shown and used, which lets everything out; the server lets its members in.
	byDefault := c.connect(t, "by-default", c.private[:1])
	group := c.AWSText(t, "VpcConnector.SecurityGroups[0]", "apprunner", "describe-vpc-connector", "--vpc-connector-arn", byDefault)
	if name := c.AWSText(t, "SecurityGroups[0].GroupName", "ec2", "describe-security-groups", "--group-ids", group); name != "default" {
		t.Errorf("a connector without groups has the group %s", name)
	}
	c.plain = c.egress(t, c.plain, byDefault)
	dials(t, c.plain, "the server, in a group that it does not let in", serverAddress+":80", false)
	c.rule(t, "authorize-security-group-ingress", c.serverSide, "--protocol", "tcp", "--port", "80", "--source-group", group)
	getsThrough(t, c.plain, "server")
}

// sameAddresses: VPCs with the same addresses have nothing in common.
func (c *callers) sameAddresses(t *testing.T) {
	other := newCallers(t, c.house, "other-server")
	s := c.Create(t, "through-other", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) { in.NetworkConfiguration = through(other.connector) })
	getsThrough(t, s, "other-server")
	getsThrough(t, c.through, "server")
	c.Remove(t, s.ARN())
}

func (c *callers) killed(t *testing.T) {
	instance := c.through.Instances(t, "active")[0]
	for _, role := range []string{"edge", "control"} {
		c.Reborn(t, role, c.Kill(t, role))
		getsThrough(t, c.through, "server")
		dials(t, c.through, "the world", c.world.String()+":80", false)
	}
	if now := c.through.Instances(t, "active"); len(now) != 1 || now[0] != instance {
		t.Errorf("the instance %s became %v", instance, now)
	}
}

// apiEndpoint: the API is reached when the VPC has an endpoint for it, under the name that SDKs use.
func (c *callers) apiEndpoint(t *testing.T) {
	const name = "apprunner.us-east-1.amazonaws.com:443"
	dials(t, c.through, "the API, without an endpoint", name, false)
	c.must(t, nil, "ec2", "modify-vpc-attribute", "--vpc-id", c.vpc, "--enable-dns-hostnames")
	c.rule(t, "authorize-security-group-ingress", c.serverSide, "--protocol", "tcp", "--port", "443", "--source-group", c.group)
	c.must(t, nil, "ec2", "create-vpc-endpoint", "--vpc-endpoint-type", "Interface", "--vpc-id", c.vpc, "--subnet-ids", c.database,
		"--security-group-ids", c.serverSide, "--service-name", "com.amazonaws.us-east-1.apprunner", "--private-dns-enabled")
	eventually(t, "the API is reached", func() bool {
		return strings.HasPrefix(c.through.Says(t, "/dial?address="+name, ""), "connected")
	})
}

// cutOff: an instance whose way out was taken away from outside is replaced by one that has another.
func (c *callers) cutOff(t *testing.T) {
	for _, i := range managedIn(t, c.house, c.vpc, "10.60.") {
		if err := unix.Unmount(filepath.Join(c.Dir, "run", "vpc", i.NetworkInterfaceId), unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the events tell of the replacement", func() bool {
		return strings.Contains(c.through.Events(), "has lost its way into the VPC. It is replaced.")
	})
	getsThrough(t, c.through, "server")
	getsThrough(t, c.plain, "server")
}

// natGateway: what a private subnet's routes offer a way for is reached from this machine's address.
func (c *callers) natGateway(t *testing.T) {
	internet := c.AWSText(t, "InternetGateway.InternetGatewayId", "ec2", "create-internet-gateway")
	c.must(t, nil, "ec2", "attach-internet-gateway", "--internet-gateway-id", internet, "--vpc-id", c.vpc)
	table := func(subnets ...string) string {
		id := c.AWSText(t, "RouteTable.RouteTableId", "ec2", "create-route-table", "--vpc-id", c.vpc)
		for _, s := range subnets {
			c.must(t, nil, "ec2", "associate-route-table", "--route-table-id", id, "--subnet-id", s)
		}
		return id
	}
	c.must(t, nil, "ec2", "create-route", "--route-table-id", table(c.public), "--destination-cidr-block", "0.0.0.0/0", "--gateway-id", internet)
	c.tables = table(c.private...)
	address := c.AWSText(t, "AllocationId", "ec2", "allocate-address")
	c.gateway = c.AWSText(t, "NatGateway.NatGatewayId", "ec2", "create-nat-gateway", "--subnet-id", c.public, "--allocation-id", address)
	dials(t, c.through, "the world, without a route", c.world.String()+":80", false)
	c.must(t, nil, "ec2", "create-route", "--route-table-id", c.tables, "--destination-cidr-block", "0.0.0.0/0", "--nat-gateway-id", c.gateway)
	eventually(t, "the world is reached through the NAT gateway", func() bool {
		return strings.HasPrefix(c.through.Says(t, "/dial?address="+c.world.String()+":80", ""), "connected")
	})
	_, body, err := request(t, c.through, "POST", "/exchange?address="+c.world.String()+":80", "GET / HTTP/1.0\r\n\r\n")
	if err != nil || !strings.Contains(body, "from "+c.near.String()) {
		t.Errorf("the world answers %q, %v", body, err)
	}
	for what, forbidden := range c.forbidden(t, c.plain) {
		dials(t, c.through, what, forbidden, false)
	}
	dials(t, c.through, "a private network beyond the gateway", "192.168.1.1:80", false)
	getsThrough(t, c.through, "server")
	c.Reborn(t, "control", c.Kill(t, "control"))
	dials(t, c.through, "the world, after a kill", c.world.String()+":80", true)
	c.must(t, nil, "ec2", "delete-route", "--route-table-id", c.tables, "--destination-cidr-block", "0.0.0.0/0")
	eventually(t, "the world is not reached any more", func() bool {
		return !strings.HasPrefix(c.through.Says(t, "/dial?address="+c.world.String()+":80", ""), "connected")
	})
}

// underLoad: a change of egress is a deployment, of which no request hears.
func (c *callers) underLoad(t *testing.T) {
	load := c.through.Load(rig.Pressure{Path: "/", Rate: 60})
	c.through = c.egress(t, c.through, "")
	dials(t, c.through, "the world", c.world.String()+":80", true)
	c.through = c.egress(t, c.through, c.connector)
	load.Stop().Unharmed(t)
	getsThrough(t, c.through, "server")
}

// closedZones: subnets that no connector can use are named, and without them it works.
func (c *callers) closedZones(t *testing.T) {
	closed := c.connect(t, "closed", c.private, c.group)
	want := c.private[2] + " (us-east-1c)"
	failed := c.Create(t, "nowhere", rig.ImageSource("app", "v1", nil), types.ServiceStatusCreateFailed, rig.Small, func(in *apprunner.CreateServiceInput) { in.NetworkConfiguration = through(closed) })
	if events := failed.Events(); !strings.Contains(events, want) || strings.Contains(events, c.private[0]) || !strings.Contains(events, "without them") {
		t.Errorf("the events do not name the subnet %s alone: %s", want, events)
	}
	c.through = c.egress(t, c.through, closed)
	if got := aws.ToString(c.through.NetworkConfiguration.EgressConfiguration.VpcConnectorArn); got != c.connector {
		t.Errorf("after the rollback the service goes through %s", got)
	}
	if events := c.through.Events(); !strings.Contains(events, want) {
		t.Errorf("the events of the update do not name the subnet: %s", events)
	}
	getsThrough(t, c.through, "server")
	// With it there are as many as the quota has; when it is deleted there is room for another one.
	if _, err := c.AWS("apprunner", "create-vpc-connector", "--vpc-connector-name", "last", "--subnets", c.private[0]); err == nil || !strings.Contains(err.Error(), "ServiceQuotaExceededException") {
		t.Errorf("a connector above the quota: %v", err)
	}
	c.Remove(t, failed.ARN())
	c.must(t, nil, "apprunner", "delete-vpc-connector", "--vpc-connector-arn", closed)
	c.connect(t, "last", c.private[:1])
}

// downAndUp: all of it comes back; what runs inside the VPC has to be started anew.
func (c *callers) downAndUp(t *testing.T) {
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	for _, trace := range c.Leftovers() {
		if !strings.Contains(trace, "vpc exec") { // the servers of this test
			t.Error("slipway down left behind:", trace)
		}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the service answers again", func() bool {
		status, _, err := c.through.Get("/")
		return err == nil && status == 200
	})
	dials(t, c.through, "the world", c.world.String()+":80", false)
	dials(t, c.through, "the VPC's resolver", "10.60.0.2:53", true)
}

// deleted: connectors that nobody uses go, with their interfaces, and make room for others.
func (c *callers) deleted(t *testing.T) {
	for _, s := range []*rig.Service{&c.plain, &c.through} {
		*s = c.egress(t, *s, "")
		dials(t, *s, "the world", c.world.String()+":80", true)
	}
	var answer struct {
		VpcConnectors []struct {
			VpcConnectorArn, VpcConnectorName, Status string
			Subnets, SecurityGroups                   []string
			VpcConnectorRevision                      int
		}
	}
	c.must(t, &answer, "apprunner", "list-vpc-connectors")
	for _, v := range answer.VpcConnectors {
		if v.Status != "ACTIVE" || v.VpcConnectorRevision != 1 || len(v.Subnets) == 0 || len(v.SecurityGroups) != 1 {
			t.Errorf("list-vpc-connectors shows %+v", v)
		}
		c.must(t, nil, "apprunner", "delete-vpc-connector", "--vpc-connector-arn", v.VpcConnectorArn)
		if state := c.AWSText(t, "VpcConnector.Status", "apprunner", "describe-vpc-connector", "--vpc-connector-arn", v.VpcConnectorArn); state != "INACTIVE" {
			t.Errorf("a deleted connector is %s", state)
		}
	}
	if len(answer.VpcConnectors) != 4 {
		t.Errorf("list-vpc-connectors shows %d connectors, want 4", len(answer.VpcConnectors))
	}
	if left := managedIn(t, c.house, c.vpc, "10.60."); len(left) > 0 {
		t.Errorf("interfaces are left: %+v", left)
	}
}
