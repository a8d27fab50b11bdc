package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// figures is what the CLI prints of a metric.
type figures struct {
	Label      string
	Datapoints []struct {
		Sum, Average, Maximum, SampleCount float64
		Unit                               string
		ExtendedStatistics                 map[string]float64
	}
}

// statistics reads a metric of a service with the stock CLI, the last hour as one period.
func (h house) statistics(t *testing.T, s rig.Service, name string, more ...string) (f figures) {
	t.Helper()
	from := time.Now().Add(-time.Hour).UTC()
	args := []string{
		"cloudwatch", "get-metric-statistics", "--namespace", "AWS/AppRunner", "--metric-name", name, "--period", "7200",
		"--start-time", from.Format(time.RFC3339), "--end-time", from.Add(2 * time.Hour).Format(time.RFC3339),
		"--dimensions", "Name=ServiceName,Value=" + *s.ServiceName, "Name=ServiceID,Value=" + *s.ServiceId,
	}
	h.must(t, &f, append(args, more...)...)
	return f
}

// TestMetricsOfAService: what a service does shows in CloudWatch at once, read by the stock CLI.
//
// checklist: 154, 156, 157
func TestMetricsOfAService(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "measured", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	for path, times := range map[string]int{"/": 4, "/status?code=404": 2, "/status?code=503": 1, "/slow?ms=300": 1} {
		for range times {
			if _, _, err := s.Get(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, want := range map[string]float64{"Requests": 8, "2xxStatusResponses": 5, "4xxStatusResponses": 2, "5xxStatusResponses": 1} {
		eventually(t, fmt.Sprint(want, " ", name), func() bool {
			f := h.statistics(t, s, name, "--statistics", "Sum")
			return len(f.Datapoints) == 1 && f.Datapoints[0].Sum == want && f.Datapoints[0].Unit == "Count" && f.Label == name
		})
	}
}
