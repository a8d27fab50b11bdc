package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
)

// records are the VPCs as they are recorded.
type records interface {
	Layout(ctx context.Context) (network.Layout, error)
	Settle(ctx context.Context, endpointID string, state network.EndpointState, reason string) error
	Commands(ctx context.Context) ([]network.Interface, error)
	DetachCommand(ctx context.Context, id string) error
}

// doors are where somebody else than the edge answers at endpoints.
type doors interface {
	// Tend opens those that the endpoints of a layout need and closes others. It returns the endpoints at which nobody answers, and why.
	// What it opens lives until ctx ends.
	Tend(ctx context.Context, l network.Layout) (silent map[string]error)
	// Close returns when nothing is open any more.
	Close()
}

// KeeperConfig is what a Keeper needs; all of it.
type KeeperConfig struct {
	Host    *Host
	Records records
	// Changed is closed when the records may have changed.
	Changed func() <-chan struct{}
	Names   names
	Doors   doors
	// Servers are the host's own resolvers, in the order in which they are asked.
	Servers func() []netip.AddrPort
	// Alive tells whether the process that has an interface still runs.
	Alive func(holder string) bool
	Log   *slog.Logger
}

// Keeper keeps this machine in step with the records, and the records with what became of endpoints.
type Keeper struct {
	KeeperConfig

	resolvers map[string]*resolver // by VPC
	told      map[string]string    // the faults that were logged, by VPC or endpoint
	shown     network.Layout       // what there is no need to show again at once

	mu    sync.Mutex
	ports map[string]port // of interfaces of commands and connectors
	news  chan struct{}   // closed when there are others
}

// NewKeeper checks the configuration.
func NewKeeper(c KeeperConfig) (*Keeper, error) {
	if c.Host == nil || c.Records == nil || c.Changed == nil || c.Names == nil || c.Doors == nil || c.Servers == nil || c.Alive == nil || c.Log == nil {
		return nil, errors.New("network/host: a member of KeeperConfig is missing")
	}
	return &Keeper{KeeperConfig: c, resolvers: map[string]*resolver{}, told: map[string]string{}, news: make(chan struct{})}, nil
}

const (
	// lookEvery is how often the machine is looked at when nothing is recorded: what somebody took away comes back, and interfaces of
	// commands that vanished go.
	lookEvery = 5 * time.Second
	// gatherFor lets changes come together.
	gatherFor = 200 * time.Millisecond
)

// Run works until ctx ends. What is shown stays.
func (k *Keeper) Run(ctx context.Context) error {
	defer func() {
		for _, r := range k.resolvers {
			r.close()
		}
		k.Doors.Close()
	}()
	for ctx.Err() == nil {
		changed := k.Changed()
		if err := k.once(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("show VPCs on this machine", "err", err)
		}
		short, cancel := context.WithTimeout(ctx, lookEvery)
		select {
		case <-short.Done():
			k.shown = network.Layout{}
		case <-changed:
			pause(ctx, gatherFor)
		}
		cancel()
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// once brings everything into step.
func (k *Keeper) once(ctx context.Context) error {
	if err := k.dismiss(ctx); err != nil {
		return err
	}
	l, err := k.Records.Layout(ctx)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(l, k.shown) {
		return nil
	}
	failed, err := k.Host.Apply(l)
	if failed == nil {
		return err // nothing was tried
	}
	silent := k.Doors.Tend(ctx, l)
	if k.tell(failed, silent); len(k.told) == 0 && err == nil {
		k.shown = l
	}
	want := wanted(l)
	err = errors.Join(err, k.resolve(want))
	k.open(want, failed)
	for _, p := range l.VPCs {
		for _, e := range p.Endpoints {
			if state, reason, is := settled(e.State, cmp.Or(failed[p.ID], silent[e.ID])); is {
				err = errors.Join(err, k.Records.Settle(ctx, e.ID, state, reason))
			}
		}
	}
	return err
}

// port is an interface on a subnet's bridge, or room for one.
type port struct {
	fault    error      // why there is none
	resolver netip.Addr // of the VPC; invalid: there is none
}

// open lets commands and instances in.
func (k *Keeper) open(want map[string]vpc, failed map[string]error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ports = map[string]port{}
	for id, v := range want {
		for name := range v.ports {
			k.ports[name] = port{failed[id], v.resolver}
		}
		for _, o := range v.outlets {
			k.ports[PortName(o.id)] = port{cmp.Or(failed[id], failed[o.id]), v.resolver}
		}
	}
	close(k.news)
	k.news = make(chan struct{})
}

// Await returns when a command or an instance can be plugged in at its interface, and its VPC's resolver answers.
func (k *Keeper) Await(ctx context.Context, interfaceID string) error {
	_, err := k.await(ctx, interfaceID)
	return err
}

func (k *Keeper) await(ctx context.Context, interfaceID string) (port, error) {
	for {
		k.mu.Lock()
		p, known := k.ports[PortName(interfaceID)]
		news := k.news
		k.mu.Unlock()
		if known && p.fault == nil {
			return p, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return p, fmt.Errorf("the VPC of %s is not shown on this machine: %w", interfaceID, cmp.Or(p.fault, ctx.Err()))
		}
	}
}

// settled tells what has become of an endpoint, if anything has.
func settled(s network.EndpointState, fault error) (state network.EndpointState, reason string, is bool) {
	switch s {
	case network.EndpointPending:
		if fault != nil {
			return network.EndpointFailed, fault.Error(), true
		}
		return network.EndpointAvailable, "", true
	case network.EndpointFailed:
		return network.EndpointAvailable, "", fault == nil
	case network.EndpointDeleting:
		return network.EndpointDeleted, "", fault == nil
	case network.EndpointAvailable, network.EndpointDeleted:
	}
	return "", "", false
}

// dismiss takes back the interfaces of commands that have ended without doing so.
func (k *Keeper) dismiss(ctx context.Context) error {
	list, err := k.Records.Commands(ctx)
	for _, i := range list {
		if !k.Alive(i.Holder()) {
			err = errors.Join(err, k.Records.DetachCommand(ctx, i.ID))
		}
	}
	return err
}

// tell logs what cannot be shown, VPCs and endpoints, once.
func (k *Keeper) tell(failed, silent map[string]error) {
	before := k.told
	k.told = map[string]string{}
	for key, list := range map[string]map[string]error{"vpc_id": failed, "vpc_endpoint_id": silent} {
		for id, err := range list {
			if k.told[id] = err.Error(); before[id] != err.Error() {
				k.Log.Error("a part of a VPC cannot be shown on this machine; trying on", key, id, "err", err)
			}
		}
	}
}

// resolve gives every VPC that is shown its resolver.
func (k *Keeper) resolve(want map[string]vpc) (err error) {
	for id, r := range k.resolvers {
		in, gone := hostnet.Identify(k.Host.Namespace(id))
		if v, stays := want[id]; gone != nil || !stays || v.resolver != r.at || in != r.in {
			r.close()
			delete(k.resolvers, id)
		}
	}
	for id, v := range want {
		r := k.resolvers[id]
		if r == nil && v.resolver.IsValid() {
			in, missing := hostnet.Identify(k.Host.Namespace(id))
			if missing != nil {
				continue // it could not be made, which was told
			}
			r = &resolver{vpc: id, in: in, at: v.resolver, names: k.Names, servers: k.Servers, log: k.Log}
			if lerr := r.listen(k.Host.Namespace(id)); lerr != nil {
				err = errors.Join(err, lerr)
				continue
			}
			k.resolvers[id] = r
		}
		if r != nil {
			r.wayOut.Store(v.wayOut)
		}
	}
	return err
}
