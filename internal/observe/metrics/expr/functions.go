package expr

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// function is a function of metric math with the number of its arguments. do gets values that have been computed.
type function struct {
	least, most int
	do          func(env *Env, args []any) (any, error)
}

// functions are those that are served.
var functions = map[string]function{
	"ABS": simple(math.Abs), "CEIL": simple(math.Ceil), "FLOOR": simple(math.Floor), "LOG": simple(math.Log), "LOG10": simple(math.Log10),

	"SUM": aggregate(sum), "AVG": aggregate(mean), "MIN": aggregate(slices.Min[[]float64]), "MAX": aggregate(slices.Max[[]float64]),
	"STDDEV": aggregate(deviation),

	"DIFF":        over(func(_, v float64, _ time.Duration) float64 { return v }),
	"DIFF_TIME":   over(func(_, _ float64, span time.Duration) float64 { return span.Seconds() }),
	"RATE":        over(func(_, v float64, span time.Duration) float64 { return v / span.Seconds() }),
	"RUNNING_SUM": {1, 1, runningSum},

	"FILL": {2, 2, fill}, "IF": {2, 3, choose}, "TIME_SERIES": {1, 1, timeSeries}, "PERIOD": {1, 1, nil},
	"METRICS": {0, 0, metricsOf}, "METRIC_COUNT": {1, 1, metricCount}, "FIRST": {1, 1, end(0)}, "LAST": {1, 1, end(-1)},
}

func (c call) eval(env *Env) (any, error) {
	if c.name == "PERIOD" { // of an id, not of what it comes to
		id, is := c.args[0].(name)
		if period, known := env.Period[string(id)]; is && known {
			return period.Seconds(), nil
		}
		return nil, errors.New("PERIOD takes the id of a metric")
	}
	args := make([]any, len(c.args))
	for i, a := range c.args {
		var err error
		if args[i], err = a.eval(env); err != nil {
			return nil, err
		}
	}
	v, err := c.f.do(env, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return v, nil
}

func simple(f func(float64) float64) function {
	return function{1, 1, func(_ *Env, args []any) (any, error) { return each(args[0], f) }}
}

// aggregate makes a number of a series, and a series of a list.
func aggregate(f func([]float64) float64) function {
	return function{1, 1, func(_ *Env, args []any) (any, error) {
		switch v := args[0].(type) {
		case float64:
			return f([]float64{v}), nil
		case []Series:
			return across(v, f), nil
		case Series:
			if len(v) == 0 {
				return math.NaN(), nil // computing with it leaves no sample
			}
			values := make([]float64, len(v))
			for i, e := range v {
				values[i] = e.Value
			}
			return f(values), nil
		}
		return nil, errors.New("a text has no values")
	}}
}

func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

func mean(values []float64) float64 { return sum(values) / float64(len(values)) }

// deviation is the standard deviation of all there are.
func deviation(values []float64) float64 {
	m, squares := mean(values), 0.0
	for _, v := range values {
		squares += (v - m) * (v - m)
	}
	return math.Sqrt(squares / float64(len(values)))
}

// onSeries calls f for a series, or each of a list.
func onSeries(v any, f func(Series) Series) (any, error) {
	switch v := v.(type) {
	case Series:
		return f(v), nil
	case []Series:
		return mapped(v, f), nil
	}
	return nil, errors.New("it takes a time series")
}

// over computes with the difference between a sample and the one before, and the time between them.
func over(f func(before, difference float64, span time.Duration) float64) function {
	return function{1, 1, func(_ *Env, args []any) (any, error) {
		return onSeries(args[0], func(s Series) Series {
			out := Series{}
			for i := 1; i < len(s); i++ {
				out = out.with(s[i].At, f(s[i-1].Value, s[i].Value-s[i-1].Value, s[i].At.Sub(s[i-1].At)))
			}
			return out
		})
	}}
}

func runningSum(_ *Env, args []any) (any, error) {
	return onSeries(args[0], func(s Series) Series {
		out, total := Series{}, 0.0
		for _, e := range s {
			total += e.Value
			out = out.with(e.At, total)
		}
		return out
	})
}

// fill gives a series values where it has none: a number, the last one before (REPEAT), or those on the line between its neighbours (LINEAR).
func fill(env *Env, args []any) (any, error) {
	var f func(Series, time.Time, int) (float64, bool)
	switch with := args[1].(type) {
	case float64:
		f = func(Series, time.Time, int) (float64, bool) { return with, true }
	case Series:
		f = with.at
	case string:
		if f = map[string]func(Series, time.Time, int) (float64, bool){"REPEAT": repeat, "LINEAR": linear}[with]; f == nil {
			return nil, errors.New("it fills with a number, a time series, REPEAT or LINEAR")
		}
	default:
		return nil, errors.New("it fills with a number, a time series, REPEAT or LINEAR")
	}
	return onSeries(args[0], func(s Series) Series {
		out, n := Series{}, 0
		for _, at := range env.Moments {
			if n < len(s) && s[n].At.Equal(at) {
				out, n = append(out, s[n]), n+1
			} else if v, known := f(s, at, n); known {
				out = out.with(at, v)
			}
		}
		return out
	})
}

// at is the value of a series that fills another.
func (s Series) at(_ Series, at time.Time, _ int) (float64, bool) {
	i, found := slices.BinarySearchFunc(s, at, func(e Sample, t time.Time) int { return e.At.Compare(t) })
	if !found {
		return 0, false
	}
	return s[i].Value, true
}

func repeat(s Series, _ time.Time, next int) (float64, bool) {
	if next == 0 {
		return 0, false
	}
	return s[next-1].Value, true
}

func linear(s Series, at time.Time, next int) (float64, bool) {
	if next == 0 || next == len(s) {
		return 0, false
	}
	a, b := s[next-1], s[next]
	part := float64(at.Sub(a.At)) / float64(b.At.Sub(a.At))
	return a.Value + part*(b.Value-a.Value), true
}

// choose takes what the second argument has where the first is true, and what the third has where it is not.
func choose(env *Env, args []any) (any, error) {
	if c, is := args[0].(float64); is {
		switch {
		case c != 0:
			return args[1], nil
		case len(args) == 3:
			return args[2], nil
		}
		return Series{}, nil
	}
	condition, is := args[0].(Series)
	if !is {
		return nil, errors.New("its condition must be a number or a time series")
	}
	var sides [2]Series
	for i, a := range args[1:] {
		switch a := a.(type) {
		case Series:
			sides[i] = a
		case float64:
			sides[i] = constant(env, a)
		default:
			return nil, errors.New("it takes numbers and time series")
		}
	}
	out := Series{}
	for _, e := range condition {
		side := sides[1]
		if e.Value != 0 {
			side = sides[0]
		}
		if v, known := side.at(nil, e.At, 0); known {
			out = append(out, Sample{e.At, v})
		}
	}
	return out, nil
}

func timeSeries(env *Env, args []any) (any, error) {
	if f, is := args[0].(float64); is {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return Series{}, nil
		}
		return constant(env, f), nil
	}
	return nil, errors.New("it takes a number")
}

func metricsOf(env *Env, _ []any) (any, error) {
	list := []Series{}
	for _, id := range env.Metrics {
		list = append(list, env.Series[id])
	}
	return list, nil
}

func metricCount(_ *Env, args []any) (any, error) {
	if list, is := args[0].([]Series); is {
		return float64(len(list)), nil
	}
	return 1.0, nil
}

// end is the first or the last value of a series.
func end(which int) func(*Env, []any) (any, error) {
	return func(_ *Env, args []any) (any, error) {
		s, is := args[0].(Series)
		switch {
		case !is:
			return nil, errors.New("it takes a time series")
		case len(s) == 0:
			return math.NaN(), nil
		case which < 0:
			return s[len(s)-1].Value, nil
		}
		return s[0].Value, nil
	}
}
