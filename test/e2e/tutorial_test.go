package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
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
		"Runtime": "PYTHON_311", "BuildCommand": "python3 -m py_compile server.py && echo compiled && if test -e slow; then sleep 3; fi", "StartCommand": "python3 server.py",
		"Port": "8080", "RuntimeEnvironmentVariables": map[string]string{"NAME": name},
	}
}

// TestTutorial walks the developer guide's tutorial with the stock AWS CLI: create from a repository, see it, deploy a change,
// change a variable, read the logs, pause, resume, delete.
//
// checklist: 1, 2, 37, 44, 45, 52, 53, 57, 62, 64, 77, 80, 81, 84, 129, 130, 131, 138, 141, 143, 144, 146, 147, 148, 149, 150, 151
func TestTutorial(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	repository := rig.NewGit(t, map[string]string{"server.py": strings.Replace(greeter, "GREETING", "Hello", 1), "requirements.txt": ""})
	s := h.command(t, "python-app", code(repository.URL(), false, pythonValues("Ada")))
	s.Says(t, "/", "Hello, Ada")

	var deployed struct{ OperationId string }
	repository.Commit(map[string]string{"server.py": strings.Replace(greeter, "GREETING", "Good morning", 1), "slow": "so that it can be seen"})
	h.must(t, &deployed, "apprunner", "start-deployment", "--service-arn", s.ARN())
	if now, err := h.Describe(s.ARN()); err != nil || now.Status != types.ServiceStatusOperationInProgress || deployed.OperationId == "" {
		t.Errorf("during deployment %q the service is %s, %v", deployed.OperationId, now.Status, err)
	}
	h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/", "Good morning, Ada")

	h.must(t, nil, "apprunner", "update-service", "--service-arn", s.ARN(), "--source-configuration", asJSON(t, map[string]any{
		"CodeRepository": map[string]any{
			"RepositoryUrl": repository.URL(), "SourceCodeVersion": map[string]any{"Type": "BRANCH", "Value": "main"},
			"CodeConfiguration": map[string]any{"ConfigurationSource": "API", "CodeConfigurationValues": pythonValues("Grace")},
		},
	}))
	h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/", "Good morning, Grace")
	h.readsLogs(t, s, deployed.OperationId)

	var paused answer
	h.must(t, &paused, "apprunner", "pause-service", "--service-arn", s.ARN())
	if paused.Service.Status != "OPERATION_IN_PROGRESS" {
		t.Errorf("pause-service answered %s", paused.Service.Status)
	}
	h.Await(t, s.ARN(), types.ServiceStatusPaused)
	if status, _, err := s.Get("/"); status != http.StatusServiceUnavailable {
		t.Errorf("a paused service answers %d, %v; want 503", status, err)
	}
	repository.Commit(map[string]string{"server.py": strings.Replace(greeter, "GREETING", "Not deployed", 1)})
	h.must(t, nil, "apprunner", "resume-service", "--service-arn", s.ARN())
	h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/", "Good morning, Grace")

	var ops struct {
		OperationSummaryList []struct{ Id, Type, Status string }
	}
	h.must(t, &ops, "apprunner", "list-operations", "--service-arn", s.ARN())
	var kinds []string
	for _, op := range ops.OperationSummaryList {
		kinds = append(kinds, op.Type+" "+op.Status)
	}
	if got, want := strings.Join(kinds, ", "), "RESUME_SERVICE SUCCEEDED, PAUSE_SERVICE SUCCEEDED, UPDATE_SERVICE SUCCEEDED, START_DEPLOYMENT SUCCEEDED, CREATE_SERVICE SUCCEEDED"; got != want {
		t.Errorf("operations: %s\nwant: %s", got, want)
	}

	h.must(t, nil, "apprunner", "delete-service", "--service-arn", s.ARN())
	h.Await(t, s.ARN(), types.ServiceStatusDeleted)
	var list struct{ ServiceSummaryList []service }
	h.must(t, &list, "apprunner", "list-services")
	for _, other := range list.ServiceSummaryList {
		if other.ServiceArn == s.ARN() {
			t.Error("a deleted service is still listed")
		}
	}
	if status, _, err := s.Get("/"); status != http.StatusNotFound {
		t.Errorf("a deleted service's domain answers %d, %v; want 404", status, err)
	}
	again := h.command(t, "python-app", code(repository.URL(), false, pythonValues("Ada")))
	if *again.ServiceId == *s.ServiceId || again.Host() == s.Host() {
		t.Error("the service made again has the old id or domain")
	}
	again.Says(t, "/", "Not deployed, Ada")
	for _, group := range []string{"service", "application"} { // the deleted service's logs live in the user's account (§10.1)
		if streams, err := s.Streams(group); err != nil || len(streams) == 0 {
			t.Errorf("log group %s of the deleted service: streams %v, %v", group, streams, err)
		}
	}
}

// readsLogs checks the groups and streams of §21 through the CloudWatch Logs API.
func (h house) readsLogs(t *testing.T, s rig.Service, deployment string) {
	t.Helper()
	prefix := "/aws/apprunner/" + *s.ServiceName + "/" + *s.ServiceId + "/"
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
	for range 10 { // delivery may take up to 5 s (§21)
		h.must(t, &filtered, "logs", "filter-log-events", "--log-group-name", prefix+"application", "--filter-pattern", `"listening on 8080"`)
		if len(filtered.Events) >= 3 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if len(filtered.Events) != 3 {
		t.Errorf("%d instances said that they listen; want one for each of three deployments", len(filtered.Events))
	}
	for _, e := range filtered.Events {
		if !strings.HasPrefix(e.LogStreamName, "instance/") || len(e.LogStreamName) != len("instance/")+32 {
			t.Errorf("application stream %q", e.LogStreamName)
		}
	}
}

// stream reads a log stream from its beginning with the CLI.
func (h house) stream(t *testing.T, group, stream string) []string {
	t.Helper()
	var out struct{ Events []struct{ Message string } }
	h.must(t, &out, "logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream, "--start-from-head")
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, e.Message)
	}
	return lines
}
