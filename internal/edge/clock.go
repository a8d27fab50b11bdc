package edge

import (
	"sync"
	"time"
)

// clock is the time of one request, watched from outside by [Server.tick], so that a request costs no timer.
type clock struct {
	mu      sync.Mutex
	phase   phase
	due     time.Duration // when the phase has lasted too long, since the edge started; 0: never
	began   time.Duration // when the request began
	up      *upstreamConn
	begun   bool     // the client has seen the beginning of an answer
	expired *failure // set when due passed, or when nobody wants the answer any more
}

// phase is what a request, or a connection between requests, waits for.
type phase uint8

const (
	phaseIdle phase = iota // the first byte of a request
	phaseHead              // the rest of a head
	phaseBody              // the rest of a small body
	phaseWait              // the instance
	phaseSend              // the client, to take the answer
)

// goneAfter is how long a request runs before anybody looks whether its client is still there.
const goneAfter = time.Second

var longAgo = time.Unix(1, 0)

// enter says what is waited for from now on, until when, and on which connection to an instance.
func (k *clock) enter(p phase, due time.Duration, up *upstreamConn) {
	k.mu.Lock()
	k.phase, k.due, k.up, k.begun = p, due, up, k.begun || p == phaseSend
	if k.expired != nil && up != nil {
		up.SetDeadline(longAgo) // it was over before the connection was known
	}
	k.mu.Unlock()
}

// restart forgets that the time was over, so that the failure can be told.
func (k *clock) restart() {
	k.mu.Lock()
	k.expired = nil
	k.mu.Unlock()
}

// leave takes the connection to the instance out of the watch; false when its time was over and its deadlines are spoilt.
func (k *clock) leave() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.up, k.due = nil, 0
	return k.expired == nil
}

// over returns why the time ended; nil when it has not.
func (k *clock) over() *failure {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.expired
}

// expiredIn returns the failure if the time of phase p ran out.
func (k *clock) expiredIn(p phase) *failure {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.phase == p {
		return k.expired
	}
	return nil
}

// expire ends what is waited for, under the lock. Deadlines in the past wake who waits for the instance; waking who waits for the
// client is the caller's.
func (k *clock) expire(f *failure) {
	k.expired = f
	if k.up != nil {
		k.up.SetDeadline(longAgo)
	}
}

// lateness is what a request is told whose time ran out in phase p.
func (p phase) lateness() *failure {
	switch p {
	case phaseIdle, phaseHead:
		return failSlowHead // of an idle connection never told: the client did not ask anything
	case phaseBody:
		return failSlowBody
	}
	return failTimeout
}
