package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/cgroup"
	"slipway.dev/slipway/internal/instance/oci/logfile"
)

// Stop ends and removes an instance; see instance.Driver.
func (d *Driver) Stop(ctx context.Context, id string, grace time.Duration) error {
	e := d.entry(id)
	if e == nil {
		return nil
	}
	e.work.Lock() // a Start under way comes to its end first
	i, stopped := e.snapshot()
	e.work.Unlock()
	if stopped || d.entry(id) != e {
		return nil
	}
	if i.State == instance.Running {
		if err := d.end(ctx, e, grace); err != nil {
			return err
		}
	}
	d.cfg.step("ended")
	e.work.Lock()
	defer e.work.Unlock()
	return d.remove(e)
}

// end brings an instance's process to its end: gently, and after grace, or when ctx ends, by force.
func (d *Driver) end(ctx context.Context, e *entry, grace time.Duration) error {
	group := d.layout.Group(d.names.instanceCgroup(e.id))
	if grace > 0 && ctx.Err() == nil {
		d.cfg.step("signalled")
		if d.ask(ctx, e, group, grace) {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	d.signal(e, unix.SIGKILL)
	if err := group.Kill(ctx); err != nil {
		return err
	}
	select {
	case <-e.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop instance %s: its processes are gone, but its shim does not end: %w", e.id, ctx.Err())
	}
}

// askAgain is how often an instance is looked at while it ends.
const askAgain = 100 * time.Millisecond

// ask asks an instance to end and waits until it has; false when it has not within grace. It is thawed again and again: somebody
// else may just have been about to freeze it.
func (d *Driver) ask(ctx context.Context, e *entry, group cgroup.Group, grace time.Duration) bool {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	asked := map[int]bool{}
	for {
		if err := group.Thaw(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Log.Warn("thaw an instance to stop it", "instance_id", e.id, "error", err)
		}
		d.terminate(e, group, asked)
		select {
		case <-e.ended:
			return true
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		case <-again.C:
		}
	}
}

// terminate asks the processes of an instance that were not asked yet. The kernel keeps SIGTERM from the first process of an
// instance when that has no handler for it, as shells and many programs have not; anywhere else the signal would have ended it. What
// it would have done is done here: its children are asked, and when there are none it is ended. A process that was just starting
// when it was asked may have lost the signal by becoming another program, which is why this is looked at again.
func (d *Driver) terminate(e *entry, group cgroup.Group, asked map[int]bool) {
	first := e.run.Init.PID
	if hears(first) != deaf {
		if !asked[first] {
			asked[first] = true
			d.signal(e, unix.SIGTERM)
		}
		return
	}
	rest := others(e, group)
	for _, pid := range rest {
		if !asked[pid] {
			asked[pid] = true
			_ = unix.Kill(pid, unix.SIGTERM) // it may have ended in between
		}
	}
	if len(rest) == 0 {
		d.signal(e, unix.SIGKILL)
	}
}

// others are the processes of an instance but the first.
func others(e *entry, group cgroup.Group) []int {
	return slices.DeleteFunc(group.Procs(), func(pid int) bool { return pid == e.run.Init.PID })
}

// hearing is what a process does about SIGTERM.
type hearing int

const (
	handles hearing = iota // it has a handler, or it cannot be known
	ignores                // it chose to ignore the signal
	deaf                   // it left the default, which does nothing to the first process of an instance
)

// hears reads from /proc what a process does about SIGTERM.
func hears(pid int) hearing {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return handles
	}
	caught, ok1 := signalSet(string(b), "SigCgt:")
	ignored, ok2 := signalSet(string(b), "SigIgn:")
	const term = uint64(1) << (unix.SIGTERM - 1)
	switch {
	case !ok1 || !ok2 || caught&term != 0:
		return handles
	case ignored&term != 0:
		return ignores
	}
	return deaf
}

func signalSet(status, name string) (uint64, bool) {
	_, rest, found := strings.Cut(status, name)
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	return set, found && err == nil
}

// signal reaches the first process of an instance, or nobody.
func (d *Driver) signal(e *entry, s unix.Signal) {
	fd, err := unix.PidfdOpen(e.run.Init.PID, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if e.run.Init.Alive() {
		_ = unix.PidfdSendSignal(fd, s, nil, 0)
	}
}

// remove takes an ended instance away, but for log records nobody has read. The caller holds e.work.
func (d *Driver) remove(e *entry) error {
	id := e.id
	r := e.current()
	if d.entry(id) != e || r.Stopped {
		return nil
	}
	read, err := logfile.AtEnd(d.logDir(id), r.Trimmed)
	if err != nil {
		return err
	}
	if read {
		if err := os.RemoveAll(d.paths.instance(id)); err != nil {
			return fmt.Errorf("remove instance %s: %w", id, err)
		}
		d.forget(id)
		return nil
	}
	return e.update(d.paths.instance(id), func(r *record) { r.Stopped = true })
}

// Sweep stops everything that is not in keep, and what no record tells of; see instance.Driver.
func (d *Driver) Sweep(ctx context.Context, keep []string) error {
	kept := map[string]bool{}
	for _, id := range keep {
		kept[id] = true
	}
	results := make(chan error)
	waiting := 0
	for _, e := range d.all() {
		if id := e.id; !kept[id] {
			waiting++
			go func() { results <- d.Stop(ctx, id, 0) }()
		}
	}
	var errs []error
	for range waiting {
		errs = append(errs, <-results)
	}
	return errors.Join(append(errs, d.sweepUnknown(ctx))...)
}
