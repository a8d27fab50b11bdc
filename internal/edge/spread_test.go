package edge

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The middle of the bucket that a time falls into is never more than 1.6 % away from it.
func TestSpreadIsFine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(int64(time.Millisecond/16), int64(131*time.Second)).Draw(t, "took"))
		ms := float64(took) / float64(time.Millisecond)
		if got := Spread(nil).Milliseconds(spreadBucket(took)); math.Abs(got-ms) > 0.016*ms {
			t.Errorf("%v is shown as %v ms", took, got)
		}
	})
	for _, extreme := range []time.Duration{-1, 0, 1, math.MaxInt64} {
		if b := spreadBucket(extreme); b < 0 || b >= spreadSize {
			t.Errorf("%v falls into bucket %d", extreme, b)
		}
	}
}

// What was counted since an earlier reading survives the way from one process to another; what began anew has no difference.
func TestSpreadTravels(t *testing.T) {
	var c counters
	c.done(200, 3*time.Millisecond, 0, 0)
	before := c.read()
	c.done(200, 3*time.Millisecond, 0, 0)
	c.done(200, time.Second, 0, 0)
	text, err := json.Marshal(c.read())
	if err != nil {
		t.Fatal(err)
	}
	var now Counters
	if err := json.Unmarshal(text, &now); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(now.Spread, c.read().Spread) {
		t.Errorf("%v arrived as %v", c.read().Spread, now.Spread)
	}
	d := now.Spread.Since(before.Spread)
	if d[spreadBucket(3*time.Millisecond)] != 1 || d[spreadBucket(time.Second)] != 1 {
		t.Errorf("since the first: %v", d)
	}
	if before.Spread.Since(now.Spread) != nil {
		t.Error("fewer than before have a difference")
	}
	if sum := before.Spread.plus(now.Spread); sum[spreadBucket(3*time.Millisecond)] != 3 || sum[spreadBucket(time.Second)] != 1 {
		t.Errorf("sum: %v", sum)
	}
}

func FuzzSpread(f *testing.F) {
	f.Add("AQIDBA")
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Spread
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		packed, _ := s.MarshalText()
		if err := again.UnmarshalText(packed); err != nil {
			t.Fatalf("%q of %q: %v", packed, text, err)
		}
	})
}
