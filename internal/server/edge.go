package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"slipway.dev/slipway/internal/edge"
)

// RunEdge is the edge role: it serves requests by the last table it was given until SIGTERM, then drains.
func RunEdge(ctx context.Context, dataDir string, log *slog.Logger) error {
	c, err := readConfig(dataDir)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	lock, err := enterRole(ctx, c, "edge")
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
	control, err := edge.ListenControl(c.edgeSocket())
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
	s, err := edge.New(edge.Config{HTTPS: https, HTTP: http, HTTPSPort: n, Control: control, StateDir: c.path("edge"), AccessDir: c.accessDir(), Log: log})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// accessDir is where access logs wait on their way from the edge to control.
func (c Config) accessDir() string { return c.path("edge", "access") }

// edgeSocket is where control reaches the edge.
func (c Config) edgeSocket() string { return c.path("run", "edge.sock") }
