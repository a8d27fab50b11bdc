package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// leaf is the certificate shown for a name.
func (h namesHouse) leaf(t *testing.T, host string) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", h.Env["SLIPWAY_HTTPS"], &tls.Config{ServerName: host, InsecureSkipVerify: true}) // whom to trust is another test
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// byPebble checks that a name is served with a certificate of the ACME authority.
func (h namesHouse) byPebble(t *testing.T, host string) *x509.Certificate {
	t.Helper()
	h.shows(t, host, "v1")
	l := h.leaf(t, host)
	if !strings.Contains(l.Issuer.CommonName, "Pebble") {
		t.Errorf("%s has a certificate of %s", host, l.Issuer)
	}
	return l
}

// TestACMEByDNS proves names to an authority that speaks ACME through the one record their owner put into DNS, wildcards too, and
// renews when the authority says so. An authority that is away, and names it will not have, are told to the owner.
//
// checklist: 116, 118
func TestACMEByDNS(t *testing.T) {
	t.Parallel()
	pebble := rig.NewPebble(t)
	h := newNamesHouse(t, "--acme-directory", pebble.Directory, "--acme-ca", pebble.CAFile, "--acme-email", "owner@example.com")
	s := h.Create(t, "acme-dns", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	for _, name := range []string{"example.com.", "www.example.com.", "any.example.com."} {
		h.dns.Set(t, name+" 60 A 127.0.0.1")
	}
	h.link(t, s, "example.com")
	h.prove(t, s, "example.com")
	eventually(t, "the events say that the authority is away", func() bool { return strings.Contains(s.Events(), "example.com has no new certificate yet") })
	h.until(t, s, "example.com", "BINDING_CERTIFICATE")
	pebble.Start(t, h.dns, h.House)
	h.until(t, s, "example.com", "ACTIVE")
	first := h.byPebble(t, "www.example.com")

	h.link(t, s, "*.example.com")
	h.until(t, s, "*.example.com", "ACTIVE")
	h.byPebble(t, "any.example.com")
	h.shows(t, s.Host(), "v1")

	h.link(t, s, pebble.Blocked, "--no-enable-www-subdomain")
	h.prove(t, s, pebble.Blocked)
	h.until(t, s, pebble.Blocked, "CREATE_FAILED")
	h.dns.Set(t, "caa.test. 60 CAA 0 issue \"another.example\"")
	h.link(t, s, "caa.test", "--no-enable-www-subdomain")
	h.prove(t, s, "caa.test")
	h.until(t, s, "caa.test", "CREATE_FAILED")
	for _, want := range []string{"refused (rejectedIdentifier)", `add the record caa.test. CAA 0 issue "pebble.example"`} {
		if events := s.Events(); !strings.Contains(events, want) {
			t.Errorf("the events do not say %q:\n%s", want, events)
		}
	}

	info, err := os.Stat(filepath.Join(h.Dir, "acme", "account.key"))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the account's key: %v, %v", info, err)
	}
	pebble.RenewNow(t, first)
	pid, err := h.PID("control")
	if err != nil {
		t.Fatal(err)
	}
	h.Kill(t, "control")
	h.Reborn(t, "control", pid)
	eventually(t, "the certificate is renewed", func() bool { return !h.leaf(t, "example.com").Equal(first) })
	h.byPebble(t, "example.com")
}
