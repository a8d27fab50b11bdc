package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary is the program under test: $SLIPWAY_BIN, or built here once.
var binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("SLIPWAY_BIN"); b != "" {
		return b, nil
	}
	dir, err := os.MkdirTemp("", "slipway-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "slipway")
	cmd := exec.Command("go", "build", "-o", path, "../../cmd/slipway")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build slipway: %w\n%s", err, out)
	}
	return path, nil
})

// house is one running installation.
type house struct {
	dir  string
	env  map[string]string // what credentials.env says
	http *http.Client      // speaks HTTPS to any host name through the edge
}

var (
	shared     *house
	sharedOnce sync.Once
	sharedErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		if out, err := slipway(context.Background(), "down", "--data-dir", shared.dir); err != nil {
			fmt.Fprintf(os.Stderr, "slipway down: %v\n%s", err, out)
			code = 1
		}
		if code == 0 {
			os.RemoveAll(shared.dir)
		}
	}
	if b, err := binary(); err == nil && os.Getenv("SLIPWAY_BIN") == "" {
		os.RemoveAll(filepath.Dir(b))
	}
	os.Exit(code)
}

// theHouse is the installation that tests share; each works on services of its own.
func theHouse(t *testing.T) *house {
	t.Helper()
	sharedOnce.Do(func() { shared, sharedErr = up("--service-quota", "100") })
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	return shared
}

// ownHouse is an installation of one test.
func ownHouse(t *testing.T, args ...string) *house {
	t.Helper()
	h, err := up(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.down(t) })
	return h
}

func (h *house) down(t *testing.T) {
	t.Helper()
	if out, err := slipway(context.Background(), "down", "--data-dir", h.dir); err != nil {
		t.Errorf("slipway down: %v\n%s", err, out)
	}
	if !t.Failed() {
		os.RemoveAll(h.dir)
	}
}

// slipway runs the program with a time limit.
func slipway(ctx context.Context, args ...string) (string, error) {
	bin, err := binary()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, args...).CombinedOutput()
	return string(out), err
}

// up starts an installation on free ports, detached as a user would.
func up(args ...string) (*house, error) {
	dir, err := os.MkdirTemp("", "slipway-house-")
	if err != nil {
		return nil, err
	}
	return upIn(dir, args...)
}

func upIn(dir string, args ...string) (*house, error) {
	args = append([]string{
		"up", "--detach", "--data-dir", dir, "--api-addr", "127.0.0.1:0", "--https-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
		"--dns-addr", "127.0.0.1:0",
	}, args...)
	if out, err := slipway(context.Background(), args...); err != nil {
		return nil, fmt.Errorf("slipway up: %w\n%s", err, out)
	}
	h := &house{dir: dir}
	return h, h.load()
}

// load reads credentials.env and makes the client.
func (h *house) load() error {
	b, err := os.ReadFile(filepath.Join(h.dir, "credentials.env"))
	if err != nil {
		return err
	}
	h.env = map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		h.env[name] = strings.Trim(value, `'"`)
	}
	pem, err := os.ReadFile(h.env["SLIPWAY_CA"])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", h.env["SLIPWAY_CA"])
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", h.env["SLIPWAY_HTTPS"])
	}
	h.http = &http.Client{
		Timeout:       150 * time.Second,
		Transport:     &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: false},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

func (h *house) environ() []string {
	env := append(os.Environ(), "AWS_PAGER=", "AWS_MAX_ATTEMPTS=2")
	for k, v := range h.env {
		env = append(env, k+"="+v)
	}
	return env
}

// aws runs the stock AWS CLI and returns what it prints.
func (h *house) aws(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "aws", append(args, "--output", "json")...)
	cmd.Env = h.environ()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("aws %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// must runs the AWS CLI, and decodes its answer into out unless that is nil.
func (h *house) must(t *testing.T, out any, args ...string) {
	t.Helper()
	text, err := h.aws(args...)
	if err != nil {
		t.Fatal(err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatalf("aws %s: %v in %s", strings.Join(args, " "), err, text)
	}
}

// service is what the tests look at in a Service.
type service struct {
	ServiceName, ServiceId, ServiceArn, ServiceUrl, Status string
	InstanceConfiguration                                  struct{ Cpu, Memory string }
	SourceConfiguration                                    json.RawMessage
}

type answer struct {
	Service     service
	OperationId string
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// create makes a service and waits until it is running.
func (h *house) create(t *testing.T, name string, source any, more ...string) service {
	t.Helper()
	var a answer
	h.must(t, &a, append([]string{"apprunner", "create-service", "--service-name", name, "--source-configuration", asJSON(t, source)}, more...)...)
	if a.Service.Status != "OPERATION_IN_PROGRESS" || a.OperationId == "" {
		t.Errorf("create-service answered status %s, operation %q", a.Service.Status, a.OperationId)
	}
	t.Cleanup(func() { h.remove(t, a.Service.ServiceArn) })
	return h.await(t, a.Service.ServiceArn, "RUNNING")
}

// remove deletes a service, whatever its state, so that tests leave nothing running.
func (h *house) remove(t *testing.T, arn string) {
	t.Helper()
	for range 600 {
		s, err := h.describe(arn)
		if err != nil || s.Status == "DELETED" {
			return
		}
		if s.Status != "OPERATION_IN_PROGRESS" {
			if _, err := h.aws("apprunner", "delete-service", "--service-arn", arn); err != nil {
				t.Error(err)
				return
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func (h *house) describe(arn string) (service, error) {
	var a answer
	text, err := h.aws("apprunner", "describe-service", "--service-arn", arn)
	if err != nil {
		return a.Service, err
	}
	return a.Service, json.Unmarshal([]byte(text), &a)
}

// patience is how long an operation may take: the first build of a runtime's base image takes minutes on a fresh machine.
const patience = 12 * time.Minute

// await waits until a service has left OPERATION_IN_PROGRESS and checks the status it ended in.
func (h *house) await(t *testing.T, arn, want string) service {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		s, err := h.describe(arn)
		if err != nil {
			t.Fatal(err)
		}
		if s.Status == "OPERATION_IN_PROGRESS" {
			continue
		}
		if s.Status != want {
			t.Fatalf("service %s is %s, want %s; its logs:\n%s", s.ServiceName, s.Status, want, h.story(s))
		}
		return s
	}
	s, _ := h.describe(arn)
	t.Fatalf("service %s is still in progress after %s; its logs:\n%s", arn, patience, h.story(s))
	return s
}

// story is everything the service group of a service says.
func (h *house) story(s service) string {
	var out struct {
		Events []struct{ LogStreamName, Message string }
	}
	text, err := h.aws("logs", "filter-log-events", "--log-group-name", "/aws/apprunner/"+s.ServiceName+"/"+s.ServiceId+"/service")
	if err != nil {
		return err.Error()
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range out.Events {
		stream, _, _ := strings.Cut(e.LogStreamName, "/")
		fmt.Fprintf(&b, "%s: %s\n", stream, e.Message)
	}
	return b.String()
}

// get asks a service over HTTPS and returns status and body.
func (h *house) get(url, path string) (int, string, error) {
	res, err := h.http.Get("https://" + url + path)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// says checks the answer of a service.
func (h *house) says(t *testing.T, s service, path, want string) {
	t.Helper()
	status, body, err := h.get(s.ServiceUrl, path)
	if err != nil || status != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("https://%s%s answers %d %q, %v; want %q", s.ServiceUrl, path, status, body, err, want)
	}
}

// repository makes a git repository of the given files on branch main and returns its URL and a function that commits a change.
func repository(t *testing.T, files map[string]string) (url string, commit func(map[string]string)) {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=e2e", "-c", "user.email=e2e@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	git("init", "-q", "-b", "main")
	commit = func(files map[string]string) {
		t.Helper()
		for name, content := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		git("add", "-A")
		git("commit", "-q", "-m", "change")
	}
	commit(files)
	return "file://" + dir, commit
}

// code is a SourceConfiguration for a repository with settings from the API.
func code(url string, auto bool, values map[string]any) map[string]any {
	conf := map[string]any{"ConfigurationSource": "REPOSITORY"}
	if values != nil {
		conf = map[string]any{"ConfigurationSource": "API", "CodeConfigurationValues": values}
	}
	return map[string]any{
		"AutoDeploymentsEnabled": auto,
		"CodeRepository": map[string]any{
			"RepositoryUrl": url, "SourceCodeVersion": map[string]any{"Type": "BRANCH", "Value": "main"}, "CodeConfiguration": conf,
		},
	}
}
