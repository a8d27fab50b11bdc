package oci

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/instance"
)

// What lies between an instance or a guest and the next router has link-local addresses: no network that somebody wants to reach has
// them, whatever private addresses it has.
var (
	nextHop = netip.AddrFrom4([4]byte{169, 254, 1, 1})
	transit = netip.AddrFrom4([4]byte{169, 254, 64, 0}) // the first of 2^14, as many as a subnet has at most
)

// outward is the interface through which an instance with EgressUplink calls out, as it sees it.
const outward = "eth1"

// transitOf is the address that an instance has towards its uplink.
func transitOf(subnet netip.Prefix, a netip.Addr) netip.Addr {
	return fromNumber(number(transit) + offset(subnet.Addr(), a))
}

// hopMAC is that of the far end of every cable to an uplink: each cable is a network of its own.
var hopMAC = net.HardwareAddr{0x02, 0x5a, 0, 0, 0, 1}

// enclose leads all that a process sends, but for answers to this host and questions for credentials, through the uplink at path. Its
// interface to the bridge is there already. The cable goes with the namespace of the process.
func (n *network) enclose(id string, pid int, a netip.Addr, path string) error {
	up, err := netns.GetFromPath(path)
	if err != nil {
		return fmt.Errorf("find the way out %s: %w", path, err)
	}
	defer up.Close()
	own, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer own.Close()
	addr := transitOf(n.subnet, a)
	if err := within(up, func(h *netlink.Handle) error { return n.meet(h, n.names.link(id), own, addr) }); err != nil {
		return fmt.Errorf("plug into the way out %s: %w", path, err)
	}
	if err := within(own, func(h *netlink.Handle) error { return n.leadOut(h, addr) }); err != nil {
		return fmt.Errorf("set up %s: %w", outward, err)
	}
	return within(up, func(h *netlink.Handle) error {
		return hostnet.AwaitCarrier(func() (netlink.Link, error) { return h.LinkByName(n.names.link(id)) })
	})
}

// uplinkID tells which namespace an instance will call out through; empty for one without an uplink.
func uplinkID(spec instance.Spec) (string, error) {
	if spec.Egress != instance.EgressUplink {
		return "", nil
	}
	id, err := hostnet.Identify(spec.Uplink.Namespace)
	if err != nil {
		return "", fmt.Errorf("find the way out: %w", err)
	}
	return id.String(), nil
}

// cutOff tells whether the namespace that an instance calls out through is gone, or another one is in its place.
func (r record) cutOff() bool {
	if r.Uplink == "" {
		return false
	}
	id, err := hostnet.Identify(r.Uplink)
	return err != nil || id.String() != r.UplinkID
}

// Enclosed tells whether an address is that of an instance with EgressUplink.
func (d *Driver) Enclosed(a netip.Addr) bool {
	for _, e := range d.all() {
		if r := e.current(); e.address == a.Unmap() && !r.Stopped && r.Egress == instance.EgressUplink {
			return true
		}
	}
	return false
}

// within speaks to the kernel about one namespace.
func within(ns netns.NsHandle, do func(*netlink.Handle) error) error {
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer h.Close()
	return do(h)
}

// meet makes the cable of an instance in the namespace of its uplink.
func (n *network) meet(h *netlink.Handle, port string, own netns.NsHandle, addr netip.Addr) error {
	if old, err := h.LinkByName(port); err == nil { // of a start that failed, which the kernel has not removed yet
		if err := h.LinkDel(old); err != nil {
			return err
		}
	}
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: port, HardwareAddr: hopMAC},
		PeerName:  outward, PeerHardwareAddr: instanceMAC(addr), PeerNamespace: netlink.NsFd(own),
	}
	if err := h.LinkAdd(cable); err != nil {
		return err
	}
	index := cable.Attrs().Index
	return inOrder(
		func() error { return h.LinkSetUp(cable) },
		func() error { return h.NeighSet(lasting(index, addr, instanceMAC(addr))) },
		func() error {
			return h.RouteReplace(&netlink.Route{LinkIndex: index, Dst: hostnet.Single(addr), Scope: netlink.SCOPE_LINK})
		},
	)
}

// leadOut sets up the instance's end of the cable, and turns its default route there.
func (n *network) leadOut(h *netlink.Handle, addr netip.Addr) error {
	eth, err := h.LinkByName(inside)
	if err != nil {
		return err
	}
	out, err := h.LinkByName(outward)
	if err != nil {
		return err
	}
	gw, index := net.IP(gateway(n.subnet).AsSlice()), out.Attrs().Index
	return inOrder(
		func() error { return h.AddrAdd(out, &netlink.Addr{IPNet: hostnet.Single(addr)}) },
		func() error { return h.LinkSetUp(out) },
		func() error {
			return h.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: hostnet.Single(credentialsService), Gw: gw})
		},
		func() error {
			return h.RouteAdd(&netlink.Route{LinkIndex: index, Dst: hostnet.Single(nextHop), Scope: netlink.SCOPE_LINK})
		},
		func() error {
			return h.RouteReplace(&netlink.Route{LinkIndex: index, Gw: nextHop.AsSlice(), Src: addr.AsSlice()})
		},
		func() error { return h.NeighSet(lasting(index, nextHop, hopMAC)) },
	)
}

func lasting(index int, a netip.Addr, mac net.HardwareAddr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac}
}

// inOrder takes steps until one fails.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
