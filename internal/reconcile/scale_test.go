package reconcile_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/store"
)

// crowd is a number of clients that ask a service again and again.
type crowd struct {
	stop    context.CancelFunc
	clients sync.WaitGroup
	mu      sync.Mutex
	codes   map[int]int
	answers atomic.Int64
}

// crowd starts clients whose requests take that long.
func (w *world) crowd(s apprunner.Service, clients int, took string) *crowd {
	ctx, cancel := context.WithCancel(context.Background())
	c := &crowd{stop: cancel, codes: map[int]int{}}
	for range clients {
		c.clients.Go(func() {
			for ctx.Err() == nil {
				code := w.get(s, "/slow?ms="+took)
				c.mu.Lock()
				c.codes[code]++
				c.mu.Unlock()
				c.answers.Add(1)
			}
		})
	}
	w.t.Cleanup(func() { cancel(); c.clients.Wait() })
	return c
}

// leaves sends the crowd away; all its requests must have been answered well.
func (c *crowd) leaves(t *testing.T) {
	t.Helper()
	c.stop()
	c.clients.Wait()
	if n := c.codes[http.StatusOK]; n == 0 || n != int(c.answers.Load()) {
		t.Errorf("answers by status: %v", c.codes)
	}
}

// get asks for a path and returns the status; 0 when there is no answer.
func (w *world) get(s apprunner.Service, path string) int {
	req, err := http.NewRequest(http.MethodGet, "http://"+w.front+path, nil)
	if err != nil {
		return 0
	}
	req.Host = s.URL
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// scaling binds what is created from now on to limits.
func (w *world) scaling(concurrency, low, high int) {
	w.t.Helper()
	conf, err := w.control.CreateAutoScalingConfiguration(w.t.Context(), scope, apprunner.AutoScalingConfigurationInput{
		Name: "test", MaxConcurrency: &concurrency, MinSize: &low, MaxSize: &high,
	})
	check(w.t, err)
	check(w.t, func() error {
		_, err := w.control.UpdateDefaultAutoScalingConfiguration(w.t.Context(), scope, conf.ARN)
		return err
	}())
}

// reaches waits until so many instances are active, and returns the most there were on the way.
func (w *world) reaches(s apprunner.Service, want int) (most int) {
	w.t.Helper()
	var active int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var rows []apprunner.Instance
		check(w.t, w.db.View(w.t.Context(), func(tx *store.Tx) (err error) { rows, err = tx.Instances(s.ARN()); return err }))
		active = 0
		for _, i := range rows {
			if i.Phase == apprunner.PhaseActive && i.Address != "" {
				active++
			}
		}
		if most = max(most, active); active == want {
			return most
		}
	}
	w.t.Fatalf("%d instances are active; want %d", active, want)
	return most
}

// checklist: 104, 105, 106, 107
func TestScaleOutAndIn(t *testing.T) {
	w := newWorld(t)
	w.quiet = time.Second
	w.scaling(2, 1, 4)
	w.run(nil)
	s, _ := w.await(w.create("scales").ARN())
	c := w.crowd(s, 16, "30")
	if most := w.reaches(s, 4); most > 4 {
		t.Errorf("%d instances were active; 4 are allowed", most)
	}
	c.leaves(t)
	w.reaches(s, 1)
	w.settled(s, 1)
	if !w.serves(s) {
		t.Error("the service does not answer after it has shrunk")
	}
}

// TestScaleSurvivesControl: a new control plane keeps what runs, while the load lasts and for a quiet time.
func TestScaleSurvivesControl(t *testing.T) {
	w := newWorld(t)
	w.quiet = 2 * time.Second
	w.scaling(2, 1, 4)
	w.run(nil)
	s, _ := w.await(w.create("survives").ARN())
	c := w.crowd(s, 8, "30")
	w.reaches(s, 4)
	before := w.machine.Started()
	w.halt()
	w.run(nil)
	w.settled(s, 4)
	c.leaves(t)
	w.reaches(s, 1)
	w.settled(s, 1)
	if n := w.machine.Started(); n != before {
		t.Errorf("%d instances were started anew", n-before)
	}
}

// TestDeploymentUnderLoad: the new set is as large as the load asks for, and no request fails.
//
// checklist: 105
func TestDeploymentUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.scaling(2, 1, 3)
	w.run(nil)
	s, _ := w.await(w.create("deploys").ARN())
	c := w.crowd(s, 6, "20")
	w.reaches(s, 3)
	if _, err := w.control.StartDeployment(t.Context(), scope, s.ARN(), false, ""); err != nil {
		t.Fatal(err)
	}
	_, op := w.await(s.ARN())
	if op.Status != apprunner.OpSucceeded {
		t.Errorf("the deployment ended as %s", op.Status)
	}
	if most := w.reaches(s, 3); most > 3 {
		t.Errorf("%d instances were active; 3 are allowed", most)
	}
	c.leaves(t)
}

// tag sets a setting of a service.
func (w *world) tag(s apprunner.Service, name, value string) {
	w.t.Helper()
	check(w.t, w.control.TagResource(w.t.Context(), scope, s.ARN(), []apprunner.Tag{{Key: apprunner.ExtraPrefix + name, Value: value}}))
}

// TestToZero: after a quiet time nothing runs, a request waits for an instance, and every operation works in between.
func TestToZero(t *testing.T) {
	w := newWorld(t)
	w.quiet = time.Second
	w.run(nil)
	s, _ := w.await(w.create("sleeps").ARN())
	w.tag(s, "scale-to-zero", "on")
	w.settled(s, 0)
	if s, _ = w.await(s.ARN()); s.Status != apprunner.StatusRunning {
		t.Errorf("at zero the service is %s", s.Status)
	}
	if code, _ := w.asks(s); code != http.StatusOK {
		t.Errorf("a request at zero is answered %d", code)
	}
	w.settled(s, 1)
	w.settled(s, 0)

	for _, do := range []func() error{
		func() error { _, err := w.control.StartDeployment(t.Context(), scope, s.ARN(), false, ""); return err },
		func() error { _, _, err := w.control.PauseService(t.Context(), scope, s.ARN()); return err },
		func() error { _, _, err := w.control.ResumeService(t.Context(), scope, s.ARN()); return err },
	} {
		check(t, do())
		after, op := w.await(s.ARN())
		if op.Status != apprunner.OpSucceeded {
			t.Errorf("%s at zero ended as %s", op.Type, op.Status)
		}
		w.settled(s, 0)
		want := http.StatusOK
		if after.Status == apprunner.StatusPaused {
			want = http.StatusServiceUnavailable
		}
		if code, _ := w.asks(s); code != want {
			t.Errorf("after %s at zero a request is answered %d", op.Type, code)
		}
		w.settled(s, 0)
	}
	w.halt() // a new control plane finds a service at zero
	w.run(nil)
	if code, _ := w.asks(s); code != http.StatusOK {
		t.Errorf("a request at zero after a restart is answered %d", code)
	}
	w.settled(s, 0)
	if _, _, err := w.control.DeleteService(t.Context(), scope, s.ARN()); err != nil {
		t.Fatal(err)
	}
	if s, _ = w.await(s.ARN()); s.Status != apprunner.StatusDeleted {
		t.Errorf("deleted at zero: %s", s.Status)
	}
	if code, _ := w.asks(s); code != http.StatusNotFound {
		t.Errorf("a deleted service answers %d", code)
	}
}

// TestBroughtBack: from the first table on, requests wait for instances that have to be started again, as after a start of the whole
// machine.
func TestBroughtBack(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	s, _ := w.await(w.create("back").ARN())
	w.halt()
	before, err := w.router.Status(t.Context())
	check(t, err)
	check(t, w.machine.Driver().Sweep(t.Context(), nil))
	w.run(nil)
	for st := before; st.TableVersion == before.TableVersion; {
		st, err = w.router.Wait(t.Context(), st.Version)
		check(t, err)
	}
	for range 5 {
		if status, body := w.asks(s); status != http.StatusOK {
			t.Errorf("status %d: %s", status, body)
		}
	}
}

// TestClockWentBack: a control whose clock is behind that of the one before publishes newer tables all the same.
func TestClockWentBack(t *testing.T) {
	w := newWorld(t)
	const ahead = uint64(1) << 60
	check(t, w.router.Publish(t.Context(), edge.Table{Version: ahead}))
	w.run(nil)
	s, _ := w.await(w.create("late").ARN())
	if st, err := w.router.Status(t.Context()); err != nil || st.TableVersion <= ahead {
		t.Errorf("table %d after %d, %v", st.TableVersion, ahead, err)
	}
	if status, body := w.asks(s); status != http.StatusOK {
		t.Errorf("status %d: %s", status, body)
	}
}

// frozen waits until the edge has so many targets and so many of them frozen.
func (w *world) frozen(targets, frozen int) {
	w.t.Helper()
	var st edge.Status
	var n int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		st, err = w.router.Status(w.t.Context())
		check(w.t, err)
		n = 0
		for _, target := range st.Targets {
			if target.Frozen {
				n++
			}
		}
		if len(st.Targets) == targets && n == frozen {
			return
		}
	}
	w.t.Fatalf("%d of %d instances are frozen; want %d of %d: %+v", n, len(st.Targets), frozen, targets, st.Targets)
}

// TestReserve: what the load does not need is frozen after the quiet time and thawed before anything new is started; a new control
// plane leaves it as it is.
//
// checklist: 106
func TestReserve(t *testing.T) {
	w := newWorld(t)
	w.quiet = 300 * time.Millisecond
	w.scaling(1, 3, 3)
	w.run(nil)
	s, _ := w.await(w.create("reserve").ARN())
	w.frozen(3, 2)
	before := w.machine.Started()
	c := w.crowd(s, 3, "30")
	w.frozen(3, 0)
	c.leaves(t)
	w.frozen(3, 2)
	w.halt()
	c = w.crowd(s, 3, "30") // nobody decides, and they serve all the same
	w.frozen(3, 0)
	w.run(nil)
	c.leaves(t)
	w.frozen(3, 2)
	w.halt()
	w.run(nil)
	time.Sleep(100 * time.Millisecond) // nothing happens
	w.frozen(3, 2)
	w.tag(s, "min-active", "2")
	w.frozen(3, 1)
	w.tag(s, "min-active", "0")
	w.frozen(3, 3)
	if code, _ := w.asks(s); code != http.StatusOK {
		t.Errorf("a request that finds all frozen is answered %d", code)
	}
	w.frozen(3, 3)
	if n := w.machine.Started(); n != before {
		t.Errorf("%d instances were started while some were frozen", n-before)
	}
}

// TestOperationsOnFrozen: every operation finds frozen instances and ends as it does without.
func TestOperationsOnFrozen(t *testing.T) {
	w := newWorld(t)
	w.quiet = 300 * time.Millisecond
	w.scaling(5, 2, 3)
	w.run(nil)
	s, _ := w.await(w.create("frozen").ARN())
	w.tag(s, "min-active", "0")
	for _, do := range []func() error{
		func() error { _, err := w.control.StartDeployment(t.Context(), scope, s.ARN(), false, ""); return err },
		func() error { _, _, err := w.control.PauseService(t.Context(), scope, s.ARN()); return err },
		func() error { _, _, err := w.control.ResumeService(t.Context(), scope, s.ARN()); return err },
		func() error { _, _, err := w.control.DeleteService(t.Context(), scope, s.ARN()); return err },
	} {
		if s, _ = w.await(s.ARN()); s.Status == apprunner.StatusRunning {
			w.frozen(2, 2)
		}
		check(t, do())
		after, op := w.await(s.ARN())
		if op.Status != apprunner.OpSucceeded {
			t.Errorf("%s ended as %s", op.Type, op.Status)
		}
		if code, _ := w.asks(s); after.Status == apprunner.StatusRunning && code != http.StatusOK {
			t.Errorf("after %s a request is answered %d", op.Type, code)
		}
	}
	w.settled(s, 0)
}
