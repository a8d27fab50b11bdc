package api

import (
	"math"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
)

// The calls of one caller to one action. They are far above what tools need, and below what hurts others.
const (
	// DefaultRate is how many calls a second are answered in the long run.
	DefaultRate = 100
	// burstSeconds is how many seconds' worth of calls may come at once.
	burstSeconds = 50
	// maxCallers is how many pairs of caller and action are remembered.
	maxCallers = 20_000
)

// Limiter refuses the calls of a caller to an action that come too fast: a bucket for each pair, filled with time. A role's
// sessions share one, as do the keys of a user. It is safe for concurrent use.
type Limiter struct {
	rate, burst float64

	mu      sync.Mutex
	buckets map[callerAction]bucket
}

type callerAction struct{ caller, service, operation string }

type bucket struct {
	left float64
	at   time.Time
}

// NewLimiter takes the calls a second that are answered in the long run; many more may come at once.
func NewLimiter(rate int) *Limiter {
	return &Limiter{rate: float64(rate), burst: float64(rate) * burstSeconds, buckets: map[callerAction]bucket{}}
}

// Allow counts a call, or refuses it with CodeThrottling; it is a Config.Throttle.
func (l *Limiter) Allow(p iam.Principal, service, operation string, now time.Time) error {
	if l.take(callerAction{p.PolicyARN(), service, operation}, now) {
		return nil
	}
	return apprunner.Errorf(apprunner.CodeThrottling, "Rate exceeded").
		WithHint("%s may call %s %d times a second here; wait a moment, and longer each time.", p.PolicyARN(), operation, int(l.rate))
}

func (l *Limiter) take(key callerAction, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[key]
	if !known {
		l.makeRoom(now)
		b = bucket{l.burst, now}
	}
	b = l.filled(b, now)
	if b.left < 1 {
		l.buckets[key] = b
		return false
	}
	b.left--
	l.buckets[key] = b
	return true
}

func (l *Limiter) filled(b bucket, now time.Time) bucket {
	if d := now.Sub(b.at); d > 0 {
		b.left, b.at = math.Min(l.burst, b.left+d.Seconds()*l.rate), now
	}
	return b
}

// makeRoom forgets those who have been quiet for long enough to have all their calls again, which is the same as not to know them.
func (l *Limiter) makeRoom(now time.Time) {
	if len(l.buckets) < maxCallers {
		return
	}
	for k, b := range l.buckets {
		if l.filled(b, now).left >= l.burst {
			delete(l.buckets, k)
		}
	}
	for k := range l.buckets { // everyone is busy: whoever is met first begins afresh
		if len(l.buckets) < maxCallers/2 { // room for many, so that looking at all of them is rare
			return
		}
		delete(l.buckets, k)
	}
}
