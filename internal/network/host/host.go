package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"sync"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
)

// Host shows VPCs on this machine. It is safe for use by several goroutines.
type Host struct {
	spaces namespaces
	world  world // nil: nothing leaves a VPC

	mu     sync.Mutex
	loaded map[string]loaded           // what this process knows of the firewalls it loaded, by VPC
	fenced map[string]hostnet.Identity // where it loaded the rules of outlets
}

// loaded is a firewall and where it was loaded.
type loaded struct {
	in       hostnet.Identity
	firewall firewall
}

// New returns a host whose namespaces live below dir. It changes nothing.
func New(dir string) *Host {
	return &Host{spaces: namespaces{dir}, loaded: map[string]loaded{}, fenced: map[string]hostnet.Identity{}}
}

// Namespace is the path at which the network namespace of a VPC is entered, while it is shown.
func (h *Host) Namespace(vpcID string) string { return h.spaces.path(vpcID) }

// Outlet is the path at which the network namespace of a connector's interface is entered, while it is shown.
func (h *Host) Outlet(interfaceID string) string { return h.spaces.path(interfaceID) }

// Apply brings this machine to a layout, and returns what it could not show, by VPC, by interface of a connector, and by VPC and "/world"
// where one should lead out of this machine. It may be repeated;
// it finishes what a process that was killed began.
func (h *Host) Apply(l network.Layout) (failed map[string]error, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := wanted(l)
	there, err := h.spaces.list()
	if err != nil {
		return nil, err
	}
	stays := stay(want)
	for _, id := range there {
		if !stays[id] {
			err = errors.Join(err, h.remove(id))
		}
	}
	failed = map[string]error{}
	for id, v := range want {
		cutOff, err := h.show(v)
		if cutOff != nil {
			failed[id+"/"+worldLink] = cutOff
		}
		if err != nil {
			failed[id] = err
			continue
		}
		for _, o := range v.outlets {
			if err := h.showOutlet(id, o); err != nil {
				failed[o.id] = err
			}
		}
	}
	return failed, err
}

// stay are the namespaces that there have to be: those of VPCs and of outlets.
func stay(want map[string]vpc) map[string]bool {
	ids := map[string]bool{}
	for id, v := range want {
		ids[id] = true
		for _, o := range v.outlets {
			ids[o.id] = true
		}
	}
	return ids
}

// remove takes a namespace away with all that leads there.
func (h *Host) remove(id string) error {
	delete(h.loaded, id)
	delete(h.fenced, id)
	if h.world != nil {
		if err := h.world.Leave(id); err != nil {
			return err
		}
	}
	return h.spaces.remove(id)
}

// show brings the namespace of one VPC to what it has to be. A VPC that should lead out of this machine and cannot, which cutOff tells
// about, is shown all the same.
func (h *Host) show(v vpc) (cutOff, err error) {
	in, err := h.spaces.ensure(v.id)
	if err != nil {
		return nil, err
	}
	d, err := open(h.spaces.path(v.id))
	if err != nil {
		return nil, err
	}
	defer d.close()
	var hop netip.Addr
	if v.firewall.world, hop, cutOff = h.lead(v); !v.firewall.world.IsValid() {
		v.ways = nil
	}
	// The firewall comes before the addresses it protects.
	if now := (loaded{in, v.firewall}); !reflect.DeepEqual(h.loaded[v.id], now) {
		conn, err := d.rules()
		if err == nil {
			err = v.firewall.load(conn)
		}
		if err != nil {
			return cutOff, err
		}
		h.loaded[v.id] = now
	}
	have, err := d.look()
	if err != nil {
		return cutOff, err
	}
	if err := d.apply(diff(v, have)); err != nil {
		return cutOff, err
	}
	return cutOff, d.direct(v.ways, hop)
}

// Destroy removes all that is outside the data directory.
func (h *Host) Destroy() error {
	_, err := h.Apply(network.Layout{})
	return err
}

// Dial connects to a TCP port of an address inside the namespace of a VPC, as the VPC's router would.
func (h *Host) Dial(ctx context.Context, vpcID string, to netip.AddrPort) (conn net.Conn, err error) {
	err = hostnet.Inside(h.Namespace(vpcID), func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reach %v in %s: %w", to, vpcID, err)
	}
	return conn, nil
}
