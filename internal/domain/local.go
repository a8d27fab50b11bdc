package domain

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Order asks for a certificate for a custom domain, whose validation records were seen.
type Order struct {
	Hosts    []string
	Targets  map[string]string // where the validation name of each host is an alias to
	Replaces *x509.Certificate // the certificate this one will stand in for; nil for a first one
}

// localIssuer makes certificates for custom domains by the installation's own authority.
type localIssuer struct {
	ca       *CA
	identity string // the name that CAA records call this authority by
}

// NewLocalIssuer makes the installation's own authority the issuer of certificates for custom domains. Owners of domains who limit issuers
// by CAA records name it by the installation's suffix.
func NewLocalIssuer(ca *CA, suffix string) CustomIssuer { return localIssuer{ca, suffix} }

func (l localIssuer) Issue(_ context.Context, o Order) (Pair, error) { return l.ca.IssueApart(o.Hosts) }

func (l localIssuer) Identities(context.Context) ([]string, error) { return []string{l.identity}, nil }

func (l localIssuer) RenewAt(_ context.Context, leaf *x509.Certificate) time.Time {
	return RenewAt(leaf.NotBefore, leaf.NotAfter)
}

// IssueApart makes a new certificate for names that the CA's own intermediate may not speak for: below an intermediate of its own, which is
// limited to exactly these names and whose key is gone once it has signed. So whatever is stolen from this machine later, the root that
// clients trust vouches for no name that nobody proved.
func (ca *CA) IssueApart(hosts []string) (Pair, error) {
	names, err := normalHosts(hosts)
	if err != nil {
		return Pair{}, err
	}
	ca.mu.Lock()
	root := ca.root
	ca.mu.Unlock()
	template := ca.authority("intermediate for "+parentOf(names[0]), leafLife, 0)
	template.PermittedDNSDomainsCritical = true
	template.NotAfter = earlier(template.NotAfter, root.cert.NotAfter)
	for _, n := range names {
		template.PermittedDNSDomains = append(template.PermittedDNSDomains, parentOf(n))
	}
	slices.Sort(template.PermittedDNSDomains)
	template.PermittedDNSDomains = slices.Compact(template.PermittedDNSDomains)
	key, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	between, err := sign(template, root, key)
	if err != nil {
		return Pair{}, err
	}
	l, err := ca.issue(names, between)
	if err != nil {
		return Pair{}, fmt.Errorf("make a certificate for %s: %w", names[0], err)
	}
	return Pair{l.chain, l.key}, nil
}
