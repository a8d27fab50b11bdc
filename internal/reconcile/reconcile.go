package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/build"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/scale"
	"slipway.dev/slipway/internal/source"
	"slipway.dev/slipway/internal/store"
)

// repositories fetches source code.
type repositories interface {
	Fetch(ctx context.Context, repo source.Repository, dir string) (source.Commit, error)
}

// builder turns source code into an image.
type builder interface {
	Build(ctx context.Context, req build.Request) (build.Result, error)
	RemoveCaches(ctx context.Context, serviceID string) error
}

// images keeps the images that run.
type images interface {
	Pull(ctx context.Context, ref string, cred image.Credential) (image.Image, error)
	Kept(ctx context.Context, owner, digest string) (image.Image, error)
	Pin(ctx context.Context, owner, digest string) error
	PinSealed(ctx context.Context, owner, digest, kmsKey string) error
	Unpin(ctx context.Context, owner string, digests ...string) error
	Rest(ctx context.Context, owner string) error
}

// router is the edge as seen from here.
type router interface {
	Publish(ctx context.Context, t edge.Table) error
	Status(ctx context.Context) (edge.Status, error)
	News(ctx context.Context, known edge.Status) (edge.Status, error)
}

// logs stores what operations and applications say.
type logs interface {
	CreateGroup(ctx context.Context, sc apprunner.Scope, name string) error
	Append(ctx context.Context, sc apprunner.Scope, group, stream string, events []observe.Event) error
	Tail(ctx context.Context, sc apprunner.Scope, group, stream string, lines int) ([]observe.Event, error)
}

// certificates hands out the certificates the edge shows.
type certificates interface {
	Certificates(ctx context.Context) ([]edge.Certificate, error)
	Challenges() []edge.Challenge
}

// credentials lets instances act with their instance role (§18).
type credentials interface {
	Register(ctx context.Context, instanceID, serviceARN, roleARN string) (env []string, err error)
	Forget(ctx context.Context, instanceID string) error
	Keep(ctx context.Context, alive []string) error
}

// Config is what a Reconciler needs; every member without a default is required.
type Config struct {
	DB           *store.DB
	Repositories repositories
	Builder      builder
	Images       images
	Instances    instance.Driver
	Router       router
	Logs         logs
	Certificates certificates
	Credentials  credentials
	Secrets      secrets
	Log          *slog.Logger

	// Networks are the VPCs in which private services are reached, Ingresses what joins services to them. nil: private services are
	// reached from nowhere.
	Networks  networks
	Ingresses ingresses

	ScratchDir string // for checkouts; swept at start
	// AccessDir is where the edge leaves access logs; empty: it writes none.
	AccessDir string
	// PullAs is the principal whose rights count when an image is pulled with an access role; empty asks nobody. May be nil.
	PullAs func(ctx context.Context, accessRoleARN string) string
	// ConnectionCredential is what opens a private repository; nil: none can be opened.
	ConnectionCredential func(ctx context.Context, connectionARN string) (source.Credential, error)
	// ReleaseKey retires what the creation of a service was granted on its KMS key. May be nil.
	ReleaseKey func(tx *store.Tx, keyARN, service string) error
	// FirstService is called before a service is created, with its account. May be nil.
	FirstService func(ctx context.Context, account string) error
	// Environment is set for every instance below the user's own variables, for example AWS_ENDPOINT_URL.
	Environment map[string]string
	// Files are placed into every instance, for example CA bundles. May be nil.
	Files map[string][]byte

	Now          func() time.Time // default time.Now
	StartTimeout time.Duration    // how long an instance may take to become healthy; default 5 min (§6.5)
	DrainTimeout time.Duration    // how long requests in flight may take to finish; default 120 s (§7.3)
	StopGrace    time.Duration    // between SIGTERM and SIGKILL; default 30 s (§19)
	QuietTime    time.Duration    // how long fewer instances must have been needed before some go; default 60 s (§12.2)
	JoinTimeout  time.Duration    // how long a private service may take to answer at its endpoint, and a VPC connector to work; default 60 s
	Keep         int              // deployments kept for a rollback, the present one included; default 5
	// Fault is called at every step boundary with "<TYPE>/<step>/<before|after>"; tests end the process there. May be nil.
	Fault func(point string)
}

// Reconciler carries out operations and keeps services running.
type Reconciler struct {
	Config

	sight   *sight
	traffic *traffic
	back    *backOffs
	demand  chan struct{} // requests wait for an instance

	publishMu sync.Mutex
	published edge.Table

	mu      sync.Mutex
	working map[string]context.CancelFunc // what runs in the background, by operation, ingress connection, instance or service
}

// New checks the configuration and fills its defaults.
func New(c Config) (*Reconciler, error) {
	switch {
	case c.DB == nil, c.Repositories == nil, c.Builder == nil, c.Images == nil, c.Instances == nil, c.Router == nil,
		c.Logs == nil, c.Certificates == nil, c.Credentials == nil, c.Secrets == nil, c.Log == nil, c.ScratchDir == "":
		return nil, errors.New("reconcile: a required member of Config is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PullAs == nil {
		c.PullAs = func(context.Context, string) string { return "" }
	}
	if c.ConnectionCredential == nil {
		c.ConnectionCredential = func(context.Context, string) (source.Credential, error) { return source.Credential{}, nil }
	}
	if c.FirstService == nil {
		c.FirstService = func(context.Context, string) error { return nil }
	}
	if c.Fault == nil {
		c.Fault = func(string) {}
	}
	c.StartTimeout = orDefault(c.StartTimeout, 5*time.Minute)
	c.DrainTimeout = orDefault(c.DrainTimeout, 120*time.Second)
	c.StopGrace = orDefault(c.StopGrace, 30*time.Second)
	c.QuietTime = orDefault(c.QuietTime, scale.DefaultQuiet)
	c.JoinTimeout = orDefault(c.JoinTimeout, time.Minute)
	if c.Keep < 1 {
		c.Keep = 5
	}
	return &Reconciler{
		Config: c, working: map[string]context.CancelFunc{}, back: &backOffs{of: map[string]*backOff{}},
		sight: newSight(c.Router, c.Now), traffic: newTraffic(c.Now(), c.QuietTime), demand: make(chan struct{}, 1),
	}, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// Run works until ctx ends. Operations under way stay as they are and are resumed by the next Run.
func (r *Reconciler) Run(ctx context.Context) error {
	if err := r.sweep(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	start := func(id string, do func(context.Context) error) { r.startWorker(gctx, g, id, do) }
	g.Go(func() error { return r.dispatch(gctx, start) })
	g.Go(func() error { return r.settleIngresses(gctx, start) })
	for _, loop := range []func(context.Context) error{r.supervise, r.keepPublished, r.pumpLogs, r.collectAccess, r.watchEdge} {
		g.Go(func() error { return loop(gctx) })
	}
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil // whatever a loop said, it was told to end
}

// dispatch gives every running operation a worker.
func (r *Reconciler) dispatch(ctx context.Context, start func(id string, do func(context.Context) error)) error {
	for {
		changed := r.DB.Changed()
		var ops []apprunner.Operation
		err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
			ops, err = tx.RunningOperations()
			return err
		})
		if err != nil {
			return fmt.Errorf("read running operations: %w", err)
		}
		for _, op := range ops {
			start(op.ID, func(ctx context.Context) error { return r.work(ctx, op.ID) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// startWorker starts a worker for an operation or an ingress connection unless it has one.
func (r *Reconciler) startWorker(ctx context.Context, g *errgroup.Group, id string, do func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.working[id] != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	r.working[id] = cancel
	g.Go(func() error {
		defer r.endWorker(id)
		if err := do(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("a worker stopped; trying again", "id", id, "err", err)
			sleep(ctx, time.Second) // the store or the log failed; try again a little later
		}
		return nil
	})
}

func (r *Reconciler) endWorker(id string) {
	r.mu.Lock()
	r.working[id]()
	delete(r.working, id)
	r.mu.Unlock()
	r.wake()
}

// wake lets the loops look again without a change in the store.
func (r *Reconciler) wake() { r.DB.Wake() }

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
