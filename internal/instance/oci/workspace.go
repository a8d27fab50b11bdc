package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/shim"
)

// buildCapabilities are what Docker gives by default, which package managers count on, without NET_RAW: with it a build could
// send packets in the name of another address.
var buildCapabilities = []string{
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
	"SYS_CHROOT", "KILL", "AUDIT_WRITE",
}

// workspace is a sandbox whose mount namespace is held by this process alone: when the driver dies its file systems go, and the
// next driver ends what was running in it.
type workspace struct {
	driver  *Driver
	spec    instance.WorkspaceSpec
	address netip.Addr
	dir     string

	mu    sync.Mutex // one command or copy at a time
	ns    *os.File   // nil when closed
	box   *sandbox
	root  *tree    // what commands see
	upper *os.File // what they changed
}

// OpenWorkspace prepares a sandbox for commands; see instance.Builder.
func (d *Driver) OpenWorkspace(ctx context.Context, spec instance.WorkspaceSpec) (instance.Workspace, error) {
	spec.DiskMiB = defaultTo(spec.DiskMiB, instance.DefaultDiskMiB)
	spec.PidsMax = defaultTo(spec.PidsMax, 4*instance.DefaultPidsMax)
	if !validID.MatchString(spec.ID) || spec.CPU < instance.MinCPU || spec.MemoryMiB < instance.MinMemoryMiB {
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "workspace %q: bad id or limits", spec.ID)
	}
	if err := checkRootfs(spec.Rootfs); err != nil {
		return nil, err
	}
	w := &workspace{driver: d, spec: spec, dir: d.paths.workspace(spec.ID)}
	if err := d.register(w); err != nil {
		return nil, err
	}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open workspace: %w", err), w.Close())
	}
	return w, nil
}

// register gives a workspace an address and makes it known before anything of it exists.
func (d *Driver) register(w *workspace) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.workspaces[w.spec.ID] != nil || d.entries[w.spec.ID] != nil {
		return fmt.Errorf("workspace %s is open already", w.spec.ID)
	}
	address, err := d.takeAddress()
	if err != nil {
		return err
	}
	w.address = address
	d.workspaces[w.spec.ID] = w
	return nil
}

func (w *workspace) open(ctx context.Context) error {
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		return err
	}
	s := w.driver.sandboxSpec(w.address, w.dir, w.spec.Rootfs, w.spec.Files, hostname(w.spec.ID))
	s.mounts = w.spec.Mounts
	for _, m := range w.spec.Mounts {
		s.inUse = append(s.inUse, m.HostDir)
	}
	if err := w.driver.makeDisk(ctx, &s, w.dir, w.spec.DiskMiB); err != nil {
		return err
	}
	return hostnet.OnOwnThread(func() error {
		if err := leaveMounts(); err != nil {
			return err
		}
		var err error
		if w.ns, err = currentMounts(); err != nil {
			return err
		}
		if w.box, err = prepareSandbox(s); err != nil {
			return err
		}
		if w.root, err = openTree(w.box.root(), w.box.base); err != nil {
			return err
		}
		w.upper, err = os.Open(w.box.path("disk", "upper"))
		return err
	})
}

// Close removes everything; see instance.Workspace.
func (w *workspace) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.driver == nil {
		return nil
	}
	d := w.driver
	if w.root != nil {
		_ = w.root.Close()
	}
	_ = w.upper.Close() // a nil file says so and does nothing
	_ = w.ns.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := d.releaseKernel(ctx, w.spec.ID, w.address)
	err = errors.Join(err, os.RemoveAll(w.dir))
	d.mu.Lock()
	delete(d.workspaces, w.spec.ID)
	d.mu.Unlock()
	w.driver = nil
	return err
}

var errClosed = errors.New("the workspace is closed")

// Exec runs a command; see instance.Workspace.
func (w *workspace) Exec(ctx context.Context, cmd instance.Command) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.driver == nil {
		return 0, errClosed
	}
	if len(cmd.Args) == 0 {
		return 0, apprunner.Errorf(apprunner.CodeInvalidRequest, "no command given")
	}
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard
	}
	read, write, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("run command: %w", err)
	}
	defer read.Close()
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(cmd.Stdout, read)
		copied <- err
	}()
	reply, err := w.run(ctx, cmd, write)
	write.Close()
	if copyErr := <-copied; err == nil && copyErr != nil {
		err = fmt.Errorf("pass the command's output on: %w", copyErr)
	}
	if err != nil {
		return 0, err
	}
	if reply.OOM > 0 {
		fmt.Fprintf(cmd.Stdout, "out of memory: the command needed more than its limit of %d MiB, and the kernel ended a process\n", w.spec.MemoryMiB)
	}
	return reply.Exit.Code, nil
}

// run runs a command in a container of its own over the workspace's files.
func (w *workspace) run(ctx context.Context, cmd instance.Command, output *os.File) (shim.Reply, error) {
	d, id := w.driver, w.spec.ID
	who, err := lookupUser(w.root, cmd.User)
	if err != nil {
		return shim.Reply{}, err
	}
	if err := output.Chown(w.box.base+who.uid, w.box.base+who.gid); err != nil {
		return shim.Reply{}, fmt.Errorf("run command: %w", err)
	}
	var k *keeper
	err = hostnet.OnOwnThread(func() error {
		if err := enterMounts(w.ns); err != nil {
			return err
		}
		k, err = startKeeper(d.cfg.ShimCommand, id, output)
		return err
	})
	if err != nil {
		return shim.Reply{}, err
	}
	reply, err := w.converse(ctx, k, cmd, who)
	k.dismiss() // ends the command if it has not ended
	release, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return reply, errors.Join(err, d.releaseKernel(release, id, w.address), os.RemoveAll(filepath.Join(w.dir, bundleDir)))
}

// converse leads a shim through one command.
func (w *workspace) converse(ctx context.Context, k *keeper, cmd instance.Command, who identity) (shim.Reply, error) {
	d, id := w.driver, w.spec.ID
	c := container{
		id: id, args: cmd.Args, env: cmd.Env, dir: cmd.Dir, user: who, caps: buildCapabilities, hostname: hostname(id),
		cpu: w.spec.CPU, memoryMiB: w.spec.MemoryMiB, pids: w.spec.PidsMax,
	}
	for _, m := range w.spec.Mounts {
		c.mounts = append(c.mounts, m.Path)
	}
	config, err := configure(c, w.box, d.names.instanceCgroup(id), d.layout)
	if err != nil {
		return shim.Reply{}, err
	}
	if err := writeBundle(filepath.Join(w.dir, bundleDir), config); err != nil {
		return shim.Reply{}, err
	}
	if err := d.layout.Group(d.names.shimCgroup(id)).Enter(k.process.Pid); err != nil {
		return shim.Reply{}, err // without it the next driver could not find a command that this one left behind
	}
	pid, err := d.create(ctx, k, c, w.box, w.dir, true)
	if err != nil {
		return shim.Reply{}, err
	}
	if err := d.connect(id, w.address, instance.EgressBuild, instance.Uplink{}, pid); err != nil {
		return shim.Reply{}, err
	}
	if _, err := k.order(ctx, shim.Order{Start: true}); err != nil {
		return shim.Reply{}, err
	}
	reply, err := k.reply(ctx)
	if err == nil && reply.Exit == nil {
		err = errors.New("the shim did not tell how the command ended")
	}
	return reply, err
}

// diskFull names the cause when a workspace's disk is full.
func (w *workspace) diskFull(err error) error {
	if errors.Is(err, unix.ENOSPC) {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the build's disk of %d MiB is full: %w", w.spec.DiskMiB, err)
	}
	return err
}
