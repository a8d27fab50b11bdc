package domain

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
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
	DaysTold   int       // the days before the end that were told last, see [Expiry]; 0: none yet
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

// holdings are the certificates there are, ready to be chosen from.
type holdings struct {
	byARN    map[string]Certificate
	imported []Certificate
	now      time.Time
}

func hold(all []Certificate, now time.Time) holdings {
	h := holdings{byARN: make(map[string]Certificate, len(all)), now: now}
	for _, c := range all {
		h.byARN[c.ARN] = c
		if c.Imported && c.Live(now) {
			h.imported = append(h.imported, c)
		}
	}
	return h
}

// chosen is the certificate that an association is served with: the newest imported one of its account and region that covers all its
// hosts, else its own. found is false while there is none that is live.
func (h holdings) chosen(d apprunner.CustomDomain) (best Certificate, found bool) {
	scope := scopeOf(d.ServiceARN)
	for _, c := range h.imported {
		if c.Scope == scope && c.CoversAll(d.Hosts()) && (!found || c.IssuedAt.After(best.IssuedAt)) {
			best, found = c, true
		}
	}
	if found {
		return best, true
	}
	own := h.byARN[d.CertificateARN]
	return own, own.Live(h.now)
}

// users are the services served with each certificate, by its ARN.
func (h holdings) users(domains []apprunner.CustomDomain) map[string][]string {
	users := map[string][]string{}
	for _, d := range domains {
		c, found := h.chosen(d)
		if found && d.Routed() && !slices.Contains(users[c.ARN], d.ServiceARN) {
			users[c.ARN] = append(users[c.ARN], d.ServiceARN)
		}
	}
	return users
}
