package layertar

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds how many symbolic links one name may lead through while missing directories are made, as the kernel bounds
// walking them.
const maxLinks = 40

// errImplied says that names imply more directories than a layer may have entries.
var errImplied = errors.New("the layer implies too many directories")

// tree makes files below one directory. Every path is resolved by the kernel as if that directory were the root of the file
// system (openat2 with RESOLVE_IN_ROOT), and the last part of a name is never followed, so no name or link inside a layer can
// reach anything outside. os.Root would confine as well, but knows neither device nodes nor attributes and refuses absolute
// links, which images have.
type tree struct {
	root int
	// The directory used last stays open: entries of a layer come sorted by directory.
	lastName string
	lastDir  int
	// room is how many more directories names may imply; links how many links the name at hand may still go through.
	room  int64
	links int
}

func openTree(dir string, room int64) (*tree, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return &tree{root: fd, lastDir: -1, room: room}, nil
}

func (t *tree) close() {
	t.forget()
	unix.Close(t.root)
}

// forget closes the directory kept open.
func (t *tree) forget() {
	if t.lastDir >= 0 {
		unix.Close(t.lastDir)
	}
	t.lastDir = -1
}

// parent opens the directory that holds name, making what is missing of it. The descriptor belongs to the tree and is good
// until the next call.
func (t *tree) parent(name string) (dir int, base string, err error) {
	dirName, base := path.Split(name)
	dirName = strings.TrimSuffix(dirName, "/")
	if t.lastDir >= 0 && t.lastName == dirName {
		return t.lastDir, base, nil
	}
	fd, err := t.openDir(dirName)
	if errors.Is(err, unix.ENOENT) {
		t.links = maxLinks
		if err = t.makeAll(dirName); err == nil {
			fd, err = t.openDir(dirName)
		}
	}
	if err != nil {
		return -1, "", fmt.Errorf("directory %q: %w", clip(dirName), err)
	}
	t.forget()
	t.lastName, t.lastDir = dirName, fd
	return fd, base, nil
}

func (t *tree) openDir(name string) (int, error) { return t.open(name, unix.O_PATH|unix.O_DIRECTORY) }

// open resolves name inside the tree.
func (t *tree) open(name string, flags uint64) (int, error) {
	if name == "" {
		name = "."
	}
	how := &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(t.root, name, how)
		// EAGAIN: something was renamed on this machine while ".." of a link was walked; the kernel asks to try again.
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// makeAll makes the missing directories of name with the mode layers imply, 0755. A symbolic link that leads nowhere gets its
// target made, inside the tree.
func (t *tree) makeAll(name string) error {
	for end := range len(name) + 1 {
		if end < len(name) && name[end] != '/' {
			continue
		}
		if err := t.makeOne(name[:end]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) makeOne(name string) error {
	if name == "" {
		return nil
	}
	if t.room <= 0 {
		return errImplied
	}
	dirName, base := path.Split(name)
	dir, err := t.openDir(strings.TrimSuffix(dirName, "/"))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	err = unix.Mkdirat(dir, base, 0o755)
	if !errors.Is(err, unix.EEXIST) {
		t.room--
		return err
	}
	kind, err := kindAt(dir, base)
	switch {
	case err != nil:
		return err
	case kind == unix.S_IFCHR:
		return overWhiteout(dir, base)
	case kind == unix.S_IFLNK:
		return t.makeTarget(dir, dirName, base)
	}
	return nil // a directory, or something the coming open refuses
}

// overWhiteout puts a directory where the layer has deleted one below: the new one hides all of the old one's content.
func overWhiteout(dir int, base string) error {
	if err := unix.Unlinkat(dir, base, 0); err != nil {
		return err
	}
	if err := unix.Mkdirat(dir, base, 0o755); err != nil {
		return err
	}
	return setOpaque(dir, base)
}

func (t *tree) makeTarget(dir int, dirName, base string) error {
	if t.links--; t.links < 0 {
		return unix.ELOOP
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, base, buf)
	if err != nil {
		return err
	}
	target := string(buf[:n])
	if !path.IsAbs(target) {
		target = path.Join("/", dirName, target)
	}
	return t.makeAll(strings.TrimPrefix(path.Clean(target), "/"))
}

// removeAt removes base and all below it. The name has one part and the directory is already confined.
func removeAt(dir int, base string) error {
	err := unix.Unlinkat(dir, base, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return os.RemoveAll(fmt.Sprintf("/proc/self/fd/%d/%s", dir, base))
}

// kindAt tells the file type (S_IFMT bits) of a name without following it.
func kindAt(dir int, base string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	return st.Mode & unix.S_IFMT, nil
}

// setOpaque marks a directory so that overlayfs shows nothing of the layers below it. Without the right to write trusted
// attributes the overlay is mounted with userxattr, and that spelling counts.
func setOpaque(dir int, base string) error {
	fd, err := openNoFollow(dir, base, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.Fsetxattr(fd, opaqueTrusted, []byte("y"), 0)
	if errors.Is(err, unix.EPERM) {
		err = unix.Fsetxattr(fd, opaqueUser, []byte("y"), 0)
	}
	return err
}

const (
	opaqueTrusted = "trusted.overlay.opaque"
	opaqueUser    = "user.overlay.opaque"
)

// Opaque tells whether the root of an unpacked layer hides all layers below it. Overlayfs takes no notice of the mark there, so
// whoever stacks layers leaves the lower ones out.
func Opaque(dir string) bool {
	var value [1]byte
	for _, name := range []string{opaqueTrusted, opaqueUser} {
		if n, err := unix.Lgetxattr(dir, name, value[:]); err == nil && n == 1 && value[0] == 'y' {
			return true
		}
	}
	return false
}

func openNoFollow(dir int, base string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, base, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
