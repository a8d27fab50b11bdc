package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// mirrorKey guards one git directory: written by one, read by many.
type mirrorKey = sync.RWMutex

func (g *Git) mirrorsDir() string { return filepath.Join(g.cfg.Dir, "mirrors") }

func (g *Git) mirrorDir(a Address) string {
	sum := sha256.Sum256([]byte(a.Git))
	return filepath.Join(g.mirrorsDir(), hex.EncodeToString(sum[:16])+".git")
}

// enter counts a reader of a mirror, which stays until the last one leaves: nothing of a source is kept (§24).
func (g *Git) enter(dir string) *mirrorKey {
	g.mu.Lock()
	g.readers[dir]++
	g.mu.Unlock()
	return g.mirrorLock(dir)
}

// leave removes a mirror that nobody reads any more. Who comes next finds none: its name is gone before anybody can enter again.
func (g *Git) leave(t *target) {
	if t.hosted {
		return
	}
	gone := filepath.Join(g.runs, "gone-"+apprunner.NewID())
	g.mu.Lock()
	g.readers[t.store]--
	last := g.readers[t.store] == 0
	if last {
		delete(g.readers, t.store)
		delete(g.mirrors, t.store)
		last = os.Rename(t.store, gone) == nil // of a repository that could not be reached there is none
	}
	g.mu.Unlock()
	if !last {
		return
	}
	if err := os.RemoveAll(gone); err != nil {
		g.cfg.Log.Warn("remove what was read of a repository", "error", err)
	}
}

func (g *Git) mirrorLock(dir string) *mirrorKey {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mirrors[dir] == nil {
		g.mirrors[dir] = new(mirrorKey)
	}
	return g.mirrors[dir]
}

// obtain brings the wanted commit into the store and gives its id.
func (g *Git) obtain(ctx context.Context, t *target) (string, error) {
	switch {
	case t.hosted && t.commit != "":
		return t.commit, g.ensure(ctx, t, t.commit)
	case t.hosted:
		return g.head(ctx, t)
	case t.commit != "":
		return t.commit, g.obtainCommit(ctx, t, t.commit)
	}
	ref := mirrorRef(t.branch)
	if err := g.update(ctx, t, "refs/heads/"+t.branch, ref); err != nil {
		if isMissingRef(err) {
			return "", g.missingBranch(ctx, t)
		}
		return "", err
	}
	sha, err := g.refs.read(t.store, ref)
	if err == nil && sha == "" {
		err = fmt.Errorf("git fetched %s but left no reference", t.branch)
	}
	return sha, err
}

// obtainCommit asks the server for one commit even where the mirror has it: only the server knows whether these credentials may still
// see the repository.
func (g *Git) obtainCommit(ctx context.Context, t *target, sha string) error {
	err := g.update(ctx, t, sha, mirrorRef(sha))
	if err == nil || !isMissingRef(err) {
		return err
	}
	if g.has(ctx, t, sha) {
		return nil
	}
	return noCommit(t.ref, sha)
}

// ensure makes sure that a commit is in the store.
func (g *Git) ensure(ctx context.Context, t *target, sha string) error {
	switch {
	case !isHash(sha):
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "%q is not a full commit id.", clip(sha))
	case g.has(ctx, t, sha):
		return nil
	case t.hosted:
		return noCommit(t.ref, sha)
	}
	return g.obtainCommit(ctx, t, sha)
}

func (g *Git) has(ctx context.Context, t *target, sha string) bool {
	t.lock.RLock()
	defer t.lock.RUnlock()
	if _, err := os.Stat(t.store); err != nil {
		return false
	}
	return g.run(ctx, job{args: []string{"cat-file", "-e", sha + "^{commit}"}, env: []string{"GIT_DIR=" + t.store}, confinement: confinement{read: []string{t.store}}}) == nil
}

// mirrorRef is where a mirror keeps what it fetched for a branch or commit: a name that cannot clash with another branch's directory.
func mirrorRef(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "refs/slipway/" + hex.EncodeToString(sum[:16])
}

// isMissingRef tells that the server was reached and does not have, or does not hand out, what was asked for.
func isMissingRef(err error) bool {
	var failed *runError
	if !errors.As(err, &failed) {
		return false
	}
	for _, text := range []string{"couldn't find remote ref", "not our ref", "unadvertised object", "no such remote ref"} {
		if strings.Contains(failed.stderr, text) {
			return true
		}
	}
	return false
}

// update fetches one reference or commit into the mirror. A mirror that git cannot work with is made afresh once: it is a cache.
func (g *Git) update(ctx context.Context, t *target, from, to string) error {
	if err := g.reach(ctx, t); err != nil {
		return err
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	j, release, err := g.access(t)
	if err != nil {
		return err
	}
	defer release()
	j.args = []string{
		"fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance",
		"--update-shallow", "--force", "--refmap=", t.ref.Git, "+" + from + ":" + to,
	}
	j.env = append(j.env, "GIT_DIR="+t.store)
	j.write = append(j.write, t.store)
	format := hashFormat(from)
	for attempt := 0; ; attempt++ {
		if err := makeMirror(t.store, format); err != nil {
			return fmt.Errorf("make a mirror of %s: %w", t.ref.name(), err)
		}
		err := g.run(ctx, j)
		if err != nil && g.overflowed(t.store) {
			return errors.Join(tooLarge(t.ref), clearLocks(t.store))
		}
		again, other := spoiled(t, err)
		if !again || attempt > 0 {
			return err
		}
		format = or(other, format)
		if err := os.RemoveAll(t.store); err != nil {
			return fmt.Errorf("remove the broken mirror of %s: %w", t.ref.name(), err)
		}
	}
}

// overflowed tells whether a fetch ended because its pack reached the size limit. Git does not say so: its child dies without a word.
func (g *Git) overflowed(dir string) bool {
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "tmp_pack_*"))
	return err == nil && slices.ContainsFunc(packs, func(name string) bool {
		st, err := os.Stat(name)
		return err == nil && st.Size() >= g.cfg.MaxBytes
	})
}

// spoiled tells whether a fetch may have failed because of the mirror, and the object format it ought to have where that is known.
func spoiled(t *target, err error) (again bool, format string) {
	var failed *runError
	if !errors.As(err, &failed) || isMissingRef(err) {
		return false, ""
	}
	if strings.Contains(failed.stderr, "mismatched algorithms") || strings.Contains(failed.stderr, "the receiving end does not support this repository's hash") {
		return true, "sha256"
	}
	return apprunner.CodeOf(explain(t.ref, 0, err)) == apprunner.CodeInternal && !strings.Contains(failed.stderr, "No space left"), ""
}

func hashFormat(name string) string {
	if isHash(name) && len(name) == 64 {
		return "sha256"
	}
	return "sha1"
}

// makeMirror lays out an empty bare repository, which costs no process, and clears the locks an earlier run left when it was killed.
func makeMirror(dir, format string) error {
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return clearLocks(dir)
	}
	return initBare(dir, format, "")
}

// initBare makes a bare repository; HEAD is written last, so that a half-made one is made again.
func initBare(dir, format, more string) error {
	for _, d := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "refs/slipway"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n" + more
	if format == "sha256" {
		config = "[core]\n\trepositoryformatversion = 1\n\tfilemode = true\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n" + more
	}
	if err := writeFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o600)
}

func clearLocks(dir string) error {
	for _, pattern := range []string{"*.lock", "refs/slipway/*.lock", "objects/pack/tmp_*", "objects/tmp_*", "objects/incoming-*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := os.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	sweepEvery    = time.Hour
	packsPerStore = 24 // more are merged into one
)

// repack merges the packs of a git directory where there are many. Objects nobody refers to go after an hour, so that a reader who just
// looked up a commit still finds it.
func (g *Git) repack(ctx context.Context, dir string) error {
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	if err != nil || len(packs) <= packsPerStore {
		return err
	}
	lock := g.mirrorLock(dir)
	lock.Lock()
	defer lock.Unlock()
	return g.run(ctx, job{args: []string{"gc", "--quiet", "--prune=1.hour.ago"}, env: []string{"GIT_DIR=" + dir}, confinement: confinement{write: []string{dir}}})
}
