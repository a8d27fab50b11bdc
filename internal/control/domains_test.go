package control_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

func (h *house) running(t *testing.T, name string) apprunner.Service {
	t.Helper()
	s := h.create(t, name)
	h.settle(t, s.ARN(), apprunner.StatusRunning)
	return s
}

// checklist: 119, 120, 121
func TestDomainNames(t *testing.T) {
	for name, tc := range map[string]struct {
		www  *bool
		kept string // "" = refused
		pair bool
	}{
		"example.com":                    {nil, "example.com", true},
		"Example.COM.":                   {p(false), "example.com", false},
		"login.example.com":              {nil, "login.example.com", true},
		"a.b.c.d.example.com":            {p(true), "a.b.c.d.example.com", true},
		"*.example.com":                  {nil, "*.example.com", false},
		"*.example.co.uk":                {p(false), "*.example.co.uk", false},
		"example.internal":               {nil, "example.internal", true},
		"*.example.net":                  {p(true), "", false},
		"login*.example.com":             {nil, "", false},
		"*.login.example.com":            {nil, "", false},
		"login.*.example.com":            {nil, "", false},
		"*.*.example.com":                {nil, "", false},
		"*.co.uk":                        {nil, "", false},
		"*.com":                          {nil, "", false},
		"*":                              {nil, "", false},
		"co.uk":                          {nil, "", false},
		"com":                            {nil, "", false},
		"a..example.com":                 {nil, "", false},
		"-a.example.com":                 {nil, "", false},
		"a-.example.com":                 {nil, "", false},
		"192.0.2.1":                      {nil, "", false},
		".example.com":                   {nil, "", false},
		"apprunner.test":                 {nil, "", false},
		"x.us-east-1.apprunner.test":     {nil, "", false},
		"*.apprunner.test":               {nil, "", false},
		strings.Repeat("a", 64) + ".com": {nil, "", false},
	} {
		h := open(t, nil)
		s := h.running(t, "web-app")
		d, err := h.AssociateCustomDomain(t.Context(), scope, s.ARN(), name, tc.www)
		if tc.kept == "" {
			code(t, name, err, ir)
			continue
		}
		if err != nil || d.List[0].Name != tc.kept || d.List[0].WWW != tc.pair || d.List[0].Status != apprunner.DomainCreating {
			t.Errorf("%s: %+v, %v", name, d.List, err)
		}
	}
}

// checklist: 115, 116, 124
func TestDomainsOfAService(t *testing.T) {
	h := open(t, nil)
	one, two := h.running(t, "one-app"), h.running(t, "two-app")
	link := func(s apprunner.Service, name string) error {
		_, err := h.AssociateCustomDomain(t.Context(), scope, s.ARN(), name, nil)
		return err
	}
	for i := range 5 {
		code(t, "domain", link(one, fmt.Sprintf("site-%d.example.com", i)), "")
	}
	code(t, "the sixth", link(one, "site-6.example.com"), ir)
	code(t, "on another service", link(two, "site-0.example.com"), ir)
	code(t, "the www name of a pair", link(two, "www.site-0.example.com"), ir)
	code(t, "a wildcard of the same zone", link(two, "*.example.com"), "")
	code(t, "the same again", link(two, "*.example.com"), ir)
	code(t, "of a service that is not there", func() error {
		_, err := h.AssociateCustomDomain(t.Context(), scope, prefix+"service/none", "a.example.org", nil)
		return err
	}(), nf)

	d, err := h.DescribeCustomDomains(t.Context(), scope, one.ARN())
	if err != nil || len(d.List) != 5 || d.Service.URL != one.URL {
		t.Fatalf("%+v, %v", d, err)
	}
	form := regexp.MustCompile(`^_acme-challenge\.(www\.)?site-\d\.example\.com _[0-9a-f]{32}\.[a-z]{10}\.acm-validations\.apprunner\.test\. PENDING_VALIDATION$`)
	for _, c := range d.List {
		if c.Status != apprunner.DomainPendingValidation || len(c.Records) != 2 {
			t.Errorf("%+v", c)
		}
		for _, r := range c.Records {
			if got := r.Name + " " + r.Value + " " + string(r.Status); !form.MatchString(got) {
				t.Errorf("record %s", got)
			}
		}
	}
	wild, _ := h.DescribeCustomDomains(t.Context(), scope, two.ARN())
	if r := wild.List[0].Records; len(r) != 1 || !strings.HasSuffix(r[0].Name, ".example.com") || strings.Contains(r[0].Name, "*") {
		t.Errorf("the record of a wildcard is that of its parent: %+v", r)
	}
	if _, err := h.DisassociateCustomDomain(t.Context(), scope, two.ARN(), "site-0.example.com"); apprunner.CodeOf(err) != nf {
		t.Errorf("of another service: %v", err)
	}
	gone, err := h.DisassociateCustomDomain(t.Context(), scope, one.ARN(), "SITE-0.example.com")
	if err != nil || gone.List[0].Status != apprunner.DomainDeleting {
		t.Errorf("%+v, %v", gone.List, err)
	}
	_, err = h.DisassociateCustomDomain(t.Context(), scope, one.ARN(), "site-0.example.com")
	code(t, "again", err, nf)
	code(t, "its www name is free", link(two, "www.site-0.example.com"), "")
}

// setDomain changes an association as the room that validates names does.
func (h *house) setDomain(t *testing.T, name string, change func(*apprunner.CustomDomain)) {
	t.Helper()
	err := h.db.Update(t.Context(), func(tx *store.Tx) error {
		d, _, err := tx.Domain(name)
		if err != nil {
			return err
		}
		change(&d)
		return tx.PutDomain(d)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDomainsAreDrivenByAnotherRoom(t *testing.T) {
	h := open(t, nil)
	s := h.running(t, "web-app")
	if _, err := h.AssociateCustomDomain(t.Context(), scope, s.ARN(), "example.com", nil); err != nil {
		t.Fatal(err)
	}
	h.setDomain(t, "example.com", func(d *apprunner.CustomDomain) { d.Status = apprunner.DomainCreating })
	_, err := h.DisassociateCustomDomain(t.Context(), scope, s.ARN(), "example.com")
	code(t, "while it is made", err, is)
	h.setDomain(t, "example.com", func(d *apprunner.CustomDomain) { d.Status = apprunner.DomainActive })
	d, _ := h.DescribeCustomDomains(t.Context(), scope, s.ARN())
	if d.List[0].Status != apprunner.DomainActive {
		t.Errorf("%+v", d.List)
	}
	if _, _, err := h.DeleteService(t.Context(), scope, s.ARN()); err != nil {
		t.Fatal(err)
	}
	err = h.db.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Domains("")
		if len(all) != 0 {
			t.Errorf("a deleted service gives its names free: %+v", all)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A name in DNS has one CNAME, so what one owner has to prove at one name is one record.
func TestOneNameIsProvenByOneRecord(t *testing.T) {
	h := open(t, nil)
	one, two := h.running(t, "one-app"), h.running(t, "two-app")
	record := func(s apprunner.Service, name string) apprunner.ValidationRecord {
		d, err := h.AssociateCustomDomain(t.Context(), scope, s.ARN(), name, p(false))
		if err != nil {
			t.Fatal(err)
		}
		return d.List[0].Records[0]
	}
	root := record(one, "example.com")
	if wild := record(two, "*.example.com"); wild != root {
		t.Errorf("%+v and %+v", root, wild)
	}
	if sub := record(two, "a.example.com"); sub.Value == root.Value {
		t.Errorf("another name has the same value: %+v", sub)
	}
	for s, name := range map[*apprunner.Service]string{&one: "example.com", &two: "*.example.com"} {
		if _, err := h.DisassociateCustomDomain(t.Context(), scope, s.ARN(), name); err != nil {
			t.Fatal(err)
		}
	}
	if again := record(one, "example.com"); again.Value == root.Value {
		t.Errorf("linking again must take a new record: %+v", again) // §16.6
	}
}
