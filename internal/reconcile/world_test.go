package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/build"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/instance/instancetest"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/reconcile"
	"slipway.dev/slipway/internal/source"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

// world is a whole installation around the reconciler: the real store, log store, control and edge; instances of the conforming
// fake driver; a source and an image store that only count.
type world struct {
	t         *testing.T
	db        *store.DB
	logs      *observe.Logs
	control   *control.Control
	router    *edge.Client
	machine   *instancetest.World
	source    *sources
	images    *shelf
	front     string // host:port of the edge, without TLS
	dir       string
	stop      context.CancelFunc
	stopped   chan error
	startTime time.Duration
	quiet     time.Duration // default 60 s
	vpcs      *vpcs         // nil: there are none
	vault     *vault
	killed    chan struct{} // closed when the reconciler is ended; lets go a worker that stands at a step boundary
}

// sources is a repository with one branch and the builder that makes images of it.
type sources struct {
	mu      sync.Mutex
	args    []string // what the built application runs
	env     map[string]string
	secrets map[string]string
	failed  error // of the next builds
	builds  int
}

func (s *sources) Fetch(_ context.Context, _ source.Repository, dir string) (source.Commit, error) {
	return source.Commit{SHA: "c0ffee", Subject: "change"}, os.MkdirAll(dir, 0o700)
}

func (s *sources) Build(_ context.Context, req build.Request) (build.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds++
	req.Log.Output("compiled")
	if s.failed != nil {
		return build.Result{}, s.failed
	}
	return build.Result{ImageDigest: fmt.Sprintf("sha256:%064d", s.builds), Run: apprunner.RunConfiguration{Args: s.args, Port: 8080, Env: s.env, Secrets: s.secrets}}, nil
}

func (s *sources) RemoveCaches(context.Context, string) error { return nil }

func (s *sources) runs(args ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.args = append([]string{instancetest.AppPath}, args...)
}

func (s *sources) sets(env map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env = env
}

func (s *sources) hides(references map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = references
}

func (s *sources) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// shelf keeps pins, so that tests see what stays.
type shelf struct {
	mu      sync.Mutex
	pins    map[string]bool
	refusal error // what whoever wants an image hears
}

func (s *shelf) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = err
}

func (s *shelf) Pull(context.Context, string, image.Credential) (image.Image, error) {
	return image.Image{}, errors.New("no registry here")
}

func (s *shelf) Kept(_ context.Context, _, digest string) (image.Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		return image.Image{}, s.refusal
	}
	return image.Image{Digest: digest, Layers: []image.Layer{{Dir: "/"}}}, nil
}

func (s *shelf) Pin(_ context.Context, _, digest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins[digest] = true
	return nil
}

func (s *shelf) PinSealed(ctx context.Context, owner, digest, _ string) error {
	return s.Pin(ctx, owner, digest)
}

func (s *shelf) Rest(context.Context, string) error { return nil }

func (s *shelf) Unpin(_ context.Context, _ string, digests ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range digests {
		delete(s.pins, d)
	}
	return nil
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pins)
}

type noCertificates struct{}

func (noCertificates) Certificates(context.Context) ([]edge.Certificate, error) { return nil, nil }
func (noCertificates) Challenges() []edge.Challenge                             { return nil }

// noCredentials gives instances none.
type noCredentials struct{}

func (noCredentials) Register(context.Context, string, string, string) ([]string, error) {
	return nil, nil
}
func (noCredentials) Forget(context.Context, string) error { return nil }
func (noCredentials) Keep(context.Context, []string) error { return nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), machine: instancetest.NewWorld(), source: &sources{}, images: &shelf{pins: map[string]bool{}}, startTime: 20 * time.Second,
	}
	w.source.runs("serve", "8080")
	var err error
	check(t, func() error { w.db, err = store.Open(t.Context(), filepath.Join(w.dir, "slipway.db")); return err }())
	t.Cleanup(func() { w.db.Close() })
	check(t, func() error {
		w.logs, err = observe.Open(t.Context(), observe.Config{Dir: filepath.Join(w.dir, "logs"), DB: w.db})
		return err
	}())
	t.Cleanup(func() { w.logs.Close() })
	check(t, func() error {
		w.control, err = control.New(control.Config{DB: w.db, Suffix: "test", IngressWork: true, Log: slog.New(slog.DiscardHandler)})
		return err
	}())
	w.vault = openVault(t, w.db)
	w.startEdge()
	t.Cleanup(func() {
		w.halt()
		check(t, w.machine.Driver().Sweep(context.Background(), nil))
	})
	return w
}

// t0 writes the reconciler's own log into the test's.
type t0 struct{ t *testing.T }

func (l t0) Write(b []byte) (int, error) { l.t.Logf("%s", b); return len(b), nil }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) startEdge() {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(w.t, err)
	w.front = l.Addr().String()
	socket := filepath.Join(w.dir, "edge.sock")
	c, err := edge.ListenControl(socket)
	check(w.t, err)
	s, err := edge.New(edge.Config{Plain: l, Control: c, Freezer: w.machine.Driver()})
	check(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-done })
	w.router = edge.NewClient(socket)
}

// run starts a reconciler, as a start of the control role does. fault is called at step boundaries.
func (w *world) run(fault func(string)) {
	w.t.Helper()
	conf := reconcile.Config{
		DB: w.db, Repositories: w.source, Builder: w.source, Images: w.images, Instances: w.machine.Driver(), Router: w.router, Logs: w.logs,
		Certificates: noCertificates{}, Credentials: noCredentials{}, Secrets: w.vault.environment, Log: slog.New(slog.NewTextHandler(t0{w.t}, nil)), ScratchDir: filepath.Join(w.dir, "checkouts"),
		StartTimeout: w.startTime, DrainTimeout: 10 * time.Second, StopGrace: 100 * time.Millisecond, QuietTime: w.quiet, Fault: fault, Keep: 3,
	}
	if w.vpcs != nil {
		conf.Networks, conf.Ingresses, conf.JoinTimeout = w.vpcs, w.control, time.Second
	}
	r, err := reconcile.New(conf)
	check(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.stopped = cancel, make(chan error, 1)
	go func() { w.stopped <- r.Run(ctx) }()
}

// halt ends the reconciler as it stands; instances and edge go on.
func (w *world) halt() {
	if w.stop == nil {
		return
	}
	w.stop()
	if w.killed != nil {
		close(w.killed)
		w.killed = nil
	}
	if err := <-w.stopped; err != nil {
		w.t.Errorf("the reconciler ended with %v", err)
	}
	w.stop = nil
}

func p[T any](v T) *T { return &v }

func (w *world) create(name string) apprunner.Service {
	w.t.Helper()
	in := apprunner.CreateServiceInput{Name: name}
	in.Source = &apprunner.SourcePatch{Code: &apprunner.CodePatch{
		URL: p("https://example.com/app.git"), Branch: p("main"),
		Configuration: &apprunner.CodeConfigurationPatch{Source: p(apprunner.ConfigurationFromRepository)},
	}}
	s, _, err := w.control.CreateService(w.t.Context(), scope, in)
	check(w.t, err)
	return s
}

// await waits until the service's operation has ended, and returns both.
func (w *world) await(arn string) (apprunner.Service, apprunner.Operation) {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		changed := w.db.Changed()
		s, err := w.control.DescribeService(w.t.Context(), scope, arn)
		check(w.t, err)
		if s.Status != apprunner.StatusInProgress {
			ops, err := w.control.ListOperations(w.t.Context(), scope, arn, apprunner.Place{}, 0)
			check(w.t, err)
			return s, ops[0]
		}
		select {
		case <-changed:
		case <-time.After(time.Second):
		}
	}
	w.t.Fatalf("service %s stays in progress; its log:\n%s", arn, w.log(arn))
	return apprunner.Service{}, apprunner.Operation{}
}

// log is everything in the service's log group.
func (w *world) log(arn string) string {
	s, err := w.control.DescribeService(context.Background(), scope, arn)
	if err != nil {
		return err.Error()
	}
	events, _, err := w.logs.Filter(context.Background(), scope, observe.FilterQuery{Group: s.LogGroup("service")})
	if err != nil {
		return err.Error()
	}
	var text string
	for _, e := range events {
		text += e.Message + "\n"
	}
	return text
}

// asks sends one request for the service to the edge.
func (w *world) asks(s apprunner.Service) (int, string) {
	w.t.Helper()
	return w.asksFor(s, "/")
}

func (w *world) asksFor(s apprunner.Service, path string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+w.front+path, nil)
	check(w.t, err)
	req.Host, req.Close = s.URL, true
	res, err := http.DefaultClient.Do(req)
	check(w.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	check(w.t, err)
	return res.StatusCode, string(b)
}

// settled waits until what runs is what the records want: no instance without a record, none missing, nothing draining.
func (w *world) settled(s apprunner.Service, want int) {
	w.t.Helper()
	var have, rows int
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		list, err := w.machine.Driver().List(w.t.Context())
		check(w.t, err)
		var recorded []apprunner.Instance
		check(w.t, w.db.View(w.t.Context(), func(tx *store.Tx) (err error) { recorded, err = tx.Instances(s.ARN()); return err }))
		if have, rows = len(list), len(recorded); have == want && rows == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Errorf("%d instance(s) run and %d are recorded; want %d", have, rows, want)
}
