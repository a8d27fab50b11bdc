package oci

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/instance"
)

// neverReach are ranges no instance may reach, whatever it was allowed: they mean the host, everybody, or the cloud's metadata
// service, which hands out the host's credentials.
var neverReach = prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")

// privateRanges are closed to EgressPublic.
var privateRanges = prefixes("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

// firewall is the installation's nftables table. Its rules do not depend on the instances; what does is in the sets of addresses with
// another egress than EgressPublic.
type firewall struct {
	names     names
	pool      netip.Prefix
	subnet    netip.Prefix
	allow     []netip.Prefix
	resolvers []netip.Addr

	mu     sync.Mutex // one change at a time
	build  *nftables.Set
	uplink *nftables.Set
}

func newFirewall(n names, pool, subnet netip.Prefix, allow []netip.Prefix, servers []netip.Addr) *firewall {
	return &firewall{names: n, pool: pool, subnet: subnet, allow: allow, resolvers: reachable(servers)}
}

// ask sets the name servers that load opens the way to, and tells whether they changed.
func (f *firewall) ask(servers []netip.Addr) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := reachable(servers)
	changed = !slices.Equal(now, f.resolvers)
	f.resolvers = now
	return changed
}

// load replaces the whole table in one transaction; packets see the old rules or the new ones. who has the addresses with each egress
// but EgressPublic.
func (f *firewall) load(who map[instance.Egress][]netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("load firewall: %w", err)
	}
	r := hostnet.Replace(conn, f.names.table())
	f.build, f.uplink = r.Addresses("build", who[instance.EgressBuild]), r.Addresses("uplink", who[instance.EgressUplink])
	never := r.Ranges("never", append([]netip.Prefix{f.pool}, neverReach...))
	private := r.Ranges("private", privateRanges)
	allow := r.Ranges("allow", f.allow)
	servers := r.Addresses("resolvers", f.resolvers)
	f.prerouting(r)
	f.input(r)
	f.forward(r, never, private, allow, servers)
	f.masquerade(r)
	return r.Load()
}

// credentialsService is where SDKs in an instance look for credentials: the only address beside loopback that they accept without
// TLS. No interface has it; what is sent there comes to credentialsPort of the gateway.
var credentialsService = netip.AddrFrom4([4]byte{169, 254, 170, 2})

// credentialsPort is where the control plane answers for credentialsService, at the gateway's address.
const credentialsPort = 51678

// prerouting leads the credentials service to the gateway.
func (f *firewall) prerouting(r *hostnet.Ruleset) {
	c := r.Chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	r.Rule(c, f.fromBridge(), hostnet.Destination(credentialsService), hostnet.Port(unix.IPPROTO_TCP, 80), hostnet.LeadTo(gateway(f.subnet), credentialsPort))
}

// input keeps instances from the host: replies, questions for names and for credentials pass, nothing else.
func (f *firewall) input(r *hostnet.Ruleset) {
	c := r.Chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	gw := gateway(f.subnet)
	r.Rule(c, f.fromBridge(), hostnet.Established(), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.Destination(gw), hostnet.Port(unix.IPPROTO_TCP, credentialsPort), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.SourceIn(f.uplink), hostnet.Reject())
	r.Rule(c, f.fromBridge(), hostnet.Destination(gw), hostnet.Port(unix.IPPROTO_UDP, 53), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.Destination(gw), hostnet.Port(unix.IPPROTO_TCP, 53), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.Reject())
}

// forward keeps instances from each other and from networks they must not reach, and the world from instances.
func (f *firewall) forward(r *hostnet.Ruleset, never, private, allow, servers *nftables.Set) {
	c := r.Chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	r.Rule(c, f.fromBridge(), f.toBridge(), hostnet.Reject())
	r.Rule(c, f.toBridge(), hostnet.Established(), hostnet.Accept())
	r.Rule(c, f.toBridge(), hostnet.Drop())
	r.Rule(c, f.fromBridge(), hostnet.IPv6(), hostnet.Drop())
	r.Rule(c, f.fromBridge(), hostnet.SourceIn(f.uplink), hostnet.Reject())
	r.Rule(c, f.fromBridge(), hostnet.DestinationIn(never), hostnet.Reject())
	r.Rule(c, f.fromBridge(), hostnet.DestinationIn(servers), hostnet.Port(unix.IPPROTO_UDP, 53), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.DestinationIn(servers), hostnet.Port(unix.IPPROTO_TCP, 53), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.SourceIn(f.build), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.DestinationIn(allow), hostnet.Accept())
	r.Rule(c, f.fromBridge(), hostnet.DestinationIn(private), hostnet.Reject())
	r.Rule(c, f.fromBridge(), hostnet.Accept())
}

// masquerade gives packets that leave the machine its own address.
func (f *firewall) masquerade(r *hostnet.Ruleset) {
	c := r.Chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	r.Rule(c, hostnet.SourceWithin(f.subnet), hostnet.NotToInterface(f.names.bridge()), []expr.Any{&expr.Masq{}})
}

// setOf is the set of the addresses with an egress; nil for the one without a set.
func (f *firewall) setOf(e instance.Egress) *nftables.Set {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e {
	case instance.EgressBuild:
		return f.build
	case instance.EgressUplink:
		return f.uplink
	case instance.EgressPublic:
	}
	return nil
}

// release takes an address out of all sets.
func (f *firewall) release(a netip.Addr) error {
	return errors.Join(f.change(f.setOf(instance.EgressBuild), a, false), f.change(f.setOf(instance.EgressUplink), a, false))
}

// change adds an address to a set or takes it out.
func (f *firewall) change(set *nftables.Set, a netip.Addr, add bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("change firewall: %w", err)
	}
	element := []nftables.SetElement{{Key: a.AsSlice()}}
	if add {
		err = conn.SetAddElements(set, element)
	} else {
		err = conn.SetDeleteElements(set, element)
	}
	if err == nil {
		err = conn.Flush()
	}
	if err != nil && (add || !errors.Is(err, unix.ENOENT)) {
		return fmt.Errorf("change firewall: %w", err)
	}
	return nil
}

// unload removes the table. It may be repeated.
func (f *firewall) unload() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("unload firewall: %w", err)
	}
	hostnet.DropTable(conn, f.names.table())
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("unload firewall: %w", err)
	}
	return nil
}

func (f *firewall) fromBridge() []expr.Any {
	return hostnet.OnInterface(expr.MetaKeyIIFNAME, f.names.bridge())
}

func (f *firewall) toBridge() []expr.Any {
	return hostnet.OnInterface(expr.MetaKeyOIFNAME, f.names.bridge())
}
