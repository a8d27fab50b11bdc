package edge

import (
	"context"
	"time"
)

// firstProbe is how soon after a failed first check the next one follows. It grows with the age of the target, so that a fast
// application is found healthy within milliseconds and a slow one is not pestered.
const firstProbe = 5 * time.Millisecond

// judge turns the outcomes of checks into a judgement. It is pure: the time is an argument.
type judge struct {
	health              Health
	successes, failures int
	lastError           string
	lastCheck           time.Time
	healthySince        time.Time

	born        time.Time // when the checks began
	everHealthy bool
	counted     time.Time // when a failure was last counted
}

// newJudge begins at now with what is believed of the target before any check.
func newJudge(now time.Time, health Health) judge {
	j := judge{health: health, born: now, everHealthy: health == Healthy}
	if health == Healthy {
		j.healthySince = now
	}
	return j
}

// observe takes the outcome of one check that ended at now; failed is what came back, empty for a success. It returns whether
// the judgement, or what a person would read of it, changed.
//
// Failures count once an Interval, however often the target is asked: UnhealthyThreshold is a promise about time.
func (j *judge) observe(now time.Time, h HealthCheck, failed string) (changed bool) {
	before := *j
	j.lastCheck, j.lastError = now, failed
	if failed == "" {
		j.successes, j.failures, j.counted = j.successes+1, 0, time.Time{}
		if j.health != Healthy && j.successes >= h.HealthyThreshold {
			j.health, j.healthySince, j.everHealthy = Healthy, now, true
		}
	} else {
		j.successes = 0
		if j.counted.IsZero() || now.Sub(j.counted) >= h.Interval-h.Interval/10 {
			j.failures, j.counted = j.failures+1, now
		}
		if j.health != Unhealthy && j.failures >= h.UnhealthyThreshold {
			j.health, j.healthySince = Unhealthy, time.Time{}
		}
	}
	return j.health != before.health || j.failures != before.failures || j.lastError != before.lastError
}

// pause returns how long to wait until the next check. A target that was never healthy, or that a request just failed to
// reach, is asked more often than every Interval.
func (j *judge) pause(now time.Time, h HealthCheck, suspectedFor time.Duration) time.Duration {
	switch {
	case !j.everHealthy:
		return quick(now.Sub(j.born), h.Interval)
	case suspectedFor > 0:
		return quick(suspectedFor, h.Interval)
	}
	return h.Interval
}

// quick is a pause that grows with what has been waited already: at most a tenth is lost to not asking.
func quick(waited, interval time.Duration) time.Duration {
	return min(max(firstProbe, waited/10), interval)
}

// probe asks a target once and returns what came back, empty for a success. It takes at most the Timeout of h.
type probe func(ctx context.Context, address string, h HealthCheck) (failed string)

// check asks b again and again until ctx ends.
func (s *service) check(ctx context.Context, b *backend, ask probe) {
	var suspectedAt time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-b.poke:
		}
		h, named := s.healthCheck()
		if !named {
			return
		}
		failed := ask(ctx, b.address, h)
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		suspicious := s.observed(now, b, h, failed)
		switch {
		case !suspicious:
			suspectedAt = time.Time{}
		case suspectedAt.IsZero():
			suspectedAt = now
		}
		timer.Reset(s.pauseOf(now, b, h, suspectedAt))
	}
}

// healthCheck returns the settings in use; false when the service is gone from the table.
func (s *service) healthCheck() (HealthCheck, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.route == nil {
		return HealthCheck{}, false
	}
	return s.route.Health, true
}

// observed books the outcome of a check and returns whether the target is still under suspicion.
func (s *service) observed(now time.Time, b *backend, h HealthCheck, failed string) (suspicious bool) {
	s.mu.Lock()
	was := b.suspicious
	changed := b.judge.observe(now, h, failed)
	if failed == "" || b.judge.health == Unhealthy {
		b.suspicious = false
	}
	suspicious = b.suspicious
	if (changed || was != suspicious) && len(s.waiters) > 0 {
		s.serveWaiters()
	}
	s.mu.Unlock()
	if changed || was != suspicious {
		s.hub.mark(&s.changed)
	}
	return suspicious
}

// pauseOf returns how long b is left alone after a check.
func (s *service) pauseOf(now time.Time, b *backend, h HealthCheck, suspectedAt time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var suspected time.Duration
	if !suspectedAt.IsZero() {
		suspected = max(now.Sub(suspectedAt), 1)
	}
	return b.judge.pause(now, h, suspected)
}
