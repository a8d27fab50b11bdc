package apprunner

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// DomainStatus says how far the association of a custom domain has come (§16.3).
type DomainStatus string

// The statuses of an association.
const (
	DomainCreating           DomainStatus = "CREATING"
	DomainPendingValidation  DomainStatus = "PENDING_CERTIFICATE_DNS_VALIDATION"
	DomainBindingCertificate DomainStatus = "BINDING_CERTIFICATE"
	DomainActive             DomainStatus = "ACTIVE"
	DomainCreateFailed       DomainStatus = "CREATE_FAILED"
	DomainDeleting           DomainStatus = "DELETING"
	DomainDeleteFailed       DomainStatus = "DELETE_FAILED"
)

// ValidationStatus says whether a validation record was seen in DNS.
type ValidationStatus string

// The statuses of a validation record.
const (
	ValidationPending ValidationStatus = "PENDING_VALIDATION"
	ValidationSuccess ValidationStatus = "SUCCESS"
	ValidationFailed  ValidationStatus = "FAILED"
)

// ValidationRecord is a CNAME that the owner of a domain puts into DNS to prove it.
type ValidationRecord struct {
	Name   string
	Value  string // with a trailing dot
	Status ValidationStatus
}

// CustomDomain is the association of a domain with a service (§16).
type CustomDomain struct {
	Name       string // lower case, no trailing dot; *.example.com for a wildcard
	WWW        bool   // www.<name> belongs to it
	ServiceARN string
	Status     DomainStatus
	Records    []ValidationRecord
	CreatedAt  time.Time

	// CertificateARN names the certificate that is made for this association and for no other, not even for one of the same name later.
	CertificateARN string
	// CertifiedAt is when a certificate was there to serve the hosts with; zero before. From then on they are routed.
	CertifiedAt time.Time
}

// Hosts are the names that the association claims: its own and, with the option, the www name.
func (d CustomDomain) Hosts() []string {
	if d.WWW {
		return []string{d.Name, "www." + d.Name}
	}
	return []string{d.Name}
}

// Routed tells whether requests for the hosts reach the service.
func (d CustomDomain) Routed() bool {
	return !d.CertifiedAt.IsZero() && (d.Status == DomainBindingCertificate || d.Status == DomainActive)
}

// Validated tells whether every validation record was seen in DNS.
func (d CustomDomain) Validated() bool {
	return !slices.ContainsFunc(d.Records, func(r ValidationRecord) bool { return r.Status != ValidationSuccess })
}

// ValidationName is where the owner of a host proves it: the very name at which ACME looks for its DNS challenge (RFC 8555 §8.4), so
// that the record put there once answers the challenges of all renewals. A wildcard is proven by its parent (§16.3).
func ValidationName(host string) string { return "_acme-challenge." + strings.TrimPrefix(host, "*.") }

// NewCustomDomain is a fresh association that waits for its validation records, whose values end below the given suffix. Associations
// of one owner may have a validation name in common, as example.com and *.example.com have, and a name has one CNAME only: known
// gives the value that is asked for at a name already, or "".
func NewCustomDomain(name string, www bool, s Service, suffix string, known func(string) string, now time.Time) CustomDomain {
	d := CustomDomain{
		Name: name, WWW: www, ServiceARN: s.ARN(), Status: DomainPendingValidation, CreatedAt: now,
		CertificateARN: NewCertificateARN(s.Scope),
	}
	for _, host := range d.Hosts() {
		r := ValidationRecord{Name: ValidationName(host), Status: ValidationPending}
		if r.Value = known(r.Name); r.Value == "" {
			r.Value = "_" + NewID() + "." + newLetters() + ".acm-validations." + suffix + "."
		}
		d.Records = append(d.Records, r)
	}
	return d
}

// NewCertificateARN is the name of a new certificate.
func NewCertificateARN(sc Scope) string {
	return "arn:aws:acm:" + sc.Region + ":" + sc.Account + ":certificate/" + NewUUID()
}

// newLetters returns the ten letters of a validation value.
func newLetters() string {
	var b [10]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return string(b[:])
}

// DomainName brings a domain into the form it is kept in and checks its form: lower case, no trailing dot, labels of letters,
// digits and dashes, a wildcard only as the whole first label. Whether a wildcard stands right under a registrable domain is not
// its business.
func DomainName(given string) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(given), ".")
	bad := func(why string) (string, error) {
		return "", Errorf(CodeInvalidRequest, "domainName %q is not allowed: %s.", clip(given), why)
	}
	labels := strings.Split(name, ".")
	rest := labels
	if labels[0] == "*" {
		rest = labels[1:]
	}
	switch {
	case len(name) > 253:
		return bad("it has more than 253 characters")
	case strings.Contains(strings.Join(rest, "."), "*"):
		return bad("a wildcard is only possible as the whole first label, as in *.example.com")
	case len(rest) < 2:
		return bad("it is not a domain name with at least two labels, such as example.com")
	}
	for _, l := range rest {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return bad("its labels must have 1 to 63 characters and neither begin nor end with a dash")
		}
	}
	if strings.Trim(rest[len(rest)-1], "0123456789") == "" {
		return bad("it is an address, not a name")
	}
	return name, nil
}
