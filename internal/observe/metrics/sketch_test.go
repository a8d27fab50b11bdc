package metrics

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// numbers draws values as they come in metrics, zero, negative and tiny ones included.
func numbers(t *rapid.T, name string) []float64 {
	one := rapid.OneOf(rapid.Float64Range(-1e9, 1e9), rapid.Float64Range(0, 1), rapid.Float64Range(1e-300, 1e300), rapid.Just(0.0), rapid.Map(rapid.IntRange(-50, 50), func(n int) float64 { return float64(n) }))
	return rapid.SliceOfN(one, 1, 200).Draw(t, name)
}

func ones(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// A percentile is at most 1.6 % away from the value of its rank, however the values came together; count, sum and extremes are exact.
func TestPercentilesOfMergedPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers(t, "a"), numbers(t, "b")
		both := slices.Concat(a, b)
		p := Values(a, ones(len(a))).Plus(Values(b, ones(len(b))))
		slices.Sort(both)
		if p.Count != float64(len(both)) || p.Min != both[0] || p.Max != both[len(both)-1] {
			t.Fatalf("%+v of %v", p, both)
		}
		percent := rapid.Float64Range(0, 100).Draw(t, "percent")
		rank := max(0, int(math.Ceil(percent/100*float64(len(both))))-1)
		got, known := p.Percentile(percent)
		// One rank beside: the product above is rounded differently here and there.
		near := func(i int) bool {
			i = min(max(i, 0), len(both)-1)
			return math.Abs(got-both[i]) <= 0.016*math.Abs(both[i])+1e-300
		}
		if !known || !near(rank) && !near(rank+1) && !near(rank-1) {
			t.Fatalf("p%v of %v is %v", percent, both, got)
		}
	})
}

// It does not matter in which order points come together, nor whether they were in the database meanwhile.
func TestPointsMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []Point
		for range rapid.IntRange(2, 5).Draw(t, "parts") {
			v := numbers(t, "values")
			parts = append(parts, Values(v, ones(len(v))))
		}
		var forward, backward Point
		for i := range parts {
			forward, backward = forward.Plus(parts[i]), backward.Plus(parts[len(parts)-1-i])
		}
		if !slices.Equal(forward.spread(), backward.spread()) || forward.Count != backward.Count || forward.Min != backward.Min || forward.Max != backward.Max {
			t.Fatalf("%+v\n%+v", forward, backward)
		}
		r := reader{b: forward.append(nil)}
		back := r.point()
		if r.err != nil || len(r.b) > 0 || !slices.Equal(back.spread(), forward.spread()) || back.Sum != forward.Sum || back.Count != forward.Count {
			t.Fatalf("%+v came back as %+v, %v", forward, back, r.err)
		}
	})
}

// A minute of one request takes few bytes: most minutes of most services are like that.
func TestPointsAreSmall(t *testing.T) {
	for _, p := range []Point{Value(0), Value(1), Value(250)} {
		if b := p.append(nil); len(b) > 5 {
			t.Errorf("%+v takes %d bytes", p, len(b))
		}
	}
}

func TestBlindPointsKnowNoPercentiles(t *testing.T) {
	blind := Sums(3, 9, 1, 5)
	if _, known := blind.Percentile(50); known {
		t.Error("a percentile of three values of which only the sums are known")
	}
	if _, known := blind.Plus(Value(2)).Percentile(50); known {
		t.Error("one more value does not make it known")
	}
	if v, known := Sums(4, 8, 2, 2).Percentile(50); !known || v != 2 {
		t.Errorf("values that are all the same: %v, %v", v, known)
	}
	r := reader{b: blind.append(nil)}
	if back := r.point(); !reflect.DeepEqual(back, blind) {
		t.Errorf("%+v came back as %+v", blind, back)
	}
}

// The mean that is known exactly stays between the extremes that are known roughly.
func TestKnownSum(t *testing.T) {
	p := Values([]float64{10}, []float64{4}).WithSum(41)
	if p.Sum/p.Count < p.Min || p.Sum/p.Count > p.Max {
		t.Errorf("%+v", p)
	}
	if (Point{}).WithSum(3).Count != 0 {
		t.Error("a sum of nothing")
	}
}

func FuzzMinute(f *testing.F) {
	f.Add(Values([]float64{1, 2, 300}, ones(3)).append(appendNumber(nil, 0)))
	f.Add(Sums(2, 3, 1, 2).append(appendNumber(Value(7).append(appendNumber(nil, 0)), 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = eachPoint(body, func(_ int, p Point) { p.Percentile(99); p.Plus(Value(1)) })
	})
}
