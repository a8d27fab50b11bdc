package reconcile

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"slipway.dev/slipway/internal/edge"
)

// sight is what the edge is known to know. One loop is told what changes there and everybody else asks here, so that what is to be
// read grows with what happens and not with who wants to know.
//
// Health and phases are known as they are; counters are as old as whoever asks allows.
type sight struct {
	router  router
	now     func() time.Time
	reading chan struct{} // holds one token while all of it is read

	mu   sync.Mutex
	st   edge.Status
	at   time.Time     // when all of st was read; zero: the edge does not tell what changes
	wake chan struct{} // closed when something else is known

	table atomic.Uint64 // the last table that was published: a status by an older one is of no use
}

// seen is a status and when its counters were read.
type seen struct {
	edge.Status
	at time.Time
}

func newSight(r router, now func() time.Time) *sight {
	return &sight{router: r, now: now, wake: make(chan struct{}), reading: make(chan struct{}, 1)}
}

// readPatience is how long an edge is waited for that does not tell what it knows.
const readPatience = 5 * time.Second

// status is what the edge knows, with counters that are at most that old.
func (s *sight) status(ctx context.Context, age time.Duration) (seen, error) {
	if known, ok := s.known(age); ok {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return seen{}, ctx.Err()
	}
	if known, ok := s.known(age); ok { // somebody else has just read it
		return known, nil
	}
	at := s.now()
	st, err := s.router.Status(ctx)
	if err == nil {
		s.learn(st, at, true)
	}
	return seen{st, at}, err
}

func (s *sight) known(age time.Duration) (seen, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return seen{s.st, s.at}, !s.at.IsZero() && s.now().Sub(s.at) <= age && s.st.TableVersion >= s.table.Load()
}

// learn takes a status up. One that is whole has counters of that moment.
func (s *sight) learn(st edge.Status, at time.Time, whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.StartedAt.Equal(s.st.StartedAt) && st.Version < s.st.Version {
		return // it came late
	}
	news := st.Version != s.st.Version
	if s.st = st; whole {
		s.at = at
	}
	if news {
		close(s.wake)
		s.wake = make(chan struct{})
	}
}

// newest is the version of the last table that the edge was known to route by, of this process or of one before: with a clock that went
// back the next one might not be newer than that.
func (s *sight) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.TableVersion
}

// lose notes that the edge is away: what it knew is asked for anew.
func (s *sight) lose() {
	s.mu.Lock()
	s.at = time.Time{}
	s.mu.Unlock()
}

// await returns when something else is known than the version, or ctx ends.
func (s *sight) await(ctx context.Context, version uint64) {
	s.mu.Lock()
	now, wake := s.st.Version, s.wake
	s.mu.Unlock()
	if now != version {
		return
	}
	select {
	case <-wake:
	case <-ctx.Done():
	}
}

// watch takes up what changes at the edge until ctx ends, and calls told after each change.
func (s *sight) watch(ctx context.Context, told func(edge.Status)) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		before := s.st
		s.mu.Unlock()
		st, err := s.router.News(ctx, before)
		switch {
		case err != nil:
			s.lose()
			sleep(ctx, republishEvery) // it is away; its supervisor starts it again
		case st.Version != before.Version:
			s.learn(st, s.now(), !st.StartedAt.Equal(before.StartedAt))
			told(st)
			sleep(ctx, breath)
		}
	}
	return ctx.Err()
}
