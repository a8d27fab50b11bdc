package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// enterRole makes this process the only one of its role over the data directory, waiting a moment for one that is ending, and
// notes its process id for those who must end it.
func enterRole(ctx context.Context, c Config, role string) (*os.File, error) {
	f, err := os.OpenFile(c.path("run", role+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	for deadline := time.Now().Add(childGrace); unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%s: another process has this role over %s", role, c.DataDir), f.Close())
		}
		pause(ctx, 10*time.Millisecond)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid()))); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", role, err), f.Close())
	}
	return f, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// endOrphan ends a role whose supervisor was killed: politely first, then for good.
func endOrphan(ctx context.Context, c Config, role string) error {
	path := c.path("run", role+".lock")
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a %s left behind: %w", role, err)
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
