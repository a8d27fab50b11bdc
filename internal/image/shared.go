package image

import (
	"context"
	"sync"
)

// shared runs a piece of work once for all who ask for it at the same time. The work goes on while anybody waits for it, and
// is cancelled when the last one gives up.
type shared struct {
	mu      sync.Mutex
	flights map[string]*flight
}

type flight struct {
	done    chan struct{}
	err     error
	waiters int
	cancel  context.CancelFunc
}

func newShared() *shared { return &shared{flights: map[string]*flight{}} }

func (s *shared) do(ctx context.Context, key string, work func(context.Context) error) error {
	f := s.join(ctx, key, work)
	select {
	case <-f.done:
		s.leave(key, f)
		return f.err
	case <-ctx.Done():
		s.leave(key, f)
		return ctx.Err()
	}
}

func (s *shared) join(ctx context.Context, key string, work func(context.Context) error) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, running := s.flights[key]; running {
		f.waiters++
		return f
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{done: make(chan struct{}), waiters: 1, cancel: cancel}
	s.flights[key] = f
	go func() {
		f.err = work(ctx)
		s.mu.Lock()
		if s.flights[key] == f {
			delete(s.flights, key)
		}
		s.mu.Unlock()
		close(f.done)
	}()
	return f
}

// leave cancels the work when nobody waits any more; a later caller starts afresh instead of joining a cancelled flight.
func (s *shared) leave(key string, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	f.cancel()
	if s.flights[key] == f {
		delete(s.flights, key)
	}
}
