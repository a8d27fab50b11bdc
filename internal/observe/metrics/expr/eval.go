package expr

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Sample is a value at a moment.
type Sample struct {
	At    time.Time
	Value float64
}

// Series are samples, oldest first, no two at one moment.
type Series []Sample

// Env is what an expression is computed in.
type Env struct {
	// Series are the ids that may be used, [Expr.Names] at least.
	Series map[string]Series
	// Metrics are the ids of the metrics of the request, in its order.
	Metrics []string
	// Period is that of each id.
	Period map[string]time.Duration
	// Moments are those that a complete series has.
	Moments []time.Time
}

// Eval computes the expression, which must come to one series.
func (e *Expr) Eval(env Env) (Series, error) {
	v, err := e.root.eval(&env)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case Series:
		return v, nil
	case []Series:
		if len(v) == 1 {
			return v[0], nil
		}
		return nil, fmt.Errorf("the expression comes to %d time series; here it has to come to one", len(v))
	}
	return nil, errors.New("the expression does not come to a time series; TIME_SERIES makes one of a number")
}

// node is a part of an expression. It comes to a float64, a Series, a []Series or, for the words of some functions, a string.
type node interface{ eval(env *Env) (any, error) }

type (
	number    float64
	text      string
	name      string
	array     []node
	operation struct {
		op          string
		left, right node
	}
	call struct {
		name string
		f    function
		args []node
	}
)

func (n number) eval(*Env) (any, error) { return float64(n), nil }
func (t text) eval(*Env) (any, error)   { return string(t), nil }

func (n name) eval(env *Env) (any, error) {
	s, there := env.Series[string(n)]
	if !there {
		return nil, fmt.Errorf("there is no id %q in the request", string(n))
	}
	return s, nil
}

// eval makes a list of all series in it.
func (a array) eval(env *Env) (any, error) {
	out := []Series{}
	for _, n := range a {
		v, err := n.eval(env)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case Series:
			out = append(out, v)
		case []Series:
			out = append(out, v...)
		case float64:
			out = append(out, constant(env, v))
		default:
			return nil, errors.New("a list holds time series and numbers only")
		}
	}
	return out, nil
}

// constant is a series of one number.
func constant(env *Env, f float64) Series {
	s := make(Series, len(env.Moments))
	for i, at := range env.Moments {
		s[i] = Sample{at, f}
	}
	return s
}

func (o operation) eval(env *Env) (any, error) {
	left, err := o.left.eval(env)
	if err != nil {
		return nil, err
	}
	right, err := o.right.eval(env)
	if err != nil {
		return nil, err
	}
	return join(left, right, operators[o.op])
}

// operators compute with two numbers. What is true is 1, what is not is 0.
var operators = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b }, "^": math.Pow,
	"<": func(a, b float64) float64 { return truth(a < b) }, "<=": func(a, b float64) float64 { return truth(a <= b) },
	">": func(a, b float64) float64 { return truth(a > b) }, ">=": func(a, b float64) float64 { return truth(a >= b) },
	"==": func(a, b float64) float64 { return truth(a == b) }, "!=": func(a, b float64) float64 { return truth(a != b) },
	"&&": func(a, b float64) float64 { return truth(a != 0 && b != 0) }, "||": func(a, b float64) float64 { return truth(a != 0 || b != 0) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// join computes with two values: numbers with every sample, series where both have one, lists item by item.
func join(left, right any, f func(a, b float64) float64) (any, error) {
	switch l := left.(type) {
	case float64:
		if r, is := right.(float64); is {
			return f(l, r), nil
		}
		return each(right, func(v float64) float64 { return f(l, v) })
	case Series:
		switch r := right.(type) {
		case float64:
			return each(left, func(v float64) float64 { return f(v, r) })
		case Series:
			return meet(l, r, f), nil
		case []Series:
			return mapped(r, func(s Series) Series { return meet(l, s, f) }), nil
		}
	case []Series:
		switch r := right.(type) {
		case float64:
			return each(left, func(v float64) float64 { return f(v, r) })
		case Series:
			return mapped(l, func(s Series) Series { return meet(s, r, f) }), nil
		}
		return nil, errors.New("two lists of time series cannot be computed with each other")
	}
	return nil, errors.New("a text cannot be computed with")
}

// meet joins two series at the moments that both have. What is no number is left out, such as a quotient of zero.
func meet(a, b Series, f func(a, b float64) float64) Series {
	out := Series{}
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].At.Compare(b[0].At); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			out = out.with(a[0].At, f(a[0].Value, b[0].Value))
			a, b = a[1:], b[1:]
		}
	}
	return out
}

// with adds a sample, unless it is no number.
func (s Series) with(at time.Time, v float64) Series {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return s
	}
	return append(s, Sample{at, v})
}

func mapped(list []Series, f func(Series) Series) []Series {
	out := make([]Series, len(list))
	for i, s := range list {
		out[i] = f(s)
	}
	return out
}

// each computes with every number of a value.
func each(v any, f func(float64) float64) (any, error) {
	over := func(s Series) Series {
		out := Series{}
		for _, e := range s {
			out = out.with(e.At, f(e.Value))
		}
		return out
	}
	switch v := v.(type) {
	case float64:
		return f(v), nil
	case Series:
		return over(v), nil
	case []Series:
		return mapped(v, over), nil
	}
	return nil, errors.New("a text cannot be computed with")
}

// across gives, for every moment that one of the series has, what f makes of the values there.
func across(list []Series, f func([]float64) float64) Series {
	values := map[int64][]float64{}
	var moments []time.Time
	for _, s := range list {
		for _, e := range s {
			at := e.At.UnixNano()
			if values[at] == nil {
				moments = append(moments, e.At)
			}
			values[at] = append(values[at], e.Value)
		}
	}
	slices.SortFunc(moments, func(a, b time.Time) int { return cmp.Compare(a.UnixNano(), b.UnixNano()) })
	out := Series{}
	for _, at := range moments {
		out = out.with(at, f(values[at.UnixNano()]))
	}
	return out
}
