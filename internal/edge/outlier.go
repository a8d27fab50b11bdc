package edge

import "time"

// score is what the end of a request says of the instance that had it.
type score uint8

const (
	scoreNone score = iota // nothing: the client went away, or the request was not to be answered
	scoreGood
	scoreBad // a 5xx answer, a broken one, or none in time
)

// scoreOf judges by the status that was answered; 0 is none.
func scoreOf(status int) score {
	switch {
	case status == 0:
		return scoreNone
	case status >= 500:
		return scoreBad
	}
	return scoreGood
}

// score is what the exchange says of its instance.
func (x *exchange) score() score {
	if x.failure != nil {
		return scoreOf(x.failure.status)
	}
	return scoreOf(x.status)
}

// The rules of standing aside.
const (
	badInRow     = 5 // requests in a row that ended badly before an instance stands aside
	firstAside   = time.Second
	longestAside = 30 * time.Second
)

// outlier makes an instance stand aside whose requests go on ending badly, although its health checks may succeed: others are
// preferred for a time that doubles with each turn. One that stands aside still gets what nobody else has a place for, so that a
// fault of all instances never makes things worse. It is pure: the time is an argument.
type outlier struct {
	row   int       // bad ends since the last good one
	turns int       // how often it stood aside since it did well
	until time.Time // it stands aside until then

	requests, bad uint64
}

// observe takes the end of a request and returns whether the instance stands aside from now on.
func (o *outlier) observe(now time.Time, s score) bool {
	switch s {
	case scoreNone:
		return false
	case scoreGood:
		o.requests++
		if o.row = 0; !o.aside(now) {
			o.turns = 0
		}
		return false
	case scoreBad:
		o.requests++
		o.bad++
		o.row++
	}
	if o.row < badInRow || o.aside(now) {
		return false
	}
	o.until = now.Add(min(firstAside<<o.turns, longestAside))
	o.turns = min(o.turns+1, 5)
	o.row = badInRow - 1 // the next bad end after the time is enough
	return true
}

func (o *outlier) aside(now time.Time) bool { return now.Before(o.until) }
