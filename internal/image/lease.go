package image

import "sync"

// leases protect content that something in flight relies on from the garbage collector. Whoever is about to use or write a
// blob or layer takes a lease on it before looking whether it is there, and gives it back when a record in the store refers to
// it. A sweep spares what is leased and also what was leased at any moment since it began, because the records it marks from
// may be older than that lease's end.
type leases struct {
	mu      sync.Mutex
	held    map[string]int
	touched map[string]struct{} // non-nil while a sweep runs
}

func newLeases() *leases { return &leases{held: map[string]int{}} }

// lease is what one piece of work holds. It is not for several goroutines' release, but add may be called by many.
type lease struct {
	of   *leases
	mu   sync.Mutex
	keys []string
}

func (l *leases) take(keys ...string) *lease {
	held := &lease{of: l}
	held.add(keys...)
	return held
}

func (h *lease) add(keys ...string) {
	h.of.mu.Lock()
	for _, k := range keys {
		h.of.held[k]++
		if h.of.touched != nil {
			h.of.touched[k] = struct{}{}
		}
	}
	h.of.mu.Unlock()
	h.mu.Lock()
	h.keys = append(h.keys, keys...)
	h.mu.Unlock()
}

func (h *lease) release() {
	h.mu.Lock()
	keys := h.keys
	h.keys = nil
	h.mu.Unlock()
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	for _, k := range keys {
		if h.of.held[k]--; h.of.held[k] == 0 {
			delete(h.of.held, k)
		}
	}
}

// beginSweep must come before the sweep reads what is marked; one sweep runs at a time.
func (l *leases) beginSweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touched = make(map[string]struct{}, len(l.held))
	for k := range l.held {
		l.touched[k] = struct{}{}
	}
}

func (l *leases) endSweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touched = nil
}

// sweep runs remove unless key is spared. Nobody can take a lease on anything meanwhile, so remove must be short.
func (l *leases) sweep(key string, remove func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, spared := l.touched[key]; spared {
		return nil
	}
	return remove()
}

func layerKey(diffID string) string { return "layer/" + diffID }
