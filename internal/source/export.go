package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// entry is one line of a commit's tree.
type entry struct {
	mode string // 100644, 100755, 120000 (link), 160000 (submodule)
	oid  string
	path string
}

// export writes the tree of a commit into dir. It reads raw blobs and writes them itself: git's own checkout would apply filters and
// attributes that the repository chooses, and follow links it planted.
func (g *Git) export(ctx context.Context, store, sha, dir string) (Commit, error) {
	root, err := openEmpty(dir)
	if err != nil {
		return Commit{}, err
	}
	defer root.Close()
	entries, err := g.tree(ctx, store, sha)
	if err != nil {
		return Commit{}, err
	}
	w := &treeWriter{root: root, left: g.cfg.MaxBytes, limit: g.cfg.MaxBytes, dirs: map[string]bool{".": true}}
	commit, err := g.blobs(ctx, store, sha, entries, w)
	if err != nil {
		return Commit{}, err
	}
	commit.Skipped, err = w.links()
	return commit, err
}

func openEmpty(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("check out: %w", err)
	}
	have, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("check out: %w", err)
	}
	if len(have) > 0 {
		return nil, fmt.Errorf("check out into %s: it is not empty", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("check out: %w", err)
	}
	return root, nil
}

// tree lists the files of a commit.
func (g *Git) tree(ctx context.Context, store, sha string) ([]entry, error) {
	l := &listing{max: g.cfg.MaxFiles}
	err := g.run(ctx, job{args: []string{"ls-tree", "-r", "-z", "--full-tree", sha}, env: []string{"GIT_DIR=" + store}, stdout: l, confinement: confinement{read: []string{store}}})
	if l.err != nil {
		return nil, l.err
	}
	if err != nil {
		return nil, err
	}
	return l.entries, nil
}

// listing parses what ls-tree -z writes, as it comes, so that a tree that unfolds without end is stopped early.
type listing struct {
	max     int
	rest    []byte
	entries []entry
	err     error
}

func (l *listing) Write(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n := len(p)
	for {
		i := bytes.IndexByte(p, 0)
		if i < 0 {
			break
		}
		var e entry
		if e, l.err = parseEntry(string(append(l.rest, p[:i]...))); l.err != nil {
			return 0, l.err
		}
		l.rest, p = l.rest[:0], p[i+1:]
		if l.entries = append(l.entries, e); len(l.entries) > l.max {
			l.err = apprunner.Errorf(apprunner.CodeInvalidRequest, "The repository has more than %d files.", l.max).
				WithHint("Take generated files and dependencies out of the branch, or raise the limit of sources.")
			return 0, l.err
		}
	}
	l.rest = append(l.rest, p...)
	return n, nil
}

func parseEntry(line string) (entry, error) {
	meta, name, ok := strings.Cut(line, "\t")
	fields := strings.Fields(meta)
	if !ok || len(fields) != 3 || !isHash(fields[2]) {
		return entry{}, fmt.Errorf("git listed a tree in an unknown form: %q", clip(line))
	}
	e := entry{mode: fields[0], oid: fields[2], path: name}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || isDotGit(part) {
			return entry{}, apprunner.Errorf(apprunner.CodeInvalidRequest, "The repository holds the forbidden path %q.", clip(name)).
				WithHint("Such a path is an attack on whoever checks it out; remove it from the branch.")
		}
	}
	return e, nil
}

// isDotGit finds the spellings of .git that some file system takes for it.
func isDotGit(name string) bool {
	name = strings.TrimRight(strings.ToLower(name), " .")
	return name == ".git" || name == "git~1" || strings.HasPrefix(name, ".git:")
}

// blobs feeds the commit and all files through one cat-file process into w.
func (g *Git) blobs(ctx context.Context, store, sha string, entries []entry, w *treeWriter) (Commit, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	in, out := io.Pipe()
	exited := make(chan error, 1)
	go func() {
		err := g.run(ctx, job{
			args: []string{"cat-file", "--batch", "--buffer"}, env: []string{"GIT_DIR=" + store},
			stdin: requests(sha, entries), stdout: out, confinement: confinement{read: []string{store}},
		})
		out.CloseWithError(err)
		exited <- err
	}()
	commit, err := receive(bufio.NewReaderSize(in, 256<<10), sha, entries, w)
	if err != nil {
		cancel(err)
	}
	in.Close()
	if failed := <-exited; err == nil {
		err = failed
	}
	return commit, err
}

// requests is the input of cat-file: the commit, then every file.
func requests(sha string, entries []entry) io.Reader {
	var b bytes.Buffer
	b.WriteString(sha + "\n")
	for _, e := range entries {
		if e.mode != modeSubmodule {
			b.WriteString(e.oid + "\n")
		}
	}
	return &b
}

const (
	modeSubmodule  = "160000"
	modeLink       = "120000"
	modeExecutable = "100755"
)

func receive(in *bufio.Reader, sha string, entries []entry, w *treeWriter) (Commit, error) {
	size, err := objectHeader(in, "commit")
	if err != nil {
		return Commit{}, err
	}
	// Only the beginning matters; a message may be as long as its author likes.
	raw, err := io.ReadAll(io.LimitReader(in, min(size, 64<<10)))
	if err != nil {
		return Commit{}, err
	}
	if _, err := io.CopyN(io.Discard, in, size-int64(len(raw))+1); err != nil {
		return Commit{}, err
	}
	for _, e := range entries {
		if e.mode == modeSubmodule {
			if err := w.mkdir(e.path); err != nil {
				return Commit{}, err
			}
			continue
		}
		size, err := objectHeader(in, "blob")
		if err != nil {
			return Commit{}, err
		}
		if err := w.write(e, io.LimitReader(in, size), size); err != nil {
			return Commit{}, err
		}
		if _, err := in.Discard(1); err != nil {
			return Commit{}, err
		}
	}
	return parseCommit(sha, raw), nil
}

// objectHeader reads "<oid> <type> <size>".
func objectHeader(in *bufio.Reader, want string) (int64, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[1] != want {
		return 0, fmt.Errorf("git gave %q in place of a %s", clip(strings.TrimSpace(line)), want)
	}
	return strconv.ParseInt(fields[2], 10, 64)
}

// parseCommit reads what people want to see of a raw commit object. A commit that is not well-formed gives empty fields.
func parseCommit(sha string, raw []byte) Commit {
	c := Commit{SHA: sha}
	head, message, _ := strings.Cut(string(raw), "\n\n")
	for line := range strings.SplitSeq(head, "\n") {
		if who, ok := strings.CutPrefix(line, "author "); ok && c.Author == "" {
			if i := strings.LastIndexByte(who, '>'); i >= 0 {
				c.Author = strings.ToValidUTF8(who[:i+1], "�")
			}
		}
		if who, ok := strings.CutPrefix(line, "committer "); ok && c.Time.IsZero() {
			fields := strings.Fields(who[strings.LastIndexByte(who, '>')+1:])
			if len(fields) > 0 {
				if seconds, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
					c.Time = time.Unix(seconds, 0).UTC()
				}
			}
		}
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	c.Subject = strings.ToValidUTF8(subject, "�")
	return c
}

// treeWriter writes files below a root and cannot leave it.
type treeWriter struct {
	root    *os.Root
	left    int64
	limit   int64
	dirs    map[string]bool
	pending []link
}

type link struct{ path, target string }

func (w *treeWriter) mkdir(name string) error {
	if w.dirs[name] {
		return nil
	}
	if err := w.root.MkdirAll(name, 0o755); err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	w.dirs[name] = true
	return nil
}

func (w *treeWriter) write(e entry, content io.Reader, size int64) error {
	if w.left -= size; w.left < 0 {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "The files of the repository are larger than %d bytes together.", w.limit).
			WithHint("Take large files out of the branch, or raise the size limit of sources.")
	}
	if err := w.mkdir(path.Dir(e.path)); err != nil {
		return err
	}
	if e.mode == modeLink {
		target, err := io.ReadAll(content)
		if err != nil {
			return fmt.Errorf("check out %s: %w", e.path, err)
		}
		// Links are made when all files are there, so that none is ever written through.
		w.pending = append(w.pending, link{e.path, string(target)})
		return nil
	}
	mode := fs.FileMode(0o644)
	if e.mode == modeExecutable {
		mode = 0o755
	}
	f, err := w.root.OpenFile(e.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	_, err = io.CopyN(f, content, size)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("check out %s: %w", e.path, err)
	}
	return nil
}

// links makes the symbolic links and takes those away that lead out of the tree, directly or through others; it names them. A later
// reader on this host would otherwise read the host's files as if they were the repository's.
func (w *treeWriter) links() (skipped []string, err error) {
	made := w.pending[:0:0]
	for _, l := range w.pending {
		if l.target == "" || strings.ContainsRune(l.target, 0) || len(l.target) > 4095 {
			skipped = append(skipped, l.path)
			continue
		}
		if err := w.root.Symlink(l.target, l.path); err != nil {
			return nil, fmt.Errorf("check out: %w", err)
		}
		made = append(made, l)
	}
	for _, l := range made {
		if _, err := w.root.Stat(l.path); err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := w.root.Remove(l.path); err != nil {
			return nil, fmt.Errorf("check out: %w", err)
		}
		skipped = append(skipped, l.path)
	}
	return skipped, nil
}

// capped passes on so many bytes, then fails, which ends a process that writes more than is wanted.
type capped struct {
	w    io.Writer
	left int
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if len(p) > c.left {
		c.over = true
		n, err := c.w.Write(p[:c.left])
		c.left = 0
		return n, errors.Join(err, io.ErrShortWrite)
	}
	c.left -= len(p)
	return c.w.Write(p)
}
