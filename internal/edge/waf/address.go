package waf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// networks is a set of networks, asked in as many steps as there are lengths of prefixes in it.
type networks struct {
	lengths []int
	all     map[netip.Prefix]struct{}
}

func newNetworks(list []string) (*networks, error) {
	n := &networks{all: map[netip.Prefix]struct{}{}}
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("network %q: %w", text, err)
		}
		n.all[p.Masked()] = struct{}{}
		if !slices.Contains(n.lengths, p.Bits()) {
			n.lengths = append(n.lengths, p.Bits())
		}
	}
	return n, nil
}

func (n *networks) contain(a netip.Addr) bool {
	for _, bits := range n.lengths {
		p, err := a.Prefix(bits)
		if err != nil {
			continue // longer than an IPv4 address
		}
		if _, there := n.all[p]; there {
			return true
		}
	}
	return false
}

// sources gives the addresses that a condition looks at, or what holds in their place when there are none.
type sources func(*trial) (list []netip.Addr, fallback bool)

func (c *compiler) sources(f *webacl.ForwardedIP) sources {
	if f == nil {
		hidden := c.acl.NoAddress
		return func(t *trial) ([]netip.Addr, bool) {
			if hidden || !t.IP.IsValid() {
				return nil, false
			}
			return []netip.Addr{t.IP}, false
		}
	}
	match := f.FallbackBehavior == "MATCH"
	return func(t *trial) ([]netip.Addr, bool) {
		list := forwarded(t.values(f.HeaderName))
		switch {
		case len(list) == 0:
			return nil, match && t.has(f.HeaderName)
		case f.Position == "ANY":
			return list[max(0, len(list)-maxForwarded):], match
		case f.Position == "LAST":
			return list[len(list)-1:], match
		}
		return list[:1], match
	}
}

// maxForwarded is how many addresses of a field are looked at with ANY.
const maxForwarded = 10

// forwarded reads the addresses in the values of a field; nil when one of them is no address.
func forwarded(values []string) (list []netip.Addr) {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			part = strings.TrimSpace(part)
			a, err := netip.ParseAddr(part)
			if err != nil {
				p, perr := netip.ParseAddrPort(part)
				if a = p.Addr(); perr != nil {
					return nil
				}
			}
			list = append(list, a.Unmap().WithZone(""))
		}
	}
	return list
}

// addresses compiles a look into an IP set.
func (c *compiler) addresses(s *webacl.IPSetReference) (condition, error) {
	list, known := c.acl.IPSets[s.ARN]
	if !known {
		return nil, fmt.Errorf("IP set %s does not exist", s.ARN)
	}
	set, err := newNetworks(list)
	if err != nil {
		return nil, err
	}
	from := c.sources(s.IPSetForwardedIPConfig)
	return func(t *trial) bool {
		list, fallback := from(t)
		if len(list) == 0 {
			return fallback
		}
		return slices.ContainsFunc(list, set.contain)
	}, nil
}

// defaultWindow is the evaluation window of rate-based rules that name none.
const defaultWindow = 300 * time.Second

// rate compiles a rate-based condition.
func (c *compiler) rate(s *webacl.Rate) (condition, error) {
	scope := func(*trial) bool { return true }
	if s.ScopeDownStatement != nil {
		var err error
		if scope, err = c.statement(s.ScopeDownStatement); err != nil {
			return nil, err
		}
	}
	window := time.Duration(s.EvaluationWindowSec) * time.Second
	if window == 0 {
		window = defaultWindow
	}
	m := &meter{window: window, limit: s.Limit, seen: map[netip.Addr]*count{}}
	from := c.sources(s.ForwardedIPConfig)
	if s.AggregateKeyType == "CONSTANT" {
		from = func(*trial) ([]netip.Addr, bool) { return []netip.Addr{{}}, false }
	}
	return func(t *trial) bool {
		if !scope(t) {
			return false
		}
		list, fallback := from(t)
		if len(list) == 0 {
			return fallback
		}
		return m.over(list[0], t.now)
	}, nil
}

// maxMetered bounds the addresses that one rule counts.
const maxMetered = 50_000

// meter counts requests by address over a window that slides: the window before counts for as much of it as still lies in the last
// window's time.
type meter struct {
	window time.Duration
	limit  int64

	mu   sync.Mutex
	seen map[netip.Addr]*count
}

// count is the requests of one address in the window that began at start, and in the one before.
type count struct {
	start        time.Duration
	before, here int64
}

// over counts a request and tells whether its address has sent more than the limit.
func (m *meter) over(a netip.Addr, now time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.seen[a]
	if c == nil {
		m.makeRoom(now)
		c = &count{start: now}
		m.seen[a] = c
	}
	c.slide(now, m.window)
	c.here++
	rest := 1 - float64(now-c.start)/float64(m.window)
	return float64(c.here)+float64(c.before)*rest > float64(m.limit)
}

func (c *count) slide(now, window time.Duration) {
	switch passed := now - c.start; {
	case passed >= 2*window:
		c.start, c.before, c.here = now, 0, 0
	case passed >= window:
		c.start, c.before, c.here = c.start+window, c.here, 0
	}
}

// makeRoom forgets who has been quiet, and somebody at random when nobody has.
func (m *meter) makeRoom(now time.Duration) {
	if len(m.seen) < maxMetered {
		return
	}
	for a, c := range m.seen {
		if now-c.start >= 2*m.window || rand.IntN(16) == 0 {
			delete(m.seen, a)
		}
	}
}
