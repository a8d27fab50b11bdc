package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/observe/events/pattern"
	"slipway.dev/slipway/internal/store"
)

// starter starts deployments.
type starter interface {
	StartDeployment(ctx context.Context, sc apprunner.Scope, arn string, automatic bool, version string) (string, error)
}

// imageDeployments starts a deployment of every service whose image tag was pushed (§8.1). Pushes that arrive while a service
// is busy collapse into one deployment when it is free again; those that arrive while it is paused are let go.
type imageDeployments struct {
	db      *store.DB
	control starter
	log     *slog.Logger

	mu      sync.Mutex
	waiting map[string]string // service ARN -> digest pushed while it was busy
}

// pushed handles one push.
func (d *imageDeployments) pushed(ctx context.Context, e image.PushEvent) {
	var services []apprunner.Service
	err := d.db.View(ctx, func(tx *store.Tx) (err error) {
		services, err = tx.Services(apprunner.Scope{})
		return err
	})
	push, unread := parsedPush(e)
	if err := errors.Join(err, unread); err != nil {
		d.log.Error("image push", "err", err)
		return
	}
	for _, s := range services {
		if follows(s, push) {
			d.start(ctx, s, e.Digest)
		}
	}
}

// follows tells whether a push is one that the rule of a service chooses.
func follows(s apprunner.Service, push map[string]any) bool {
	r, is := pushRule(s)
	if !is {
		return false
	}
	p, err := pattern.Compile(r.Pattern)
	return err == nil && p.Matches(push)
}

// start deploys a pushed image, now or when the service is free.
func (d *imageDeployments) start(ctx context.Context, s apprunner.Service, digest string) {
	var current string
	err := d.db.View(ctx, func(tx *store.Tx) error {
		dep, _, err := tx.Deployment(s.DeploymentID)
		current = dep.Version
		return err
	})
	switch {
	case err != nil:
		d.log.Error("image push", "service_arn", s.ARN(), "err", err)
	case s.Status == apprunner.StatusInProgress:
		d.mu.Lock()
		d.waiting[s.ARN()] = digest
		d.mu.Unlock()
	case s.Status == apprunner.StatusRunning && current != digest:
		if _, err := d.control.StartDeployment(ctx, s.Scope, s.ARN(), true, digest); err != nil {
			d.log.Warn("automatic deployment not started", "service_arn", s.ARN(), "err", err)
		}
	}
}

// run looks after the services that were busy, at every change.
func (d *imageDeployments) run(ctx context.Context) error {
	for {
		changed := d.db.Changed()
		for arn, digest := range d.takeWaiting() {
			var s apprunner.Service
			err := d.db.View(ctx, func(tx *store.Tx) (err error) {
				s, _, err = tx.Service(arn)
				return err
			})
			if err == nil {
				d.start(ctx, s, digest) // waits again while it is busy; a paused or deleted service lets it go
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (d *imageDeployments) takeWaiting() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.waiting
	d.waiting = map[string]string{}
	return w
}
