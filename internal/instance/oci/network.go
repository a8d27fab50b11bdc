package oci

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

// network is the installation's bridge with its subnet and its firewall.
type network struct {
	names  names
	pool   netip.Prefix
	subnet netip.Prefix
	bridge netlink.Link
	rules  *firewall
	log    *slog.Logger
}

// openNetwork finds the installation's bridge or makes it, and loads the firewall.
func openNetwork(ctx context.Context, c Config, n names, p paths) (*network, error) {
	unlock, err := lockNetworks(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	net := &network{names: n, pool: c.Pool, log: c.Log}
	if err := net.findSubnet(c, p); err != nil {
		return nil, err
	}
	if err := net.raiseBridge(); err != nil {
		return nil, err
	}
	if err := net.forward(p); err != nil {
		return nil, err
	}
	net.rules = newFirewall(n, c.Pool, net.subnet, c.AllowPrivate, hostnet.Nameservers(c.ResolvConf))
	return net, net.rules.load(nil)
}

// lockNetworks keeps other installations from choosing a subnet at the same time. The lock is a name that only one process of
// this network namespace can hold and that goes with it.
func lockNetworks(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@slipway-network", Net: "unixgram"})
		if err == nil {
			return func() { conn.Close() }, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("lock the machine's networks: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock the machine's networks: another installation holds them: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// networkRecord is what the data directory remembers about the network.
type networkRecord struct {
	Subnet    netip.Prefix
	Forwarded bool // this installation switched forwarding on
}

// findSubnet takes the subnet on record when the bridge has its gateway's address or nobody else has taken it, else a new one.
func (n *network) findSubnet(c Config, p paths) error {
	var record networkRecord
	_ = readJSON(p.network(), &record) // a lost record costs no more than another subnet
	if link, err := netlink.LinkByName(n.names.bridge()); err == nil {
		addrs, err := hostnet.Dump("the bridge's addresses", func() ([]netlink.Addr, error) { return netlink.AddrList(link, unix.AF_INET) })
		if err != nil {
			return err
		}
		if len(addrs) > 0 && record.Subnet.IsValid() && hostnet.Prefix(addrs[0].IPNet).Addr() == gateway(record.Subnet) {
			n.subnet = record.Subnet
			return nil
		}
		// A bridge without its record: whatever hangs on it belongs to nobody.
		if err := n.removePort(n.names.bridge()); err != nil {
			return err
		}
	}
	// Left by this installation itself when its bridge was taken away from outside.
	if record.Subnet.IsValid() {
		if err := n.route(netlink.RouteDel, n.unused(record.Subnet)); err != nil {
			return err
		}
	}
	taken, err := takenPrefixes()
	if err != nil {
		return err
	}
	for _, a := range hostnet.Nameservers(c.ResolvConf) {
		taken = append(taken, netip.PrefixFrom(a, a.BitLen()))
	}
	if n.subnet, err = chooseSubnet(c.Pool, c.SubnetBits, record.Subnet, taken); err != nil {
		return err
	}
	record.Subnet = n.subnet
	return writeJSON(p.network(), record)
}

// takenPrefixes are the ranges the machine already has routes or addresses for.
func takenPrefixes() ([]netip.Prefix, error) {
	routes, err := hostnet.Dump("routes", func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(unix.AF_INET, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, err
	}
	var taken []netip.Prefix
	for _, r := range routes {
		if p := hostnet.Prefix(r.Dst); p.IsValid() && p.Bits() > 0 {
			taken = append(taken, p.Masked())
		}
	}
	addrs, err := hostnet.Dump("addresses", func() ([]netlink.Addr, error) { return netlink.AddrList(nil, unix.AF_INET) })
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if p := hostnet.Prefix(a.IPNet); p.IsValid() {
			taken = append(taken, p.Masked())
		}
	}
	return taken, nil
}

// raiseBridge makes the bridge as it has to be, whatever of it is there.
func (n *network) raiseBridge() error {
	name := n.names.bridge()
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: n.names.bridgeMAC()}}
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make bridge %s: %w", name, err)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", name, err)
	}
	n.bridge = link
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0) // where there is IPv6 at all
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: hostnet.Single(gateway(n.subnet))}); err != nil {
		return fmt.Errorf("give bridge %s its address: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("raise bridge %s: %w", name, err)
	}
	return n.route(netlink.RouteReplace, n.unused(n.subnet))
}

// routeProtocol marks the routes of this room; the number is of those left to anybody (rtnetlink(7)).
const routeProtocol = 183

// unused is the route for addresses of the subnet that no instance has: connecting there fails at once, where on a subnet of the
// bridge it would fail after three seconds of asking around. Each instance has a route of its own.
func (n *network) unused(subnet netip.Prefix) *netlink.Route {
	dst := &net.IPNet{IP: subnet.Addr().AsSlice(), Mask: net.CIDRMask(subnet.Bits(), 32)}
	return &netlink.Route{Dst: dst, Type: unix.RTN_UNREACHABLE, Protocol: routeProtocol}
}

func (n *network) toInstance(addr netip.Addr) *netlink.Route {
	return &netlink.Route{Dst: hostnet.Single(addr), LinkIndex: n.bridge.Attrs().Index, Scope: netlink.SCOPE_LINK, Src: gateway(n.subnet).AsSlice(), Protocol: routeProtocol}
}

// route changes a route; removing one that is not there is no error.
func (n *network) route(do func(*netlink.Route) error, r *netlink.Route) error {
	if err := do(r); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("route to %v: %w", r.Dst, err)
	}
	return nil
}

const forwardSwitch = "/proc/sys/net/ipv4/ip_forward"

// forward lets the kernel pass packets between the bridge and the world, and remembers when it was this installation that
// switched it on.
func (n *network) forward(p paths) error {
	b, err := os.ReadFile(forwardSwitch)
	if err != nil {
		return fmt.Errorf("switch forwarding on: %w", err)
	}
	if strings.TrimSpace(string(b)) == "1" {
		return nil
	}
	if err := writeJSON(p.network(), networkRecord{Subnet: n.subnet, Forwarded: true}); err != nil {
		return err
	}
	if err := os.WriteFile(forwardSwitch, []byte("1"), 0); err != nil {
		return fmt.Errorf("switch forwarding on: %w", err)
	}
	return nil
}

// attach gives the network namespace of a process its interface: a cable to the bridge, an address of its own with nothing
// beside it but the gateway, and lasting neighbour entries at both ends, since a lost first ARP request costs a second.
func (n *network) attach(id string, pid int, addr netip.Addr) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer ns.Close()
	return n.plug(id, ns, inside, addr, func() error { return n.configureInside(ns, addr) })
}

// inside is the interface of an instance as it sees it.
const inside = "eth0"

// plug makes the cable between the bridge and a network namespace, in which the other end has a name and is set up by configure.
func (n *network) plug(id string, ns netns.NsHandle, name string, addr netip.Addr, configure func() error) error {
	isolated := &netlink.Veth{
		LinkAttrs:        netlink.LinkAttrs{Name: n.names.link(id), MasterIndex: n.bridge.Attrs().Index},
		PeerName:         name,
		PeerHardwareAddr: instanceMAC(addr),
		PeerNamespace:    netlink.NsFd(ns),
	}
	if err := netlink.LinkAdd(isolated); err != nil {
		return fmt.Errorf("make network interface: %w", err)
	}
	// Ports that are isolated reach the bridge but not each other.
	if err := netlink.LinkSetIsolated(isolated, true); err != nil {
		return fmt.Errorf("isolate network interface: %w", err)
	}
	if err := netlink.LinkSetUp(isolated); err != nil {
		return fmt.Errorf("raise network interface: %w", err)
	}
	if err := configure(); err != nil {
		return err
	}
	if err := n.neighbour(netlink.NeighSet, addr); err != nil {
		return err
	}
	if err := n.route(netlink.RouteReplace, n.toInstance(addr)); err != nil {
		return err
	}
	return hostnet.AwaitCarrier(func() (netlink.Link, error) { return netlink.LinkByIndex(isolated.Attrs().Index) })
}

func (n *network) neighbour(do func(*netlink.Neigh) error, addr netip.Addr) error {
	err := do(&netlink.Neigh{
		LinkIndex: n.bridge.Attrs().Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT,
		IP: addr.AsSlice(), HardwareAddr: instanceMAC(addr),
	})
	if err != nil {
		return fmt.Errorf("neighbour entry of %v: %w", addr, err)
	}
	return nil
}

// configureInside sets up lo and eth0 in the namespace of a process.
func (n *network) configureInside(ns netns.NsHandle, addr netip.Addr) error {
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	eth, err := h.LinkByName(inside)
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	gw := net.IP(gateway(n.subnet).AsSlice())
	index := eth.Attrs().Index
	for _, step := range []func() error{
		func() error { return h.LinkSetUp(lo) },
		func() error { return h.AddrAdd(eth, &netlink.Addr{IPNet: hostnet.Single(addr)}) },
		func() error { return h.LinkSetUp(eth) },
		func() error {
			return h.RouteAdd(&netlink.Route{LinkIndex: index, Dst: hostnet.Single(gateway(n.subnet)), Scope: netlink.SCOPE_LINK})
		},
		func() error { return h.RouteAdd(&netlink.Route{LinkIndex: index, Gw: gw}) },
		func() error {
			return h.NeighSet(&netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: gw, HardwareAddr: n.names.bridgeMAC()})
		},
	} {
		if err := step(); err != nil {
			return fmt.Errorf("set up eth0: %w", err)
		}
	}
	return nil
}

// detach removes what attach made. It may be repeated.
func (n *network) detach(id string, addr netip.Addr) error {
	if err := n.removePort(n.names.link(id)); err != nil {
		return err
	}
	return n.forget(addr)
}

// forget removes the route to an address and its neighbour entry.
func (n *network) forget(addr netip.Addr) error {
	err := n.route(netlink.RouteDel, n.toInstance(addr))
	if gone := n.neighbour(netlink.NeighDel, addr); !errors.Is(gone, unix.ENOENT) {
		err = errors.Join(err, gone)
	}
	return err
}

// removePort deletes the host's end of a cable, and so both. The kernel may have done it already, or be doing it.
func (n *network) removePort(name string) error {
	link, err := netlink.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove interface %s: %w", name, err)
	}
	return nil
}

// ports names the interfaces on the bridge.
func (n *network) ports() ([]string, error) {
	links, err := hostnet.Dump("interfaces", netlink.LinkList)
	if err != nil {
		return nil, err
	}
	var ports []string
	for _, l := range links {
		if l.Attrs().MasterIndex == n.bridge.Attrs().Index {
			ports = append(ports, l.Attrs().Name)
		}
	}
	return ports, nil
}

// addresses are those the bridge has routes or lasting neighbour entries for.
func (n *network) addresses() ([]netip.Addr, error) {
	entries, err := hostnet.Dump("neighbours", func() ([]netlink.Neigh, error) { return netlink.NeighList(n.bridge.Attrs().Index, unix.AF_INET) })
	if err != nil {
		return nil, err
	}
	routes, err := hostnet.Dump("routes", func() ([]netlink.Route, error) { return netlink.RouteList(n.bridge, unix.AF_INET) })
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for _, e := range entries {
		if a, ok := netip.AddrFromSlice(e.IP); ok && e.State == netlink.NUD_PERMANENT {
			list = append(list, a.Unmap())
		}
	}
	for _, r := range routes {
		if p := hostnet.Prefix(r.Dst); r.Protocol == routeProtocol && p.IsValid() {
			list = append(list, p.Addr())
		}
	}
	return list, nil
}

// sweep removes those ports and addresses that belong to no known instance.
func (n *network) sweep(ports []string, addresses []netip.Addr, known map[string]netip.Addr) error {
	keepPort, keepAddr := map[string]bool{}, map[netip.Addr]bool{}
	for id, addr := range known {
		keepPort[n.names.link(id)], keepAddr[addr] = true, true
	}
	var errs []error
	for _, port := range ports {
		if !keepPort[port] {
			errs = append(errs, n.removePort(port))
		}
	}
	for _, addr := range addresses {
		if !keepAddr[addr] {
			errs = append(errs, n.forget(addr))
		}
	}
	return errors.Join(errs...)
}

// remove takes the bridge, the firewall and, where no other installation is left, forwarding away.
func (n *network) remove(p paths) error {
	errs := []error{n.rules.unload(), n.removePort(n.names.bridge()), n.route(netlink.RouteDel, n.unused(n.subnet))}
	var record networkRecord
	if readJSON(p.network(), &record) == nil && record.Forwarded && !otherBridges() {
		errs = append(errs, os.WriteFile(forwardSwitch, []byte("0"), 0))
	}
	record.Forwarded = false
	record.Subnet = n.subnet
	return errors.Join(append(errs, writeJSON(p.network(), record))...)
}

// otherBridges tells whether another installation has a bridge here.
func otherBridges() bool {
	links, err := hostnet.Dump("interfaces", netlink.LinkList)
	if err != nil {
		return true
	}
	for _, l := range links {
		if l.Type() == "bridge" && strings.HasPrefix(l.Attrs().Name, "sw-") {
			return true
		}
	}
	return false
}
