package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
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
		d.signal(e, unix.SIGTERM)
		d.cfg.step("signalled")
		if err := group.Thaw(ctx); err != nil {
			d.cfg.Log.Warn("thaw an instance to stop it", "instance_id", e.id, "error", err)
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-e.ended:
			return nil
		case <-timer.C:
		case <-ctx.Done():
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
