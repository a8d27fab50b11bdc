package domain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// errUnlinked ends the work on an association that is not there any more.
var errUnlinked = errors.New("the domain was unlinked")

// work takes one association as far as it goes now.
func (r *Registrar) work(ctx context.Context, d apprunner.CustomDomain) {
	next, err := r.advance(ctx, d)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errUnlinked) {
		r.trouble(ctx, d, err)
	}
	r.finish(d, next, err != nil)
}

// advance does what an association's status asks for and tells when to look again.
func (r *Registrar) advance(ctx context.Context, d apprunner.CustomDomain) (time.Time, error) {
	now := r.cfg.Now()
	switch {
	case d.Status == apprunner.DomainActive:
		return r.renew(ctx, d, now)
	case now.After(d.CreatedAt.Add(r.cfg.ValidationTimeout)):
		return now, r.fail(ctx, d, CertificateTimedOut, fmt.Sprintf("its validation was not completed within %s", r.cfg.ValidationTimeout))
	case d.Status == apprunner.DomainPendingValidation:
		return r.validate(ctx, d, now)
	default:
		return now, r.bind(ctx, d)
	}
}

// validate looks for the validation records; when all are there, the certificate is next.
func (r *Registrar) validate(ctx context.Context, d apprunner.CustomDomain, now time.Time) (time.Time, error) {
	next := now.Add(checkEvery(now.Sub(d.CreatedAt)))
	seen, err := r.seen(ctx, d.Records)
	if slices.Equal(seen, d.Records) {
		if err != nil {
			r.cfg.Log.Debug("look for validation records", "domain", d.Name, "err", err) // asked again soon: this may be nothing
		}
		return next, nil
	}
	d, err = r.change(ctx, d, func(d *apprunner.CustomDomain, c *Certificate) {
		d.Records, c.Records = seen, seen
		if d.Validated() {
			d.Status = apprunner.DomainBindingCertificate
		}
	})
	if err != nil || !d.Validated() {
		return next, err
	}
	return now, r.bind(ctx, d)
}

// seen gives the records with the status they have in DNS now. Those that could not be asked for keep theirs.
func (r *Registrar) seen(ctx context.Context, records []apprunner.ValidationRecord) ([]apprunner.ValidationRecord, error) {
	out := slices.Clone(records)
	var failed error
	for i, rec := range out {
		target, err := r.cfg.Resolver.CNAME(ctx, rec.Name)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case strings.EqualFold(target, rec.Value):
			out[i].Status = apprunner.ValidationSuccess
		default:
			out[i].Status = apprunner.ValidationPending
		}
	}
	return out, failed
}

// bind gets the certificate, has the front door show it and route the hosts, and only then says that the domain is active.
func (r *Registrar) bind(ctx context.Context, d apprunner.CustomDomain) (err error) {
	if d.CertifiedAt.IsZero() {
		if d, err = r.firstCertificate(ctx, d); err != nil {
			return err
		}
	}
	if err := r.cfg.Publish(ctx); err != nil {
		return err
	}
	_, err = r.change(ctx, d, func(d *apprunner.CustomDomain, _ *Certificate) { d.Status = apprunner.DomainActive })
	if err == nil {
		r.tell(ctx, news{d.ServiceARN, "Custom domain " + d.Name + " is active.", false})
	}
	return err
}

// firstCertificate has one made, unless an imported one fits.
func (r *Registrar) firstCertificate(ctx context.Context, d apprunner.CustomDomain) (apprunner.CustomDomain, error) {
	_, found, err := r.servedWith(ctx, d)
	if err != nil {
		return d, err
	}
	if found {
		return r.change(ctx, d, func(d *apprunner.CustomDomain, _ *Certificate) { d.CertifiedAt = r.cfg.Now() })
	}
	return r.certify(ctx, d, Certificate{})
}

// certify gets a certificate in place of an earlier one, if there is any, and keeps it.
func (r *Registrar) certify(ctx context.Context, d apprunner.CustomDomain, earlier Certificate) (apprunner.CustomDomain, error) {
	p, leafed, err := r.obtain(ctx, d, earlier)
	if err != nil {
		return d, err
	}
	return r.changeWith(ctx, d, func(tx *store.Tx, d *apprunner.CustomDomain, c *Certificate) error {
		now := r.cfg.Now()
		if d.CertifiedAt.IsZero() {
			d.CertifiedAt = now
		}
		c.Status, c.IssuedAt, c.NotBefore, c.NotAfter, c.Reason, c.Warned, c.DaysTold = CertificateIssued, now, leafed.NotBefore, leafed.NotAfter, "", 0, 0
		return r.cfg.Certificates.putPair(tx, c.ARN, p)
	})
}

// validity is what is noted of a leaf.
type validity struct{ NotBefore, NotAfter time.Time }

// obtain has the issuer make a certificate, when the owner's CAA records allow it.
func (r *Registrar) obtain(ctx context.Context, d apprunner.CustomDomain, earlier Certificate) (Pair, validity, error) {
	identities, err := r.cfg.Issuer.Identities(ctx)
	if err != nil {
		return Pair{}, validity{}, err
	}
	for _, h := range d.Hosts() {
		if err := checkCAA(ctx, r.cfg.Resolver, h, identities); err != nil {
			return Pair{}, validity{}, err
		}
	}
	o := Order{Hosts: d.Hosts(), Targets: map[string]string{}}
	for _, rec := range d.Records {
		o.Targets[rec.Name] = rec.Value
	}
	if old, err := r.pair(ctx, earlier.ARN); err == nil {
		o.Replaces, _ = old.Leaf() // without it the issuer merely does not know what is replaced
	}
	p, err := r.cfg.Issuer.Issue(ctx, o)
	if err != nil {
		return p, validity{}, err
	}
	leaf, err := p.Leaf()
	if err != nil {
		return p, validity{}, fmt.Errorf("the issuer's certificate is of no use: %w", err)
	}
	return p, validity{leaf.NotBefore, leaf.NotAfter}, nil
}

const (
	renewLookEvery = 6 * time.Hour       // how often an issuer is asked when a certificate should be renewed
	takeOverBefore = 14 * 24 * time.Hour // when one is made in place of an imported one that nobody replaces
)

// renew replaces the certificate of an active domain when it is time and its owner still proves the domain.
func (r *Registrar) renew(ctx context.Context, d apprunner.CustomDomain, now time.Time) (time.Time, error) {
	later := now.Add(renewLookEvery)
	c, found, err := r.servedWith(ctx, d)
	if err != nil || !found || c.Imported && now.Before(c.NotAfter.Add(-takeOverBefore)) {
		return later, err
	}
	if c.Imported {
		if c, err = r.certificate(ctx, d.CertificateARN); err != nil {
			return later, err
		}
	}
	at, err := r.renewAt(ctx, c)
	if err != nil {
		return later, err
	}
	if now.Before(at) {
		if at.Before(later) {
			later = at
		}
		return later, nil
	}
	for _, rec := range d.Records {
		if target, err := r.cfg.Resolver.CNAME(ctx, rec.Name); err == nil && !strings.EqualFold(target, rec.Value) {
			return later, fmt.Errorf("the validation record is gone; put the CNAME %s with the value %s into DNS again", rec.Name, rec.Value)
		}
	}
	if _, err := r.certify(ctx, d, c); err != nil {
		return now, err
	}
	r.cfg.Log.Info("renewed a certificate", "domain", d.Name, "service_arn", d.ServiceARN)
	return now.Add(time.Minute), nil
}

// renewAt is when a certificate should be replaced; one that is not there or is over should have been.
func (r *Registrar) renewAt(ctx context.Context, c Certificate) (time.Time, error) {
	if c.Status != CertificateIssued {
		return time.Time{}, nil
	}
	p, err := r.pair(ctx, c.ARN)
	if err != nil {
		r.cfg.Log.Error("the key of a certificate cannot be opened; another certificate is made", "hosts", c.Hosts, "err", err)
		return time.Time{}, nil
	}
	leaf, err := p.Leaf()
	if err != nil {
		return time.Time{}, err
	}
	return r.cfg.Issuer.RenewAt(ctx, leaf), nil
}

// trouble notes a failure where people find it. Each is told once until it changes; a refusal ends the association.
func (r *Registrar) trouble(ctx context.Context, d apprunner.CustomDomain, failure error) {
	var final refusal
	if errors.As(failure, &final) && d.Status != apprunner.DomainActive {
		if err := r.fail(ctx, d, CertificateFailed, final.Error()); err != nil && !errors.Is(err, errUnlinked) {
			r.cfg.Log.Error("note that a custom domain failed", "domain", d.Name, "err", err)
		}
		return
	}
	reason, known := failure.Error(), false
	_, err := r.change(ctx, d, func(_ *apprunner.CustomDomain, c *Certificate) { known, c.Reason = c.Reason == reason, reason })
	if err == nil && !known {
		r.tell(ctx, news{d.ServiceARN, "Custom domain " + d.Name + " has no new certificate yet, and it is tried again: " + reason, true})
	}
}

// fail ends an association that did not come about.
func (r *Registrar) fail(ctx context.Context, d apprunner.CustomDomain, status CertificateStatus, reason string) error {
	_, err := r.change(ctx, d, func(d *apprunner.CustomDomain, c *Certificate) {
		d.Status, c.Status, c.Reason, c.FailedAt = apprunner.DomainCreateFailed, status, reason, r.cfg.Now()
		for i := range d.Records {
			if d.Records[i].Status != apprunner.ValidationSuccess {
				d.Records[i].Status = apprunner.ValidationFailed
			}
		}
		c.Records = d.Records
	})
	if err == nil {
		r.tell(ctx, news{d.ServiceARN, "Custom domain " + d.Name + " could not be linked: " + reason + ". Disassociate it and associate it again.", true})
	}
	return err
}

// servedWith is the certificate an association is served with, or will be once it is routed.
func (r *Registrar) servedWith(ctx context.Context, d apprunner.CustomDomain) (c Certificate, found bool, err error) {
	err = r.cfg.DB.View(ctx, func(tx *store.Tx) error {
		all, err := candidates(tx, d)
		c, found = hold(all, r.cfg.Now()).chosen(d)
		return err
	})
	return c, found, err
}

func (r *Registrar) certificate(ctx context.Context, arn string) (c Certificate, err error) {
	err = r.cfg.DB.View(ctx, func(tx *store.Tx) error {
		c, _, err = read(tx, arn)
		return err
	})
	return c, err
}

func (r *Registrar) pair(ctx context.Context, arn string) (p Pair, err error) {
	err = r.cfg.DB.View(ctx, func(tx *store.Tx) error {
		p, err = r.cfg.Certificates.pair(tx, arn)
		return err
	})
	return p, err
}

// change writes an association and its certificate, unless the domain was unlinked.
func (r *Registrar) change(ctx context.Context, d apprunner.CustomDomain, f func(*apprunner.CustomDomain, *Certificate)) (apprunner.CustomDomain, error) {
	return r.changeWith(ctx, d, func(_ *store.Tx, d *apprunner.CustomDomain, c *Certificate) error {
		f(d, c)
		return nil
	})
}

func (r *Registrar) changeWith(ctx context.Context, d apprunner.CustomDomain, f func(*store.Tx, *apprunner.CustomDomain, *Certificate) error) (apprunner.CustomDomain, error) {
	var now apprunner.CustomDomain
	err := r.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		is, found, err := tx.Domain(d.Name)
		if err != nil {
			return err
		}
		if !found || is.CertificateARN != d.CertificateARN {
			return errUnlinked
		}
		c, found, err := read(tx, is.CertificateARN)
		if err != nil {
			return err
		}
		if !found {
			c = newCertificate(is)
			if err := put(tx, c); err != nil {
				return err
			}
		}
		if err := f(tx, &is, &c); err != nil {
			return err
		}
		now = is
		return errors.Join(tx.PutDomain(is), put(tx, c))
	})
	return now, err
}
