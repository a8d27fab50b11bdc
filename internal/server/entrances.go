package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/network/host"
)

// entrances are the sockets at which the App Runner API answers inside VPCs: one at each address of an endpoint for it (§20.3). What they
// answer is the API, which nobody but control can, so control has them itself (ADR 12).
type entrances struct {
	api      http.Handler // the AWS APIs
	ca       *domain.CA
	networks *network.Network
	vpcs     *host.Host
	log      *slog.Logger

	open    map[place]*entrance // of the keeper's goroutine alone
	serving sync.WaitGroup

	mu           sync.Mutex
	certificates map[string]*tls.Certificate // by region
}

// place is an address of an endpoint.
type place struct {
	vpcID, endpointID, region string
	address                   netip.Addr
}

// at is where an API answers.
func (p place) at() netip.AddrPort { return netip.AddrPortFrom(p.address, 443) }

// entrance is an open socket.
type entrance struct {
	in   hostnet.Identity // a namespace may be made anew at the same path
	stop context.CancelFunc
	over chan struct{} // closed when it is served no more
}

func (s *System) newEntrances() *entrances {
	return &entrances{
		api: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.front.aws.ServeHTTP(w, r) }), // the front is opened later
		ca:  s.names.ca, networks: s.networks, vpcs: s.vpcs, log: s.log, open: map[place]*entrance{}, certificates: map[string]*tls.Certificate{},
	}
}

// Tend opens what is missing at the endpoints of a layout and closes what is too much. It returns the endpoints at which the API does not
// answer, and why. What it opens is served until ctx ends.
func (e *entrances) Tend(ctx context.Context, l network.Layout) map[string]error {
	wanted := places(l)
	for p, now := range e.open {
		in, err := hostnet.Identify(e.vpcs.Namespace(p.vpcID))
		if _, stays := wanted[p]; !stays || err != nil || in != now.in || now.ended() {
			now.stop()
			delete(e.open, p)
		}
	}
	silent := map[string]error{}
	for p, x := range wanted {
		err := e.ensure(ctx, p)
		if err == nil && x.State != network.EndpointAvailable {
			err = e.greet(ctx, p, x.Names()[0].Host)
		}
		if err != nil {
			silent[x.ID] = errors.Join(silent[x.ID], fmt.Errorf("the API does not answer at %v: %w", p.address, err))
		}
	}
	return silent
}

// Close waits until all that was served is over.
func (e *entrances) Close() {
	for _, now := range e.open {
		now.stop()
	}
	e.serving.Wait()
}

func (n *entrance) ended() bool {
	select {
	case <-n.over:
		return true
	default:
		return false
	}
}

// places are where the API has to answer.
func places(l network.Layout) map[place]network.Endpoint {
	all := map[place]network.Endpoint{}
	for _, vpc := range l.VPCs {
		for _, x := range vpc.Endpoints {
			if x.Service != network.ServiceAPI || x.State == network.EndpointDeleting {
				continue
			}
			for _, i := range x.Interfaces {
				all[place{vpc.ID, x.ID, x.Scope.Region, i.Address}] = x
			}
		}
	}
	return all
}

// ensure opens the socket of a place if it is not, and serves it.
func (e *entrances) ensure(ctx context.Context, p place) error {
	if e.open[p] != nil {
		return nil
	}
	in, err := hostnet.Identify(e.vpcs.Namespace(p.vpcID))
	if err != nil {
		return err
	}
	var l net.Listener
	err = hostnet.Inside(e.vpcs.Namespace(p.vpcID), func() error {
		l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.at().String())
		return err
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	now := &entrance{in: in, stop: stop, over: make(chan struct{})}
	e.open[p] = now
	e.serving.Go(func() {
		defer close(now.over)
		if err := serveHTTP(ctx, l, e.through(p), e.tls(p.region)); err != nil {
			e.log.Warn("the API is not served at an endpoint; trying again", "vpc_endpoint_id", p.endpointID, "err", err)
		}
	})
	return nil
}

// through serves the calls that come in at a place, under what the endpoint is at that moment.
func (e *entrances) through(p place) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, err := e.networks.Endpoint(r.Context(), apprunner.Scope{}, p.endpointID)
		if err != nil || x.State != network.EndpointAvailable {
			e.log.Debug("a call through an endpoint that is not available", "vpc_endpoint_id", p.endpointID, "state", x.State, "err", err)
			w.Header().Set("Connection", "close")
			http.Error(w, "The endpoint is not available.", http.StatusServiceUnavailable)
			return
		}
		in := api.Entrance{EndpointID: x.ID, VPCID: x.VPCID, Region: p.region, Service: network.ServiceAPI, Policy: x.Policy}
		e.api.ServeHTTP(w, r.WithContext(api.Through(r.Context(), in)))
	})
}

// tls is how the endpoints of a region meet their clients.
func (e *entrances) tls(region string) *tls.Config {
	return edge.ModernTLS([]string{"h2", "http/1.1"}, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return e.certificate(region, time.Now()) })
}

// certificate is the one that endpoints in a region show: for the public name of the region's API, which leads to them inside a VPC, and for
// their own names. Nobody can prove such names to an authority of the world, so the local one speaks for them, and has its own
// intermediate for each region that has endpoints: the usual one stays limited to the names of this installation.
func (e *entrances) certificate(region string, now time.Time) (*tls.Certificate, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if have := e.certificates[region]; have != nil && now.Before(domain.RenewAt(have.Leaf.NotBefore, have.Leaf.NotAfter)) {
		return have, nil
	}
	pair, err := e.ca.IssueApart([]string{network.PrivateName(region, network.ServiceAPI), "*." + network.BaseName(region, network.ServiceAPI)})
	if err != nil {
		return nil, err
	}
	fresh, err := tls.X509KeyPair(pair.Chain, pair.Key)
	if err != nil {
		return nil, err
	}
	e.certificates[region] = &fresh
	return &fresh, nil
}

// greetPatience is how long the API may take to shake hands at an endpoint.
const greetPatience = 5 * time.Second

// greet shakes hands under one of the endpoint's names as a client would that trusts the local authority, and hangs up.
func (e *entrances) greet(ctx context.Context, p place, name string) error {
	ctx, cancel := context.WithTimeout(ctx, greetPatience)
	defer cancel()
	conn, err := e.vpcs.Dial(ctx, p.vpcID, p.at())
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.ca.RootPEM())
	client := tls.Client(conn, &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12})
	return errors.Join(client.HandshakeContext(ctx), conn.Close())
}
