package observe

import (
	"sync"
	"time"
)

// Records of calls whose sender is not known, and of calls refused for their number, cost a client nothing. A few a second are
// enough to see that they come.
const (
	strangersPerSecond  = 2 // of all addresses together
	strangersBurst      = 500
	perStrangerInterval = 2 * time.Second // of one address
	perStrangerBurst    = 60
	maxStrangers        = 4096 // addresses remembered
)

// auditLimiter admits so many records of strangers. Its zero value is ready.
type auditLimiter struct {
	mu      sync.Mutex
	all     allowance
	each    map[string]*stranger
	omitted int // of addresses that are not remembered
}

type stranger struct {
	allowance
	omitted int
}

// allowance is a bucket that fills with time.
type allowance struct {
	left float64
	at   time.Time
}

// take takes one of what has come since the last time, at most burst.
func (b *allowance) take(now time.Time, perSecond, burst float64) bool {
	if b.at.IsZero() {
		b.left = burst
	} else if d := now.Sub(b.at); d > 0 {
		b.left = min(burst, b.left+d.Seconds()*perSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// admit tells whether a record is kept, and how many like it were not since the last that was.
func (l *auditLimiter) admit(r AuditRecord, now time.Time) (keep bool, omitted int) {
	key := r.SourceIPAddress
	switch {
	case r.UserIdentity.Type == IdentityUnknown:
	case r.ErrorCode == "ThrottlingException" || r.ErrorCode == "Throttling":
		key = r.UserIdentity.ARN
	default:
		return true, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.each[key]
	if s == nil {
		if l.each == nil || len(l.each) >= maxStrangers {
			for _, old := range l.each {
				l.omitted += old.omitted
			}
			l.each = map[string]*stranger{}
		}
		s = &stranger{}
		l.each[key] = s
	}
	if !s.take(now, float64(time.Second)/float64(perStrangerInterval), perStrangerBurst) || !l.all.take(now, strangersPerSecond, strangersBurst) {
		s.omitted++
		return false, 0
	}
	omitted = s.omitted + l.omitted
	s.omitted, l.omitted = 0, 0
	return true, omitted
}
