package edge

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// checklist: 93
func TestHealthCheckDefaults(t *testing.T) {
	want := HealthCheck{Protocol: TCP, Path: "/", Interval: 5 * time.Second, Timeout: 2 * time.Second, HealthyThreshold: 1, UnhealthyThreshold: 5}
	if got := (HealthCheck{}).withDefaults(); got != want {
		t.Errorf("got %+v", got)
	}
	if r := (Route{}).withDefaults(); r.RequestTimeout != 120*time.Second || r.MaxConcurrency != 100 || r.Serving != ServingOn {
		t.Errorf("got %+v", r)
	}
}

// checklist: 95
func TestJudge(t *testing.T) {
	h := HealthCheck{Interval: 5 * time.Second, HealthyThreshold: 2, UnhealthyThreshold: 3}.withDefaults()
	type step struct {
		after  time.Duration
		failed string
		want   Health
	}
	const ok = ""
	cases := map[string]struct {
		begin Health
		steps []step
	}{
		"healthy after the successes in a row": {Unknown, []step{{0, ok, Unknown}, {0, ok, Healthy}}},
		"a failure between begins anew":        {Unknown, []step{{0, ok, Unknown}, {0, "x", Unknown}, {0, ok, Unknown}, {0, ok, Healthy}}},
		"unhealthy after the failures in a row": {Healthy, []step{
			{5 * time.Second, "x", Healthy},
			{5 * time.Second, "x", Healthy},
			{5 * time.Second, "x", Unhealthy},
		}},
		"a success between begins anew": {Healthy, []step{
			{5 * time.Second, "x", Healthy},
			{5 * time.Second, "x", Healthy},
			{5 * time.Second, ok, Healthy},
			{5 * time.Second, "x", Healthy},
			{5 * time.Second, "x", Healthy},
			{5 * time.Second, "x", Unhealthy},
		}},
		"failures count once an interval": {Unknown, []step{
			{0, "x", Unknown},
			{time.Second, "x", Unknown},
			{time.Second, "x", Unknown},
			{time.Second, "x", Unknown},
			{2 * time.Second, "x", Unknown},
			{5 * time.Second, "x", Unhealthy},
		}},
		"recovers": {Unhealthy, []step{{5 * time.Second, ok, Unhealthy}, {5 * time.Second, ok, Healthy}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			j := newJudge(now, c.begin)
			for i, s := range c.steps {
				now = now.Add(s.after)
				j.observe(now, h, s.failed)
				if j.health != s.want || j.lastError != s.failed {
					t.Fatalf("step %d: %+v, want %s", i, j, s.want)
				}
			}
		})
	}
}

func TestPauseBetweenChecks(t *testing.T) {
	h := HealthCheck{}.withDefaults()
	now := time.Unix(1000, 0)
	j := newJudge(now, Unknown)
	for age, want := range map[time.Duration]time.Duration{
		0: 5 * time.Millisecond, 200 * time.Millisecond: 20 * time.Millisecond, time.Second: 100 * time.Millisecond, time.Hour: 5 * time.Second,
	} {
		if got := j.pause(now.Add(age), h, 0); got != want {
			t.Errorf("never healthy for %s: next check in %s, want %s", age, got, want)
		}
	}
	j = newJudge(now, Healthy)
	if got := j.pause(now, h, 0); got != h.Interval {
		t.Errorf("healthy: next check in %s", got)
	}
	if got := j.pause(now, h, time.Millisecond); got != firstProbe {
		t.Errorf("suspicious: next check in %s", got)
	}
}

func TestChecksKeepTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		up, asked := false, []time.Duration{}
		start := time.Now()
		r := newRouting(ctx, newHub(start), &Limits{}, func(context.Context, string, HealthCheck) string {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, time.Since(start))
			if up {
				return ""
			}
			return "connection refused"
		})
		set := func(v bool) { mu.Lock(); up, asked = v, nil; mu.Unlock() }
		health := func() Health { return r.status().Targets["i1"].Health }
		check(t, r.apply(Table{Routes: []Route{{ServiceARN: appARN, Hosts: []string{appHost}, Targets: []Target{{InstanceID: "i1", Address: "127.0.0.1:1", Phase: Active}}}}}, false))

		time.Sleep(400 * time.Millisecond)
		synctest.Wait()
		if n := len(asked); n < 20 || n > 40 {
			t.Errorf("asked %d times in the first 400 ms", n)
		}
		set(true)
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if health() != Healthy {
			t.Fatal("a target that came up is not healthy within 50 ms")
		}
		set(true)
		time.Sleep(25 * time.Second)
		synctest.Wait()
		if len(asked) != 5 {
			t.Errorf("healthy: asked %d times in 25 s: %v", len(asked), asked)
		}
		set(false)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if health() != Healthy {
			t.Error("unhealthy before the fifth failure")
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if st := r.status().Targets["i1"]; st.Health != Unhealthy || st.Failures != 5 || st.LastError != "connection refused" {
			t.Errorf("after 25 s of failures: %+v", st)
		}
		cancel()
		r.checks.Wait()
	})
}

func TestSuspicionIsCheckedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		asked, answer := 0, ""
		r := newRouting(ctx, newHub(time.Now()), &Limits{}, func(context.Context, string, HealthCheck) string {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return answer
		})
		check(t, r.apply(Table{Routes: []Route{{ServiceARN: appARN, Hosts: []string{appHost}, Targets: []Target{{InstanceID: "i1", Address: "127.0.0.1:1", Phase: Active}}}}}, false))
		synctest.Wait()
		s := r.lookup(appHost)
		b := s.targets[0]
		mu.Lock()
		asked, answer = 0, "connection refused"
		mu.Unlock()
		s.suspect(b)
		synctest.Wait()
		if st := r.status().Targets["i1"]; asked != 1 || !st.Suspicious || st.Failures != 1 || st.Health != Healthy {
			t.Errorf("asked %d: %+v", asked, st)
		}
		mu.Lock()
		answer = ""
		mu.Unlock()
		time.Sleep(firstProbe)
		synctest.Wait()
		if st := r.status().Targets["i1"]; st.Suspicious || st.Failures != 0 {
			t.Errorf("after a success: %+v", st)
		}
		cancel()
		r.checks.Wait()
	})
}

func TestWaitingRequestGetsTheTargetThatBecomesFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		limits := DefaultLimits()
		r := newRouting(ctx, newHub(time.Now()), &limits, func(context.Context, string, HealthCheck) string { return "" })
		route := Route{ServiceARN: appARN, Hosts: []string{appHost}, MaxConcurrency: 1, Targets: []Target{{InstanceID: "i1", Address: "127.0.0.1:1", Phase: Active}}}
		check(t, r.apply(Table{Routes: []Route{route}}, false))
		synctest.Wait()
		s := r.lookup(appHost)
		first := s.claim(contextEnd{ctx}, "")
		got := make(chan claim, 3)
		for range 3 {
			go func() { got <- s.claim(contextEnd{ctx}, "") }()
			synctest.Wait()
		}
		s.release(first.backend, scoreGood)
		second := <-got
		if second.backend == nil || second.backend.id != "i1" {
			t.Fatalf("claim %+v", second)
		}
		// A new instance serves who waits, without anybody releasing.
		route.Targets = append(route.Targets, Target{InstanceID: "i2", Address: "127.0.0.1:2", Phase: Active})
		check(t, r.apply(Table{Routes: []Route{route}}, false))
		if third := <-got; third.backend == nil || third.backend.id != "i2" {
			t.Fatalf("claim %+v", third)
		}
		// The last one waits 10 s in all and is refused.
		if last := <-got; last.failure != failBusy {
			t.Errorf("claim %+v", last)
		}
		// Pausing sends everybody who waits away.
		go func() { got <- s.claim(contextEnd{ctx}, "") }()
		synctest.Wait()
		route.Serving = ServingPaused
		check(t, r.apply(Table{Routes: []Route{route}}, false))
		if c := <-got; c.failure != failPaused {
			t.Errorf("claim %+v", c)
		}
		cancel()
		r.checks.Wait()
	})
}

// checklist: 94, 95
func TestChecksOverTheNetwork(t *testing.T) {
	h := newHouse(t, nil)
	slow := make(chan struct{})
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		var code int
		if n, _ := fmt.Sscanf(r.URL.Path, "/code/%d", &code); n == 1 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
			return
		}
		if r.URL.Path == "/slow" {
			<-slow
		}
	})
	t.Cleanup(func() { close(slow) })
	gone := listen(t)
	gone.Close()
	for i, c := range []struct {
		protocol Protocol
		path     string
		address  string
		want     Health
		says     string
	}{
		{TCP, "/code/500", s.Listener.Addr().String(), Healthy, ""},
		{TCP, "/", gone.Addr().String(), Unhealthy, "connection refused"},
		{HTTP, "/", gone.Addr().String(), Unhealthy, "connection refused"},
		{HTTP, "/code/200", s.Listener.Addr().String(), Healthy, ""},
		{HTTP, "/code/302", s.Listener.Addr().String(), Healthy, ""},
		{HTTP, "code/399", s.Listener.Addr().String(), Healthy, ""},
		{HTTP, "/code/401", s.Listener.Addr().String(), Unhealthy, "HTTP 401"},
		{HTTP, "/code/500", s.Listener.Addr().String(), Unhealthy, "HTTP 500"},
		{HTTP, "/slow", s.Listener.Addr().String(), Unhealthy, "no answer within 0.05 s"},
	} {
		id := fmt.Sprint("i", i)
		h.publish(func(r *Route) {
			r.Health = HealthCheck{Protocol: c.protocol, Path: c.path, Interval: 50 * time.Millisecond, Timeout: 50 * time.Millisecond, UnhealthyThreshold: 2}
		}, Target{InstanceID: id, Address: c.address, Phase: Standby})
		if st := h.await(id, c.want); st.LastError != c.says {
			t.Errorf("%s %s: %q, want %q", c.protocol, c.path, st.LastError, c.says)
		}
	}
}

func TestStandbyTargetIsKnownHealthyWithinMilliseconds(t *testing.T) {
	h := newHouse(t, nil)
	l := listen(t)
	address := l.Addr().String()
	l.Close()
	h.publish(func(r *Route) { r.Health.Interval = time.Hour }, Target{InstanceID: "i1", Address: address, Phase: Standby})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	st, err := h.client.Status(ctx)
	for err == nil && st.Targets["i1"].LastError != "connection refused" {
		st, err = h.client.Wait(ctx, st.Version)
	}
	check(t, err)
	lc, err := net.Listen("tcp", address)
	check(t, err)
	defer lc.Close()
	up := time.Now()
	h.await("i1", Healthy)
	if took := time.Since(up); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}
