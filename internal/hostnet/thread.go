package hostnet

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// OnOwnThread runs fn on an operating system thread that nothing else uses and that ends afterwards, so fn may move it into
// other namespaces. Processes started by fn are born in those namespaces.
func OnOwnThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread would not end with its goroutine but stay, and keep the namespace. While this goroutine holds
			// it the next one must run elsewhere.
			done <- OnOwnThread(fn)
			runtime.UnlockOSThread()
			return
		}
		done <- fn() // no unlock: the thread ends with the goroutine
	}()
	return <-done
}

// Inside runs fn on a thread of its own in the network namespace that the file at path stands for. Sockets that fn opens belong to that
// namespace for as long as they live, whoever uses them.
func Inside(path string, fn func() error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer f.Close()
	return OnOwnThread(func() error {
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", path, err)
		}
		return fn()
	})
}

// Identity tells network namespaces apart, also ones that were at the same path one after the other.
type Identity struct{ device, inode uint64 }

// String is the same for the same namespace alone, for as long as the machine runs.
func (i Identity) String() string { return fmt.Sprintf("%d:%d", i.device, i.inode) }

// Identify returns the identity of the network namespace at path; an error when there is none, as when the file is left of a machine
// that has started anew.
func Identify(path string) (Identity, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return Identity{}, fmt.Errorf("look at network namespace %s: %w", path, err)
	}
	if fs.Type != unix.NSFS_MAGIC {
		return Identity{}, fmt.Errorf("%s is not a network namespace", path)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Identity{}, fmt.Errorf("look at network namespace %s: %w", path, err)
	}
	return Identity{uint64(st.Dev), st.Ino}, nil //nolint:unconvert // Dev has another type on other processors
}
