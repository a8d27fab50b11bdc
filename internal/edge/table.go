package edge

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// Table is the whole of what the edge routes by. It is immutable once published: a change is a new table.
type Table struct {
	// Version is the publisher's own number for this table; the edge only repeats it in [Status.TableVersion].
	Version      uint64
	Routes       []Route
	Certificates []Certificate
	Challenges   []Challenge
	// Private are the addresses at which private services answer.
	Private []PrivateListener
}

// Route says how the requests of one service are treated.
type Route struct {
	ServiceARN  string
	ServiceName string
	ServiceID   string
	// Hosts are the host names of the service in lower case, without port; *.example.com stands for every name one label below
	// example.com that no route has for itself. Each belongs to one route only.
	Hosts []string
	// Endpoint is the interface endpoint that the service is joined to: its hosts are known there and nowhere else. "" is the public
	// front door.
	Endpoint string
	Serving  Serving
	// MaxConcurrency is how many requests one instance gets at a time (1-200, §12.1); 0 means 100.
	MaxConcurrency int
	// RequestTimeout bounds one request from its first byte to the last one of the answer; 0 means 120 s (§19).
	RequestTimeout time.Duration
	// IdleTimeout ends a tunnel, or an answer that has begun, of which nothing has come for so long; 0 means never. The
	// RequestTimeout holds for answers besides, unless they are streams of events or of gRPC.
	IdleTimeout time.Duration
	// Hold is how long a request waits in line for a first healthy instance when there is none, as while a service wakes from zero;
	// 0 answers at once that there is none.
	Hold time.Duration
	// QueueWait is how long a request waits in line while all instances are full; 0 means Limits.QueueWait.
	QueueWait time.Duration
	// QueueLength is the most requests that wait in line; 0 means Limits.QueueLength.
	QueueLength int
	// NoUpgrade refuses WebSocket and every other upgrade with 403 (tag slipway:websockets=off, §19).
	NoUpgrade bool
	// Trace gives requests without one a trace id, in X-Amzn-Trace-Id and traceparent (§19).
	Trace bool
	// H2C speaks HTTP/2 without TLS to the instances, as gRPC servers need it (tag slipway:protocol=h2c).
	H2C bool
	// AllowIPs are the client networks whose requests are taken; none means all (tag slipway:allow-ips).
	AllowIPs []netip.Prefix
	// BasicAuth are "user:bcrypt hash" pairs one of which a client must know; none means all pass (tag slipway:basic-auth).
	BasicAuth []string
	// WebACL judges every request (§25); nil: none does.
	WebACL *webacl.Resolved
	// AccessLog says how a line about each request is written: json or combined, either with +query; "" writes none (tag slipway:access-log).
	AccessLog string
	// Sticky keeps a client at its instance by a cookie (tag slipway:sticky).
	Sticky bool
	// CanaryWeight is how many of a hundred requests go to the targets marked Canary, 0-99; as many as that when all are well.
	CanaryWeight int
	Health       HealthCheck
	Targets      []Target
}

// Serving says whether a service is meant to answer.
type Serving string

// The values of [Serving].
const (
	// Serving routes requests to the active targets.
	ServingOn Serving = "serving"
	// ServingPaused answers 503 (§9).
	ServingPaused Serving = "paused"
	// ServingNone answers 503: there is no running version (yet, or any more).
	ServingNone Serving = "none"
)

// Target is one instance of a service.
type Target struct {
	// InstanceID identifies the target over tables: requests in flight and health stay with it.
	InstanceID string
	// Address is ip:port of the application.
	Address string
	Phase   Phase
	// Canary marks an active target of the version that gets Route.CanaryWeight of the requests.
	Canary bool
}

// Phase says which part a target plays.
type Phase string

// The values of [Phase].
const (
	// Standby targets are health-checked and get no requests: the new set of a deployment.
	Standby Phase = "standby"
	// Reserve targets are healthy and get requests only when the active ones have no place left. An edge that can freezes them
	// meanwhile. One that was needed shows as Active and Roused in the [Status], and stays so until a table names another phase for it.
	Reserve Phase = "reserve"
	// Active targets get requests while they are healthy.
	Active Phase = "active"
	// Draining targets finish the requests they have and get no new ones.
	Draining Phase = "draining"
)

// HealthCheck is the HealthCheckConfiguration of a service (§6.3). Zero members take the API's defaults.
type HealthCheck struct {
	Protocol           Protocol
	Path               string        // only for HTTP; default /
	Interval           time.Duration // default 5 s
	Timeout            time.Duration // default 2 s
	HealthyThreshold   int           // default 1
	UnhealthyThreshold int           // default 5

	h2c bool // of the route
}

// Protocol is how a health check asks.
type Protocol string

// The values of [Protocol].
const (
	TCP  Protocol = "TCP"
	HTTP Protocol = "HTTP"
)

// withDefaults fills what was left zero with the defaults of §6.3.
func (h HealthCheck) withDefaults() HealthCheck {
	if h.Protocol == "" {
		h.Protocol = TCP
	}
	if h.Path == "" {
		h.Path = "/"
	}
	if h.Interval <= 0 {
		h.Interval = 5 * time.Second
	}
	if h.Timeout <= 0 {
		h.Timeout = 2 * time.Second
	}
	if h.HealthyThreshold <= 0 {
		h.HealthyThreshold = 1
	}
	if h.UnhealthyThreshold <= 0 {
		h.UnhealthyThreshold = 5
	}
	return h
}

// withDefaults fills what was left zero.
func (r Route) withDefaults() Route {
	if r.Serving == "" {
		r.Serving = ServingOn
	}
	if r.MaxConcurrency <= 0 {
		r.MaxConcurrency = 100
	}
	if r.RequestTimeout <= 0 {
		r.RequestTimeout = 120 * time.Second
	}
	r.Health = r.Health.withDefaults()
	r.Health.h2c = r.H2C
	return r
}

// Certificate is a certificate chain with its key, and the names it is shown for.
type Certificate struct {
	// Hosts are exact names or wildcards of one label ("*.example.com"), in lower case.
	Hosts   []string
	CertPEM []byte
	KeyPEM  []byte
}

// validate tells the first fault of a table. Certificates are judged where they are parsed.
func (t Table) validate() error {
	owner := map[string]string{}
	arns := map[string]bool{}
	for _, r := range t.Routes {
		if r.ServiceARN == "" {
			return fmt.Errorf("a route (hosts %s) has no ServiceARN", strings.Join(r.Hosts, ", "))
		}
		if arns[r.ServiceARN] {
			return fmt.Errorf("%s has two routes", r.ServiceARN)
		}
		arns[r.ServiceARN] = true
		if err := r.validate(owner); err != nil {
			return fmt.Errorf("route of %s: %w", r.ServiceARN, err)
		}
	}
	return validatePrivate(t.Private)
}

// validate tells the first fault of a route; owner maps the hosts seen so far to their service.
func (r Route) validate(owner map[string]string) error {
	switch r.Serving {
	case "", ServingOn, ServingPaused, ServingNone:
	default:
		return fmt.Errorf("unknown Serving %q", r.Serving)
	}
	switch r.Health.Protocol {
	case "", TCP, HTTP:
	default:
		return fmt.Errorf("unknown health check protocol %q", r.Health.Protocol)
	}
	for _, h := range r.Hosts {
		if h == "" || h != strings.ToLower(h) || strings.ContainsAny(h, " /:") {
			return fmt.Errorf("host %q is not a lower-case host name", h)
		}
		if other, taken := owner[h]; taken {
			return fmt.Errorf("host %s belongs to %s already", h, other)
		}
		owner[h] = r.ServiceARN
	}
	return r.validateTargets()
}

func (r Route) validateTargets() error {
	seen := map[string]bool{}
	for _, t := range r.Targets {
		if t.InstanceID == "" || seen[t.InstanceID] {
			return fmt.Errorf("target %q has no InstanceID of its own", t.Address)
		}
		seen[t.InstanceID] = true
		if _, err := netip.ParseAddrPort(t.Address); err != nil {
			return fmt.Errorf("target %s: address %q is not ip:port", t.InstanceID, t.Address)
		}
		switch t.Phase {
		case Standby, Reserve, Active, Draining:
		default:
			return fmt.Errorf("target %s: unknown phase %q", t.InstanceID, t.Phase)
		}
	}
	return nil
}
