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
type Handshake struct {
	ARN        string // of the connection, with or without its id
	Credential ProviderCredential
	// Repository and Branch are read once with the credential, where they are given. A provider that refuses it puts the connection
	// into ERROR; any other fault leaves the connection as it is.
	Repository, Branch string
}

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
	a, err := apprunner.ParseARN(h.ARN)
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
	settings := control.Config{DB: db, Suffix: conf.Domain, Log: slog.New(slog.DiscardHandler), SealKey: seal}
	if h.Repository != "" {
		git, err := source.New(source.Config{Dir: conf.path("source"), Environ: os.Environ(), PrivateDirs: []string{conf.DataDir}})
		if err != nil {
			return conn, err
		}
		settings.Providers = attempt{git, h}
	}
	c, err := control.New(settings)
	if err != nil {
		return conn, err
	}
	return c.CompleteHandshake(ctx, a.Scope, h.ARN, h.Credential)
}

// attempt asks a provider about a credential by reading a repository with it.
type attempt struct {
	git *source.Git
	h   Handshake
}

func (t attempt) Accepts(ctx context.Context, _ apprunner.ProviderType, c apprunner.ProviderCredential) (bool, error) {
	_, err := t.git.Head(ctx, source.Repository{URL: t.h.Repository, Branch: t.h.Branch, Credential: credentialFor(c)})
	if apprunner.CodeOf(err) == apprunner.CodeAccessDenied {
		return false, nil
	}
	return err == nil, err
}
