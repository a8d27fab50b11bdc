package instance

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"
)

// ErrUnknown is returned (wrapped) for an instance id the driver holds nothing about.
var ErrUnknown = errors.New("no such instance")

// Driver runs instances. Every method may be called from several goroutines, also for one id. A driver's process may be killed
// at any moment: its instances run on, and a new driver over the same directory finds them, their unread logs, and how those
// that ended meanwhile did.
type Driver interface {
	// Start runs an instance and returns when its first process runs (which says nothing about health). For an id that is
	// already known it changes nothing and returns what is known, also when that instance has exited. An error leaves nothing
	// behind; faults of the Spec are *apprunner.Error with a message for the user.
	Start(ctx context.Context, spec Spec) (Instance, error)

	// Stop sends SIGTERM, after grace SIGKILL, and removes everything the instance had except log records that were not
	// trimmed. It thaws a frozen instance first. When ctx ends earlier the instance is killed at once and removed all the same.
	// An unknown id is not an error.
	Stop(ctx context.Context, id string, grace time.Duration) error

	// List returns all instances, those that exited and were not stopped included, in no particular order.
	List(ctx context.Context) ([]Instance, error)

	// Wait blocks until the instance has exited and tells how. It also answers for an instance that exited before.
	Wait(ctx context.Context, id string) (Exit, error)

	// Stats tells what a running instance uses. For one that is not running it returns an error.
	Stats(ctx context.Context, id string) (Stats, error)

	// Listening returns the TCP sockets in the instance that accept connections, for error messages such as "it listens on
	// 127.0.0.1:3000 only".
	Listening(ctx context.Context, id string) ([]netip.AddrPort, error)

	// Logs returns records from a place on, oldest first, at most some hundred kilobytes at a time, and the place after them.
	// No records and an unchanged cursor mean that there is nothing new. It works after exit and after Stop until TrimLogs.
	Logs(ctx context.Context, id string, from Cursor) ([]LogRecord, Cursor, error)

	// TrimLogs says that everything before a place is kept elsewhere, so the driver may drop it. Trimming a stopped instance
	// to its end removes the last trace of it.
	TrimLogs(ctx context.Context, id string, before Cursor) error

	// Unread returns the stopped instances that still have log records not trimmed.
	Unread(ctx context.Context) ([]Instance, error)

	// Freeze takes the CPU from a running instance, Thaw gives it back. Both may be repeated.
	Freeze(ctx context.Context, id string) error
	Thaw(ctx context.Context, id string) error

	// Sweep stops at once every instance not named in keep and removes all traces of instances the driver has no record of.
	Sweep(ctx context.Context, keep []string) error

	// Close lets go of the driver's own resources. Instances run on.
	Close() error
}

// Builder is what a driver offers for builds.
type Builder interface {
	// OpenWorkspace prepares a sandbox for commands. It does not outlive the driver's process.
	OpenWorkspace(ctx context.Context, spec WorkspaceSpec) (Workspace, error)
}

// WorkspaceSpec describes a sandbox for builds. Its commands run as root of an own user namespace with the capabilities that
// Docker gives by default, and with EgressBuild.
type WorkspaceSpec struct {
	ID        string // 32 lower-case hex digits
	Rootfs    Rootfs
	CPU       int // 1024 is one vCPU
	MemoryMiB int
	DiskMiB   int // 0 is DefaultDiskMiB
	PidsMax   int // 0 is 4 × DefaultPidsMax: builds fork more than servers
	Files     map[string][]byte
	Mounts    []Mount
}

// Mount shows a directory of this host inside a workspace, read and write. Files that root writes there belong to the owner of
// the driver's process on the host. Mounts are no part of the layer.
type Mount struct {
	HostDir string // absolute, made when missing
	Path    string // absolute, inside
}

// Command is one program run in a workspace.
type Command struct {
	Args   []string
	Env    []string  // "NAME=value"
	Dir    string    // empty is /
	User   string    // as in Spec; empty is root
	Stdout io.Writer // standard output and standard error in the order they were written; nil drops them
}

// Workspace is a sandbox in which commands run one at a time over the same files. It is not for concurrent use.
type Workspace interface {
	// CopyIn copies the tree at hostDir to path inside, which is made when missing. Everything belongs to root there. Links are
	// copied as links and followed on neither side.
	CopyIn(ctx context.Context, hostDir, path string) error
	// Exec runs a command and returns its exit code (128 + number when a signal ended it). All its processes are gone when Exec
	// returns. When ctx ends it is killed and ctx's error returned.
	Exec(ctx context.Context, cmd Command) (exitCode int, err error)
	// CopyFrom copies the tree at path from another workspace of the same driver to the same path here, owners kept.
	CopyFrom(ctx context.Context, other Workspace, path string) error
	// Layer writes what changed as one uncompressed OCI layer: ids as the workspace sees them, removed files as ".wh." entries,
	// in an order that depends on nothing but the files.
	Layer(ctx context.Context, w io.Writer) error
	// Close removes everything. It may be repeated.
	Close() error
}

// Finding is one line of a driver's self-examination.
type Finding struct {
	Name     string // "user namespaces"
	OK       bool
	Detail   string // what was found, and what to do about it when not OK
	Degrades string // what works less well without it; empty when it cannot run at all without it
}
