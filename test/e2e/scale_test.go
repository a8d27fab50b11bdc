package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// quick is an installation whose services shrink after two seconds.
func quick(t *testing.T) *rig.House {
	t.Helper()
	h := rig.Own(t, "--quiet-time", "2s", "--stop-grace", "5s", "--drain-timeout", "20s")
	h.PushApp(t, "app", "v1", "v1")
	return h
}

// limits binds a service to an auto scaling configuration of its own.
func limits(t *testing.T, h *rig.House, name string, concurrency, low, high int32) func(*apprunner.CreateServiceInput) {
	t.Helper()
	out, err := h.Apps.CreateAutoScalingConfiguration(t.Context(), &apprunner.CreateAutoScalingConfigurationInput{
		AutoScalingConfigurationName: &name, MaxConcurrency: &concurrency, MinSize: &low, MaxSize: &high,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(in *apprunner.CreateServiceInput) {
		in.AutoScalingConfigurationArn = out.AutoScalingConfiguration.AutoScalingConfigurationArn
	}
}

// tagged gives a service tags: name, value, name, value.
func tagged(pairs ...string) func(*apprunner.CreateServiceInput) {
	return func(in *apprunner.CreateServiceInput) {
		for n := 0; n < len(pairs); n += 2 {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String(pairs[n]), Value: aws.String(pairs[n+1])})
		}
	}
}

// reaches waits until a service has so many active instances, and returns the most it had on the way.
func reaches(t *testing.T, s rig.Service, want int, within time.Duration) (most int) {
	t.Helper()
	var now int
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		now = len(s.Instances(t, "active"))
		if most = max(most, now); now == want {
			return most
		}
	}
	t.Fatalf("%d instances are active after %s, want %d; its logs:\n%s", now, within, want, s.Story())
	return most
}

// TestLoadStep: a load of nearly ten times what one instance holds comes from one moment to the next. Nobody is turned away; the
// service grows to what is allowed and no further, and shrinks again when the load has gone.
//
// checklist: 104, 105, 106, 107
func TestLoadStep(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "load-step", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, limits(t, h, "step", 2, 1, 8))
	calm := s.Load(rig.Pressure{Path: "/slow?ms=100", Rate: 10, Count: 20}).Wait()
	calm.Unharmed(t)
	if n := len(s.Instances(t, "active")); n != 1 {
		t.Errorf("under a load that one instance holds there are %d", n)
	}
	load := s.Load(rig.Pressure{Path: "/slow?ms=100", Rate: 140})
	began := time.Now()
	most := reaches(t, s, 8, 20*time.Second)
	t.Logf("8 instances after %s", time.Since(began))
	time.Sleep(time.Second)
	if n := max(most, len(s.Instances(t, "active"))); n > 8 {
		t.Errorf("%d instances were active, 8 are allowed", n)
	}
	load.Stop().Unharmed(t)
	reaches(t, s, 1, 30*time.Second)
	s.Says(t, "/", "hello v1")
	h.NoOrphans(t)
}

// TestScaleToZero: a service that may sleep ends its last instance after the quiet time; its status stays, and the next request
// waits for an instance, also with no control plane just before.
func TestScaleToZero(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "sleeper", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, tagged("slipway:scale-to-zero", "on"))
	for range 3 {
		s.Gone(t)
		began := time.Now()
		s.Says(t, "/", "hello v1")
		t.Logf("awake after %s", time.Since(began))
	}
	s.Gone(t)
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	before, err := h.PID("control")
	if err != nil {
		t.Fatal(err)
	}
	h.Kill(t, "control")
	s.Says(t, "/", "hello v1")
	h.Reborn(t, "control", before)
	s.Deploy(t)
	s.Gone(t)
	s.Pause(t)
	s.Resume(t)
	s.Says(t, "/", "hello v1")
	h.NoOrphans(t)
}

// TestReserve: of three instances that nobody asks two are frozen; they serve at once when the first is full, with no control plane
// and with a new edge too, and every operation finds them as they are.
//
// checklist: 106
func TestReserve(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "reserve", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, limits(t, h, "three", 1, 3, 3))
	s.AwaitFrozen(t, 2)
	ids := s.Instances(t, "active")
	before, err := h.PID("control")
	if err != nil {
		t.Fatal(err)
	}
	h.Kill(t, "control")
	s.Load(rig.Pressure{Path: "/slow?ms=200", Rate: 12, Count: 12}).Wait().Unharmed(t)
	h.Reborn(t, "control", before)
	s.AwaitFrozen(t, 2)
	if before, err = h.PID("edge"); err != nil {
		t.Fatal(err)
	}
	h.Kill(t, "edge")
	h.Reborn(t, "edge", before)
	s.Load(rig.Pressure{Path: "/slow?ms=200", Rate: 12, Count: 12, Forgive: true}).Wait().Unharmed(t)
	s.AwaitFrozen(t, 2)
	if after := s.Instances(t, "active"); !slices.Equal(after, ids) {
		t.Errorf("instances %v became %v", ids, after)
	}

	if _, err := h.Apps.TagResource(t.Context(), &apprunner.TagResourceInput{
		ResourceArn: s.ServiceArn, Tags: []types.Tag{{Key: aws.String("slipway:min-active"), Value: aws.String("0")}},
	}); err != nil {
		t.Fatal(err)
	}
	s.AwaitFrozen(t, 3)
	s.Says(t, "/", "hello v1")
	s.AwaitFrozen(t, 3)
	s.Deploy(t)
	s.AwaitFrozen(t, 3)
	s.Pause(t)
	s.Resume(t)
	s.AwaitFrozen(t, 3)
	s.Says(t, "/", "hello v1")
	h.NoOrphans(t)
}
