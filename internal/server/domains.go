package server

import (
	"context"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// openDomains joins what takes custom domains from association to service.
func (s *System) openDomains(context.Context) (err error) {
	s.domains, err = domain.NewRegistrar(domain.RegistrarConfig{
		DB: s.db, Certificates: s.names.custom, Resolver: &domain.Resolver{Server: s.conf.DNSResolver}, Issuer: domain.NewLocalIssuer(s.names.ca, s.conf.Domain),
		Publish: s.work.Publish, Tell: s.tellService, ValidationTimeout: s.conf.ValidationTimeout, Keep: s.conf.CertificateRetention,
		Now: time.Now, Log: s.log,
	})
	return err
}

// tellService writes a line into a service's events log (§21). A service that is gone has nobody to read it.
func (s *System) tellService(ctx context.Context, serviceARN, text string) {
	var svc apprunner.Service
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		svc, _, err = tx.Service(serviceARN)
		return err
	})
	if err != nil || svc.ID == "" || svc.Status == apprunner.StatusDeleted {
		return
	}
	event := observe.Event{Time: time.Now().UTC(), Message: "[AppRunner] " + text}
	if err := s.logs.Append(ctx, svc.Scope, svc.LogGroup("service"), "events", []observe.Event{event}); err != nil && ctx.Err() == nil {
		s.log.Error("events log", "service_arn", serviceARN, "err", err)
	}
}
