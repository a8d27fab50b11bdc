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

	mu     sync.Mutex
	loaded map[string]loaded // what this process knows of the firewalls it loaded, by VPC
}

// loaded is a firewall and where it was loaded.
type loaded struct {
	in       hostnet.Identity
	firewall firewall
}

// New returns a host whose namespaces live below dir. It changes nothing.
func New(dir string) *Host {
	return &Host{spaces: namespaces{dir}, loaded: map[string]loaded{}}
}

// Namespace is the path at which the network namespace of a VPC is entered, while it is shown.
func (h *Host) Namespace(vpcID string) string { return h.spaces.path(vpcID) }

// Apply brings this machine to a layout, and returns what it could not show, by VPC. It may be repeated; it finishes what a process that
// was killed began.
func (h *Host) Apply(l network.Layout) (failed map[string]error, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := wanted(l)
	there, err := h.spaces.list()
	if err != nil {
		return nil, err
	}
	for _, id := range there {
		if _, stays := want[id]; !stays {
			delete(h.loaded, id)
			err = errors.Join(err, h.spaces.remove(id))
		}
	}
	failed = map[string]error{}
	for id, v := range want {
		if err := h.show(v); err != nil {
			failed[id] = err
		}
	}
	return failed, err
}

// show brings the namespace of one VPC to what it has to be.
func (h *Host) show(v vpc) error {
	in, err := h.spaces.ensure(v.id)
	if err != nil {
		return err
	}
	d, err := open(h.spaces.path(v.id))
	if err != nil {
		return err
	}
	defer d.close()
	// The firewall comes before the addresses it protects.
	if now := (loaded{in, v.firewall}); !reflect.DeepEqual(h.loaded[v.id], now) {
		conn, err := d.rules()
		if err == nil {
			err = v.firewall.load(conn)
		}
		if err != nil {
			return err
		}
		h.loaded[v.id] = now
	}
	have, err := d.look()
	if err != nil {
		return err
	}
	return d.apply(diff(v, have))
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
