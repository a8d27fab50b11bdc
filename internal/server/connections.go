package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/store"
)

// ProviderCredential is what opens the repositories of a connection.
type ProviderCredential = apprunner.ProviderCredential

// CompleteConnection completes the handshake of a connection from the machine itself (§11): it needs the data directory and no access
// key, so that nobody can whom the operating system does not let read that. It works whether the installation runs or not.
func CompleteConnection(ctx context.Context, dataDir, arn string, cred ProviderCredential) (conn apprunner.Connection, err error) {
	conf, err := readConfig(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return conn, fmt.Errorf("no Slipway has been started over %s; start one with `slipway up --data-dir %s`", dataDir, dataDir)
	}
	if err != nil {
		return conn, err
	}
	conf.DataDir = dataDir
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return conn, err
	}
	seal, err := keyFile(conf.path("connections.key"))
	if err != nil {
		return conn, err
	}
	db, err := store.Open(ctx, conf.path("slipway.db"))
	if err != nil {
		return conn, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := control.New(control.Config{DB: db, Suffix: conf.Domain, Log: slog.New(slog.DiscardHandler), SealKey: seal})
	if err != nil {
		return conn, err
	}
	return c.CompleteHandshake(ctx, a.Scope, arn, cred)
}
