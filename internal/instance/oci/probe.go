package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/cgroup"
)

// abilities are what this machine can do for a sandbox; nil means yes.
type abilities struct {
	disk   error // mount a file system of limited size
	mapped error // run in a user namespace over id-mapped layers
}

// probeAbilities tries instead of asking for versions: what matters is whether it works here, on this file system.
func probeAbilities(ctx context.Context, d *disks, p paths) abilities {
	dir := filepath.Join(p.root, "run", "probe")
	if err := os.RemoveAll(dir); err != nil { // of a probe that was killed
		return abilities{err, err}
	}
	defer os.RemoveAll(dir)
	layer, scratch := filepath.Join(dir, "layers", "0"), filepath.Join(dir, scratchDir)
	if err := errors.Join(os.MkdirAll(layer, 0o755), os.Mkdir(scratch, 0o711)); err != nil {
		return abilities{err, err}
	}
	spec := sandboxSpec{layers: []string{layer}, inUse: []string{p.root}}
	var a abilities
	image := filepath.Join(dir, imageFile)
	if a.disk = d.create(ctx, image, 16); a.disk == nil {
		limited := spec
		limited.image = image
		a.disk = trySandbox(limited)
	}
	shifted := spec
	shifted.scratch, shifted.mapped, shifted.base = scratch, true, uidFirst
	a.mapped = trySandbox(shifted)
	return a
}

// trySandbox prepares a sandbox and lets it go with its thread.
func trySandbox(s sandboxSpec) error {
	return hostnet.OnOwnThread(func() error {
		if err := leaveMounts(); err != nil {
			return err
		}
		_, err := prepareSandbox(s)
		return err
	})
}

// essential refuses a machine on which instances could not be held within their limits or kept from the kernel.
func essential(c Config, layout cgroup.Layout) error {
	if os.Geteuid() != 0 {
		return errors.New("instances need root: their namespaces, control groups and interfaces are made by it")
	}
	if err := seccompAvailable(); err != nil {
		return err
	}
	for _, controller := range []string{"cpu", "memory", "pids"} {
		if !layout.Has(controller) && !c.AllowUnlimited {
			return fmt.Errorf("this machine has no %s control group controller (%s), so instances could not be limited; allow unlimited instances to start all the same", controller, layout)
		}
	}
	return nil
}

func seccompAvailable() error {
	if _, err := os.Stat("/proc/sys/kernel/seccomp/actions_avail"); err != nil {
		return errors.New("the kernel was built without seccomp filters, which keep instances from most of it")
	}
	return nil
}

// Probe examines the machine; it needs no driver and changes nothing that outlives it. c may be incomplete: only Dir and Runtime
// are looked at.
func Probe(ctx context.Context, c Config) []instance.Finding {
	var list []instance.Finding
	add := func(name, good string, err error, degrades string) {
		f := instance.Finding{Name: name, OK: err == nil, Detail: good, Degrades: degrades}
		if err != nil {
			f.Detail = err.Error()
		}
		list = append(list, f)
	}
	var rootErr error
	if os.Geteuid() != 0 {
		rootErr = errors.New("not root: run slipway as root")
	}
	add("root", "yes", rootErr, "")
	version, err := runtimeVersion(ctx, c.Runtime)
	add("OCI runtime", version, err, "")
	layout, err := cgroup.Detect()
	add("control groups", layout.String(), err, "")
	for _, controller := range []string{"cpu", "memory", "pids"} {
		add("limit of "+controller, "enforced", controllerErr(layout, controller), "")
	}
	add("freezer", "available", freezerErr(layout), "idle instances are not frozen and keep using some CPU")
	add("seccomp", "available", seccompAvailable(), "")
	disk, mapped := probeSandbox(ctx, c.Dir)
	add("user namespaces over id-mapped layers", "available", mapped, "instances run as the host's root user, held by capabilities and seccomp alone; do not run code of people you do not trust")
	add("disks of limited size", "available", disk, "an instance can fill the disk of this machine")
	add("bridge, veth and nftables", "available", probeNetwork(), "")
	add("forwarded packets", "not dropped by another firewall", foreignDrop(), "instances may not reach the internet")
	add("open files", "enough", filesErr(), "applications get fewer open files than they may expect")
	return list
}

// Probe examines the machine this driver runs on.
func (d *Driver) Probe(ctx context.Context) []instance.Finding { return Probe(ctx, d.cfg) }

func runtimeVersion(ctx context.Context, name string) (string, error) {
	c, err := Config{Runtime: name}.findPrograms()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, c.Runtime, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", c.Runtime, err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return first + " (" + c.Runtime + ")", nil
}

func controllerErr(l cgroup.Layout, controller string) error {
	if l.Has(controller) {
		return nil
	}
	return fmt.Errorf("no %s controller; start the kernel with cgroup_enable=%s, or mount control groups", controller, controller)
}

func freezerErr(l cgroup.Layout) error {
	if l.V1["freezer"] == "" && l.Unified == "" {
		return errors.New("no freezer")
	}
	return nil
}

func probeSandbox(ctx context.Context, dir string) (disk, mapped error) {
	if dir == "" {
		dir = os.TempDir()
	}
	tmp, err := os.MkdirTemp(dir, ".slipway-probe-")
	if err != nil {
		return err, err
	}
	defer os.RemoveAll(tmp)
	if err := os.Mkdir(filepath.Join(tmp, "run"), 0o700); err != nil {
		return err, err
	}
	p := paths{tmp}
	a := probeAbilities(ctx, &disks{dir: p.templates()}, p)
	return a.disk, a.mapped
}

// probeNetwork makes the interfaces and the firewall of an installation in a network namespace that goes at once.
func probeNetwork() error {
	return hostnet.OnOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "probe0"}}
		if err := netlink.LinkAdd(bridge); err != nil {
			return fmt.Errorf("make a bridge: %w", err)
		}
		veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "probe1", MasterIndex: bridge.Index}, PeerName: "probe2"}
		if err := netlink.LinkAdd(veth); err != nil {
			return fmt.Errorf("make a veth pair: %w", err)
		}
		if err := netlink.LinkSetIsolated(veth, true); err != nil {
			return fmt.Errorf("isolate a bridge port: %w", err)
		}
		return newFirewall(namesFor("probe"), defaultPool, defaultPool, nil, nil).load(nil)
	})
}

// foreignDrop looks for forward chains of others that drop by default, as Docker and ufw make them.
func foreignDrop() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("list firewall chains: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return fmt.Errorf("list firewall chains: %w", err)
	}
	for _, c := range chains {
		drops := c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
		if drops && c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookForward {
			return fmt.Errorf("chain %s of table %s drops forwarded packets by default; let those from and to interfaces sw-* pass", c.Name, c.Table.Name)
		}
	}
	return nil
}

func filesErr() error {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		return err
	}
	if own.Max < maxFiles {
		return fmt.Errorf("the hard limit of open files is %d; %d would be better (ulimit -Hn)", own.Max, maxFiles)
	}
	return nil
}
