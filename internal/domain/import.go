package domain

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Import is a certificate that somebody brings along, each part PEM.
type Import struct {
	ARN         string // of an imported one that it replaces; "": a new one
	Certificate []byte // one
	Key         []byte // not encrypted
	Chain       []byte // the authorities between it and the root, in that order; may be empty
	Tags        map[string]string
}

// Import keeps a certificate. From then on it is what the custom domains of its account and region are served with whose hosts it covers,
// in place of the one made here; the domains have to be proven all the same.
func (s *Certificates) Import(ctx context.Context, sc apprunner.Scope, in Import) (arn string, err error) {
	p, leaf, err := checkImport(in, s.now())
	if err != nil {
		return "", err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		now := s.now().UTC()
		c := Certificate{ARN: in.ARN, Scope: sc, Imported: true, CreatedAt: now, Tags: in.Tags}
		if in.ARN == "" {
			c.ARN = apprunner.NewCertificateARN(sc)
		} else if c, err = own(tx, sc, in.ARN); err != nil {
			return err
		}
		if !c.Imported {
			return invalidImport("Certificate %s was made here; only an imported one can be replaced by an import.", in.ARN)
		}
		if in.ARN != "" && len(in.Tags) > 0 {
			return invalidImport("A certificate that is imported again keeps its tags; give none.")
		}
		arn, c.Status, c.IssuedAt, c.Warned, c.DaysTold = c.ARN, CertificateIssued, now, 0, 0
		c.Hosts, c.NotBefore, c.NotAfter = sortedHosts(leaf), leaf.NotBefore, leaf.NotAfter
		if err := put(tx, c); err != nil {
			return err
		}
		return s.putPair(tx, c.ARN, p)
	})
	return arn, err
}

func invalidImport(format string, args ...any) error {
	return apprunner.Errorf(CodeCertificateArgument, format, args...)
}

// checkImport tells what is wrong with what was brought, and gives it in the form it is kept in.
func checkImport(in Import, now time.Time) (Pair, *x509.Certificate, error) {
	body, rest := pem.Decode(in.Certificate)
	if body == nil || body.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return Pair{}, nil, invalidImport("Certificate must be one certificate in PEM; those of the authorities go into CertificateChain.")
	}
	if key, _ := pem.Decode(in.Key); key == nil || !strings.HasSuffix(key.Type, "PRIVATE KEY") || key.Type == "ENCRYPTED PRIVATE KEY" || key.Headers["DEK-Info"] != "" {
		return Pair{}, nil, invalidImport("PrivateKey must be a private key in PEM that is not encrypted.")
	}
	chain := append(append(bytes.TrimSpace(in.Certificate), '\n'), in.Chain...)
	pair, err := tls.X509KeyPair(chain, in.Key)
	if err != nil {
		return Pair{}, nil, invalidImport("The certificate and the key do not fit together: %v.", err)
	}
	leaf := pair.Leaf
	switch {
	case !strongKey(leaf.PublicKey):
		return Pair{}, nil, invalidImport("The key must be RSA of 2048 to 4096 bits, or ECDSA on P-256, P-384 or P-521.")
	case now.After(leaf.NotAfter):
		return Pair{}, nil, invalidImport("The certificate has expired on %s.", leaf.NotAfter.UTC().Format(time.DateTime))
	case now.Before(leaf.NotBefore):
		return Pair{}, nil, invalidImport("The certificate is valid from %s only.", leaf.NotBefore.UTC().Format(time.DateTime))
	case len(sortedHosts(leaf)) == 0:
		return Pair{}, nil, invalidImport("The certificate is for no host: it needs DNS names among its subject alternative names.")
	}
	return Pair{chain, in.Key}, leaf, checkChain(pair.Certificate)
}

// checkChain wants each certificate signed by the next.
func checkChain(ders [][]byte) error {
	var above []*x509.Certificate
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return invalidImport("CertificateChain holds what is no certificate: %v.", err)
		}
		above = append(above, c)
	}
	for i := range len(above) - 1 {
		if err := above[i].CheckSignatureFrom(above[i+1]); err != nil {
			return invalidImport("The certificate of %s in CertificateChain has not signed the one before it, of %s; order them from the certificate towards the root.", above[i+1].Subject, above[i].Subject)
		}
	}
	return nil
}

func strongKey(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 4096
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize >= 256
	}
	return false
}
