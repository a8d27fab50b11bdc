package build_test

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/build"
)

// memoryImages keeps images as directories: one a layer.
type memoryImages struct {
	t      *testing.T
	mu     sync.Mutex
	all    map[string]build.Image
	set    map[string]build.ImageSettings
	pulled []string
	pins   map[string]string
}

func newImages(t *testing.T) *memoryImages {
	return &memoryImages{t: t, all: map[string]build.Image{}, set: map[string]build.ImageSettings{}, pins: map[string]string{}}
}

func (m *memoryImages) Get(_ context.Context, digest string) (build.Image, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if image, ok := m.all[digest]; ok {
		return image, nil
	}
	return build.Image{}, errors.New("not here")
}

// Pull knows one reference, a runtime with a file of its own.
func (m *memoryImages) Pull(_ context.Context, reference string) (build.Image, error) {
	m.pulled = append(m.pulled, reference)
	if !strings.HasPrefix(reference, "runtime.test/") {
		return build.Image{}, errors.New("connection refused")
	}
	dir := m.t.TempDir()
	for _, sub := range []string{"app", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return build.Image{}, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/runtime"), []byte(reference), 0o644); err != nil {
		return build.Image{}, err
	}
	return build.Image{Digest: reference, Layers: []string{dir}, Env: []string{"PATH=" + os.Getenv("PATH"), "FROM_RUNTIME=yes"}}, nil
}

func (m *memoryImages) Append(_ context.Context, base build.Image, layer io.Reader, settings build.ImageSettings) (build.Image, error) {
	dir := m.t.TempDir()
	hash := sha256.New()
	if err := untar(io.TeeReader(layer, hash), dir); err != nil {
		return build.Image{}, err
	}
	hash.Write([]byte(base.Digest))
	image := build.Image{Digest: "sha256:" + hex.EncodeToString(hash.Sum(nil)), Layers: append(slices.Clone(base.Layers), dir), Env: base.Env}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[image.Digest], m.set[image.Digest] = image, settings
	return image, nil
}

func (m *memoryImages) Pin(_ context.Context, owner, digest string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pins[owner] = digest
	return nil
}

func (m *memoryImages) Unpin(_ context.Context, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pins, owner)
	return nil
}

func untar(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		name := strings.Trim(h.Name, "/")
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeReg:
			var data []byte
			if data, err = io.ReadAll(in); err == nil {
				err = root.WriteFile(name, data, fs.FileMode(h.Mode)&0o777)
			}
		case tar.TypeSymlink:
			err = root.Symlink(h.Linkname, name)
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
}

// plainSandbox runs commands on this host, over a copy of the image's files; $ROOT is where those lie. It confines nothing: its
// commands are this test's own.
type plainSandbox struct {
	t       *testing.T
	mu      sync.Mutex
	opened  []build.WorkspaceSpec
	open    int
	lastDir string
}

func (s *plainSandbox) Open(_ context.Context, spec build.WorkspaceSpec) (build.Workspace, error) {
	dir := s.t.TempDir()
	for _, layer := range spec.Layers {
		if err := os.CopyFS(dir, onlyNew{os.DirFS(layer), dir}); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, spec)
	s.open++
	s.lastDir = dir
	before := map[string]string{}
	for name, content := range contents(s.t, dir) {
		before[name] = content
	}
	for name, content := range spec.Files {
		full := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, content, 0o644)); err != nil {
			return nil, err
		}
	}
	return &plainWorkspace{sandbox: s, dir: dir, before: before}, nil
}

// onlyNew lets CopyFS copy a layer over others: it removes what is replaced.
type onlyNew struct {
	fs.FS
	target string
}

func (o onlyNew) Open(name string) (fs.File, error) {
	if st, err := fs.Stat(o.FS, name); err == nil && !st.IsDir() {
		_ = os.Remove(filepath.Join(o.target, name))
	}
	return o.FS.Open(name)
}

type plainWorkspace struct {
	sandbox *plainSandbox
	dir     string
	before  map[string]string
	closed  bool
}

func (w *plainWorkspace) CopyIn(_ context.Context, hostDir, path string) error {
	return os.CopyFS(filepath.Join(w.dir, path), os.DirFS(hostDir))
}

func (w *plainWorkspace) Exec(ctx context.Context, c build.Command) (int, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = filepath.Join(w.dir, c.Dir), append(c.Env, "ROOT="+w.dir)
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	err := cmd.Run()
	if ctx.Err() != nil {
		return -1, ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func (w *plainWorkspace) Layer(_ context.Context, out io.Writer) error {
	tw := tar.NewWriter(out)
	now := contents(w.sandbox.t, w.dir)
	var names []string
	for name := range now {
		if old, ok := w.before[name]; !ok || old != now[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	made := map[string]bool{}
	for _, name := range names {
		if err := writeWithParents(tw, name, now[name], made); err != nil {
			return err
		}
	}
	return tw.Close()
}

func writeWithParents(tw *tar.Writer, name, content string, made map[string]bool) error {
	dir := ""
	for part := range strings.SplitSeq(filepath.Dir(name), "/") {
		if dir = filepath.Join(dir, part); !made[dir] && dir != "." {
			made[dir] = true
			if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
				return err
			}
		}
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := io.WriteString(tw, content)
	return err
}

func (w *plainWorkspace) Close() error {
	w.sandbox.mu.Lock()
	defer w.sandbox.mu.Unlock()
	if !w.closed {
		w.sandbox.open--
	}
	w.closed = true
	return nil
}

// contents reads all regular files below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// recorder is a deployment log.
type recorder struct {
	mu    sync.Mutex
	lines []string
	times []time.Time
	live  chan string // when set, every line goes here too
}

func (r *recorder) Step(format string, args ...any) {
	r.add("[AppRunner] " + fmt.Sprintf(format, args...))
}
func (r *recorder) Output(line string) { r.add("[Build] " + line) }

func (r *recorder) add(line string) {
	r.mu.Lock()
	r.lines, r.times = append(r.lines, line), append(r.times, time.Now())
	r.mu.Unlock()
	if r.live != nil {
		r.live <- line
	}
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

// timed is the log with the seconds since its first line.
func (r *recorder) timed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	for i, line := range r.lines {
		fmt.Fprintf(&text, "%7.3f %s\n", r.times[i].Sub(r.times[0]).Seconds(), line)
	}
	return text.String()
}
