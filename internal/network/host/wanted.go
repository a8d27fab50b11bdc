package host

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/network"
)

// vpc is a VPC as it has to look on this host.
type vpc struct {
	id       string
	cidr     netip.Prefix
	resolver netip.Addr // invalid: there is none
	wayOut   bool       // names of the world may be asked for
	bridges  []bridge
	ports    map[string]bool // interfaces that others have put on the bridges and that are to stay
	outlets  []outlet
	ways     []way
	firewall firewall
}

// bridge is a subnet.
type bridge struct {
	name      string
	router    netip.Prefix // the router's address, with the length of the subnet
	addresses []netip.Addr // of endpoints
}

// wanted tells what a layout asks this host to show: nothing of VPCs that have neither endpoints nor interfaces of commands or connectors.
func wanted(l network.Layout) map[string]vpc {
	all := map[string]vpc{}
	for _, p := range l.VPCs {
		if v := wantedVPC(p); len(v.ports) > 0 || v.listens() {
			all[v.id] = v
		}
	}
	return all
}

func wantedVPC(p network.Plan) vpc {
	v := vpc{id: p.ID, cidr: p.CIDR, resolver: resolverOf(p.VPC), wayOut: len(p.Gateways) > 0 || len(p.NATs) > 0, ports: map[string]bool{}}
	v.firewall = firewallOf(p, v.resolver)
	at := map[string]int{}
	for _, s := range p.Subnets {
		at[s.ID] = len(v.bridges)
		v.bridges = append(v.bridges, bridge{name: BridgeName(s.ID), router: netip.PrefixFrom(s.CIDR.Addr().Next(), s.CIDR.Bits())})
	}
	for _, e := range p.Endpoints {
		if e.State == network.EndpointDeleting {
			continue
		}
		for _, i := range e.Interfaces {
			if n, found := at[i.SubnetID]; found {
				v.bridges[n].addresses = append(v.bridges[n].addresses, i.Address)
			}
		}
	}
	for _, i := range p.Interfaces {
		if i.IsCommand() || i.IsConnector() {
			v.ports[PortName(i.ID)] = true
		}
		if n, found := at[i.SubnetID]; found && i.IsConnector() {
			v.outlets = append(v.outlets, outlet{id: i.ID, bridge: v.bridges[n].name, address: i.Address, router: v.bridges[n].router.Addr()})
		}
	}
	v.ways = waysOf(p)
	for n := range v.bridges {
		slices.SortFunc(v.bridges[n].addresses, netip.Addr.Compare)
	}
	return v
}

// resolverOf is the address of the resolver of a VPC: its base plus two.
func resolverOf(v network.VPC) (a netip.Addr) {
	if v.DNSSupport {
		a = v.CIDR.Addr().Next().Next()
	}
	return a
}

// listens tells whether there is an endpoint.
func (v vpc) listens() bool {
	return slices.ContainsFunc(v.bridges, func(b bridge) bool { return len(b.addresses) > 0 })
}

// BridgeName is the name of a subnet's bridge inside the namespace of its VPC.
func BridgeName(subnetID string) string { return "sn" + short(subnetID) }

// PortName is the name of an elastic interface on its subnet's bridge.
func PortName(interfaceID string) string { return "xi" + short(interfaceID) }

// short makes an id fit the 15 characters of an interface's name.
func short(id string) string {
	_, digits, _ := strings.Cut(id, "-")
	if len(digits) <= 13 {
		return digits
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])[:13]
}

// address is one that an interface inside the namespace has.
type address struct {
	link   string
	prefix netip.Prefix
}

// loopback is the interface that the resolver's address is on.
const loopback = "lo"

// addresses are all that the namespace has, but for the loopback's own.
func (v vpc) addresses() []address {
	var list []address
	if v.resolver.IsValid() {
		list = append(list, address{loopback, single(v.resolver)})
	}
	for _, b := range v.bridges {
		list = append(list, address{b.name, b.router})
		for _, a := range b.addresses {
			list = append(list, address{b.name, single(a)})
		}
	}
	return list
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// present is what there is of a VPC in its namespace.
type present struct {
	bridges   []string
	ports     []string // on bridges
	addresses []address
}

// changes take a namespace from what it is to what it has to be, in the order of the members.
type changes struct {
	dropAddresses []address
	dropLinks     []string
	addBridges    []bridge
	addAddresses  []address
}

func (c changes) empty() bool {
	return len(c.dropAddresses)+len(c.dropLinks)+len(c.addBridges)+len(c.addAddresses) == 0
}

// diff tells what to change.
func diff(want vpc, have present) changes {
	var c changes
	isBridge, hasAddress := map[string]bool{}, map[address]bool{}
	for _, b := range want.bridges {
		isBridge[b.name] = true
		if !slices.Contains(have.bridges, b.name) {
			c.addBridges = append(c.addBridges, b)
		}
	}
	for _, name := range have.bridges {
		if !isBridge[name] {
			c.dropLinks = append(c.dropLinks, name)
		}
	}
	for _, name := range have.ports {
		if !want.ports[name] {
			c.dropLinks = append(c.dropLinks, name)
		}
	}
	for _, a := range want.addresses() {
		hasAddress[a] = true
		if !slices.Contains(have.addresses, a) {
			c.addAddresses = append(c.addAddresses, a)
		}
	}
	for _, a := range have.addresses {
		if !hasAddress[a] && !slices.Contains(c.dropLinks, a.link) {
			c.dropAddresses = append(c.dropAddresses, a)
		}
	}
	return c
}
