package store

import (
	"context"
	"sync"
)

// AtCommit returns a context under which the first transaction of [DB.Update] that commits runs hook as its last step, once: what
// hook writes is kept together with the change, or not at all. A hook that fails undoes the transaction. committed tells whether
// that has happened.
func AtCommit(ctx context.Context, hook func(*Tx) error) (_ context.Context, committed func() bool) {
	h := &commitHook{run: hook}
	return context.WithValue(ctx, hookKey{}, h), h.committed
}

// Apart returns a context under which no hook of [AtCommit] runs: for what an action writes beside the change it is about.
func Apart(ctx context.Context) context.Context {
	return context.WithValue(ctx, hookKey{}, (*commitHook)(nil))
}

type hookKey struct{}

// commitHook is the hook of one call. Of transactions at the same time each runs it; what it writes must bear that.
type commitHook struct {
	run  func(*Tx) error
	mu   sync.Mutex
	done bool
}

func (h *commitHook) committed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done
}

func (h *commitHook) note() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = true
}

// hooked adds the hook of a context, if it has not run yet, to a transaction; note is called after the commit.
func hooked(ctx context.Context, fn func(*Tx) error) (with func(*Tx) error, note func()) {
	h, _ := ctx.Value(hookKey{}).(*commitHook)
	if h == nil || h.committed() {
		return fn, func() {}
	}
	return func(tx *Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return h.run(tx)
	}, h.note
}
