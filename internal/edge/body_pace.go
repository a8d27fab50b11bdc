package edge

import "time"

// Request bodies that are passed on while they come hold a place at an instance. So who sends one must keep up a pace, however quick
// the beginning was: what comes after a pause is as slow as the pause was long.

// pace judges how fast a body comes by the time it was waited for. The time in which the instance took its time does not count.
type pace struct{ spent time.Duration } // of Limits.BodyGrace

// took books n bytes that were waited for.
func (p *pace) took(waited time.Duration, n int, l *Limits) {
	p.spent = max(0, p.spent+waited-time.Duration(n)*time.Second/time.Duration(l.BodyRate))
}

// left is how long the next bytes may be waited for, by the haste that is asked for.
func (p *pace) left(h haste, l *Limits) time.Duration {
	switch h {
	case hastePace:
		return min(l.ClientStall, l.BodyGrace-p.spent)
	case hasteStall:
		return l.ClientStall
	}
	return forever
}

// haste is what is asked of who sends a body. It only ever grows less.
type haste uint8

const (
	hastePace  haste = iota // a pace
	hasteStall              // that something comes: the instance has begun to answer, or the body is a stream of messages
	hasteNone               // nothing: both sides go on for as long as they want
)
