package domain

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

const wildcard = "*.us-east-1.apprunner.localhost"

// clock is a time tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func openCA(t testing.TB, dir string, c *clock, permit ...string) *CA {
	t.Helper()
	if permit == nil {
		permit = []string{"apprunner.localhost"}
	}
	ca, err := OpenCA(CAConfig{Dir: filepath.Join(dir, "ca"), Export: filepath.Join(dir, "ca.pem"), Permit: permit, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca *CA, hosts ...string) (tls.Certificate, string) {
	t.Helper()
	chain, key, err := ca.Certificate(t.Context(), hosts)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair, string(chain)
}

// verify checks a chain the way Go clients do.
func verify(ca *CA, pair tls.Certificate, host string, at time.Time) error {
	return verifyBy(string(ca.RootPEM()), pair, host, at)
}

func verifyBy(trusted string, pair tls.Certificate, host string, at time.Time) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(trusted))
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		between.AddCert(c)
	}
	_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between, CurrentTime: at})
	return err
}

func TestCertificatesAreAcceptedByClients(t *testing.T) {
	dir := t.TempDir()
	ca := openCA(t, dir, &clock{time.Now()})
	pair, chain := issue(t, ca, wildcard)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello "+r.Host) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	defer server.Close()
	addr := server.Listener.Addr().String()
	const url = "https://abc.us-east-1.apprunner.localhost/"

	t.Run("Go", func(t *testing.T) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca.RootPEM())
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		}}
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if _, err := client.Get("https://a.b.us-east-1.apprunner.localhost/"); err == nil {
			t.Error("the wildcard covers two labels")
		}
	})
	t.Run("curl", func(t *testing.T) {
		if _, err := exec.LookPath("curl"); err != nil {
			t.Skip("curl is not installed")
		}
		out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--cacert", filepath.Join(dir, "ca.pem"), "--connect-to", "::"+addr, url).CombinedOutput()
		if err != nil || string(out) != "hello abc.us-east-1.apprunner.localhost" {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("openssl", func(t *testing.T) {
		if _, err := exec.LookPath("openssl"); err != nil {
			t.Skip("openssl is not installed")
		}
		file := filepath.Join(t.TempDir(), "chain.pem")
		if err := os.WriteFile(file, []byte(chain), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "abc.us-east-1.apprunner.localhost",
			"-CAfile", filepath.Join(dir, "ca.pem"), "-untrusted", file, file).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

func TestCertificatesAreKeptAndRenewed(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	ca := openCA(t, dir, c)
	root := string(ca.RootPEM())
	first, chain := issue(t, ca, wildcard)
	if _, ok := first.PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Errorf("key of type %T", first.PrivateKey)
	}
	if life := first.Leaf.NotAfter.Sub(first.Leaf.NotBefore); life > 90*24*time.Hour {
		t.Errorf("life of %s", life)
	}
	ca = openCA(t, dir, c)
	if _, again := issue(t, ca, strings.ToUpper(wildcard)+"."); again != chain {
		t.Error("a restart made a new certificate")
	}
	c.now = RenewAt(first.Leaf.NotBefore, first.Leaf.NotAfter).Add(-time.Minute)
	if _, again := issue(t, ca, wildcard); again != chain {
		t.Error("renewed too early")
	}
	var told []string
	ca.cfg.OnRenew = func(hosts []string) { told = append(told, hosts...) }
	c.now = c.now.Add(2 * time.Minute)
	if err := ca.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, renewed := issue(t, ca, wildcard)
	if renewed == chain || len(told) != 1 || told[0] != wildcard {
		t.Errorf("not renewed or not told: %v", told)
	}
	if err := verify(ca, second, "abc.us-east-1.apprunner.localhost", c.now); err != nil {
		t.Error(err)
	}
	// Long after, intermediate and leaf are both new; the root, which people trust, is the same.
	c.now = c.now.Add(3 * 365 * 24 * time.Hour)
	third, _ := issue(t, ca, wildcard)
	if err := verify(ca, third, "abc.us-east-1.apprunner.localhost", c.now); err != nil {
		t.Error(err)
	}
	if string(openCA(t, dir, c).RootPEM()) != root {
		t.Error("the root changed")
	}
}

func TestTheCASpeaksOnlyForItsNames(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	ca := openCA(t, dir, c, "apprunner.localhost", "192.0.2.7")
	for _, hosts := range [][]string{{"example.com"}, {wildcard, "example.com"}, {"xapprunner.localhost.evil"}, {"8.8.8.8"}, {}, {"a b"}, {"*"}, {"a.*.localhost"}, {"-x.localhost"}} {
		_, _, err := ca.Certificate(t.Context(), hosts)
		if apprunner.CodeOf(err) != apprunner.CodeInvalidRequest || err == nil {
			t.Errorf("%q: %v", hosts, err)
		}
	}
	ok, _ := issue(t, ca, "localhost", "127.0.0.1", "::1", "192.0.2.7", "api.apprunner.localhost")
	for _, h := range []string{"localhost", "127.0.0.1", "::1", "192.0.2.7"} {
		if err := verify(ca, ok, h, c.now); err != nil {
			t.Errorf("%s: %v", h, err)
		}
	}
	// Even who steals the intermediate cannot speak for others.
	ca.permit.domains = append(ca.permit.domains, "example.com")
	forged, err := ca.issue([]string{"example.com"}, ca.intermediate)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(forged.chain, forged.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(ca, pair, "example.com", c.now); err == nil {
		t.Error("the name constraints do not hold")
	}
	// Another domain configured: a new intermediate, the same root.
	other := openCA(t, dir, c, "apps.example.net")
	if string(other.RootPEM()) != string(ca.RootPEM()) {
		t.Error("the root changed")
	}
	moved, _ := issue(t, other, "*.eu-west-1.apps.example.net")
	if err := verify(other, moved, "x.eu-west-1.apps.example.net", c.now); err != nil {
		t.Error(err)
	}
}

func TestFilesOfTheCA(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	issue(t, openCA(t, dir, c), wildcard)
	if st, _ := os.Stat(filepath.Join(dir, "ca")); st.Mode().Perm() != 0o700 {
		t.Errorf("mode of ca: %v", st.Mode())
	}
	err := filepath.Walk(filepath.Join(dir, "ca"), func(p string, st os.FileInfo, err error) error {
		if err == nil && st.Mode().IsRegular() && st.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: %v", p, st.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	exported, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if block, rest := pem.Decode(exported); block.Type != "CERTIFICATE" || len(rest) > 0 {
		t.Errorf("ca.pem holds %q", exported)
	}

	// A damaged leaf or intermediate is made anew; a damaged root is not, because people trust it.
	leaves, _ := filepath.Glob(filepath.Join(dir, "ca", "leaves", "*"))
	for _, f := range append(leaves, filepath.Join(dir, "ca", "intermediate.pem")) {
		if err := os.WriteFile(f, []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ca := openCA(t, dir, c)
	pair, _ := issue(t, ca, wildcard)
	if err := verify(ca, pair, "x.us-east-1.apprunner.localhost", c.now); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca", "root.pem"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCA(CAConfig{Dir: filepath.Join(dir, "ca")}); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("a damaged root: %v", err)
	}
}

func TestRenewAt(t *testing.T) {
	begin := time.Unix(0, 0)
	if got := RenewAt(begin, begin.Add(90*time.Hour)); got != begin.Add(60*time.Hour) {
		t.Error(got)
	}
}

// A root is followed by another one in time, and whoever trusts what is published at any moment trusts what is signed a year later.
func TestTheRootIsRotated(t *testing.T) {
	c := &clock{time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	ca := openCA(t, dir, c)
	first := string(ca.RootPEM())
	ends := ca.root.cert.NotAfter
	var published []string
	for month := 0; c.now.Before(ends.Add(365 * 24 * time.Hour)); month++ {
		if month%7 == 3 { // a restart comes to the same as running on
			ca = openCA(t, dir, c)
		} else if err := ca.rotate(); err != nil {
			t.Fatal(err)
		}
		leaf, _ := issue(t, ca, wildcard)
		custom, err := ca.IssueApart([]string{"shop.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		apart, err := tls.X509KeyPair(custom.Chain, custom.Key)
		if err != nil {
			t.Fatal(err)
		}
		exported, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
		if err != nil || string(exported) != string(ca.RootPEM()) {
			t.Fatalf("%s: what is published is not what is trusted: %v", c.now, err)
		}
		published = append(published, string(exported))
		trusted := published[max(0, len(published)-12)] // that of eleven months ago
		for host, cert := range map[string]tls.Certificate{"x.us-east-1.apprunner.localhost": leaf, "shop.example.com": apart} {
			if err := verifyBy(trusted, cert, host, c.now); err != nil {
				t.Fatalf("%s, %s: %v", c.now, host, err)
			}
		}
		c.now = c.now.AddDate(0, 1, 0)
	}
	if last := published[len(published)-1]; strings.Contains(last, first) || strings.Count(last, "BEGIN") != 1 {
		t.Errorf("the old root is still there:\n%s", last)
	}
}

// What is made for custom domains is good for them and for nothing else, and nobody can make more of it.
func TestCertificatesApart(t *testing.T) {
	c := &clock{time.Now()}
	ca := openCA(t, t.TempDir(), c)
	p, err := ca.IssueApart([]string{"example.com", "www.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(p.Chain, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"example.com": true, "www.example.com": true, "a.example.com": false, "example.org": false} {
		if err := verify(ca, cert, host, c.now); (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
	between, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil || !between.PermittedDNSDomainsCritical || strings.Join(between.PermittedDNSDomains, " ") != "example.com www.example.com" || !between.MaxPathLenZero {
		t.Errorf("the intermediate may speak for %v, %v", between.PermittedDNSDomains, err)
	}
	if _, err := ca.IssueApart([]string{"not a host"}); err == nil {
		t.Error("a certificate for what is no host")
	}
}
