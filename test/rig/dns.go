package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// DNS stands in for the DNS of the world: a resolver that knows what owners of domains have put there, and asks the nameservers of
// zones that were delegated.
type DNS struct {
	Addr string // host:port, UDP and TCP

	mu          sync.Mutex
	records     map[string][]dns.RR // by name, lower case with a trailing dot
	delegations map[string]string   // zone to the address of its nameserver
	broken      map[string]int      // names whose lookup fails, with the response code
}

// NewDNS starts a resolver that knows nothing yet and ends with the test.
func NewDNS(t testing.TB) *DNS {
	t.Helper()
	d := &DNS{records: map[string][]dns.RR{}, delegations: map[string]string{}, broken: map[string]int{}}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.Addr = l.Addr().String()
	p, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", d.Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: l}, {PacketConn: p}} {
		ready := make(chan struct{})
		s.Handler, s.NotifyStartedFunc = dns.HandlerFunc(d.serve), func() { close(ready) }
		done := make(chan error, 1)
		go func() { done <- s.ActivateAndServe() }()
		<-ready
		t.Cleanup(func() {
			if err := errors.Join(s.Shutdown(), <-done); err != nil {
				t.Error(err)
			}
		})
	}
	return d
}

// Set puts a record of zone file form into DNS, such as `www.example.com. CNAME example.com.`; it replaces those of the same name and type.
func (d *DNS) Set(t testing.TB, record string) {
	t.Helper()
	rr, err := dns.NewRR(record)
	if err != nil || rr == nil {
		t.Fatalf("record %q: %v", record, err)
	}
	d.Remove(rr.Header().Name, rr.Header().Rrtype)
	d.mu.Lock()
	defer d.mu.Unlock()
	name := dns.CanonicalName(rr.Header().Name)
	d.records[name] = append(d.records[name], rr)
}

// Remove takes the records of a name and a type away.
func (d *DNS) Remove(name string, rrtype uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = dns.CanonicalName(name)
	var rest []dns.RR
	for _, rr := range d.records[name] {
		if rr.Header().Rrtype != rrtype {
			rest = append(rest, rr)
		}
	}
	d.records[name] = rest
}

// Delegate has a zone answered by another nameserver.
func (d *DNS) Delegate(zone, addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delegations[dns.CanonicalName(zone)] = addr
}

// Break makes lookups at and below a name fail with a response code; 0 mends it.
func (d *DNS) Break(name string, rcode int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken[dns.CanonicalName(name)] = rcode
}

func (d *DNS) serve(w dns.ResponseWriter, q *dns.Msg) {
	r := new(dns.Msg).SetReply(q)
	r.RecursionAvailable = true
	if len(q.Question) == 1 {
		r.Rcode = d.resolve(r, dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype, 8)
	}
	_ = w.WriteMsg(r) // a client that went away asks again
}

// resolve adds the answer to r, following aliases, and returns the response code.
func (d *DNS) resolve(r *dns.Msg, name string, qtype uint16, hops int) int {
	own, delegated, rcode := d.find(name)
	if hops == 0 {
		rcode = dns.RcodeServerFailure
	}
	if rcode != 0 {
		return rcode
	}
	if delegated != "" {
		q := new(dns.Msg).SetQuestion(name, qtype)
		answer, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(q, delegated)
		if err != nil {
			return dns.RcodeServerFailure
		}
		own, rcode = answer.Answer, answer.Rcode
	}
	for _, rr := range own {
		alias, is := rr.(*dns.CNAME)
		if rr.Header().Rrtype == qtype || is {
			r.Answer = append(r.Answer, rr)
		}
		if is && qtype != dns.TypeCNAME {
			return d.resolve(r, dns.CanonicalName(alias.Target), qtype, hops-1)
		}
	}
	if len(own) == 0 && delegated == "" {
		return dns.RcodeNameError
	}
	return rcode
}

func (d *DNS) find(name string) (own []dns.RR, delegated string, rcode int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for zone, code := range d.broken {
		if dns.IsSubDomain(zone, name) && code != 0 {
			return nil, "", code
		}
	}
	for zone, addr := range d.delegations {
		if dns.IsSubDomain(zone, name) {
			return nil, addr, 0
		}
	}
	return d.records[name], "", 0
}

// Resolver asks this DNS as programs do.
func (d *DNS) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, d.Addr)
	}}
}

// Browser is a client that finds hosts by this DNS, and the port of HTTPS at this installation. Each request takes a new connection.
func (h *House) Browser(d *DNS) *http.Client {
	c := h.Client()
	tr, ok := c.Transport.(*http.Transport)
	if !ok {
		panic(fmt.Sprintf("the client's transport is a %T", c.Transport))
	}
	_, port, _ := net.SplitHostPort(h.Env["SLIPWAY_HTTPS"])
	tr.DisableKeepAlives = true
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		found, err := d.Resolver().LookupNetIP(ctx, "ip4", strings.TrimSuffix(host, ".")+".")
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, net.JoinHostPort(found[0].Unmap().String(), port))
	}
	return c
}
