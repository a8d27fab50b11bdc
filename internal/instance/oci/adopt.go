package oci

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/shim"
)

// adopt finds the instances of the data directory and takes them up where the last driver left them.
func (d *Driver) adopt() error {
	ids, err := subdirs(d.paths.instances())
	if err != nil {
		return err
	}
	for _, id := range ids {
		dir := d.paths.instance(id)
		r, err := readRecord(dir)
		if err != nil || !validID.MatchString(id) {
			// The record is written before anything is made: nothing but this directory is there.
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			continue
		}
		if err := d.adoptOne(r); err != nil {
			return err
		}
	}
	return d.net.rules.load(d.byEgress())
}

// byEgress are the addresses in use, by what they may reach.
func (d *Driver) byEgress() map[instance.Egress][]netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	who := map[instance.Egress][]netip.Addr{}
	for _, e := range d.entries {
		if i, _ := e.snapshot(); i.State != instance.Exited {
			egress := e.current().Egress
			who[egress] = append(who[egress], e.address)
		}
	}
	for _, w := range d.workspaces {
		who[instance.EgressBuild] = append(who[instance.EgressBuild], w.address)
	}
	return who
}

// adoptOne takes up one instance, or removes what there is of it.
func (d *Driver) adoptOne(r record) error {
	dir := d.paths.instance(r.ID)
	e := newEntry(r)
	run, runErr := shim.ReadRun(dir)
	_, exitErr := shim.ReadExit(dir)
	switch {
	case r.Stopped || exitErr == nil || runErr == nil && !run.StartedAt.IsZero():
		// It ran, so it stays, whatever became of it meanwhile.
	default:
		// The last driver was killed within Start. The shim takes back what it made; it is not waited for but made sure of.
		if r.Shim.Alive() {
			_ = unix.Kill(r.Shim.PID, unix.SIGKILL)
		}
		return d.wipe(r.ID, r.Address)
	}
	e.run = run
	d.mu.Lock()
	d.entries[r.ID] = e
	d.mu.Unlock()
	if exitErr == nil || !run.Shim.Alive() {
		d.conclude(e)
		return nil
	}
	d.followers.Go(func() { d.follow(e) })
	return nil
}

// sweepUnknown removes what carries this installation's names on the machine and belongs to no record: what was made by a driver
// that lost its data directory, and workspaces, which end with their driver. Reality is listed before the records are: what a
// Start under way makes meanwhile was on record earlier.
func (d *Driver) sweepUnknown(ctx context.Context) error {
	groups := d.layout.Children(d.names.cgroup())
	var dirs []string
	for _, dir := range []string{d.paths.runtimeRoot(), d.paths.workspaces(), d.paths.instances()} {
		ids, err := subdirs(dir)
		if err != nil {
			return err
		}
		for _, id := range ids {
			dirs = append(dirs, filepath.Join(dir, id))
		}
	}
	ports, err := d.net.ports()
	if err != nil {
		return err
	}
	addresses, err := d.net.addresses()
	if err != nil {
		return err
	}
	known := d.known()
	var errs []error
	for _, child := range groups {
		if _, ok := known[strings.TrimPrefix(child, "shim-")]; !ok {
			group := d.layout.Group(d.names.instanceCgroup(child))
			errs = append(errs, group.Kill(ctx), group.Remove(ctx))
		}
	}
	for _, dir := range dirs {
		if _, ok := known[filepath.Base(dir)]; !ok {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(append(errs, d.net.sweep(ports, addresses, known))...)
}

// known are all ids that are in use, with their addresses.
func (d *Driver) known() map[string]netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := map[string]netip.Addr{}
	for id, e := range d.entries {
		known[id] = e.address
	}
	for id, w := range d.workspaces {
		known[id] = w.address
	}
	maps.Copy(known, d.guests)
	return known
}
