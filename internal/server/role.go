package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// enterControl makes this process the only control over the data directory, waiting a moment for one that is ending, and notes its
// process id for those who must end it.
func enterControl(ctx context.Context, c Config) (*os.File, error) {
	f, err := os.OpenFile(c.path("run", "control.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	for deadline := time.Now().Add(childGrace); unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("control: another process has this role over %s", c.DataDir), f.Close())
		}
		pause(ctx, 10*time.Millisecond)
	}
	return f, signIn(f)
}

// enterEdge notes this process as an edge of the data directory, for those who must end it. While one takes over from another there
// are two.
func enterEdge(c Config) (*os.File, error) {
	f, err := os.OpenFile(c.edgeFile(os.Getpid(), "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("edge: %s: %w", f.Name(), err), f.Close())
	}
	return f, signIn(f)
}

// signIn writes the id of this process into its lock.
func signIn(f *os.File) error {
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.Name(), err), f.Close())
	}
	return nil
}

// edgeFile is a file of one edge process: its "lock", or its control socket "sock".
func (c Config) edgeFile(pid int, kind string) string {
	return c.path("run", "edge."+strconv.Itoa(pid)+"."+kind)
}

// endOrphans ends the processes of a role whose supervisor was killed.
func endOrphans(ctx context.Context, c Config, role string) error {
	locks, err := filepath.Glob(c.path("run", role+"*.lock"))
	if err != nil {
		return fmt.Errorf("look for a %s left behind: %w", role, err)
	}
	for _, path := range locks {
		if err := endHolder(ctx, path); err != nil {
			return fmt.Errorf("end a %s left behind: %w", role, err)
		}
		if role == "edge" {
			os.Remove(path)
			os.Remove(strings.TrimSuffix(path, ".lock") + ".sock")
		}
	}
	return nil
}

// endHolder ends the process that holds a lock: politely first, then for good.
func endHolder(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for n := 0; unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; n++ {
		sig := syscall.SIGTERM
		if time.Duration(n)*50*time.Millisecond > childGrace {
			sig = syscall.SIGKILL
		}
		b, err := os.ReadFile(path)
		pid, perr := strconv.Atoi(strings.TrimSpace(string(b)))
		if err == nil && perr == nil && pid > 1 && (n == 0 || sig == syscall.SIGKILL) {
			_ = syscall.Kill(pid, sig) // it may have ended in between
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause(ctx, 50*time.Millisecond)
	}
	return nil
}
