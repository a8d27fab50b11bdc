package control_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
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
	form := regexp.MustCompile(`^_[0-9a-f]{32}\.(www\.)?site-\d\.example\.com _[0-9a-f]{32}\.[a-z]{10}\.acm-validations\.apprunner\.test\. PENDING_VALIDATION$`)
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

func TestDomainsAreDrivenByAnotherRoom(t *testing.T) {
	h := open(t, nil)
	s := h.running(t, "web-app")
	if _, err := h.AssociateCustomDomain(t.Context(), scope, s.ARN(), "example.com", nil); err != nil {
		t.Fatal(err)
	}
	all, err := h.CustomDomains(t.Context())
	if err != nil || len(all) != 1 || all[0].ServiceARN != s.ARN() {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := h.SetDomainStatus(t.Context(), s.ARN(), "example.com", apprunner.DomainCreating, ""); err != nil {
		t.Fatal(err)
	}
	_, err = h.DisassociateCustomDomain(t.Context(), scope, s.ARN(), "example.com")
	code(t, "while it is made", err, is)
	if err := h.SetDomainStatus(t.Context(), s.ARN(), "example.com", apprunner.DomainActive, apprunner.ValidationSuccess); err != nil {
		t.Fatal(err)
	}
	d, _ := h.DescribeCustomDomains(t.Context(), scope, s.ARN())
	if d.List[0].Status != apprunner.DomainActive || d.List[0].Records[1].Status != apprunner.ValidationSuccess {
		t.Errorf("%+v", d.List)
	}
	if _, _, err := h.DeleteService(t.Context(), scope, s.ARN()); err != nil {
		t.Fatal(err)
	}
	if all, _ := h.CustomDomains(t.Context()); len(all) != 0 {
		t.Errorf("a deleted service gives its names free: %+v", all)
	}
	if err := h.SetDomainStatus(t.Context(), s.ARN(), "example.com", apprunner.DomainActive, ""); err != nil {
		t.Errorf("the work may end late: %v", err)
	}
}
