package oci

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/cgroup"
	"slipway.dev/slipway/internal/instance/oci/shim"
)

// patience bounds every wait for the kernel to let go of something.
const patience = 10 * time.Second

// Driver runs instances on this host. It implements instance.Driver and instance.Builder.
type Driver struct {
	cfg    Config
	names  names
	paths  paths
	layout cgroup.Layout
	disks  *disks
	net    *network
	lock   *os.File
	mapped bool // instances get a user namespace
	limits bool // their disks are limited

	mu          sync.Mutex
	entries     map[string]*entry
	workspaces  map[string]*workspace
	guests      map[string]netip.Addr // addresses of network namespaces of others on the bridge, by link id
	lastAddress netip.Addr

	joining sync.Mutex // held by whoever lets a guest in or out

	closing   sync.Once
	closed    chan struct{}
	followers sync.WaitGroup // what waits for ends of instances and records them
}

var (
	_ instance.Driver  = (*Driver)(nil)
	_ instance.Builder = (*Driver)(nil)
)

// New takes over the data directory: it waits for another driver to let go of it (until ctx ends), sets the network up, finds the
// instances that run, and removes what a driver that was killed left half made. Run has to be called for names to resolve.
func New(ctx context.Context, c Config) (*Driver, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	d := &Driver{
		cfg: c, names: namesFor(c.Installation), paths: paths{c.Dir},
		entries: map[string]*entry{}, workspaces: map[string]*workspace{}, closed: make(chan struct{}),
	}
	d.disks = &disks{dir: d.paths.templates()}
	for _, dir := range []string{d.paths.instances(), d.paths.workspaces(), d.paths.runtimeRoot(), d.paths.templates()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("instance driver: %w", err)
		}
	}
	if d.layout, err = cgroup.Detect(); err != nil {
		return nil, err
	}
	if err := essential(c, d.layout); err != nil {
		return nil, fmt.Errorf("instance driver: %w", err)
	}
	if d.lock, err = lockFile(ctx, d.paths.lock()); err != nil {
		return nil, err
	}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Driver) open(ctx context.Context) error {
	abilities := probeAbilities(ctx, d.disks, d.paths)
	if d.cfg.assume != nil {
		abilities = *d.cfg.assume
	}
	d.mapped, d.limits = abilities.mapped == nil, abilities.disk == nil
	if err := errors.Join(abilities.mapped, abilities.disk); err != nil {
		d.cfg.Log.Warn("instances are held less tightly than they could be; see slipway doctor", "error", err)
	}
	var err error
	if d.net, err = openNetwork(ctx, d.cfg, d.names, d.paths); err != nil {
		return err
	}
	if err := d.adopt(); err != nil {
		return err
	}
	d.adoptGuests()
	return d.sweepUnknown(ctx)
}

// lockFile makes sure that one driver at a time works on a directory.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("instance driver: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("another process drives the instances of this data directory (%s is locked): %w", path, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// CredentialsURL is where an instance finds the handler that is served at [Driver.CredentialsAddr].
const CredentialsURL = "http://169.254.170.2/"

// CredentialsAddr is the address at which to serve credentials to instances; only they can reach it from outside this machine.
func (d *Driver) CredentialsAddr() netip.AddrPort {
	return netip.AddrPortFrom(gateway(d.net.subnet), credentialsPort)
}

// Close lets go of the data directory: nothing of it is touched once Close has returned. Instances run on; open workspaces end.
// It may be repeated.
func (d *Driver) Close() error {
	var err error
	d.closing.Do(func() {
		err = d.closeWorkspaces()
		close(d.closed)
		d.followers.Wait()
		err = errors.Join(err, d.lock.Close())
	})
	return err
}

func (d *Driver) closeWorkspaces() error {
	d.mu.Lock()
	open := make([]*workspace, 0, len(d.workspaces))
	for _, w := range d.workspaces {
		open = append(open, w)
	}
	d.mu.Unlock()
	var errs []error
	for _, w := range open {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

// Destroy stops everything at once and takes the installation's traces from the machine: instances, workspaces, bridge, firewall,
// control groups. Unread logs stay in the data directory. The driver is closed afterwards.
func (d *Driver) Destroy(ctx context.Context) error {
	errs := []error{d.Sweep(ctx, nil), d.closeWorkspaces(), d.dismissGuests()}
	errs = append(errs, d.sweepUnknown(ctx))
	group := d.layout.Group(d.names.cgroup())
	errs = append(errs, group.Kill(ctx), group.Remove(ctx), d.net.remove(d.paths))
	errs = append(errs, os.RemoveAll(d.paths.templates()), os.RemoveAll(d.paths.runtimeRoot()))
	return errors.Join(append(errs, d.Close())...)
}

// reserve finds or makes the entry of an id. It tells whether it was made, with an address of its own then.
func (d *Driver) reserve(id string) (e *entry, made bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.entries[id]; e != nil {
		return e, false, nil
	}
	address, err := d.takeAddress()
	if err != nil {
		return nil, false, err
	}
	e = newEntry(record{ID: id, Address: address})
	d.entries[id] = e
	return e, true, nil
}

// takeAddress picks an address; the caller holds the lock and records the address before letting go of it.
func (d *Driver) takeAddress() (netip.Addr, error) {
	used := map[netip.Addr]bool{}
	for _, e := range d.entries {
		if !e.current().Stopped {
			used[e.address] = true
		}
	}
	for _, w := range d.workspaces {
		used[w.address] = true
	}
	for _, a := range d.guests {
		used[a] = true
	}
	address, err := chooseAddress(d.net.subnet, d.lastAddress, used)
	if err == nil {
		d.lastAddress = address
	}
	return address, err
}

func (d *Driver) entry(id string) *entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.entries[id]
}

func (d *Driver) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.entries, id)
}

// all returns the entries there are at this moment.
func (d *Driver) all() []*entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*entry, 0, len(d.entries))
	for _, e := range d.entries {
		list = append(list, e)
	}
	return list
}

// List returns all instances that were not stopped.
func (d *Driver) List(context.Context) ([]instance.Instance, error) {
	var list []instance.Instance
	for _, e := range d.all() {
		if i, stopped := e.snapshot(); !stopped {
			i.CutOff = e.current().cutOff()
			list = append(list, i)
		}
	}
	return list, nil
}

// Unread returns the stopped instances whose logs were not trimmed to their end.
func (d *Driver) Unread(context.Context) ([]instance.Instance, error) {
	var list []instance.Instance
	for _, e := range d.all() {
		if i, stopped := e.snapshot(); stopped {
			list = append(list, i)
		}
	}
	return list, nil
}

// Wait blocks until an instance has exited.
func (d *Driver) Wait(ctx context.Context, id string) (instance.Exit, error) {
	e := d.entry(id)
	if e == nil {
		return instance.Exit{}, unknown(id)
	}
	select {
	case <-e.ended:
		i, _ := e.snapshot()
		if i.Exit == nil { // it never came to run
			return instance.Exit{}, unknown(id)
		}
		return *i.Exit, nil
	case <-d.closed:
		return instance.Exit{}, errors.New("the instance driver was closed")
	case <-ctx.Done():
		return instance.Exit{}, ctx.Err()
	}
}

func unknown(id string) error { return fmt.Errorf("instance %s: %w", id, instance.ErrUnknown) }

// running returns the entry of an instance that runs.
func (d *Driver) running(id string) (*entry, error) {
	e := d.entry(id)
	if e == nil {
		return nil, unknown(id)
	}
	if i, _ := e.snapshot(); i.State != instance.Running {
		return nil, fmt.Errorf("instance %s is not running", id)
	}
	return e, nil
}

// entry is what the driver knows of one instance while it lives.
type entry struct {
	id      string
	address netip.Addr
	work    sync.Mutex    // held by whoever starts, trims or removes the instance
	ended   chan struct{} // closed when its process has ended and all but its log is released, or when it never came to run

	mu     sync.Mutex // guards what follows
	record record
	run    shim.Run
	exit   *instance.Exit
}

func newEntry(r record) *entry {
	return &entry{id: r.ID, address: r.Address, record: r, ended: make(chan struct{})}
}

// update changes the record, in memory and in dir.
func (e *entry) update(dir string, change func(*record)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.record)
	return e.record.write(dir)
}

// current returns the record as it is now.
func (e *entry) current() record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.record
}

// snapshot tells what is known now, and whether the instance was stopped.
func (e *entry) snapshot() (i instance.Instance, stopped bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i = instance.Instance{
		ID: e.record.ID, ServiceARN: e.record.ServiceARN, DeploymentID: e.record.DeploymentID, Address: e.record.Address,
		State: instance.Created, StartedAt: e.run.StartedAt,
	}
	switch {
	case e.exit != nil:
		exit := *e.exit
		i.State, i.Exit = instance.Exited, &exit
	case !e.run.StartedAt.IsZero():
		i.State, i.PID = instance.Running, e.run.Init.PID
	}
	return i, e.record.Stopped
}
