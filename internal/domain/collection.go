package domain

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The codes of the certificate API (adjacent §11) that this room answers with.
const (
	CodeCertificateInUse      apprunner.Code = "ResourceInUseException"
	CodeCertificateInProgress apprunner.Code = "RequestInProgressException"
	CodeCertificateArgument   apprunner.Code = "ValidationException"
	CodeTooManyTags           apprunner.Code = "TooManyTagsException"
)

// maxCertificateTags is how many tags a certificate may have.
const maxCertificateTags = 50

// Shown is a certificate as people see it.
type Shown struct {
	Certificate
	InUseBy []string            // ARNs of the services served with it
	Chain   []*x509.Certificate // the leaf first; none before it is issued
}

// List gives all certificates of a scope, newest first.
func (s *Certificates) List(ctx context.Context, sc apprunner.Scope) (out []Shown, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		all, users, err := s.inUse(tx, sc)
		if err != nil {
			return err
		}
		out = make([]Shown, len(all))
		for i, c := range all {
			out[i] = Shown{Certificate: c, InUseBy: users[c.ARN]}
			if out[i].Chain, err = chainOf(tx, c.ARN); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// All gives the records of all certificates of all accounts and of the installation itself.
func (s *Certificates) All(ctx context.Context) (all []Certificate, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		all, err = list(tx, apprunner.Scope{})
		return err
	})
	return all, err
}

// inUse reads the certificates of a scope, newest first, and the services that are served with each, by its ARN.
func (s *Certificates) inUse(tx *store.Tx, sc apprunner.Scope) ([]Certificate, map[string][]string, error) {
	domains, err := tx.Domains("")
	if err != nil {
		return nil, nil, err
	}
	all, err := list(tx, sc)
	return all, hold(all, s.now()).users(domains), err
}

// Get gives one certificate of a scope.
func (s *Certificates) Get(ctx context.Context, sc apprunner.Scope, arn string) (Shown, error) {
	all, err := s.List(ctx, sc)
	if err != nil {
		return Shown{}, err
	}
	for _, c := range all {
		if c.ARN == arn {
			return c, nil
		}
	}
	return Shown{}, noCertificate(sc, arn)
}

func noCertificate(sc apprunner.Scope, arn string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "Could not find certificate %s in account %s and region %s.", arn, sc.Account, sc.Region)
}

// chainOf reads the chain of a certificate; none where it was not issued yet.
func chainOf(tx *store.Tx, arn string) (chain []*x509.Certificate, err error) {
	var text []byte
	if _, err := tx.Get(`SELECT chain FROM certificates WHERE arn = $1`, []any{arn}, &text); err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// Delete removes a certificate that nothing is served with. One that was made for a domain stays for as long as the domain is linked, and
// goes by itself some days later (§16.6).
func (s *Certificates) Delete(ctx context.Context, sc apprunner.Scope, arn string) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		c, err := own(tx, sc, arn)
		if err != nil {
			return err
		}
		if !c.Imported {
			return apprunner.Errorf(CodeCertificateInUse, "Certificate %s was made for a custom domain. It is removed by itself some days after the domain was disassociated.", arn)
		}
		_, users, err := s.inUse(tx, sc)
		if err != nil {
			return err
		}
		if by := users[arn]; len(by) > 0 {
			return apprunner.Errorf(CodeCertificateInUse, "Certificate %s is in use by %s. Disassociate the custom domain, or import another certificate for it, first.", arn, by[0])
		}
		return forget(tx, arn)
	})
}

// own reads a certificate of a scope.
func own(tx *store.Tx, sc apprunner.Scope, arn string) (Certificate, error) {
	c, found, err := read(tx, arn)
	if err == nil && (!found || c.Scope != sc) {
		err = noCertificate(sc, arn)
	}
	return c, err
}

// Tags are those of a certificate.
func (s *Certificates) Tags(ctx context.Context, sc apprunner.Scope, arn string) (tags map[string]string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		c, err := own(tx, sc, arn)
		tags = c.Tags
		return err
	})
	return tags, err
}

// AddTags adds tags to a certificate, and replaces those of the same keys.
func (s *Certificates) AddTags(ctx context.Context, sc apprunner.Scope, arn string, tags map[string]string) error {
	return s.retag(ctx, sc, arn, func(have map[string]string) { maps.Copy(have, tags) })
}

// RemoveTags takes tags away: those of the keys, with a value only where it is this one. A nil value stands for any.
func (s *Certificates) RemoveTags(ctx context.Context, sc apprunner.Scope, arn string, tags map[string]*string) error {
	return s.retag(ctx, sc, arn, func(have map[string]string) {
		maps.DeleteFunc(have, func(k, v string) bool {
			want, named := tags[k]
			return named && (want == nil || *want == v)
		})
	})
}

func (s *Certificates) retag(ctx context.Context, sc apprunner.Scope, arn string, change func(map[string]string)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		c, err := own(tx, sc, arn)
		if err != nil {
			return err
		}
		tags := maps.Clone(c.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		change(tags)
		if len(tags) > maxCertificateTags {
			return apprunner.Errorf(CodeTooManyTags, "A certificate may have %d tags.", maxCertificateTags)
		}
		c.Tags = tags
		return put(tx, c)
	})
}

// sortedHosts are the names a certificate is for, its first name first.
func sortedHosts(leaf *x509.Certificate) []string {
	hosts, err := normalHosts(leaf.DNSNames)
	if err != nil {
		return nil
	}
	if first := slices.Index(hosts, leaf.Subject.CommonName); first > 0 {
		hosts = append([]string{hosts[first]}, slices.Delete(slices.Clone(hosts), first, first+1)...)
	}
	return hosts
}
