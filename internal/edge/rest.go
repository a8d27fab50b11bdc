package edge

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Targets in reserve stand by for free: once they are calm their processes are frozen. The edge does that itself, and thaws them
// when a request finds no place elsewhere: it alone knows at every moment what is in flight, it takes a millisecond, and it does
// not depend on control (ADR 10).

// freezer takes the CPU from an instance and gives it back. Both may be repeated, in any order.
type freezer interface {
	Freeze(ctx context.Context, instanceID string) error
	Thaw(ctx context.Context, instanceID string) error
}

// rest is whether the processes of a target run.
type rest uint8

const (
	awake    rest = iota
	unsure        // another edge may have frozen it: it is thawed before it is used
	freezing      // being frozen
	frozen
	thawing
)

// icebox is what an edge freezes and thaws targets with.
type icebox struct {
	freezer freezer // nil: nothing is ever frozen
	alone   func() bool
	base    context.Context //nolint:containedctx // the edge's life
	log     *slog.Logger
	busy    sync.RWMutex // held for reading while a target is being frozen
}

// await returns when no target is being frozen by an edge that was alone before.
func (i *icebox) await() {
	i.busy.Lock()
	defer i.busy.Unlock()
}

// beforeRest is how long a target in reserve must have had no request before it is frozen: applications finish something after they have
// answered, too.
const beforeRest = time.Second

// allThere is a cutoff that no connection is younger than.
const allThere = time.Duration(1<<63 - 1)

// tend sees to it that a target does what its phase asks for: one in reserve is frozen once it is calm, any other one runs. It is
// called under the lock whenever its phase, its requests or its rest changed.
func (s *service) tend(b *backend) {
	switch {
	case s.routing.icebox.freezer == nil:
		b.rest = awake
	case b.phase != Reserve:
		if b.rest == frozen || b.rest == unsure {
			s.thaw(b)
		}
	case (b.rest == awake || b.rest == unsure) && b.inFlight == 0 && !b.sleepless:
		if b.nap == nil {
			b.nap = time.AfterFunc(beforeRest, func() { s.freeze(b) })
		} else {
			b.nap.Reset(beforeRest)
		}
	}
	if b.rest == awake && b.up != nil {
		close(b.up)
		b.up = nil
	}
}

// freeze freezes a target that is still in reserve and calm. Its unused connections are closed before: the application may find them
// too old when it is thawed, and close them in the very moment they are used.
func (s *service) freeze(b *backend) {
	box := s.routing.icebox
	box.busy.RLock()
	defer box.busy.RUnlock()
	s.mu.Lock()
	if b.phase != Reserve || b.inFlight > 0 || b.rest != awake && b.rest != unsure || box.base.Err() != nil {
		s.mu.Unlock()
		return
	}
	if !box.alone() { // another edge may have requests at it
		b.nap.Reset(beforeRest)
		s.mu.Unlock()
		return
	}
	b.rest = freezing
	b.unwatch()
	s.mu.Unlock()
	b.pool.reap(allThere)
	b.pool.h2c.close()
	err := box.freezer.Freeze(box.base, b.id)
	s.mu.Lock()
	b.rest = frozen
	if err != nil {
		box.log.Warn("an instance in reserve cannot be frozen; it runs on", "instance_id", b.id, "error", err)
		b.sleepless = true
		s.thaw(b)
	}
	s.tend(b)
	s.mu.Unlock()
	s.hub.mark(&s.changed)
}

// thaw lets the processes of a target run. It is called under the lock and does not wait for it.
func (s *service) thaw(b *backend) {
	r := s.routing
	if r.base.Err() != nil {
		return // the next edge does it
	}
	b.rest = thawing
	r.checks.Go(func() {
		err := r.icebox.freezer.Thaw(r.base, b.id)
		s.mu.Lock()
		b.rest = awake
		if err != nil && r.base.Err() == nil {
			r.icebox.log.Error("an instance cannot be thawed", "instance_id", b.id, "error", err)
			b.sleepless = true
			b.judge.health, b.judge.healthySince, b.judge.lastError = Unhealthy, time.Time{}, "it cannot be thawed"
		}
		if b.phase != Draining {
			r.watch(s, b)
		}
		s.tend(b)
		s.serveWaiters()
		s.mu.Unlock()
		s.hub.mark(&s.changed)
	})
}

// seek takes a place. When there is none it rouses the reserve, as far as that many requests need it.
func (s *service) seek(requests int, wanted string) claim {
	c := s.take(nil, wanted)
	if (c.failure == failBusy || c.failure == failNoInstance) && s.rouse(requests) {
		c = s.take(nil, wanted)
	}
	return c
}

// rouse gives targets in reserve a part in the traffic until a table says otherwise: as many as that many requests need. It returns
// whether there are any now. The caller holds the lock.
func (s *service) rouse(requests int) bool {
	places := 0
	for _, b := range s.targets {
		if b.phase == Active && b.rest != awake {
			places += s.route.MaxConcurrency
		}
	}
	for _, b := range s.targets {
		if places >= requests {
			break
		}
		if b.phase == Reserve && b.judge.health == Healthy {
			s.enlist(b)
			places += s.route.MaxConcurrency
		}
	}
	return places > 0
}

// enlist lets a target in reserve take requests.
func (s *service) enlist(b *backend) {
	b.phase = Active
	if b.rest != awake {
		b.up = make(chan struct{})
	}
	s.tend(b)
	s.hub.mark(&s.changed)
}

// rouseFor gives a request whose instance broke another one of the reserve, which is waited for.
func (s *service) rouseFor(avoid *backend) *backend {
	s.mu.Lock()
	if s.route == nil || s.route.Serving != ServingOn {
		s.mu.Unlock()
		return nil
	}
	s.rouse(1)
	var up chan struct{}
	for _, b := range s.targets {
		if b != avoid && b.phase == Active && b.up != nil {
			up = b.up
			break
		}
	}
	s.mu.Unlock()
	if up != nil {
		select {
		case <-up:
		case <-s.routing.base.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take(avoid, "").backend
}
