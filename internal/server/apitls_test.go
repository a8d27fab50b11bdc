package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/store"
)

func TestWhereTheAPIIsReached(t *testing.T) {
	cases := []struct {
		conf   Config
		url    string
		secure bool
	}{
		{Config{APIAddr: "127.0.0.1:7700"}, "http://127.0.0.1:7700", false},
		{Config{APIAddr: "[::1]:7700"}, "http://[::1]:7700", false},
		{Config{APIAddr: "localhost:7700"}, "http://localhost:7700", false},
		{Config{APIAddr: "0.0.0.0:7700"}, "https://127.0.0.1:7700", true},
		{Config{APIAddr: ":7700"}, "https://127.0.0.1:7700", true},
		{Config{APIAddr: "192.0.2.1:443"}, "https://192.0.2.1:443", true},
		{Config{APIAddr: "0.0.0.0:443", APINames: []string{"aws.example", "192.0.2.1"}}, "https://aws.example:443", true},
		{Config{APIAddr: "127.0.0.1:7700", APICert: "x"}, "https://127.0.0.1:7700", true},
	}
	for _, tc := range cases {
		if got := tc.conf.APIURL(); got != tc.url || tc.conf.apiTLS() != tc.secure {
			t.Errorf("%+v: %s, TLS %v", tc.conf, got, tc.conf.apiTLS())
		}
	}
	if err := (Config{APICert: "x"}).checkTLS(); err == nil || !strings.Contains(err.Error(), "api-key") {
		t.Errorf("a certificate without its key: %v", err)
	}
	if err := (Config{APICert: "/nothing", APIKey: "/nothing"}).checkTLS(); err == nil {
		t.Error("files that are not there")
	}
}

// secureAPI serves with a configuration's TLS and returns the address.
func secureAPI(t *testing.T, s *System) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") })
		if err := serveHTTP(ctx, l, h, s.apiServerTLS()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); group.Wait() })
	return l.Addr().String()
}

func testSystem(t *testing.T, c Config) *System {
	t.Helper()
	c.DataDir, c.Domain, c.Region, c.HTTPSAddr = t.TempDir(), "apprunner.localhost", "us-east-1", "127.0.0.1:8443"
	db, err := store.Open(t.Context(), c.path("slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &System{conf: c, db: db, log: slog.New(slog.DiscardHandler)}
	if err := errors.Join(s.openNetworks(t.Context()), s.openNames(t.Context())); err != nil {
		t.Fatal(err)
	}
	return s
}

// checklist: 6
func TestTheAPISpeaksModernTLS(t *testing.T) {
	s := testSystem(t, Config{APIAddr: "0.0.0.0:0", APINames: []string{"aws.example"}})
	at := secureAPI(t, s)
	roots, err := s.conf.apiRoots()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aws.example", "127.0.0.1", "localhost"} {
		for version, h2 := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: version, MaxVersion: version}, ForceAttemptHTTP2: h2}
			res, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get("https://" + at)
			if err != nil {
				t.Fatalf("%s, version %x: %v", name, version, err)
			}
			res.Body.Close()
			if res.TLS.Version != version || (res.ProtoMajor == 2) != h2 {
				t.Errorf("%s: version %x, %s", name, res.TLS.Version, res.Proto)
			}
			transport.CloseIdleConnections()
		}
	}
	for what, c := range map[string]*tls.Config{
		"TLS 1.1":              {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"no forward secrecy":   {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}},
		"a name it has not":    {ServerName: "other.example"},
		"another authority's":  {ServerName: "aws.example"},
		"nothing about itself": {ServerName: "us-east-1.apprunner.localhost"},
	} {
		c.RootCAs = roots
		if strings.HasPrefix(what, "another") {
			c.RootCAs = nil
		}
		if c.ServerName == "" {
			c.ServerName = "aws.example"
		}
		if conn, err := tls.Dial("tcp", at, c); err == nil {
			conn.Close()
			t.Errorf("%s: accepted", what)
		}
	}
}

func TestTheAPIShowsAGivenCertificate(t *testing.T) {
	maker := testSystem(t, Config{APIAddr: "0.0.0.0:0"})
	dir := t.TempDir()
	conf := Config{APIAddr: "127.0.0.1:0", APICert: filepath.Join(dir, "cert.pem"), APIKey: filepath.Join(dir, "key.pem")}
	write := func(host string, at time.Time) {
		cert, key, err := maker.names.ca.Certificate(t.Context(), []string{host})
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{conf.APICert: cert, conf.APIKey: key} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(name, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("one.localhost", time.Unix(1_000_000, 0))
	if err := conf.checkTLS(); err != nil {
		t.Fatal(err)
	}
	at := secureAPI(t, testSystem(t, conf))
	roots, err := maker.conf.apiRoots()
	if err != nil {
		t.Fatal(err)
	}
	for n, host := range []string{"one.localhost", "two.localhost"} {
		write(host, time.Unix(int64(2_000_000+n), 0))
		conn, err := tls.Dial("tcp", at, &tls.Config{RootCAs: roots, ServerName: host})
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		conn.Close()
	}
}
