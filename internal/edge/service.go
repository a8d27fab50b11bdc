package edge

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// service is what the edge keeps of one service over all tables: the route in use, the state of its instances and the line of
// requests that wait for a place.
type service struct {
	counters counters
	arn      string
	routing  *routing
	hub      *hub
	limits   *Limits
	conns    atomic.Int64           // connections of clients whose first request was for it
	policy   atomic.Pointer[policy] // nil: none
	changed  uint64                 // the last change of it alone, under the lock of the hub
	sticky   atomic.Bool            // of the route

	mu       sync.Mutex
	route    *Route              // nil: not in the table any more
	targets  []*backend          // those of the route, in its order
	backends map[string]*backend // targets, and what still finishes requests
	waiters  []*waiter           // first come, first served
	inFlight int
	busy     time.Duration // integral of inFlight+waiting up to busyAt
	busyAt   time.Time
	next     int       // where the search for the least loaded target begins
	turn     int       // share of a request that the new version of a deployment is owed, in percent; see [service.shareOut]
	cried    time.Time // when somebody was last told that requests wait
}

// backend is one instance. All fields but the fixed ones belong to the service's lock.
type backend struct {
	id, address              string
	service                  *service
	pool                     upstreamPool
	verbose                  atomic.Bool // the last answer was a long one, and so the next may be
	stickyField, stickyValue string

	phase      Phase     // the table's, but Active for one in reserve that is needed
	told       Phase     // the table's
	drainedAt  time.Time // when draining began
	judge      judge
	suspicious bool
	outlier    outlier
	canary     bool // of the new version while it is tried on a share of the requests
	inFlight   int
	entry      *entry             // shows inFlight to other edges; nil: to none
	elsewhere  []*atomic.Uint64   // how many requests other edges have at it
	stop       context.CancelFunc // ends the checker; nil when none runs
	poke       chan struct{}      // wakes the checker

	rest      rest
	nap       *time.Timer   // freezes it
	sleepless bool          // cannot be frozen
	up        chan struct{} // closed when it is awake; nil when nobody waits for that
}

// waiter is a request that waits for a place. A place or a failure is sent exactly once, by whoever takes it off the line.
type waiter struct{ got chan claim }

// claim is the outcome of asking for a place: a backend with the route that led to it, or the reason for none.
type claim struct {
	backend *backend
	route   *Route
	failure *failure
}

// waitEnder tells when somebody does not wait for a place any more.
type waitEnder interface{ waitEnd() <-chan struct{} }

// claim takes a place at the least loaded healthy instance below MaxConcurrency (§12.2), waiting for one up to QueueWait when all
// are full, and up to Route.Hold when none is healthy. Who gets a backend must release it.
//
// With wanted, the sticky cookie of the client, the instance of that cookie is taken while it can take requests.
func (s *service) claim(who waitEnder, wanted string) claim {
	s.mu.Lock()
	c := s.seek(len(s.waiters)+1, wanted)
	patience := s.patience(c)
	if patience == 0 || len(s.waiters) >= cmp.Or(s.limits.askedLength, c.route.QueueLength, s.limits.QueueLength) {
		s.mu.Unlock()
		return c
	}
	w := &waiter{got: make(chan claim, 1)}
	now := time.Now()
	s.account(now)
	s.waiters = append(s.waiters, w)
	s.cry(now)
	s.mu.Unlock()
	return s.wait(w, patience, who.waitEnd())
}

// cryEvery is how often those who watch the status are told that requests of a service wait.
const cryEvery = 100 * time.Millisecond

// cry tells those who watch the status that requests wait, so that an instance is started without a round of looking first.
func (s *service) cry(now time.Time) {
	if now.Sub(s.cried) >= cryEvery {
		s.cried = now
		s.hub.mark(&s.changed)
	}
}

// patience is how long a request with claim c may wait in line; 0 when it has its answer.
func (s *service) patience(c claim) time.Duration {
	switch {
	case c.failure == failBusy:
		return cmp.Or(s.limits.askedWait, c.route.QueueWait, s.limits.QueueWait)
	case c.failure == failNoInstance:
		return c.route.Hold
	}
	return 0
}

// wait blocks until w got its claim, the wait became too long or nobody waits any more.
func (s *service) wait(w *waiter, patience time.Duration, end <-chan struct{}) claim {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case c := <-w.got:
		return c
	case <-timer.C:
	case <-end:
	}
	if why := s.leave(w); why.failure != nil {
		return why
	}
	return <-w.got
}

// leave takes w off the line and says what it waited for in vain; without a failure somebody else took it off and its claim is on
// the way.
func (s *service) leave(w *waiter) claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiters {
		if other == w {
			s.account(time.Now())
			s.waiters = append(s.waiters[:i], s.waiters[i+1:]...)
			return claim{route: s.route, failure: s.shortage()}
		}
	}
	return claim{}
}

// shortage tells what is missing while requests wait.
func (s *service) shortage() *failure {
	for _, b := range s.targets {
		if b.phase == Active && b.judge.health == Healthy {
			return failBusy
		}
	}
	return failNoInstance
}

// claimOther takes a place at another instance than avoid: for the retry of a broken request. When the others are full it waits in line
// like every request; nil when there is none.
func (s *service) claimOther(who waitEnder, avoid *backend) *backend {
	s.mu.Lock()
	c := s.take(avoid, "")
	s.mu.Unlock()
	if c.backend != nil {
		return c.backend
	}
	if b := s.rouseFor(avoid); b != nil {
		return b
	}
	if c.failure != failBusy {
		return nil
	}
	return s.claim(who, "").backend
}

// take chooses and counts under the lock. Requests that wait go first.
func (s *service) take(avoid *backend, wanted string) claim {
	switch {
	case s.route == nil:
		return claim{failure: failUnknownHost}
	case s.route.Serving == ServingPaused:
		return claim{route: s.route, failure: failPaused}
	case s.route.Serving == ServingNone:
		return claim{route: s.route, failure: failNoVersion}
	}
	now := time.Now()
	b, f := s.choose(avoid, wanted, now)
	if f != nil {
		return claim{route: s.route, failure: f}
	}
	b.count(1)
	if len(b.elsewhere) > 0 && b.load() > s.route.MaxConcurrency { // another edge took the last place in the same moment
		b.count(-1)
		return claim{route: s.route, failure: failBusy}
	}
	s.account(now)
	s.inFlight++
	s.shareOut(b)
	return claim{backend: b, route: s.route}
}

// choose returns the wanted target, or the healthy active one with the fewest requests below MaxConcurrency. One that stands aside is
// taken only when no other has a place, one that a request just failed to reach only when there is no other to wait for.
func (s *service) choose(avoid *backend, wanted string, now time.Time) (*backend, *failure) {
	var best *backend
	full, canary, coming := false, s.canaryTurn(), false
	awaited := false // one that no request failed to reach has no place now, but will have
	s.next++
	for i := range s.targets {
		b := s.targets[(i+s.next)%len(s.targets)]
		if b.phase != Active || b.judge.health != Healthy || b == avoid {
			coming = coming || b.spare() && !b.canary
			continue
		}
		if b.rest != awake || b.load() >= s.route.MaxConcurrency {
			full, coming, awaited = true, coming || b.rest != awake && !b.canary, awaited || !b.suspicious
			continue
		}
		if wanted != "" && b.stickyValue == wanted && !b.shunned(now) {
			return b, nil
		}
		if best == nil || b.better(best, canary, now) {
			best = b
		}
	}
	switch {
	case best != nil && best.canary && !canary && coming: // the old version's turn, which only has to be woken
		return nil, failBusy
	case best != nil && best.suspicious && awaited:
		return nil, failBusy
	case best != nil:
		return best, nil
	case full:
		return nil, failBusy
	}
	return nil, failNoInstance
}

// spare tells whether b would take requests if it were roused.
func (b *backend) spare() bool { return b.phase == Reserve && b.judge.health == Healthy }

// better tells whether b is a better choice than c, on the turn of the new version or of the old one.
func (b *backend) better(c *backend, canary bool, now time.Time) bool {
	switch shunned := b.shunned(now); {
	case shunned != c.shunned(now):
		return !shunned
	case b.canary != c.canary:
		return b.canary == canary
	}
	return b.load() < c.load()
}

// load is how many requests b has, of all edges.
func (b *backend) load() int {
	n := b.inFlight
	for _, theirs := range b.elsewhere {
		n += int(theirs.Load())
	}
	return n
}

// count books requests at b, so that other edges see it.
func (b *backend) count(n int) {
	b.inFlight += n
	if b.entry != nil {
		b.entry.count.Store(uint64(b.inFlight))
	}
}

// shunned tells whether others are preferred to b.
func (b *backend) shunned(now time.Time) bool { return b.suspicious || b.outlier.aside(now) }

// canaryTurn tells whether the next request is the new version's: of a hundred, as many as its weight, evenly spread.
func (s *service) canaryTurn() bool { return s.turn+s.route.CanaryWeight >= 100 }

// mostOwed bounds what is remembered of requests that one version got on the other's turn, in percent of a request.
const mostOwed = 100 * 100

// shareOut books a request that went to b. What a version got on the other's turn, because the other could not take it or the client
// stays where it was, is made up for later; but a new version that was away is not flooded when it comes back.
func (s *service) shareOut(b *backend) {
	if s.route.CanaryWeight == 0 {
		s.turn = 0
		return
	}
	s.turn = min(s.turn+s.route.CanaryWeight, 2*100-1)
	if b.canary {
		s.turn = max(s.turn-100, -mostOwed)
	}
}

// release gives the place back and hands it to the first that waits.
func (s *service) release(b *backend, how score) {
	now := time.Now()
	s.mu.Lock()
	s.account(now)
	aside := b.outlier.observe(now, how)
	b.count(-1)
	s.inFlight--
	if len(s.waiters) > 0 {
		s.serveWaiters()
	}
	gone := b.inFlight == 0 && b.phase == Draining
	if gone {
		s.forget(b)
	} else if b.phase == Reserve {
		s.tend(b)
	}
	s.mu.Unlock()
	if gone || aside {
		s.hub.mark(&s.changed)
	}
}

// forget drops a backend that the table no longer names and that has nothing in flight. A draining one that is still named
// stays, so that its status can be read.
func (s *service) forget(b *backend) {
	if b.inFlight > 0 || slices.Contains(s.targets, b) {
		return
	}
	if s.backends[b.id] == b { // else another address took its name over
		delete(s.backends, b.id)
	}
	b.pool.close()
	s.routing.ledger.strike(b.entry)
	b.entry = nil
}

// serveWaiters gives places to those who wait, as far as there are any, or the reason why there never will be one.
func (s *service) serveWaiters() {
	for len(s.waiters) > 0 {
		c := s.seek(len(s.waiters), "")
		if s.patience(c) > 0 {
			return
		}
		w := s.waiters[0]
		s.waiters = s.waiters[1:]
		w.got <- c
	}
}

// account adds the time since the last change to the busy integral. It is called under the lock before every change.
func (s *service) account(now time.Time) {
	if !s.busyAt.IsZero() {
		s.busy += now.Sub(s.busyAt) * time.Duration(s.inFlight+len(s.waiters))
	}
	s.busyAt = now
}

// suspect notes that a request could not reach b: others are preferred, and b is checked at once.
func (s *service) suspect(b *backend) {
	s.mu.Lock()
	first := !b.suspicious
	b.suspicious = true
	s.mu.Unlock()
	select {
	case b.poke <- struct{}{}:
	default:
	}
	if first {
		s.hub.mark(&s.changed)
	}
}

func (s *service) currentRoute() *Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.route
}

// read returns the counters of the service and adds the status of its targets to targets; false when the service is gone and
// finished.
func (s *service) read(targets map[string]TargetStatus) (Counters, bool) {
	c := s.counters.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account(time.Now())
	c.InFlight, c.Waiting, c.Busy = s.inFlight, len(s.waiters), s.busy
	for id, b := range s.backends {
		targets[id] = b.status()
	}
	return c, s.route != nil || len(s.backends) > 0
}

func (b *backend) status() TargetStatus {
	return TargetStatus{
		ServiceARN:   b.service.arn,
		Address:      b.address,
		Phase:        b.phase,
		Health:       b.judge.health,
		Suspicious:   b.suspicious,
		Successes:    b.judge.successes,
		Failures:     b.judge.failures,
		LastError:    b.judge.lastError,
		LastCheck:    b.judge.lastCheck,
		HealthySince: b.judge.healthySince,
		InFlight:     b.inFlight,
		Roused:       b.told == Reserve && b.phase == Active,
		Frozen:       b.rest != awake,
		Requests:     b.outlier.requests,
		Bad:          b.outlier.bad,
		AsideUntil:   b.outlier.until,
	}
}
