package domain

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// CAConfig is what a CA needs.
type CAConfig struct {
	Dir    string // root, intermediate and leaves; made with mode 0700
	Export string // where the root certificate is written for clients (ca.pem); empty: nowhere
	Name   string // in the subject of root and intermediate, so that people know one installation's from another's

	// Permit are the names, with all below them, and the addresses the CA may speak for: the installation's suffix, and what its API is
	// reached by. localhost and the loopback addresses always belong to them.
	Permit []string

	Now     func() time.Time     // default time.Now
	OnRenew func(hosts []string) // told by Run when a certificate was replaced; may be nil
	Log     *slog.Logger
}

// CA is the installation's own certificate authority: a root people may trust, an intermediate that signs and is limited by name
// constraints, and the leaves it gave out, all kept on disk. It is safe for concurrent use within one process.
type CA struct {
	cfg    CAConfig
	permit constraints

	mu           sync.Mutex
	root         pair   // that signs
	others       []pair // that are trusted beside it: its successor, its predecessor
	intermediate pair
	leaves       map[string]leaf // by file
}

var _ Issuer = (*CA)(nil)

// pair is a certificate and its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// organization stands in the subject of every authority made here.
const organization = "Slipway"

// How long certificates live. Clients refuse leaves of more than 398 days, and shorter is the custom.
const (
	rootLife         = 10 * 365 * 24 * time.Hour
	intermediateLife = 2 * 365 * 24 * time.Hour
	leafLife         = 90 * 24 * time.Hour
	backdate         = time.Hour // for clients whose clock is behind
	renewEvery       = time.Hour
)

// constraints are the names a certificate may hold.
type constraints struct {
	domains  []string
	networks []*net.IPNet
}

// OpenCA reads the CA from disk or makes it. It fails when a file is damaged: a new root would silently cut off everybody who trusts the
// old one.
func OpenCA(cfg CAConfig) (*CA, error) {
	if cfg.Dir == "" {
		return nil, errors.New("domain: CAConfig.Dir is required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	permit, err := parsePermit(append([]string{"localhost", "127.0.0.0/8", "::1"}, cfg.Permit...))
	if err != nil {
		return nil, err
	}
	ca := &CA{cfg: cfg, permit: permit, leaves: map[string]leaf{}}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "leaves"), 0o700); err != nil {
		return nil, fmt.Errorf("open the CA: %w", err)
	}
	if err := os.Chmod(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the CA: %w", err)
	}
	if err := ca.openRoot(); err != nil {
		return nil, fmt.Errorf("open the CA: %w", err)
	}
	if err := ca.openIntermediate(); err != nil {
		return nil, fmt.Errorf("open the CA: %w", err)
	}
	return ca, ca.export()
}

func parsePermit(names []string) (constraints, error) {
	var c constraints
	for _, n := range names {
		n = strings.ToLower(strings.Trim(n, "."))
		if p, err := netip.ParsePrefix(n); err == nil {
			c.networks = append(c.networks, &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
		} else if a, err := netip.ParseAddr(n); err == nil {
			c.networks = append(c.networks, &net.IPNet{IP: a.Unmap().AsSlice(), Mask: net.CIDRMask(a.Unmap().BitLen(), a.Unmap().BitLen())})
		} else if validHost(n) && !strings.HasPrefix(n, "*") {
			c.domains = append(c.domains, n)
		} else {
			return c, apprunner.Errorf(apprunner.CodeInvalidRequest, "%q is neither a domain nor an address the local CA could speak for.", n)
		}
	}
	slices.Sort(c.domains)
	c.domains = slices.Compact(c.domains)
	return c, nil
}

// covers tells whether the constraints allow a host.
func (c constraints) covers(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return slices.ContainsFunc(c.networks, func(n *net.IPNet) bool { return n.Contains(ip) })
	}
	return slices.ContainsFunc(c.domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}

// holds tells whether a certificate was made with exactly these constraints.
func (c constraints) holds(cert *x509.Certificate) bool {
	same := slices.Equal(cert.PermittedDNSDomains, c.domains) && len(cert.PermittedIPRanges) == len(c.networks)
	for i := 0; same && i < len(c.networks); i++ {
		same = cert.PermittedIPRanges[i].String() == c.networks[i].String()
	}
	return same
}

// RootPEM are the certificates clients trust: the root, and around a change of roots the other one.
func (ca *CA) RootPEM() []byte {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	out := certPEM(ca.root.cert)
	for _, o := range ca.others {
		out = append(out, certPEM(o.cert)...)
	}
	return out
}

func (ca *CA) export() error {
	if ca.cfg.Export == "" {
		return nil
	}
	if have, err := os.ReadFile(ca.cfg.Export); err == nil && string(have) == string(ca.RootPEM()) {
		return nil
	}
	if err := writeFile(ca.cfg.Export, ca.RootPEM(), 0o644); err != nil {
		return fmt.Errorf("export the CA: %w", err)
	}
	return nil
}

// openIntermediate reads the intermediate, and makes a new one when it is due, does not fit the constraints, or is gone: nobody but our
// own leaves depends on it.
func (ca *CA) openIntermediate() error {
	file := filepath.Join(ca.cfg.Dir, "intermediate.pem")
	have, err := readPair(file)
	if err == nil && have.cert.CheckSignatureFrom(ca.root.cert) == nil && ca.permit.holds(have.cert) &&
		ca.cfg.Now().Before(RenewAt(have.cert.NotBefore, have.cert.NotAfter)) {
		ca.intermediate = have
		return nil
	}
	template := ca.authority("intermediate", intermediateLife, 0)
	template.PermittedDNSDomainsCritical = true
	template.PermittedDNSDomains, template.PermittedIPRanges = ca.permit.domains, ca.permit.networks
	template.NotAfter = earlier(template.NotAfter, ca.root.cert.NotAfter)
	key, err := newKey()
	if err != nil {
		return err
	}
	made, err := sign(template, ca.root, key)
	if err != nil {
		return err
	}
	if err := writePair(file, made); err != nil {
		return err
	}
	ca.intermediate = made
	return nil
}

// authority is the template of a certificate that signs others; below is how many further authorities may follow.
func (ca *CA) authority(role string, life time.Duration, below int) *x509.Certificate {
	name := ca.cfg.Name
	if name == "" {
		name = "Slipway"
	}
	now := ca.cfg.Now()
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Organization: []string{organization}, CommonName: name + " local " + role + " " + now.UTC().Format("2006-01-02")},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(life), IsCA: true, BasicConstraintsValid: true, MaxPathLen: below, MaxPathLenZero: below == 0,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// sign makes a certificate for key, signed by issuer.
func sign(template *x509.Certificate, issuer pair, key *ecdsa.PrivateKey) (pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, fmt.Errorf("sign a certificate: %w", err)
	}
	return pair{cert, key}, nil
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f // positive, whatever the encoding
	return new(big.Int).SetBytes(b[:])
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func certPEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func keyPEM(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// parseKey reads a key alone.
func parseKey(raw []byte) (pair, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return pair{}, errors.New("it does not hold a key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return pair{}, err
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return pair{}, errors.New("it holds a key of another kind")
	}
	return pair{key: own}, nil
}

// writePair keeps certificate and key in one file, so that they can never be apart.
func writePair(file string, p pair) error {
	key, err := keyPEM(p.key)
	if err != nil {
		return err
	}
	return writeFile(file, append(certPEM(p.cert), key...), 0o600)
}

func readPair(file string) (pair, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return pair{}, err
	}
	p, err := parsePair(raw)
	if err != nil {
		return pair{}, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// parsePair reads the first certificate and the key of it.
func parsePair(raw []byte) (pair, error) {
	var p pair
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE" && p.cert == nil:
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return pair{}, err
			}
			p.cert = cert
		case block.Type == "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return pair{}, err
			}
			p.key, _ = key.(*ecdsa.PrivateKey)
		}
	}
	if p.cert == nil || p.key == nil || !p.key.PublicKey.Equal(p.cert.PublicKey) {
		return pair{}, errors.New("it does not hold a certificate and the key of it")
	}
	return p, nil
}

// writeFile replaces a file so that a crash leaves the old or the new content.
func writeFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // has no effect after the rename
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Run renews the certificates that were asked for until ctx ends, looking every hour.
func (ca *CA) Run(ctx context.Context) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := errors.Join(ca.rotate(), ca.renew(ctx)); err != nil {
			ca.cfg.Log.Error("renew certificates", "error", err)
		}
	}
}
