package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// snapshot is what a request looks things up in: never changed, replaced as a whole.
type snapshot struct {
	table   Table
	public  directory
	private map[string]directory // by endpoint
	certs   map[string]*tls.Certificate
	// fallback is shown to clients that name no known host, so that they can be told so.
	fallback *tls.Certificate
}

// directory is which host names lead where at one front door.
type directory struct {
	hosts map[string]*service
	wild  map[string]*service // ".example.com" for every route to *.example.com
}

func newDirectory() directory {
	return directory{hosts: map[string]*service{}, wild: map[string]*service{}}
}

// add makes a host name lead to a service.
func (d directory) add(host string, s *service) {
	if parent, wildcard := strings.CutPrefix(host, "*"); wildcard {
		d.wild[parent] = s
	} else {
		d.hosts[host] = s
	}
}

// at is the directory of an endpoint, "" for the public front door.
func (s *snapshot) at(endpoint string) directory {
	if endpoint == "" {
		return s.public
	}
	d, found := s.private[endpoint]
	if !found {
		d = newDirectory()
		s.private[endpoint] = d
	}
	return d
}

// routing owns the snapshot in use and the services behind it.
type routing struct {
	current atomic.Pointer[snapshot]
	hub     *hub
	limits  *Limits
	ask     probe
	icebox  *icebox
	ledger  *ledger // nil: other edges are not shown what is in flight

	mu       sync.Mutex // one switch at a time
	services map[string]*service
	peers    []*peerLedger // of other edges that have requests at the targets
	parsed   []parsedCert
	checks   sync.WaitGroup
	base     context.Context // ends all checks
	switched chan struct{}   // holds one when there was a switch
}

// parsedCert keeps a parsed certificate for the next table: parsing a thousand of them takes a second.
type parsedCert struct {
	pem  string // chain and key
	cert *tls.Certificate
}

func newRouting(ctx context.Context, h *hub, limits *Limits, ask probe) *routing {
	r := &routing{hub: h, limits: limits, ask: ask, services: map[string]*service{}, base: ctx, icebox: &icebox{}, switched: make(chan struct{}, 1)}
	r.current.Store(&snapshot{})
	return r
}

// apply switches to t. With trust, active targets that are new to this edge count as healthy until a check says otherwise:
// that is for a table from the own disk, whose targets were in use a moment ago.
//
// Every service changes over under its own lock, so a request sees either all of its old targets or all of its new ones.
func (r *routing) apply(t Table, trust bool) error {
	if err := t.validate(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := &snapshot{table: t, public: newDirectory(), private: map[string]directory{}}
	parsed, err := r.parseCerts(t.Certificates)
	if err != nil {
		return err
	}
	next.index(t.Certificates, parsed)
	r.parsed = parsed

	named := map[string]bool{}
	for i := range t.Routes {
		route := t.Routes[i].withDefaults()
		named[route.ServiceARN] = true
		s := r.services[route.ServiceARN]
		if s == nil {
			s = &service{arn: route.ServiceARN, routing: r, hub: r.hub, limits: r.limits, backends: map[string]*backend{}}
			r.services[route.ServiceARN] = s
		}
		r.change(s, &route, trust)
		for _, h := range route.Hosts {
			next.at(route.Endpoint).add(h, s)
		}
	}
	r.current.Store(next)
	select {
	case r.switched <- struct{}{}:
	default: // who looks will see this table
	}
	r.dropUnnamed(named)
	if len(r.peers) > 0 {
		r.compare()
	}
	r.hub.changed()
	return nil
}

// dropUnnamed lets the services go that the table does not name any more; the object stays until its last request ended.
func (r *routing) dropUnnamed(named map[string]bool) {
	for arn, s := range r.services {
		if named[arn] {
			continue
		}
		if s.retire() {
			delete(r.services, arn)
		}
	}
}

// retire takes the service out of use; true when nothing is in flight any more.
func (s *service) retire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.route, s.targets = nil, nil
	for _, b := range s.backends {
		b.drain()
		s.forget(b)
	}
	s.serveWaiters()
	return len(s.backends) == 0
}

// change gives s its new route.
func (r *routing) change(s *service, route *Route, trust bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	targets := make([]*backend, 0, len(route.Targets))
	for _, t := range route.Targets {
		b := s.backends[t.InstanceID]
		if b == nil || b.address != t.Address {
			b = r.newBackend(s, t, trust)
		}
		b.canary = t.Canary
		if t.Phase != Reserve || b.told != Reserve || b.phase == Draining {
			b.phase, b.sleepless = t.Phase, false
		} // else it may have been roused
		if b.told = t.Phase; b.phase != Draining {
			b.drainedAt = time.Time{}
		}
		targets = append(targets, b)
	}
	s.route, s.targets = route, targets
	s.sticky.Store(route.Sticky)
	s.policy.Store(newPolicy(route, s.policy.Load()))
	r.settle(s)
	s.serveWaiters()
}

// newBackend makes the state of a target that is new to this edge.
func (r *routing) newBackend(s *service, t Target, trust bool) *backend {
	health := Unknown
	if t.Phase == Reserve || trust && t.Phase == Active {
		health = Healthy
	}
	old := s.backends[t.InstanceID]
	b := &backend{id: t.InstanceID, address: t.Address, service: s, poke: make(chan struct{}, 1), judge: newJudge(time.Now(), health)}
	b.pool.limit, b.rest = r.limits.UpstreamIdleConns, unsure
	b.stickyField, b.stickyValue = stickyField(t.InstanceID)
	b.entry = r.ledger.enter(b)
	s.backends[t.InstanceID] = b
	if old != nil {
		s.targets = slices.DeleteFunc(s.targets, func(b *backend) bool { return b == old })
		old.drain()
		s.forget(old)
	}
	return b
}

// settle starts the checks of the targets that need them and ends those of the others, and drops what nobody needs.
func (r *routing) settle(s *service) {
	keep := map[*backend]bool{}
	for _, b := range s.targets {
		keep[b] = true
		if b.phase == Draining {
			b.drain()
		} else if b.rest != frozen && b.rest != freezing {
			r.watch(s, b)
		}
		s.tend(b)
	}
	for _, b := range s.backends {
		if !keep[b] {
			b.drain()
			s.forget(b)
		}
	}
}

// drain ends the checks of b and lets it get no new requests.
func (b *backend) drain() {
	b.phase = Draining
	if b.drainedAt.IsZero() {
		b.drainedAt = time.Now()
	}
	b.unwatch()
}

// watch starts the checks of b unless they run.
func (r *routing) watch(s *service, b *backend) {
	if b.stop == nil {
		ctx, cancel := context.WithCancel(r.base)
		b.stop = cancel
		r.checks.Go(func() { s.check(ctx, b, r.ask) })
	}
}

// unwatch ends the checks of b.
func (b *backend) unwatch() {
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// parseCerts parses the certificates of a table, taking over what the last table had already.
func (r *routing) parseCerts(certs []Certificate) ([]parsedCert, error) {
	known := map[string]*tls.Certificate{}
	for _, p := range r.parsed {
		known[p.pem] = p.cert
	}
	out := make([]parsedCert, 0, len(certs))
	for i, c := range certs {
		pem := string(c.CertPEM) + string(c.KeyPEM)
		cert := known[pem]
		if cert == nil {
			pair, err := tls.X509KeyPair(c.CertPEM, c.KeyPEM)
			if err != nil {
				return nil, fmt.Errorf("certificate %d (%v): %w", i, c.Hosts, err)
			}
			cert = &pair
		}
		out = append(out, parsedCert{pem, cert})
	}
	return out, nil
}

// index makes the certificates findable by name.
func (s *snapshot) index(certs []Certificate, parsed []parsedCert) {
	s.certs = map[string]*tls.Certificate{}
	for i, c := range certs {
		for _, h := range c.Hosts {
			s.certs[h] = parsed[i].cert
		}
	}
	if len(parsed) > 0 {
		s.fallback = parsed[0].cert
	}
}

var errNoCertificate = errors.New("no certificate in the table yet")

// certificate chooses by server name: the exact name, then a wildcard, then the first certificate there is.
func (r *routing) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s := r.current.Load()
	name := lower(hello.ServerName)
	if c := s.certs[name]; c != nil {
		return c, nil
	}
	for i := 0; i < len(name); i++ {
		if name[i] == '.' {
			if c := s.certs["*"+name[i:]]; c != nil {
				return c, nil
			}
			break
		}
	}
	if s.fallback == nil {
		return nil, errNoCertificate
	}
	return s.fallback, nil
}

// lookup finds the service of a host name at the public front door.
func (r *routing) lookup(host string) *service { return r.lookupAt("", host) }

// lookupAt finds the service of a Host header or :authority: by the name itself, then by a wildcard for all its labels but the first (§16.2);
// nil when there is none. endpoint is where the client came in.
func (r *routing) lookupAt(endpoint, host string) *service {
	table := r.current.Load()
	names, name := table.public, hostName(host)
	if endpoint != "" {
		names = table.private[endpoint]
	}
	if s := names.hosts[name]; s != nil || len(names.wild) == 0 {
		return s
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		return names.wild[name[dot:]]
	}
	return nil
}

// hostName strips the port and a final dot and lowers the case. It does not allocate for hosts in lower case.
func hostName(host string) string {
	for i := len(host) - 1; i >= 0; i-- {
		c := host[i]
		if c == ':' {
			host = host[:i]
			break
		}
		if c < '0' || c > '9' {
			break
		}
	}
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	return lower(host)
}

// lower is strings.ToLower for ASCII, without allocating when there is nothing to do.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for j := range b {
				if c := b[j]; 'A' <= c && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// status reads everything there is to know.
func (r *routing) status() Status {
	st := r.emptyStatus()
	for _, s := range r.all() {
		if c, used := s.read(st.Targets); used {
			st.Services[s.arn] = c
		}
	}
	return st
}

func (r *routing) emptyStatus() Status {
	return Status{
		Version: r.hub.current(), TableVersion: r.current.Load().table.Version, Targets: map[string]TargetStatus{}, Services: map[string]Counters{},
	}
}

func (r *routing) all() []*service {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.services))
}

// eachBackend calls f for every backend there is.
func (r *routing) eachBackend(f func(*backend)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.services {
		s.mu.Lock()
		for _, b := range s.backends {
			f(b)
		}
		s.mu.Unlock()
	}
}

// reap closes the connections to instances that have been unused since before cutoff.
func (r *routing) reap(cutoff time.Duration) {
	r.eachBackend(func(b *backend) { b.pool.reap(cutoff) })
}

func (r *routing) closePools() {
	r.eachBackend(func(b *backend) { b.pool.close() })
}
