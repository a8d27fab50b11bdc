package oci

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
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

// firewall is the installation's nftables table. Its rules do not depend on the instances; what does is in the set "build".
type firewall struct {
	names     names
	pool      netip.Prefix
	subnet    netip.Prefix
	allow     []netip.Prefix
	resolvers []netip.Addr

	mu    sync.Mutex // one change at a time
	table *nftables.Table
	build *nftables.Set
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

// load replaces the whole table in one transaction; packets see the old rules or the new ones. building are the addresses with
// EgressBuild.
func (f *firewall) load(building []netip.Addr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("load firewall: %w", err)
	}
	f.table = conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: f.names.table()})
	conn.DelTable(f.table) // adding first makes sure that there is one to delete
	f.table = conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: f.names.table()})
	r := &ruleset{conn: conn, table: f.table}
	f.build = r.addresses("build", building)
	never := r.ranges("never", append([]netip.Prefix{f.pool}, neverReach...))
	private := r.ranges("private", privateRanges)
	allow := r.ranges("allow", f.allow)
	servers := r.addresses("resolvers", f.resolvers)
	f.prerouting(r)
	f.input(r)
	f.forward(r, never, private, allow, servers)
	f.masquerade(r)
	if r.err != nil {
		return fmt.Errorf("load firewall: %w", r.err)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("load firewall: %w", err)
	}
	return nil
}

// credentialsService is where SDKs in an instance look for credentials: the only address beside loopback that they accept without
// TLS. No interface has it; what is sent there comes to credentialsPort of the gateway.
var credentialsService = netip.AddrFrom4([4]byte{169, 254, 170, 2})

// credentialsPort is where the control plane answers for credentialsService, at the gateway's address.
const credentialsPort = 51678

// prerouting leads the credentials service to the gateway.
func (f *firewall) prerouting(r *ruleset) {
	c := r.chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	r.rule(c, f.fromBridge(), destination(credentialsService), port(unix.IPPROTO_TCP, 80), leadTo(gateway(f.subnet), credentialsPort))
}

// leadTo changes a packet's destination.
func leadTo(a netip.Addr, to uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: a.AsSlice()},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, to)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
	}
}

// input keeps instances from the host: replies, questions for names and for credentials pass, nothing else.
func (f *firewall) input(r *ruleset) {
	c := r.chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	gw := gateway(f.subnet)
	r.rule(c, f.fromBridge(), established(), accept())
	r.rule(c, f.fromBridge(), destination(gw), port(unix.IPPROTO_UDP, 53), accept())
	r.rule(c, f.fromBridge(), destination(gw), port(unix.IPPROTO_TCP, 53), accept())
	r.rule(c, f.fromBridge(), destination(gw), port(unix.IPPROTO_TCP, credentialsPort), accept())
	r.rule(c, f.fromBridge(), reject())
}

// forward keeps instances from each other and from networks they must not reach, and the world from instances.
func (f *firewall) forward(r *ruleset, never, private, allow, servers *nftables.Set) {
	c := r.chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	r.rule(c, f.fromBridge(), f.toBridge(), reject())
	r.rule(c, f.toBridge(), established(), accept())
	r.rule(c, f.toBridge(), drop())
	r.rule(c, f.fromBridge(), ipv6(), drop())
	r.rule(c, f.fromBridge(), destinationIn(never), reject())
	r.rule(c, f.fromBridge(), destinationIn(servers), port(unix.IPPROTO_UDP, 53), accept())
	r.rule(c, f.fromBridge(), destinationIn(servers), port(unix.IPPROTO_TCP, 53), accept())
	r.rule(c, f.fromBridge(), sourceIn(f.build), accept())
	r.rule(c, f.fromBridge(), destinationIn(allow), accept())
	r.rule(c, f.fromBridge(), destinationIn(private), reject())
	r.rule(c, f.fromBridge(), accept())
}

// masquerade gives packets that leave the machine its own address.
func (f *firewall) masquerade(r *ruleset) {
	c := r.chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	r.rule(c, sourceWithin(f.subnet), notToInterface(f.names.bridge()), []expr.Any{&expr.Masq{}})
}

// allowBuild adds an address to, or takes it from, those with EgressBuild.
func (f *firewall) allowBuild(a netip.Addr, allowed bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("change firewall: %w", err)
	}
	element := []nftables.SetElement{{Key: a.AsSlice()}}
	if allowed {
		err = conn.SetAddElements(f.build, element)
	} else {
		err = conn.SetDeleteElements(f.build, element)
	}
	if err == nil {
		err = conn.Flush()
	}
	if err != nil && (allowed || !errors.Is(err, unix.ENOENT)) {
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
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: f.names.table()})
	conn.DelTable(table)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("unload firewall: %w", err)
	}
	return nil
}

func (f *firewall) fromBridge() []expr.Any { return onInterface(expr.MetaKeyIIFNAME, f.names.bridge()) }

func (f *firewall) toBridge() []expr.Any { return onInterface(expr.MetaKeyOIFNAME, f.names.bridge()) }

// ruleset collects one transaction; its first fault sticks.
type ruleset struct {
	conn  *nftables.Conn
	table *nftables.Table
	err   error
}

func (r *ruleset) chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, prio *nftables.ChainPriority) *nftables.Chain {
	return r.conn.AddChain(&nftables.Chain{Name: name, Table: r.table, Type: kind, Hooknum: hook, Priority: prio})
}

func (r *ruleset) rule(c *nftables.Chain, parts ...[]expr.Any) {
	rule := &nftables.Rule{Table: r.table, Chain: c}
	for _, p := range parts {
		rule.Exprs = append(rule.Exprs, p...)
	}
	r.conn.AddRule(rule)
}

func (r *ruleset) addresses(name string, list []netip.Addr) *nftables.Set {
	set := &nftables.Set{Table: r.table, Name: name, KeyType: nftables.TypeIPAddr}
	var elements []nftables.SetElement
	for _, a := range list {
		elements = append(elements, nftables.SetElement{Key: a.AsSlice()})
	}
	r.add(set, elements)
	return set
}

// ranges makes a set of prefixes, which must not overlap: auto-merge is left to the caller's choice of constants, and what an
// operator allows is merged here.
func (r *ruleset) ranges(name string, list []netip.Prefix) *nftables.Set {
	set := &nftables.Set{Table: r.table, Name: name, KeyType: nftables.TypeIPAddr, Interval: true}
	var elements []nftables.SetElement
	for _, p := range withoutOverlap(list) {
		first := number(p.Addr())
		elements = append(elements, nftables.SetElement{Key: p.Addr().AsSlice()})
		if last := first + (1<<(32-p.Bits()) - 1); last != ^uint32(0) {
			elements = append(elements, nftables.SetElement{Key: fromNumber(last + 1).AsSlice(), IntervalEnd: true})
		}
	}
	r.add(set, elements)
	return set
}

func (r *ruleset) add(set *nftables.Set, elements []nftables.SetElement) {
	if err := r.conn.AddSet(set, elements); err != nil && r.err == nil {
		r.err = err
	}
}

// withoutOverlap drops prefixes that lie in another one of the list.
func withoutOverlap(list []netip.Prefix) []netip.Prefix {
	var kept []netip.Prefix
	for i, p := range list {
		covered := !p.Addr().Is4()
		for j, q := range list {
			if i != j && q.Overlaps(p) && (q.Bits() < p.Bits() || q.Bits() == p.Bits() && j < i) {
				covered = true
			}
		}
		if !covered {
			kept = append(kept, p.Masked())
		}
	}
	return kept
}

func onInterface(key expr.MetaKey, name string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: interfaceName(name)}}
}

func notToInterface(name string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: interfaceName(name)}}
}

func interfaceName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

func established() []expr.Any {
	const bits = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func family(proto byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}}}
}

func ipv6() []expr.Any { return family(unix.NFPROTO_IPV6) }

// The offsets of the two addresses in an IPv4 header.
const (
	sourceOffset      = 12
	destinationOffset = 16
)

func address(at uint32) []expr.Any {
	return append(family(unix.NFPROTO_IPV4), &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: 4})
}

func destination(a netip.Addr) []expr.Any {
	return append(address(destinationOffset), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: a.AsSlice()})
}

func destinationIn(set *nftables.Set) []expr.Any {
	return append(address(destinationOffset), &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID})
}

func sourceIn(set *nftables.Set) []expr.Any {
	return append(address(sourceOffset), &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID})
}

func sourceWithin(p netip.Prefix) []expr.Any {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
	return append(address(sourceOffset),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()})
}

func port(proto byte, number uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(number)},
	}
}

func accept() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}} }
func drop() []expr.Any   { return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}} }

// reject answers at once where a drop would let the application wait for its timeout.
func reject() []expr.Any {
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}}
}
