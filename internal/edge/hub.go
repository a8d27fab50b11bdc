package edge

import (
	"context"
	"sync"
	"time"
)

// hub counts the changes of the status and wakes those who wait for one.
type hub struct {
	mu      sync.Mutex
	version uint64
	wake    chan struct{}
}

// newHub begins at a number no earlier edge reached.
func newHub(now time.Time) *hub {
	return &hub{version: uint64(now.UnixMicro()), wake: make(chan struct{})}
}

// changed marks a change.
func (h *hub) changed() {
	h.mu.Lock()
	h.version++
	close(h.wake)
	h.wake = make(chan struct{})
	h.mu.Unlock()
}

// current returns the number of the last change.
func (h *hub) current() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version
}

// await blocks while the version is still seen, until ctx ends.
func (h *hub) await(ctx context.Context, seen uint64) {
	for {
		h.mu.Lock()
		version, wake := h.version, h.wake
		h.mu.Unlock()
		if version != seen {
			return
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return
		}
	}
}
