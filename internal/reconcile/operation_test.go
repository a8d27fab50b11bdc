package reconcile_test

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/store"
)

// serves tells whether the edge has an instance for the service.
func (w *world) serves(s apprunner.Service) bool {
	code, _ := w.asks(s)
	return code != http.StatusServiceUnavailable && code != http.StatusNotFound
}

// answers waits until the edge has a healthy instance for the service.
func (w *world) answers(s apprunner.Service) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !w.serves(s); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal("the service does not answer")
		}
	}
}

func TestLifeOfAService(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	s := w.create("life")
	s, op := w.await(s.ARN())
	if s.Status != apprunner.StatusRunning || op.Status != apprunner.OpSucceeded || !w.serves(s) {
		t.Fatalf("created: %s, %s; log:\n%s", s.Status, op.Status, w.log(s.ARN()))
	}
	w.settled(s, 1)
	first := s.DeploymentID

	if _, err := w.control.StartDeployment(t.Context(), scope, s.ARN(), false, ""); err != nil {
		t.Fatal(err)
	}
	if s, op = w.await(s.ARN()); op.Status != apprunner.OpSucceeded || s.DeploymentID == first {
		t.Errorf("deployed: %s, deployment %s", op.Status, s.DeploymentID)
	}
	w.settled(s, 1)

	if _, _, err := w.control.PauseService(t.Context(), scope, s.ARN()); err != nil {
		t.Fatal(err)
	}
	s, _ = w.await(s.ARN())
	w.settled(s, 0)
	if code, _ := w.asks(s); s.Status != apprunner.StatusPaused || code != http.StatusServiceUnavailable {
		t.Errorf("paused: %s, the edge answers %d", s.Status, code)
	}
	builds := w.source.builds
	if _, _, err := w.control.ResumeService(t.Context(), scope, s.ARN()); err != nil {
		t.Fatal(err)
	}
	if s, _ = w.await(s.ARN()); s.Status != apprunner.StatusRunning || !w.serves(s) || w.source.builds != builds {
		t.Errorf("resumed: %s, %d builds", s.Status, w.source.builds-builds)
	}

	if _, _, err := w.control.DeleteService(t.Context(), scope, s.ARN()); err != nil {
		t.Fatal(err)
	}
	if s, _ = w.await(s.ARN()); s.Status != apprunner.StatusDeleted || s.DeletedAt.IsZero() {
		t.Errorf("deleted: %s", s.Status)
	}
	w.settled(s, 0)
	if code, _ := w.asks(s); code != http.StatusNotFound || w.images.count() != 0 {
		t.Errorf("after deletion the edge answers %d and %d image(s) are kept", code, w.images.count())
	}
}

// checklist: 65
func TestFailedCreationTellsWhyAndLeavesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*world)
		want    []string
	}{
		"build":             {func(w *world) { w.source.fails(apprunner.Errorf(apprunner.CodeInvalidRequest, "pip said no")) }, []string{"pip said no"}},
		"exit before ready": {func(w *world) { w.source.runs("exit", "7") }, []string{"exited with code 7"}},
		"last lines":        {func(w *world) { w.source.runs("print", "stdout", "cannot find the database\n") }, []string{"cannot find the database", "exit code 0"}},
		"never listens": {func(w *world) {
			w.source.runs("wait")
			w.startTime = 500 * time.Millisecond
		}, []string{"nothing listens on port 8080"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.prepare(w)
			w.run(nil)
			s, op := w.await(w.create("failing").ARN())
			if s.Status != apprunner.StatusCreateFailed || op.Status != apprunner.OpFailed {
				t.Errorf("status %s, operation %s", s.Status, op.Status)
			}
			w.settled(s, 0)
			if w.images.count() != 0 {
				t.Errorf("%d image(s) are kept", w.images.count())
			}
			log := w.log(s.ARN())
			for _, want := range append(tc.want, "Service creation failed. For details, see service logs.", "Service status is set to CREATE_FAILED.") {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
		})
	}
}

func TestFailedUpdateRollsBack(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	s, _ := w.await(w.create("update").ARN())
	w.source.runs("exit", "1")
	in := apprunner.UpdateServiceInput{ServiceARN: s.ARN()}
	in.Source = &apprunner.SourcePatch{Code: &apprunner.CodePatch{Branch: p("broken")}}
	in.Instance = &apprunner.InstancePatch{Memory: p("4 GB")}
	if _, _, err := w.control.UpdateService(t.Context(), scope, in); err != nil {
		t.Fatal(err)
	}
	after, op := w.await(s.ARN())
	if after.Status != apprunner.StatusRunning || op.Status != apprunner.OpRollbackSucceeded {
		t.Errorf("status %s, operation %s", after.Status, op.Status)
	}
	if after.Source.Code.Branch != "main" || after.Instance.Memory != 2048 || after.DeploymentID != s.DeploymentID || !w.serves(after) {
		t.Errorf("after the rollback: branch %s, memory %d", after.Source.Code.Branch, after.Instance.Memory)
	}
	w.settled(after, 1)
	w.source.fails(errors.New("no network"))
	w.source.runs("serve", "8080")
	if _, err := w.control.StartDeployment(t.Context(), scope, s.ARN(), false, ""); err != nil {
		t.Fatal(err)
	}
	if after, op = w.await(s.ARN()); op.Status != apprunner.OpFailed || after.Status != apprunner.StatusRunning {
		t.Errorf("a deployment that fails before anything was started: %s, %s; want FAILED, RUNNING", op.Status, after.Status)
	}
}

func TestFailedCreationIsRebuiltByUpdate(t *testing.T) {
	w := newWorld(t)
	w.source.runs("exit", "1")
	w.run(nil)
	s, _ := w.await(w.create("rebuild").ARN())
	w.source.runs("serve", "8080")
	if _, _, err := w.control.UpdateService(t.Context(), scope, apprunner.UpdateServiceInput{ServiceARN: s.ARN()}); err != nil {
		t.Fatal(err)
	}
	if s, op := w.await(s.ARN()); s.Status != apprunner.StatusRunning || op.Status != apprunner.OpSucceeded || !w.serves(s) {
		t.Errorf("rebuilt: %s, %s", s.Status, op.Status)
	}
}

// checklist: 106
func TestEndedInstancesAreReplaced(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	s, op := w.await(w.create("replaced").ARN())
	if op.Status != apprunner.OpSucceeded {
		t.Fatal(w.log(s.ARN()))
	}
	list, err := w.machine.Driver().List(t.Context())
	check(t, err)
	w.machine.Kill(list[0].ID, instance.Exit{Code: 137, OOMKilled: true})
	for deadline := time.Now().Add(20 * time.Second); w.machine.Started() < 2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	w.settled(s, 1)
	if log := w.log(s.ARN()); !strings.Contains(log, list[0].ID) || !strings.Contains(log, "out of memory") {
		t.Errorf("the events log does not tell why the instance was replaced:\n%s", log)
	}
	w.answers(s)
}

// A stored image that cannot be read, as its key is disabled, stops no instance that runs; those that end are replaced when it can be again.
func TestUnreadableImageIsTold(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	s, op := w.await(w.create("locked").ARN())
	if op.Status != apprunner.OpSucceeded {
		t.Fatal(w.log(s.ARN()))
	}
	w.images.refuse(apprunner.Errorf(apprunner.CodeInvalidRequest, "The key is disabled.").WithHint("Enable it."))
	w.answers(s)
	list, err := w.machine.Driver().List(t.Context())
	check(t, err)
	w.machine.Kill(list[0].ID, instance.Exit{Code: 1})
	for deadline := time.Now().Add(time.Minute); !strings.Contains(w.log(s.ARN()), "cannot be started. The key is disabled. Enable it."); {
		if time.Now().After(deadline) {
			t.Fatalf("the events do not tell:\n%s", w.log(s.ARN()))
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.images.refuse(nil)
	w.settled(s, 1)
	w.answers(s)
}

// An instance that ends in the moment its service is deleted leaves no record: neither its end nor its replacement is written behind
// the deletion.
func TestNothingOutlivesADeletedService(t *testing.T) {
	w := newWorld(t)
	w.run(nil)
	var last apprunner.Service
	for n := range 8 {
		s, _ := w.await(w.create(fmt.Sprintf("short-lived-%d", n)).ARN())
		list, err := w.machine.Driver().List(t.Context())
		check(t, err)
		w.machine.Kill(list[0].ID, instance.Exit{Code: 1})
		time.Sleep(time.Duration(n) * 2 * time.Millisecond)
		_, _, err = w.control.DeleteService(t.Context(), scope, s.ARN())
		check(t, err)
		if last, _ = w.await(s.ARN()); last.Status != apprunner.StatusDeleted {
			t.Fatal(w.log(s.ARN()))
		}
		w.settled(s, 0)
	}
	stray := apprunner.Instance{ID: apprunner.NewID(), ServiceARN: last.ARN(), Phase: apprunner.PhaseDraining, DrainSince: time.Now()}
	check(t, w.db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutInstance(stray) }))
	w.settled(last, 0)
}

// boundaries are the step boundaries of an operation type, in order.
func boundaries(op string, steps ...string) []string {
	var list []string
	for _, s := range steps {
		list = append(list, op+"/"+s+"/before", op+"/"+s+"/after")
	}
	return list
}

// TestCrashAtEveryStep ends the reconciler at every step boundary of every operation, starts another one as a restarted control
// would, and wants the operation to end as if nothing had happened.
func TestCrashAtEveryStep(t *testing.T) {
	deploy := []string{"prepare", "provision", "health", "switch", "finish"}
	restart := deploy[1:]
	for action, tc := range map[string]struct {
		points []string
		start  func(*world, apprunner.Service) error
		want   apprunner.ServiceStatus
		count  int
	}{
		"create": {points: boundaries("CREATE_SERVICE", deploy...), want: apprunner.StatusRunning, count: 1},
		"deploy": {boundaries("START_DEPLOYMENT", deploy...), func(w *world, s apprunner.Service) error {
			_, err := w.control.StartDeployment(w.t.Context(), scope, s.ARN(), false, "")
			return err
		}, apprunner.StatusRunning, 1},
		"update": {boundaries("UPDATE_SERVICE", restart...), func(w *world, s apprunner.Service) error {
			in := apprunner.UpdateServiceInput{ServiceARN: s.ARN()}
			in.Instance = &apprunner.InstancePatch{Memory: p("3 GB")}
			_, _, err := w.control.UpdateService(w.t.Context(), scope, in)
			return err
		}, apprunner.StatusRunning, 1},
		"failing update": {append(boundaries("UPDATE_SERVICE", "provision"), "UPDATE_SERVICE/health/before", "UPDATE_SERVICE/undo/before"), func(w *world, s apprunner.Service) error {
			w.source.runs("exit", "1")
			in := apprunner.UpdateServiceInput{ServiceARN: s.ARN()}
			in.Source = &apprunner.SourcePatch{Code: &apprunner.CodePatch{Branch: p("broken")}}
			_, _, err := w.control.UpdateService(w.t.Context(), scope, in)
			return err
		}, apprunner.StatusRunning, 1},
		"pause": {boundaries("PAUSE_SERVICE", "drain", "stop", "rest", "finish"), func(w *world, s apprunner.Service) error {
			_, _, err := w.control.PauseService(w.t.Context(), scope, s.ARN())
			return err
		}, apprunner.StatusPaused, 0},
		"delete": {boundaries("DELETE_SERVICE", "drain", "stop", "remove", "finish"), func(w *world, s apprunner.Service) error {
			_, _, err := w.control.DeleteService(w.t.Context(), scope, s.ARN())
			return err
		}, apprunner.StatusDeleted, 0},
	} {
		for _, point := range tc.points {
			t.Run(action+"/"+point, func(t *testing.T) {
				w := newWorld(t)
				s := apprunner.Service{}
				if tc.start != nil {
					w.run(nil)
					s, _ = w.await(w.create("crash").ARN())
					w.halt()
				}
				died, killed := make(chan struct{}), make(chan struct{})
				w.killed = killed
				w.run(func(at string) {
					if at == point {
						close(died)
						<-killed
						runtime.Goexit() // the worker goes no further, as in a killed process
					}
				})
				if tc.start == nil {
					s = w.create("crash")
				} else {
					check(t, tc.start(w, s))
				}
				select {
				case <-died:
				case <-time.After(30 * time.Second):
					t.Fatalf("the operation never came to %s; its log:\n%s", point, w.log(s.ARN()))
				}
				w.halt()
				w.run(nil)
				after, op := w.await(s.ARN())
				if after.Status != tc.want || !op.Status.Ended() {
					t.Errorf("status %s, operation %s; want %s. Log:\n%s", after.Status, op.Status, tc.want, w.log(s.ARN()))
				}
				w.settled(after, tc.count)
				if tc.want == apprunner.StatusRunning {
					w.answers(after)
				}
			})
		}
	}
}
