package domain

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

var shop = apprunner.Service{Scope: apprunner.Scope{Account: "123456789012", Region: "us-east-1"}, Name: "shop", ID: "0123456789abcdef0123456789abcdef"}

// office is a registrar whose DNS, issuer and clock belong to the test.
type office struct {
	*Registrar
	t       testing.TB
	clock   *clock
	db      *store.DB
	aliases map[string]string
	caa     map[string][]*dns.CAA
	issue   func(Order) error // nil: it is issued
	orders  []time.Time
	told    []string
	ends    []Expiry
	ca      *CA
	publish func()
}

func (o *office) CNAME(_ context.Context, name string) (string, error) { return o.aliases[name], nil }

func (o *office) CAA(_ context.Context, name string) ([]*dns.CAA, error) { return o.caa[name], nil }

func (o *office) Issue(_ context.Context, order Order) (Pair, error) {
	o.orders = append(o.orders, o.clock.now)
	if o.issue != nil {
		if err := o.issue(order); err != nil {
			return Pair{}, err
		}
	}
	return o.ca.IssueApart(order.Hosts)
}

func (o *office) Identities(context.Context) ([]string, error) { return []string{"ca.example"}, nil }

func (o *office) RenewAt(_ context.Context, leaf *x509.Certificate) time.Time {
	return RenewAt(leaf.NotBefore, leaf.NotAfter)
}

func newOffice(t testing.TB) *office {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o := &office{t: t, clock: &clock{time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}, db: db, aliases: map[string]string{}, caa: map[string][]*dns.CAA{}, publish: func() {}}
	o.ca = openCA(t, t.TempDir(), o.clock)
	o.restart()
	return o
}

// restart begins with another registrar over the same records.
func (o *office) restart() {
	o.t.Helper()
	kept, err := OpenCertificates(o.t.Context(), o.db, make([]byte, 32), o.clock.Now)
	if err != nil {
		o.t.Fatal(err)
	}
	o.Registrar, err = NewRegistrar(RegistrarConfig{
		DB: o.db, Certificates: kept, Resolver: o, Issuer: o, Publish: func(context.Context) error { o.publish(); return nil },
		Tell:     func(_ context.Context, _, text string) { o.told = append(o.told, text) },
		Announce: func(_ *store.Tx, e Expiry) error { o.ends = append(o.ends, e); return nil }, Now: o.clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// tick lets the registrar do what is due.
func (o *office) tick() {
	o.t.Helper()
	var workers errgroup.Group
	workers.SetLimit(1)
	if _, err := o.round(o.t.Context(), &workers); err != nil {
		o.t.Fatal(err)
	}
	if err := workers.Wait(); err != nil {
		o.t.Fatal(err)
	}
}

// pass lets time pass in steps.
func (o *office) pass(whole, step time.Duration) {
	o.t.Helper()
	for end := o.clock.now.Add(whole); o.clock.now.Before(end); {
		o.clock.now = o.clock.now.Add(step)
		o.tick()
	}
}

func (o *office) link(name string) apprunner.CustomDomain {
	o.t.Helper()
	d := apprunner.NewCustomDomain(name, false, shop, "apprunner.localhost", func(string) string { return "" }, o.clock.now)
	if err := o.db.Update(o.t.Context(), func(tx *store.Tx) error { return tx.InsertDomain(d) }); err != nil {
		o.t.Fatal(err)
	}
	return d
}

func (o *office) prove(d apprunner.CustomDomain) {
	for _, r := range d.Records {
		o.aliases[r.Name] = r.Value
	}
}

func (o *office) unlink(name string) {
	o.t.Helper()
	if err := o.db.Update(o.t.Context(), func(tx *store.Tx) error { return tx.DeleteDomain(name) }); err != nil {
		o.t.Fatal(err)
	}
}

// at gives an association, and its certificate when there is one.
func (o *office) at(d apprunner.CustomDomain) (apprunner.CustomDomain, Certificate) {
	o.t.Helper()
	var now apprunner.CustomDomain
	var c Certificate
	err := o.db.View(o.t.Context(), func(tx *store.Tx) (err error) {
		if now, _, err = tx.Domain(d.Name); err == nil {
			c, _, err = read(tx, d.CertificateARN)
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return now, c
}

func (o *office) is(d apprunner.CustomDomain, status apprunner.DomainStatus, certificate CertificateStatus) {
	o.t.Helper()
	if now, c := o.at(d); now.Status != status || c.Status != certificate {
		o.t.Errorf("%s: %s is %q with a certificate %q (%s), want %q, %q", o.clock.now, d.Name, now.Status, c.Status, c.Reason, status, certificate)
	}
}

func (o *office) heard(text string) {
	o.t.Helper()
	if all := strings.Join(o.told, "\n"); !strings.Contains(all, text) {
		o.t.Errorf("nobody was told %q but\n%s", text, all)
	}
}

// A domain from its association to the end of a certificate that could not be renewed.
func TestTheLifeOfADomain(t *testing.T) {
	o := newOffice(t)
	d := o.link("example.com")
	o.tick()
	o.is(d, apprunner.DomainPendingValidation, CertificatePending)
	o.pass(time.Minute, time.Second)
	o.is(d, apprunner.DomainPendingValidation, CertificatePending)
	o.prove(d)
	o.publish = func() {
		if now, _ := o.at(d); now.Status != apprunner.DomainBindingCertificate || !now.Routed() {
			t.Errorf("published while the domain is %+v", now)
		}
	}
	o.pass(2*time.Second, time.Second)
	o.is(d, apprunner.DomainActive, CertificateIssued)
	o.heard("Custom domain example.com is active.")
	o.publish = func() {}

	_, first := o.at(d)
	o.pass(70*24*time.Hour, 6*time.Hour)
	if _, c := o.at(d); !c.NotAfter.After(first.NotAfter) || len(o.orders) != 2 {
		t.Errorf("after 70 of 90 days: %+v, %d orders", c, len(o.orders))
	}
	clear(o.aliases)
	o.pass(75*24*time.Hour, 6*time.Hour)
	o.is(d, apprunner.DomainActive, CertificateIssued)
	o.heard("the validation record is gone; put the CNAME _acme-challenge.example.com")
	o.heard("expires in less than 14 days")
	o.pass(15*24*time.Hour, 6*time.Hour)
	o.is(d, apprunner.DomainCreateFailed, CertificateExpired)
	o.heard("Disassociate the domain and associate it again.")
	for _, text := range o.told {
		if n := strings.Count(strings.Join(o.told, "\n"), text); n != 1 {
			t.Errorf("told %d times: %s", n, text)
		}
	}
}

// Certificates outlive their domains for seven days, and another association takes none of them over.
//
// checklist: 125
func TestCertificatesOfUnlinkedDomains(t *testing.T) {
	o := newOffice(t)
	never, d := o.link("never.example.com"), o.link("example.com")
	o.prove(d)
	o.tick()
	o.is(d, apprunner.DomainActive, CertificateIssued)
	o.unlink("example.com")
	o.unlink("never.example.com")
	o.tick()
	if _, c := o.at(never); c.ARN != "" {
		t.Errorf("a certificate that never was is kept: %+v", c)
	}
	o.pass(6*24*time.Hour, 12*time.Hour)
	again := o.link("example.com")
	o.pass(12*time.Hour, time.Hour)
	if _, c := o.at(d); c.Status != CertificateIssued || c.ReleasedAt.IsZero() {
		t.Errorf("after six days: %+v", c)
	}
	o.is(again, apprunner.DomainPendingValidation, CertificatePending)
	o.pass(13*time.Hour, time.Hour)
	if _, c := o.at(d); c.ARN != "" {
		t.Errorf("after seven days: %+v", c)
	}
	if served, err := o.cfg.Certificates.Served(t.Context()); err != nil || len(served) != 0 {
		t.Errorf("%+v, %v", served, err)
	}
}

// Issuers shut those out who ask too often; owners want to know why it takes so long.
func TestFailuresAreRetriedWithPauses(t *testing.T) {
	o := newOffice(t)
	o.issue = func(Order) error { return errors.New("the authority is away") }
	d := o.link("example.com")
	o.prove(d)
	o.pass(71*time.Hour, 10*time.Second)
	o.is(d, apprunner.DomainBindingCertificate, CertificatePending)
	o.heard("has no new certificate yet, and it is tried again: the authority is away")
	if n := len(o.orders); n < 12 || n > 25 || len(o.told) != 1 {
		t.Errorf("%d orders in 71 hours, told %q", n, o.told)
	}
	o.pass(2*time.Hour, time.Minute)
	o.is(d, apprunner.DomainCreateFailed, CertificateTimedOut)

	o.issue = func(Order) error { return refusal{errors.New("never for you")} }
	other := o.link("a.example.com")
	o.prove(other)
	o.tick()
	o.is(other, apprunner.DomainCreateFailed, CertificateFailed)
	o.heard("never for you")
}

// A registrar that ends anywhere leaves work that the next one finishes.
func TestARegistrarGoesOnWhereTheLastOneEnded(t *testing.T) {
	o := newOffice(t)
	d := o.link("example.com")
	o.prove(d)
	o.publish = func() { panic("the power is gone") }
	func() {
		defer func() { _ = recover() }()
		if err := o.bindForTest(d); err != nil {
			t.Error(err)
		}
	}()
	o.is(d, apprunner.DomainBindingCertificate, CertificateIssued)
	o.publish = func() {}
	o.restart()
	o.tick()
	o.is(d, apprunner.DomainActive, CertificateIssued)
	if len(o.orders) != 1 {
		t.Errorf("%d orders", len(o.orders))
	}
}

// bindForTest validates and binds on the caller's goroutine, where a panic can be caught.
func (o *office) bindForTest(d apprunner.CustomDomain) error {
	_, err := o.validate(o.t.Context(), d, o.clock.now)
	return err
}

// importOf takes a pair apart as people bring it.
func importOf(p Pair) Import {
	cut := strings.Index(string(p.Chain), "-----END CERTIFICATE-----\n") + len("-----END CERTIFICATE-----\n")
	return Import{Certificate: p.Chain[:cut], Chain: p.Chain[cut:], Key: p.Key}
}

// A certificate that was brought along is shown in place of the own one for as long as it is good, and then the own one is made.
func TestBroughtCertificates(t *testing.T) {
	o := newOffice(t)
	p, err := o.ca.IssueApart([]string{"*.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	arn, err := o.cfg.Certificates.Import(t.Context(), shop.Scope, importOf(p))
	if err != nil {
		t.Fatal(err)
	}
	d, root := o.link("a.example.com"), o.link("example.com")
	o.prove(d)
	o.prove(root)
	o.pass(3*time.Second, time.Second)
	o.is(d, apprunner.DomainActive, CertificatePending)
	o.is(root, apprunner.DomainActive, CertificateIssued)
	if c, err := o.cfg.Certificates.Get(t.Context(), shop.Scope, arn); err != nil || len(c.InUseBy) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	o.pass(91*24*time.Hour, 6*time.Hour)
	o.is(d, apprunner.DomainActive, CertificateIssued)
	o.heard("The certificate of *.example.com expires in less than a day")
}

// Who loses the key that seals keys loses no domain: others are served meanwhile, and new certificates are made.
func TestALostSealIsHealed(t *testing.T) {
	o := newOffice(t)
	d := o.link("example.com")
	o.prove(d)
	o.tick()
	o.is(d, apprunner.DomainActive, CertificateIssued)
	var err error
	if o.cfg.Certificates, err = OpenCertificates(t.Context(), o.db, []byte("another key of thirty-two bytes!"), o.clock.Now); err != nil {
		t.Fatal(err)
	}
	if served, err := o.cfg.Certificates.Served(t.Context()); err != nil || len(served) != 0 {
		t.Errorf("%d, %v", len(served), err)
	}
	o.pass(7*time.Hour, time.Hour)
	if served, err := o.cfg.Certificates.Served(t.Context()); err != nil || len(served) != 1 || len(o.orders) != 2 {
		t.Errorf("%d, %v, %d orders", len(served), err, len(o.orders))
	}
}

// A round over 2,000 domains, and the certificates for a routing table of them.
func BenchmarkManyDomains(b *testing.B) {
	o := newOffice(b)
	p, err := o.ca.IssueApart([]string{"*.example.com"})
	if err != nil {
		b.Fatal(err)
	}
	err = o.db.Update(b.Context(), func(tx *store.Tx) error {
		for i := range 2000 {
			d := apprunner.NewCustomDomain(fmt.Sprintf("site-%d.example.com", i), false, shop, "apprunner.localhost", func(string) string { return "" }, o.clock.now)
			c := newCertificate(d)
			d.Status, d.CertifiedAt = apprunner.DomainActive, o.clock.now
			c.Status, c.IssuedAt, c.NotBefore, c.NotAfter = CertificateIssued, o.clock.now, o.clock.now, o.clock.now.Add(leafLife)
			if err := errors.Join(tx.InsertDomain(d), put(tx, c), o.cfg.Certificates.putPair(tx, c.ARN, p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("round", func(b *testing.B) {
		for b.Loop() {
			o.tick()
		}
	})
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			if served, err := o.cfg.Certificates.Served(b.Context()); err != nil || len(served) != 2000 {
				b.Fatal(len(served), err)
			}
		}
	})
}
