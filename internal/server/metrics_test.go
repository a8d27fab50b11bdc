package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// figures is an edge that knows its status.
type figures edge.Status

func (f figures) Status(context.Context) (edge.Status, error) { return edge.Status(f), nil }

func TestMetricsOfServices(t *testing.T) {
	const arn = "arn:aws:apprunner:us-east-1:123456789012:service/web/0123456789abcdef0123456789abcdef"
	c := edge.Counters{
		Requests: 7, Status2xx: 4, Status4xx: 2, Status5xx: 1, InFlight: 3, Waiting: 2, Rejected: 1, Refused: 1, Retries: 5, BytesIn: 10, BytesOut: 20,
		Unlogged: 6, Busy: 90 * time.Second, LatencyBuckets: make([]uint64, len(edge.LatencyBounds)+1), LatencySum: 2 * time.Second,
	}
	c.LatencyBuckets[0], c.LatencyBuckets[3] = 5, 2
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(edgeCollector{figures{
		Services: map[string]edge.Counters{arn: c}, Connections: 9,
		Targets: map[string]edge.TargetStatus{
			"a": {ServiceARN: arn, Phase: edge.Active, Health: edge.Healthy}, "b": {ServiceARN: arn, Phase: edge.Active, Health: edge.Healthy},
			"c": {ServiceARN: arn, Phase: edge.Draining, Health: edge.Unknown},
		},
	}})
	labels := `service="` + arn + `",service_id="0123456789abcdef0123456789abcdef",service_name="web"`
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text := w.Body.String()
	for _, want := range []string{
		`slipway_requests_total{class="2xx",` + labels + `} 4`, `slipway_requests_total{class="5xx",` + labels + `} 1`,
		`slipway_request_duration_seconds_bucket{` + labels + `,le="0.001"} 5`, `slipway_request_duration_seconds_bucket{` + labels + `,le="0.01"} 7`,
		`slipway_request_duration_seconds_sum{` + labels + `} 2`, `slipway_request_duration_seconds_count{` + labels + `} 7`,
		`slipway_requests_in_flight{` + labels + `} 3`, `slipway_requests_waiting{` + labels + `} 2`, `slipway_concurrency_seconds_total{` + labels + `} 90`,
		`slipway_requests_rejected_total{` + labels + `} 1`, `slipway_requests_refused_total{` + labels + `} 1`, `slipway_request_retries_total{` + labels + `} 5`,
		`slipway_request_bytes_total{` + labels + `} 10`, `slipway_response_bytes_total{` + labels + `} 20`, `slipway_log_lines_lost_total{` + labels + `} 6`,
		`slipway_instances{health="healthy",phase="active",` + labels + `} 2`, `slipway_instances{health="unknown",phase="draining",` + labels + `} 1`,
		`slipway_edge_connections 9`, `slipway_edge_up 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("missing %s in\n%s", want, text)
		}
	}
}

// From elsewhere only who has the right may read the figures.
func TestScrapesFromElsewhereNeedAKey(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	dir, err := iam.Open(t.Context(), iam.Config{DB: db, KeyFile: filepath.Join(t.TempDir(), "key")})
	must(t, err)
	root, err := dir.EnsureRoot(t.Context(), "123456789012")
	must(t, err)
	_, err = dir.CreateUser(t.Context(), iam.User{Account: "123456789012", Name: "nobody"})
	must(t, err)
	other, err := dir.CreateAccessKey(t.Context(), "123456789012", "nobody")
	must(t, err)
	logs, err := observe.Open(t.Context(), observe.Config{Dir: t.TempDir(), DB: db})
	must(t, err)
	t.Cleanup(func() { logs.Close() })
	kept, err := domain.OpenCertificates(t.Context(), db, make([]byte, 32), time.Now)
	must(t, err)
	s := &System{
		iam: dir, edge: edge.NewClient(filepath.Join(t.TempDir(), "none")), conf: Config{Region: "us-east-1"}, db: db, logs: logs, names: &names{custom: kept},
		log: slog.New(slog.DiscardHandler),
	}
	must(t, s.openEvents(t.Context()))
	for _, c := range []struct {
		from, user, password string
		want                 int
	}{
		{"127.0.0.1:1", "", "", 200},
		{"[::1]:1", "", "", 200},
		{"192.0.2.1:1", "", "", 401},
		{"192.0.2.1:1", root.ID, "wrong", 401},
		{"192.0.2.1:1", other.ID, other.Secret, 401},
		{"192.0.2.1:1", root.ID, root.Secret, 200},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		r.RemoteAddr = c.from
		if c.user != "" {
			r.SetBasicAuth(c.user, c.password)
		}
		w := httptest.NewRecorder()
		s.metrics().ServeHTTP(w, r)
		if w.Code != c.want || w.Code == 200 && (!strings.Contains(w.Body.String(), "slipway_edge_up 0") || !strings.Contains(w.Body.String(), "slipway_event_deliveries_waiting 0")) {
			t.Errorf("%+v: %d %.200s", c, w.Code, w.Body)
		}
	}
}
