package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Config tells a Store where it lives and who its neighbours are. Only Dir and DB are required.
type Config struct {
	Dir   string          // made when missing; nobody else may write there
	DB    *store.DB       //
	Scope apprunner.Scope // where references that name only the built-in registry's own host belong

	// OwnsAccount tells which accounts' ECR references mean the built-in registry. Nil: the account of Scope.
	OwnsAccount func(account string) bool
	// RegistryHosts are further names of the built-in registry (host or host:port), for references; requests may come by any.
	RegistryHosts []string
	// ProxyEndpoint is the registry's address as GetAuthorizationToken tells it. "": https and the ECR host of the scope.
	ProxyEndpoint string
	// Mirrors replaces registries, by prefix of "host/repository"; the longest prefix wins.
	Mirrors map[string]Upstream
	// PullThrough fetches what the built-in registry lacks, by prefix of the repository name, like ECR's rules of that name.
	PullThrough map[string]Upstream

	// Keys encrypt content on disk; nil leaves it as it is.
	Keys Keyring
	// Authorize answers whether a principal may do something; nil refuses every request to the registry.
	Authorize func(context.Context, Access) error

	Architecture string            // as Go and OCI spell it; "": this machine's
	Limits       Limits            // zero members take the defaults
	KeepUnused   time.Duration     // how long an image nobody pinned stays on disk; default 1 h
	UploadExpiry time.Duration     // how long an unfinished push stays; default 24 h
	Transport    http.RoundTripper // to other registries; nil: a clone of http.DefaultTransport
	Now          func() time.Time  // nil: time.Now
	Log          *slog.Logger      // nil: nothing is logged
}

// Upstream is another registry or a part of one: a base URL (https, or http where the host is loopback), whose path, if any,
// goes before the repository, and the credentials for it, if any.
type Upstream struct {
	Base     string
	Username string
	Password string
}

// Limits bounds what one image may cost this machine.
type Limits struct {
	BlobBytes    int64 // one blob as transferred; default 20 GiB
	LayerBytes   int64 // the files of one layer, unpacked; default 20 GiB
	LayerEntries int64 // files and directories of one layer; default 1,000,000
	Layers       int   // layers of one image; default 127, as other engines have it
}

// Access is one question to Config.Authorize.
type Access struct {
	Principal string // as it was handed to IssueToken or Pull
	Action    string // "ecr:BatchGetImage"
	Resource  string // ARN of the repository, or "*"
	Policy    string // the repository's own policy document, "" when it has none
}

// Store keeps images on disk. It is safe for concurrent use; two processes may not open the same directory.
type Store struct {
	cfg     Config
	dir     string
	common  shelf // what is kept for nobody in particular: of the registry, of images pulled and built
	db      *store.DB
	limits  Limits
	log     *slog.Logger
	now     func() time.Time
	bootID  string
	leases  *leases
	shared  *shared
	uploads *uploads
	key     []byte // of authorization tokens

	sweeping sync.Mutex // one garbage collection at a time
	unsynced chan struct{}
	released chan struct{}
	pushed   chan struct{}
	unpackQ  chan unpackJob
	hooksMu  sync.Mutex
	hooks    []func(context.Context, PushEvent)
}

// Open makes or opens the store in cfg.Dir and clears away what an earlier process left unfinished.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Dir == "" || cfg.DB == nil {
		return nil, errors.New("open images: Dir and DB are required")
	}
	s := &Store{
		cfg: cfg, db: cfg.DB, limits: cfg.Limits.withDefaults(), log: cfg.Log, now: cfg.Now, bootID: bootID(),
		leases: newLeases(), shared: newShared(), uploads: newUploads(),
		unsynced: make(chan struct{}, 1), released: make(chan struct{}, 1), pushed: make(chan struct{}, 1), unpackQ: make(chan unpackJob, unpackQueue),
	}
	s.fillDefaults()
	if err := errors.Join(checkUpstreams(cfg.Mirrors), checkUpstreams(cfg.PullThrough)); err != nil {
		return nil, fmt.Errorf("open images: %w", err)
	}
	var err error
	if s.dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open images: %w", err)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("open images in %s: %w", s.dir, err)
	}
	return s, nil
}

func (s *Store) fillDefaults() {
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.cfg.Architecture = cmp.Or(s.cfg.Architecture, runtime.GOARCH)
	s.cfg.KeepUnused = cmp.Or(s.cfg.KeepUnused, time.Hour)
	s.cfg.UploadExpiry = cmp.Or(s.cfg.UploadExpiry, 24*time.Hour)
	if s.cfg.Transport == nil {
		s.cfg.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	if s.cfg.OwnsAccount == nil {
		s.cfg.OwnsAccount = func(account string) bool { return account == s.cfg.Scope.Account }
	}
}

func (l Limits) withDefaults() Limits {
	return Limits{
		BlobBytes:    cmp.Or(l.BlobBytes, 20<<30),
		LayerBytes:   cmp.Or(l.LayerBytes, 20<<30),
		LayerEntries: cmp.Or(l.LayerEntries, 1_000_000),
		Layers:       cmp.Or(l.Layers, 127),
	}
}

func (s *Store) prepare(ctx context.Context) error {
	if err := os.RemoveAll(s.tmpDir()); err != nil {
		return fmt.Errorf("sweep temporary files: %w", err)
	}
	// 0700: layers hold other people's setuid programs, owned by root.
	for _, sub := range []string{"", "blobs/sha256", "vaults", "layers", "uploads", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o700); err != nil {
			return err
		}
	}
	if err := s.db.Migrate(ctx, "image", migrations); err != nil {
		return err
	}
	s.common.dir = filepath.Join(s.dir, "blobs", "sha256")
	if err := s.openOwnKey(ctx); err != nil {
		return err
	}
	if err := errors.Join(s.recoverBlobs(ctx), s.recoverLayers(ctx)); err != nil {
		return err
	}
	var err error
	s.key, err = s.tokenKey(ctx)
	return err
}

// Run tells pushes to the listeners, unpacks pushed images ahead of their first use, brings unpacked files to the disk, and
// collects garbage, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	var group sync.WaitGroup
	group.Go(func() { s.runEvents(ctx) })
	group.Go(func() { s.runUnpacks(ctx) })
	group.Go(func() { s.runUpkeep(ctx) })
	group.Wait()
	return ctx.Err()
}

const upkeepEvery = 10 * time.Minute

// runUpkeep logs what fails and tries again: none of it is owed to a caller.
func (s *Store) runUpkeep(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	s.logFailure(ctx, "encrypt what was kept before", s.sealOld(ctx))
	var released <-chan time.Time // when an image that was let go can be collected
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.unsynced:
			s.logFailure(ctx, "sync images", s.syncDisk(ctx))
		case <-s.released:
			released = time.After(releaseGrace + time.Second)
		case <-released:
			s.logFailure(ctx, "collect images that were let go", s.GC(ctx))
		case <-tick.C:
			s.logFailure(ctx, "end images", s.ExpireImages(ctx))
			s.logFailure(ctx, "collect unused images", s.GC(ctx))
			s.logFailure(ctx, "sweep unfinished uploads", s.sweepUploads(ctx))
		}
	}
}

func (s *Store) logFailure(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, what, "error", err)
	}
}

func (s *Store) tmpDir() string { return filepath.Join(s.dir, "tmp") }

// poke wakes whoever waits on c; a second poke before that is one.
func (s *Store) poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func checkUpstreams(all map[string]Upstream) error {
	for prefix, up := range all {
		u, err := url.Parse(up.Base)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return fmt.Errorf("the registry for %s must be a URL like https://host/path, not %q", prefix, up.Base)
		}
		if u.Scheme == "http" && !loopback(u.Host) {
			return fmt.Errorf("the registry for %s is %s: plain http is allowed on loopback addresses only", prefix, up.Base)
		}
	}
	return nil
}

// longestPrefix finds the entry whose key is name or a directory above it.
func longestPrefix(all map[string]Upstream, name string) (prefix string, up Upstream, found bool) {
	for p, u := range all {
		p = strings.TrimSuffix(p, "/")
		if (name == p || strings.HasPrefix(name, p+"/")) && (!found || len(p) > len(prefix)) {
			prefix, up, found = p, u, true
		}
	}
	return prefix, up, found
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func scanStrings(dest *[]string) func(store.Row) error {
	return func(row store.Row) error {
		var v string
		err := row.Scan(&v)
		*dest = append(*dest, v)
		return err
	}
}
