package meter

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

// world is a meter over a real database; the edge and the instances say what the test wants.
type world struct {
	*Meter
	t    *testing.T
	db   *store.DB
	data *metrics.Metrics

	mu    sync.Mutex
	now   time.Time
	edge  edge.Status
	away  bool
	stats map[string]instance.Stats
}

func (w *world) Status(context.Context) (edge.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return edge.Status{}, errors.New("away")
	}
	return w.edge, nil
}

func (w *world) Stats(_ context.Context, id string) (instance.Stats, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, there := w.stats[id]
	if !there {
		return s, instance.ErrUnknown
	}
	s.At = w.now
	return s, nil
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{
		t: t, db: db, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), stats: map[string]instance.Stats{},
		edge: edge.Status{Services: map[string]edge.Counters{}, Targets: map[string]edge.TargetStatus{}},
	}
	if w.data, err = metrics.Open(t.Context(), metrics.Config{DB: db, Retention: time.Hour, Now: w.time}); err != nil {
		t.Fatal(err)
	}
	w.restart()
	return w
}

// restart begins with another meter over the same database, as after a kill.
func (w *world) restart() {
	w.t.Helper()
	var err error
	w.Meter, err = Open(w.t.Context(), Config{DB: w.db, Edge: w, Instances: w, Metrics: w.data, Now: w.time, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
}

// service makes a service with running instances.
func (w *world) service(name string, instances ...string) apprunner.Service {
	w.t.Helper()
	s := apprunner.Service{Scope: scope, Name: name, ID: apprunner.NewID(), Status: apprunner.StatusRunning, CreatedAt: w.now}
	s.Settings.Instance = apprunner.InstanceConfiguration{CPU: 512, Memory: 1024}
	err := w.db.Update(w.t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertService(s); err != nil {
			return err
		}
		for _, id := range instances {
			if err := tx.PutInstance(apprunner.Instance{ID: id, ServiceARN: s.ARN(), Phase: apprunner.PhaseActive, CreatedAt: w.now}); err != nil {
				return err
			}
			w.edge.Targets[id] = edge.TargetStatus{ServiceARN: s.ARN(), Phase: edge.Active}
			w.stats[id] = instance.Stats{MemoryLimit: 1024 << 20}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// serve lets the edge count requests to an instance, each of which took so long.
func (w *world) serve(s apprunner.Service, id string, n int, took time.Duration) {
	w.set(func() {
		c := w.edge.Services[s.ARN()]
		c.Requests, c.Status2xx = c.Requests+uint64(n), c.Status2xx+uint64(n)
		c.LatencySum, c.Busy = c.LatencySum+time.Duration(n)*took, c.Busy+time.Duration(n)*took
		w.edge.Services[s.ARN()] = c
		target := w.edge.Targets[id]
		target.Requests += uint64(n)
		w.edge.Targets[id] = target
	})
}

// pass lets time pass, with a measurement at every quarter of a minute as Run makes them.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.set(func() { w.now = w.now.Truncate(Every).Add(Every) })
		if err := w.measure(w.t.Context(), w.now.Truncate(time.Minute).Equal(w.now), 0); err != nil && !w.away {
			w.t.Fatal(err)
		}
	}
}

// values are those of a metric minute by minute from the beginning on.
func (w *world) values(s apprunner.Service, instance, metric string, stat metrics.Statistic) (list []float64) {
	w.t.Helper()
	from := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	buckets, err := w.data.Read(w.t.Context(), metrics.Span{Series: seriesOf(s, instance), Metric: metric, From: from, To: from.Add(time.Hour), Period: time.Minute})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range buckets {
		v, _ := stat.Of(b.Point)
		list = append(list, v)
	}
	return list
}

func (w *world) want(s apprunner.Service, instance, metric string, stat metrics.Statistic, want ...float64) {
	w.t.Helper()
	got := w.values(s, instance, metric, stat)
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		d := got[i] - want[i]
		ok = ok && d < 1e-6 && d > -1e-6
	}
	if !ok {
		w.t.Errorf("%s of %q: %v, want %v", metric, instance, got, want)
	}
}

// Requests fall into the minute in which they end; a running service without any has zeros, one that is paused has nothing.
//
// checklist: 156, 157
func TestRequestsByMinute(t *testing.T) {
	w := newWorld(t)
	s := w.service("web", "i1", "i2")
	w.pass(time.Minute)
	w.serve(s, "i1", 3, time.Second)
	w.pass(30 * time.Second)
	w.serve(s, "i1", 4, time.Second)
	w.serve(s, "i2", 1, time.Second)
	w.pass(90 * time.Second)
	w.want(s, "", "Requests", "Sum", 0, 8, 0)
	w.want(s, "", "2xxStatusResponses", "Sum", 0, 8, 0)
	w.want(s, "", "5xxStatusResponses", "Sum", 0, 0, 0)
	w.want(s, "", "ActiveInstances", "Maximum", 0, 2, 0)
	w.want(s, "", "Concurrency", "Average", 0, 8.0/60, 0)
	w.want(s, "", "Requests", "SampleCount", 1, 1, 1)
	status := func(st apprunner.ServiceStatus) {
		if err := w.db.Update(t.Context(), func(tx *store.Tx) error { s.Status = st; return tx.PutService(s) }); err != nil {
			t.Fatal(err)
		}
	}
	status(apprunner.StatusPaused)
	w.serve(s, "i1", 5, time.Second) // turned away
	w.pass(2 * time.Minute)
	w.want(s, "", "Requests", "Sum", 0, 8, 0)
	status(apprunner.StatusRunning)
	w.pass(time.Minute)
	w.want(s, "", "Requests", "Sum", 0, 8, 0, 0)
}

// What was served while nobody measured is counted afterwards, and once; an edge that begins anew is noticed.
func TestRestarts(t *testing.T) {
	w := newWorld(t)
	s := w.service("web", "i1")
	w.pass(time.Minute)
	w.serve(s, "i1", 3, time.Second)
	w.pass(30 * time.Second)
	w.restart() // before the minute was written
	w.serve(s, "i1", 2, time.Second)
	w.set(func() { w.now = w.now.Add(30 * time.Second) })
	w.restart()
	w.pass(time.Minute)
	total := 0.0
	for _, v := range w.values(s, "", "Requests", "Sum") {
		total += v
	}
	if total != 5 {
		t.Errorf("%v requests of 5", total)
	}
	w.set(func() { w.away = true })
	w.pass(time.Minute)
	w.set(func() { w.away = false; w.edge.Services = map[string]edge.Counters{} })
	w.serve(s, "i1", 1, time.Second)
	w.pass(time.Minute)
	for _, v := range w.values(s, "", "Requests", "Sum") {
		total -= v
	}
	if total != -1 {
		t.Errorf("a new edge that served 1 request changed the sum by %v", -total)
	}
}

// A reader sees what has just happened, and that the minute goes on after it.
func TestRunningMinuteIsRead(t *testing.T) {
	w := newWorld(t)
	s := w.service("web", "i1")
	w.pass(time.Minute)
	for range 3 {
		w.serve(s, "i1", 2, time.Second)
		w.set(func() { w.now = w.now.Add(time.Second) })
		if err := w.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.want(s, "", "Requests", "Sum", 0, 6)
	w.want(s, "", "Requests", "SampleCount", 1, 1)
	w.serve(s, "i1", 2, time.Second)
	w.pass(time.Minute)
	got := w.values(s, "", "Requests", "Sum")
	if len(got) != 3 && len(got) != 2 || got[1] != 8 {
		t.Errorf("%v", got)
	}
}

// Use is the mean over the minute, in percent of what an instance has; that of the service is over all instances.
//
// checklist: 155
func TestUse(t *testing.T) {
	w := newWorld(t)
	s := w.service("web", "i1", "i2")
	w.pass(Every)
	for step := range 8 {
		w.set(func() {
			a, b := w.stats["i1"], w.stats["i2"]
			a.CPUUsec += uint64(Every/time.Microsecond) / 4 // a quarter of a processor is half of 512 units
			b.CPUUsec += uint64(Every/time.Microsecond) / 2
			a.MemoryBytes = uint64(step) << 26 // 64 MiB more each time
			b.MemoryBytes = 512 << 20
			w.stats["i1"], w.stats["i2"] = a, b
		})
		w.pass(Every)
	}
	if err := w.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.want(s, "i1", "CPUUtilization", "Average", 50, 50, 50)
	w.want(s, "i2", "CPUUtilization", "Average", 100, 100, 100)
	w.want(s, "", "CPUUtilization", "Average", 75, 75, 75)
	w.want(s, "", "CPUUtilization", "SampleCount", 6, 8, 2)
	if got := w.values(s, "i1", "MemoryUtilization", "Average"); len(got) < 2 || got[1] != (3+4+5+6)*6.25/4 {
		t.Errorf("memory of i1: %v", got)
	}
}

// Latencies have percentiles, and their mean is exact.
func TestLatency(t *testing.T) {
	var before edge.Counters
	now := edge.Counters{Requests: 100, LatencySum: 90*10*time.Millisecond + 10*time.Second, Spread: make(edge.Spread, 600)}
	for bucket := range now.Spread {
		switch ms := now.Spread.Milliseconds(bucket); {
		case ms > 9.9 && ms < 10.2 && now.Spread[max(0, bucket-1)] == 0:
			now.Spread[bucket] = 90
		case ms > 990 && ms < 1020 && now.Spread[bucket-1] == 0:
			now.Spread[bucket] = 10
		}
	}
	p := latency(since(before, now))
	for stat, want := range map[metrics.Statistic]float64{"SampleCount": 100, "Average": 109, "p50": 10, "p90": 10, "p95": 1000, "p99": 1000} {
		if got, _ := stat.Of(p); got < want*0.97 || got > want*1.03 {
			t.Errorf("%s is %v, want %v", stat, got, want)
		}
	}
	one := edge.Counters{Requests: 101, LatencySum: now.LatencySum + 7*time.Millisecond, Spread: append(edge.Spread(nil), now.Spread...)}
	one.Spread[400]++
	if p := latency(since(now, one)); p.Count != 1 || p.Max != 7 {
		t.Errorf("one request: %+v", p)
	}
}

// Run tells when a minute is complete, and ends when it is told to.
func TestRun(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w.Meter.conf.Now = time.Now
		w.Meter.conf.Log = slog.New(slog.DiscardHandler)
		complete := make(chan time.Time, 10)
		done := make(chan error)
		go func() { done <- w.Run(ctx, func() { complete <- time.Now() }) }()
		for range 3 {
			if at := <-complete; !at.Truncate(time.Minute).Equal(at) {
				t.Errorf("a minute was complete at %v", at)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
