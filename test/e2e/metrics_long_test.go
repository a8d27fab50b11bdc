//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestPausedServiceHasNoMetrics: a running service without requests has its zeros minute by minute, a paused one has nothing.
//
// checklist: 154, 156
func TestPausedServiceHasNoMetrics(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "unmeasured", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	minutes := func() float64 {
		f := h.statistics(t, s, "Requests", "--statistics", "SampleCount", "Sum")
		if len(f.Datapoints) == 0 {
			return 0
		}
		if f.Datapoints[0].Sum != 0 {
			t.Errorf("requests: %+v", f)
		}
		return f.Datapoints[0].SampleCount
	}
	eventually(t, "two minutes without requests", func() bool { return minutes() >= 2 })
	s.Pause(t)
	before, next := minutes(), time.Now().Truncate(time.Minute).Add(time.Minute)
	eventually(t, "another minute", func() bool { return time.Now().After(next.Add(30 * time.Second)) })
	if after := minutes(); after > before {
		t.Errorf("%v minutes of a service that was paused after %v", after, before)
	}
}
