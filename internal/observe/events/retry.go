package events

import (
	"errors"
	"time"
)

// failure is why a delivery did not succeed.
type failure struct {
	err   error
	final bool          // trying again would not help
	after time.Duration // how long the target wants to be left alone; 0: it did not say
}

func (f failure) Error() string { return f.err.Error() }

func (f failure) Unwrap() error { return f.err }

const (
	firstPause   = time.Second
	longestPause = 10 * time.Minute
	// outage is how many failures in a row mean that the target was away, and not that it disliked one event: more than that one is tried
	// before others are. When it is back, all that waits is tried at once, in its order.
	outage = 5
)

// pauseAfter is how long to wait after so many failures in a row, from 1: each time twice as long, and by chance up to a half less, so
// that not all come back at once. With it 185 tries take about a day, as they do on EventBridge. random is from 0 to 1.
func pauseAfter(failures int, random float64) time.Duration {
	pause := longestPause
	if failures < 11 { // 2^10 seconds are more than the longest pause
		pause = min(firstPause<<(failures-1), longestPause)
	}
	return pause - time.Duration(random*float64(pause)/2)
}

// nextTry tells when a delivery is tried again that failed for the attempts-th time, from 1; the zero time when it is given up.
func nextTry(t Target, arrived time.Time, attempts int, why error, now time.Time, random float64) time.Time {
	var f failure
	end := arrived.Add(t.maxAge())
	if errors.As(why, &f) && f.final || attempts > t.tries() || !now.Before(end) {
		return time.Time{}
	}
	next := now.Add(max(pauseAfter(attempts, random), min(f.after, longestPause)))
	if next.After(end) {
		return end
	}
	return next
}

// waiting is what of a target's queue matters for what is next.
type waiting struct {
	head  item // the oldest of those that others must not overtake
	aside item // of those tried too often for that, the one that is due first
}

// item is a delivery in a queue; seq is 0 for none.
type item struct {
	seq  int64
	next time.Time
}

// choose gives the delivery to be tried now, or 0 and when to look again; the zero time when nothing waits. rest is until when the target
// is left alone, last is what was tried last: after one put aside it is another's turn, to learn whether the target or that one is at fault.
func choose(w waiting, rest, now time.Time, last int64) (seq int64, again time.Time) {
	if w.head.seq == 0 && w.aside.seq == 0 {
		return 0, time.Time{}
	}
	if now.Before(rest) {
		return 0, rest
	}
	headDue, asideDue := w.head.seq != 0 && !now.Before(w.head.next), w.aside.seq != 0 && !now.Before(w.aside.next)
	switch {
	case headDue && asideDue && w.aside.seq != last:
		return min(w.head.seq, w.aside.seq), now
	case headDue:
		return w.head.seq, now
	case asideDue:
		return w.aside.seq, now
	case w.head.seq == 0 || w.aside.seq != 0 && w.aside.next.Before(w.head.next):
		return 0, w.aside.next
	}
	return 0, w.head.next
}
