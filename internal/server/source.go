package server

import (
	"context"
	"errors"
	"os"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/source"
	"slipway.dev/slipway/internal/store"
)

// openSource opens everything about git: fetching, the repositories hosted here, and what notices pushes.
func (s *System) openSource(ctx context.Context) (err error) {
	base := s.conf.APIURL() + "/git/"
	s.git, err = source.New(source.Config{
		Dir: s.conf.path("source"), Environ: os.Environ(), DenyFile: s.conf.FileSources != nil && !*s.conf.FileSources,
		PrivateDirs: []string{s.conf.DataDir}, Hosted: source.Hosted(s.conf.path("git"), base), Log: s.log,
	})
	if err != nil {
		return err
	}
	s.host, err = source.NewHost(source.HostConfig{
		Dir: s.conf.path("git"), Git: s.git, URLs: []string{base}, Authenticate: s.mayPush, Log: s.log,
		OnPush: func(_ context.Context, p source.Push) {
			s.watcher.Poke(source.Notice{URLs: []string{p.URL}, Branches: []string{p.Branch}})
		},
	})
	if err != nil {
		return err
	}
	s.watcher, err = source.NewWatcher(ctx, source.WatcherConfig{DB: s.db, Git: s.git, Services: &codeServices{sys: s}, Starter: codeStarter{s}, Log: s.log})
	if err != nil {
		return err
	}
	s.hooks, err = source.NewHooks(ctx, source.HooksConfig{DB: s.db, KeyFile: s.conf.path("hooks.key"), Poke: s.watcher.Poke, Log: s.log})
	return err
}

// connectionCredential is what opens the repositories of a connection.
func (s *System) connectionCredential(ctx context.Context, connectionARN string) (source.Credential, error) {
	c, err := s.control.ConnectionCredential(ctx, connectionARN)
	return credentialFor(c), err
}

// credentialFor is a connection's credential as git takes it.
func credentialFor(c apprunner.ProviderCredential) source.Credential {
	return source.Credential{Token: c.Token, User: c.User, Password: c.Password, PrivateKey: c.PrivateKey, KnownHosts: c.KnownHosts}
}

// codeServices shows the watcher, which asks from one goroutine, the services that are built from a repository.
type codeServices struct {
	sys      *System
	versions map[string]string // commit by deployment, which never changes once it is known
}

func (c *codeServices) WatchedServices(ctx context.Context) ([]source.Target, error) {
	var targets []source.Target
	connections := map[string]string{} // service ARN -> connection ARN
	versions := map[string]string{}
	err := c.sys.db.View(ctx, func(tx *store.Tx) error {
		services, err := tx.Services(apprunner.Scope{})
		if err != nil {
			return err
		}
		for _, s := range services {
			code := s.Source.Code
			if code == nil || s.Status == apprunner.StatusCreateFailed || s.Status == apprunner.StatusDeleteFailed {
				continue
			}
			connections[s.ARN()] = s.Source.ConnectionARN
			commit, err := c.commit(tx, s.DeploymentID)
			if err != nil {
				return err
			}
			versions[s.DeploymentID] = commit
			targets = append(targets, source.Target{
				ServiceARN: s.ARN(), Repository: source.Repository{URL: code.URL, Branch: code.Branch}, SourceDirectory: code.SourceDirectory,
				LastCommit: commit, Automatic: s.Source.AutoDeployments,
				Paused: s.Status == apprunner.StatusPaused, Busy: s.Status == apprunner.StatusInProgress,
			})
		}
		return nil
	})
	c.versions = versions
	for n, t := range targets {
		if arn := connections[t.ServiceARN]; arn != "" && err == nil {
			targets[n].Repository.Credential, err = c.sys.connectionCredential(ctx, arn)
		}
	}
	return targets, err
}

// commit is what a deployment was made of; empty while that is not known.
func (c *codeServices) commit(tx *store.Tx, deploymentID string) (string, error) {
	if known := c.versions[deploymentID]; known != "" {
		return known, nil
	}
	d, _, err := tx.Deployment(deploymentID)
	return d.Version, err
}

// codeStarter starts automatic deployments for the watcher.
type codeStarter struct{ sys *System }

func (c codeStarter) StartDeployment(ctx context.Context, serviceARN, commit string, automatic bool) error {
	a, err := apprunner.ParseARN(serviceARN)
	if err != nil {
		return err
	}
	_, err = c.sys.control.StartDeployment(ctx, a.Scope, serviceARN, automatic, commit)
	var e *apprunner.Error
	if errors.As(err, &e) && e.Code == apprunner.CodeInvalidRequest {
		return &apprunner.Error{Code: apprunner.CodeInvalidState, Message: e.Message, Err: err} // the API has no such code there (§1.3), the watcher has
	}
	return err
}
