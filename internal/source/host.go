package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// HostConfig is what a Host needs.
type HostConfig struct {
	Dir  string   // where the bare repositories lie; made with mode 0700
	Git  *Git     // runs git
	URLs []string // addresses of the /git/ path, such as http://127.0.0.1:7700/git/; the first one is told to people

	// Authenticate decides about the user name and password of a request (an access key id and its secret). Every request needs it.
	Authenticate func(ctx context.Context, user, password string) error
	// OnPush hears of every branch a push moved, before the pusher hears that it worked. It must be quick. May be nil.
	OnPush func(ctx context.Context, push Push)

	MaxPush       int64 // bytes of one push; default 2 GiB
	MaxRepository int64 // bytes of one repository, above which nothing more is taken; default 8 GiB
	Log           *slog.Logger
}

// Push is one branch that a push moved.
type Push struct {
	Repository string // name, without .git
	URL        string
	Branch     string
	Old, New   string // commits; empty where the branch was made or deleted
}

// Host keeps git repositories of its own and serves them over smart HTTP below /git/. A repository comes into being with the first push.
type Host struct {
	cfg HostConfig

	mu    sync.Mutex
	heads map[string]*trackedHeads // by directory
}

// trackedHeads are the branches of a repository as the last push left them.
type trackedHeads struct {
	sync.Mutex
	refs map[string]string
}

// emptyRepositoryName is shown to those who push to a repository that does not exist yet. No repository name begins with a dot.
const emptyRepositoryName = ".empty.git"

// NewHost checks the configuration and prepares the directory.
func NewHost(cfg HostConfig) (*Host, error) {
	if cfg.Dir == "" || cfg.Git == nil || cfg.Authenticate == nil || len(cfg.URLs) == 0 {
		return nil, errors.New("source: HostConfig needs Dir, Git, URLs and Authenticate")
	}
	cfg.MaxPush = or(cfg.MaxPush, 2<<30)
	cfg.MaxRepository = or(cfg.MaxRepository, 8<<30)
	cfg.Log = or(cfg.Log, slog.New(slog.DiscardHandler))
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("source: host: %w", err)
	}
	cfg.Dir = dir
	h := &Host{cfg: cfg, heads: map[string]*trackedHeads{}}
	if err := initBare(filepath.Join(dir, emptyRepositoryName), "sha1", ""); err != nil {
		return nil, fmt.Errorf("source: host: %w", err)
	}
	return h, os.Chmod(dir, 0o700)
}

// repositoryName is 1 to 100 letters, digits, dots, dashes and underscores, beginning with a letter or digit.
var repositoryName = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// checkName applies the rules for names of hosted repositories; name is without .git.
func checkName(name string) error {
	if !repositoryName.MatchString(name) || strings.Contains(name, "..") || strings.HasSuffix(name, ".") || strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".git") {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "%q is not a valid repository name.", clip(name)).
			WithHint("Use up to 100 letters, digits, dots, dashes and underscores, beginning with a letter or digit: /git/my-app.git")
	}
	return nil
}

// Hosted maps URLs below one of the bases to directories below dir. It is pure, so that Config.Hosted can have it before there is a Host.
func Hosted(dir string, bases ...string) func(url string) (string, bool) {
	var roots []*url.URL
	for _, b := range bases {
		if u, err := url.Parse(b); err == nil {
			roots = append(roots, u)
		}
	}
	return func(raw string) (string, bool) {
		u, err := url.Parse(raw)
		if err != nil {
			return "", false
		}
		for _, root := range roots {
			rest, ok := strings.CutPrefix(u.Path, strings.TrimSuffix(root.Path, "/")+"/")
			if !ok || !strings.EqualFold(u.Scheme, root.Scheme) || !strings.EqualFold(u.Host, root.Host) {
				continue
			}
			name := strings.TrimSuffix(strings.TrimSuffix(rest, "/"), ".git")
			if checkName(name) == nil {
				return filepath.Join(dir, name+".git"), true
			}
		}
		return "", false
	}
}

// URL is the address of a hosted repository.
func (h *Host) URL(name string) string {
	return strings.TrimSuffix(h.cfg.URLs[0], "/") + "/" + name + ".git"
}

// Create makes an empty repository; it is fine if it exists.
func (h *Host) Create(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	dir := h.dir(name)
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return nil
	}
	if err := initBare(dir, "sha1", ""); err != nil {
		return fmt.Errorf("make the repository %s: %w", name, err)
	}
	return nil
}

// Remove deletes a repository for ever; an unknown one is fine.
func (h *Host) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	dir := h.dir(name)
	lock := h.cfg.Git.mirrorLock(dir)
	lock.Lock()
	defer lock.Unlock()
	delete(h.heads, dir)
	// HEAD goes first: what a crash leaves behind is then no repository any more.
	if err := os.Remove(filepath.Join(dir, "HEAD")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the repository %s: %w", name, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the repository %s: %w", name, err)
	}
	return nil
}

// List gives the names of the repositories in alphabetical order.
func (h *Host) List() ([]string, error) {
	entries, err := os.ReadDir(h.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the repositories: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".git"); ok && checkName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// Run packs repositories anew that have many packs, every hour until ctx ends.
func (h *Host) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		names, err := h.List()
		for _, name := range names {
			err = errors.Join(err, h.cfg.Git.repack(ctx, h.dir(name)))
		}
		if err != nil && ctx.Err() == nil {
			h.cfg.Log.Warn("tidy the hosted repositories", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (h *Host) dir(name string) string { return filepath.Join(h.cfg.Dir, name+".git") }

func (h *Host) exists(name string) bool {
	_, err := os.Stat(filepath.Join(h.dir(name), "HEAD"))
	return err == nil
}

// full tells whether a repository has reached its limit.
func (h *Host) full(name string) bool {
	var size int64
	_ = filepath.WalkDir(h.dir(name), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // files come and go meanwhile
		}
		if st, err := d.Info(); err == nil {
			size += st.Size()
		}
		return nil
	})
	return size >= h.cfg.MaxRepository
}
