package host

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
)

// firewall is the security groups of a VPC as the router inside it applies them. Everything that two interfaces say to each other passes
// the router: first the groups of the sender must let it out, then those of the receiver let it in. What answers something that was
// let through passes.
type firewall struct {
	cidr     netip.Prefix
	resolver netip.Addr // reached from everywhere in the VPC, whatever the groups say; invalid: there is none
	world    netip.Addr // what leaves the VPC comes from here; invalid: nothing does
	groups   []group
}

// group is a security group with the addresses of its members.
type group struct {
	id      string
	members []netip.Addr
	in, out []match
}

// match is a rule that lets traffic with one other side through.
type match struct {
	protocol int          // as in the IP header; -1 for all
	from, to int          // ports, or type and code of ICMP; -1 for all
	cidr     netip.Prefix // the other side; or
	group    string       // the members of a group
}

// firewallOf reads the groups of a VPC. Interfaces of endpoints that are being deleted are members no more.
func firewallOf(p network.Plan, resolver netip.Addr) firewall {
	f := firewall{cidr: p.CIDR, resolver: resolver}
	members := map[string][]netip.Addr{}
	for _, i := range p.Interfaces {
		for _, g := range i.Groups {
			members[g] = append(members[g], i.Address)
		}
	}
	for _, g := range p.Groups {
		f.groups = append(f.groups, group{id: g.ID, members: sorted(members[g.ID]), in: matches(g.Ingress, p.Groups), out: matches(g.Egress, p.Groups)})
	}
	return f
}

func sorted(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// matches are the rules about IPv4 whose other side exists.
func matches(rules []network.Rule, groups []network.SecurityGroup) []match {
	var list []match
	for _, r := range rules {
		m := match{protocol: protocolNumber(r.Protocol), from: r.FromPort, to: r.ToPort, group: r.GroupID}
		switch {
		case m.protocol == unix.IPPROTO_ICMPV6:
			continue
		case r.GroupID != "":
			if !slices.ContainsFunc(groups, func(g network.SecurityGroup) bool { return g.ID == r.GroupID }) {
				continue
			}
		case !r.CIDR.IsValid() || !r.CIDR.Addr().Is4():
			continue
		default:
			m.cidr = r.CIDR.Masked()
		}
		list = append(list, m)
	}
	return list
}

// protocolNumber reads the protocol of a rule; what is unknown is a number no packet has.
func protocolNumber(name string) int {
	switch name {
	case "-1":
		return -1
	case "tcp":
		return unix.IPPROTO_TCP
	case "udp":
		return unix.IPPROTO_UDP
	case "icmp":
		return unix.IPPROTO_ICMP
	case "icmpv6":
		return unix.IPPROTO_ICMPV6
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < 255 {
		return n
	}
	return 255 // reserved (IANA)
}

// tableName is the table's name inside the namespace, which has no other.
const tableName = "vpc"

// The order in which a packet meets the two sides' groups.
const (
	leavingPriority  = -10
	arrivingPriority = 0
)

// load makes the firewall hold in the namespace that conn speaks to.
func (f firewall) load(conn *nftables.Conn) error {
	r := hostnet.Replace(conn, tableName)
	sets := map[string]*nftables.Set{}
	for _, g := range f.groups {
		sets[g.id] = r.Addresses(chainName("members", g.id), g.members)
	}
	f.side(r, "leaving", leavingPriority, func(c *nftables.Chain) {
		for _, g := range f.groups {
			out := rulesOf(r, chainName("out", g.id), g.out, hostnet.DestinationWithin, hostnet.DestinationIn, sets)
			r.Rule(c, hostnet.SourceIn(sets[g.id]), hostnet.Jump(out))
		}
	})
	f.side(r, "arriving", arrivingPriority, func(c *nftables.Chain) {
		if f.world.IsValid() { // which has no groups
			r.Rule(c, hostnet.OnInterface(expr.MetaKeyOIFNAME, worldLink), hostnet.Accept())
		}
		for _, g := range f.groups {
			in := rulesOf(r, chainName("in", g.id), g.in, hostnet.SourceWithin, hostnet.SourceIn, sets)
			r.Rule(c, hostnet.DestinationIn(sets[g.id]), hostnet.Jump(in))
		}
	})
	f.answer(r)
	if f.world.IsValid() {
		c := r.Chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
		r.Rule(c, hostnet.OnInterface(expr.MetaKeyOIFNAME, worldLink), hostnet.SendFrom(f.world))
	}
	return r.Load()
}

// answer keeps the resolver from being refused for the moment in which the process behind it is started again: who hears nothing asks
// once more.
func (f firewall) answer(r *hostnet.Ruleset) {
	if f.resolver.IsValid() {
		c := r.Chain("answering", nftables.ChainTypeFilter, nftables.ChainHookOutput, nftables.ChainPriorityFilter)
		r.Rule(c, hostnet.SourceWithin(single(f.resolver)), hostnet.ICMP(unreachable, -1), hostnet.Drop())
	}
}

// unreachable is the type of ICMP by which a port without a socket is told (RFC 792).
const unreachable = 3

// side makes the chains that judge packets by the groups of one side: what no group lets through is dropped.
func (f firewall) side(r *hostnet.Ruleset, name string, priority int32, groups func(*nftables.Chain)) {
	judge := r.Branch(name)
	r.Rule(judge, hostnet.OnInterface(expr.MetaKeyIIFNAME, loopback), hostnet.Accept())
	r.Rule(judge, hostnet.IPv6(), hostnet.Drop())
	r.Rule(judge, hostnet.Established(), hostnet.Accept())
	if f.resolver.IsValid() {
		for _, protocol := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			r.Rule(judge, hostnet.SourceWithin(f.cidr), hostnet.Destination(f.resolver), hostnet.Port(protocol, 53), hostnet.Accept())
		}
	}
	groups(judge)
	r.Rule(judge, hostnet.Drop())
	at := nftables.ChainPriorityRef(nftables.ChainPriority(priority))
	for hookName, hook := range map[string]*nftables.ChainHook{"input": nftables.ChainHookInput, "forward": nftables.ChainHookForward} {
		r.Rule(r.Chain(name+"_"+hookName, nftables.ChainTypeFilter, hook, at), hostnet.Jump(judge))
	}
}

// rulesOf makes a chain that accepts what one of the rules lets through.
func rulesOf(
	r *hostnet.Ruleset, name string, rules []match,
	within func(netip.Prefix) []expr.Any, among func(*nftables.Set) []expr.Any, sets map[string]*nftables.Set,
) *nftables.Chain {
	c := r.Branch(name)
	for _, m := range rules {
		if m.group != "" {
			r.Rule(c, among(sets[m.group]), m.kind(), hostnet.Accept())
		} else {
			r.Rule(c, within(m.cidr), m.kind(), hostnet.Accept())
		}
	}
	return c
}

// kind matches the protocol of a rule with its ports.
func (m match) kind() []expr.Any {
	switch m.protocol {
	case -1:
		return nil
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP:
		if m.from >= 0 && m.to >= m.from {
			return hostnet.Ports(byte(m.protocol), uint16(m.from), uint16(m.to))
		}
	case unix.IPPROTO_ICMP:
		return hostnet.ICMP(m.from, m.to)
	}
	return hostnet.Protocol(byte(m.protocol))
}

// chainName names a chain or set after a group; a dash is not allowed in what nft(8) reads back.
func chainName(what, groupID string) string {
	return what + "_" + strings.ReplaceAll(groupID, "-", "_")
}
