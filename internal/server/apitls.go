package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"slipway.dev/slipway/internal/edge"
)

// apiTLS tells whether the API listener speaks TLS: on every address but a loopback one, and wherever a certificate is given (§1.1).
func (c Config) apiTLS() bool { return c.APICert != "" || !isLoopback(c.APIAddr) }

// apiHost is what clients on this machine reach the API by: the first name given, else the listener's own address.
func (c Config) apiHost() string {
	host, port, err := net.SplitHostPort(c.APIAddr)
	if err != nil {
		return c.APIAddr
	}
	switch {
	case len(c.APINames) > 0:
		host = c.APINames[0]
	case host == "":
		host = "127.0.0.1"
	default:
		if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
			host = "127.0.0.1"
		}
	}
	return net.JoinHostPort(host, port)
}

// APIURL is where clients on this machine find the API.
func (c Config) APIURL() string {
	if c.apiTLS() {
		return "https://" + c.apiHost()
	}
	return "http://" + c.apiHost()
}

// apiNames is what the local CA's certificate of the API is for: the names given, the addresses of the listener, and this machine
// as it sees itself.
func (c Config) apiNames() []string {
	names := append([]string{}, c.APINames...)
	if host, _, err := net.SplitHostPort(c.APIAddr); err == nil {
		if a, err := netip.ParseAddr(host); err == nil {
			for _, a := range c.reachable(a) {
				names = append(names, a.String())
			}
		} else if host != "" {
			names = append(names, host)
		}
	}
	return append(names, "localhost", "127.0.0.1")
}

// apiPermits are those of the API's names that the local CA may speak for: all, where it makes the API's certificate.
func (c Config) apiPermits(names []string) []string {
	if !c.apiTLS() || c.APICert != "" {
		return nil
	}
	return names
}

// apiServerTLS is the configuration of the API listener.
func (s *System) apiServerTLS() *tls.Config {
	certificate := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return s.ownCertificate(hello.Context()) }
	if s.conf.APICert != "" {
		given := &givenCertificate{cert: s.conf.APICert, key: s.conf.APIKey}
		certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return given.get() }
	}
	return edge.ModernTLS([]string{"h2", "http/1.1"}, certificate)
}

// ownCertificate is one of the local CA, which keeps it fresh.
func (s *System) ownCertificate(ctx context.Context) (*tls.Certificate, error) {
	cert, key, err := s.names.ca.Certificate(ctx, s.names.api)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	return &pair, err
}

// givenCertificate is the operator's own, read again when its file changes.
type givenCertificate struct {
	cert, key string

	mu   sync.Mutex
	pair *tls.Certificate
	at   time.Time
}

func (g *givenCertificate) get() (*tls.Certificate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	info, err := os.Stat(g.cert)
	if err == nil && (g.pair == nil || !info.ModTime().Equal(g.at)) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(g.cert, g.key); err == nil {
			g.pair, g.at = &pair, info.ModTime()
		}
	}
	if g.pair == nil {
		return nil, fmt.Errorf("certificate of the API: %w", err)
	}
	return g.pair, nil // one that is being replaced stays until the new one is whole
}

// apiRoots are the certificates that clients on this machine trust the API by; nil are those of the system.
func (c Config) apiRoots() (*x509.CertPool, error) {
	file := c.CAFile()
	if c.APICert != "" {
		file = c.APICert
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("trust the API: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("trust the API: " + file + " holds no certificate")
	}
	return pool, nil
}

// checkTLS refuses settings of the API's TLS that cannot work.
func (c Config) checkTLS() error {
	if (c.APICert == "") != (c.APIKey == "") {
		return errors.New("api-cert and api-key are given together or not at all")
	}
	if c.APICert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(c.APICert, c.APIKey); err != nil {
		return fmt.Errorf("api-cert: %w", err)
	}
	return nil
}
