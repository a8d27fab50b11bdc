package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// OCI image specification, "Image Layer Filesystem Changeset": how removals are spelled.
const (
	whiteoutPrefix = ".wh."
	opaqueName     = ".wh..wh..opq"
)

// Layer writes the workspace's changes; see instance.Workspace.
func (w *workspace) Layer(ctx context.Context, out io.Writer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.driver == nil {
		return errClosed
	}
	upper, err := openAt(w.upper, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	defer upper.Close()
	l := layerWriter{ctx: ctx, tar: tar.NewWriter(out), base: w.box.base, links: map[uint64]string{}, mounted: map[string]bool{}}
	for _, name := range []string{"dev", "proc", "sys"} {
		l.mounted[name] = true
	}
	for _, name := range etcFiles {
		l.mounted["etc/"+name] = true
	}
	for _, m := range w.spec.Mounts {
		l.mounted[strings.TrimPrefix(path.Clean(m.Path), "/")] = true
	}
	if err := l.dir(upper, ""); err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	if err := l.tar.Close(); err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	return nil
}

// layerWriter turns the upper part of an overlay into a layer.
type layerWriter struct {
	ctx     context.Context //nolint:containedctx // lives as long as one call
	tar     *tar.Writer
	base    int               // host id of root
	links   map[uint64]string // inode to the name it was written under
	mounted map[string]bool   // where the sandbox mounted something; the empty places made for that are no change
}

// dir writes what is in an open directory; prefix is its name in the layer with a slash at its end.
func (l *layerWriter) dir(dir *os.File, prefix string) error {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	if overlayAttr(int(dir.Fd()), "opaque") == "y" {
		if err := l.removal(prefix + opaqueName); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if err := l.entry(dir, prefix, name); err != nil {
			return err
		}
	}
	return nil
}

func (l *layerWriter) removal(name string) error {
	return l.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
}

// entry writes one name, and all below it.
func (l *layerWriter) entry(dir *os.File, prefix, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "stat", Path: prefix + name, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		if st.Rdev == 0 {
			return l.removal(prefix + whiteoutPrefix + name)
		}
	case unix.S_IFDIR:
		return l.subdir(dir, prefix, name, &st)
	case unix.S_IFREG:
		return l.file(dir, prefix, name, &st)
	case unix.S_IFLNK:
		return l.link(dir, prefix, name, &st)
	case unix.S_IFIFO:
		return l.tar.WriteHeader(l.header(tar.TypeFifo, prefix+name, &st))
	}
	return nil // sockets and devices: nothing a sandbox could have made and another could use
}

// header describes an entry with the owner the sandbox sees. Times are whole seconds, which is what tools compare after unpacking.
func (l *layerWriter) header(kind byte, name string, st *unix.Stat_t) *tar.Header {
	owner := func(id uint32) int {
		if n := int(id) - l.base; n >= 0 && n < idRange {
			return n
		}
		return 0
	}
	return &tar.Header{
		Typeflag: kind, Name: name, Mode: int64(st.Mode & 0o7777), Uid: owner(st.Uid), Gid: owner(st.Gid),
		ModTime: time.Unix(st.Mtim.Sec, 0), Format: tar.FormatPAX,
	}
}

func (l *layerWriter) subdir(dir *os.File, prefix, name string, st *unix.Stat_t) error {
	sub, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer sub.Close()
	if l.mounted[prefix+name] && isEmpty(dir, name) {
		return nil
	}
	h := l.header(tar.TypeDir, prefix+name+"/", st)
	h.PAXRecords = l.attributes(int(sub.Fd()))
	if err := l.tar.WriteHeader(h); err != nil {
		return err
	}
	return l.dir(sub, prefix+name+"/")
}

func isEmpty(dir *os.File, name string) bool {
	sub, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return false
	}
	defer sub.Close()
	_, err = sub.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

func (l *layerWriter) file(dir *os.File, prefix, name string, st *unix.Stat_t) error {
	if l.mounted[prefix+name] && st.Size == 0 {
		return nil
	}
	if st.Nlink > 1 {
		if first, seen := l.links[st.Ino]; seen {
			h := l.header(tar.TypeLink, prefix+name, st)
			h.Linkname = first
			return l.tar.WriteHeader(h)
		}
		l.links[st.Ino] = prefix + name
	}
	f, err := openAt(dir, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer f.Close()
	h := l.header(tar.TypeReg, prefix+name, st)
	h.Size = st.Size
	h.PAXRecords = l.attributes(int(f.Fd()))
	if err := l.tar.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.Copy(l.tar, f); err != nil {
		return fmt.Errorf("%s: %w", prefix+name, err)
	}
	return nil
}

func (l *layerWriter) link(dir *os.File, prefix, name string, st *unix.Stat_t) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), name, buf)
	if err != nil {
		return &os.PathError{Op: "readlink", Path: prefix + name, Err: err}
	}
	h := l.header(tar.TypeSymlink, prefix+name, st)
	h.Linkname = string(buf[:n])
	return l.tar.WriteHeader(h)
}

// attributes are the extended attributes that mean the same elsewhere: the user's own, and file capabilities.
func (l *layerWriter) attributes(fd int) map[string]string {
	size, err := unix.Flistxattr(fd, nil)
	if err != nil || size == 0 {
		return nil
	}
	list := make([]byte, size)
	if size, err = unix.Flistxattr(fd, list); err != nil {
		return nil
	}
	records := map[string]string{}
	for name := range bytes.SplitSeq(bytes.TrimRight(list[:size], "\x00"), []byte{0}) {
		key := string(name)
		if !strings.HasPrefix(key, "user.") && key != "security.capability" {
			continue
		}
		value, err := getAttr(fd, key)
		if err != nil {
			continue
		}
		if key == "security.capability" {
			value = unmapCapability(value)
		}
		records["SCHILY.xattr."+key] = string(value)
	}
	return records
}

func getAttr(fd int, key string) ([]byte, error) {
	size, err := unix.Fgetxattr(fd, key, nil)
	if err != nil || size == 0 {
		return nil, err
	}
	value := make([]byte, size)
	size, err = unix.Fgetxattr(fd, key, value)
	return value[:max(size, 0)], err
}

func overlayAttr(fd int, name string) string {
	value, err := getAttr(fd, "trusted.overlay."+name)
	if err != nil {
		return ""
	}
	return string(value)
}

// unmapCapability turns file capabilities of version 3, which are bound to the root of one user namespace, into version 2, which
// any root honours (capabilities(7), "File capability extended attribute versioning").
func unmapCapability(v []byte) []byte {
	const version3, version2, withoutRoot = 0x03000000, 0x02000000, 20
	if len(v) != withoutRoot+4 {
		return v
	}
	magic := binary.LittleEndian.Uint32(v)
	if magic&0xff000000 != version3 {
		return v
	}
	return append(binary.LittleEndian.AppendUint32(nil, magic&0x00ffffff|version2), v[4:withoutRoot]...)
}
