package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/store"
)

// names is everything about the services' names: certificates for them and DNS.
type names struct {
	db       *store.DB
	ca       *domain.CA
	wildcard string
	inUse    atomic.Pointer[map[string]bool]
	zone     domain.NameserverConfig
}

func (s *System) openNames(ctx context.Context) (err error) {
	n := &names{db: s.db, wildcard: "*." + s.conf.Region + "." + s.conf.Domain}
	n.ca, err = domain.OpenCA(domain.CAConfig{
		Dir: s.conf.path("ca"), Export: s.conf.CAFile(), Name: "Slipway at " + s.conf.APIAddr, Permit: append([]string{s.conf.Domain}, s.conf.apiPermits()...),
		OnRenew: func([]string) { s.db.Wake() }, Log: s.log,
	})
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(s.conf.HTTPSAddr)
	if err != nil {
		return fmt.Errorf("--https-addr %s: %w", s.conf.HTTPSAddr, err)
	}
	n.zone = domain.NameserverConfig{
		Suffix: s.conf.Domain, Region: s.conf.Region, Addresses: reachable(at.Addr()), Names: n, Log: s.log,
	}
	s.names = n
	return n.refresh(ctx)
}

// reachable is where clients find a listener: its own address, or, when it listens on all of them, those of this machine.
func reachable(a netip.Addr) []netip.Addr {
	if !a.IsUnspecified() {
		return []netip.Addr{a}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for _, n := range own {
		p, err := netip.ParsePrefix(n.String())
		if err == nil && p.Addr().IsGlobalUnicast() && !p.Addr().Is6() {
			list = append(list, p.Addr())
		}
	}
	return list
}

// Certificates are what the edge shows: one wildcard for all default domains.
func (n *names) Certificates(ctx context.Context) ([]edge.Certificate, error) {
	cert, key, err := n.ca.Certificate(ctx, []string{n.wildcard})
	if err != nil {
		return nil, err
	}
	return []edge.Certificate{{Hosts: []string{n.wildcard}, CertPEM: cert, KeyPEM: key}}, nil
}

// NameExists answers from memory: everybody on the network may ask.
func (n *names) NameExists(_ context.Context, name string) bool { return (*n.inUse.Load())[name] }

func (n *names) refresh(ctx context.Context) error {
	inUse := map[string]bool{}
	err := n.db.View(ctx, func(tx *store.Tx) error {
		services, err := tx.Services(apprunner.Scope{})
		for _, s := range services {
			inUse[s.URL] = s.Network.Public
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the services' names: %w", err)
	}
	n.inUse.Store(&inUse)
	return nil
}

// refreshEvery bounds how often the names are read while much changes.
const refreshEvery = 200 * time.Millisecond

// run renews certificates and keeps the names in memory in step with the store.
func (n *names) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.ca.Run(ctx) })
	g.Go(func() error {
		for {
			changed := n.db.Changed()
			if err := n.refresh(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				pause(ctx, refreshEvery)
			}
		}
	})
	return g.Wait()
}

// serveDNS answers on the inherited sockets.
func (n *names) serveDNS(ctx context.Context, files map[string]*os.File) error {
	l, err := listenerFrom(files, "dns-tcp")
	if err != nil {
		return err
	}
	f := files["dns-udp"]
	if f == nil {
		return errors.New("the socket \"dns-udp\" was not inherited")
	}
	defer f.Close()
	p, err := net.FilePacketConn(f)
	if err != nil {
		return fmt.Errorf("inherited socket \"dns-udp\": %w", err)
	}
	conf := n.zone
	conf.Packet, conf.Stream = []net.PacketConn{p}, []net.Listener{l}
	server, err := domain.NewNameserver(conf)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
