package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/instance/oci"
	"slipway.dev/slipway/internal/network/host"
)

// controlGC makes control collect garbage at half the usual growth: it has little to do most of the time, and unpacking an image leaves
// much behind.
const controlGC = 50

// RunControl is the control role: everything that decides. It ends at SIGTERM; instances and the edge go on without it.
func RunControl(ctx context.Context, dataDir string, log *slog.Logger) (err error) {
	report := newReporter()
	defer func() { report.failed(err) }()
	c, err := readConfig(dataDir)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	lock, err := enterControl(ctx, c)
	if err != nil {
		return err
	}
	defer lock.Close()
	files, err := inherited()
	if err != nil {
		return err
	}
	l, err := listenerFrom(files, "api")
	if err != nil {
		return err
	}
	s, err := newSystem(ctx, c, log)
	if err != nil {
		return err
	}
	if err := s.names.listen(files); err != nil {
		return errors.Join(err, s.Close())
	}
	debug.SetGCPercent(controlGC)
	report.ready()
	go s.rest() // what starting took is not needed again
	go atLulls(ctx, s.rest)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if c.apiTLS() {
			return serveHTTP(ctx, l, s.front.mux, s.apiServerTLS())
		}
		return serveHTTP(ctx, l, s.front.mux, nil)
	})
	for _, run := range []func(context.Context) error{s.driver.Run, s.iam.Run, s.audit.Run, s.audit.RunTrails, s.logs.Run, s.events.Run, s.images.Run, s.host.Run, s.watcher.Run, s.deploy.run, s.work.Run, s.runMeter, s.alarms.Run, s.names.run, s.names.server.Run, s.keeper.Run, s.runDomains} {
		g.Go(func() error { return run(ctx) })
	}
	g.Go(func() error { return s.prune(ctx) })
	g.Go(func() error { return s.forget(ctx) })
	g.Go(func() error { return s.serveCredentials(ctx) })
	g.Go(func() error { return s.serveOperator(ctx) })
	err = g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, s.Close())
}

// serveCredentials answers instances that ask for the credentials of their role. A port that is taken is tried again: nothing but
// credentials depends on it.
func (s *System) serveCredentials(ctx context.Context) error {
	at := s.driver.CredentialsAddr().String()
	for ctx.Err() == nil {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
		if err == nil {
			err = serveHTTP(ctx, l, s.inner(), nil)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("instances cannot fetch credentials", "address", at, "err", err)
			pause(ctx, 10*time.Second)
		}
	}
	return nil
}

// forgetEvery is how often deleted things whose time of being described is over are dropped, and keys are deleted and rotated.
const forgetEvery = time.Minute

func (s *System) forget(ctx context.Context) error {
	for ctx.Err() == nil {
		now := time.Now()
		if err := errors.Join(s.control.Forget(ctx, now), s.keys.Sweep(ctx, now), s.secrets.Purge(ctx)); err != nil && ctx.Err() == nil {
			s.log.Error("drop what was deleted", "err", err)
		}
		pause(ctx, forgetEvery)
	}
	return nil
}

// pruneEvery is how often records whose time is over are dropped.
const pruneEvery = time.Hour

// prune drops audit records, events and runtime images whose time is over.
func (s *System) prune(ctx context.Context) error {
	for {
		now := time.Now()
		if err := errors.Join(s.audit.Prune(ctx, now), s.events.Prune(ctx), s.metricData.Prune(ctx), s.alarms.Prune(ctx), s.builder.Prune(ctx, now)); err != nil && ctx.Err() == nil {
			s.log.Error("drop old records", "err", err)
		}
		pause(ctx, pruneEvery)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// teardown ends what an installation left on the machine outside its data directory.
func teardown(ctx context.Context, c Config, log *slog.Logger) error {
	for _, role := range []string{"edge", "control"} {
		if err := endOrphans(ctx, c, role); err != nil {
			return err
		}
	}
	conf, err := c.driver(log)
	if err != nil {
		return err
	}
	d, err := oci.New(ctx, conf)
	if err != nil {
		return err
	}
	list, err := d.List(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("list instances: %w", err), host.New(c.vpcDir()).Destroy(), d.Close())
	}
	grace := orDefault(c.StopGrace, 30*time.Second)
	var g errgroup.Group
	g.SetLimit(8)
	for _, i := range list {
		g.Go(func() error { return d.Stop(ctx, i.ID, grace) })
	}
	// What instances call out through goes after them: some have last words for a database.
	if err := errors.Join(g.Wait(), host.New(c.vpcDir()).Destroy(), d.Destroy(ctx)); err != nil {
		return err
	}
	return c.dropWorkingFiles(ctx)
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}
