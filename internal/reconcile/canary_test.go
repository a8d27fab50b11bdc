package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// tries deploys a new version of a service that asks for a canary, and asks both versions for VERSION until the deployment has ended.
// It returns how often which answer came.
func (w *world) tries(s apprunner.Service) (map[string]int, apprunner.Service, apprunner.Operation) {
	w.t.Helper()
	_, err := w.control.StartDeployment(w.t.Context(), scope, s.ARN(), false, "")
	check(w.t, err)
	got := map[string]int{}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		status, body := w.asksFor(s, "/env?name=VERSION")
		if status != 200 {
			body = "failed"
		}
		got[body]++
		if now, err := w.control.DescribeService(w.t.Context(), scope, s.ARN()); err != nil || now.Status != apprunner.StatusInProgress {
			break
		}
	}
	after, op := w.await(s.ARN())
	return got, after, op
}

// canary makes a service whose first version is called "one".
func (w *world) canary(name, tag string) apprunner.Service {
	w.t.Helper()
	w.source.sets(map[string]string{"VERSION": "one"})
	s, _ := w.await(w.create(name).ARN())
	check(w.t, w.control.TagResource(w.t.Context(), scope, s.ARN(), []apprunner.Tag{{Key: "slipway:canary", Value: tag}}))
	return s
}

// TestCanary: the new version gets its share for a time, and then everything.
func TestCanary(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	s := w.canary("tried", "20 1s")
	w.source.sets(map[string]string{"VERSION": "two"})
	got, after, op := w.tries(s)
	if op.Status != apprunner.OpSucceeded || after.DeploymentID == s.DeploymentID {
		t.Errorf("operation %s: %s", op.Status, op.Failure)
	}
	if got["one"] == 0 || got["two"] == 0 || got["two"] > got["one"] || got["failed"] != 0 {
		t.Errorf("answers while the new version was tried on 20 of 100: %v", got)
	}
	if _, body := w.asksFor(after, "/env?name=VERSION"); body != "two" {
		t.Errorf("afterwards %q answers", body)
	}
	w.settled(after, 1)
}

// TestCanaryThatFails: a new version that is healthy but answers badly is taken back, by its share of the requests alone.
func TestCanaryThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"answers badly": {nil, []string{"The new version was taken back", "of its", "requests failed", "listening on 8080"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.run(nil)
			s := w.canary("tried", "20 1h")
			w.source.sets(tc.env)
			got, after, op := w.tries(s)
			if op.Status != apprunner.OpRollbackSucceeded || after.Status != apprunner.StatusRunning || after.DeploymentID != s.DeploymentID {
				t.Errorf("operation %s, status %s", op.Status, after.Status)
			}
			for _, want := range tc.want {
				if !strings.Contains(op.Failure, want) {
					t.Errorf("the failure lacks %q: %s", want, op.Failure)
				}
			}
			if got["failed"] == 0 || got["failed"] > got["one"] {
				t.Errorf("answers: %v", got)
			}
			w.settled(after, 1)
			for range 20 {
				if _, body := w.asksFor(after, "/env?name=VERSION"); body != "one" {
					t.Fatalf("after the rollback %q answers", body)
				}
			}
		})
	}
}

// TestCanarySurvivesControl: the trial goes on where it was when the control plane ends in its middle, and its time is not begun anew.
func TestCanarySurvivesControl(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	s := w.canary("tried", "50 2s")
	w.source.sets(map[string]string{"VERSION": "two"})
	_, err := w.control.StartDeployment(t.Context(), scope, s.ARN(), false, "")
	check(t, err)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if _, body := w.asksFor(s, "/env?name=VERSION"); body == "two" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new version gets no requests")
		}
	}
	w.halt()
	seen := map[string]int{}
	for range 40 {
		_, body := w.asksFor(s, "/env?name=VERSION")
		seen[body]++
	}
	if seen["one"] != 20 || seen["two"] != 20 {
		t.Errorf("without the control plane: %v", seen)
	}
	w.run(nil)
	after, op := w.await(s.ARN())
	if op.Status != apprunner.OpSucceeded || op.Attempts != 2 || op.CanarySince.IsZero() {
		t.Errorf("operation %+v", op)
	}
	w.settled(after, 1)
}
