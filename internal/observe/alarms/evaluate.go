package alarms

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is what an alarm has found.
type State string

// The states of an alarm.
const (
	OK           State = "OK"
	InAlarm      State = "ALARM"
	Insufficient State = "INSUFFICIENT_DATA"
)

// Operator compares a value with the threshold: what it is true for breaches.
type Operator string

// operators are those that are served, with the words of the reason.
var operators = map[Operator]struct {
	breaches func(v, threshold float64) bool
	words    string
}{
	"GreaterThanOrEqualToThreshold": {func(v, t float64) bool { return v >= t }, "greater than or equal to"},
	"GreaterThanThreshold":          {func(v, t float64) bool { return v > t }, "greater than"},
	"LessThanThreshold":             {func(v, t float64) bool { return v < t }, "less than"},
	"LessThanOrEqualToThreshold":    {func(v, t float64) bool { return v <= t }, "less than or equal to"},
}

// The ways to treat periods without a value.
const (
	treatMissing      = "missing"
	treatIgnore       = "ignore"
	treatBreaching    = "breaching"
	treatNotBreaching = "notBreaching"
)

// Condition says when an alarm is in alarm: when of the last Periods values at least ToAlarm breach.
type Condition struct {
	Operator     Operator
	Threshold    float64
	Periods      int
	ToAlarm      int
	TreatMissing string // one of the ways, or "", which is missing
	AllToAlarm   bool   `json:",omitempty"` // nobody said how many are needed, so ToAlarm is Periods
}

// reach is how many periods more than Periods are looked at, to make up for those without a value.
const reach = 2

// Window is how many periods Evaluate wants to see.
func (c Condition) Window() int { return c.Periods + reach }

// Reading is the value of one period; without a value there was none.
type Reading struct {
	At    time.Time
	Value float64
	There bool
}

// Evaluate tells the state of an alarm that was in a state before, and why, from the readings of the last Window periods, oldest first. The
// rules are those of CloudWatch ("Configuring how CloudWatch alarms treat missing data"): values that are there count first, also older ones in
// place of missing ones; only when there are fewer than Periods does it matter how missing ones are treated.
func Evaluate(c Condition, readings []Reading, before State) (State, string) {
	there := slices.DeleteFunc(slices.Clone(readings), func(r Reading) bool { return !r.There })
	there = there[max(0, len(there)-c.Periods):]
	breaching := 0
	for _, r := range there {
		if c.breaches(r) {
			breaching++
		}
	}
	missing := c.Periods - len(there)
	state := before
	switch {
	case breaching >= c.ToAlarm:
		state = InAlarm
	case missing == 0:
		state = OK
	default:
		state = c.fill(readings, there, breaching, missing, before)
	}
	return state, c.reason(state, there, breaching, missing, before)
}

// fill decides where values are missing and those that are there breach too seldom.
func (c Condition) fill(readings, there []Reading, breaching, missing int, before State) State {
	some := len(there) > breaching // some are there that do not breach
	switch c.TreatMissing {
	case treatBreaching:
		if breaching+missing >= c.ToAlarm {
			return InAlarm
		}
		return OK
	case treatNotBreaching:
		return OK
	case treatIgnore:
		if some {
			return OK
		}
		return before
	}
	switch {
	case some:
		return OK
	case breaching == 0:
		return Insufficient
	case c.age(readings) >= c.ToAlarm:
		return InAlarm
	}
	return before
}

// age is how many periods ago the oldest value of the last Periods was, counted from 1.
func (c Condition) age(readings []Reading) int {
	last := readings[max(0, len(readings)-c.Periods):]
	for i, r := range last {
		if r.There {
			return len(last) - i
		}
	}
	return 0
}

func (c Condition) breaches(r Reading) bool {
	return operators[c.Operator].breaches(r.Value, c.Threshold)
}

// reason says why, as CloudWatch words it.
func (c Condition) reason(state State, there []Reading, breaching, missing int, before State) string {
	if state == Insufficient {
		return fmt.Sprintf("Insufficient Data: %s unknown.", plural(missing, "datapoint was", "datapoints were"))
	}
	if len(there) == 0 {
		return fmt.Sprintf("no datapoints were received for %s and missing datapoints are treated as [%s].", plural(c.Periods, "period", "periods"), c.treatment())
	}
	verb, many := "was", breaching
	not := ""
	if state == OK {
		not, many = "not ", len(there)-breaching
	}
	if many != 1 {
		verb = "were"
	}
	values := make([]string, 0, len(there))
	for _, r := range slices.Backward(there) {
		if c.breaches(r) == (state != OK) {
			values = append(values, fmt.Sprintf("%v (%s)", r.Value, r.At.UTC().Format("02/01/06 15:04:05")))
		}
	}
	need := c.ToAlarm
	if state == OK {
		need = c.Periods - c.ToAlarm + 1
	}
	return fmt.Sprintf("Threshold Crossed: %d out of the last %s [%s] %s %s%s the threshold (%v) (minimum %s for %s -> %s transition).",
		many, plural(c.Periods, "datapoint", "datapoints"), strings.Join(values, ", "), verb, not, operators[c.Operator].words, c.Threshold,
		plural(need, "datapoint", "datapoints"), otherThan(state, before), state)
}

// otherThan is the state that a change came from; where nothing changed, that which it would have come from.
func otherThan(state, before State) State {
	switch {
	case before != state:
		return before
	case state == OK:
		return InAlarm
	}
	return OK
}

func (c Condition) treatment() string {
	switch c.TreatMissing {
	case treatBreaching:
		return "Breaching"
	case treatNotBreaching:
		return "NonBreaching"
	case treatIgnore:
		return "Ignore"
	}
	return "Missing"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
