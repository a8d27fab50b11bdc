package instancetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
)

// Program is what a Fake runs in place of a process; its result is the exit code. ctx ends at SIGKILL.
type Program func(ctx context.Context, p Process) int

// World is the machine Fake drivers share: instances live in it while drivers come and go. The zero World is not usable; see
// NewWorld.
type World struct {
	// Programs run for the Args[0] that names them. AppPath runs App. A Start of something else fails as it does for an image
	// without that program.
	Programs map[string]Program

	mu        sync.Mutex
	instances map[string]*fakeInstance
	faults    Faults
	started   int
}

// Faults make Fake drivers misbehave. Functions that are nil do nothing; each is called without locks held.
type Faults struct {
	Start func(context.Context, instance.Spec) error // its error becomes Start's; it may wait
	Stop  func(ctx context.Context, id string) error
	List  func() error
}

// NewWorld returns an empty machine.
func NewWorld() *World {
	return &World{Programs: map[string]Program{AppPath: App}, instances: map[string]*fakeInstance{}}
}

// Misbehave replaces the faults.
func (w *World) Misbehave(f Faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = f
}

// Started is how many instances were started so far.
func (w *World) Started() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started
}

// Kill ends an instance as if its process had ended that way.
func (w *World) Kill(id string, exit instance.Exit) {
	if i := w.find(id); i != nil {
		i.end(exit)
	}
}

// Driver opens a driver on this machine.
func (w *World) Driver() *Fake { return &Fake{world: w} }

func (w *World) find(id string) *fakeInstance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.instances[id]
}

func (w *World) currentFaults() Faults {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults
}

// addressLocked picks a loopback address that no other test process uses: the second and third byte follow from the process id.
func (w *World) addressLocked() (netip.Addr, error) {
	used := map[netip.Addr]bool{}
	for _, i := range w.instances {
		used[i.info.Address] = true
	}
	pid := binary.BigEndian.AppendUint32(nil, uint32(os.Getpid()))
	for n := range 253 {
		a := netip.AddrFrom4([4]byte{127, 64 + pid[2]&0x7f, pid[3], byte(1 + (w.started+n)%253)})
		if !used[a] {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("the fake machine has no more than 253 addresses")
}

// Fake is an instance.Driver whose instances are goroutines of this process that listen on loopback addresses of their own.
type Fake struct{ world *World }

var _ instance.Driver = (*Fake)(nil)

// Start runs a Program.
func (f *Fake) Start(ctx context.Context, spec instance.Spec) (instance.Instance, error) {
	if fault := f.world.currentFaults().Start; fault != nil {
		if err := fault(ctx, spec); err != nil {
			return instance.Instance{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return instance.Instance{}, err
	}
	w := f.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := w.instances[spec.ID]; i != nil {
		return i.snapshot(), nil
	}
	program, err := w.check(spec)
	if err != nil {
		return instance.Instance{}, err
	}
	address, err := w.addressLocked()
	if err != nil {
		return instance.Instance{}, err
	}
	w.started++
	i := newFakeInstance(spec, address, w.started)
	w.instances[spec.ID] = i
	i.begin(program)
	return i.snapshot(), nil
}

// check refuses what a real driver refuses.
func (w *World) check(spec instance.Spec) (Program, error) {
	switch {
	case spec.ID == "" || len(spec.Args) == 0 || spec.CPU < instance.MinCPU || spec.MemoryMiB < instance.MinMemoryMiB:
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "the instance's id, command or limits are missing")
	case spec.User != "" && spec.User != "0" && spec.User != "web":
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "the image is to run as user %q, but its /etc/passwd has no such user", spec.User)
	case w.Programs[spec.Args[0]] == nil:
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "the start command cannot run: the image has no program %q", spec.Args[0])
	}
	return w.Programs[spec.Args[0]], nil
}

// Stop ends an instance.
func (f *Fake) Stop(ctx context.Context, id string, grace time.Duration) error {
	if fault := f.world.currentFaults().Stop; fault != nil {
		if err := fault(ctx, id); err != nil {
			return err
		}
	}
	i := f.world.find(id)
	if i == nil {
		return nil
	}
	i.gate.open()
	if grace > 0 && ctx.Err() == nil {
		i.terminate()
		select {
		case <-i.ended:
		case <-ctx.Done():
		case <-time.After(grace):
		}
	}
	i.end(instance.Exit{Code: 137, Signal: "SIGKILL"})
	<-i.ended
	if i.log.stop() {
		f.forget(id)
	}
	return nil
}

func (f *Fake) forget(id string) {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	delete(f.world.instances, id)
}

// List returns the instances that were not stopped.
func (f *Fake) List(context.Context) ([]instance.Instance, error) {
	if fault := f.world.currentFaults().List; fault != nil {
		if err := fault(); err != nil {
			return nil, err
		}
	}
	return f.list(false), nil
}

// Unread returns the stopped instances with unread logs.
func (f *Fake) Unread(context.Context) ([]instance.Instance, error) { return f.list(true), nil }

func (f *Fake) list(stopped bool) []instance.Instance {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	var list []instance.Instance
	for _, i := range f.world.instances {
		if i.log.isStopped() == stopped {
			list = append(list, i.snapshot())
		}
	}
	return list
}

// Wait blocks until an instance has exited.
func (f *Fake) Wait(ctx context.Context, id string) (instance.Exit, error) {
	i := f.world.find(id)
	if i == nil {
		return instance.Exit{}, unknown(id)
	}
	select {
	case <-i.ended:
		return *i.snapshot().Exit, nil
	case <-ctx.Done():
		return instance.Exit{}, ctx.Err()
	}
}

func unknown(id string) error { return fmt.Errorf("instance %s: %w", id, instance.ErrUnknown) }

// running returns an instance that runs.
func (f *Fake) running(id string) (*fakeInstance, error) {
	i := f.world.find(id)
	if i == nil {
		return nil, unknown(id)
	}
	if i.snapshot().State != instance.Running {
		return nil, fmt.Errorf("instance %s is not running", id)
	}
	return i, nil
}

// Stats makes figures up: an instance uses what it was told to eat, and no CPU.
func (f *Fake) Stats(_ context.Context, id string) (instance.Stats, error) {
	i, err := f.running(id)
	if err != nil {
		return instance.Stats{}, err
	}
	return instance.Stats{At: time.Now(), MemoryBytes: uint64(i.eatenMiB()+1) << 20, MemoryLimit: uint64(i.spec.MemoryMiB) << 20, Pids: 1}, nil
}

// Listening returns what the program listens on.
func (f *Fake) Listening(_ context.Context, id string) ([]netip.AddrPort, error) {
	i, err := f.running(id)
	if err != nil {
		return nil, err
	}
	return i.sockets(), nil
}

// Logs returns records from a place on.
func (f *Fake) Logs(_ context.Context, id string, from instance.Cursor) ([]instance.LogRecord, instance.Cursor, error) {
	i := f.world.find(id)
	if i == nil {
		return nil, from, unknown(id)
	}
	records, next := i.log.read(from)
	return records, next, nil
}

// TrimLogs drops records before a place.
func (f *Fake) TrimLogs(_ context.Context, id string, before instance.Cursor) error {
	if i := f.world.find(id); i != nil && i.log.trim(before) {
		f.forget(id)
	}
	return nil
}

// Freeze stops the traffic of an instance.
func (f *Fake) Freeze(_ context.Context, id string) error {
	i, err := f.running(id)
	if err == nil {
		i.gate.close()
	}
	return err
}

// Thaw lets the traffic flow again.
func (f *Fake) Thaw(_ context.Context, id string) error {
	i, err := f.running(id)
	if err == nil {
		i.gate.open()
	}
	return err
}

// Sweep stops what is not kept.
func (f *Fake) Sweep(ctx context.Context, keep []string) error {
	for _, i := range f.list(false) {
		if !slices.Contains(keep, i.ID) {
			if err := f.Stop(ctx, i.ID, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close lets the world go on without this driver.
func (f *Fake) Close() error { return nil }
