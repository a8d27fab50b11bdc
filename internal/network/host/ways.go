package host

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
)

// world is this machine's own network, through which a VPC with a NAT gateway reaches public addresses and nothing else.
type world interface {
	// Join gives the network namespace at path an interface called link, without an address. What leaves there has to come from address,
	// and hop is next on all ways. It may be repeated. name stands for the namespace from then on.
	Join(name, path, link string) (address, hop netip.Addr, err error)
	// Leave takes the interface away, if there is one.
	Leave(name string) error
}

// Through lets the packets out of this machine that VPCs lead out. Without, nothing leaves a VPC.
func (h *Host) Through(w world) *Host {
	h.world = w
	return h
}

// worldLink is the interface of a VPC's router through which packets leave.
const worldLink = "world"

// way is a route that the packets of one subnet follow, or, in the main table, of all.
type way struct {
	table  int
	bridge string // whose packets follow the table; "" for the main one
	to     netip.Prefix
	out    bool // to the world; else nowhere
}

// waysOf are the ways of a VPC's packets; none where nothing leads out.
func waysOf(p network.Plan) (list []way) {
	leads := false
	for _, s := range p.Subnets {
		for _, w := range p.Ways(s.ID) {
			leads = leads || w.Out
			list = append(list, way{table: tableOf(s.ID), bridge: BridgeName(s.ID), to: w.Destination, out: w.Out})
		}
	}
	if !leads {
		return nil
	}
	// The main table comes first. Besides the subnets it knows where nobody may be led: inside the VPC, and to what is meant for
	// neighbours on a cable.
	for _, to := range []netip.Prefix{p.CIDR, netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254}), 16)} {
		list = append(list, way{table: unix.RT_TABLE_MAIN, to: to})
	}
	return list
}

// tableOf is the number of the routing table of a subnet: far above those of the kernel.
func tableOf(subnetID string) int {
	sum := sha256.Sum256([]byte(subnetID))
	return int(binary.BigEndian.Uint32(sum[:])>>2 | 1<<30)
}

// leadsOut tells whether there is a way to the world.
func (v vpc) leadsOut() bool { return slices.ContainsFunc(v.ways, func(w way) bool { return w.out }) }

// lead gives a VPC its interface to the world, or takes it away. What leaves there comes from address, which is invalid where nothing
// leads out, and hop is next.
func (h *Host) lead(v vpc) (address, hop netip.Addr, err error) {
	switch {
	case h.world == nil:
		return address, hop, nil
	case !v.leadsOut():
		return address, hop, h.world.Leave(v.id)
	}
	path := h.spaces.path(v.id)
	if address, hop, err = h.world.Join(v.id, path, worldLink); err != nil {
		return netip.Addr{}, hop, err
	}
	// The way back is looked up without the bridge that a packet is for, and so nothing seems to lead where it came from.
	err = hostnet.Inside(path, func() error {
		for _, name := range []string{"all", worldLink} {
			if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/rp_filter", []byte("0"), 0); err != nil {
				return fmt.Errorf("let packets in from the world: %w", err)
			}
		}
		return nil
	})
	return address, hop, err
}

const (
	// routeProtocol marks the routes of this room; the number is of those left to anybody (rtnetlink(7)).
	routeProtocol = 184
	// afterMain is the priority of the rules that lead to subnets' tables.
	afterMain = 33000
)

// direct brings the routing tables of a VPC to what they have to be.
func (d *door) direct(want []way, hop netip.Addr) error {
	have, err := d.ways()
	if err != nil {
		return err
	}
	for _, r := range have {
		if !slices.ContainsFunc(want, func(w way) bool { return w.is(r) }) {
			if err := d.links.RouteDel(&r); err != nil {
				return fmt.Errorf("remove the route to %v: %w", r.Dst, err)
			}
		}
	}
	for _, w := range want {
		if slices.ContainsFunc(have, w.is) {
			continue
		}
		r, err := d.route(w, hop)
		if err == nil {
			err = d.links.RouteReplace(r)
		}
		if err != nil {
			return fmt.Errorf("route to %v: %w", w.to, err)
		}
	}
	return d.choose(want)
}

// ways are the routes of this room.
func (d *door) ways() ([]netlink.Route, error) {
	ours := &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Protocol: routeProtocol}
	return hostnet.Dump("routes", func() ([]netlink.Route, error) {
		return d.links.RouteListFiltered(unix.AF_INET, ours, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
	})
}

// is tells whether a route of the kernel is this way.
func (w way) is(r netlink.Route) bool {
	return r.Table == w.table && prefixOf(r) == w.to && (r.Type == unix.RTN_UNREACHABLE) != w.out
}

// prefixOf is a route's destination; the default one has none in the kernel's words.
func prefixOf(r netlink.Route) netip.Prefix {
	if r.Dst == nil {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return hostnet.Prefix(r.Dst)
}

func (d *door) route(w way, hop netip.Addr) (*netlink.Route, error) {
	r := &netlink.Route{Table: w.table, Dst: ipNet(w.to), Protocol: routeProtocol, Type: unix.RTN_UNREACHABLE}
	if !w.out {
		return r, nil
	}
	link, err := d.links.LinkByName(worldLink)
	if err != nil {
		return nil, err
	}
	r.Type, r.LinkIndex, r.Gw, r.Flags = unix.RTN_UNICAST, link.Attrs().Index, hop.AsSlice(), int(netlink.FLAG_ONLINK)
	return r, nil
}

// choose makes the packets of each subnet follow its table.
func (d *door) choose(want []way) error {
	have, err := hostnet.Dump("routing rules", func() ([]netlink.Rule, error) { return d.links.RuleList(unix.AF_INET) })
	if err != nil {
		return err
	}
	table := map[string]int{}
	for _, w := range want {
		if w.bridge != "" {
			table[w.bridge] = w.table
		}
	}
	for _, r := range have {
		switch {
		case r.Priority != afterMain:
		case table[r.IifName] == r.Table:
			delete(table, r.IifName)
		default:
			if err := d.links.RuleDel(&r); err != nil {
				return fmt.Errorf("remove the routing rule of %s: %w", r.IifName, err)
			}
		}
	}
	for bridge, number := range table {
		r := netlink.NewRule()
		r.Priority, r.IifName, r.Table, r.Family = afterMain, bridge, number, unix.AF_INET
		if err := d.links.RuleAdd(r); err != nil {
			return fmt.Errorf("routing rule of %s: %w", bridge, err)
		}
	}
	return nil
}
