package host

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

// outlet is the interface of a connector: a network namespace of its own that is plugged into a subnet as a command is. What comes into it
// from anywhere else, which is what instances send, leaves it with the interface's address. So to the VPC the instances behind it are
// that one interface, with its groups and its subnet's routes, and none of them sees another.
type outlet struct {
	id      string // of the elastic interface
	bridge  string
	address netip.Addr
	router  netip.Addr
}

// outletTable is the table's name inside the namespace, which has no other.
const outletTable = "outlet"

// showOutlet brings the namespace of an outlet to what it has to be. Cables of instances are not touched: they go with these.
func (h *Host) showOutlet(vpcID string, o outlet) error {
	in, err := h.spaces.ensure(o.id)
	if err != nil {
		return err
	}
	d, err := open(h.spaces.path(o.id))
	if err != nil {
		return err
	}
	defer d.close()
	if h.fenced[o.id] != in {
		conn, err := d.rules()
		if err == nil {
			err = o.fence(conn)
		}
		if err != nil {
			return err
		}
		h.fenced[o.id] = in
	}
	p := Place{InterfaceID: o.id, Namespace: h.spaces.path(vpcID), Bridge: o.bridge, Address: o.address, Router: o.router}
	whole, err := p.joined(d)
	if err != nil || whole {
		return err
	}
	return hostnet.Inside(h.spaces.path(o.id), p.Join)
}

// joined tells whether the namespace behind d has the interface of a place: its set-up ends with the entry for the router.
func (p Place) joined(d *door) (bool, error) {
	v, err := open(p.Namespace)
	if err != nil {
		return false, err
	}
	defer v.close()
	bridge, err := v.links.LinkByName(p.Bridge)
	if err != nil {
		return false, fmt.Errorf("find the bridge of the subnet: %w", err)
	}
	port, err := v.links.LinkByName(PortName(p.InterfaceID))
	if err != nil || port.Attrs().MasterIndex != bridge.Attrs().Index {
		return false, nil //nolint:nilerr // there is none, and one is made
	}
	eth, err := d.links.LinkByName(inside)
	if err != nil {
		return false, nil //nolint:nilerr // the cable ends elsewhere
	}
	list, err := d.links.NeighList(eth.Attrs().Index, unix.AF_INET)
	for _, e := range list {
		if e.IP.Equal(p.Router.AsSlice()) && e.State == netlink.NUD_PERMANENT {
			return true, err
		}
	}
	return false, err
}

// fence loads the rules of an outlet: what instances send goes to the subnet, from the interface's address, and nowhere else.
func (o outlet) fence(conn *nftables.Conn) error {
	r := hostnet.Replace(conn, outletTable)
	in := r.Chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	r.Rule(in, hostnet.OnInterface(expr.MetaKeyIIFNAME, loopback), hostnet.Accept())
	r.Rule(in, hostnet.Established(), hostnet.Accept())
	r.Rule(in, hostnet.Drop())
	through := r.Chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	r.Rule(through, hostnet.Established(), hostnet.Accept())
	r.Rule(through, hostnet.OnInterface(expr.MetaKeyIIFNAME, inside), hostnet.Drop())
	r.Rule(through, hostnet.IPv6(), hostnet.Drop())
	r.Rule(through, hostnet.NotToInterface(inside), hostnet.Reject())
	out := r.Chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	r.Rule(out, hostnet.OnInterface(expr.MetaKeyOIFNAME, inside), hostnet.SendFrom(o.address))
	return r.Load()
}

// WayOut returns the network namespace through which the instances behind a connector's interface call out, and the name server that they
// ask, once both work: a question that goes the way of the instances is answered.
func (k *Keeper) WayOut(ctx context.Context, interfaceID string) (namespace string, resolver netip.Addr, err error) {
	p, err := k.await(ctx, interfaceID)
	namespace = k.Host.Outlet(interfaceID)
	if err != nil || !p.resolver.IsValid() {
		return namespace, p.resolver, err
	}
	for {
		if err = ask(ctx, namespace, p.resolver); err == nil {
			return namespace, p.resolver, nil
		}
		if pause(ctx, gatherFor); ctx.Err() != nil {
			return namespace, p.resolver, fmt.Errorf("the resolver of the VPC is not reached through %s: %w", interfaceID, err)
		}
	}
}

// nobody is a name that every resolver knows not to exist (RFC 6761).
const nobody = "invalid."

// ask puts a question to a name server from inside a namespace. Any answer is one.
func ask(ctx context.Context, namespace string, server netip.Addr) error {
	return hostnet.Inside(namespace, func() error {
		c := &dns.Client{Timeout: time.Second}
		_, _, err := c.ExchangeContext(ctx, new(dns.Msg).SetQuestion(nobody, dns.TypeA), netip.AddrPortFrom(server, dnsPort).String())
		return err
	})
}
