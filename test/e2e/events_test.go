package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// hooks are web hooks of a test, told apart by their paths.
type hooks struct {
	*httptest.Server
	refuse atomic.Bool // answer 503

	mu  sync.Mutex
	got map[string][]busEvent
}

// busEvent is an event as targets get it.
type busEvent struct {
	ID         string
	DetailType string `json:"detail-type"`
	Source     string
	Resources  []string
	Detail     map[string]any

	signed bool
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{got: map[string][]busEvent{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		e := busEvent{signed: strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,")}
		if err != nil || json.Unmarshal(body, &e) != nil {
			http.Error(w, "no event", http.StatusBadRequest)
			return
		}
		if h.refuse.Load() {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got[r.URL.Path] = append(h.got[r.URL.Path], e)
	}))
	t.Cleanup(h.Close)
	return h
}

// at is what came to a path.
func (h *hooks) at(path string) []busEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got[path])
}

// hookARN is the ARN that stands for a path.
func hookARN(path string) string { return "arn:aws:lambda:us-east-1:123456789012:function:" + path }

// withHooks starts an installation that knows web hooks for the paths.
func withHooks(t *testing.T, h *hooks, paths ...string) house {
	t.Helper()
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("*=a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, p := range paths {
		targets = append(targets, hookARN(p)+"="+h.URL+"/"+p)
	}
	return house{rig.Own(t, "--event-targets", strings.Join(targets, ","), "--event-secrets", secrets, "--start-timeout", startTimeout, "--stop-grace", "5s", "--drain-timeout", "20s")}
}

// rule makes a rule with the stock CLI.
func (h house) rule(t *testing.T, name, pattern string, arns ...string) {
	t.Helper()
	h.must(t, nil, "events", "put-rule", "--name", name, "--event-pattern", pattern)
	args := []string{"events", "put-targets", "--rule", name, "--targets"}
	for i, arn := range arns {
		args = append(args, fmt.Sprintf("Id=t%d,Arn=%s", i, arn))
	}
	var out struct{ FailedEntryCount int }
	h.must(t, &out, args...)
	if out.FailedEntryCount != 0 {
		t.Errorf("put-targets: %+v", out)
	}
}

// The two patterns of the documents.
const (
	leftRunning      = `{"source":["aws.apprunner"],"detail-type":["AppRunner Service Status Change"],"account":["123456789012"],"detail":{"PreviousStatus":["RUNNING"]}}`
	failedOperations = `{"source":["aws.apprunner"],"detail-type":["AppRunner Service Operation Status Change"],"detail":{"Status":["CreateServiceFailed",` +
		`"DeleteServiceFailed","UpdateServiceFailed","DeploymentFailed","PauseServiceFailed","ResumeServiceFailed"]}}`
)

// TestEventRules: rules made with the stock CLI send the matching events of real services, and no others, to web hooks and a log group.
//
// checklist: 160, 161, 164, 165
func TestEventRules(t *testing.T) {
	t.Parallel()
	hook := newHooks(t)
	h := withHooks(t, hook, "failed", "left")
	h.PushApp(t, "app", "v1", "v1")
	h.rule(t, "failed-operations", failedOperations, hookARN("failed"), "arn:aws:ecs:us-east-1:123456789012:cluster/c")
	h.rule(t, "left-running", leftRunning, hookARN("left"))
	h.must(t, nil, "logs", "create-log-group", "--log-group-name", "/aws/events/apprunner")
	h.rule(t, "all", `{"source":[{"prefix":"aws.app"}]}`, "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/apprunner")

	s := h.Create(t, "told", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	s.Pause(t)
	broken := h.Create(t, "broken", rig.ImageSource("app", "v1", map[string]string{"EXIT_CODE": "3"}), types.ServiceStatusCreateFailed, rig.Small)

	eventually(t, "both web hooks have heard", func() bool { return len(hook.at("/failed")) > 0 && len(hook.at("/left")) > 0 })
	stream := h.logged(t, 4+4+4)
	if failed := hook.at("/failed"); len(failed) != 1 || failed[0].Detail["Status"] != "CreateServiceFailed" || failed[0].Detail["serviceName"] != "broken" ||
		failed[0].Resources[0] != broken.ARN() || !failed[0].signed {
		t.Errorf("failed operations: %+v", failed)
	}
	if left := hook.at("/left"); len(left) != 1 || left[0].Detail["CurrentStatus"] != "OPERATION_IN_PROGRESS" || left[0].Detail["previousServiceStatus"] != "RUNNING" || left[0].Resources[0] != s.ARN() {
		t.Errorf("left RUNNING: %+v", left)
	}
	var words []string
	for _, e := range stream {
		if e.Resources[0] == s.ARN() {
			words = append(words, fmt.Sprint(e.Detail["operationStatus"], e.Detail["currentServiceStatus"]))
		}
	}
	want := []string{
		"CreateServiceStarted<nil>", "<nil>OPERATION_IN_PROGRESS", "CreateServiceCompletedSuccessfully<nil>", "<nil>RUNNING",
		"PauseServiceStarted<nil>", "<nil>OPERATION_IN_PROGRESS", "PauseServiceCompletedSuccessfully<nil>", "<nil>PAUSED",
	}
	if !slices.Equal(words, want) {
		t.Errorf("%q", words)
	}
	if _, body := h.metrics(t); !strings.Contains(body, `slipway_event_deliveries_total{result="unserved"} 1`) || !strings.Contains(body, `slipway_event_deliveries_total{result="delivered"} 14`) {
		t.Error(body)
	}
	h.rulesOfTheCLI(t)
}

// logged waits for so many events in the log group.
func (h house) logged(t *testing.T, n int) (list []busEvent) {
	t.Helper()
	eventually(t, fmt.Sprint(n, " events in the log group"), func() bool {
		var out struct{ Events []struct{ Message string } }
		h.must(t, &out, "logs", "filter-log-events", "--log-group-name", "/aws/events/apprunner")
		list = nil
		for _, line := range out.Events {
			var e busEvent
			if err := json.Unmarshal([]byte(line.Message), &e); err != nil {
				t.Fatalf("%s: %v", line.Message, err)
			}
			list = append(list, e)
		}
		return len(list) == n
	})
	return list
}

func (h house) metrics(t *testing.T) (int, string) {
	t.Helper()
	res, err := http.Get(h.Env["AWS_ENDPOINT_URL"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// rulesOfTheCLI looks at the rules, tests a pattern, puts events and removes a rule, all with the stock CLI.
func (h house) rulesOfTheCLI(t *testing.T) {
	t.Helper()
	var tested struct{ Result bool }
	event := `{"id":"1","account":"123456789012","source":"aws.apprunner","time":"2026-03-01T12:00:00Z","region":"us-east-1","resources":[],` +
		`"detail-type":"AppRunner Service Operation Status Change","detail":{"Status":"PauseServiceFailed"}}`
	if h.must(t, &tested, "events", "test-event-pattern", "--event-pattern", failedOperations, "--event", event); !tested.Result {
		t.Error("test-event-pattern: false")
	}
	var put struct {
		FailedEntryCount int
		Entries          []struct{ EventId, ErrorCode string }
	}
	h.must(t, &put, "events", "put-events", "--entries", `[{"Source":"my.app","DetailType":"T","Detail":"{}"},{"Source":"aws.apprunner","DetailType":"T","Detail":"{}"}]`)
	if put.FailedEntryCount != 1 || put.Entries[0].EventId == "" || put.Entries[1].ErrorCode != "NotAuthorizedForSourceException" {
		t.Errorf("put-events: %+v", put)
	}
	var rules struct {
		Rules []struct{ Name, State, EventPattern string }
	}
	if h.must(t, &rules, "events", "list-rules"); len(rules.Rules) != 3 || rules.Rules[1].Name != "failed-operations" || rules.Rules[1].EventPattern != failedOperations {
		t.Errorf("list-rules: %+v", rules)
	}
	if _, err := h.AWS("events", "put-rule", "--name", "clock", "--schedule-expression", "rate(5 minutes)"); err == nil || !strings.Contains(err.Error(), "not supported here") {
		t.Errorf("a schedule: %v", err)
	}
	if _, err := h.AWS("events", "delete-rule", "--name", "all"); err == nil || !strings.Contains(err.Error(), "has targets") {
		t.Errorf("deleting a rule with targets: %v", err)
	}
	h.must(t, nil, "events", "disable-rule", "--name", "all")
	h.must(t, nil, "events", "remove-targets", "--rule", "all", "--ids", "t0")
	h.must(t, nil, "events", "delete-rule", "--name", "all")
}

// TestEventsOutliveControl: no event is lost when control is killed between its commit and its delivery.
func TestEventsOutliveControl(t *testing.T) {
	t.Parallel()
	hook := newHooks(t)
	h := withHooks(t, hook, "mine")
	h.rule(t, "mine", `{"source":["my.app"]}`, hookARN("mine"))
	hook.refuse.Store(true)
	want := map[string]bool{}
	for round := range 3 {
		var entries []map[string]string
		for n := range 10 {
			entries = append(entries, map[string]string{"Source": "my.app", "DetailType": "T", "Detail": fmt.Sprintf(`{"n":%d}`, 10*round+n)})
		}
		body, err := json.Marshal(entries)
		if err != nil {
			t.Fatal(err)
		}
		var put struct{ Entries []struct{ EventId string } }
		h.must(t, &put, "events", "put-events", "--entries", string(body))
		for _, e := range put.Entries {
			want[e.EventId] = true
		}
		before := h.Kill(t, "control")
		h.Reborn(t, "control", before)
	}
	if _, body := h.metrics(t); !strings.Contains(body, "slipway_event_deliveries_waiting 30") {
		t.Errorf("not all wait:\n%s", body)
	}
	hook.refuse.Store(false)
	eventually(t, "all arrive", func() bool {
		got := map[string]bool{}
		for _, e := range hook.at("/mine") {
			got[e.ID] = true
		}
		return len(got) == len(want)
	})
	for _, e := range hook.at("/mine") {
		if !want[e.ID] {
			t.Errorf("nobody sent %+v", e)
		}
	}
}

// TestPushAndExpiryEvents: pushes of images and the ends of certificates are events; the rules by which pushes start deployments show as
// App Runner's own.
//
// checklist: 211
func TestPushAndExpiryEvents(t *testing.T) {
	t.Parallel()
	hook := newHooks(t)
	h := withHooks(t, hook, "pushes", "ends")
	h.PushApp(t, "app", "v1", "v1")
	h.rule(t, "pushes", `{"source":["aws.ecr"],"detail-type":["ECR Image Action"],"detail":{"repository-name":["app"],"action-type":["PUSH"]}}`, hookARN("pushes"))
	h.rule(t, "ends", `{"source":["aws.acm"],"detail":{"DaysToExpiry":[{"numeric":["<",30]}]}}`, hookARN("ends"))
	s := h.Create(t, "following", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.SourceConfiguration.AutoDeploymentsEnabled = aws.Bool(true)
	})
	name := "AWSAppRunnerManagedRule-" + *s.ServiceId
	var rule struct{ ManagedBy, EventPattern, State string }
	if h.must(t, &rule, "events", "describe-rule", "--name", name); rule.ManagedBy != "apprunner.amazonaws.com" || rule.State != "ENABLED" {
		t.Errorf("%+v", rule)
	}
	var targets struct{ Targets []struct{ Arn string } }
	if h.must(t, &targets, "events", "list-targets-by-rule", "--rule", name); len(targets.Targets) != 1 || targets.Targets[0].Arn != s.ARN() {
		t.Errorf("%+v", targets)
	}
	if _, err := h.AWS("events", "disable-rule", "--name", name); err == nil || !strings.Contains(err.Error(), "ManagedRuleException") {
		t.Errorf("disabling a managed rule: %v", err)
	}
	h.PushApp(t, "app", "v1", "v2")
	eventually(t, "the push is told", func() bool { return len(hook.at("/pushes")) == 1 })
	eventually(t, "the push is deployed", func() bool { _, body, err := s.Get("/"); return err == nil && strings.Contains(body, "hello v2") })

	cert, key := ownCertificate(t, "*.example.com")
	if out, err := h.Slipway("certificate", "import", "--data-dir", h.Dir, "--cert", cert, "--key", key); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, "the end of the certificate is told", func() bool { return len(hook.at("/ends")) == 1 })
	if e := hook.at("/ends")[0]; e.DetailType != "ACM Certificate Approaching Expiration" || e.Detail["DaysToExpiry"] != 20.0 || e.Detail["CommonName"] != "*.example.com" {
		t.Errorf("%+v", e)
	}
	if _, body := h.metrics(t); !strings.Contains(body, `slipway_certificate_expiry_timestamp_seconds{certificate_arn="arn:aws:acm:us-east-1:123456789012:certificate/`) {
		t.Error(body)
	}
	h.Await(t, s.ARN(), types.ServiceStatusRunning)
}
