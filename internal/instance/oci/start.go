package oci

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/shim"
)

var validID = pattern.Of(`^[0-9a-f]{32}$`)

// Start runs an instance; see instance.Driver.
func (d *Driver) Start(ctx context.Context, spec instance.Spec) (instance.Instance, error) {
	spec, err := complete(spec)
	if err != nil {
		return instance.Instance{}, err
	}
	for {
		e, made, err := d.reserve(spec.ID)
		if err != nil {
			return instance.Instance{}, err
		}
		e.work.Lock()
		if d.entry(spec.ID) != e { // removed while this call waited
			e.work.Unlock()
			continue
		}
		if made || !e.begun() {
			err = d.start(ctx, e, spec)
		}
		i, _ := e.snapshot()
		e.work.Unlock()
		if err != nil {
			return instance.Instance{}, err
		}
		return i, nil
	}
}

// begun tells whether the instance came to run at any time.
func (e *entry) begun() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.run.StartedAt.IsZero() || e.exit != nil || e.record.Stopped
}

// complete checks a spec and fills in what may be left out.
func complete(s instance.Spec) (instance.Spec, error) {
	invalid := func(format string, args ...any) (instance.Spec, error) {
		return s, apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
	}
	s.DiskMiB = defaultTo(s.DiskMiB, instance.DefaultDiskMiB)
	s.PidsMax = defaultTo(s.PidsMax, instance.DefaultPidsMax)
	if s.Egress == "" {
		s.Egress = instance.EgressPublic
	}
	switch {
	case !validID.MatchString(s.ID):
		return invalid("instance id %q is not 32 hex digits", s.ID)
	case len(s.Args) == 0 || s.Args[0] == "":
		return invalid("the image has no start command: set one, or an ENTRYPOINT or CMD in the image")
	case s.CPU < instance.MinCPU || s.MemoryMiB < instance.MinMemoryMiB || s.DiskMiB < 16 || s.PidsMax < 1:
		return invalid("instance limits are too small: CPU %d, memory %d MiB, disk %d MiB, processes %d", s.CPU, s.MemoryMiB, s.DiskMiB, s.PidsMax)
	}
	if err := checkEgress(s); err != nil {
		return s, err
	}
	return s, checkRootfs(s.Rootfs)
}

func checkEgress(s instance.Spec) error {
	known := []instance.Egress{instance.EgressPublic, instance.EgressBuild, instance.EgressUplink}
	switch uplink := s.Egress == instance.EgressUplink; {
	case !slices.Contains(known, s.Egress):
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "egress %q is none of %q", s.Egress, known)
	case uplink != filepath.IsAbs(s.Uplink.Namespace):
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "uplink %q does not fit egress %q: it is an absolute path with %q and empty otherwise", s.Uplink.Namespace, s.Egress, instance.EgressUplink)
	}
	return nil
}

func checkRootfs(r instance.Rootfs) error {
	if len(r.Layers) == 0 {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the image has no layers")
	}
	for _, layer := range r.Layers {
		if info, err := os.Stat(layer); err != nil || !info.IsDir() || !filepath.IsAbs(layer) {
			return apprunner.Errorf(apprunner.CodeInternal, "image layer %s is not an unpacked directory", layer)
		}
	}
	return nil
}

func defaultTo(value, def int) int {
	if value == 0 {
		return def
	}
	return value
}

// start makes and runs the instance of a new entry; on failure nothing is left of either. The caller holds e.work.
func (d *Driver) start(ctx context.Context, e *entry, spec instance.Spec) error {
	err := ctx.Err()
	if err == nil {
		err = d.launch(ctx, e, spec)
	}
	if err == nil {
		return nil
	}
	wipeErr := d.wipe(spec.ID, e.address)
	d.forget(spec.ID)
	close(e.ended)
	if errors.Is(err, unix.ENOSPC) {
		err = apprunner.Errorf(apprunner.CodeInternal, "this machine's disk is full: %w", err).
			WithHint("Make room below the data directory, then deploy again.")
	}
	if wipeErr != nil {
		return errors.Join(err, wipeErr)
	}
	return err
}

func (d *Driver) launch(ctx context.Context, e *entry, spec instance.Spec) error {
	dir := d.paths.instance(spec.ID)
	up, err := uplinkID(spec)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("start instance: %w", err)
	}
	err = e.update(dir, func(r *record) {
		r.ServiceARN, r.DeploymentID, r.Uplink, r.UplinkID = spec.ServiceARN, spec.DeploymentID, spec.Uplink.Namespace, up
		r.Egress, r.MemoryMiB, r.CreatedAt = spec.Egress, spec.MemoryMiB, time.Now().UTC()
	})
	if err != nil {
		return err
	}
	d.cfg.step("recorded")
	k, box, who, err := d.house(ctx, e, spec)
	if err != nil {
		return err
	}
	d.cfg.step("housed")
	if err := d.execute(ctx, e, spec, k, box, who); err != nil {
		k.dismiss()
		return err
	}
	k.release()
	return nil
}

// house prepares the instance's file systems in a mount namespace that from then on belongs to its shim alone.
func (d *Driver) house(ctx context.Context, e *entry, spec instance.Spec) (k *keeper, box *sandbox, who identity, err error) {
	dir := d.paths.instance(spec.ID)
	s := d.sandboxSpec(e.address, dir, spec.Rootfs, spec.Files, hostname(spec.ID))
	if spec.Egress == instance.EgressUplink {
		s.etc["resolv.conf"] = uplinkResolvConf(spec.Uplink.Resolver)
	}
	if err := d.makeDisk(ctx, &s, dir, spec.DiskMiB); err != nil {
		return nil, nil, who, err
	}
	err = hostnet.OnOwnThread(func() error {
		if err := leaveMounts(); err != nil {
			return err
		}
		// The shim comes up while the file systems are prepared; it waits for its first order.
		if k, err = startKeeper(d.cfg.ShimCommand, spec.ID, nil); err != nil {
			return err
		}
		if box, err = prepareSandbox(s); err != nil {
			return err
		}
		root, err := openTree(box.root(), box.base)
		if err != nil {
			return err
		}
		defer root.Close()
		who, err = lookupUser(root, spec.User)
		return err
	})
	if err != nil && k != nil {
		k.dismiss()
	}
	return k, box, who, err
}

// sandboxSpec is what instances and workspaces have in common.
func (d *Driver) sandboxSpec(a netip.Addr, dir string, rootfs instance.Rootfs, files map[string][]byte, host string) sandboxSpec {
	s := sandboxSpec{
		layers: rootfs.Layers, files: files, mapped: d.mapped,
		inUse: append([]string{d.cfg.Dir, d.cfg.Runtime}, d.cfg.ShimCommand[0]),
		etc: map[string][]byte{
			"hosts":       hostsFile(host, a),
			"hostname":    []byte(host + "\n"),
			"resolv.conf": resolvConf(gateway(d.net.subnet), hostnet.Nameservers(d.cfg.ResolvConf)),
		},
	}
	if d.mapped {
		s.base = idBase(d.cfg.Pool, a)
	}
	s.scratch = filepath.Join(dir, scratchDir)
	if filepath.Base(d.cfg.Runtime) == "crun" && d.layout.Unified != "" && !d.layout.V2() {
		s.hide = d.layout.Unified // crun refuses the mixed layout when it sees it
	}
	return s
}

// makeDisk makes the writable part: an image of limited size, or, on a machine that cannot mount one, a plain directory.
func (d *Driver) makeDisk(ctx context.Context, s *sandboxSpec, dir string, sizeMiB int) error {
	if d.limits {
		s.image = filepath.Join(dir, imageFile)
		return d.disks.create(ctx, s.image, sizeMiB)
	}
	if err := os.Mkdir(s.scratch, 0o711); err != nil {
		return fmt.Errorf("make a disk: %w", err)
	}
	return nil
}

func hostname(id string) string { return id[:12] }

// execute lets the shim make the container, connects it, and lets it run.
func (d *Driver) execute(ctx context.Context, e *entry, spec instance.Spec, k *keeper, box *sandbox, who identity) error {
	c := container{
		id: spec.ID, args: spec.Args, env: spec.Env, dir: spec.Dir, user: who, caps: spec.Capabilities,
		hostname: hostname(spec.ID), cpu: spec.CPU, memoryMiB: spec.MemoryMiB, pids: spec.PidsMax, endOnOOM: true,
	}
	dir := d.paths.instance(spec.ID)
	config, err := configure(c, box, d.names.instanceCgroup(spec.ID), d.layout)
	if err != nil {
		return err
	}
	if err := writeBundle(filepath.Join(dir, bundleDir), config); err != nil {
		return err
	}
	if err := d.introduce(e, k, dir); err != nil {
		return err
	}
	d.cfg.step("introduced")
	pid, err := d.create(ctx, k, c, box, dir, false)
	if err := errors.Join(err, forgetConfiguration(filepath.Join(dir, bundleDir))); err != nil {
		return err
	}
	d.cfg.step("created")
	if err := d.connect(spec.ID, e.address, spec.Egress, spec.Uplink, pid); err != nil {
		return err
	}
	d.cfg.step("connected")
	if _, err := k.order(ctx, shim.Order{Start: true}); err != nil {
		return err
	}
	d.cfg.step("started")
	return d.observe(e)
}

// introduce puts the shim on record and in its group; only then may it be given orders, so no shim that did anything is unknown.
func (d *Driver) introduce(e *entry, k *keeper, dir string) error {
	who, err := shim.Identify(k.process.Pid)
	if err != nil {
		return fmt.Errorf("start shim: %w", err)
	}
	if err := d.layout.Group(d.names.shimCgroup(e.id)).Enter(who.PID); err != nil {
		d.cfg.Log.Warn("shim stays in the control plane's control group", "instance_id", e.id, "error", err)
	}
	return e.update(dir, func(r *record) { r.Shim = who })
}

// create lets the shim make a container and returns the process id of its first process, which waits.
func (d *Driver) create(ctx context.Context, k *keeper, c container, box *sandbox, dir string, attached bool) (int, error) {
	reply, err := k.order(ctx, shim.Order{Create: &shim.Create{
		ID: c.id, Dir: dir, Runtime: d.cfg.Runtime, RuntimeRoot: d.paths.runtimeRoot(), Bundle: filepath.Join(dir, bundleDir),
		Cgroup: d.names.instanceCgroup(c.id), MemoryMiB: c.memoryMiB, LogLimit: d.cfg.LogLimit,
		UID: box.base + c.user.uid, GID: box.base + c.user.gid, Attached: attached, EndOnOOM: c.endOnOOM,
	}})
	return reply.PID, err
}

// connect brings a container's network up.
func (d *Driver) connect(id string, a netip.Addr, egress instance.Egress, up instance.Uplink, pid int) error {
	if set := d.net.rules.setOf(egress); set != nil { // before there is anything to hold
		if err := d.net.rules.change(set, a, true); err != nil {
			return err
		}
	}
	if err := d.net.attach(id, pid, a); err != nil {
		return err
	}
	if egress == instance.EgressUplink {
		return d.net.enclose(id, pid, a, up.Namespace)
	}
	return nil
}

// observe takes up what the shim recorded and waits for the end.
func (d *Driver) observe(e *entry) error {
	dir := d.paths.instance(e.id)
	run, err := shim.ReadRun(dir)
	if err != nil {
		return fmt.Errorf("read what the shim recorded: %w", err)
	}
	e.mu.Lock()
	e.run = run
	e.mu.Unlock()
	d.followers.Go(func() { d.follow(e) })
	return nil
}

// follow waits until the shim has gone, which is when all about the end is recorded, and releases what the instance held. When
// the driver is closed before, that is left to the next one.
func (d *Driver) follow(e *entry) {
	if gone, err := watchProcess(e.run.Shim); err == nil {
		select {
		case <-gone:
		case <-d.closed:
			return
		}
	}
	d.conclude(e)
}

// conclude records the end of an instance whose shim has gone and releases all but its record and its log.
func (d *Driver) conclude(e *entry) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dir := d.paths.instance(e.id)
	exit, err := shim.ReadExit(dir)
	if err != nil { // the shim was killed; what it kept is worth nothing without it
		exit = instance.Exit{
			Code: 137, Signal: "SIGKILL", MemoryMiB: e.current().MemoryMiB, At: time.Now().UTC(),
			Reason: "was ended because the process that supervised it died unexpectedly",
		}
		if e.run.Shim.BeforeBoot() {
			exit.Reason = "was ended by a restart of this machine"
		}
		err = d.layout.Group(d.names.instanceCgroup(e.id)).Kill(ctx)
		err = errors.Join(err, shim.WriteExit(dir, exit))
	}
	address := e.address
	if e.current().Stopped {
		address = netip.Addr{} // it was released before this driver came; another instance may have it by now
	}
	if err = errors.Join(err, d.releaseKernel(ctx, e.id, address), d.releaseFiles(e.id)); err != nil {
		d.cfg.Log.Error("release an ended instance", "instance_id", e.id, "error", err)
	}
	e.mu.Lock()
	e.exit = &exit
	e.mu.Unlock()
	close(e.ended)
}

// releaseKernel removes what the kernel and the runtime hold for an id. It may be repeated.
func (d *Driver) releaseKernel(ctx context.Context, id string, a netip.Addr) error {
	var errs []error
	for _, path := range []string{d.names.shimCgroup(id), d.names.instanceCgroup(id)} {
		group := d.layout.Group(path)
		if group.Exists() {
			errs = append(errs, group.Kill(ctx), group.Remove(ctx))
		}
	}
	errs = append(errs, os.RemoveAll(filepath.Join(d.paths.runtimeRoot(), id)))
	if a.IsValid() {
		errs = append(errs, d.net.detach(id, a), d.net.rules.release(a))
	}
	return errors.Join(errs...)
}

// releaseFiles removes an ended instance's files but its record, its exit and its log.
func (d *Driver) releaseFiles(id string) error {
	keep := []string{recordFile, shim.RunFile, shim.ExitFile, shim.LogDir}
	dir := d.paths.instance(id)
	names, err := subdirs(dir)
	errs := []error{err}
	for _, name := range names {
		if !slices.Contains(keep, name) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}

// wipe removes every trace of an id.
func (d *Driver) wipe(id string, a netip.Addr) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := d.releaseKernel(ctx, id, a)
	return errors.Join(err, os.RemoveAll(d.paths.instance(id)))
}
