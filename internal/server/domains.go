package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// openDomains joins what takes custom domains from association to service.
func (s *System) openDomains(context.Context) error {
	s.names.proofs.Publish = s.work.Publish
	issuer, err := s.customIssuer()
	if err != nil {
		return err
	}
	s.domains, err = domain.NewRegistrar(domain.RegistrarConfig{
		DB: s.db, Certificates: s.names.custom, Resolver: &domain.Resolver{Server: s.conf.DNSResolver}, Issuer: issuer,
		Publish: s.work.Publish, Tell: s.tellService, Announce: announceExpiry, ValidationTimeout: s.conf.ValidationTimeout, Keep: s.conf.CertificateRetention,
		Now: time.Now, Log: s.log,
	})
	// No authority but the own one makes certificates for names that exist on one machine only.
	if s.names.acme = s.conf.ACMEDirectory != "" && !strings.HasSuffix("."+s.conf.Domain, ".localhost"); s.names.acme {
		s.standing = &domain.Standing{Certificates: s.names.custom, Issuer: issuer, Wanted: s.names.wildcards, Now: time.Now, Log: s.log}
	}
	return err
}

// runDomains looks after all names until ctx ends.
func (s *System) runDomains(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.domains.Run(ctx) })
	if s.standing != nil {
		g.Go(func() error { return s.standing.Run(ctx) })
	}
	return g.Wait()
}

// customIssuer is who makes certificates for custom domains.
func (s *System) customIssuer() (domain.CustomIssuer, error) {
	if s.conf.ACMEDirectory == "" {
		return domain.NewLocalIssuer(s.names.ca, s.conf.Domain), nil
	}
	c := domain.ACMEConfig{
		Directory: s.conf.ACMEDirectory, Email: s.conf.ACMEEmail, Challenge: s.conf.ACMEChallenge, EABKeyID: s.conf.ACMEEABKeyID, EABKey: s.conf.ACMEEABKey,
		KeyFile: s.conf.path("acme", "account.key"), Names: &s.names.directory, Proofs: &s.names.proofs, Log: s.log,
	}
	if s.conf.ACMERoots != "" {
		pem, err := os.ReadFile(s.conf.ACMERoots)
		if err != nil {
			return nil, fmt.Errorf("acme-ca: %w", err)
		}
		if c.Roots = x509.NewCertPool(); !c.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("acme-ca: %s holds no certificate", s.conf.ACMERoots)
		}
	}
	return domain.NewACME(c)
}

// Challenges are what the edge shows certificate authorities.
func (n *names) Challenges() []edge.Challenge {
	var list []edge.Challenge
	for _, p := range n.proofs.List() {
		list = append(list, edge.Challenge{Host: p.Host, Token: p.Token, Answer: p.Answer, CertPEM: p.Chain, KeyPEM: p.Key})
	}
	return list
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
