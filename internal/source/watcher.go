package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// services lists the code services.
type services interface {
	WatchedServices(ctx context.Context) ([]Target, error)
}

// starter starts a deployment of a service's newest source; commit is what gave cause to it. CodeInvalidState says that the service
// cannot take one just now.
type starter interface {
	StartDeployment(ctx context.Context, serviceARN, commit string, automatic bool) error
}

// repositories is the part of Git the watcher uses.
type repositories interface {
	Head(ctx context.Context, repo Repository) (string, error)
	ChangedPaths(ctx context.Context, repo Repository, from, to, dir string) ([]string, error)
	Local(url string) bool
	Identity(url string) string
}

// WatcherConfig is what a Watcher needs.
type WatcherConfig struct {
	DB       *store.DB
	Git      repositories
	Services services
	Starter  starter
	Log      *slog.Logger
}

// Watcher starts a deployment when the branch of a service with automatic deployment has a new commit that touches its source
// directory (§8.1). Repositories on this machine are looked at every second, others every 30 seconds, and all at once when poked.
type Watcher struct {
	cfg  WatcherConfig
	wake chan struct{}
	look sync.WaitGroup
	gate chan struct{} // bounds looks at the same time

	mu      sync.Mutex
	notices []Notice
	targets map[string]*watched // by service ARN
}

// watched is a target with what belongs to it.
type watched struct {
	Target
	memory
	schedule
}

// Notice says that a branch may have moved. Empty members match anything.
type Notice struct {
	ServiceARN string
	URLs       []string // spellings of one repository
	Branches   []string
}

const (
	looksAtOnce = 8
	maxNotices  = 10_000
	watchTick   = time.Second
)

// schema is the watcher's and the hooks' own part of the database.
var schema = []string{
	`CREATE TABLE source_memory (
		service_arn TEXT NOT NULL PRIMARY KEY,
		place TEXT NOT NULL,
		seen TEXT NOT NULL,
		muted BIGINT NOT NULL,
		updated_at BIGINT NOT NULL
	)`,
	`CREATE TABLE source_hooks (
		id TEXT NOT NULL PRIMARY KEY,
		service_arn TEXT NOT NULL UNIQUE,
		created_at BIGINT NOT NULL
	)`,
}

// NewWatcher checks the configuration and prepares the database. It watches nothing until Run.
func NewWatcher(ctx context.Context, cfg WatcherConfig) (*Watcher, error) {
	if cfg.DB == nil || cfg.Git == nil || cfg.Services == nil || cfg.Starter == nil {
		return nil, errors.New("source: WatcherConfig needs DB, Git, Services and Starter")
	}
	cfg.Log = or(cfg.Log, slog.New(slog.DiscardHandler))
	if err := cfg.DB.Migrate(ctx, "source", schema); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	return &Watcher{cfg: cfg, wake: make(chan struct{}, 1), gate: make(chan struct{}, looksAtOnce), targets: map[string]*watched{}}, nil
}

// Poke has the branches a notice means looked at now. It returns at once.
func (w *Watcher) Poke(n Notice) {
	w.mu.Lock()
	if len(w.notices) < maxNotices { // beyond that, polling finds it
		w.notices = append(w.notices, n)
	}
	w.mu.Unlock()
	w.rouse()
}

func (w *Watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run watches until ctx ends. It fails only when what is remembered cannot be read at the start.
func (w *Watcher) Run(ctx context.Context) error {
	defer w.look.Wait()
	remembered, err := w.load(ctx)
	if err != nil {
		return fmt.Errorf("watch repositories: %w", err)
	}
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	var changed <-chan struct{}
	for stale := true; ; {
		if stale {
			// The channel is taken before the list is read, so that no change falls between.
			changed = w.cfg.DB.Changed()
			if err := w.refresh(ctx, remembered); err != nil && ctx.Err() == nil {
				w.cfg.Log.Warn("list the services whose repositories are watched", "error", err)
				changed = nil // try again with the next tick
			}
		}
		w.start(ctx)
		var resumed <-chan struct{}
		if w.muted() {
			resumed = changed
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-tick.C:
		case <-resumed:
		}
		stale = changed == nil || closed(changed)
	}
}

// muted tells whether some target's changes are not deployed now. The moment at which they are again must not be missed by a second:
// what is pushed after it counts.
func (w *Watcher) muted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.targets {
		if t.Target.muted() && t.Automatic {
			return true
		}
	}
	return false
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// refresh reads the list of targets and forgets those that are gone.
func (w *Watcher) refresh(ctx context.Context, remembered map[string]memory) error {
	list, err := w.cfg.Services.WatchedServices(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	listed := map[string]bool{}
	for _, t := range list {
		listed[t.ServiceARN] = true
		have := w.targets[t.ServiceARN]
		if have == nil {
			have = &watched{memory: remembered[t.ServiceARN]}
			w.targets[t.ServiceARN] = have
		}
		have.Target, have.local = t, w.cfg.Git.Local(t.Repository.URL)
		if m := observe(t, have.memory); m != have.memory {
			if err := w.save(ctx, t.ServiceARN, m); err != nil {
				return err
			}
			have.memory = m
		}
		delete(remembered, t.ServiceARN)
	}
	return w.drop(ctx, listed, remembered)
}

// drop forgets targets that are no longer listed, and those that ended while nobody watched.
func (w *Watcher) drop(ctx context.Context, listed map[string]bool, remembered map[string]memory) error {
	for arn := range remembered {
		if err := w.forget(ctx, arn); err != nil {
			return err
		}
		delete(remembered, arn)
	}
	for arn, t := range w.targets {
		if listed[arn] || t.looking {
			continue
		}
		if err := w.forget(ctx, arn); err != nil {
			return err
		}
		delete(w.targets, arn)
	}
	return nil
}

// start begins a look at every target that is due.
func (w *Watcher) start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.notices {
		w.mark(n)
	}
	w.notices = nil
	now := time.Now()
	for _, t := range w.targets {
		if !due(now, t.Target, t.memory, t.schedule) {
			continue
		}
		t.looking, t.poked, t.waiting = true, false, false
		w.look.Go(func() {
			select {
			case w.gate <- struct{}{}:
				defer func() { <-w.gate }()
				w.visit(ctx, t)
			case <-ctx.Done():
			}
		})
	}
}

// mark pokes the targets a notice means.
func (w *Watcher) mark(n Notice) {
	var repositories []string
	for _, u := range n.URLs {
		repositories = append(repositories, w.cfg.Git.Identity(u))
	}
	for _, t := range w.targets {
		if (n.ServiceARN == "" || n.ServiceARN == t.ServiceARN) &&
			(len(n.Branches) == 0 || slices.Contains(n.Branches, t.Repository.Branch)) &&
			(len(repositories) == 0 || slices.Contains(repositories, w.cfg.Git.Identity(t.Repository.URL))) {
			t.poked = true
		}
	}
}

// visit looks at one target, acts, and notes when to look again.
func (w *Watcher) visit(ctx context.Context, t *watched) {
	w.mu.Lock()
	target, m, before := t.Target, t.memory, t.failures
	w.mu.Unlock()
	next, waiting, err := w.act(ctx, target, m)
	if err == nil && next != m {
		err = w.save(ctx, target.ServiceARN, next)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil && before == 0 { // once, not with every repetition
		w.cfg.Log.Warn("look at a repository", "service_arn", target.ServiceARN, "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && t.memory == m { // unless the list changed it meanwhile, which then counts
		t.memory = next
	}
	t.waiting = waiting
	t.schedule = t.after(time.Now(), target.ServiceARN, err != nil)
	if t.poked {
		w.rouse()
	}
}

// act looks at the branch and starts what is to be started. It gives what to remember, and whether something waits for the end of an operation.
func (w *Watcher) act(ctx context.Context, t Target, m memory) (next memory, waiting bool, err error) {
	head, err := w.cfg.Git.Head(ctx, t.Repository)
	if err != nil {
		return m, false, err
	}
	next, what := decide(t, m, head)
	if what == compare {
		if what, err = w.compare(ctx, t, next.Seen, head); err != nil {
			return m, false, err
		}
		if what == ignore {
			next.Seen = head
		}
	}
	if what != deploy {
		return next, what == wait, nil
	}
	switch err := w.cfg.Starter.StartDeployment(ctx, t.ServiceARN, head, true); {
	case apprunner.CodeOf(err) == apprunner.CodeInvalidState && err != nil:
		return next, true, nil // an operation began between the list and now
	case err != nil:
		return m, false, fmt.Errorf("start a deployment of commit %s: %w", head, err)
	}
	w.cfg.Log.Info("automatic deployment", "service_arn", t.ServiceARN, "commit", head, "branch", t.Repository.Branch)
	next.Seen = head
	return next, false, nil
}

func (w *Watcher) compare(ctx context.Context, t Target, from, to string) (verdict, error) {
	changed, err := w.cfg.Git.ChangedPaths(ctx, t.Repository, from, to, t.directory())
	switch {
	case err != nil && !gone(err):
		return ignore, err
	case err == nil && len(changed) == 0:
		return ignore, nil
	}
	return deploy, nil
}

func (w *Watcher) load(ctx context.Context) (map[string]memory, error) {
	all := map[string]memory{}
	err := w.cfg.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT service_arn, place, seen, muted FROM source_memory`, nil, func(row store.Row) error {
			var arn string
			var m memory
			if err := row.Scan(&arn, &m.Place, &m.Seen, &m.Muted); err != nil {
				return err
			}
			all[arn] = m
			return nil
		})
	})
	return all, err
}

func (w *Watcher) save(ctx context.Context, arn string, m memory) error {
	muted := 0
	if m.Muted {
		muted = 1
	}
	err := w.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO source_memory (service_arn, place, seen, muted, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (service_arn) DO UPDATE SET place = excluded.place, seen = excluded.seen, muted = excluded.muted, updated_at = excluded.updated_at`,
			arn, m.Place, m.Seen, muted, store.Micros(time.Now()))
	})
	if err != nil {
		return fmt.Errorf("remember the commit of %s: %w", arn, err)
	}
	return nil
}

func (w *Watcher) forget(ctx context.Context, arn string) error {
	return w.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`DELETE FROM source_memory WHERE service_arn = $1`, arn)
	})
}
