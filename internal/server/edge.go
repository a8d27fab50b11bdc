package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"

	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance/oci"
)

// RunEdge is the edge role: it serves requests by the last table it was given until SIGTERM, then drains.
//
// An edge that takes over from another one begins when the supervisor tells it to.
func RunEdge(ctx context.Context, dataDir string, log *slog.Logger) (err error) {
	report := newReporter()
	defer func() { report.failed(err) }()
	c, err := readConfig(dataDir)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	lock, err := enterEdge(c)
	if err != nil {
		return err
	}
	defer lock.Close()
	conf, err := edgeConfig(c, log)
	if err != nil {
		return err
	}
	conf.Ready = func() { report.ready(); go new(thrift).giveBack() }
	s, err := edge.New(conf)
	if err != nil {
		return err
	}
	go atLulls(ctx, debug.FreeOSMemory) // the pages of the program serve the next request
	return s.Run(ctx)
}

// edgeConfig is what the edge needs of the settings, with the sockets the supervisor handed to this process.
func edgeConfig(c Config, log *slog.Logger) (edge.Config, error) {
	conf := edge.Config{
		StateDir: c.path("edge"), AccessDir: c.accessDir(), Log: log, Socket: c.edgeFile(os.Getpid(), "sock"), Elder: os.Getenv(elderVariable),
	}
	if err := takeSockets(c, &conf); err != nil {
		return conf, err
	}
	var err error
	if conf.Limits, err = edge.ParseLimits(c.EdgeLimits); err != nil {
		return conf, fmt.Errorf("--edge-limits: %w", err)
	}
	if conf.HTTPSPort, err = portOf(c.HTTPSAddr); err != nil {
		return conf, fmt.Errorf("--https-addr %s: %w", c.HTTPSAddr, err)
	}
	if err := os.MkdirAll(c.path("edge"), 0o700); err != nil {
		return conf, fmt.Errorf("edge: %w", err)
	}
	id, err := c.installation()
	if err != nil {
		return conf, err
	}
	conf.Freezer, err = oci.NewFreezer(id)
	return conf, err
}

func takeSockets(c Config, conf *edge.Config) error {
	files, err := inherited()
	if err != nil {
		return err
	}
	if conf.HTTPS, err = listenerFrom(files, "https"); err != nil {
		return err
	}
	if conf.HTTP, err = listenerFrom(files, "http"); err != nil {
		return err
	}
	if c.HTTP3 {
		if conf.HTTP3, err = packetConnFrom(files, http3Socket); err != nil {
			return err
		}
	}
	conf.Control, err = edge.ListenControl(conf.Socket)
	return err
}

func portOf(address string) (int, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// accessDir is where access logs wait on their way from the edge to control.
func (c Config) accessDir() string { return c.path("edge", "access") }

// edgeSocket is where control reaches the edge: a link to the socket of the one that serves.
func (c Config) edgeSocket() string { return c.path("run", "edge.sock") }
