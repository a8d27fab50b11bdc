package domain

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"slipway.dev/slipway/internal/store"
)

// Standing keeps certificates for the installation's own names, such as the wildcard of its default domains. They are nobody's, so the
// certificate API does not show them.
type Standing struct {
	Certificates *Certificates
	Issuer       CustomIssuer
	Wanted       func() []string // the names, each of which gets a certificate of its own
	Now          func() time.Time
	Log          *slog.Logger

	mu       sync.Mutex
	attempts map[string]attempt
}

// standingLook is how often it is looked whether something is due.
const standingLook = 5 * time.Second

// standingARN is the key of the record; it names no resource of anybody.
func standingARN(host string) string { return "standing:" + host }

// Run gets and renews certificates until ctx ends.
func (s *Standing) Run(ctx context.Context) error {
	tick := time.NewTicker(standingLook)
	defer tick.Stop()
	for {
		for _, host := range s.Wanted() {
			s.look(ctx, host)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look gets the certificate of a name when it is due, and notes when to look again.
func (s *Standing) look(ctx context.Context, host string) {
	s.mu.Lock()
	a := s.attempts[host]
	s.mu.Unlock()
	now := s.Now()
	if now.Before(a.next) {
		return
	}
	next, err := s.advance(ctx, host, now)
	a.failures, a.next = a.failures+1, now.Add(backOff(a.failures+1))
	switch {
	case err == nil:
		a = attempt{next: next}
	case ctx.Err() == nil:
		s.Log.Warn("no certificate of the authority for the default domains yet; the local CA's is shown", "host", host, "next", a.next, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts == nil {
		s.attempts = map[string]attempt{}
	}
	s.attempts[host] = a
}

func (s *Standing) advance(ctx context.Context, host string, now time.Time) (time.Time, error) {
	o := Order{Hosts: []string{host}}
	if p, found, err := s.Certificates.Own(ctx, host); err != nil {
		return now, err
	} else if found {
		if o.Replaces, err = p.Leaf(); err != nil {
			return now, err
		}
		if at := s.Issuer.RenewAt(ctx, o.Replaces); now.Before(at) {
			return earlier(at, now.Add(renewLookEvery)), nil
		}
	}
	p, err := s.Issuer.Issue(ctx, o)
	if err != nil {
		return now, err
	}
	leaf, err := p.Leaf()
	if err != nil {
		return now, err
	}
	c := Certificate{
		ARN: standingARN(host), Hosts: o.Hosts, Standing: true, Status: CertificateIssued, CreatedAt: now, IssuedAt: now, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
	}
	s.Log.Info("the authority made a certificate for the default domains", "host", host, "expires", leaf.NotAfter)
	return now.Add(time.Minute), s.Certificates.db.Update(ctx, func(tx *store.Tx) error {
		if err := put(tx, c); err != nil {
			return err
		}
		return s.Certificates.putPair(tx, c.ARN, p)
	})
}

// Own gives the certificate for one of the installation's own names, when there is one that is good.
func (s *Certificates) Own(ctx context.Context, host string) (p Pair, found bool, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, known, err := read(tx, standingARN(host))
		if found = known && c.Live(s.now()); err != nil || !found {
			return err
		}
		p, err = s.pair(tx, c.ARN)
		found = err == nil // one that cannot be opened is made anew
		return nil
	})
	return p, found, err
}
