package domain

import (
	"slices"
	"testing"
	"time"
)

// days are those that were told of a certificate, in order.
func (o *office) days(arn string) (list []int) {
	for _, e := range o.ends {
		if e.Certificate.ARN == arn {
			list = append(list, e.Days)
		}
	}
	return list
}

// downTo is from, from-1 and so on to the last one.
func downTo(from, last int) (list []int) {
	for ; from >= last; from-- {
		list = append(list, from)
	}
	return list
}

// The end of a certificate that nobody replaces is told once a day from 45 days before, whatever restarts there are, and then that it has
// come.
func TestTheEndOfABroughtCertificateIsToldDaily(t *testing.T) {
	o := newOffice(t)
	in := brought(t, o, "*.example.com")
	arn, err := o.cfg.Certificates.Import(t.Context(), shop.Scope, in)
	if err != nil {
		t.Fatal(err)
	}
	for range 44 * 4 {
		o.pass(6*time.Hour, 6*time.Hour)
		o.restart()
	}
	if got := o.days(arn); len(got) != 0 {
		t.Errorf("in the first 44 of 90 days: %v", got)
	}
	for range 47 * 4 {
		o.pass(6*time.Hour, 6*time.Hour)
		o.restart()
	}
	if got := o.days(arn); !slices.Equal(got, downTo(tellFrom, 0)) {
		t.Errorf("%v", got)
	}
	if last := o.ends[len(o.ends)-1]; last.InUse || last.Certificate.Status != CertificateExpired {
		t.Errorf("%+v", last)
	}
}

// brought is a certificate of 90 days to import.
func brought(t *testing.T, o *office, host string) Import {
	t.Helper()
	p, err := o.ca.IssueApart([]string{host})
	if err != nil {
		t.Fatal(err)
	}
	return importOf(p)
}

// A certificate that is renewed in time is nobody's concern; one whose renewal fails is, until it succeeds.
func TestOnlyFailedRenewalsAreTold(t *testing.T) {
	o := newOffice(t)
	d := o.link("example.com")
	o.prove(d)
	o.tick()
	o.pass(100*24*time.Hour, 6*time.Hour) // renewed after 60 days
	if got := o.days(d.CertificateARN); len(got) != 0 {
		t.Fatalf("%v", got)
	}
	clear(o.aliases) // from the 120th day on it cannot be renewed, and ends at the 150th
	o.pass(30*24*time.Hour, 6*time.Hour)
	got := o.days(d.CertificateARN)
	if want := downTo(30, 20); len(got) < 10 || !slices.Equal(got, want[:len(got)]) {
		t.Errorf("%v", got)
	}
	if !o.ends[0].InUse {
		t.Errorf("%+v", o.ends[0])
	}
	o.prove(d)
	o.pass(3*24*time.Hour, 6*time.Hour)
	n := len(o.ends)
	o.pass(50*24*time.Hour, 6*time.Hour)
	if len(o.ends) != n {
		t.Errorf("after it was renewed: %v", o.days(d.CertificateARN)[n:])
	}
}

func TestWhoseEndMatters(t *testing.T) {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	made := Certificate{Status: CertificateIssued, NotBefore: begin, NotAfter: begin.Add(90 * day)}
	imported, released, failing := made, made, made
	imported.Imported, released.ReleasedAt, failing.Reason = true, begin, "the authority is away"
	for name, c := range map[string]struct {
		certificate Certificate
		after       time.Duration
		days        int
		matters     bool
	}{
		"an imported one, early":          {imported, 44 * day, 46, false},
		"45 days before":                  {imported, 45 * day, 45, true},
		"a moment later":                  {imported, 45*day + time.Second, 45, true},
		"a day later":                     {imported, 46 * day, 44, true},
		"the last day":                    {imported, 89*day + time.Hour, 1, true},
		"one of an unlinked domain":       {released, 50 * day, 40, true},
		"one that is renewed later":       {made, 50 * day, 40, false},
		"one that is due for its renewal": {made, 60*day + time.Hour, 30, false},
		"one a day after that":            {made, 61 * day, 29, true},
		"one whose renewal failed":        {failing, 60 * day, 30, true},
		"one that failed, but is not due": {failing, 50 * day, 40, false},
	} {
		if days, matters := expiryDays(c.certificate, begin.Add(c.after)); days != c.days || matters != c.matters {
			t.Errorf("%s: %d days, %v", name, days, matters)
		}
	}
}
