package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"slipway.dev/slipway/internal/edge"
)

// edgeAddresses are where an edge in a process of its own listens.
type edgeAddresses struct{ Plain, TLS string }

// The files by which an edge process and the bench find each other, in a directory of the edge's own.
const (
	edgeSocketName    = "edge.sock"
	edgeAddressesName = "addresses.json"
)

// edgeRole serves as the front door of an installation does, and over plain text beside TLS. Its argument is a directory.
func edgeRole(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("edge-role takes a directory")
	}
	dir := args[0]
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := edge.ListenControl(filepath.Join(dir, edgeSocketName))
	if err != nil {
		return err
	}
	s, err := edge.New(edge.Config{
		Plain: plain, HTTPS: secure, Control: control, StateDir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(edgeAddresses{plain.Addr().String(), secure.Addr().String()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, edgeAddressesName), b, 0o600); err != nil {
		return err
	}
	return s.Run(ctx)
}

// startEdge starts the edge that is measured beside its peers.
func (s *stage) startEdge(ctx context.Context) (*proxy, error) {
	return s.startEdgeWith(ctx, "edge", s.table())
}

// startEdgeWith starts an edge that routes by a table, in which host "localhost" is, and waits until it does.
func (s *stage) startEdgeWith(ctx context.Context, name string, table edge.Table) (*proxy, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &proxy{name: name}
	if p.child, err = spawn(ctx, s.proxies, self, "edge-role", dir); err != nil {
		return nil, err
	}
	client := edge.NewClient(filepath.Join(dir, edgeSocketName))
	err = p.child.ready(ctx, func() error {
		b, err := os.ReadFile(filepath.Join(dir, edgeAddressesName))
		var at edgeAddresses
		if err == nil {
			err = json.Unmarshal(b, &at)
		}
		p.plain, p.secure = at.Plain, at.TLS
		return errors.Join(err, client.Ready(ctx))
	})
	if err == nil {
		err = client.Publish(ctx, table)
	}
	if err != nil {
		p.child.stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, p.serves(ctx)
}

// table routes the one host of the measurement.
func (s *stage) table() edge.Table {
	return edge.Table{
		Version: 1,
		Routes: []edge.Route{{
			ServiceARN: "arn:aws:apprunner:us-east-1:123456789012:service/bench/0123456789abcdef0123456789abcdef", ServiceName: "bench",
			ServiceID: "0123456789abcdef0123456789abcdef", Hosts: []string{"localhost"}, MaxConcurrency: 100,
			Targets: []edge.Target{{InstanceID: "bench", Address: s.backend, Phase: edge.Active}},
		}},
		Certificates: []edge.Certificate{{Hosts: []string{"localhost"}, CertPEM: s.cert, KeyPEM: s.key}},
	}
}
