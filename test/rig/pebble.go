package rig

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// pebbleVersion is Let's Encrypt's own test authority, built once into the user's cache.
const pebbleVersion = "v2.10.1"

var pebbleBinary = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "slipway", "tools", "pebble-"+pebbleVersion)
	path := filepath.Join(dir, "pebble")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.Command("go", "install", "github.com/letsencrypt/pebble/v2/cmd/pebble@"+pebbleVersion)
	cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pebble: %w\n%s", err, out)
	}
	return path, nil
})

// Pebble is an ACME authority that is not running yet. Its addresses are settled, so that installations can be told of it first.
type Pebble struct {
	Directory string // URL
	CAFile    string // what its own HTTPS is trusted by
	Blocked   string // a name it makes no certificate for

	dir, manage string
	roots       *x509.CertPool
}

// NewPebble makes the authority's own certificate and reserves its ports.
func NewPebble(t testing.TB) *Pebble {
	t.Helper()
	p := &Pebble{dir: t.TempDir(), Blocked: "blocked.test", roots: x509.NewCertPool()}
	p.CAFile = filepath.Join(p.dir, "cert.pem")
	p.Directory, p.manage = "https://"+freeAddress(t)+"/dir", "https://"+freeAddress(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(p.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if file == "cert.pem" {
			p.roots.AppendCertsFromPEM(pem.EncodeToMemory(block))
		}
	}
	return p
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start runs the authority until the test ends. It asks world's DNS, and connects to names at the installation's ports.
func (p *Pebble) Start(t testing.TB, world *DNS, h *House) {
	t.Helper()
	port := func(addr string) int {
		_, n, _ := net.SplitHostPort(addr)
		number, err := strconv.Atoi(n)
		if err != nil {
			t.Fatal(err)
		}
		return number
	}
	conf, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": strings.TrimSuffix(strings.TrimPrefix(p.Directory, "https://"), "/dir"), "managementListenAddress": strings.TrimPrefix(p.manage, "https://"),
		"certificate": p.CAFile, "privateKey": filepath.Join(p.dir, "key.pem"), "httpPort": port(h.Env["SLIPWAY_HTTP"]), "tlsPort": port(h.Env["SLIPWAY_HTTPS"]),
		"domainBlocklist": []string{p.Blocked}, "keyAlgorithm": "ecdsa", "caaIdentities": []string{"pebble.example"}, "retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, "config.json")
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	bin, err := pebbleBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-strict", "-config", file, "-dnsserver", world.Addr)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("pebble:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if root, err := p.call(http.MethodGet, "/roots/0", nil); err == nil && h.roots.AppendCertsFromPEM(root) {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("pebble does not answer: %v", err)
		}
	}
}

// RenewNow has the authority say that a certificate should have been renewed by now (ARI).
func (p *Pebble) RenewNow(t testing.TB, leaf *x509.Certificate) {
	t.Helper()
	window, err := json.Marshal(map[string]any{"suggestedWindow": map[string]time.Time{"start": time.Now().Add(-2 * time.Hour), "end": time.Now().Add(-time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{
		"Certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})), "ARIResponse": string(window),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.call(http.MethodPost, "/set-renewal-info/", body); err != nil {
		t.Fatal(err)
	}
}

func (p *Pebble) call(method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.manage+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return io.ReadAll(res.Body)
}
