package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
)

// CopyIn copies a tree of the host into the workspace; see instance.Workspace.
func (w *workspace) CopyIn(ctx context.Context, hostDir, target string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.driver == nil {
		return errClosed
	}
	src, err := os.OpenFile(hostDir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("copy into the workspace: %w", err)
	}
	defer src.Close()
	dst, err := w.root.mkdirAll(target)
	if err != nil {
		return fmt.Errorf("copy into the workspace: %w", w.diskFull(err))
	}
	defer dst.Close()
	c := copier{ctx: ctx, owner: func(*unix.Stat_t) (int, int) { return w.box.base, w.box.base }}
	if err := c.dir(src, dst); err != nil {
		return fmt.Errorf("copy into the workspace: %w", w.diskFull(err))
	}
	return nil
}

// CopyFrom copies a tree from another workspace; see instance.Workspace.
func (w *workspace) CopyFrom(ctx context.Context, other instance.Workspace, name string) error {
	from, ok := other.(*workspace)
	if !ok || from == w {
		return errors.New("copy between workspaces: the other is not one of this driver")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	from.mu.Lock()
	defer from.mu.Unlock()
	if w.driver == nil || from.driver == nil {
		return errClosed
	}
	src, err := from.root.open(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("copy between workspaces: %w", err)
	}
	defer src.Close()
	dst, err := w.root.mkdirAll(name)
	if err != nil {
		return fmt.Errorf("copy between workspaces: %w", w.diskFull(err))
	}
	defer dst.Close()
	c := copier{ctx: ctx, owner: func(st *unix.Stat_t) (int, int) {
		return int(st.Uid) - from.box.base + w.box.base, int(st.Gid) - from.box.base + w.box.base
	}}
	if err := c.dir(src, dst); err != nil {
		return fmt.Errorf("copy between workspaces: %w", w.diskFull(err))
	}
	return nil
}

// copier copies trees between open directories. It opens single names below directories it holds and follows no link, so
// neither tree can lead it out.
type copier struct {
	ctx   context.Context //nolint:containedctx // lives as long as one call
	owner func(*unix.Stat_t) (uid, gid int)
}

// dir copies what is in src, and src's own mode and times, to dst.
func (c copier) dir(src, dst *os.File) error {
	names, err := src.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.entry(src, dst, name); err != nil {
			return err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(src.Fd()), &st); err != nil {
		return err
	}
	uid, gid := c.owner(&st)
	return errors.Join(dst.Chown(uid, gid), unix.Fchmod(int(dst.Fd()), st.Mode&0o7777),
		unix.UtimesNanoAt(int(dst.Fd()), "", []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_EMPTY_PATH))
}

// entry copies one name. Sockets, pipes and devices are passed over: they mean nothing elsewhere.
func (c copier) entry(src, dst *os.File, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(src.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "stat", Path: name, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return c.subdir(src, dst, name)
	case unix.S_IFREG:
		return c.file(src, dst, name, &st)
	case unix.S_IFLNK:
		return c.link(src, dst, name, &st)
	}
	return nil
}

func (c copier) subdir(src, dst *os.File, name string) error {
	from, err := openAt(src, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := unix.Mkdirat(int(dst.Fd()), name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	to, err := openAt(dst, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer to.Close()
	return c.dir(from, to)
}

func (c copier) file(src, dst *os.File, name string, st *unix.Stat_t) error {
	from, err := openAt(src, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer from.Close()
	uid, gid := c.owner(st)
	if err := createAt(dst, name, st.Mode, uid, gid, from); err != nil {
		return err
	}
	return c.times(dst, name, st)
}

func (c copier) link(src, dst *os.File, name string, st *unix.Stat_t) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(src.Fd()), name, buf)
	if err != nil {
		return &os.PathError{Op: "readlink", Path: name, Err: err}
	}
	if err := unix.Unlinkat(int(dst.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "replace", Path: name, Err: err}
	}
	if err := unix.Symlinkat(string(buf[:n]), int(dst.Fd()), name); err != nil {
		return &os.PathError{Op: "symlink", Path: name, Err: err}
	}
	uid, gid := c.owner(st)
	if err := unix.Fchownat(int(dst.Fd()), name, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "chown", Path: name, Err: err}
	}
	return c.times(dst, name, st)
}

// times keeps the modification time: compilers and caches compare it.
func (c copier) times(dst *os.File, name string, st *unix.Stat_t) error {
	err := unix.UtimesNanoAt(int(dst.Fd()), name, []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &os.PathError{Op: "set times", Path: name, Err: err}
	}
	return nil
}

// openAt opens a name in an open directory and follows no link.
func openAt(dir *os.File, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path.Join(dir.Name(), name), Err: err}
	}
	return os.NewFile(uintptr(fd), path.Join(dir.Name(), name)), nil
}
