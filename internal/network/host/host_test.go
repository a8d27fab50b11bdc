package host

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
)

// The parts of the layout of the tests: two subnets, an endpoint in both, and commands with an address in the second one.
var (
	routerB  = netip.MustParseAddr("10.20.1.1")
	endpoint = netip.MustParseAddr("10.20.0.10")
	client   = netip.MustParseAddr("10.20.1.200")
	stranger = netip.MustParseAddr("10.20.1.201")
)

func plan() network.Plan {
	head := func(id string) network.Head { return network.Head{ID: id} }
	eni := func(id, subnet string, a netip.Addr, owner string, groups ...string) network.Interface {
		return network.Interface{Head: head(id), SubnetID: subnet, Address: a, Owner: owner, Groups: groups}
	}
	ends := []network.Interface{
		eni("eni-00000000000000001", "subnet-00000000000000001", endpoint, "vpce-1", "sg-1"),
		eni("eni-00000000000000002", "subnet-00000000000000002", netip.MustParseAddr("10.20.1.10"), "vpce-1", "sg-1"),
	}
	everywhere := netip.MustParsePrefix("0.0.0.0/0")
	return network.Plan{
		VPC: network.VPC{Head: head("vpc-1"), CIDR: netip.MustParsePrefix("10.20.0.0/16"), DNSSupport: true},
		Subnets: []network.Subnet{
			{Head: head("subnet-00000000000000001"), CIDR: netip.MustParsePrefix("10.20.0.0/24")},
			{Head: head("subnet-00000000000000002"), CIDR: netip.MustParsePrefix("10.20.1.0/24")},
		},
		Groups: []network.SecurityGroup{
			{Head: head("sg-1"), Ingress: []network.Rule{{Protocol: "tcp", FromPort: 443, ToPort: 443, GroupID: "sg-2"}}},
			{Head: head("sg-2"), Egress: []network.Rule{{Protocol: "-1", FromPort: -1, ToPort: -1, CIDR: everywhere}}},
			{Head: head("sg-3"), Egress: []network.Rule{{Protocol: "-1", FromPort: -1, ToPort: -1, CIDR: everywhere}}},
		},
		Endpoints: []network.Endpoint{{Head: head("vpce-1"), Interfaces: ends, State: network.EndpointPending}},
		Interfaces: append(ends,
			eni("eni-00000000000000003", "subnet-00000000000000002", client, "command/1/1", "sg-2"),
			eni("eni-00000000000000004", "subnet-00000000000000002", stranger, "command/1/1", "sg-3")),
	}
}

func layout(p network.Plan) network.Layout { return network.Layout{VPCs: []network.Plan{p}} }

// shown is a host that shows a plan until the test ends, and leaves nothing.
func shown(t *testing.T, p network.Plan) *Host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	dir := filepath.Join(t.TempDir(), "vpc")
	h := New(dir)
	t.Cleanup(func() {
		if err := h.Destroy(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Error("left behind:", left, err)
		}
	})
	apply(t, h, p)
	return h
}

func apply(t *testing.T, h *Host, p network.Plan) {
	t.Helper()
	if failed, err := h.Apply(layout(p)); err != nil || len(failed) > 0 {
		t.Fatal(failed, err)
	}
}

// look reads what there is of the VPC.
func look(t *testing.T, h *Host) present {
	t.Helper()
	d, err := open(h.Namespace("vpc-1"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	have, err := d.look()
	if err != nil {
		t.Fatal(err)
	}
	return have
}

// listen answers with a word at an address inside the VPC, for as long as the test.
func listen(t *testing.T, h *Host, at string) {
	t.Helper()
	var l net.Listener
	err := hostnet.Inside(h.Namespace("vpc-1"), func() (err error) {
		l, err = net.Listen("tcp", at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			c.Close()
		}
	}()
}

// from runs fn at a place.
func from(t *testing.T, p Place, fn func() error) error {
	t.Helper()
	return hostnet.OnOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := p.Join(); err != nil {
			return fmt.Errorf("%w: %w", errJoin, err)
		}
		return fn()
	})
}

var errJoin = errors.New("the place cannot be joined")

// fromSecond runs fn at a place in the second subnet.
func fromSecond(t *testing.T, h *Host, interfaceID string, a netip.Addr, fn func() error) error {
	t.Helper()
	p := Place{InterfaceID: interfaceID, Namespace: h.Namespace("vpc-1"), Bridge: BridgeName("subnet-00000000000000002"), Address: a, Router: routerB}
	err := from(t, p, fn)
	if errors.Is(err, errJoin) {
		t.Error(err)
	}
	return err
}

// says is what is heard at an address.
func says(at string) error {
	c, err := net.DialTimeout("tcp", at, 500*time.Millisecond)
	if err != nil {
		return err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	if err == nil && string(b) != "hello" {
		err = fmt.Errorf("%s says %q", at, b)
	}
	return err
}

// checklist: 234
func TestSecurityGroupsDecide(t *testing.T) {
	p := plan()
	h := shown(t, p)
	for _, at := range []string{"10.20.0.10:443", "10.20.0.10:80", "10.20.1.10:443"} {
		listen(t, h, at)
	}
	member := func(at string) error {
		return fromSecond(t, h, "eni-00000000000000003", client, func() error { return says(at) })
	}
	for _, at := range []string{"10.20.0.10:443", "10.20.1.10:443"} {
		if err := member(at); err != nil {
			t.Errorf("a member of the group is not let in: %v", err)
		}
	}
	if member("10.20.0.10:80") == nil {
		t.Error("a port that the group does not name is open")
	}
	other := func() error {
		return fromSecond(t, h, "eni-00000000000000004", stranger, func() error { return says("10.20.0.10:443") })
	}
	if other() == nil {
		t.Error("who is in no group that the rules name was let in")
	}

	p.Groups[0].Ingress = []network.Rule{{Protocol: "tcp", FromPort: 1, ToPort: 500, CIDR: netip.PrefixFrom(stranger, 32)}}
	apply(t, h, p)
	if err := other(); err != nil {
		t.Error("an address that the rules name is not let in:", err)
	}
	if member("10.20.0.10:443") == nil {
		t.Error("the old rules still hold")
	}
	p.Groups[2].Egress = nil
	apply(t, h, p)
	if other() == nil {
		t.Error("who may not call out was let out")
	}
}

func TestVPCsAreFoundAgain(t *testing.T) {
	p := plan()
	h := shown(t, p)
	before := look(t, h)
	if c := diff(wanted(layout(p))["vpc-1"], before); !c.empty() {
		t.Fatalf("not all is there: %+v", c)
	}
	again := New(h.spaces.dir) // as after a kill
	was, _ := hostnet.Identify(h.Namespace("vpc-1"))
	apply(t, again, p)
	if now, err := hostnet.Identify(h.Namespace("vpc-1")); now != was || err != nil {
		t.Error("the namespace was made anew", err)
	}

	// Half of it is gone, and something is there that nobody wants.
	d, err := open(h.Namespace("vpc-1"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	stray := bridge{name: "snstray", router: netip.MustParsePrefix("10.20.9.1/24")}
	err = d.apply(changes{dropLinks: []string{BridgeName("subnet-00000000000000001")}, addBridges: []bridge{stray}, addAddresses: []address{{stray.name, stray.router}}})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, New(h.spaces.dir), p)
	if c := diff(wanted(layout(p))["vpc-1"], look(t, h)); !c.empty() {
		t.Errorf("still to do: %+v", c)
	}
}

func TestNothingToShow(t *testing.T) {
	p := plan()
	h := shown(t, p)
	p.Endpoints[0].State, p.Interfaces = network.EndpointDeleting, nil
	apply(t, h, p)
	if _, err := os.Stat(h.Namespace("vpc-1")); !os.IsNotExist(err) {
		t.Error("a VPC without endpoints still has a namespace:", err)
	}
	// A file without a namespace is what a machine that has started anew finds.
	if err := os.WriteFile(h.Namespace("vpc-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	apply(t, h, plan())
	if c := diff(wanted(layout(plan()))["vpc-1"], look(t, h)); !c.empty() {
		t.Errorf("still to do: %+v", c)
	}
}

func TestNothingLeadsOut(t *testing.T) {
	h := shown(t, plan())
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().Is4() || p.Addr().IsLoopback() {
			continue
		}
		if fromSecond(t, h, "eni-00000000000000003", client, func() error { return says(net.JoinHostPort(p.Addr().String(), port)) }) == nil {
			t.Errorf("this machine is reached at %v from inside a VPC", p.Addr())
		}
	}
}
