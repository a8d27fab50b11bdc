package domain

import (
	"context"
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// Issuer gives certificates for host names. The chain holds the leaf first and leaves the root out. Asking again is cheap: the same
// certificate comes back until it is time to renew it.
type Issuer interface {
	Certificate(ctx context.Context, hosts []string) (certPEM, keyPEM []byte, err error)
}

// CustomIssuer makes certificates for custom domains.
type CustomIssuer interface {
	// Issue makes a new certificate. A [refusal] in its error's chain says that trying again is of no use.
	Issue(ctx context.Context, o Order) (Pair, error)
	// Identities are the names by which CAA records may allow this issuer; at least one.
	Identities(ctx context.Context) ([]string, error)
	// RenewAt is when a certificate of this issuer should be replaced, or one of another issuer should be by one of this.
	RenewAt(ctx context.Context, leaf *x509.Certificate) time.Time
}

// refusal is a failure that lasts until somebody changes something.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func parentOf(host string) string { return strings.TrimPrefix(host, "*.") }

// RenewAt is when a certificate is replaced: after two thirds of its life, which leaves a third for whatever goes wrong.
func RenewAt(notBefore, notAfter time.Time) time.Time {
	return notBefore.Add(notAfter.Sub(notBefore) / 3 * 2)
}

var hostLabel = pattern.Of(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// normalHosts gives hosts in lower case, without trailing dots, sorted, each once. It fails with CodeInvalidRequest on what cannot be
// the name of a host; a wildcard counts only as the whole left-most label.
func normalHosts(hosts []string) ([]string, error) {
	if len(hosts) == 0 {
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "A certificate needs at least one host name.")
	}
	var all []string
	for _, h := range hosts {
		n := strings.TrimSuffix(strings.ToLower(h), ".")
		if addr, err := netip.ParseAddr(n); err == nil && addr.Zone() == "" {
			all = append(all, addr.Unmap().String())
			continue
		}
		if !validHost(n) {
			return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "%q is not a host name a certificate can be made for.", h)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func validHost(h string) bool {
	name := strings.TrimPrefix(h, "*.")
	if name == "" || len(h) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !hostLabel.MatchString(label) {
			return false
		}
	}
	return true
}
