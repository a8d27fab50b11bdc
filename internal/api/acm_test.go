package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
)

// selfSigned is a certificate that somebody brings along.
func selfSigned(t *testing.T, hosts ...string) domain.Import {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x0a0b), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ok(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	ok(t, err)
	return domain.Import{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}
}

// files writes a certificate and its key for the CLI to read.
func files(t *testing.T, in domain.Import) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	ok(t, os.WriteFile(cert, in.Certificate, 0o600))
	ok(t, os.WriteFile(key, in.Key, 0o600))
	return "fileb://" + cert, "fileb://" + key
}

// TestCertificatesWithTheStockCLI: import, list, describe, get, tags, delete, each as the stock CLI reads it.
//
// checklist: 126
func TestCertificatesWithTheStockCLI(t *testing.T) {
	db := openStore(t)
	kept, err := domain.OpenCertificates(t.Context(), db, make([]byte, 32), time.Now)
	ok(t, err)
	tokens, err := api.NewTokens([]byte("0123456789abcdef"))
	ok(t, err)
	acm, err := api.NewACM(kept, tokens)
	ok(t, err)
	w := serve(t, db, acm)

	brought := selfSigned(t, "www.example.com", "example.com")
	cert, key := files(t, brought)
	var made struct{ CertificateArn string }
	w.awsJSON(t, &made, "acm", "import-certificate", "--certificate", cert, "--private-key", key, "--tags", "Key=team,Value=web")
	var list struct {
		CertificateSummaryList []struct{ CertificateArn, DomainName, Status, Type, KeyAlgorithm string }
	}
	w.awsJSON(t, &list, "acm", "list-certificates")
	if len(list.CertificateSummaryList) != 1 || list.CertificateSummaryList[0].DomainName != "www.example.com" || list.CertificateSummaryList[0].Type != "IMPORTED" {
		t.Errorf("%+v", list)
	}
	w.awsJSON(t, &list, "acm", "list-certificates", "--certificate-statuses", "EXPIRED")
	if len(list.CertificateSummaryList) != 0 {
		t.Errorf("filtered: %+v", list)
	}
	var detail struct {
		Certificate struct {
			Status, Serial, KeyAlgorithm string
			SubjectAlternativeNames      []string
			InUseBy                      []string
		}
	}
	w.awsJSON(t, &detail, "acm", "describe-certificate", "--certificate-arn", made.CertificateArn)
	if c := detail.Certificate; c.Status != "ISSUED" || c.Serial != "0a:0b" || c.KeyAlgorithm != "EC_prime256v1" || len(c.SubjectAlternativeNames) != 2 || len(c.InUseBy) != 0 {
		t.Errorf("%+v", c)
	}
	var body struct{ Certificate string }
	w.awsJSON(t, &body, "acm", "get-certificate", "--certificate-arn", made.CertificateArn)
	if strings.TrimSpace(body.Certificate) != strings.TrimSpace(string(brought.Certificate)) {
		t.Errorf("%s", body.Certificate)
	}

	again, newKey := files(t, selfSigned(t, "example.com"))
	var replaced struct{ CertificateArn string }
	w.awsJSON(t, &replaced, "acm", "import-certificate", "--certificate", again, "--private-key", newKey, "--certificate-arn", made.CertificateArn)
	w.awsJSON(t, &detail, "acm", "describe-certificate", "--certificate-arn", made.CertificateArn)
	if replaced != made || len(detail.Certificate.SubjectAlternativeNames) != 1 {
		t.Errorf("imported again: %+v, %+v", replaced, detail)
	}
	w.awsJSON(t, nil, "acm", "add-tags-to-certificate", "--certificate-arn", made.CertificateArn, "--tags", "Key=stage,Value=live")
	w.awsJSON(t, nil, "acm", "remove-tags-from-certificate", "--certificate-arn", made.CertificateArn, "--tags", "Key=team")
	var tags struct{ Tags []struct{ Key, Value string } }
	w.awsJSON(t, &tags, "acm", "list-tags-for-certificate", "--certificate-arn", made.CertificateArn)
	if len(tags.Tags) != 1 || tags.Tags[0].Key != "stage" {
		t.Errorf("%+v", tags)
	}
	w.awsJSON(t, nil, "acm", "delete-certificate", "--certificate-arn", made.CertificateArn)
	if _, err := kept.Get(t.Context(), scope, made.CertificateArn); apprunner.CodeOf(err) != apprunner.CodeNotFound {
		t.Errorf("deleted: %v", err)
	}
}

// What cannot be served is refused with its reason.
func TestImportsThatAreRefused(t *testing.T) {
	kept, err := domain.OpenCertificates(t.Context(), openStore(t), make([]byte, 32), time.Now)
	ok(t, err)
	one, two := selfSigned(t, "a.example.com"), selfSigned(t, "b.example.com")
	for want, in := range map[string]domain.Import{
		"one certificate in PEM":     {Certificate: append(one.Certificate, two.Certificate...), Key: one.Key},
		"do not fit together":        {Certificate: one.Certificate, Key: two.Key},
		"has not signed the one":     {Certificate: one.Certificate, Key: one.Key, Chain: two.Certificate},
		"not encrypted":              {Certificate: one.Certificate, Key: []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")},
		"PEM; those":                 {Certificate: []byte("no"), Key: one.Key},
		"Could not find certificate": {ARN: apprunner.NewCertificateARN(scope), Certificate: one.Certificate, Key: one.Key},
	} {
		if _, err := kept.Import(t.Context(), scope, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
