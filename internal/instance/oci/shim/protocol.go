package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"slipway.dev/slipway/internal/instance"
)

// The file descriptors a driver hands to a shim beside standard input, output and error.
const (
	SocketFD = 3 // orders and replies, one JSON value each
	OutputFD = 4 // attached only: takes what the command writes
)

// The files a shim writes into Create.Dir.
const (
	RunFile  = "run.json"  // Run
	ExitFile = "exit.json" // instance.Exit
	LogDir   = "log"       // logfile
)

// Order is what a driver asks of a shim; exactly one member is set.
type Order struct {
	Create *Create `json:",omitempty"` // make the container, its process waiting; replied to with its PID
	Start  bool    `json:",omitempty"` // let the process run
}

// Create describes the container.
type Create struct {
	ID          string
	Dir         string // where RunFile, ExitFile and LogDir go
	Runtime     string // path of runc or crun
	RuntimeRoot string // where the runtime keeps its state
	Bundle      string // directory of config.json
	Cgroup      string // path below every hierarchy's root
	MemoryMiB   int    // for the exit record
	LogLimit    int64  // bytes of log kept while nobody collects
	UID, GID    int    // host ids that own the output pipes, so that /dev/stdout can be opened
	Attached    bool
	EndOnOOM    bool // running out of memory ends the whole instance, not just one process (§19)
}

// Reply answers an Order.
type Reply struct {
	PID   int            `json:",omitempty"`
	Error string         `json:",omitempty"`
	Exit  *instance.Exit `json:",omitempty"` // attached only: sent unasked when the command has ended
	OOM   int            `json:",omitempty"` // with Exit: processes ended for want of memory
}

// Process names a process for good: ids are used again, but not within one boot and with the same start time.
type Process struct {
	PID   int
	Start uint64 // clock ticks after boot
	Boot  string
}

// Run is what is on record about a running instance.
type Run struct {
	Shim      Process
	Init      Process
	StartedAt time.Time // zero until the application's process was let run
}

// writeJSON puts a value in place whole: readers see the old file or the new one. The files describe processes, which a power
// cut ends as well, so they are not forced to the disk.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return os.Rename(path+".tmp", path)
}

// ReadRun reads an instance's RunFile; os.ErrNotExist when it was not created yet.
func ReadRun(dir string) (Run, error) {
	var r Run
	return r, readJSON(filepath.Join(dir, RunFile), &r)
}

// ReadExit reads an instance's ExitFile; os.ErrNotExist while it runs.
func ReadExit(dir string) (instance.Exit, error) {
	var e instance.Exit
	return e, readJSON(filepath.Join(dir, ExitFile), &e)
}

// WriteExit records an exit that no shim was left to record. It keeps one that is there.
func WriteExit(dir string, e instance.Exit) error {
	if _, err := ReadExit(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return writeJSON(filepath.Join(dir, ExitFile), e)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
