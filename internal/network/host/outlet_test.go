package host

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
)

// The connector of the tests: its interface in the second subnet, in the group whose members the endpoint lets in.
const outletID = "eni-00000000000000009"

var (
	connector = netip.MustParseAddr("10.20.1.50")
	hop       = netip.MustParseAddr("169.254.1.1")
	hopMAC    = net.HardwareAddr{2, 0, 0, 0, 0, 1}
)

func planWithConnector() network.Plan {
	p := plan()
	p.Interfaces = append(p.Interfaces, network.Interface{
		Head: network.Head{ID: outletID}, SubnetID: "subnet-00000000000000002", Address: connector, Owner: "apprunner:subnet|sg", Groups: []string{"sg-2"},
	})
	return p
}

// inOrder takes steps until one fails. Steps run on threads of their own, which a failing test must not end.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// cable joins the namespace of this thread to another one, and raises both ends. It returns the near one.
func cable(path, far, near string) (link netlink.Link, err error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	err = inOrder(
		func() error {
			return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: near}, PeerName: far, PeerHardwareAddr: hopMAC, PeerNamespace: netlink.NsFd(ns)})
		},
		func() error { link, err = netlink.LinkByName(near); return err },
		func() error { return netlink.LinkSetUp(link) },
	)
	return link, err
}

// meet tells this thread's namespace who is at the other end of a cable.
func meet(link string, a netip.Addr, mac net.HardwareAddr) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return inOrder(
		func() error { return netlink.LinkSetUp(l) },
		func() error {
			return netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac})
		},
		func() error {
			return netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: hostnet.Single(a), Scope: netlink.SCOPE_LINK})
		},
	)
}

var ports atomic.Int64

// behind runs fn as an instance whose way out is the outlet, with an address towards it.
func behind(h *Host, own netip.Addr, fn func() error) error {
	port := fmt.Sprintf("port%d", ports.Add(1)) // the kernel takes its time to remove one
	return hostnet.OnOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		out, err := cable(h.Outlet(outletID), port, "out")
		if err != nil {
			return fmt.Errorf("%w: %w", errJoin, err)
		}
		err = inOrder(
			func() error { return netlink.AddrAdd(out, &netlink.Addr{IPNet: hostnet.Single(own)}) },
			func() error {
				return hostnet.Inside(h.Outlet(outletID), func() error { return meet(port, own, out.Attrs().HardwareAddr) })
			},
			func() error { return meet("out", hop, hopMAC) },
			func() error { return netlink.RouteAdd(&netlink.Route{LinkIndex: out.Attrs().Index, Gw: hop.AsSlice()}) },
			func() error {
				return hostnet.AwaitCarrier(func() (netlink.Link, error) { return netlink.LinkByName("out") })
			},
		)
		if err != nil {
			return fmt.Errorf("%w: %w", errJoin, err)
		}
		return fn()
	})
}

var first, second = netip.MustParseAddr("169.254.64.2"), netip.MustParseAddr("169.254.64.3")

// checklist: 245
func TestOutlet(t *testing.T) {
	p := planWithConnector()
	h := shown(t, p)
	listen(t, h, "10.20.0.10:443")
	listen(t, h, "10.20.0.10:80")
	reach := func(what, at string, want bool) {
		t.Helper()
		if err := behind(h, first, func() error { return says(at) }); (err == nil) != want || errors.Is(err, errJoin) {
			t.Errorf("%s: %s: %v", what, at, err)
		}
	}
	reach("the endpoint", "10.20.0.10:443", true)
	reach("a port that no rule names", "10.20.0.10:80", false)

	again := New(h.spaces.dir) // as after a kill
	was, _ := hostnet.Identify(h.Outlet(outletID))
	apply(t, again, p)
	if now, err := hostnet.Identify(h.Outlet(outletID)); now != was || err != nil {
		t.Error("the namespace was made anew", err)
	}
	reach("found again", "10.20.0.10:443", true)

	d, err := open(h.Namespace("vpc-1"))
	check(t, err)
	defer d.close()
	check(t, d.dropLink(PortName(outletID)))
	reach("unplugged", "10.20.0.10:443", false)
	apply(t, again, p)
	reach("plugged in again", "10.20.0.10:443", true)

	p.Groups[1].Egress = nil
	apply(t, again, p)
	reach("a group that lets nothing out", "10.20.0.10:443", false)
	p.Interfaces = p.Interfaces[:len(p.Interfaces)-1]
	apply(t, again, p)
	if _, err := os.Stat(h.Outlet(outletID)); !os.IsNotExist(err) {
		t.Error("the outlet of a connector that was deleted is there:", err)
	}
}

// Instances behind one outlet do not see each other, nor this machine, and come from the interface's address.
func TestOutletKeepsInstancesApart(t *testing.T) {
	h := shown(t, planWithConnector())
	l, err := net.Listen("tcp", "0.0.0.0:0")
	check(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	var seen net.Listener
	check(t, hostnet.Inside(h.Namespace("vpc-1"), func() (err error) {
		seen, err = net.Listen("tcp", "10.20.0.10:443")
		return err
	}))
	defer seen.Close()
	hosts := append(ownAddresses(t), first.String())
	check(t, behind(h, first, func() error {
		own, err := net.Listen("tcp", first.String()+":80")
		if err != nil {
			return err
		}
		defer own.Close()
		return behind(h, second, func() error {
			for _, at := range hosts {
				for _, p := range []string{"80", port} {
					if says(net.JoinHostPort(at, p)) == nil {
						t.Errorf("an instance reaches %s", at)
					}
				}
			}
			c, err := net.DialTimeout("tcp", "10.20.0.10:443", 5*time.Second)
			return errors.Join(err, closed(c))
		})
	}))
	check(t, seen.(*net.TCPListener).SetDeadline(time.Now().Add(20*time.Second)))
	c, err := seen.Accept()
	check(t, err)
	if from, _, _ := net.SplitHostPort(c.RemoteAddr().String()); from != connector.String() {
		t.Errorf("the VPC sees a connection from %s, want %v", from, connector)
	}
	check(t, c.Close())
}

func closed(c net.Conn) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// ownAddresses are those of this machine.
func ownAddresses(t *testing.T) (list []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	check(t, err)
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.Addr().IsLoopback() {
			list = append(list, p.Addr().String())
		}
	}
	return list
}

// beyond is a world with a server at one address, which VPCs join.
type beyond struct {
	path    string
	callers chan string
}

const (
	shop   = "203.0.113.2"
	bought = "198.51.100.7" // what leaves a VPC comes from here
)

func newBeyond(t *testing.T) *beyond {
	t.Helper()
	b := &beyond{filepath.Join(t.TempDir(), "world"), make(chan string, 10)}
	check(t, os.WriteFile(b.path, nil, 0o600))
	var l net.Listener
	check(t, hostnet.OnOwnThread(func() error {
		return inOrder(
			func() error { return unix.Unshare(unix.CLONE_NEWNET) },
			func() error { return unix.Mount("/proc/thread-self/ns/net", b.path, "", unix.MS_BIND, "") },
			func() error {
				lo, err := netlink.LinkByName(loopback)
				if err == nil {
					err = netlink.LinkSetUp(lo)
				}
				if err == nil {
					err = netlink.AddrAdd(lo, &netlink.Addr{IPNet: hostnet.Single(netip.MustParseAddr(shop))})
				}
				return err
			},
			func() (err error) { l, err = net.Listen("tcp", shop+":80"); return err },
		)
	}))
	t.Cleanup(func() {
		l.Close()
		check(t, unix.Unmount(b.path, unix.MNT_DETACH))
	})
	go b.serve(l)
	return b
}

func (b *beyond) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		from, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		b.callers <- from
		_, _ = io.WriteString(c, "hello")
		c.Close()
	}
}

func (b *beyond) Join(_, path, link string) (address, next netip.Addr, err error) {
	address = netip.MustParseAddr(bought)
	return address, hop, hostnet.Inside(b.path, func() error {
		if _, err := netlink.LinkByName("customer"); err == nil {
			return nil
		}
		near, err := cable(path, link, "customer")
		if err != nil {
			return err
		}
		return inOrder(
			func() error { return meet("customer", address, hopMAC) },
			func() error {
				return hostnet.Inside(path, func() error {
					far, err := netlink.LinkByName(link)
					if err != nil {
						return err
					}
					return inOrder(
						func() error { return netlink.LinkSetUp(far) },
						func() error {
							return netlink.NeighSet(&netlink.Neigh{LinkIndex: far.Attrs().Index, State: netlink.NUD_PERMANENT, IP: hop.AsSlice(), HardwareAddr: near.Attrs().HardwareAddr})
						},
					)
				})
			},
			func() error {
				return hostnet.AwaitCarrier(func() (netlink.Link, error) { return netlink.LinkByName("customer") })
			},
		)
	})
}

func (b *beyond) Leave(string) error {
	return hostnet.Inside(b.path, func() error {
		link, err := netlink.LinkByName("customer")
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil
		}
		return errors.Join(err, netlink.LinkDel(link))
	})
}

// Only a subnet whose route table leads to a NAT gateway has a way out of its VPC.
//
// checklist: 243
func TestTheWayOut(t *testing.T) {
	p := planWithConnector()
	b := newBeyond(t)
	h := shown(t, p)
	h.Through(b)
	reach := func(what string, want bool) {
		t.Helper()
		apply(t, h, p)
		if err := behind(h, first, func() error { return says(shop + ":80") }); (err == nil) != want || errors.Is(err, errJoin) {
			t.Errorf("%s: %v", what, err)
		}
	}
	everything := netip.MustParsePrefix("0.0.0.0/0")
	p.Tables = []network.RouteTable{
		{Main: "rtbassoc-1"},
		{Associations: []network.RouteAssociation{{SubnetID: "subnet-00000000000000001"}}, Routes: []network.Route{{Destination: everything, Target: "igw-1"}}},
	}
	p.Gateways = []network.InternetGateway{{Head: network.Head{ID: "igw-1"}}}
	reach("without a route", false)
	p.NATs = []network.NATGateway{{Head: network.Head{ID: "nat-1"}, SubnetID: "subnet-00000000000000001", Public: true, State: network.NATAvailable}}
	p.Tables[0].Routes = []network.Route{{Destination: everything, Target: "nat-1"}}
	reach("through a NAT gateway", true)
	select {
	case from := <-b.callers:
		if from != bought {
			t.Errorf("the world sees a connection from %s", from)
		}
	case <-time.After(5 * time.Second):
		t.Error("the world sees no connection")
	}
	reach("as before", true)
	p.Groups[1].Egress = []network.Rule{{Protocol: "-1", FromPort: -1, ToPort: -1, CIDR: netip.MustParsePrefix("10.20.0.0/16")}}
	reach("with a group that lets nothing out of the VPC", false)
	p.Groups[1].Egress[0].CIDR = everything
	p.Tables[0].Routes = append(p.Tables[0].Routes, network.Route{Destination: netip.MustParsePrefix("203.0.0.0/8"), Target: "igw-1"})
	reach("with another route for the address", false)
	p.Tables[0].Routes = p.Tables[0].Routes[:1]
	reach("without that route", true)
	p.NATs = nil
	reach("without the gateway", false)
	d, err := open(h.Namespace("vpc-1"))
	check(t, err)
	defer d.close()
	if left, err := d.ways(); err != nil || len(left) > 0 {
		t.Error("routes are left:", left, err)
	}
	if _, err := d.links.LinkByName(worldLink); err == nil {
		t.Error("the VPC still has its interface to the world")
	}
}
