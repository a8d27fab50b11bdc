package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/source"
	"slipway.dev/slipway/internal/store"
)

// ProviderCredential is what opens the repositories of a connection.
type ProviderCredential = apprunner.ProviderCredential

// Handshake is what a person brings to complete a connection.
type Handshake = apprunner.Handshake

// CompleteConnection completes the handshake of a connection from the machine itself (§11): it needs the data directory and no access
// key, so that nobody can whom the operating system does not let read that. It works whether the installation runs or not.
func CompleteConnection(ctx context.Context, dataDir string, h Handshake) (conn apprunner.Connection, err error) {
	conf, err := readConfig(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return conn, fmt.Errorf("no Slipway has been started over %s; start one with `slipway up --data-dir %s`", dataDir, dataDir)
	}
	if err != nil {
		return conn, err
	}
	conf.DataDir = dataDir
	a, err := apprunner.ParseARN(h.ConnectionARN)
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
	scratch, err := os.MkdirTemp("", "slipway-handshake-") // a running control has a directory of its own, which git tidies when it starts
	if err != nil {
		return conn, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	git, err := source.New(source.Config{Dir: scratch, Environ: os.Environ(), PrivateDirs: []string{conf.DataDir}})
	if err != nil {
		return conn, err
	}
	c, err := control.New(control.Config{
		DB: db, Suffix: conf.Domain, Log: slog.New(slog.DiscardHandler), SealKey: seal, Providers: providers{git}, ProviderHosts: conf.providers(),
	})
	if err != nil {
		return conn, err
	}
	return c.CompleteHandshake(ctx, a.Scope, h)
}

// providers ask a provider about a credential by reading a repository with it.
type providers struct{ git *source.Git }

func (p providers) Accepts(ctx context.Context, repository, branch string, c apprunner.ProviderCredential) (bool, error) {
	_, err := p.git.Head(ctx, source.Repository{URL: repository, Branch: branch, Credential: credentialFor(c)})
	if apprunner.CodeOf(err) == apprunner.CodeAccessDenied {
		return false, nil
	}
	return err == nil, err
}
