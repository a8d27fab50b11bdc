package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestDyingInstances: requests that an instance had when it died are answered by another one when asking again does no harm; those
// that might do harm twice fail, and only they.
//
// checklist: 106
func TestDyingInstances(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "dying", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		limits(t, h, "three", 50, 3, 3), tagged("slipway:min-active", "3"))
	gets := s.Load(rig.Pressure{Path: "/slow?ms=100", Rate: 60})
	posts := s.Load(rig.Pressure{Path: "/slow?ms=100", Rate: 20, Post: true})
	const kills = 4
	for range kills {
		before := s.Instances(t, "active")
		time.Sleep(300 * time.Millisecond) // so that it has some
		kill(t, h, before[0])
		for range 400 {
			if now := s.Instances(t, "active"); len(now) == 3 && !slices.Contains(now, before[0]) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	gets.Stop().Unharmed(t)
	report := posts.Stop()
	t.Log(report)
	if report.Failed > kills*20/3 {
		t.Errorf("%d POST requests failed, more than the instances can have had", report.Failed)
	}
	for _, f := range report.Failures {
		if !strings.Contains(f.Err.Error(), "status 502") {
			t.Errorf("a POST request failed otherwise: %v", f)
		}
	}
	h.NoOrphans(t)
}

// kill ends the first process of an instance.
func kill(t *testing.T, h *rig.House, id string) {
	t.Helper()
	pid, err := h.Init(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// TestIllInstanceStandsAside: an instance whose health checks succeed and whose requests fail gets few of them until it does well
// again. It is not replaced: it may be the requests.
func TestIllInstanceStandsAside(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "stands-aside", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		limits(t, h.House, "three-aside", 50, 3, 3), tagged("slipway:min-active", "3"))
	before := s.Instances(t, "active")
	ill := s.Says(t, "/greets?set=500", "hello")
	load := s.Load(rig.Pressure{Path: "/", Rate: 100, Count: 400})
	report := load.Wait()
	if report.Failed < 5 || report.Failed > 25 { // a third of them without standing aside
		t.Errorf("%d of %d requests failed", report.Failed, report.Sent)
	}
	for n := 0; s.Says(t, "/greets?set=200", "hello") != ill; n++ { // until it has reached the ill one
		if n == 500 {
			t.Fatal("the ill instance gets no requests any more")
		}
		time.Sleep(20 * time.Millisecond)
	}
	report = s.Load(rig.Pressure{Path: "/", Rate: 100, Count: 300}).Wait()
	report.Unharmed(t)
	if report.Bodies[ill] == 0 {
		t.Errorf("the instance that is well again gets no requests: %v", report.Bodies)
	}
	if now := s.Instances(t, "active"); !slices.Equal(now, before) {
		t.Errorf("instances %v became %v", before, now)
	}
}

// TestHealthGrace: an instance that fails fewer checks than the threshold says stays what it is, and gets requests.
//
// checklist: 94
func TestHealthGrace(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "patient", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, httpCheck)
	before := s.Instances(t, "active")
	load := s.Load(rig.Pressure{Path: "/", Rate: 20})
	s.Says(t, "/health?set=503", "")
	time.Sleep(2500 * time.Millisecond) // two checks
	s.Says(t, "/health?set=200", "")
	time.Sleep(1500 * time.Millisecond)
	load.Stop().Unharmed(t)
	if now := s.Instances(t, "active"); !slices.Equal(now, before) || strings.Contains(s.Events(), "replaced") {
		t.Errorf("instances %v became %v; events:\n%s", before, now, s.Events())
	}
}
