package scale_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/scale"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// service plays a service against Decide: instances are there at once, and the load is given.
type service struct {
	conf    scale.Config
	now     time.Time
	running int
	active  int
	samples []scale.Sample
	busy    time.Duration
	cpu     time.Duration
}

func newService(c scale.Config) *service {
	return &service{conf: c, now: noon, running: c.Min, active: c.Min}
}

// runs lets time pass under a load and returns how many instances run in the end.
func (s *service) runs(load float64, lasting, step time.Duration) int {
	for end := s.now.Add(lasting); s.now.Before(end); {
		s.now = s.now.Add(step)
		s.busy += time.Duration(load * float64(step))
		s.decide()
	}
	return s.running
}

func (s *service) decide() scale.Decision {
	s.samples = append(s.samples, scale.Sample{At: s.now, Busy: s.busy, CPU: s.cpu})
	d := scale.Decide(s.now, s.samples, s.set(), s.conf)
	s.samples[len(s.samples)-1].Need = d.Need
	s.samples = scale.Trim(s.now, s.samples, s.conf)
	s.running, s.active = d.Want, d.Active
	return d
}

func (s *service) set() scale.Set { return scale.Set{Running: s.running, Active: s.active} }

const second = time.Second

// checklist: 104, 105, 107
func TestStepUpAndDown(t *testing.T) {
	s := newService(scale.Config{Min: 1, Max: 25, Concurrency: 10})
	if n := s.runs(8, 30*second, second); n != 1 {
		t.Errorf("with 8 of 10 requests %d instances run", n)
	}
	if n := s.runs(100, second, second/10); n != 10 {
		t.Errorf("a second after a step to 100 requests %d instances run, want 10", n)
	}
	if n := s.runs(0, 50*second, second); n != 10 {
		t.Errorf("before the quiet time is over %d instances run, want 10", n)
	}
	if n := s.runs(0, 20*second, second); n != 1 {
		t.Errorf("after the quiet time %d instances run, want 1", n)
	}
	if n := s.runs(10000, 3*second, second/10); n != 25 {
		t.Errorf("under a great load %d instances run, want the 25 allowed", n)
	}
}

// checklist: 106
func TestMinimum(t *testing.T) {
	s := newService(scale.Config{Min: 3, Max: 5, Concurrency: 10})
	if n := s.runs(0, 300*second, second); n != 3 {
		t.Errorf("an idle service has %d instances, want 3", n)
	}
}

func TestToZeroAndBack(t *testing.T) {
	s := newService(scale.Config{Min: 2, Max: 5, Concurrency: 10, ToZero: true})
	if n := s.runs(0.001, 300*second, second); n != 2 {
		t.Errorf("with one request now and then %d instances run, want 2", n)
	}
	if n := s.runs(0, 59*second, second); n != 2 {
		t.Errorf("before the quiet time is over %d instances run", n)
	}
	if n := s.runs(0, 10*second, second); n != 0 {
		t.Errorf("after the quiet time %d instances run, want none", n)
	}
	s.runs(0, 100*second, second)
	if n := s.runs(1, time.Millisecond, time.Millisecond); n != 2 {
		t.Errorf("a millisecond after a request came %d instances run, want 2", n)
	}
}

// TestShortSpike: what is over within a moment is waited out.
func TestShortSpike(t *testing.T) {
	s := newService(scale.Config{Min: 1, Max: 25, Concurrency: 10})
	s.runs(1, 30*second, second)
	s.runs(40, 20*time.Millisecond, 10*time.Millisecond)
	if n := s.runs(1, second, 100*time.Millisecond); n != 1 {
		t.Errorf("after a spike of 20 ms %d instances run", n)
	}
}

func TestProcessors(t *testing.T) {
	s := newService(scale.Config{Min: 1, Max: 9, Concurrency: 100, CPUTarget: 50, Processors: 0.5})
	for range 20 {
		s.now, s.busy, s.cpu = s.now.Add(second), s.busy+second, s.cpu+second
		s.decide()
	}
	if s.running != 4 {
		t.Errorf("one second of CPU a second at 50 %% of half a processor: %d instances, want 4", s.running)
	}
}

func TestNoHistoryLetsNothingGo(t *testing.T) {
	c := scale.Config{Min: 1, Max: 25, Concurrency: 10}
	if d := scale.Decide(noon, nil, scale.Set{Running: 7, Active: 3}, c); d.Want != 7 || d.Active != 3 {
		t.Errorf("without samples %d instances are wanted, %d active; 7 run, 3 active", d.Want, d.Active)
	}
	if d := scale.Decide(noon, nil, scale.Set{Running: 70, Active: 70}, c); d.Want != 25 {
		t.Errorf("%d instances are wanted, want the 25 allowed", d.Want)
	}
}

func drawConfig(t *rapid.T) scale.Config {
	c := scale.Config{
		Min: rapid.IntRange(1, 25).Draw(t, "min"), Concurrency: rapid.IntRange(1, 200).Draw(t, "concurrency"),
		ToZero: rapid.Bool().Draw(t, "to zero"), Quiet: time.Duration(rapid.IntRange(1, 120).Draw(t, "quiet")) * second,
	}
	c.Max = rapid.IntRange(c.Min, 25).Draw(t, "max")
	return c
}

// TestAlways: whatever the load does, the number is allowed, what was just needed stays for the quiet time, and a steady load gets
// what it needs.
func TestAlways(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		s := newService(c)
		var grown time.Time
		for range rapid.IntRange(1, 30).Draw(t, "turns") {
			load := rapid.Float64Range(0, float64(c.Concurrency*30)).Draw(t, "load")
			lasting := time.Duration(rapid.IntRange(1, 60000).Draw(t, "ms")) * time.Millisecond
			step := time.Duration(rapid.IntRange(50, 1000).Draw(t, "step")) * time.Millisecond
			for end := s.now.Add(lasting); s.now.Before(end); {
				before := s.running
				s.runs(load, step, step)
				switch n := s.running; {
				case s.active < 0 || s.active > n:
					t.Fatalf("%d of %d instances are active", s.active, n)
				case n > c.Max, n < c.Min && n != 0, n == 0 && !c.ToZero:
					t.Fatalf("%d instances with limits %d to %d", n, c.Min, c.Max)
				case n > before:
					grown = s.now
				case n < before && s.now.Sub(grown) < c.Quiet:
					t.Fatalf("%d of %d instances go %s after the last were added", before-n, before, s.now.Sub(grown))
				}
			}
		}
		level := rapid.IntRange(1, c.Max).Draw(t, "level")
		if n := s.runs(float64(level*c.Concurrency), 7*second, second/10); n < level || s.active < level {
			t.Fatalf("a steady load of %d instances has %d, %d of them active", level, n, s.active)
		}
		want := c.Min
		if c.ToZero {
			want = 0
		}
		if n := s.runs(0, c.Quiet+8*second, second); n != want || s.active != 0 {
			t.Fatalf("after the quiet time %d instances run, %d of them active; want %d, 0", n, s.active, want)
		}
		if len(s.samples) > 600 {
			t.Fatalf("%d samples are kept", len(s.samples))
		}
	})
}

// TestMoreNeedsNoFewer: of two services that differ only in what was asked of them last, the busier never wants fewer instances.
func TestMoreNeedsNoFewer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newService(drawConfig(t))
		for range rapid.IntRange(1, 50).Draw(t, "samples") {
			step := time.Duration(rapid.IntRange(50, 5000).Draw(t, "step")) * time.Millisecond
			s.runs(rapid.Float64Range(0, 3000).Draw(t, "load"), step, step)
		}
		calm := scale.Decide(s.now, s.samples, s.set(), s.conf)
		s.samples[len(s.samples)-1].Busy += time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))
		if busy := scale.Decide(s.now, s.samples, s.set(), s.conf); busy.Want < calm.Want {
			t.Fatalf("%d instances when calm, %d when busier", calm.Want, busy.Want)
		}
	})
}
