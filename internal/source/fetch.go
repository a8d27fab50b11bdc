package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// Repository is a branch of a git repository and what opens it.
type Repository struct {
	URL        string
	Branch     string
	Commit     string // full id of one commit to take in place of the branch's newest; usually empty
	Credential Credential
}

// Commit is what was fetched.
type Commit struct {
	SHA     string
	Subject string // first line of the message
	Author  string // "Name <address>"
	Time    time.Time
	Skipped []string // symbolic links that would lead out of the tree and were left out
}

// Fetch writes the tree of the branch's newest commit (or of Repository.Commit) into dir, which is made when it is missing and must be
// empty. Submodules become empty directories and LFS pointers stay pointers (§15). Errors are *apprunner.Error and name the cause and the
// next step: no such branch, no such repository, unreachable, refused, too large, out of time.
func (g *Git) Fetch(ctx context.Context, repo Repository, dir string) (Commit, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	t, err := g.open(repo)
	if err != nil {
		return Commit{}, err
	}
	defer g.leave(t)
	sha, err := g.obtain(ctx, t)
	if err != nil {
		return Commit{}, explain(t.ref, g.cfg.Timeout, err)
	}
	t.lock.RLock()
	defer t.lock.RUnlock()
	c, err := g.export(ctx, t.store, sha, dir)
	return c, explain(t.ref, g.cfg.Timeout, err)
}

// headTimeout is how long asking a server for one reference may take.
const headTimeout = 60 * time.Second

// Head gives the newest commit of the branch. It starts no process for repositories on this machine.
func (g *Git) Head(ctx context.Context, repo Repository) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	t, err := g.open(repo)
	if err != nil {
		return "", err
	}
	defer g.leave(t)
	sha, err := g.head(ctx, t)
	return sha, explain(t.ref, headTimeout, err)
}

// maxChanged is how many paths ChangedPaths gives at most.
const maxChanged = 1000

// ChangedPaths lists files inside dir (a path from the repository's root; "/" is all of it) that differ between two commits, at most a
// thousand. It fails with CodeNotFound when the repository no longer has one of the commits.
func (g *Git) ChangedPaths(ctx context.Context, repo Repository, from, to, dir string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	t, err := g.open(repo)
	if err != nil {
		return nil, err
	}
	defer g.leave(t)
	for _, sha := range []string{from, to} {
		if err := g.ensure(ctx, t, sha); err != nil {
			return nil, explain(t.ref, g.cfg.Timeout, err)
		}
	}
	t.lock.RLock()
	defer t.lock.RUnlock()
	paths, err := g.diff(ctx, t.store, from, to, strings.Trim(dir, "/"))
	return paths, explain(t.ref, g.cfg.Timeout, err)
}

func (g *Git) diff(ctx context.Context, store, from, to, dir string) ([]string, error) {
	var out bytes.Buffer
	args := []string{"diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", from, to, "--"}
	if dir != "" && dir != "." {
		args = append(args, dir)
	}
	limited := &capped{w: &out, left: 8 << 20}
	err := g.run(ctx, job{args: args, env: []string{"GIT_DIR=" + store, "GIT_LITERAL_PATHSPECS=1"}, stdout: limited, confinement: confinement{read: []string{store}}})
	if err != nil && !limited.over {
		return nil, err
	}
	paths := strings.FieldsFunc(out.String(), func(r rune) bool { return r == 0 })
	return paths[:min(len(paths), maxChanged)], nil
}

// target is a repository after its rules were checked: where it is, and where its objects are kept here.
type target struct {
	ref    repositoryRef
	branch string
	commit string
	local  string     // directory of references and objects where the repository is on this machine
	paths  []string   // what reading the local repository takes
	store  string     // git directory that is read from: a mirror, or a hosted repository itself
	lock   *mirrorKey // of store
	hosted bool
}

// open applies the rules for URLs and branches and finds the repository, without asking any server.
func (g *Git) open(repo Repository) (*target, error) {
	a, err := ParseURL(repo.URL)
	if err != nil {
		return nil, err
	}
	t := &target{ref: repositoryRef{a, repo.Credential}, branch: repo.Branch, commit: repo.Commit}
	if t.commit != "" && !isHash(t.commit) {
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "%q is not a full commit id.", clip(t.commit))
	}
	if err := checkBranch(t.branch); err != nil {
		return nil, err
	}
	if g.cfg.Hosted != nil {
		if dir, ok := g.cfg.Hosted(repo.URL); ok {
			return t, g.openHosted(t, dir)
		}
	}
	if a.Scheme == "file" {
		if err := g.openFile(t); err != nil {
			return nil, err
		}
	}
	t.store = g.mirrorDir(a)
	t.lock = g.enter(t.store)
	return t, nil
}

func (g *Git) openHosted(t *target, dir string) error {
	if _, _, ok := gitDir(dir); !ok {
		return notFound(t.ref).WithHint("It comes into being with the first git push to this address.")
	}
	t.local, t.store, t.hosted = dir, dir, true
	t.lock = g.mirrorLock(dir)
	return nil
}

func (g *Git) openFile(t *target) error {
	if g.cfg.DenyFile {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "This installation does not read file:// repositories.").
			WithHint("Push the repository to a git server, or to this installation's own under /git/.")
	}
	dir := t.ref.Path
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir + ".git"); err != nil {
			return notFound(t.ref)
		}
		dir += ".git"
	}
	common, more, ok := gitDir(dir)
	if !ok {
		return notGit(t.ref)
	}
	for _, p := range append([]string{common}, more...) {
		if g.private(p) {
			return notFound(t.ref)
		}
	}
	t.local, t.paths = common, append([]string{common, filepath.Join(dir, ".git")}, more...)
	return nil
}

// private tells whether a path lies in a directory that belongs to Slipway, whatever links lead there.
func (g *Git) private(p string) bool {
	resolved, err := filepath.EvalSymlinks(p)
	if err != nil {
		return false // then git cannot read it either
	}
	return slices.ContainsFunc(append([]string{g.cfg.Dir}, g.cfg.PrivateDirs...), func(dir string) bool {
		if d, err := filepath.EvalSymlinks(dir); err == nil {
			dir = d
		}
		rel, err := filepath.Rel(dir, resolved)
		return err == nil && filepath.IsLocal(rel)
	})
}

// head reads the branch's commit from files, or asks the server.
func (g *Git) head(ctx context.Context, t *target) (string, error) {
	if t.local != "" {
		sha, err := g.refs.read(t.local, "refs/heads/"+t.branch)
		if err == nil && sha != "" {
			return sha, nil
		}
		if err != nil && !errors.Is(err, errNoFiles) {
			return "", fmt.Errorf("read the references of %s: %w", t.ref.name(), err)
		}
	}
	refs, _, err := g.list(ctx, t, "refs/heads/"+t.branch)
	if err != nil {
		return "", err
	}
	if sha := refs["refs/heads/"+t.branch]; sha != "" {
		return sha, nil
	}
	return "", g.missingBranch(ctx, t)
}

// maxListing bounds the answer to a listing of references; a repository may have millions.
const maxListing = 256 << 10

// list gives references that match the patterns; cut says that there are more.
func (g *Git) list(ctx context.Context, t *target, patterns ...string) (refs map[string]string, cut bool, err error) {
	if err := g.reach(ctx, t); err != nil {
		return nil, false, err
	}
	j, release, err := g.access(t)
	if err != nil {
		return nil, false, err
	}
	defer release()
	var out bytes.Buffer
	j.args = append([]string{"ls-remote", "--quiet", t.ref.Git}, patterns...)
	if t.hosted {
		j.args[2] = "file://" + t.local
	}
	limited := &capped{w: &out, left: maxListing}
	j.stdout = limited
	if err := g.run(ctx, j); err != nil && !limited.over {
		return nil, false, err
	}
	refs = map[string]string{}
	for line := range strings.Lines(out.String()) {
		if sha, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok && isHash(sha) && strings.HasSuffix(line, "\n") {
			refs[name] = sha
		}
	}
	return refs, limited.over, nil
}

// missingBranch is the error for a branch that is not there, with the names of those that are.
func (g *Git) missingBranch(ctx context.Context, t *target) error {
	refs, cut, err := g.list(ctx, t, "HEAD", "refs/heads/*")
	if err != nil {
		return err
	}
	var names []string
	for name, sha := range refs {
		if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			// The default branch is the likeliest to be meant, so it comes first.
			rank := "1"
			if sha == refs["HEAD"] {
				rank = "0"
			}
			names = append(names, rank+branch)
		}
	}
	if len(names) == 0 {
		return emptyRepository(t.ref)
	}
	slices.Sort(names)
	for i, n := range names {
		names[i] = n[1:]
	}
	return noBranch(t.ref, t.branch, names, cut)
}

// Local tells whether the repository lies on this machine, so that its head costs nothing to read.
func (g *Git) Local(url string) bool {
	if g.cfg.Hosted != nil {
		if _, ok := g.cfg.Hosted(url); ok {
			return true
		}
	}
	a, err := ParseURL(url)
	return err == nil && a.Scheme == "file"
}

// Identity is equal for two spellings of one repository: https and ssh, with and without .git, in any case.
func (g *Git) Identity(url string) string {
	if g.cfg.Hosted != nil {
		if dir, ok := g.cfg.Hosted(url); ok {
			return dir
		}
	}
	a, err := ParseURL(url)
	if err != nil {
		return url
	}
	return a.key()
}
