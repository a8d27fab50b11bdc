package folder

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// junk is left out also where no .gitignore says so: it is made by tools, and large.
func junk() []string {
	return []string{"node_modules/", "__pycache__/", ".venv/", "venv/", ".DS_Store", "*.pyc", ".idea/", ".vscode/", ".env"}
}

// Remote is where a commit goes.
type Remote struct {
	URL                string
	Branch             string
	Username, Password string
	CAFile             string // certificates the remote is trusted by beside the system's; "" for none
}

// Pushed is the commit that the branch points to now.
type Pushed struct {
	Commit string
	Files  int
	Bytes  int64
	New    bool // false when the branch already had exactly these files
}

// Push makes a commit of a folder's files and makes it the tip of a remote branch, on top of what was there. Files that
// .gitignore leaves out are left out; the folder itself may be a git repository or not and is not changed.
func Push(ctx context.Context, dir, message string, to Remote) (Pushed, error) {
	scratch, err := os.MkdirTemp("", "slipway-deploy-")
	if err != nil {
		return Pushed{}, err
	}
	defer os.RemoveAll(scratch)
	g := &git{dir: scratch, tree: dir, remote: to}
	if _, err := g.raw(ctx, "", nil, "init", "--quiet", "--bare", scratch); err != nil {
		return Pushed{}, err
	}
	p, err := g.stage(ctx)
	if err != nil {
		return Pushed{}, err
	}
	tree, err := g.run(ctx, nil, "write-tree")
	if err != nil {
		return Pushed{}, err
	}
	parent, err := g.tip(ctx)
	if err != nil {
		return Pushed{}, err
	}
	args := []string{"commit-tree", tree, "-m", message}
	if parent != "" {
		if old, err := g.run(ctx, nil, "rev-parse", parent+"^{tree}"); err == nil && old == tree {
			p.Commit = parent
			return p, nil
		}
		args = append(args, "-p", parent)
	}
	if p.Commit, err = g.run(ctx, nil, args...); err != nil {
		return Pushed{}, err
	}
	p.New = true
	_, err = g.run(ctx, nil, "push", "--quiet", to.URL, p.Commit+":refs/heads/"+to.Branch)
	return p, err
}

// git runs the git program on a scratch repository whose work tree is the folder.
type git struct {
	dir, tree string
	remote    Remote
}

// run returns what git prints. The credentials travel in the environment: arguments are visible to every user of the machine.
func (g *git) run(ctx context.Context, stdin []byte, args ...string) (string, error) {
	out, err := g.raw(ctx, g.dir, stdin, args...)
	return strings.TrimSpace(string(out)), err
}

func (g *git) raw(ctx context.Context, gitDir string, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = g.tree
	cmd.Env = append(withoutGit(os.Environ()), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "GIT_INDEX_FILE="+filepath.Join(g.dir, "slipway-index"))
	if gitDir != "" {
		cmd.Env = append(cmd.Env, "GIT_DIR="+gitDir, "GIT_WORK_TREE="+g.tree)
	}
	auth := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(g.remote.Username+":"+g.remote.Password))
	settings := []string{"http.extraHeader", auth, "core.autocrlf", "false", "core.bare", "false", "core.hooksPath", "/dev/null", "credential.helper", "", "gc.auto", "0"}
	if g.remote.CAFile != "" {
		cmd.Env = append(cmd.Env, "GIT_SSL_CAINFO="+g.remote.CAFile) // a setting would give way to the user's variable
	}
	if _, err := exec.CommandContext(ctx, "git", "config", "user.email").Output(); err != nil {
		settings = append(settings, "user.name", "slipway deploy", "user.email", "deploy@slipway.invalid")
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings)/2))
	for i := 0; i < len(settings); i += 2 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i/2, settings[i]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i/2, settings[i+1]))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("the program git is needed and was not found; install it, on Debian with: apt-get install git")
		}
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// withoutGit drops the variables by which a surrounding git would redirect ours.
func withoutGit(env []string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, "GIT_") || strings.HasPrefix(e, "GIT_AUTHOR_") || strings.HasPrefix(e, "GIT_COMMITTER_") || strings.HasPrefix(e, "GIT_SSL_") {
			out = append(out, e)
		}
	}
	return out
}

// stage puts the folder's files into the index.
func (g *git) stage(ctx context.Context) (p Pushed, err error) {
	names, err := g.files(ctx)
	if err != nil {
		return p, err
	}
	var list bytes.Buffer
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(g.tree, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // tracked, but deleted in the folder
		}
		if err != nil {
			return p, err
		}
		if info.IsDir() {
			return p, fmt.Errorf("%s is a git repository inside the folder; deploy it on its own, or list it in .gitignore", name)
		}
		list.WriteString(name + "\x00")
		p.Files, p.Bytes = p.Files+1, p.Bytes+info.Size()
	}
	if p.Files == 0 {
		return p, fmt.Errorf("%s has no files to deploy", g.tree)
	}
	_, err = g.run(ctx, list.Bytes(), "update-index", "--add", "-z", "--stdin")
	return p, err
}

// files lists what is deployed, relative to the folder: what its repository tracks and does not ignore, or everything but what
// .gitignore and the list of junk leave out.
func (g *git) files(ctx context.Context) ([]string, error) {
	args := []string{"ls-files", "-z", "--cached", "--others", "--exclude-standard"}
	out, err := g.listing(ctx, args...)
	if err != nil {
		for _, j := range junk() {
			args = append(args, "--exclude="+j)
		}
		if out, err = g.raw(ctx, g.dir, nil, args...); err != nil {
			return nil, err
		}
	}
	var names []string
	seen := map[string]bool{}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, strings.TrimSuffix(name, "/"))
		}
	}
	return names, nil
}

// listing runs git in the folder's own repository, with its own index. It fails when the folder is in none.
func (g *git) listing(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = g.tree, withoutGit(os.Environ())
	return cmd.Output()
}

// tip fetches the newest commit of the remote branch; it is "" when there is none yet.
func (g *git) tip(ctx context.Context) (string, error) {
	out, err := g.run(ctx, nil, "ls-remote", g.remote.URL, "refs/heads/"+g.remote.Branch)
	if err != nil && strings.Contains(err.Error(), "not found") {
		return "", nil // the first push makes the repository
	}
	if err != nil || out == "" {
		return "", err
	}
	if _, err := g.run(ctx, nil, "fetch", "--quiet", "--depth=1", g.remote.URL, "refs/heads/"+g.remote.Branch); err != nil {
		return "", err
	}
	return g.run(ctx, nil, "rev-parse", "FETCH_HEAD")
}
