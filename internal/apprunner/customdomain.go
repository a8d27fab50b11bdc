package apprunner

import (
	"crypto/rand"
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
}

// Hosts are the names that the association claims: its own and, with the option, the www name.
func (d CustomDomain) Hosts() []string {
	if d.WWW {
		return []string{d.Name, "www." + d.Name}
	}
	return []string{d.Name}
}

// NewCustomDomain is a fresh association that waits for its validation records, which end below the given suffix.
func NewCustomDomain(name string, www bool, serviceARN, suffix string, now time.Time) CustomDomain {
	d := CustomDomain{Name: name, WWW: www, ServiceARN: serviceARN, Status: DomainPendingValidation, CreatedAt: now}
	for _, host := range d.Hosts() {
		d.Records = append(d.Records, ValidationRecord{
			Name:   "_" + NewID() + "." + strings.TrimPrefix(host, "*."), // a wildcard is proven by its parent (§16.3)
			Value:  "_" + NewID() + "." + newLetters() + ".acm-validations." + suffix + ".",
			Status: ValidationPending,
		})
	}
	return d
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
