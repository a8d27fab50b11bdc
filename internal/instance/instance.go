package instance

import (
	"fmt"
	"net/netip"
	"time"
)

// The bounds a Spec is held to. They are wider than what App Runner sells (§12.1) so that the platform's own work fits too.
const (
	MinCPU          = 16   // 1024 is one vCPU
	MinMemoryMiB    = 16   // below this no language runtime starts
	DefaultDiskMiB  = 3072 // the ephemeral storage of one instance (§19)
	DefaultPidsMax  = 1024
	MaxStopGrace    = 10 * time.Minute
	DefaultGrace    = 30 * time.Second // between SIGTERM and SIGKILL (§19)
	MaxLogLineBytes = 256 << 10        // a longer line is split
)

// Egress says how far connections made by an instance may reach.
type Egress string

// The reaches. None lets an instance talk to another instance or to an address of this host.
const (
	EgressPublic Egress = "public" // the internet, no private ranges but those the operator allowed
	EgressBuild  Egress = "build"  // the internet and private ranges, where package mirrors live
	EgressUplink Egress = "uplink" // what Spec.Uplink leads to, and nothing else
)

// Uplink is a way out that somebody else keeps: a network namespace that forwards what comes in and gives it an address of its own.
type Uplink struct {
	Namespace string     // absolute path at which it is entered
	Resolver  netip.Addr // the name server behind it; invalid: there is none
}

// Rootfs is what an instance sees as its file system before it wrote anything.
type Rootfs struct {
	// Layers are absolute directories of unpacked image layers, lowest first. Many instances share them and nobody writes to
	// them. Removed files are marked the way overlayfs does it: a character device 0:0 for a file, the attribute
	// trusted.overlay.opaque=y for a directory.
	Layers []string
}

// Spec is all a driver needs to know to run one instance. A running instance never changes: another Spec is another instance.
type Spec struct {
	ID           string // 32 lower-case hex digits, chosen by the caller, never used twice
	ServiceARN   string // label, handed back by List
	DeploymentID string // label, handed back by List
	Rootfs       Rootfs
	Args         []string // entry point and arguments, merged with the image's by the caller; Args[0] is looked up in PATH
	Env          []string // "NAME=value"; PATH and HOME are added when missing
	Dir          string   // working directory; empty is /
	User         string   // "", "uid", "uid:gid", "name" or "name:group"; empty is root of the instance's own user namespace
	CPU          int      // 1024 is one vCPU; a quota, not a share
	MemoryMiB    int      // hard limit, without swap
	DiskMiB      int      // what the instance may write; 0 is DefaultDiskMiB
	PidsMax      int      // processes and threads; 0 is DefaultPidsMax

	// Files are small files written into the root before the start, by absolute path; they belong to root and have mode 0644.
	Files map[string][]byte
	// Egress is how far the instance's own connections reach; empty is EgressPublic.
	Egress Egress
	// Uplink is the way out with EgressUplink, which is IPv4 only. What comes from this host, and the credentials of the instance's
	// role, do not go through it.
	Uplink Uplink
	// Capabilities are kept inside the instance's user namespace, without the prefix CAP_ ("SETUID"). None by default.
	Capabilities []string
}

// State is where an instance is in its life, which only goes forward.
type State string

// The states of an instance.
const (
	Created State = "created" // being prepared; no process of the application ran yet
	Running State = "running"
	Exited  State = "exited" // ended by itself or through Stop; Exit tells how
)

// Instance is what a driver knows about one instance.
type Instance struct {
	ID           string
	ServiceARN   string
	DeploymentID string
	Address      netip.Addr // where its sockets answer, from this host
	PID          int        // of its first process as this host numbers it; 0 when there is none
	State        State
	StartedAt    time.Time // zero until Running
	Exit         *Exit     // set when Exited
	CutOff       bool      // its uplink is gone for good; only List tells
}

// Exit tells how an instance's first process ended.
type Exit struct {
	Code      int    // 0-255; 128 + the signal's number when a signal ended it
	Signal    string // "SIGKILL"; empty when it ended by itself
	OOMKilled bool   // the kernel ended it because it needed more than MemoryMiB
	MemoryMiB int    // the limit it ran under
	Reason    string // set when not the application but the platform is to blame
	At        time.Time
}

// String is the sentence users read in the event log and in error messages.
func (e Exit) String() string {
	switch {
	case e.Reason != "":
		return e.Reason
	case e.OOMKilled:
		return fmt.Sprintf("ran out of memory: it needed more than its limit of %d MiB and was ended (exit code %d)", e.MemoryMiB, e.Code)
	case e.Signal != "":
		return fmt.Sprintf("was ended by signal %s (exit code %d)", e.Signal, e.Code)
	case e.Code == 0:
		return "ended by itself with exit code 0"
	default:
		return fmt.Sprintf("exited with code %d", e.Code)
	}
}

// Stats is what an instance uses at one moment.
type Stats struct {
	At          time.Time
	CPUUsec     uint64 // CPU time since its start, in microseconds
	MemoryBytes uint64 // without page cache that can be dropped at once
	MemoryLimit uint64 // bytes
	Pids        int    // processes and threads
}
