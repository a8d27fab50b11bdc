package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/miekg/dns"

	"slipway.dev/slipway/test/rig"
)

// linked is what the CLI prints of a custom domain.
type linked struct {
	DomainName                   string
	EnableWWWSubdomain           bool
	Status                       string
	CertificateValidationRecords []struct{ Name, Type, Value, Status string }
}

// namesHouse is an installation whose custom domains are looked up in a DNS of the test, which knows the installation's own zone.
type namesHouse struct {
	house
	dns     *rig.DNS
	browser *http.Client
}

func newNamesHouse(t *testing.T, args ...string) namesHouse {
	t.Helper()
	world := rig.NewDNS(t)
	h := rig.Own(t, append([]string{"--dns-resolver", world.Addr, "--start-timeout", startTimeout, "--stop-grace", "5s", "--drain-timeout", "20s"}, args...)...)
	world.Delegate("apprunner.localhost", h.Env["SLIPWAY_DNS"])
	h.PushApp(t, "app", "v1", "v1")
	h.PushApp(t, "app", "v2", "v2")
	return namesHouse{house{h}, world, h.Browser(world)}
}

// link associates a domain by the stock CLI.
func (h namesHouse) link(t *testing.T, s rig.Service, domain string, more ...string) {
	t.Helper()
	var a struct {
		DNSTarget    string
		CustomDomain linked
	}
	h.must(t, &a, append([]string{"apprunner", "associate-custom-domain", "--service-arn", s.ARN(), "--domain-name", domain}, more...)...)
	if a.CustomDomain.Status != "creating" && a.CustomDomain.Status != "CREATING" || a.DNSTarget != s.Host() {
		t.Errorf("associating %s answers %+v", domain, a)
	}
}

func (h namesHouse) unlink(t *testing.T, s rig.Service, domain string) {
	t.Helper()
	var a struct{ CustomDomain linked }
	h.must(t, &a, "apprunner", "disassociate-custom-domain", "--service-arn", s.ARN(), "--domain-name", domain)
	if !strings.EqualFold(a.CustomDomain.Status, "DELETING") {
		t.Errorf("disassociating %s answers %+v", domain, a)
	}
}

// domains lists what is associated with a service.
func (h namesHouse) domains(t *testing.T, s rig.Service) map[string]linked {
	t.Helper()
	var a struct{ CustomDomains []linked }
	h.must(t, &a, "apprunner", "describe-custom-domains", "--service-arn", s.ARN())
	byName := map[string]linked{}
	for _, d := range a.CustomDomains {
		byName[d.DomainName] = d
	}
	return byName
}

// until waits for a status of a domain.
func (h namesHouse) until(t *testing.T, s rig.Service, domain, status string) linked {
	t.Helper()
	var d linked
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if d = h.domains(t, s)[domain]; strings.EqualFold(d.Status, status) {
			return d
		}
	}
	t.Fatalf("%s is %+v, want %s; events:\n%s", domain, d, status, s.Events())
	return d
}

// prove puts the validation records of a domain into DNS.
func (h namesHouse) prove(t *testing.T, s rig.Service, domain string) {
	t.Helper()
	for _, r := range h.domains(t, s)[domain].CertificateValidationRecords {
		h.dns.Set(t, r.Name+". 60 CNAME "+r.Value)
	}
}

// get asks for a page as a browser would; names are those of the certificate.
func (h namesHouse) get(t *testing.T, url string) (body string, names []string, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := h.browser.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.Status + " " + string(b), res.TLS.PeerCertificates[0].DNSNames, err
}

// shows checks who answers under a name, and with which certificate.
func (h namesHouse) shows(t *testing.T, host, version string, certificate ...string) {
	t.Helper()
	body, names, err := h.get(t, "https://"+host+"/")
	if err != nil || !strings.HasPrefix(body, "200 OK hello "+version) || len(certificate) > 0 && !slices.Equal(names, certificate) {
		t.Errorf("https://%s/: %q with a certificate for %v, %v; want %s, %v", host, body, names, err, version, certificate)
	}
}

// refused checks that a name is not served: no certificate is shown for it.
func (h namesHouse) refused(t *testing.T, host string) {
	t.Helper()
	body, _, err := h.get(t, "https://"+host+"/")
	var wrong *tls.CertificateVerificationError
	if !errors.As(err, &wrong) {
		t.Errorf("https://%s/ answers %q, %v", host, body, err)
	}
}

// TestCustomDomains goes with the stock CLI and a browser's eyes through what people do with their own names: two services, a root
// with its www name, a wildcard, and a name that is more specific than the wildcard.
//
// checklist: 114, 116, 117, 118, 119, 120, 121, 122, 123, 124
func TestCustomDomains(t *testing.T) {
	t.Parallel()
	h := newNamesHouse(t)
	one := h.Create(t, "domains-one", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	two := h.Create(t, "domains-two", rig.ImageSource("app", "v2", nil), types.ServiceStatusRunning, rig.Small)
	h.dns.Set(t, "example.com. 60 A 127.0.0.1") // a root cannot be an alias in DNS; its owner copies the address
	h.dns.Set(t, "www.example.com. 60 CNAME "+one.Host()+".")
	for _, name := range []string{"other", "login"} {
		h.dns.Set(t, name+".example.com. 60 CNAME "+two.Host()+".")
	}
	h.dns.Set(t, "a.login.example.com. 60 CNAME "+two.Host()+".")

	// A root with www: two records, and nothing happens before both are there.
	h.link(t, one, "Example.com")
	d := h.until(t, one, "example.com", "PENDING_CERTIFICATE_DNS_VALIDATION")
	if len(d.CertificateValidationRecords) != 2 || !d.EnableWWWSubdomain {
		t.Fatalf("%+v", d)
	}
	h.refused(t, "example.com")
	first := d.CertificateValidationRecords[0]
	h.dns.Set(t, first.Name+". 60 CNAME "+first.Value)
	for deadline := time.Now().Add(time.Minute); d.CertificateValidationRecords[0].Status != "SUCCESS" && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		d = h.domains(t, one)["example.com"]
	}
	if d.CertificateValidationRecords[0].Status != "SUCCESS" || d.CertificateValidationRecords[1].Status != "PENDING_VALIDATION" || !strings.EqualFold(d.Status, "PENDING_CERTIFICATE_DNS_VALIDATION") {
		t.Errorf("one record of two is there: %+v", d)
	}
	h.prove(t, one, "example.com")
	h.until(t, one, "example.com", "ACTIVE")
	h.shows(t, "example.com", "v1", "example.com", "www.example.com")
	h.shows(t, "www.example.com", "v1")
	h.shows(t, one.Host(), "v1")
	h.refused(t, "other.example.com")

	// A wildcard on another service. The record is that of the root, which is there already.
	for _, bad := range []string{"login*.example.com", "*.login.example.com"} {
		if _, err := h.AWS("apprunner", "associate-custom-domain", "--service-arn", two.ARN(), "--domain-name", bad); err == nil || !strings.Contains(err.Error(), "InvalidRequestException") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	h.link(t, two, "*.example.com")
	h.until(t, two, "*.example.com", "ACTIVE")
	h.shows(t, "other.example.com", "v2", "*.example.com")
	h.shows(t, "login.example.com", "v2", "*.example.com")
	h.shows(t, "example.com", "v1")
	h.refused(t, "a.login.example.com")

	// The specific name wins, with a certificate of its own, and without it the wildcard has it again.
	h.link(t, one, "login.example.com", "--no-enable-www-subdomain")
	h.prove(t, one, "login.example.com")
	h.until(t, one, "login.example.com", "ACTIVE")
	h.shows(t, "login.example.com", "v1", "login.example.com")
	h.shows(t, "other.example.com", "v2", "*.example.com")
	h.unlink(t, one, "login.example.com")
	if d, still := h.domains(t, one)["login.example.com"]; still {
		t.Errorf("the entry is still there: %+v", d)
	}
	eventually(t, "the wildcard takes over", func() bool {
		body, _, _ := h.get(t, "https://login.example.com/")
		return strings.Contains(body, "hello v2")
	})

	h.unlink(t, one, "example.com")
	eventually(t, "example.com is let go", func() bool { _, _, err := h.get(t, "https://example.com/"); return err != nil })
	h.shows(t, one.Host(), "v1")
	if events := one.Events(); !strings.Contains(events, "Custom domain example.com is active.") {
		t.Errorf("events:\n%s", events)
	}
}

// TestDomainsThatDoNotComeAbout: too late, forbidden by CAA, and a DNS that is broken for a while.
//
// checklist: 116
func TestDomainsThatDoNotComeAbout(t *testing.T) {
	t.Parallel()
	h := newNamesHouse(t, "--validation-timeout", "40s")
	s := h.Create(t, "late", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	h.dns.Set(t, "forbidden.test. 60 CAA 0 issue \"another.example\"")
	h.dns.Break("broken.test", dns.RcodeServerFailure)
	for _, name := range []string{"late.test", "a.forbidden.test", "broken.test"} {
		h.link(t, s, name, "--no-enable-www-subdomain")
	}
	h.prove(t, s, "a.forbidden.test")
	h.prove(t, s, "broken.test")
	h.until(t, s, "a.forbidden.test", "CREATE_FAILED")
	h.dns.Break("broken.test", 0)
	h.until(t, s, "broken.test", "ACTIVE")
	late := h.until(t, s, "late.test", "CREATE_FAILED")
	if late.CertificateValidationRecords[0].Status != "FAILED" {
		t.Errorf("%+v", late)
	}
	events := s.Events()
	for _, want := range []string{`add the record forbidden.test. CAA 0 issue "apprunner.localhost"`, "late.test could not be linked: its validation was not completed within 40s", "broken.test is active"} {
		if !strings.Contains(events, want) {
			t.Errorf("the events do not say %q:\n%s", want, events)
		}
	}
	h.unlink(t, s, "late.test")
}

// eventually waits for what takes a moment.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Errorf("not so after two minutes: %s", what)
}

// TestOtherRegions: a service of another region than the installation's own has a name in DNS and a certificate for it.
//
// checklist: 114
func TestOtherRegions(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	there := func(out any, args ...string) {
		t.Helper()
		h.must(t, out, append(append([]string{"apprunner"}, args...), "--region", "eu-central-1")...)
	}
	publish(t, "far/away", "v1", "v1")
	var a answer
	there(&a, "create-service", "--service-name", "far-away", "--source-configuration", asJSON(t, map[string]any{"AutoDeploymentsEnabled": false, "ImageRepository": map[string]any{
		"ImageIdentifier": "public.ecr.aws/far/away:v1", "ImageRepositoryType": "ECR_PUBLIC",
	}}), "--instance-configuration", "Cpu=256,Memory=512")
	t.Cleanup(func() { there(nil, "delete-service", "--service-arn", a.Service.ServiceArn) })
	eventually(t, "the service runs", func() bool {
		there(&a, "describe-service", "--service-arn", a.Service.ServiceArn)
		return a.Service.Status == "RUNNING"
	})
	if !strings.HasSuffix(a.Service.ServiceUrl, ".eu-central-1.apprunner.localhost") {
		t.Fatalf("%+v", a)
	}
	world := rig.NewDNS(t)
	world.Delegate("apprunner.localhost", h.Env["SLIPWAY_DNS"])
	n := namesHouse{h, world, h.Browser(world)}
	n.shows(t, a.Service.ServiceUrl, "v1", "*.eu-central-1.apprunner.localhost")
}
