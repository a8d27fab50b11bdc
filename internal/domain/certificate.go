package domain

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// CertificateStatus says how far a certificate has come (adjacent §11).
type CertificateStatus string

// The statuses of a certificate.
const (
	CertificatePending  CertificateStatus = "PENDING_VALIDATION"
	CertificateIssued   CertificateStatus = "ISSUED"
	CertificateFailed   CertificateStatus = "FAILED"
	CertificateTimedOut CertificateStatus = "VALIDATION_TIMED_OUT"
	CertificateExpired  CertificateStatus = "EXPIRED"
)

// Certificate is the record of a certificate that people can see: one made for a custom domain, or one that was imported. The chain and
// the key are kept apart from it, see [Pair].
type Certificate struct {
	ARN string
	apprunner.Scope
	Hosts    []string // the first is the certificate's name
	Records  []apprunner.ValidationRecord
	Imported bool
	Standing bool // of the installation itself, see [Standing]
	Status   CertificateStatus
	Reason   string // why it failed, or why the last try to make it or to renew it did; for people

	CreatedAt  time.Time
	IssuedAt   time.Time // of the newest one, imports included
	FailedAt   time.Time
	NotBefore  time.Time
	NotAfter   time.Time
	ServiceARN string    // the service it is made for; "" for an imported one
	ReleasedAt time.Time // when the domain was unlinked; zero while it is linked, and for an imported one
	Warned     int       // the days before the end at which the last warning was given; 0: none yet
	Tags       map[string]string
}

// Live tells whether the certificate can be shown to clients now.
func (c Certificate) Live(now time.Time) bool {
	return c.Status == CertificateIssued && !now.Before(c.NotBefore) && now.Before(c.NotAfter)
}

// Covers tells whether the certificate is good for a host, which may be a wildcard.
func (c Certificate) Covers(host string) bool {
	for _, h := range c.Hosts {
		if h == host || coveredByWildcard(host, h) {
			return true
		}
	}
	return false
}

// CoversAll is Covers for several hosts.
func (c Certificate) CoversAll(hosts []string) bool {
	for _, h := range hosts {
		if !c.Covers(h) {
			return false
		}
	}
	return len(hosts) > 0
}

// Pair is a certificate chain, the leaf first and without the root, and the leaf's key; both PEM.
type Pair struct{ Chain, Key []byte }

// Leaf reads the certificate itself and checks that the key is its.
func (p Pair) Leaf() (*x509.Certificate, error) {
	pair, err := tls.X509KeyPair(p.Chain, p.Key)
	if err != nil {
		return nil, err
	}
	return pair.Leaf, nil
}

// chosen is the certificate that an association is served with: the newest imported one of its account and region that covers all its
// hosts, else its own. found is false while there is none that is live.
func chosen(d apprunner.CustomDomain, all []Certificate, now time.Time) (best Certificate, found bool) {
	scope := scopeOf(d.ServiceARN)
	for _, c := range all {
		own, imported := c.ARN == d.CertificateARN, c.Imported && c.Scope == scope && c.CoversAll(d.Hosts())
		if !c.Live(now) || !own && !imported {
			continue
		}
		if !found || imported && (!best.Imported || c.IssuedAt.After(best.IssuedAt)) {
			best, found = c, true
		}
	}
	return best, found
}

// usedBy are the services served with a certificate.
func usedBy(arn string, domains []apprunner.CustomDomain, all []Certificate, now time.Time) []string {
	var services []string
	for _, d := range domains {
		if c, found := chosen(d, all, now); found && c.ARN == arn && d.Routed() {
			services = append(services, d.ServiceARN)
		}
	}
	return services
}
