//go:build chaos

package chaos

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

var (
	rounds = flag.Int("rounds", 30, "how often a process is killed")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments and the processes")
)

// TestRandomKills kills control or edge at random moments while one service serves under load and is deployed again and again, and
// another one goes through its whole life. Some of the kills fall into an upgrade.
func TestRandomKills(t *testing.T) {
	t.Logf("seed %d", *seed)
	rnd := rand.New(rand.NewPCG(*seed, 1))
	h := raise(t)
	steady := running(t, h, "steady")
	load := steady.Load(rig.Pressure{Path: "/", Rate: 50, Forgive: true})
	for round := range *rounds {
		role := []string{"control", "control", "edge"}[rnd.IntN(3)]
		wait := time.Duration(rnd.IntN(1200)) * time.Millisecond
		begin(t, steady, rnd)
		lively := lead(t, h, rnd)
		upgraded := upgrade(h, rnd)
		time.Sleep(wait)
		h.Reborn(t, role, h.Kill(t, role))
		upgraded()
		if s, err := h.Settled(steady.ARN()); err != nil || s.Status != types.ServiceStatusRunning {
			t.Errorf("round %d: the steady service is %s, %v\n%s", round, s.Status, err, s.Story())
		} else {
			fits(t, s, "hello v")
		}
		if lively.Service != nil {
			s, err := h.Settled(lively.ARN())
			if err != nil {
				t.Errorf("round %d: %v", round, err)
			} else {
				fits(t, s, "hello v")
			}
		}
		h.NoOrphans(t)
		if r := load.Report(); r.Failed > 0 || t.Failed() {
			t.Fatalf("round %d, %s killed after %s: %s", round, role, wait, r)
		}
	}
	load.Stop().Unharmed(t)
}

// upgrade lets the installation continue with the same program in one round out of four, and returns how to wait for the end of that. A kill
// may make it fail; what counts is what is left.
func upgrade(h *rig.House, rnd *rand.Rand) (wait func()) {
	if rnd.IntN(4) > 0 {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.Slipway("upgrade", "--data-dir", h.Dir)
	}()
	return func() { <-done }
}

// begin starts an operation on a service that serves.
func begin(t *testing.T, s rig.Service, rnd *rand.Rand) {
	t.Helper()
	version := []string{"v1", "v2"}[rnd.IntN(2)]
	var err error
	if rnd.IntN(2) == 0 {
		_, err = s.House.Apps.StartDeployment(t.Context(), &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
	} else {
		_, err = s.House.Apps.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn, SourceConfiguration: rig.ImageSource("app", version, nil)})
	}
	accepted(t, err)
}

// lead leads the lively service one step on through its life: it is made, paused, resumed, deleted, and made again.
func lead(t *testing.T, h *rig.House, rnd *rand.Rand) rig.Service {
	t.Helper()
	s, err := h.Named("lively")
	if err != nil {
		in := &apprunner.CreateServiceInput{ServiceName: ptr("lively"), SourceConfiguration: rig.ImageSource("app", "v1", nil)}
		rig.Small(in)
		_, err = h.Apps.CreateService(t.Context(), in)
		accepted(t, err)
		if s, err = h.Named("lively"); err != nil {
			t.Fatal(err)
		}
		return s
	}
	ctx := t.Context()
	switch {
	case rnd.IntN(4) == 0 && s.Status != types.ServiceStatusOperationInProgress:
		_, err = h.Apps.DeleteService(ctx, &apprunner.DeleteServiceInput{ServiceArn: s.ServiceArn})
	case s.Status == types.ServiceStatusPaused:
		_, err = h.Apps.ResumeService(ctx, &apprunner.ResumeServiceInput{ServiceArn: s.ServiceArn})
	case s.Status == types.ServiceStatusRunning:
		_, err = h.Apps.PauseService(ctx, &apprunner.PauseServiceInput{ServiceArn: s.ServiceArn})
	}
	accepted(t, err)
	return s
}

func ptr[T any](v T) *T { return &v }
