package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Running is what the supervisor notes about itself in run/supervisor.json, for `slipway status` and `slipway down`.
type Running struct {
	PID       int
	Version   string    // of the program
	StartedAt time.Time // by `slipway up`; upgrades do not change it
	Ready     bool
	Ending    bool // it serves no more, and is followed by the next one
	Addresses Addresses
	Config    Config
	Upgrades  int     // how often a new program took over
	Upgrade   Outcome // of the last upgrade; zero before the first
}

// Outcome is what became of an upgrade.
type Outcome struct {
	At      time.Time
	Binary  string
	Failure string // empty: it was done
}

// ErrRunning means that another supervisor holds the data directory.
var ErrRunning = errors.New("an installation is already running over this data directory")

// endPatience is how long a supervisor that ends is waited for: it gives its roles some time.
const endPatience = 2 * childGrace

// takeLock makes this process the only supervisor of the data directory, waiting for one that is ending. The lock ends with the process,
// however it ends.
func takeLock(ctx context.Context, c Config) (*os.File, error) {
	for _, dir := range []string{"", "run"} {
		if err := os.MkdirAll(c.path(dir), 0o700); err != nil {
			return nil, fmt.Errorf("--data-dir: %w", err)
		}
	}
	f, err := os.OpenFile(c.path("run", "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	for deadline := time.Now().Add(endPatience); unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; pause(ctx, 20*time.Millisecond) {
		r, _, err := ReadRunning(c.DataDir)
		goes := r.Ending || r.PID == 0 // without a note it has just begun, or is just about to end
		if err != nil || !goes || ctx.Err() != nil || time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%w: %s", ErrRunning, c.DataDir), f.Close())
		}
	}
	return f, nil
}

// note writes down what roles and verbs read.
func (s *supervisor) note() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := writeJSON(s.c.path("run", "config.json"), s.c); err != nil {
		return err
	}
	return writeJSON(s.c.path("run", "supervisor.json"), s.run)
}

// writeJSON replaces a file at once, readable by the owner only: some settings are secret.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, b, 0o600)
}

func writeFile(path string, b []byte, mode os.FileMode) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// ReadRunning tells about the supervisor of a data directory; ok is false when none is running.
func ReadRunning(dataDir string) (r Running, ok bool, err error) {
	c := Config{DataDir: dataDir}
	f, err := os.OpenFile(c.path("run", "lock"), os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("--data-dir: %w", err)
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return r, false, nil // nobody holds it
	}
	b, err := os.ReadFile(c.path("run", "supervisor.json"))
	if err != nil {
		return r, true, nil // it is just starting or ending
	}
	return r, true, json.Unmarshal(b, &r)
}

// readConfig reads what the supervisor settled for its roles.
func readConfig(dataDir string) (Config, error) {
	var c Config
	b, err := os.ReadFile(filepath.Join(dataDir, "run", "config.json"))
	if err != nil {
		return c, fmt.Errorf("this command is started by `slipway up`, not by hand: %w", err)
	}
	return c, json.Unmarshal(b, &c)
}
