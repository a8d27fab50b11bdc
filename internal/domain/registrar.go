package domain

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// resolver asks the DNS of the world.
type resolver interface {
	CNAME(ctx context.Context, name string) (string, error)
	caaLookup
}

// RegistrarConfig is what a Registrar needs.
type RegistrarConfig struct {
	DB           *store.DB
	Certificates *Certificates
	Resolver     resolver
	Issuer       CustomIssuer

	// Publish returns when the front door routes by the store and shows its certificates.
	Publish func(context.Context) error
	// Tell lets the owner of a service know.
	Tell func(ctx context.Context, serviceARN, text string)
	// Announce puts the event about a certificate's end on the bus, in the transaction that notes it.
	Announce func(*store.Tx, Expiry) error

	ValidationTimeout time.Duration // how long the owner of a domain may take to prove it; 0: 72 hours (§16.3)
	Keep              time.Duration // how long certificates of unlinked domains are kept; 0: 7 days (§16.6)

	Now func() time.Time
	Log *slog.Logger
}

// Registrar takes custom domains from their association to being served, and keeps them so: it looks for their validation records,
// has certificates made and renewed, and lets go of what is not needed any more. It is the one writer of an association's status after
// its first. All it must remember is in the store; a Registrar that starts goes on where the last one ended.
type Registrar struct {
	cfg RegistrarConfig

	mu       sync.Mutex
	attempts map[string]*attempt // by certificate ARN
	nudge    chan struct{}

	// What Run has read, and when the chores are due whatever changes.
	known    bool
	version  string
	domains  []apprunner.CustomDomain
	all      []Certificate
	choresAt time.Time
}

// attempt is when an association is looked at next.
type attempt struct {
	busy     bool
	next     time.Time
	failures int
}

const (
	workersAtOnce     = 32
	settle            = 200 * time.Millisecond // bounds how often records are read while much changes
	lookAtLeastEvery  = time.Hour
	validationTimeout = 72 * time.Hour
	keepUnlinked      = 7 * 24 * time.Hour
)

// NewRegistrar checks the configuration; nothing happens until Run.
func NewRegistrar(cfg RegistrarConfig) (*Registrar, error) {
	if cfg.DB == nil || cfg.Certificates == nil || cfg.Resolver == nil || cfg.Issuer == nil || cfg.Publish == nil || cfg.Tell == nil || cfg.Announce == nil || cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("domain: the configuration of the registrar is incomplete")
	}
	if cfg.ValidationTimeout == 0 {
		cfg.ValidationTimeout = validationTimeout
	}
	if cfg.Keep == 0 {
		cfg.Keep = keepUnlinked
	}
	return &Registrar{cfg: cfg, attempts: map[string]*attempt{}, nudge: make(chan struct{}, 1)}, nil
}

// Run works until ctx ends.
func (r *Registrar) Run(ctx context.Context) error {
	var workers errgroup.Group
	workers.SetLimit(workersAtOnce)
	for ctx.Err() == nil {
		changed := r.cfg.DB.Changed()
		next, err := r.round(ctx, &workers)
		if err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("look after custom domains", "err", err)
			next = r.cfg.Now().Add(10 * time.Second)
		}
		r.rest(ctx, changed, next)
	}
	return workers.Wait()
}

// rest waits until something changed or is due.
func (r *Registrar) rest(ctx context.Context, changed <-chan struct{}, next time.Time) {
	due := time.NewTimer(next.Sub(r.cfg.Now()))
	defer due.Stop()
	select {
	case <-ctx.Done():
		return
	case <-due.C:
		return
	case <-changed:
	case <-r.nudge:
	}
	calm := time.NewTimer(settle)
	defer calm.Stop()
	select {
	case <-ctx.Done():
	case <-calm.C:
	}
}

// round does the chores, gives the associations that are due to workers, and tells when to come back.
func (r *Registrar) round(ctx context.Context, workers *errgroup.Group) (time.Time, error) {
	now := r.cfg.Now()
	fresh, err := r.read(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if fresh || !now.Before(r.choresAt) {
		if err := r.do(ctx, choresOf(r.domains, r.all, now, r.cfg.Keep)); err != nil {
			return time.Time{}, err
		}
		if r.choresAt = now.Add(lookAtLeastEvery); !nextEnd(r.all, r.cfg.Keep).IsZero() {
			r.choresAt = earlier(r.choresAt, nextEnd(r.all, r.cfg.Keep))
		}
		r.dropAttempts(r.domains)
	}
	for _, d := range r.domains {
		if r.claim(d, now) && !workers.TryGo(func() error { r.work(ctx, d); return nil }) {
			r.finish(d, now.Add(settle), false)
		}
	}
	return earlier(r.nextLook(now), r.choresAt), nil
}

// read brings what is known of the records up to date, and tells whether anything had changed.
func (r *Registrar) read(ctx context.Context) (fresh bool, err error) {
	err = r.cfg.DB.View(ctx, func(tx *store.Tx) error {
		version, err := tx.DomainsVersion()
		if err != nil || r.known && version == r.version {
			return err
		}
		domains, err := tx.Domains("")
		if err != nil {
			return err
		}
		all, err := list(tx, apprunner.Scope{})
		if err != nil {
			return err
		}
		fresh, r.known, r.version, r.domains, r.all = true, true, version, domains, all
		return nil
	})
	return fresh, err
}

// do carries chores out. A record that changed since they were decided is left to the next round.
func (r *Registrar) do(ctx context.Context, c chores) error {
	if c.none() {
		return nil
	}
	err := r.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		for _, cert := range c.put {
			if err := r.keep(tx, cert, c.expiries); err != nil {
				return err
			}
		}
		for _, arn := range c.forget {
			if err := forget(tx, arn); err != nil {
				return err
			}
		}
		for _, d := range c.failed {
			if now, found, err := tx.Domain(d.Name); err != nil || !found || now.CertificateARN != d.CertificateARN {
				return err
			}
			if err := tx.PutDomain(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.tell(ctx, c.news...)
	}
	return err
}

// keep writes the record of a certificate of a domain that is still linked, or whose record is still there, and tells of its end.
func (r *Registrar) keep(tx *store.Tx, c Certificate, expiries map[string]Expiry) error {
	now, found, err := read(tx, c.ARN)
	if err != nil || found && now.IssuedAt.After(c.IssuedAt) {
		return err // it was renewed meanwhile
	}
	if found {
		c.Tags = now.Tags
	} else if c.Imported {
		return nil
	}
	if err := put(tx, c); err != nil {
		return err
	}
	if e, told := expiries[c.ARN]; told {
		return r.cfg.Announce(tx, e)
	}
	return nil
}

func (r *Registrar) tell(ctx context.Context, all ...news) {
	for _, n := range all {
		level := slog.LevelInfo
		if n.bad {
			level = slog.LevelWarn
		}
		r.cfg.Log.Log(ctx, level, n.text, "service_arn", n.serviceARN)
		r.cfg.Tell(ctx, n.serviceARN, n.text)
	}
}

// claim takes an association that is due and that nobody works on.
func (r *Registrar) claim(d apprunner.CustomDomain, now time.Time) bool {
	switch d.Status {
	case apprunner.DomainPendingValidation, apprunner.DomainBindingCertificate, apprunner.DomainActive:
	case apprunner.DomainCreating, apprunner.DomainCreateFailed, apprunner.DomainDeleting, apprunner.DomainDeleteFailed:
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.attempts[d.CertificateARN]
	if a == nil {
		a = &attempt{}
		r.attempts[d.CertificateARN] = a
	}
	if a.busy || now.Before(a.next) {
		return false
	}
	a.busy = true
	return true
}

// finish gives an association back, to be looked at again at next; after a failure later the more there were.
func (r *Registrar) finish(d apprunner.CustomDomain, next time.Time, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.attempts[d.CertificateARN]
	if a == nil {
		return // unlinked meanwhile
	}
	a.busy = false
	a.failures++
	if !failed {
		a.failures = 0
	} else if later := r.cfg.Now().Add(backOff(a.failures)); later.After(next) {
		next = later
	}
	if end := d.CreatedAt.Add(r.cfg.ValidationTimeout + time.Second); d.Status != apprunner.DomainActive && end.Before(next) {
		next = end // it fails then, whatever pause it is in
	}
	a.next = next
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

func (r *Registrar) dropAttempts(domains []apprunner.CustomDomain) {
	linked := map[string]bool{}
	for _, d := range domains {
		linked[d.CertificateARN] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for arn := range r.attempts {
		if !linked[arn] {
			delete(r.attempts, arn)
		}
	}
}

func (r *Registrar) nextLook(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := now.Add(lookAtLeastEvery)
	for _, a := range r.attempts {
		if !a.busy && a.next.Before(next) {
			next = a.next
		}
	}
	if soonest := now.Add(settle); next.Before(soonest) {
		return soonest
	}
	return next
}
