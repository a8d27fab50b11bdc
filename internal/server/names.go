package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/store"
)

// names is everything about the services' names: certificates for them and DNS.
type names struct {
	db        *store.DB
	ca        *domain.CA
	suffix    string
	region    string // the installation's own
	acme      bool   // default domains have certificates of the ACME authority
	regions   atomic.Pointer[[]string]
	directory domain.Directory
	network   *network.Network
	inside    atomic.Pointer[insideNames]
	server    *domain.Nameserver // set before anything runs
	// api is what the API's own certificate is for, as it was at the start: the authority speaks for these and no others, and addresses
	// come and go.
	api    []string
	custom *domain.Certificates
	proofs domain.Proofs
	zone   domain.NameserverConfig

	// What refresh alone knows: the names that validation records lead to, and of which version of the associations.
	proofNames   map[string]bool
	proofVersion string
}

func (s *System) openNames(ctx context.Context) (err error) {
	n := &names{db: s.db, network: s.networks, suffix: s.conf.Domain, region: s.conf.Region}
	n.api = s.conf.apiNames()
	n.ca, err = domain.OpenCA(domain.CAConfig{
		Dir: s.conf.path("ca"), Export: s.conf.CAFile(), Name: "Slipway at " + s.conf.APIAddr, Permit: append([]string{s.conf.Domain}, s.conf.apiPermits(n.api)...),
		OnRenew: func([]string) { s.db.Wake() }, Log: s.log,
	})
	if err != nil {
		return err
	}
	seal, err := keyFile(s.conf.path("certificates.key"))
	if err != nil {
		return err
	}
	if n.custom, err = domain.OpenCertificates(ctx, s.db, seal, time.Now); err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(s.conf.HTTPSAddr)
	if err != nil {
		return fmt.Errorf("--https-addr %s: %w", s.conf.HTTPSAddr, err)
	}
	n.zone = domain.NameserverConfig{
		Suffix: s.conf.Domain, Also: []string{endpointDomain}, Addresses: s.conf.reachable(at.Addr()), Names: &n.directory, Log: s.log,
	}
	if s.conf.PublicAddress != "" {
		addresses, name, err := publicAddress(s.conf.PublicAddress)
		if err != nil {
			return fmt.Errorf("public-address: %w", err)
		}
		if n.zone.Alias = name; name == "" {
			n.zone.Addresses = addresses
		}
	}
	s.names = n
	return n.refresh(ctx)
}

// reachable is where clients find a listener: its own address, or, when it listens on all of them, those of this machine but for those
// that only instances see.
func (c Config) reachable(a netip.Addr) []netip.Addr {
	if !a.IsUnspecified() {
		return []netip.Addr{a}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	instances, _ := netip.ParsePrefix(c.NetworkPool) // a setting that is no network was refused
	var list []netip.Addr
	for _, n := range own {
		p, err := netip.ParsePrefix(n.String())
		if err == nil && p.Addr().IsGlobalUnicast() && !p.Addr().Is6() && !instances.Contains(p.Addr()) {
			list = append(list, p.Addr())
		}
	}
	return list
}

// Certificates are what the edge shows: a wildcard for the default domains of each region, then those of custom domains.
func (n *names) Certificates(ctx context.Context) ([]edge.Certificate, error) {
	if err := n.db.View(ctx, n.readRegions); err != nil {
		return nil, fmt.Errorf("read the services' regions: %w", err)
	}
	var list []edge.Certificate
	for _, region := range *n.regions.Load() {
		c, err := n.certificateOf(ctx, region)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	custom, err := n.custom.Served(ctx)
	if err != nil {
		return nil, fmt.Errorf("certificates of custom domains: %w", err)
	}
	for _, c := range custom {
		list = append(list, edge.Certificate{Hosts: c.Hosts, CertPEM: c.Chain, KeyPEM: c.Key})
	}
	return list, nil
}

// certificateOf is the one for a region's default domains: of the ACME authority where there is one, else of the local CA.
func (n *names) certificateOf(ctx context.Context, region string) (edge.Certificate, error) {
	c := edge.Certificate{Hosts: []string{n.wildcard(region)}}
	p, found, err := n.custom.Own(ctx, c.Hosts[0])
	if err != nil {
		return c, fmt.Errorf("certificate of the default domains: %w", err)
	}
	if c.CertPEM, c.KeyPEM = p.Chain, p.Key; found && n.acme {
		return c, nil
	}
	c.CertPEM, c.KeyPEM, err = n.ca.Certificate(ctx, c.Hosts)
	return c, err
}

// wildcard is the name that stands for all default domains of a region.
func (n *names) wildcard(region string) string { return "*." + region + "." + n.suffix }

// wildcards are those of all regions in use.
func (n *names) wildcards() []string {
	list := slices.Clone(*n.regions.Load())
	for i, region := range list {
		list[i] = n.wildcard(region)
	}
	return list
}

// refresh reads which names and regions are in use.
func (n *names) refresh(ctx context.Context) error {
	nodes, inside := map[string]domain.Node{n.region + "." + n.suffix: {}}, insideNames{}
	vpcs, err := n.network.Layout(ctx)
	if err != nil {
		return fmt.Errorf("read the names of endpoints: %w", err)
	}
	placeEndpoints(nodes, vpcs)
	err = n.db.View(ctx, func(tx *store.Tx) error {
		services, err := tx.Services(apprunner.Scope{})
		if err != nil {
			return err
		}
		for _, s := range services {
			nodes[s.URL] = domain.Node{Host: s.Network.Public}
		}
		conns, err := store.Resources[apprunner.VPCIngressConnection](tx, apprunner.Scope{}, apprunner.KindVPCIngress, "")
		if err != nil {
			return err
		}
		custom, err := tx.RoutedHosts()
		if err != nil {
			return err
		}
		inside = placePrivate(nodes, vpcs, conns, custom)
		return errors.Join(n.readRegions(tx), n.readProofs(tx))
	})
	if err != nil {
		return fmt.Errorf("read the services' names: %w", err)
	}
	for name := range n.proofNames {
		nodes[name] = domain.Node{}
	}
	n.directory.Replace(nodes)
	n.inside.Store(&inside)
	return nil
}

// readRegions reads which regions are in use. Whoever publishes a service asks: the certificate comes with the first route.
func (n *names) readRegions(tx *store.Tx) error {
	services, err := tx.Services(apprunner.Scope{})
	if err != nil {
		return err
	}
	regions := map[string]bool{}
	for _, s := range services {
		regions[s.Region] = true
	}
	// The first certificate is for clients that name nobody, and that is the own region's.
	delete(regions, n.region)
	now := append([]string{n.region}, slices.Sorted(maps.Keys(regions))...)
	n.regions.Store(&now)
	return nil
}

// readProofs reads the names that validation records lead to, when any association has changed.
func (n *names) readProofs(tx *store.Tx) error {
	version, err := tx.DomainsVersion()
	if err != nil || n.proofNames != nil && version == n.proofVersion {
		return err
	}
	domains, err := tx.Domains("")
	if err != nil {
		return err
	}
	n.proofNames, n.proofVersion = map[string]bool{}, version
	for _, d := range domains {
		for _, r := range d.Records {
			n.proofNames[strings.TrimSuffix(r.Value, ".")] = true
		}
	}
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

// listen takes the inherited sockets up.
func (n *names) listen(files map[string]*os.File) error {
	l, err := listenerFrom(files, "dns-tcp")
	if err != nil {
		return err
	}
	p, err := packetConnFrom(files, "dns-udp")
	if err != nil {
		return err
	}
	conf := n.zone
	conf.Packet, conf.Stream = []net.PacketConn{p}, []net.Listener{l}
	n.server, err = domain.NewNameserver(conf)
	return err
}
