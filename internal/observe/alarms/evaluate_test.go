package alarms

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// readings: X breaches, 0 does not, - is missing; oldest first.
func readings(text string) (list []Reading) {
	for i, word := range strings.Fields(text) {
		r := Reading{At: t0.Add(time.Duration(i) * time.Minute), There: word != "-"}
		if word == "X" {
			r.Value = 10
		}
		list = append(list, r)
	}
	return list
}

// The tables of "Configuring how CloudWatch alarms treat missing data"; KEEP is the state before.
//
// checklist: 158
func TestMissingData(t *testing.T) {
	const keep State = "KEEP"
	for _, tc := range []struct {
		toAlarm, of int
		readings    string
		missing     State
		ignore      State
		breaching   State
		notBreach   State
	}{
		{3, 3, "0 - X - X", OK, OK, OK, OK},
		{3, 3, "- - - - 0", OK, OK, OK, OK},
		{3, 3, "- - - - -", Insufficient, keep, InAlarm, OK},
		{3, 3, "0 X X - X", InAlarm, InAlarm, InAlarm, InAlarm},
		{3, 3, "- - X - -", InAlarm, keep, InAlarm, OK},
		{2, 3, "0 - X - X", InAlarm, InAlarm, InAlarm, InAlarm},
		{2, 3, "0 0 X 0 X", InAlarm, InAlarm, InAlarm, InAlarm},
		{2, 3, "0 - X - -", OK, OK, InAlarm, OK},
		{2, 3, "- - - - 0", OK, OK, InAlarm, OK},
		{2, 3, "- - - X -", InAlarm, keep, InAlarm, OK},
		// One value that has just come is no reason yet.
		{3, 3, "- - - - X", keep, keep, InAlarm, OK},
		{1, 1, "- - X", InAlarm, InAlarm, InAlarm, InAlarm},
		{1, 1, "X X 0", OK, OK, OK, OK},
		{2, 5, "X X 0 0 X 0 X", InAlarm, InAlarm, InAlarm, InAlarm},
		{3, 5, "X X 0 0 X 0 X", OK, OK, OK, OK},
	} {
		for treatment, want := range map[string]State{"": tc.missing, "missing": tc.missing, "ignore": tc.ignore, "breaching": tc.breaching, "notBreaching": tc.notBreach} {
			for _, before := range []State{OK, InAlarm, Insufficient} {
				expected := want
				if want == keep {
					expected = before
				}
				c := Condition{Operator: "GreaterThanThreshold", Threshold: 5, Periods: tc.of, ToAlarm: tc.toAlarm, TreatMissing: treatment}
				if got, why := Evaluate(c, readings(tc.readings), before); got != expected {
					t.Errorf("%d of %d, %q, %s, from %s: %s, want %s (%s)", tc.toAlarm, tc.of, tc.readings, treatment, before, got, expected, why)
				}
			}
		}
	}
}

func TestOperators(t *testing.T) {
	for op, want := range map[Operator][3]State{ // for 4, 5 and 6 against 5
		"GreaterThanOrEqualToThreshold": {OK, InAlarm, InAlarm}, "GreaterThanThreshold": {OK, OK, InAlarm},
		"LessThanThreshold": {InAlarm, OK, OK}, "LessThanOrEqualToThreshold": {InAlarm, InAlarm, OK},
	} {
		for i, v := range []float64{4, 5, 6} {
			got, _ := Evaluate(Condition{Operator: op, Threshold: 5, Periods: 1, ToAlarm: 1}, []Reading{{}, {}, {t0, v, true}}, Insufficient)
			if got != want[i] {
				t.Errorf("%v %s 5: %s", v, op, got)
			}
		}
	}
}

func TestReasons(t *testing.T) {
	c := Condition{Operator: "GreaterThanOrEqualToThreshold", Threshold: 5, Periods: 3, ToAlarm: 2}
	for text, want := range map[string]string{
		"0 0 0 X X": "Threshold Crossed: 2 out of the last 3 datapoints [10 (21/11/26 12:04:00), 10 (21/11/26 12:03:00)] were greater than or equal to the threshold (5) (minimum 2 datapoints for INSUFFICIENT_DATA -> ALARM transition).",
		"0 0 0 0 X": "Threshold Crossed: 2 out of the last 3 datapoints [0 (21/11/26 12:03:00), 0 (21/11/26 12:02:00)] were not greater than or equal to the threshold (5) (minimum 2 datapoints for INSUFFICIENT_DATA -> OK transition).",
	} {
		if _, why := Evaluate(c, readings(text), Insufficient); why != want {
			t.Errorf("%s:\n%s\n%s", text, why, want)
		}
	}
	if _, why := Evaluate(c, readings("- - - - -"), OK); why != "Insufficient Data: 3 datapoints were unknown." {
		t.Error(why)
	}
	c.TreatMissing = treatBreaching
	if _, why := Evaluate(c, readings("- - - - -"), OK); why != "no datapoints were received for 3 periods and missing datapoints are treated as [Breaching]." {
		t.Error(why)
	}
}

// Whatever is missing: enough breaching values alarm, none that breaches never does unless missing ones count so, and what is decided stays
// decided when it is looked at again.
func TestEvaluateHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "periods")
		c := Condition{
			Operator: "GreaterThanThreshold", Threshold: 5, Periods: n, ToAlarm: rapid.IntRange(1, n).Draw(t, "to alarm"),
			TreatMissing: rapid.SampledFrom([]string{"", treatMissing, treatIgnore, treatBreaching, treatNotBreaching}).Draw(t, "missing"),
		}
		list := readings(strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"X", "0", "-"}), c.Window(), c.Window()).Draw(t, "readings"), " "))
		before := rapid.SampledFrom([]State{OK, InAlarm, Insufficient}).Draw(t, "before")
		state, _ := Evaluate(c, list, before)
		breaching, missing := 0, 0
		for _, r := range list[len(list)-n:] {
			if !r.There {
				missing++
			} else if c.breaches(r) {
				breaching++
			}
		}
		if missing == 0 && (state == InAlarm) != (breaching >= c.ToAlarm) {
			t.Fatalf("%d of %d breach, %d are needed: %s", breaching, n, c.ToAlarm, state)
		}
		if again, _ := Evaluate(c, list, state); again != state {
			t.Fatalf("%s, and then %s", state, again)
		}
	})
}
