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
	files, err := inherited()
	if err != nil {
		return err
	}
	https, err := listenerFrom(files, "https")
	if err != nil {
		return err
	}
	http, err := listenerFrom(files, "http")
	if err != nil {
		return err
	}
	var http3 net.PacketConn
	if c.HTTP3 {
		if http3, err = packetConnFrom(files, http3Socket); err != nil {
			return err
		}
	}
	limits, err := edge.ParseLimits(c.EdgeLimits)
	if err != nil {
		return fmt.Errorf("--edge-limits: %w", err)
	}
	socket := c.edgeFile(os.Getpid(), "sock")
	control, err := edge.ListenControl(socket)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(c.HTTPSAddr)
	if err != nil {
		return fmt.Errorf("--https-addr %s: %w", c.HTTPSAddr, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("--https-addr %s: %w", c.HTTPSAddr, err)
	}
	if err := os.MkdirAll(c.path("edge"), 0o700); err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	id, err := c.installation()
	if err != nil {
		return err
	}
	freezer, err := oci.NewFreezer(id)
	if err != nil {
		return err
	}
	s, err := edge.New(edge.Config{
		HTTPS: https, HTTP: http, HTTP3: http3, HTTPSPort: n, Control: control, StateDir: c.path("edge"), AccessDir: c.accessDir(), Limits: limits, Log: log,
		Socket: socket, Elder: os.Getenv(elderVariable), Ready: func() { report.ready(); go debug.FreeOSMemory() }, Freezer: freezer,
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// accessDir is where access logs wait on their way from the edge to control.
func (c Config) accessDir() string { return c.path("edge", "access") }

// edgeSocket is where control reaches the edge: a link to the socket of the one that serves.
func (c Config) edgeSocket() string { return c.path("run", "edge.sock") }
