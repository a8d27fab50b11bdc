package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"
)

// ErrNothing means that there is no installation to be found over a data directory.
var ErrNothing = errors.New("no Slipway was ever started")

// Down stops the installation of a data directory and its instances, and removes everything outside the data directory:
// processes, mounts, cgroups, interfaces, firewall tables. What was deployed stays recorded; the next start brings it back.
// It works after a crash of the supervisor too, and may be repeated; over a directory in which nothing was ever started it fails with
// [ErrNothing].
func Down(ctx context.Context, c Config, log *slog.Logger) error {
	r, running, err := ReadRunning(c.DataDir)
	if err != nil {
		return err
	}
	if running {
		if err := interrupt(ctx, c, r); err != nil {
			return err
		}
	}
	if _, err := os.Stat(c.path("run")); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w over %s: look at --data-dir and SLIPWAY_DATA_DIR", ErrNothing, c.DataDir)
	}
	lock, err := takeLock(ctx, c)
	if err != nil {
		return err
	}
	defer lock.Close()
	if saved, err := readConfig(c.DataDir); err == nil {
		c = saved
	}
	return teardown(ctx, c, log)
}

// interrupt asks the supervisor to take everything down and waits until it has ended.
func interrupt(ctx context.Context, c Config, r Running) error {
	for r.PID == 0 { // it is just starting: its note follows
		pause(ctx, 50*time.Millisecond)
		var running bool
		var err error
		if r, running, err = ReadRunning(c.DataDir); err != nil || !running {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := syscall.Kill(r.PID, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the supervisor (process %d): %w", r.PID, err)
	}
	for {
		_, running, err := ReadRunning(c.DataDir)
		if err != nil || !running {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the supervisor (process %d) has not ended: %w", r.PID, ctx.Err())
		}
		pause(ctx, 50*time.Millisecond)
	}
}
