package edge

import (
	"crypto/rand"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// modernSuites are what TLS 1.2 is left with: forward secret and authenticated. TLS 1.3 has no others.
var modernSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// ModernTLS is how this product meets clients over TLS: 1.2 and 1.3, forward secret suites only. Session tickets go to clients of TLS 1.3
// alone, whose resumed sessions have keys of their own; a ticket of TLS 1.2 would let whoever gets hold of its key read what was said
// before. The keys of tickets change twice a day and are forgotten after a day.
func ModernTLS(protocols []string, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: modernSuites, NextProtos: protocols, GetCertificate: certificate,
		DynamicRecordSizingDisabled: true, // answers are written whole; small records would only cost
	}
	old, tickets := c.Clone(), new(ticketKeys)
	old.MaxVersion, old.SessionTicketsDisabled = tls.VersionTLS12, true
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !slices.Contains(hello.SupportedVersions, tls.VersionTLS13) {
			return old, nil
		}
		tickets.turn(c, time.Now())
		return nil, nil //nolint:nilnil // the configuration itself
	}
	return c
}

// ticketTurn is how long new session tickets are made with one key. It opens tickets for as long again.
const ticketTurn = 12 * time.Hour

// ticketKeys are the keys of session tickets: the one that new tickets get, and the one before.
type ticketKeys struct {
	next atomic.Int64 // when the key changes, in Unix seconds

	mu   sync.Mutex
	keys [][32]byte
}

// turn gives a configuration another key when it is time. Whoever comes too late for the old one makes a whole handshake.
func (k *ticketKeys) turn(c *tls.Config, now time.Time) {
	if now.Unix() < k.next.Load() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	late := now.Unix() - k.next.Load()
	if late < 0 {
		return // somebody else was here
	}
	var fresh [32]byte
	rand.Read(fresh[:])
	if late >= int64(ticketTurn/time.Second) {
		k.keys = nil // nobody came for so long that the last key has had its time
	}
	k.keys = append([][32]byte{fresh}, k.keys[:min(len(k.keys), 1)]...)
	c.SetSessionTicketKeys(k.keys)
	k.next.Store(now.Add(ticketTurn).Unix())
}

// tlsConfig is ModernTLS that answers challenges of certificate authorities too.
func (r *routing) tlsConfig() *tls.Config {
	c := ModernTLS([]string{http2.NextProtoTLS, "http/1.1"}, r.certificate)
	proof := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: modernSuites, NextProtos: []string{protoACME}, GetCertificate: r.proof, SessionTicketsDisabled: true}
	usual := c.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !r.joined(hello) {
			return nil, errNotJoined
		}
		if slices.Equal(hello.SupportedProtos, []string{protoACME}) {
			return proof, nil
		}
		return usual(hello)
	}
	return c
}

// Challenge answers a certificate authority that wants to see whether a host name leads here (ACME).
type Challenge struct {
	Host string // in lower case
	// Token is asked for over plain HTTP, and Answer is the reply (RFC 8555 §8.3).
	Token, Answer string
	// CertPEM and KeyPEM are shown in the handshake of a client that speaks nothing but acme-tls/1 (RFC 8737).
	CertPEM, KeyPEM []byte
}

const (
	protoACME     = "acme-tls/1"
	challengePath = "/.well-known/acme-challenge/"
)

// proof is the certificate for the challenge in a handshake.
func (r *routing) proof(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := lower(hello.ServerName)
	for _, c := range r.current.Load().table.Challenges {
		if c.Host == name && len(c.CertPEM) > 0 {
			pair, err := tls.X509KeyPair(c.CertPEM, c.KeyPEM)
			return &pair, err
		}
	}
	return nil, errNoCertificate
}

// answerChallenge answers a challenge over plain HTTP; false when the request is none that is known.
func (r *routing) answerChallenge(w http.ResponseWriter, req *http.Request) bool {
	token, is := strings.CutPrefix(req.URL.Path, challengePath)
	if !is || token == "" {
		return false
	}
	for _, c := range r.current.Load().table.Challenges {
		if c.Token == token && c.Host == hostName(req.Host) {
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write([]byte(c.Answer)) // who does not wait asks again
			return true
		}
	}
	return false
}
