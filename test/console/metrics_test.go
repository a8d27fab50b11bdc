package console

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"slipway.dev/slipway/test/rig"
)

// asked makes a service that has answered 4 requests, refused 2 and failed at one.
func asked(t *testing.T, h *rig.House, name string) rig.Service {
	t.Helper()
	s := h.Create(t, name, rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	for path, times := range map[string]int{"/": 4, "/status?code=404": 2, "/status?code=503": 1} {
		for range times {
			_, _, err := s.Get(path)
			ok(t, err)
		}
	}
	return s
}

// What a service does is drawn, for as long a time as somebody chooses, as graphs and as tables.
//
// checklist: 159
func TestMetricsAreDrawn(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := asked(t, h, "drawn")
	play(t, h, "metrics", user(t, h, "gwen", mayAll), map[string]any{"arn": s.ARN()})
}

// Graphs are kept on dashboards, which are those of the CloudWatch API.
//
// checklist: 159
func TestGraphsAreKeptOnDashboards(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := asked(t, h, "kept")
	play(t, h, "dashboards", user(t, h, "nina", mayAll), map[string]any{"service": "kept", "arn": s.ARN(), "dashboard": "wall"})

	cw := cloudwatch.NewFromConfig(config(h, "us-east-1"))
	kept, err := cw.GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: aws.String("wall")})
	ok(t, err)
	var body struct {
		Widgets []struct {
			Type       string
			Properties struct {
				Title, Region string
				Metrics       [][]any
			}
		}
	}
	ok(t, json.Unmarshal([]byte(*kept.DashboardBody), &body))
	if len(body.Widgets) != 7 {
		t.Fatalf("the dashboard has %d widgets, want one of each graph: %s", len(body.Widgets), *kept.DashboardBody)
	}
	w := body.Widgets[0]
	if w.Type != "metric" || w.Properties.Title != "kept: Responses by status" || w.Properties.Region != "us-east-1" || len(w.Properties.Metrics) != 3 {
		t.Errorf("the first widget is %+v, want the responses of kept", w)
	}
}

// Who may not read metrics is told which permissions are missing, and sees the rest.
func TestMetricsAreRefused(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "unread", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "denied", user(t, h, "ulf", mayRead), map[string]any{"pages": []map[string]string{
		{"name": "metrics", "where": "/services/" + url.PathEscape(s.ARN()) + "/metrics", "header": "The metrics cannot be read", "action": "cloudwatch:GetMetricData"},
		{"name": "dashboards", "where": "/dashboards", "header": "The dashboards cannot be listed", "action": "cloudwatch:ListDashboards"},
		{"name": "dashboard", "where": "/dashboards/any", "header": "The dashboard cannot be shown", "action": "cloudwatch:GetDashboard"},
	}})
}
