package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Running is what the supervisor notes about itself in run/supervisor.json, for `slipway status` and `slipway down`.
type Running struct {
	PID       int
	StartedAt time.Time
	Ready     bool
	Addresses Addresses
	Config    Config
}

// ErrRunning means that another supervisor holds the data directory.
var ErrRunning = errors.New("an installation is already running over this data directory")

// Supervise runs an installation in the foreground until SIGTERM, SIGINT or the end of ctx. SIGTERM leaves the instances
// running, so that Slipway can be restarted or replaced without a failed request; SIGINT, what Ctrl-C and `slipway down` send,
// stops them too. ready is called once, when requests are served.
func Supervise(ctx context.Context, c Config, log *slog.Logger, ready func(Running)) error {
	if err := c.checkTLS(); err != nil {
		return err
	}
	lock, err := takeLock(c)
	if err != nil {
		return err
	}
	defer lock.Close()
	// A supervisor that was killed left its note; nobody may take it for ours.
	if err := os.Remove(c.path("run", "supervisor.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--data-dir: %w", err)
	}
	for _, role := range []string{"edge", "control"} {
		if err := endOrphan(ctx, c, role); err != nil {
			return err
		}
	}
	socks, err := listen(c)
	if err != nil {
		return err
	}
	defer socks.close()
	c.APIAddr, c.HTTPSAddr, c.HTTPAddr, c.DNSAddr = socks.addrs.API, socks.addrs.HTTPS, socks.addrs.HTTP, socks.addrs.DNS
	s := &supervisor{c: c, log: log, socks: socks, run: Running{PID: os.Getpid(), StartedAt: time.Now().UTC(), Addresses: socks.addrs, Config: c}}
	if err := s.note(); err != nil {
		return err
	}
	defer os.Remove(c.path("run", "supervisor.json"))
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	defer signal.Stop(interrupts)
	return s.serve(ctx, interrupts, ready)
}

type supervisor struct {
	c     Config
	log   *slog.Logger
	socks *sockets
	run   Running
}

// takeLock makes this process the only supervisor of the data directory. The lock ends with the process, however it ends.
func takeLock(c Config) (*os.File, error) {
	for _, dir := range []string{"", "run"} {
		if err := os.MkdirAll(c.path(dir), 0o700); err != nil {
			return nil, fmt.Errorf("--data-dir: %w", err)
		}
	}
	f, err := os.OpenFile(c.path("run", "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s", ErrRunning, c.DataDir)
	}
	return f, nil
}

func (s *supervisor) note() error {
	if err := writeJSON(s.c.path("run", "config.json"), s.c); err != nil {
		return err
	}
	return writeJSON(s.c.path("run", "supervisor.json"), s.run)
}

// writeJSON replaces a file at once, readable by the owner only: some settings are secret.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, b, 0o600)
}

func writeFile(path string, b []byte, mode os.FileMode) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// serve keeps both roles alive until told to end.
func (s *supervisor) serve(ctx context.Context, interrupts <-chan os.Signal, ready func(Running)) error {
	roles, cancel := context.WithCancel(ctx)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error { return s.keep(roles, "edge", "https", "http") })
	g.Go(func() error { return s.keep(roles, "control", "api", "dns-tcp", "dns-udp") })
	g.Go(func() error {
		if s.awaitReady(roles) {
			s.run.Ready = true
			if err := s.note(); err != nil {
				return err
			}
			ready(s.run)
		}
		return nil
	})
	var takeDown bool
	select {
	case <-roles.Done():
	case <-interrupts:
		takeDown = true
		s.log.Info("stopping the applications and Slipway")
	}
	cancel()
	err := g.Wait()
	if takeDown {
		err = errors.Join(err, teardown(context.WithoutCancel(ctx), s.c, s.log))
	}
	return err
}

const (
	restartFirst = 50 * time.Millisecond
	restartMost  = 5 * time.Second
	// childGrace is how long a role may take to end after SIGTERM.
	childGrace = 15 * time.Second
)

// keep runs a role and starts it again when it ends.
func (s *supervisor) keep(ctx context.Context, role string, sockets ...string) error {
	wait := restartFirst
	for ctx.Err() == nil {
		started := time.Now()
		err := s.runRole(ctx, role, sockets...)
		if ctx.Err() != nil {
			return nil
		}
		lived := time.Since(started)
		s.log.Error("a part of Slipway ended and is started again", "role", role, "err", err, "after", lived.Round(time.Millisecond))
		pause(ctx, wait)
		wait = nextPause(wait, lived)
	}
	return nil
}

// nextPause is how long a role is left alone when it ends the next time: twice as long as this time, less for the time that it lived,
// so that one that cannot start slows down and one that served is back at once.
func nextPause(last, lived time.Duration) time.Duration {
	return min(max(2*last-lived/4, restartFirst), restartMost)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// runRole runs this same program in a role until it ends.
func (s *supervisor) runRole(ctx context.Context, role string, names ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	files, fds := s.socks.inherit(names...)
	cmd := exec.CommandContext(ctx, self, role, "--data-dir", s.c.DataDir)
	cmd.ExtraFiles = files
	cmd.Env = append(os.Environ(), fds)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	// Ctrl-C reaches the whole foreground group; only the supervisor may decide what it means. A supervisor that is killed
	// leaves its roles serving; the next one ends them before it starts its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childGrace
	return cmd.Run()
}

// awaitReady reports true when both roles serve, false when ctx ends before.
func (s *supervisor) awaitReady(ctx context.Context) bool {
	for ctx.Err() == nil {
		if s.ready(ctx) {
			return true
		}
		pause(ctx, 20*time.Millisecond)
	}
	return false
}

// ready asks the API as a client on this machine does.
func (s *supervisor) ready(ctx context.Context) bool {
	client := &http.Client{Timeout: 2 * time.Second}
	if s.c.apiTLS() {
		roots, err := s.c.apiRoots()
		if err != nil {
			return false // the local CA is made by the control role
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		client.Transport = transport
	}
	return probe(ctx, client, s.c.APIURL()+"/readyz")
}

func probe(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// ReadRunning tells about the supervisor of a data directory; ok is false when none is running.
func ReadRunning(dataDir string) (r Running, ok bool, err error) {
	c := Config{DataDir: dataDir}
	f, err := os.OpenFile(c.path("run", "lock"), os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("--data-dir: %w", err)
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return r, false, nil // nobody holds it
	}
	b, err := os.ReadFile(c.path("run", "supervisor.json"))
	if err != nil {
		return r, true, nil // it is just starting or ending
	}
	return r, true, json.Unmarshal(b, &r)
}

// readConfig reads what the supervisor settled for its roles.
func readConfig(dataDir string) (Config, error) {
	var c Config
	b, err := os.ReadFile(filepath.Join(dataDir, "run", "config.json"))
	if err != nil {
		return c, fmt.Errorf("this command is started by `slipway up`, not by hand: %w", err)
	}
	return c, json.Unmarshal(b, &c)
}
