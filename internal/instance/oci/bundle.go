package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance/oci/cgroup"
)

const (
	defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	maxFiles    = 65536  // open files of one process, where the host's own limit allows it
	cpuPeriod   = 100000 // microseconds
)

// container is one process to run in a sandbox.
type container struct {
	id        string
	args, env []string
	dir       string
	user      identity
	caps      []string
	hostname  string
	cpu       int
	memoryMiB int
	pids      int
	mounts    []string // paths inside of the sandbox's mounts, by number
	endOnOOM  bool
}

// configure turns a container into an OCI runtime configuration.
func configure(c container, b *sandbox, group string, layout cgroup.Layout) (*specs.Spec, error) {
	s := &specs.Spec{
		Version:  "1.0.2",
		Hostname: c.hostname,
		Root:     &specs.Root{Path: b.root()},
		Process:  process(c),
		Mounts:   mounts(c, b),
		Linux: &specs.Linux{
			Namespaces:    namespaces(b.mapped),
			CgroupsPath:   group,
			Resources:     resources(c, layout),
			MaskedPaths:   maskedPaths,
			ReadonlyPaths: readonlyPaths,
			// No capability is needed for port 80: images listen there.
			Sysctl: map[string]string{
				"net.ipv4.ip_unprivileged_port_start": "0",
				// Instances have no IPv6 address; without this the kernel would give the interface one of its own.
				"net.ipv6.conf.default.disable_ipv6": "1",
			},
		},
	}
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		delete(s.Linux.Sysctl, "net.ipv6.conf.default.disable_ipv6")
	}
	if b.mapped {
		mapping := []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(b.base), Size: idRange}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = mapping, mapping
	}
	profile, err := seccomp.GetDefaultProfile(s)
	if err != nil {
		return nil, fmt.Errorf("make the seccomp profile: %w", err)
	}
	s.Linux.Seccomp = profile
	return s, nil
}

func process(c container) *specs.Process {
	p := &specs.Process{
		Args:            c.args,
		Env:             environment(c),
		Cwd:             filepath.Join("/", c.dir),
		NoNewPrivileges: true,
		User:            specs.User{UID: uint32(c.user.uid), GID: uint32(c.user.gid)},
		Capabilities:    &specs.LinuxCapabilities{},
		Rlimits:         rlimits(),
		OOMScoreAdj:     oomScore(),
	}
	for _, g := range c.user.groups {
		p.User.AdditionalGids = append(p.User.AdditionalGids, uint32(g))
	}
	for _, name := range c.caps {
		p.Capabilities.Bounding = append(p.Capabilities.Bounding, "CAP_"+name)
	}
	p.Capabilities.Permitted = p.Capabilities.Bounding
	if c.user.uid == 0 {
		p.Capabilities.Effective = p.Capabilities.Bounding
	}
	return p
}

// environment adds what programs rely on and the image did not set.
func environment(c container) []string {
	env := slices.Clone(c.env)
	has := func(name string) bool {
		return slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	}
	if !has("PATH") {
		env = append(env, defaultPath)
	}
	if !has("HOME") {
		env = append(env, "HOME="+c.user.home)
	}
	if !has("HOSTNAME") {
		env = append(env, "HOSTNAME="+c.hostname)
	}
	return env
}

// rlimits never ask for more than this process has: raising a hard limit needs a capability the host may withhold.
func rlimits() []specs.POSIXRlimit {
	var own unix.Rlimit
	files := uint64(1024)
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &own) == nil {
		files = min(own.Max, maxFiles)
	}
	return []specs.POSIXRlimit{
		{Type: "RLIMIT_NOFILE", Soft: files, Hard: files},
		{Type: "RLIMIT_CORE"},
	}
}

// oomScore makes instances go before the platform when the machine itself runs out of memory. The score is only ever raised:
// lowering it needs a capability.
func oomScore() *int {
	own := 0
	if b, err := os.ReadFile("/proc/self/oom_score_adj"); err == nil {
		_, _ = fmt.Sscan(string(b), &own)
	}
	score := min(max(own, 0)+100, 1000)
	return &score
}

func namespaces(mapped bool) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{
		{Type: specs.PIDNamespace},
		{Type: specs.MountNamespace},
		{Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace},
		{Type: specs.CgroupNamespace},
		{Type: specs.NetworkNamespace},
	}
	if mapped {
		list = append(list, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	return list
}

func resources(c container, layout cgroup.Layout) *specs.LinuxResources {
	r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	if layout.Has("cpu") {
		quota, period := int64(c.cpu)*cpuPeriod/1024, uint64(cpuPeriod)
		shares := max(uint64(c.cpu), 2)
		r.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period, Shares: &shares}
	}
	if layout.Has("memory") {
		limit := int64(c.memoryMiB) << 20
		r.Memory = &specs.LinuxMemory{Limit: &limit}
		if layout.SwapLimit() {
			r.Memory.Swap = &limit // memory and swap together: none of it may be swap
		}
		if layout.V2() && c.endOnOOM {
			r.Unified = map[string]string{"memory.oom.group": "1"}
		}
	}
	if layout.Has("pids") {
		limit := int64(c.pids)
		r.Pids = &specs.LinuxPids{Limit: &limit}
	}
	return r
}

// mounts are what a program may expect to find, and no more.
func mounts(c container, b *sandbox) []specs.Mount {
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		// Language runtimes size their heaps and thread pools by what they read here.
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
	}
	for _, name := range etcFiles {
		list = append(list, specs.Mount{Destination: "/etc/" + name, Type: "bind", Source: b.path("disk", "etc", name), Options: []string{"bind", "nosuid", "noexec", "nodev"}})
	}
	for i, inside := range c.mounts {
		list = append(list, specs.Mount{Destination: inside, Type: "bind", Source: b.mountPath(i), Options: []string{"bind", "nosuid", "nodev"}})
	}
	return list
}

var maskedPaths = []string{
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
	"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
}

var readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

// writeBundle writes the configuration where the runtime looks for it.
func writeBundle(dir string, s *specs.Spec) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), b, 0o600); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// configFile is where the runtime looks for the configuration.
const configFile = "config.json"

// forgetConfiguration removes the configuration from a bundle whose container is made: its environment may hold secrets, and nothing
// reads it again.
func forgetConfiguration(dir string) error {
	if err := os.Remove(filepath.Join(dir, configFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("clear bundle: %w", err)
	}
	return nil
}
