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
	whole   uint64 // the last change that was not of one service alone
	wake    chan struct{}
}

// newHub begins at a number no earlier edge reached.
func newHub(now time.Time) *hub {
	version := uint64(now.UnixMicro())
	return &hub{version: version, whole: version, wake: make(chan struct{})}
}

// changed marks a change.
func (h *hub) changed() { h.mark(&h.whole) }

// mark marks a change, whose number is noted under the lock of the hub: who knows the number finds what changed.
func (h *hub) mark(at *uint64) {
	h.mu.Lock()
	h.version++
	*at = h.version
	close(h.wake)
	h.wake = make(chan struct{})
	h.mu.Unlock()
}

// later tells whether what was noted at was after the change seen.
func (h *hub) later(at *uint64, seen uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return *at > seen
}

// covers tells whether all changes after seen are of single services.
func (h *hub) covers(seen uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return seen >= h.whole && seen <= h.version
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
