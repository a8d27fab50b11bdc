package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/apprunner"
)

// Config is what a Git needs.
type Config struct {
	Dir     string   // own state below the data directory: mirrors, known hosts; made with mode 0700
	Program string   // the git program, at least 2.39; default "git"
	Environ []string // the process's environment; only search path, CA and proxy settings of it reach git

	DenyFile    bool     // refuse file:// repositories
	PrivateDirs []string // directories no file:// repository may lie in, beside Dir (the data directory)

	// Hosted maps the URL of a repository of this installation to its directory, so that no HTTP is spoken to ourselves.
	Hosted func(url string) (dir string, ok bool)

	Timeout  time.Duration // of one fetch; default 10 minutes
	MaxBytes int64         // of one fetch on the wire and of one tree on disk, each; default 2 GiB
	MaxFiles int           // of one tree; default 500,000
	Log      *slog.Logger
}

// Git runs the git program, confined, without prompts, hooks or system configuration. It is safe for concurrent use.
type Git struct {
	cfg     Config
	program string
	env     []string
	home    string // read-only to git: its whole configuration
	known   string // directory of the known_hosts file
	runs    string // short-lived secrets, a directory each

	mu      sync.Mutex
	mirrors map[string]*mirrorKey // by directory
	readers map[string]int        // how many read a mirror at the moment, by directory
	refs    refReader
}

// passed are the variables of the environment that reach git.
var passed = []string{
	"PATH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
	"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
}

// gitconfig is all the configuration git sees. It is a file and not -c arguments because git hides the latter from the upload-pack
// it starts for file:// repositories. Any owner of a repository is fine: who owns it decides nothing here, the confinement does.
const gitconfig = `[safe]
	directory = *
[core]
	hooksPath = /dev/null
	fsmonitor = false
	protectHFS = true
	protectNTFS = true
	attributesFile = /dev/null
[credential]
	helper =
[http]
	followRedirects = initial
	lowSpeedLimit = 1000
	lowSpeedTime = 30
[transfer]
	unpackLimit = 1
	advertiseSID = false
[fetch]
	unpackLimit = 1
	recurseSubmodules = false
	writeCommitGraph = false
[receive]
	autogc = false
[gc]
	auto = 0
[maintenance]
	auto = false
[pack]
	threads = 2
[advice]
	detachedHead = false
`

// New checks the configuration and prepares its directories. It fails when the git program is missing or too old.
func New(cfg Config) (*Git, error) {
	if cfg.Dir == "" {
		return nil, errors.New("source: Config.Dir is required")
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	cfg.Dir = dir
	cfg.Program = or(cfg.Program, "git")
	cfg.Timeout = or(cfg.Timeout, 10*time.Minute)
	cfg.MaxBytes = or(cfg.MaxBytes, 2<<30)
	cfg.MaxFiles = or(cfg.MaxFiles, 500_000)
	cfg.Log = or(cfg.Log, slog.New(slog.DiscardHandler))
	g := &Git{
		cfg: cfg, mirrors: map[string]*mirrorKey{}, readers: map[string]int{},
		home: filepath.Join(dir, "home"), known: filepath.Join(dir, "ssh"), runs: filepath.Join(dir, "run"),
	}
	if g.program, err = exec.LookPath(cfg.Program); err != nil {
		return nil, apprunner.Errorf(apprunner.CodeInternal, "The git program is missing: %w.", err).WithHint("Install git 2.39 or newer.")
	}
	if err := g.prepare(); err != nil {
		return nil, fmt.Errorf("source: prepare %s: %w", dir, err)
	}
	g.env = environment(cfg.Environ, g.home)
	if landlockVersion() == 0 {
		cfg.Log.Warn("this kernel has no Landlock: git is confined by dropped capabilities only")
	}
	return g, g.checkVersion()
}

// Confined reports whether the kernel holds git to the paths it needs; without it only its capabilities are taken away.
func Confined() bool { return landlockVersion() > 0 }

func (g *Git) prepare() error {
	for _, d := range []string{g.runs, g.mirrorsDir()} { // keys and sources of a run that a crash cut off
		if err := os.RemoveAll(d); err != nil {
			return err
		}
	}
	for _, d := range []string{g.cfg.Dir, g.home, g.known, g.runs, g.mirrorsDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	file := filepath.Join(g.home, ".gitconfig")
	if have, err := os.ReadFile(file); err == nil && string(have) == gitconfig {
		return nil
	}
	return writeFile(file, []byte(gitconfig), 0o600)
}

func (g *Git) checkVersion() error {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := g.run(ctx, job{args: []string{"version"}, stdout: &out}); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(out.String(), "git version %d.%d", &major, &minor); err != nil || major < 2 || major == 2 && minor < 39 {
		return apprunner.Errorf(apprunner.CodeInternal, "%s says %q.", g.program, strings.TrimSpace(out.String())).WithHint("Install git 2.39 or newer.")
	}
	return nil
}

// environment is the whole environment of a child, before what a single run adds.
func environment(from []string, home string) []string {
	values := map[string]string{}
	for _, kv := range from {
		k, v, _ := strings.Cut(kv, "=")
		values[k] = v
	}
	if values["PATH"] == "" {
		values["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	if values["GIT_SSL_CAINFO"] == "" { // what git is built on may not look at the wider-known name
		values["GIT_SSL_CAINFO"] = values["SSL_CERT_FILE"]
	}
	env := []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + home, "GIT_CONFIG_GLOBAL=" + filepath.Join(home, ".gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "SSH_ASKPASS_REQUIRE=never", "GIT_NO_LAZY_FETCH=1",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_LFS_SKIP_SMUDGE=1", "GIT_OPTIONAL_LOCKS=0", "GIT_PROTOCOL_FROM_USER=0", "LC_ALL=C", "TZ=UTC",
	}
	for _, k := range passed {
		if values[k] != "" {
			env = append(env, k+"="+values[k])
		}
	}
	return env
}

// caPaths are the files and directories the environment names for certificates; git must be able to read them.
func (g *Git) caPaths() []string {
	var paths []string
	for _, kv := range g.env {
		if k, v, _ := strings.Cut(kv, "="); strings.Contains(k, "SSL_") || k == "CURL_CA_BUNDLE" {
			paths = append(paths, filepath.SplitList(v)...)
		}
	}
	return paths
}

// job is one run of git.
type job struct {
	args      []string
	env       []string
	stdin     io.Reader
	stdout    io.Writer     // nil: discarded
	files     []*os.File    // descriptors from 3
	protocols string        // of GIT_ALLOW_PROTOCOL; empty: none
	drain     time.Duration // how long the last output may take to be passed on; default 5 s
	confinement
}

// runError is a run of git that did not end well.
type runError struct {
	verb   string
	stderr string
	err    error
}

func (e *runError) Error() string {
	return fmt.Sprintf("git %s: %v: %s", e.verb, e.err, clip(strings.TrimSpace(e.stderr)))
}
func (e *runError) Unwrap() error { return e.err }

const (
	maxStderr = 64 << 10
	maxMemory = 3 << 30 // of one process's data segment: a pack may hold a bomb
	killWait  = 5 * time.Second
)

// run runs git to its end. The whole process group dies when ctx ends. It fails with *runError, or with the context's cause.
func (g *Git) run(ctx context.Context, j job) error {
	cmd := exec.CommandContext(ctx, g.program, j.args...)
	stderr := &tail{max: maxStderr}
	cmd.Env = append(append([]string{"GIT_ALLOW_PROTOCOL=" + or(j.protocols, "none")}, g.env...), j.env...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = "/", j.stdin, j.stdout, stderr, j.files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = or(j.drain, killWait)
	c := j.confinement
	c.read = append(append([]string{g.home, g.program}, c.read...), g.caPaths()...)
	done := make(chan struct{})
	defer close(done)
	if err := c.start(cmd, done); err != nil {
		return &runError{verb: j.args[0], err: err}
	}
	g.limit(cmd.Process.Pid)
	err := cmd.Wait()
	// What git left behind (an ssh, an upload-pack) goes with it.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &runError{verb: j.args[0], stderr: stderr.String(), err: err}
	}
	return nil
}

// limit bounds what a child may write into one file and hold in memory; its own children inherit it. Packs are one file each
// (unpackLimit), so this is the limit of a fetch too.
func (g *Git) limit(pid int) {
	for resource, value := range map[int]uint64{
		unix.RLIMIT_FSIZE: uint64(g.cfg.MaxBytes), unix.RLIMIT_DATA: maxMemory, unix.RLIMIT_CORE: 0,
	} {
		// It fails only when the child is already gone.
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil)
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf) }

// writeFile replaces a file so that a crash leaves the old or the new content.
func writeFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // has no effect after the rename
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// or is v, or its default where v is the zero value.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
