package host

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
)

// Place is where a command runs: an elastic interface, and what around it there is to know.
type Place struct {
	InterfaceID string
	Namespace   string // path of the network namespace of the VPC
	Bridge      string
	Address     netip.Addr
	Router      netip.Addr
	Resolver    netip.Addr // invalid: the VPC has none
}

// Place is where a command runs that has an interface in a VPC.
func (h *Host) Place(p network.Plan, i network.Interface) Place {
	place := Place{InterfaceID: i.ID, Namespace: h.Namespace(p.ID), Bridge: BridgeName(i.SubnetID), Address: i.Address, Resolver: resolverOf(p.VPC)}
	for _, s := range p.Subnets {
		if s.ID == i.SubnetID {
			place.Router = s.CIDR.Addr().Next()
		}
	}
	return place
}

// inside is the name of the interface as the command sees it.
const inside = "eth0"

// Join gives the network namespace that the calling thread is in, which has to be a new one, the interface of a place: a cable to the
// bridge of the subnet, which leads to the router alone, and lasting neighbour entries at both ends, since a lost first ARP request
// costs a second.
func (p Place) Join() error {
	own, err := netns.Get()
	if err != nil {
		return fmt.Errorf("look at the own network namespace: %w", err)
	}
	defer own.Close()
	d, err := open(p.Namespace)
	if err != nil {
		return err
	}
	defer d.close()
	port, err := p.plug(d, own)
	if err != nil {
		return err
	}
	if err := p.configure(); err != nil {
		return fmt.Errorf("set up %s: %w", inside, err)
	}
	for _, name := range []string{port, p.Bridge} { // the first port raises the bridge itself
		if err := hostnet.AwaitCarrier(func() (netlink.Link, error) { return d.links.LinkByName(name) }); err != nil {
			return err
		}
	}
	return nil
}

// plug makes the cable and fixes its one end to the bridge; the other one is in the namespace own.
func (p Place) plug(d *door, own netns.NsHandle) (port string, err error) {
	bridge, err := d.links.LinkByName(p.Bridge)
	if err != nil {
		return "", fmt.Errorf("find the bridge of the subnet: %w", err)
	}
	port = PortName(p.InterfaceID)
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: port, MasterIndex: bridge.Attrs().Index},
		PeerName:  inside, PeerHardwareAddr: p.mac(), PeerNamespace: netlink.NsFd(own),
	}
	for _, step := range []func() error{
		func() error { return d.dropLink(port) }, // of a command before, whose end of it the kernel has not removed yet
		func() error { return d.links.LinkAdd(cable) },
		func() error { return d.links.LinkSetIsolated(cable, true) }, // all that it says passes the router and its rules
		func() error { return d.links.LinkSetUp(cable) },
		func() error {
			return d.links.NeighSet(&netlink.Neigh{
				LinkIndex: bridge.Attrs().Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: p.Address.AsSlice(), HardwareAddr: p.mac(),
			})
		},
	} {
		if err := step(); err != nil {
			return "", fmt.Errorf("plug into the subnet: %w", err)
		}
	}
	return port, nil
}

func (p Place) mac() []byte { return macOf(0x59, p.Address) }

// configure sets up the end of the cable in the namespace of the calling thread.
func (p Place) configure() error {
	lo, err := netlink.LinkByName(loopback)
	if err != nil {
		return err
	}
	eth, err := netlink.LinkByName(inside)
	if err != nil {
		return err
	}
	index, router := eth.Attrs().Index, p.Router.AsSlice()
	for _, step := range []func() error{
		func() error { return netlink.LinkSetUp(lo) },
		func() error { return netlink.AddrAdd(eth, &netlink.Addr{IPNet: hostnet.Single(p.Address)}) },
		func() error { return netlink.LinkSetUp(eth) },
		func() error {
			return netlink.RouteAdd(&netlink.Route{LinkIndex: index, Dst: hostnet.Single(p.Router), Scope: netlink.SCOPE_LINK})
		},
		func() error { return netlink.RouteAdd(&netlink.Route{LinkIndex: index, Gw: router}) },
		func() error {
			return netlink.NeighSet(&netlink.Neigh{
				LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: router, HardwareAddr: RouterMAC(p.Router),
			})
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
