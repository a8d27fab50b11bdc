package hostnet

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// Ruleset is one table of nftables that is replaced as a whole, in one transaction: packets see the old rules or the new ones. Its first
// fault sticks, and [Ruleset.Load] tells it.
type Ruleset struct {
	Table *nftables.Table
	conn  *nftables.Conn
	err   error
}

// Replace begins the new contents of a table, whether it is there or not.
func Replace(conn *nftables.Conn, name string) *Ruleset {
	return &Ruleset{conn: conn, Table: renew(conn, name)}
}

// renew leaves an empty table.
func renew(conn *nftables.Conn, name string) *nftables.Table {
	DropTable(conn, name)
	return conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: name})
}

// DropTable removes a table, whether it is there or not, when the connection is flushed.
func DropTable(conn *nftables.Conn, name string) {
	conn.DelTable(conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: name})) // adding first makes sure that there is one to delete
}

// Load makes the new contents hold.
func (r *Ruleset) Load() error {
	err := r.err
	if err == nil {
		err = r.conn.Flush()
	}
	if err != nil {
		return fmt.Errorf("load the table %s of the firewall: %w", r.Table.Name, err)
	}
	return nil
}

// Chain adds a chain at a hook of the kernel.
func (r *Ruleset) Chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, prio *nftables.ChainPriority) *nftables.Chain {
	return r.conn.AddChain(&nftables.Chain{Name: name, Table: r.Table, Type: kind, Hooknum: hook, Priority: prio})
}

// Branch adds a chain that other chains jump to.
func (r *Ruleset) Branch(name string) *nftables.Chain {
	return r.conn.AddChain(&nftables.Chain{Name: name, Table: r.Table})
}

// Rule adds a rule to the end of a chain.
func (r *Ruleset) Rule(c *nftables.Chain, parts ...[]expr.Any) {
	rule := &nftables.Rule{Table: r.Table, Chain: c}
	for _, p := range parts {
		rule.Exprs = append(rule.Exprs, p...)
	}
	r.conn.AddRule(rule)
}

// Addresses makes a set of addresses.
func (r *Ruleset) Addresses(name string, list []netip.Addr) *nftables.Set {
	set := &nftables.Set{Table: r.Table, Name: name, KeyType: nftables.TypeIPAddr}
	var elements []nftables.SetElement
	for _, a := range list {
		elements = append(elements, nftables.SetElement{Key: a.AsSlice()})
	}
	r.add(set, elements)
	return set
}

// Ranges makes a set of prefixes, which must not overlap: auto-merge is left to the caller's choice of constants, and what an
// operator allows is merged here.
func (r *Ruleset) Ranges(name string, list []netip.Prefix) *nftables.Set {
	set := &nftables.Set{Table: r.Table, Name: name, KeyType: nftables.TypeIPAddr, Interval: true}
	var elements []nftables.SetElement
	for _, p := range WithoutOverlap(list) {
		first := number(p.Addr())
		elements = append(elements, nftables.SetElement{Key: p.Addr().AsSlice()})
		if last := first + (1<<(32-p.Bits()) - 1); last != ^uint32(0) {
			elements = append(elements, nftables.SetElement{Key: fromNumber(last + 1).AsSlice(), IntervalEnd: true})
		}
	}
	r.add(set, elements)
	return set
}

func (r *Ruleset) add(set *nftables.Set, elements []nftables.SetElement) {
	if err := r.conn.AddSet(set, elements); err != nil && r.err == nil {
		r.err = err
	}
}

// WithoutOverlap drops prefixes that lie in another one of the list.
func WithoutOverlap(list []netip.Prefix) []netip.Prefix {
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

// number is an IPv4 address as one, for reckoning.
func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func fromNumber(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}
