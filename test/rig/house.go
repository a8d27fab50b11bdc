package rig

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// scratch is a directory that lives as long as the test program.
var scratch = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "slipway-rig-") })

// Binary is the program under test: $SLIPWAY_BIN, or built from this tree once.
var Binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("SLIPWAY_BIN"); b != "" {
		return b, nil
	}
	return goBuild("slipway.dev/slipway/cmd/slipway", "slipway")
})

func goBuild(pkg, name string) (string, error) {
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// Clean removes what Binary and the images made. Call it at the end of TestMain.
func Clean() {
	if dir, err := scratch(); err == nil {
		os.RemoveAll(dir)
	}
}

// House is one running installation.
type House struct {
	Dir string
	Env map[string]string // what credentials.env says

	HTTP *http.Client // speaks HTTPS to any host name through the edge; does not follow redirects
	Apps *apprunner.Client
	Logs *cloudwatchlogs.Client
	ECR  *ecr.Client

	roots *x509.CertPool
	extra []string // variables of the process itself
	args  []string
}

// Up starts an installation over a new directory on free ports, detached as a user would. args are further flags.
func Up(args ...string) (*House, error) {
	dir, err := os.MkdirTemp("", "slipway-house-")
	if err != nil {
		return nil, err
	}
	return UpIn(dir, nil, args...)
}

// UpIn starts an installation over dir, with env ("NAME=value") added to its environment.
func UpIn(dir string, env []string, args ...string) (*House, error) {
	h := &House{Dir: dir, extra: env, args: args}
	return h, h.Start()
}

// Start runs `slipway up` for an installation that does not run, and reads where everything is.
func (h *House) Start() error {
	args := append([]string{"up", "--detach", "--data-dir", h.Dir}, addresses(h.Env)...)
	if out, err := h.Slipway(append(args, h.args...)...); err != nil {
		return fmt.Errorf("slipway up: %w\n%s", err, out)
	}
	return h.Load()
}

// addresses asks for free ports the first time and for the same ones afterwards.
func addresses(env map[string]string) []string {
	at := func(name string) string {
		if v := env[name]; v != "" {
			return strings.TrimPrefix(v, "http://")
		}
		return "127.0.0.1:0"
	}
	return []string{
		"--api-addr", at("AWS_ENDPOINT_URL"), "--https-addr", at("SLIPWAY_HTTPS"), "--http-addr", at("SLIPWAY_HTTP"), "--dns-addr", at("SLIPWAY_DNS"),
	}
}

// Slipway runs the program and returns all it prints.
func (h *House) Slipway(args ...string) (string, error) {
	bin, err := Binary()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), h.extra...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Down runs `slipway down`.
func (h *House) Down() error {
	if out, err := h.Slipway("down", "--data-dir", h.Dir); err != nil {
		return fmt.Errorf("slipway down: %w\n%s", err, out)
	}
	return nil
}

// NeedRoot skips a test that has to run containers where that is not to be had.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("applications run in containers, which needs root")
	}
}

// Own is an installation of one test, which is taken down at its end and held to leave nothing.
func Own(t testing.TB, args ...string) *House {
	t.Helper()
	NeedRoot(t)
	h, err := Up(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Finish(t) })
	return h
}

// Finish takes the installation down, checks that nothing of it is left on the machine, and removes its directory unless the
// test failed.
func (h *House) Finish(t testing.TB) {
	t.Helper()
	if err := h.Down(); err != nil {
		t.Error(err)
	}
	for _, trace := range h.Leftovers() {
		t.Errorf("slipway down left behind: %s", trace)
	}
	if !t.Failed() {
		os.RemoveAll(h.Dir)
	}
}

// Load reads credentials.env and makes the clients.
func (h *House) Load() error {
	b, err := os.ReadFile(filepath.Join(h.Dir, "credentials.env"))
	if err != nil {
		return err
	}
	h.Env = map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		h.Env[name] = strings.Trim(value, `'"`)
	}
	pem, err := os.ReadFile(h.Env["SLIPWAY_CA"])
	if err != nil {
		return err
	}
	h.roots = x509.NewCertPool()
	if !h.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", h.Env["SLIPWAY_CA"])
	}
	h.HTTP = h.Client()
	conf := aws.Config{
		Region: h.Env["AWS_REGION"], BaseEndpoint: aws.String(h.Env["AWS_ENDPOINT_URL"]),
		Credentials: credentials.NewStaticCredentialsProvider(h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"], ""),
	}
	if strings.HasPrefix(h.Env["AWS_ENDPOINT_URL"], "https:") {
		conf.HTTPClient = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: h.TLS()}}
	}
	h.Apps, h.Logs, h.ECR = apprunner.NewFromConfig(conf), cloudwatchlogs.NewFromConfig(conf), ecr.NewFromConfig(conf)
	return nil
}

// Client makes an HTTPS client with connections of its own.
func (h *House) Client() *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", h.Env["SLIPWAY_HTTPS"])
	}
	return &http.Client{
		Timeout:       150 * time.Second,
		Transport:     &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: h.roots}, MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// API is host:port of the API listener.
func (h *House) API() string { return strings.TrimPrefix(h.Env["AWS_ENDPOINT_URL"], "http://") }

// Environ is this process's environment with what credentials.env says.
func (h *House) Environ() []string {
	env := append(os.Environ(), "AWS_PAGER=", "AWS_MAX_ATTEMPTS=2")
	for k, v := range h.Env {
		env = append(env, k+"="+v)
	}
	return env
}

// AWS runs the stock AWS CLI and returns what it prints.
func (h *House) AWS(args ...string) (string, error) { return h.AWSWith(nil, args...) }

// AWSWith is AWS with some variables changed.
func (h *House) AWSWith(env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "aws", append(args, "--output", "json")...)
	cmd.Env = append(h.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("aws %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}
