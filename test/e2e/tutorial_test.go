package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

const greeter = `import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Greeting(BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("GREETING, " + os.environ.get("NAME", "nobody") + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

print("listening on", os.environ["PORT"], flush=True)
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Greeting).serve_forever()
`

func pythonValues(name string) map[string]any {
	return map[string]any{
		"Runtime": "PYTHON_311", "BuildCommand": "python3 -m py_compile server.py && echo compiled", "StartCommand": "python3 server.py",
		"Port": "8080", "RuntimeEnvironmentVariables": map[string]string{"NAME": name},
	}
}

// TestTutorial walks the developer guide's tutorial with the stock AWS CLI: create from a repository, see it, deploy a change,
// change a variable, read the logs, pause, resume, delete.
//
// checklist: 1, 2, 37, 44, 45, 52, 53, 57, 62, 64, 77, 129, 130, 131, 138, 141, 143, 144, 146, 147, 148, 149, 150, 151
func TestTutorial(t *testing.T) {
	h := theHouse(t)
	url, commit := repository(t, map[string]string{"server.py": strings.Replace(greeter, "GREETING", "Hello", 1), "requirements.txt": ""})
	s := h.create(t, "python-app", code(url, false, pythonValues("Ada")))
	h.says(t, s, "/", "Hello, Ada")

	var deployed struct{ OperationId string }
	commit(map[string]string{"server.py": strings.Replace(greeter, "GREETING", "Good morning", 1)})
	h.must(t, &deployed, "apprunner", "start-deployment", "--service-arn", s.ServiceArn)
	h.await(t, s.ServiceArn, "RUNNING")
	h.says(t, s, "/", "Good morning, Ada")

	h.must(t, nil, "apprunner", "update-service", "--service-arn", s.ServiceArn, "--source-configuration", asJSON(t, map[string]any{
		"CodeRepository": map[string]any{
			"RepositoryUrl": url, "SourceCodeVersion": map[string]any{"Type": "BRANCH", "Value": "main"},
			"CodeConfiguration": map[string]any{"ConfigurationSource": "API", "CodeConfigurationValues": pythonValues("Grace")},
		},
	}))
	h.await(t, s.ServiceArn, "RUNNING")
	h.says(t, s, "/", "Good morning, Grace")
	h.readsLogs(t, s, deployed.OperationId)

	var paused answer
	h.must(t, &paused, "apprunner", "pause-service", "--service-arn", s.ServiceArn)
	if paused.Service.Status != "OPERATION_IN_PROGRESS" {
		t.Errorf("pause-service answered %s", paused.Service.Status)
	}
	h.await(t, s.ServiceArn, "PAUSED")
	if status, _, err := h.get(s.ServiceUrl, "/"); status != http.StatusServiceUnavailable {
		t.Errorf("a paused service answers %d, %v; want 503", status, err)
	}
	commit(map[string]string{"server.py": strings.Replace(greeter, "GREETING", "Not deployed", 1)})
	h.must(t, nil, "apprunner", "resume-service", "--service-arn", s.ServiceArn)
	h.await(t, s.ServiceArn, "RUNNING")
	h.says(t, s, "/", "Good morning, Grace")

	var ops struct {
		OperationSummaryList []struct{ Id, Type, Status string }
	}
	h.must(t, &ops, "apprunner", "list-operations", "--service-arn", s.ServiceArn)
	var types []string
	for _, op := range ops.OperationSummaryList {
		types = append(types, op.Type+" "+op.Status)
	}
	if got, want := strings.Join(types, ", "), "RESUME_SERVICE SUCCEEDED, PAUSE_SERVICE SUCCEEDED, UPDATE_SERVICE SUCCEEDED, START_DEPLOYMENT SUCCEEDED, CREATE_SERVICE SUCCEEDED"; got != want {
		t.Errorf("operations: %s\nwant: %s", got, want)
	}

	h.must(t, nil, "apprunner", "delete-service", "--service-arn", s.ServiceArn)
	for s, err := h.describe(s.ServiceArn); err == nil && s.Status != "DELETED"; s, err = h.describe(s.ServiceArn) {
		time.Sleep(200 * time.Millisecond)
	}
	var list struct{ ServiceSummaryList []service }
	h.must(t, &list, "apprunner", "list-services")
	for _, other := range list.ServiceSummaryList {
		if other.ServiceArn == s.ServiceArn {
			t.Error("a deleted service is still listed")
		}
	}
	if status, _, err := h.get(s.ServiceUrl, "/"); status != http.StatusNotFound {
		t.Errorf("a deleted service's domain answers %d, %v; want 404", status, err)
	}
	again := h.create(t, "python-app", code(url, false, pythonValues("Ada")))
	if again.ServiceId == s.ServiceId || again.ServiceUrl == s.ServiceUrl {
		t.Error("the service made again has the old id or domain")
	}
	h.says(t, again, "/", "Not deployed, Ada")
}

// readsLogs checks the groups and streams of §21 through the CloudWatch Logs API.
func (h *house) readsLogs(t *testing.T, s service, deployment string) {
	t.Helper()
	prefix := "/aws/apprunner/" + s.ServiceName + "/" + s.ServiceId + "/"
	var groups struct {
		LogGroups []struct{ LogGroupName string }
	}
	h.must(t, &groups, "logs", "describe-log-groups", "--log-group-name-prefix", prefix)
	if len(groups.LogGroups) != 2 || groups.LogGroups[0].LogGroupName != prefix+"application" || groups.LogGroups[1].LogGroupName != prefix+"service" {
		t.Errorf("log groups %+v", groups.LogGroups)
	}
	events := strings.Join(h.stream(t, prefix+"service", "events"), "\n")
	for _, want := range []string{
		"[AppRunner] Service creation started.", "[AppRunner] Service creation completed successfully.", "[AppRunner] Service status is set to RUNNING.",
		"[AppRunner] Deployment started.", "[AppRunner] Deployment completed successfully.",
		"[AppRunner] Service update completed successfully. New application and configuration is deployed.",
	} {
		if !strings.Contains(events, want) {
			t.Errorf("the events log lacks %q:\n%s", want, events)
		}
	}
	lines := h.stream(t, prefix+"service", "deployment/"+strings.ReplaceAll(deployment, "-", ""))
	for _, l := range lines {
		if !strings.HasPrefix(l, "[AppRunner] ") && !strings.HasPrefix(l, "[Build] ") {
			t.Errorf("deployment log line without prefix: %q", l)
		}
	}
	if !strings.Contains(strings.Join(lines, "\n"), "[Build] compiled") {
		t.Errorf("the deployment log lacks the build's output:\n%s", strings.Join(lines, "\n"))
	}
	var filtered struct {
		Events []struct{ LogStreamName, Message string }
	}
	for range 25 { // delivery may take up to 5 s (§21)
		h.must(t, &filtered, "logs", "filter-log-events", "--log-group-name", prefix+"application", "--filter-pattern", `"listening on 8080"`)
		if len(filtered.Events) >= 3 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if len(filtered.Events) < 3 {
		t.Errorf("%d instances said that they listen; want one for each of three deployments", len(filtered.Events))
	}
	for _, e := range filtered.Events {
		if !strings.HasPrefix(e.LogStreamName, "instance/") || len(e.LogStreamName) != len("instance/")+32 {
			t.Errorf("application stream %q", e.LogStreamName)
		}
	}
}

// stream reads a log stream from its beginning.
func (h *house) stream(t *testing.T, group, stream string) []string {
	t.Helper()
	var out struct{ Events []struct{ Message string } }
	text, err := h.aws("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream, "--start-from-head")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, e.Message)
	}
	return lines
}
