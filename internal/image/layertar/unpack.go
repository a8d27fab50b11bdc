package layertar

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/apprunner"
)

const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
	whiteoutMeta   = ".wh..wh." // names AUFS kept for itself; old images carry them
	copyBuffer     = 128 << 10
)

// Limits bounds what one layer may cost.
type Limits struct {
	Bytes   int64 // of all files, as a tar counts them
	Entries int64 // files and directories, also those only implied by names
}

// Size is what a layer turned out to hold.
type Size struct {
	Bytes   int64
	Entries int64
}

// unpacker writes one layer tar below a directory, in the form overlayfs takes as a lower directory.
type unpacker struct {
	tree   *tree
	limits Limits
	buf    []byte
	total  Size
	// dirs remembers the times of directories, set at the end because filling a directory changes them.
	dirs map[string]time.Time
}

// Unpack writes the tar r into the empty directory dir and reads r to its end. It stops at the first entry that is not
// allowed, with an *apprunner.Error that names it; the caller throws dir away then.
func Unpack(ctx context.Context, r io.Reader, dir string, limits Limits) (Size, error) {
	t, err := openTree(dir, limits.Entries)
	if err != nil {
		return Size{}, err
	}
	defer t.close()
	u := &unpacker{tree: t, limits: limits, buf: make([]byte, copyBuffer), dirs: map[string]time.Time{}}
	r = contextReader{ctx, r}
	tr := tar.NewReader(r)
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Size{}, fmt.Errorf("read the tar: %w", err)
		}
		if err := u.entry(hdr, tr); err != nil {
			return Size{}, refusedEntry(hdr.Name, err)
		}
	}
	if err := u.drain(r); err != nil {
		return Size{}, err
	}
	return u.total, u.finish()
}

// refusedEntry names the entry an error belongs to. A failure of this machine is not the layer's fault and stays as it is.
func refusedEntry(name string, err error) error {
	var own *apprunner.Error
	if errors.As(err, &own) {
		return own
	}
	for _, mine := range []error{context.Canceled, context.DeadlineExceeded, unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS, unix.EMFILE} {
		if errors.Is(err, mine) {
			return fmt.Errorf("entry %q: %w", clip(name), err)
		}
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "the entry %q cannot be unpacked: %w", clip(name), err)
}

func refuse(format string, args ...any) error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
}

func tooLarge(limit int64) error {
	return refuse("the layer, unpacked, is larger than the limit of %d MiB", limit>>20)
}

// clip shortens a name for an error message.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}

// contextReader ends a long copy when its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives inside one call
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// drain reads the padding after the end mark, which belongs to the layer's digest. It is not free room for a bomb.
func (u *unpacker) drain(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, u.limits.Bytes))
	if err == nil && n == u.limits.Bytes {
		return tooLarge(u.limits.Bytes)
	}
	return err
}

func (u *unpacker) entry(hdr *tar.Header, content io.Reader) error {
	if err := u.count(hdr); err != nil {
		return err
	}
	name, err := insideName(hdr.Name)
	if err != nil {
		return err
	}
	if name == "" {
		return u.rootEntry(hdr)
	}
	dirName, base := path.Split(name)
	if strings.HasPrefix(base, whiteoutPrefix) || strings.Contains(dirName, "/"+whiteoutPrefix) || strings.HasPrefix(dirName, whiteoutPrefix) {
		return u.whiteout(name, base)
	}
	dir, base, err := u.tree.parent(name)
	if err != nil {
		return err
	}
	return u.place(hdr, content, name, dir, base)
}

// count keeps the sizes a tar promises within the limits, before anything is written.
func (u *unpacker) count(hdr *tar.Header) error {
	if u.total.Entries++; u.total.Entries > u.limits.Entries {
		return refuse("the layer has more than %d entries", u.limits.Entries)
	}
	if hdr.Size < 0 || hdr.Size > u.limits.Bytes-u.total.Bytes {
		return tooLarge(u.limits.Bytes)
	}
	u.total.Bytes += hdr.Size
	if hdr.Uid < 0 || hdr.Gid < 0 || int64(hdr.Uid) >= math.MaxUint32 || int64(hdr.Gid) >= math.MaxUint32 {
		return refuse("the entry %q has an owner outside 0 to 4294967294", clip(hdr.Name))
	}
	return nil
}

// insideName makes a tar name relative to the root of the tree; "" is the root itself.
func insideName(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", refuse("the entry %q reaches outside of the layer", clip(name))
		}
	}
	if strings.ContainsRune(name, 0) {
		return "", refuse("the entry %q has a NUL in its name", clip(name))
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

func (u *unpacker) rootEntry(hdr *tar.Header) error {
	if hdr.Typeflag != tar.TypeDir {
		return refuse("the layer's root is not a directory")
	}
	u.dirs[""] = hdr.ModTime
	fd, err := u.tree.open("", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return ownFD(fd, hdr)
}

// place makes one entry at base in dir.
func (u *unpacker) place(hdr *tar.Header, content io.Reader, name string, dir int, base string) error {
	switch hdr.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		return u.file(hdr, content, dir, base)
	case tar.TypeDir:
		u.dirs[name] = hdr.ModTime
		return u.directory(hdr, dir, base)
	case tar.TypeSymlink:
		return u.symlink(hdr, dir, base)
	case tar.TypeLink:
		return u.hardlink(hdr, name)
	case tar.TypeFifo:
		return u.fifo(hdr, dir, base)
	case tar.TypeChar, tar.TypeBlock:
		// Every instance gets a /dev of its own, so nodes there are superfluous and common; elsewhere they are an attempt.
		if strings.HasPrefix(name, "dev/") {
			return nil
		}
		return refuse("the entry %q is a device; images may not bring devices", clip(hdr.Name))
	case tar.TypeXGlobalHeader:
		return nil
	}
	return refuse("the entry %q has the unknown type %q", clip(hdr.Name), hdr.Typeflag)
}

// making runs mk, which fails with EEXIST when the name is taken; then the old thing goes first: the last entry counts.
func (u *unpacker) making(dir int, base string, mk func() error) error {
	err := mk()
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := removeAt(dir, base); err != nil {
		return err
	}
	return mk()
}

func (u *unpacker) file(hdr *tar.Header, content io.Reader, dir int, base string) error {
	fd := -1
	err := u.making(dir, base, func() (err error) {
		fd, err = openNoFollow(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
		return err
	})
	if err != nil {
		return err
	}
	err = u.copyTo(fd, content)
	if err == nil {
		err = ownFD(fd, hdr)
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return err
	}
	return setTimes(dir, base, hdr.ModTime)
}

func (u *unpacker) copyTo(fd int, content io.Reader) error {
	for {
		n, readErr := content.Read(u.buf)
		for p := u.buf[:n]; len(p) > 0; {
			w, err := unix.Write(fd, p)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			p = p[max(w, 0):]
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

func (u *unpacker) directory(hdr *tar.Header, dir int, base string) error {
	err := unix.Mkdirat(dir, base, 0o755)
	if errors.Is(err, unix.EEXIST) {
		err = u.overExisting(dir, base)
	}
	if err != nil {
		return err
	}
	fd, err := openNoFollow(dir, base, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return ownFD(fd, hdr)
}

// overExisting makes room for a directory: one that is there stays and only gets new attributes.
func (u *unpacker) overExisting(dir int, base string) error {
	kind, err := kindAt(dir, base)
	switch {
	case err != nil || kind == unix.S_IFDIR:
		return err
	case kind == unix.S_IFCHR:
		return overWhiteout(dir, base)
	}
	return u.making(dir, base, func() error { return unix.Mkdirat(dir, base, 0o755) })
}

func (u *unpacker) symlink(hdr *tar.Header, dir int, base string) error {
	err := u.making(dir, base, func() error { return unix.Symlinkat(hdr.Linkname, dir, base) })
	if err != nil {
		return err
	}
	if err := unix.Fchownat(dir, base, hdr.Uid, hdr.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return setTimes(dir, base, hdr.ModTime)
}

func (u *unpacker) fifo(hdr *tar.Header, dir int, base string) error {
	err := u.making(dir, base, func() error { return unix.Mknodat(dir, base, unix.S_IFIFO|0o600, 0) })
	if err != nil {
		return err
	}
	if err := unix.Fchownat(dir, base, hdr.Uid, hdr.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	// A FIFO cannot be opened here to be changed by descriptor; it was made a moment ago in a tree only we write to.
	if err := unix.Fchmodat(dir, base, uint32(hdr.Mode&0o7777), 0); err != nil {
		return err
	}
	return setTimes(dir, base, hdr.ModTime)
}

// hardlink gives a file of this layer a second name.
func (u *unpacker) hardlink(hdr *tar.Header, name string) error {
	target, err := insideName(hdr.Linkname)
	if err != nil {
		return err
	}
	targetDir, targetBase := path.Split(target)
	from, err := u.tree.openDir(strings.TrimSuffix(targetDir, "/"))
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", clip(hdr.Linkname), err)
	}
	defer unix.Close(from)
	kind, err := kindAt(from, targetBase)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", clip(hdr.Linkname), err)
	}
	if kind != unix.S_IFREG && kind != unix.S_IFLNK && kind != unix.S_IFIFO {
		return refuse("the entry %q is a hard link to something that is not a file", clip(hdr.Name))
	}
	if target == name {
		return nil
	}
	dir, base, err := u.tree.parent(name)
	if err != nil {
		return err
	}
	return u.making(dir, base, func() error { return unix.Linkat(from, targetBase, dir, base, 0) })
}

// whiteout turns the tar's way of saying "deleted" (a file .wh.<name>) into overlayfs's way. What this same layer has under
// that name stays: a whiteout is about the layers below.
func (u *unpacker) whiteout(name, base string) error {
	switch {
	case base == whiteoutOpaque && !strings.Contains("/"+path.Dir(name), "/"+whiteoutPrefix):
		return u.opaque(path.Dir(name))
	case strings.HasPrefix(base, whiteoutMeta) || strings.HasPrefix(name, whiteoutMeta) || strings.Contains(name, "/"+whiteoutMeta):
		return nil
	}
	deleted := strings.TrimPrefix(base, whiteoutPrefix)
	if !strings.HasPrefix(base, whiteoutPrefix) || deleted == "" || deleted == "." || deleted == ".." || strings.Contains("/"+path.Dir(name), "/"+whiteoutPrefix) {
		return refuse("the entry %q is not a valid whiteout", clip(name))
	}
	dir, _, err := u.tree.parent(name)
	if err != nil {
		return err
	}
	err = unix.Mknodat(dir, deleted, unix.S_IFCHR, 0)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if kind, err := kindAt(dir, deleted); err != nil || kind != unix.S_IFDIR {
		return err
	}
	return setOpaque(dir, deleted)
}

// opaque hides all that lower layers have in a directory.
func (u *unpacker) opaque(name string) error {
	if name == "." {
		name = ""
	}
	// The directory is made when only the mark names it; parent makes what leads to a name, so it gets a name inside.
	dir, _, err := u.tree.parent(strings.TrimPrefix(name+"/x", "/"))
	if err != nil {
		return err
	}
	return setOpaque(dir, ".")
}

// finish sets the times of directories.
func (u *unpacker) finish() error {
	for name, at := range u.dirs {
		fd, err := u.tree.open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			continue // a later entry replaced it
		}
		if err != nil {
			return fmt.Errorf("directory %q: %w", name, err)
		}
		err = errors.Join(setTimes(fd, ".", at), unix.Close(fd))
		if err != nil {
			return fmt.Errorf("directory %q: %w", name, err)
		}
	}
	return nil
}

// ownFD gives an open file or directory the owner, mode and attributes of its entry, in the order in which none undoes another.
func ownFD(fd int, hdr *tar.Header) error {
	if err := unix.Fchown(fd, hdr.Uid, hdr.Gid); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, uint32(hdr.Mode&0o7777)); err != nil {
		return err
	}
	const pax = "SCHILY.xattr."
	for key, value := range hdr.PAXRecords {
		name, isAttr := strings.CutPrefix(key, pax)
		if !isAttr || !keptAttribute(name) {
			continue
		}
		err := unix.Fsetxattr(fd, name, []byte(value), 0)
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("attribute %s: %s", name, err.Error()) // ENOSPC here does not mean a full disk
		}
	}
	return nil
}

// keptAttribute says which extended attributes a layer may bring: file capabilities and the application's own. Others would
// speak to this host's kernel, above all overlayfs's marks (redirect, metacopy), which could point outside the layer.
func keptAttribute(name string) bool {
	return name == "security.capability" || strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
}

func setTimes(dir int, base string, at time.Time) error {
	if at.Before(time.Unix(0, 0)) || at.Year() > 2200 {
		at = time.Unix(0, 0)
	}
	ts := unix.NsecToTimespec(at.UnixNano())
	return unix.UtimesNanoAt(dir, base, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
