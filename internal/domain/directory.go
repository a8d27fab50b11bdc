package domain

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"
)

// Node is what the zone holds at a name. The zero Node is a name that is there only because something is below it.
type Node struct {
	Host      bool         // carries the addresses of the front door
	Addresses []netip.Addr // carries these: of a private service or of an interface endpoint
	TXT       []string     // answers to DNS challenges
}

// Directory is the names of the zone, read on every query and replaced as a whole. The zero Directory is empty.
type Directory struct {
	nodes atomic.Pointer[map[string]Node]

	mu         sync.Mutex
	challenges map[string][]string // TXT values by name, which outlive a replacement
	given      map[string]Node
}

// Replace sets the names there are, in lower case and without trailing dots.
func (d *Directory) Replace(nodes map[string]Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.given = nodes
	d.publish()
}

// SetChallenge adds a TXT value to a name, until the function it returns is called.
func (d *Directory) SetChallenge(name, value string) (remove func()) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	d.change(name, func(values []string) []string { return append(values, value) })
	return sync.OnceFunc(func() {
		d.change(name, func(values []string) []string {
			for i, v := range values {
				if v == value {
					return append(values[:i:i], values[i+1:]...)
				}
			}
			return values
		})
	})
}

func (d *Directory) change(name string, f func([]string) []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.challenges == nil {
		d.challenges = map[string][]string{}
	}
	if d.challenges[name] = f(d.challenges[name]); len(d.challenges[name]) == 0 {
		delete(d.challenges, name)
	}
	d.publish()
}

// publish joins names and challenges, with every name above them.
func (d *Directory) publish() {
	nodes := make(map[string]Node, 2*len(d.given))
	for name, n := range d.given {
		nodes[name] = n
	}
	for name, values := range d.challenges {
		n := nodes[name]
		n.TXT = values
		nodes[name] = n
	}
	for name := range nodes {
		for _, above, found := strings.Cut(name, "."); found; _, above, found = strings.Cut(above, ".") {
			if _, there := nodes[above]; !there {
				nodes[above] = Node{}
			}
		}
	}
	d.nodes.Store(&nodes)
}

// Node is what a name holds, in lower case and without a trailing dot; false where there is nothing.
func (d *Directory) Node(_ context.Context, name string) (Node, bool) {
	nodes := d.nodes.Load()
	if nodes == nil {
		return Node{}, false
	}
	n, ok := (*nodes)[name]
	return n, ok
}

// wireName is a name of the zone as directories keep it; false for one with escapes, which no name of ours has.
func wireName(canonical string) (string, bool) {
	if strings.Contains(canonical, `\`) {
		return "", false
	}
	return strings.TrimSuffix(dns.CanonicalName(canonical), "."), true
}
