package domain

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// leaf is a certificate that was given out.
type leaf struct {
	hosts []string
	pair
	chain []byte // PEM: the leaf and the intermediate it was signed by
	key   []byte // PEM
}

// Certificate gives the certificate for a set of hosts; a wildcard such as *.us-east-1.apprunner.localhost covers one label. It is kept on
// disk, reused over restarts, and replaced after two thirds of its 90 days. Hosts outside of what the CA may speak for are refused.
func (ca *CA) Certificate(_ context.Context, hosts []string) (certPEM, keyPEM []byte, err error) {
	names, err := normalHosts(hosts)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if !ca.permit.covers(n) {
			return nil, nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "The local CA does not make certificates for %s; it is limited to %s and names below them.",
				n, strings.Join(ca.permit.domains, ", ")).WithHint("Start Slipway with the domain or address configured, or use an ACME issuer.")
		}
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	l, _, err := ca.leaf(names)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate for %s: %w", strings.Join(names, ", "), err)
	}
	return l.chain, l.key, nil
}

// leaf gives a certificate that is good now, from memory, from disk, or new.
func (ca *CA) leaf(hosts []string) (l leaf, fresh bool, err error) {
	file := ca.leafFile(hosts)
	if l, ok := ca.leaves[file]; ok && ca.good(l) {
		return l, false, nil
	}
	if l, err := readLeaf(file, hosts); err == nil && ca.good(l) {
		ca.leaves[file] = l
		return l, false, nil
	}
	if err := ca.openIntermediate(); err != nil { // it may be due as well
		return leaf{}, false, err
	}
	if l, err = ca.issue(hosts, ca.intermediate); err != nil {
		return leaf{}, false, err
	}
	if err := writeFile(file, append(slices.Clone(l.chain), l.key...), 0o600); err != nil {
		return leaf{}, false, err
	}
	ca.leaves[file] = l
	return l, true, nil
}

func (ca *CA) leafFile(hosts []string) string {
	sum := sha256.Sum256([]byte(strings.Join(hosts, "\n")))
	return filepath.Join(ca.cfg.Dir, "leaves", hex.EncodeToString(sum[:16])+".pem")
}

// good tells whether a leaf can be given out: signed by the present intermediate, and not due.
func (ca *CA) good(l leaf) bool {
	now := ca.cfg.Now()
	return !now.Before(l.cert.NotBefore) && now.Before(RenewAt(l.cert.NotBefore, l.cert.NotAfter)) && l.cert.CheckSignatureFrom(ca.intermediate.cert) == nil
}

// issue makes a certificate that is signed by an intermediate.
func (ca *CA) issue(hosts []string, by pair) (leaf, error) {
	now := ca.cfg.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), NotBefore: now.Add(-backdate), NotAfter: earlier(now.Add(leafLife-backdate), by.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	if first := hosts[0]; len(first) <= 64 { // the limit of the field; what counts are the alternative names
		template.Subject = pkix.Name{CommonName: first}
	}
	key, err := newKey()
	if err != nil {
		return leaf{}, err
	}
	made, err := sign(template, by, key)
	if err != nil {
		return leaf{}, err
	}
	encoded, err := keyPEM(key)
	if err != nil {
		return leaf{}, err
	}
	return leaf{hosts: hosts, pair: made, chain: certPEM(made.cert, by.cert), key: encoded}, nil
}

// readLeaf reads what leaf wrote: chain, then key.
func readLeaf(file string, hosts []string) (leaf, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return leaf{}, err
	}
	p, err := parsePair(raw)
	if err != nil {
		return leaf{}, err
	}
	key, err := keyPEM(p.key)
	if err != nil {
		return leaf{}, err
	}
	chain, ok := strings.CutSuffix(string(raw), string(key))
	if !ok {
		return leaf{}, errors.New("the key is not at the end")
	}
	return leaf{hosts: hosts, pair: p, chain: []byte(chain), key: key}, nil
}

// renew replaces what is due of that which was asked for, and tells of it.
func (ca *CA) renew(ctx context.Context) error {
	var failed error
	for _, hosts := range ca.dueLeaves() {
		if ctx.Err() != nil {
			return nil
		}
		if _, _, err := ca.Certificate(ctx, hosts); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		ca.cfg.Log.Info("renewed a certificate", "hosts", hosts)
		if ca.cfg.OnRenew != nil {
			ca.cfg.OnRenew(hosts)
		}
	}
	return failed
}

func (ca *CA) dueLeaves() [][]string {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	var hosts [][]string
	for _, l := range ca.leaves {
		if !ca.good(l) {
			hosts = append(hosts, l.hosts)
		}
	}
	return hosts
}

// NotAfter is when the certificate for hosts ends; zero where none was asked for since the start.
func (ca *CA) NotAfter(hosts []string) time.Time {
	names, err := normalHosts(hosts)
	if err != nil {
		return time.Time{}
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if l, ok := ca.leaves[ca.leafFile(names)]; ok {
		return l.cert.NotAfter
	}
	return time.Time{}
}
