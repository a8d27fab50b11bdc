package control_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/store"
)

const callers = 16

// atOnce lets many callers do the same and returns how many succeeded, and the code of every failure.
func atOnce(do func(i int) error) (succeeded int, codes map[apprunner.Code]int) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		gate = make(chan struct{})
	)
	codes = map[apprunner.Code]int{}
	for i := range callers {
		wg.Go(func() {
			<-gate
			err := do(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				succeeded++
			} else {
				codes[apprunner.CodeOf(err)]++
			}
		})
	}
	close(gate)
	wg.Wait()
	return succeeded, codes
}

func TestConcurrentCallersKeepThePromises(t *testing.T) {
	h := open(t, func(c *control.Config) { c.ServiceQuota = 3 })
	ctx := t.Context()
	only := func(what string, wantOK int, wantCode apprunner.Code, do func(int) error) {
		t.Helper()
		ok, codes := atOnce(do)
		if ok != wantOK || codes[wantCode] != callers-wantOK {
			t.Errorf("%s: %d succeeded, %v; want %d, the others %s", what, ok, codes, wantOK, wantCode)
		}
	}
	only("one name, one service", 1, ir, func(int) error {
		_, _, err := h.CreateService(ctx, scope, codeInput("web-app"))
		return err
	})
	only("never more services than the quota", 2, sq, func(i int) error {
		_, _, err := h.CreateService(ctx, scope, codeInput(fmt.Sprintf("other-%d", i)))
		return err
	})
	list, err := h.ListServices(ctx, scope, apprunner.Place{}, 0)
	if err != nil || len(list) != 3 {
		t.Fatalf("%v, %v", list, err)
	}
	arn := list[2].ARN
	h.settle(t, arn, apprunner.StatusRunning)
	only("one deployment", 1, ir, func(int) error {
		_, err := h.StartDeployment(ctx, scope, arn, false, "")
		return err
	})
	h.settle(t, arn, apprunner.StatusRunning)
	only("one operation, whatever it is", 1, is, func(i int) error {
		if i%2 == 0 {
			_, _, err := h.PauseService(ctx, scope, arn)
			return err
		}
		_, _, err := h.UpdateService(ctx, scope, apprunner.UpdateServiceInput{ServiceARN: arn})
		return err
	})
	only("one connection of a name", 1, ir, func(int) error {
		_, err := h.CreateConnection(ctx, scope, apprunner.ConnectionInput{Name: "hub-1", Provider: apprunner.ProviderGitHub})
		return err
	})
	h.settle(t, arn, apprunner.StatusRunning)
	only("one association of a domain", 1, ir, func(int) error {
		_, err := h.AssociateCustomDomain(ctx, scope, arn, "example.com", nil)
		return err
	})
	err = h.db.View(ctx, func(tx *store.Tx) error {
		ops, err := tx.RunningOperations()
		seen := map[string]bool{}
		for _, op := range ops {
			if seen[op.ServiceARN] {
				t.Errorf("two operations run on %s", op.ServiceARN)
			}
			seen[op.ServiceARN] = true
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestConcurrentRevisionsAreAllDifferent(t *testing.T) {
	h := open(t, func(c *control.Config) { c.Quotas = map[string]int{apprunner.QuotaAutoScalingRevisions: callers} })
	var seen sync.Map
	ok, codes := atOnce(func(int) error {
		conf, err := h.CreateAutoScalingConfiguration(t.Context(), scope, apprunner.AutoScalingConfigurationInput{Name: "burst"})
		if _, twice := seen.LoadOrStore(conf.Revision, true); err == nil && twice {
			t.Errorf("revision %d was given twice", conf.Revision)
		}
		return err
	})
	if ok != callers {
		t.Errorf("%d succeeded, %v", ok, codes)
	}
}

// A configuration is deleted or used, never both.
func TestUseAndDeletionExcludeEachOther(t *testing.T) {
	h := open(t, func(c *control.Config) { c.ServiceQuota = 1000 })
	for round := range 10 {
		conf := h.scaling(t, "burst")
		var used, deleted atomic.Bool
		atOnce(func(i int) error {
			if i%2 == 0 {
				_, err := h.DeleteAutoScalingConfiguration(t.Context(), scope, conf.ARN)
				if err == nil {
					deleted.Store(true)
				}
				return err
			}
			in := codeInput(fmt.Sprintf("svc-%d-%d", round, i))
			in.AutoScalingARN = &conf.ARN
			_, _, err := h.CreateService(t.Context(), scope, in)
			if err == nil {
				used.Store(true)
			}
			return err
		})
		if used.Load() == deleted.Load() {
			t.Fatalf("round %d: used %v, deleted %v", round, used.Load(), deleted.Load())
		}
	}
}

// A service whose status and operations disagree is a race that was lost; StartDeployment knows no InvalidStateException (§1.3).
func TestLosingTheRaceForADeployment(t *testing.T) {
	h := open(t, nil)
	s := h.create(t, "web-app")
	err := h.db.Update(t.Context(), func(tx *store.Tx) error {
		s, _, err := tx.Service(s.ARN())
		if err != nil {
			return err
		}
		s.Status = apprunner.StatusRunning
		return tx.PutService(s)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.StartDeployment(t.Context(), scope, s.ARN(), false, "")
	code(t, "deployment", err, ir)
	_, _, err = h.PauseService(t.Context(), scope, s.ARN())
	code(t, "pause", err, is)
}
