package reconcile

import (
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
)

// TestMeter: a sum that begins anew with its owner goes on, and what was read late counts for nothing.
func TestMeter(t *testing.T) {
	var m meter
	first, second := noon, noon.Add(time.Minute)
	for _, step := range []struct {
		owner time.Time
		sum   time.Duration
		newer bool
		total time.Duration
	}{
		{first, 5, true, 5}, {first, 9, true, 9}, {first, 7, false, 9}, {second, 2, true, 11}, {first, 10, false, 11}, {second, 2, true, 11}, {second, 6, true, 15},
	} {
		if newer := m.read(step.owner, step.sum); newer != step.newer || m.sum != step.total {
			t.Errorf("after %+v: newer %t, sum %d", step, newer, m.sum)
		}
	}
}

func TestPatience(t *testing.T) {
	for start, want := range map[time.Duration]time.Duration{
		0: 10 * time.Second, time.Second: 10 * time.Second, 4 * time.Second: 14 * time.Second, 4100 * time.Millisecond: 15 * time.Second, time.Hour: 100 * time.Second,
	} {
		if got := patienceFor(start); got != want {
			t.Errorf("a mean start of %s: %s, want %s", start, got, want)
		}
	}
}

// TestMeanStart: only instances that were started under our eyes count.
func TestMeanStart(t *testing.T) {
	tr := newTraffic(noon, time.Minute)
	v := running(func(*view) {})
	v.edge.StartedAt, v.svc.AutoScaling.MaxSize = noon, 5
	v.edge.Targets["a"] = edge.TargetStatus{Health: edge.Healthy, HealthySince: noon}
	at := func(after time.Duration) time.Time { v.edge.at = noon.Add(after); return v.edge.at }
	tr.observe(at(time.Second), v, nil)
	if p := tr.patience()[v.svc.ARN()]; p != leastPatience {
		t.Errorf("an instance started long ago makes requests wait %s", p)
	}
	v.rows = append(v.rows, apprunner.Instance{ID: "b", Phase: apprunner.PhaseActive, CreatedAt: noon.Add(2 * time.Second)})
	v.edge.Targets["b"] = edge.TargetStatus{Health: edge.Healthy, HealthySince: noon.Add(8 * time.Second)}
	tr.observe(at(9*time.Second), v, nil)
	if p := tr.patience()[v.svc.ARN()]; p != 21*time.Second {
		t.Errorf("a start of 6 s makes requests wait %s, want 21 s", p)
	}
	if n, _ := tr.observe(at(10*time.Second), v, nil); n != 2 {
		t.Errorf("before a quiet time has been watched %d of 2 instances are wanted", n)
	}
}
