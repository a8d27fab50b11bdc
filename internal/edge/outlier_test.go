package edge

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestOutlier: five bad ends in a row make an instance stand aside, for longer each time, until it does well again.
func TestOutlier(t *testing.T) {
	now := time.Unix(1e9, 0)
	var o outlier
	for range badInRow - 1 {
		o.observe(now, scoreBad)
	}
	o.observe(now, scoreGood)
	for range badInRow - 1 {
		if o.observe(now, scoreBad) {
			t.Fatal("a good end in between did not count")
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if !o.observe(now, scoreBad) {
			t.Fatal("does not stand aside")
		}
		want *= time.Second
		if !o.aside(now.Add(want-1)) || o.aside(now.Add(want)) {
			t.Fatalf("stands aside until %v; want %v", o.until.Sub(now), want)
		}
		now = now.Add(want)
	}
	o.observe(now, scoreGood)
	for range badInRow {
		o.observe(now, scoreBad)
	}
	if d := o.until.Sub(now); d != firstAside {
		t.Errorf("after a good end it stands aside for %v", d)
	}
}

// TestOutlierCounts: whatever happens, the counts are those of what was told, and nobody stands aside without bad ends.
func TestOutlierCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o outlier
		now := time.Unix(1e9, 0)
		var bad, all uint64
		for range rapid.IntRange(0, 200).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			s := score(rapid.IntRange(0, 2).Draw(t, "score"))
			if s != scoreNone {
				all++
			}
			if s == scoreBad {
				bad++
			}
			o.observe(now, s)
			if o.aside(now) && (bad < badInRow || o.until.Sub(now) > longestAside) {
				t.Fatalf("aside until %v after %d bad ends", o.until.Sub(now), bad)
			}
		}
		if o.requests != all || o.bad != bad {
			t.Fatalf("counted %d of %d and %d of %d", o.requests, all, o.bad, bad)
		}
	})
}
