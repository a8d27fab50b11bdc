package expr

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// series has values minute by minute; a dash is none.
func series(text string) (s Series) {
	for i, word := range strings.Fields(text) {
		var v float64
		if _, err := fmt.Sscan(word, &v); err == nil {
			s = append(s, Sample{t0.Add(time.Duration(i) * time.Minute), v})
		}
	}
	return s
}

func (s Series) text() string {
	words := []string{}
	next := t0
	for _, e := range s {
		for ; next.Before(e.At); next = next.Add(time.Minute) {
			words = append(words, "-")
		}
		words = append(words, fmt.Sprintf("%.4g", e.Value))
		next = next.Add(time.Minute)
	}
	return strings.Join(words, " ")
}

func env() Env {
	e := Env{
		Series:  map[string]Series{"a": series("1 2 3 4"), "b": series("10 - 30 0"), "none": {}},
		Metrics: []string{"a", "b"}, Period: map[string]time.Duration{"a": time.Minute, "b": 5 * time.Minute},
	}
	for i := range 4 {
		e.Moments = append(e.Moments, t0.Add(time.Duration(i)*time.Minute))
	}
	return e
}

func TestExpressions(t *testing.T) {
	for text, want := range map[string]string{
		"a": "1 2 3 4", "-a + 1": "0 -1 -2 -3", "a * 2 + 1": "3 5 7 9", "2 + a * 2": "4 6 8 10", "(2 + a) * 2": "6 8 10 12",
		"a + b": "11 - 33 4", "b / a": "10 - 10 0", "a / b": "0.1 - 0.1", "2 ^ a": "2 4 8 16", "-a ^ 2": "-1 -4 -9 -16", "a - 1 - 1": "-1 0 1 2",
		"a > 2": "0 0 1 1", "a >= 2 && a < 4": "0 1 1 0", "a == 1 || a == 4": "1 0 0 1", "a != 1": "0 1 1 1", "a <= 1": "1 0 0 0", "1.5e1 * a": "15 30 45 60",
		"ABS(-a)": "1 2 3 4", "CEIL(a / 2)": "1 1 2 2", "FLOOR(a / 2)": "0 1 1 2", "LOG10(b)": "1 - 1.477",
		"SUM([a, b])": "11 2 33 4", "AVG(METRICS())": "5.5 2 16.5 2", "MAX([a, b])": "10 2 30 4", "MIN([a, 2])": "1 2 2 2", "STDDEV([a, b])": "4.5 0 13.5 2",
		"a / SUM(a)": "0.1 0.2 0.3 0.4", "a - AVG(a)": "-1.5 -0.5 0.5 1.5", "TIME_SERIES(MAX(a))": "4 4 4 4", "a * STDDEV(none)": "",
		"FILL(b, 7)": "10 7 30 0", "FILL(b, REPEAT)": "10 10 30 0", "FILL(b, LINEAR)": "10 20 30 0", "FILL(b, a)": "10 2 30 0", "FILL(none, 0)": "0 0 0 0",
		"IF(a > 2, a, 0)": "0 0 3 4", "IF(a > 2, b)": "- - 30 0", "IF(1, a)": "1 2 3 4", "IF(0, a, b)": "10 - 30 0", "IF(0, a)": "",
		"DIFF(a)": "- 1 1 1", "RATE(a) * PERIOD(a)": "- 1 1 1", "DIFF_TIME(b)": "- - 120 60", "RUNNING_SUM(a)": "1 3 6 10", "a * PERIOD(b)": "300 600 900 1200",
		"a * METRIC_COUNT(METRICS())": "2 4 6 8", "a * FIRST(b) + LAST(a)": "14 24 34 44", "SUM([a, b] * 2)": "22 4 66 8", "[a]": "1 2 3 4", "none": "",
		"SUM(METRICS() / a)": "11 1 11 1",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := e.Eval(env())
		if err != nil || got.text() != want {
			t.Errorf("%s is %q, %v; want %q", text, got.text(), err, want)
		}
	}
}

func TestWrongExpressions(t *testing.T) {
	for _, text := range []string{
		"", "a +", "(a", "a b", "a)", "SUM", "SUM(", "SUM(a", "SUM()", "NOPE(a)", "Upper", "a $ b", "'open", "[a", "IF(a)", "1e999 * a", "SEARCH('x')", strings.Repeat("(", 500) + "a" + strings.Repeat(")", 500),
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q can be read", text)
		}
	}
	for _, text := range []string{"1", "SUM(a)", "[a, b]", "'text'", "a + 'x'", "PERIOD(1) * a", "DIFF(1)", "FILL(a, 'x')", "[a, b] + [a, b]", "missing", "RATE(2)", "TIME_SERIES(a)", "ABS('x')", "IF('x', a)"} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if s, err := e.Eval(env()); err == nil {
			t.Errorf("%q comes to %v", text, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"SUM([a, b]) / 2 ^ -a", "FILL(METRICS(), REPEAT)", "IF(a > 1e3 && b, 'x', [1])", "-(-(a))"} {
		f.Add(text)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		if len(text) > 2048 {
			return
		}
		if e, err := Parse(text); err == nil {
			_, _ = e.Eval(env())
		}
	})
}
