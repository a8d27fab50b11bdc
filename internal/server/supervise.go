package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Supervision is what a supervisor is made of.
type Supervision struct {
	Config  Config
	Version string // of this program, for people
	Log     *slog.Logger
	// Ready is called once, when requests are served; not after an upgrade, which nobody waited for. May be nil.
	Ready func(Running)
}

// Supervise runs an installation in the foreground until SIGTERM, SIGINT or the end of ctx. SIGTERM leaves the instances
// running, so that Slipway can be restarted or replaced without a failed request; SIGINT, what Ctrl-C and `slipway down` send,
// stops them too.
//
// After an upgrade a new program carries on in the same process; see [Upgrade].
func Supervise(ctx context.Context, v Supervision) error {
	if err := v.Config.checkTLS(); err != nil {
		return err
	}
	if os.Getenv(resumeVariable) == resumeCheck {
		return printSettled(v.Config)
	}
	s, err := v.resume()
	if err != nil {
		return err
	}
	if s == nil {
		if s, err = v.begin(ctx); err != nil {
			return err
		}
	}
	defer s.lock.Close()
	defer s.socks.close()
	if err := s.note(); err != nil {
		return err
	}
	defer os.Remove(s.c.path("run", "supervisor.json"))
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	defer signal.Stop(interrupts)
	return s.serve(ctx, interrupts)
}

type supervisor struct {
	c     Config
	log   *slog.Logger
	ready func(Running)
	lock  *os.File
	socks *sockets

	edge, control *role
	retired       sync.WaitGroup // edges that finish what they have
	ending        chan struct{}  // closed when the installation ends

	mu       sync.Mutex
	run      Running
	retiring map[*process]bool
	upgrade  sync.Mutex // one at a time
}

// begin takes the data directory and opens the sockets.
func (v Supervision) begin(ctx context.Context) (*supervisor, error) {
	c := v.Config
	lock, err := takeLock(ctx, c)
	if err != nil {
		return nil, err
	}
	socks, err := begin(ctx, c)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	run := Running{PID: os.Getpid(), Version: v.Version, StartedAt: time.Now().UTC(), Addresses: socks.addrs}
	return v.supervisor(lock, socks, run), nil
}

// begin clears away what a supervisor that was killed left, and opens the sockets.
func begin(ctx context.Context, c Config) (*sockets, error) {
	// It left its note; nobody may take that for ours.
	if err := os.Remove(c.path("run", "supervisor.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	for _, role := range []string{"edge", "control"} {
		if err := endOrphans(ctx, c, role); err != nil {
			return nil, err
		}
	}
	return listen(c)
}

func (v Supervision) supervisor(lock *os.File, socks *sockets, run Running) *supervisor {
	run.Config = v.Config.at(socks.addrs)
	return &supervisor{
		c: run.Config, log: v.Log, ready: v.Ready, lock: lock, socks: socks, run: run, retiring: map[*process]bool{}, ending: make(chan struct{}),
		edge:    &role{name: "edge", sockets: socks.edgeSockets(), asks: make(chan ask)},
		control: &role{name: "control", sockets: []string{"api", "dns-tcp", "dns-udp"}, asks: make(chan ask)},
	}
}

// at is the configuration with the addresses that are really listened on.
func (c Config) at(a Addresses) Config {
	c.APIAddr, c.HTTPSAddr, c.HTTPAddr, c.DNSAddr = a.API, a.HTTPS, a.HTTP, a.DNS
	return c
}

// serve keeps both roles alive until told to end.
func (s *supervisor) serve(ctx context.Context, interrupts <-chan os.Signal) error {
	roles, cancel := context.WithCancel(ctx)
	defer cancel()
	verbs, err := listenOwner(s.c.verbSocket())
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.Go(func() error { return s.serveVerbs(roles, verbs) })
	g.Go(func() error { return s.keep(roles, s.edge) })
	g.Go(func() error { return s.keep(roles, s.control) })
	g.Go(func() error { return s.announce(roles) })
	var takeDown bool
	select {
	case <-roles.Done():
	case <-interrupts:
		takeDown = true
		s.log.Info("stopping the applications and Slipway")
	}
	cancel()
	close(s.ending)
	err = errors.Join(s.noteEnding(), g.Wait())
	s.retired.Wait()
	if takeDown {
		err = errors.Join(err, teardown(context.WithoutCancel(ctx), s.c, s.log))
	}
	return err
}

// noteEnding lets whoever starts the next supervisor wait for this one.
func (s *supervisor) noteEnding() error {
	s.mu.Lock()
	s.run.Ready, s.run.Ending = false, true
	s.mu.Unlock()
	return s.note()
}

// announce notes that requests are served as soon as they are.
func (s *supervisor) announce(ctx context.Context) error {
	if !s.awaitReady(ctx) {
		return nil
	}
	s.mu.Lock()
	s.run.Ready = !s.run.Ending
	run := s.run
	s.mu.Unlock()
	if err := s.note(); err != nil {
		return err
	}
	new(thrift).giveBack() // what starting took is not needed again
	if s.ready != nil && run.Upgrades == 0 {
		s.ready(run)
	}
	return nil
}

// listenOwner opens a unix socket that only the installation's owner can reach.
func listenOwner(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", path, err), l.Close())
	}
	return l, nil
}

// verbSocket is where verbs such as `slipway upgrade` reach the supervisor.
func (c Config) verbSocket() string { return c.path("run", "supervisor.sock") }
