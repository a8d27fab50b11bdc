package cgroup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Freeze stops all processes of the group until Thaw and returns when they stand still. The version 1 freezer sometimes gives up
// on a busy group; then it is asked again, and at last the version 2 tree beside it is used.
func (g Group) Freeze(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if dir := g.layout.V1["freezer"]; dir != "" {
		state := filepath.Join(dir, g.path, "freezer.state")
		err := retry(ctx, 500*time.Millisecond, func() bool {
			return os.WriteFile(state, []byte("FROZEN"), 0) == nil && fileIs(state, "FROZEN")
		})
		if err == nil {
			return nil
		}
		_ = os.WriteFile(state, []byte("THAWED"), 0)
	}
	if g.layout.Unified == "" {
		return fmt.Errorf("freeze %s: %w", g.path, context.DeadlineExceeded)
	}
	dir := filepath.Join(g.layout.Unified, g.path)
	if err := os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte("1"), 0); err != nil {
		return fmt.Errorf("freeze %s: %w", g.path, err)
	}
	err := retry(ctx, time.Second, func() bool {
		n, err := readKey(filepath.Join(dir, "cgroup.events"), "frozen")
		return err == nil && n == 1
	})
	if err != nil {
		g.forceThaw()
		return fmt.Errorf("freeze %s: its processes do not stand still: %w", g.path, err)
	}
	return nil
}

// Thaw lets the processes run again, however they were frozen.
func (g Group) Thaw(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if !g.Exists() {
		return nil
	}
	g.forceThaw()
	if dir := g.layout.V1["freezer"]; dir != "" {
		state := filepath.Join(dir, g.path, "freezer.state")
		if err := retry(ctx, time.Second, func() bool { return fileIs(state, "THAWED") }); err != nil && g.Exists() {
			return fmt.Errorf("thaw %s: %w", g.path, err)
		}
	}
	return nil
}

// forceThaw undoes both kinds of freezing and does not look whether there was one.
func (g Group) forceThaw() {
	if dir := g.layout.V1["freezer"]; dir != "" {
		_ = os.WriteFile(filepath.Join(dir, g.path, "freezer.state"), []byte("THAWED"), 0)
	}
	if g.layout.Unified != "" {
		_ = os.WriteFile(filepath.Join(g.layout.Unified, g.path, "cgroup.freeze"), []byte("0"), 0)
	}
}

// retry calls done, ever less often, until it says yes, limit has passed or ctx ends.
func retry(ctx context.Context, limit time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 20*time.Millisecond) {
		if done() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func fileIs(path, want string) bool {
	b, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(b)) == want
}
