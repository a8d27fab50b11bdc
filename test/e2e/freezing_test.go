package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestWaitingThroughChanges: requests that wait for a place, or for a first instance, meet a pause, a resume and a version that does not
// start: each is answered, by the application or by what is true then.
//
// checklist: 105, 134
func TestWaitingThroughChanges(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "waiting", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, limits(t, h, "just-one", 1, 1, 1))
	answers := asks(s, "/slow?ms=400", 5)
	s.Busy(t)
	s.Pause(t)
	for status, n := range count(answers) {
		if status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Errorf("%d requests that waited while the service was paused were answered %d", n, status)
		}
	}
	if status, _, err := s.Get("/"); status != http.StatusServiceUnavailable {
		t.Errorf("while paused: %d, %v", status, err)
	}
	if _, err := h.Apps.ResumeService(t.Context(), &apprunner.ResumeServiceInput{ServiceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, "/", http.StatusOK)
	h.Await(t, s.ARN(), types.ServiceStatusRunning)

	// Too many for the line: the rule of 429, with when to come again.
	tagging(t, s, "slipway:request-timeout", "20s")
	begun := time.Now()
	got := count(asks(s, "/slow?ms=6000", 4))
	if got[http.StatusOK] < 1 || got[http.StatusTooManyRequests] < 1 || got[http.StatusOK]+got[http.StatusTooManyRequests] != 4 {
		t.Errorf("four requests of 6 s each for an instance that takes one at a time: %v after %s", got, time.Since(begun))
	}
	h.NoOrphans(t)
}

// asks sends requests at once; the channel gets their statuses.
func asks(s rig.Service, path string, n int) <-chan int {
	got := make(chan int, n)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { status, _, _ := s.Get(path); got <- status })
	}
	go func() { wg.Wait(); close(got) }()
	return got
}

func count(statuses <-chan int) map[int]int {
	m := map[int]int{}
	for status := range statuses {
		m[status]++
	}
	return m
}

// TestScaleByCPU: a service whose requests compute grows although few of them are in flight, and shrinks again.
//
// checklist: 104, 107
func TestScaleByCPU(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "computes", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		limits(t, h, "many", 100, 1, 3), tagged("slipway:scale-cpu", "40"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, body, err := s.Get("/burn?ms=300"); err != nil || status != http.StatusOK {
					t.Errorf("%d %s, %v", status, body, err)
					return
				}
			}
		})
	}
	for now, n := 0, 0; now < 2; n++ {
		if now = len(s.Instances(t, "active")); n > 600 {
			t.Fatalf("%d instances after half a minute of computing; the logs:\n%s", now, s.Story())
		}
		time.Sleep(50 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	reaches(t, s, 1, 30*time.Second)
	h.NoOrphans(t)
}

// TestMinSizeChanges: another auto scaling configuration counts when the update has ended, in both directions, and without a failed
// request.
//
// checklist: 86, 105
func TestMinSizeChanges(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "resized", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	load := s.Load(rig.Pressure{Path: "/", Rate: 50})
	for n, low := range []int32{3, 1} {
		in := &apprunner.CreateServiceInput{}
		limits(t, h, fmt.Sprintf("size-%d", n), 100, low, 4)(in)
		s.Update(t, &apprunner.UpdateServiceInput{AutoScalingConfigurationArn: in.AutoScalingConfigurationArn}, types.ServiceStatusRunning)
		reaches(t, s, int(low), 30*time.Second)
		if low == 3 {
			s.AwaitFrozen(t, 2)
		}
	}
	load.Stop().Unharmed(t)
	if !strings.Contains(s.Events(), "New configuration is deployed") {
		t.Errorf("events:\n%s", s.Events())
	}
	h.NoOrphans(t)
}
