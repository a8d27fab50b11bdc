package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// shownCertificate is what the CLI prints of a certificate.
type shownCertificate struct {
	CertificateArn, DomainName, Status, Type, Issuer, FailureReason string
	SubjectAlternativeNames, InUseBy                                []string
	DomainValidationOptions                                         []struct {
		DomainName, ValidationStatus string
		ResourceRecord               struct{ Name, Type, Value string }
	}
}

// certificates lists those that the certificate API shows for a name, newest first.
func (h namesHouse) certificates(t *testing.T, domain string) (found []shownCertificate) {
	t.Helper()
	var list struct{ CertificateSummaryList []shownCertificate }
	h.must(t, &list, "acm", "list-certificates")
	for _, c := range list.CertificateSummaryList {
		if c.DomainName != domain {
			continue
		}
		var one struct{ Certificate shownCertificate }
		if out, err := h.AWS("acm", "describe-certificate", "--certificate-arn", c.CertificateArn); err == nil {
			if err := json.Unmarshal([]byte(out), &one); err != nil {
				t.Fatal(err)
			}
			found = append(found, one.Certificate)
		}
	}
	return found
}

// ownCertificate writes a certificate of nobody in particular and its key.
func ownCertificate(t *testing.T, host string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "brought along"}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(20 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestCertificatesOfDomains: what the certificate API shows of a custom domain while it is pending, active, unlinked and after its time;
// and that a certificate brought along is shown in place of the one made here for as long as it is there.
//
// checklist: 125, 126
func TestCertificatesOfDomains(t *testing.T) {
	t.Parallel()
	h := newNamesHouse(t, "--certificate-retention", "45s")
	s := h.Create(t, "certified", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	h.dns.Set(t, "shop.example.com. 60 CNAME "+s.Host()+".")
	h.link(t, s, "shop.example.com", "--no-enable-www-subdomain")
	eventually(t, "the pending certificate is shown", func() bool { return len(h.certificates(t, "shop.example.com")) == 1 })
	pending, record := h.certificates(t, "shop.example.com")[0], h.domains(t, s)["shop.example.com"].CertificateValidationRecords[0]
	if o := pending.DomainValidationOptions; pending.Status != "PENDING_VALIDATION" || pending.Type != "AMAZON_ISSUED" || len(o) != 1 ||
		strings.TrimSuffix(o[0].ResourceRecord.Name, ".") != record.Name || o[0].ResourceRecord.Value != record.Value {
		t.Errorf("pending: %+v; the domain's record is %+v", pending, record)
	}
	h.prove(t, s, "shop.example.com")
	h.until(t, s, "shop.example.com", "ACTIVE")
	if c := h.certificates(t, "shop.example.com")[0]; c.Status != "ISSUED" || len(c.InUseBy) != 1 || c.InUseBy[0] != s.ARN() || c.DomainValidationOptions[0].ValidationStatus != "SUCCESS" {
		t.Errorf("active: %+v", c)
	}
	var text struct{ Certificate, CertificateChain string }
	h.must(t, &text, "acm", "get-certificate", "--certificate-arn", pending.CertificateArn)
	block, _ := pem.Decode([]byte(text.Certificate))
	if shown := h.leaf(t, "shop.example.com"); block == nil || string(block.Bytes) != string(shown.Raw) || text.CertificateChain == "" {
		t.Errorf("the certificate is not the one that is shown to clients: %s", text.Certificate)
	}

	// One that is brought along.
	cert, key := ownCertificate(t, "*.example.com")
	out, err := h.Slipway("certificate", "import", "--data-dir", h.Dir, "--cert", cert, "--key", key)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, "the imported certificate is shown to clients", func() bool { return h.leaf(t, "shop.example.com").Subject.CommonName == "brought along" })
	imported := h.certificates(t, "*.example.com")[0]
	if imported.Type != "IMPORTED" || len(imported.InUseBy) != 1 {
		t.Errorf("imported: %+v", imported)
	}
	if _, err := h.AWS("acm", "delete-certificate", "--certificate-arn", imported.CertificateArn); err == nil || !strings.Contains(err.Error(), "ResourceInUseException") {
		t.Errorf("deleting a certificate in use: %v", err)
	}
	eventually(t, "the owner is told that it ends soon", func() bool {
		return strings.Contains(s.Events(), "The certificate of *.example.com expires in less than 30 days")
	})

	// Unlinked: kept for a while, then gone.
	h.unlink(t, s, "shop.example.com")
	if c := h.certificates(t, "shop.example.com"); len(c) != 1 || len(c[0].InUseBy) != 0 {
		t.Errorf("right after unlinking: %+v", c)
	}
	if _, err := h.AWS("acm", "delete-certificate", "--certificate-arn", pending.CertificateArn); err == nil || !strings.Contains(err.Error(), "ResourceInUseException") {
		t.Errorf("deleting a certificate that is kept: %v", err)
	}
	h.must(t, nil, "acm", "delete-certificate", "--certificate-arn", imported.CertificateArn)
	eventually(t, "the certificate is gone after its time", func() bool { return len(h.certificates(t, "shop.example.com")) == 0 })
}
