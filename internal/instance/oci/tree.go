package oci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// tree is the file system of a sandbox as seen from the host, with whose eyes it must not be looked at: links in it are those of
// the image or of a build, so every path is resolved by the kernel with the tree as its root (openat2, RESOLVE_IN_ROOT). The
// directory is held by a descriptor and stays usable outside the sandbox's mount namespace.
type tree struct {
	dir  *os.File
	base int // host id of the sandbox's root
}

func openTree(dir string, base int) (*tree, error) {
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the sandbox's files: %w", err)
	}
	return &tree{f, base}, nil
}

func (t *tree) Close() error { return t.dir.Close() }

// open opens a path inside. Links are followed within the tree.
func (t *tree) open(name string, flags int, mode uint32) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC,
		Mode:    uint64(mode),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	relative := strings.TrimPrefix(path.Clean("/"+name), "/")
	if relative == "" {
		relative = "."
	}
	for {
		fd, err := unix.Openat2(int(t.dir.Fd()), relative, &how)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) { // something was renamed meanwhile
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

// mkdirAll makes a directory and its parents, owned by the sandbox's root, and returns it opened.
func (t *tree) mkdirAll(name string) (*os.File, error) {
	name = path.Clean("/" + name)
	dir, err := t.open(name, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	if err == nil || !errors.Is(err, os.ErrNotExist) || name == "/" {
		return dir, err
	}
	parent, err := t.mkdirAll(path.Dir(name))
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	base := path.Base(name)
	if err := unix.Mkdirat(int(parent.Fd()), base, 0o755); err != nil {
		return nil, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	if err := unix.Fchownat(int(parent.Fd()), base, t.base, t.base, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, &os.PathError{Op: "chown", Path: name, Err: err}
	}
	return t.open(name, unix.O_DIRECTORY|unix.O_RDONLY, 0)
}

// writeFile makes or replaces a file, owned by the sandbox's root. Parents are made; a link in its place is replaced.
func (t *tree) writeFile(name string, content []byte, mode uint32) error {
	dir, err := t.mkdirAll(path.Dir(path.Clean("/" + name)))
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer dir.Close()
	return createAt(dir, path.Base(name), mode, t.base, t.base, strings.NewReader(string(content)))
}

// createAt makes a regular file in an open directory, replacing a file or link of that name.
func createAt(dir *os.File, name string, mode uint32, uid, gid int, content io.Reader) error {
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "replace", Path: name, Err: err}
	}
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = io.Copy(f, content)
	// The owner first: changing it clears the set-id bits of the mode.
	return errors.Join(err, f.Chown(uid, gid), unix.Fchmod(fd, mode&0o7777), f.Close())
}

// readFile reads a file of at most limit bytes.
func (t *tree) readFile(name string, limit int64) ([]byte, error) {
	f, err := t.open(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return b, err
}
