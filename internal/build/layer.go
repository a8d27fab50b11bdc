package build

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// layerFilter judges one entry of a layer by its clean name without a leading slash. It may read the content of a small file
// to decide; what it read is kept.
type layerFilter func(header *tar.Header, content func() ([]byte, error)) (keep bool, err error)

// onlyApp keeps /app: whatever else the build stage changed is lost (§13.4, §13.5).
func onlyApp(h *tar.Header, _ func() ([]byte, error)) (bool, error) {
	return h.Name == "app" || strings.HasPrefix(h.Name, "app/") && !inGit(h.Name), nil
}

func inGit(name string) bool { return name == "app/.git" || strings.HasPrefix(name, "app/.git/") }

// withoutBuildFiles keeps everything but what the build itself put there: its mounts, the files a sandbox manages, and the
// operator's certificate authorities unless the commands changed them.
func withoutBuildFiles(ca []byte) layerFilter {
	managed := []string{strings.TrimPrefix(cacheMount, "/"), "dev", "proc", "sys", "etc/resolv.conf", "etc/hosts", "etc/hostname"}
	return func(h *tar.Header, content func() ([]byte, error)) (bool, error) {
		if slices.ContainsFunc(managed, func(m string) bool { return h.Name == m || strings.HasPrefix(h.Name, m+"/") }) || inGit(h.Name) {
			return false, nil
		}
		if "/"+h.Name != caPath || h.Typeflag != tar.TypeReg || h.Size != int64(len(ca)) || ca == nil {
			return true, nil
		}
		data, err := content()
		return !bytes.Equal(data, ca), err
	}
}

// filterLayer copies the entries that keep wants from the layer that source writes.
func filterLayer(ctx context.Context, w io.Writer, source func(context.Context, io.Writer) error, keep layerFilter) error {
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := source(ctx, writer)
		writer.CloseWithError(err)
		written <- err
	}()
	err := filterTar(w, reader, keep)
	if err == nil {
		_, err = io.Copy(io.Discard, reader) // padding after the end of the archive
	}
	reader.CloseWithError(errors.Join(err, errStoreDone))
	if sourceErr := <-written; sourceErr != nil && !errors.Is(sourceErr, errStoreDone) {
		return sourceErr
	}
	return err
}

func filterTar(w io.Writer, r io.Reader, keep layerFilter) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	dropped := map[string]bool{}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return fmt.Errorf("read layer: %w", err)
		}
		if err := filterEntry(out, in, h, keep, dropped); err != nil {
			return err
		}
	}
}

func filterEntry(out *tar.Writer, in *tar.Reader, h *tar.Header, keep layerFilter, dropped map[string]bool) error {
	clean := *h
	clean.Name = strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	if clean.Name == "" {
		return nil
	}
	var content io.Reader = in
	kept, err := keep(&clean, func() ([]byte, error) {
		data, err := io.ReadAll(in)
		content = bytes.NewReader(data)
		return data, err
	})
	switch {
	case err != nil:
		return fmt.Errorf("read layer: %w", err)
	case !kept:
		dropped[clean.Name] = true
		return nil
	case h.Typeflag == tar.TypeLink && dropped[strings.TrimPrefix(path.Clean("/"+h.Linkname), "/")]:
		return fmt.Errorf("/%s is a hard link to /%s, which is no part of the image: copy the file instead", clean.Name, h.Linkname)
	}
	if err := out.WriteHeader(h); err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	_, err = io.Copy(out, content)
	return err
}

// treeLayer says how a directory of this host becomes a layer.
type treeLayer struct {
	dir    string
	prefix string                 // where it goes, such as usr/local/go; its parents are made with mode 0755
	skip   func(name string) bool // by name below dir; skipped directories are skipped whole
	before snapshot               // when set, only what differs from it is written, removals included
	owner  func(*tar.Header)      // may change who owns an entry
}

// rootOwner gives everything to root, as a copy of somebody's checkout has to be.
func rootOwner(h *tar.Header) { h.Uid, h.Gid = 0, 0 }

// writeTree writes a layer in the order of names, so that the same files give the same bytes.
func writeTree(ctx context.Context, w io.Writer, layer treeLayer) error {
	t := &treeWriter{layer: layer, out: tar.NewWriter(w), seen: map[inode]string{}, parents: map[string]bool{}}
	if err := t.prefixParents(); err != nil {
		return err
	}
	root, err := os.OpenRoot(layer.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t.root = root
	if err := walk(layer.dir, t.visitor(ctx)); err != nil {
		return fmt.Errorf("write layer from %s: %w", layer.dir, err)
	}
	if err := t.removals(); err != nil {
		return err
	}
	return t.out.Close()
}

// walk visits a tree in the order of names, which are relative to dir and may be any bytes.
func walk(dir string, visit fs.WalkDirFunc) error {
	return filepath.WalkDir(dir, func(full string, entry fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, full)
		if relErr != nil {
			return relErr
		}
		return visit(name, entry, err)
	})
}

type inode struct{ dev, ino uint64 }

type treeWriter struct {
	layer   treeLayer
	root    *os.Root
	out     *tar.Writer
	seen    map[inode]string // first name of a file with several links
	names   map[string]bool  // everything found, to tell what was removed
	parents map[string]bool  // directories written, or held back until something in them is
	pending []*tar.Header
}

func (t *treeWriter) prefixParents() error {
	if t.layer.prefix == "" {
		return nil
	}
	dir := ""
	for part := range strings.SplitSeq(t.layer.prefix, "/") {
		dir = path.Join(dir, part)
		h := &tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}
		if err := t.out.WriteHeader(h); err != nil {
			return err
		}
	}
	return nil
}

func (t *treeWriter) visitor(ctx context.Context) fs.WalkDirFunc {
	return func(name string, entry fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		return t.visit(name, entry)
	}
}

func (t *treeWriter) visit(name string, entry fs.DirEntry) error {
	switch {
	case name == ".":
		return nil
	case t.layer.skip != nil && t.layer.skip(name):
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	if t.layer.before != nil {
		t.names = noteName(t.names, name)
	}
	if info.Mode()&(fs.ModeSocket|fs.ModeNamedPipe|fs.ModeDevice|fs.ModeIrregular) != 0 {
		return nil
	}
	return t.entry(name, info)
}

func noteName(names map[string]bool, name string) map[string]bool {
	if names == nil {
		names = map[string]bool{}
	}
	names[name] = true
	return names
}

func (t *treeWriter) entry(name string, info fs.FileInfo) error {
	h, err := t.header(name, info)
	if err != nil {
		return err
	}
	if t.layer.before != nil && t.layer.before.same(name, info, h.Linkname) {
		if info.IsDir() {
			t.pending = append(t.pending, h)
		}
		return nil
	}
	return t.write(name, h, info)
}

func (t *treeWriter) header(name string, info fs.FileInfo) (*tar.Header, error) {
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if link, err = t.root.Readlink(name); err != nil {
			return nil, err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return nil, err
	}
	h.Name = path.Join(t.layer.prefix, name)
	if info.IsDir() {
		h.Name += "/"
	}
	h.Uname, h.Gname = "", ""
	h.ModTime = info.ModTime().Truncate(1e9)
	if t.layer.owner != nil {
		t.layer.owner(h)
	}
	return h, nil
}

// write writes an entry after the directories above it, which a layer has to give with their own modes.
func (t *treeWriter) write(name string, h *tar.Header, info fs.FileInfo) error {
	for _, dir := range t.pending {
		if strings.HasPrefix(h.Name, dir.Name) {
			if err := t.out.WriteHeader(dir); err != nil {
				return err
			}
		}
	}
	t.pending = nil
	if st, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode().IsRegular() && st.Nlink > 1 {
		id := inode{st.Dev, st.Ino}
		if first, again := t.seen[id]; again {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
			return t.out.WriteHeader(h)
		}
		t.seen[id] = h.Name
	}
	if err := t.out.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	return t.copy(name, h.Size)
}

func (t *treeWriter) copy(name string, size int64) error {
	file, err := t.root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.CopyN(t.out, file, size)
	return err
}

// removals writes a whiteout for the topmost of what the snapshot had and the tree has no longer.
func (t *treeWriter) removals() error {
	for _, name := range t.layer.before.names() {
		if t.names[name] || (t.layer.skip != nil && t.layer.skip(name)) {
			continue
		}
		if parent := path.Dir(name); parent != "." && !t.names[parent] {
			continue
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(t.layer.prefix, path.Dir(name), ".wh."+path.Base(name)), Mode: 0o644}
		if err := t.out.WriteHeader(h); err != nil {
			return err
		}
	}
	return nil
}

// snapshot remembers a tree well enough to tell what changed in it.
type snapshot map[string]fingerprint

type fingerprint struct {
	mode     fs.FileMode
	uid, gid uint32
	size     int64
	modified int64 // nanoseconds; directories have none, since only their entries' changes count
	link     string
}

func takeSnapshot(dir string) (snapshot, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	s := snapshot{}
	err = walk(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = root.Readlink(name); err != nil {
				return err
			}
		}
		s[name] = newFingerprint(info, link)
		return nil
	})
	return s, err
}

func newFingerprint(info fs.FileInfo, link string) fingerprint {
	f := fingerprint{mode: info.Mode(), link: link}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.uid, f.gid = st.Uid, st.Gid
	}
	if info.Mode().IsRegular() {
		f.size, f.modified = info.Size(), info.ModTime().UnixNano()
	}
	return f
}

func (s snapshot) same(name string, info fs.FileInfo, link string) bool {
	before, ok := s[name]
	return ok && before == newFingerprint(info, link)
}

func (s snapshot) names() []string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// treeSize adds up the files below dir; what cannot be read counts as nothing.
func treeSize(dir string) int64 {
	var size int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // an estimate
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}
