package domain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// caaLookup is what the check of CAA records needs of a resolver.
type caaLookup interface {
	CAA(ctx context.Context, name string) ([]*dns.CAA, error)
}

// checkCAA tells whether the owner of a host lets an issuer that goes by identities make certificates for it (RFC 8659, §16.3). It returns
// a refusal when not, and another error when that could not be found out.
func checkCAA(ctx context.Context, lookup caaLookup, host string, identities []string) error {
	name, wildcard := strings.CutPrefix(host, "*.")
	for ; name != ""; _, name, _ = strings.Cut(name, ".") { // the set nearest to the name counts, and no other
		set, err := lookup.CAA(ctx, name)
		if err != nil {
			return fmt.Errorf("look for CAA records: %w", err)
		}
		if len(set) == 0 {
			continue
		}
		if allowedByCAA(set, wildcard, identities) {
			return nil
		}
		return refusal{fmt.Errorf("the CAA records of %s do not let %s issue a certificate for %s; add the record %s. CAA 0 %s %q", name,
			strings.Join(identities, " or "), host, name, caaTag(set, wildcard), identities[0])}
	}
	return nil
}

// caaTag is the property that decides: issuewild for wildcards where the set has any, else issue.
func caaTag(set []*dns.CAA, wildcard bool) string {
	if wildcard && slices.ContainsFunc(set, func(c *dns.CAA) bool { return strings.EqualFold(c.Tag, "issuewild") }) {
		return "issuewild"
	}
	return "issue"
}

// allowedByCAA decides by one set of records. A critical property that nobody knows forbids; a set without the deciding property allows.
func allowedByCAA(set []*dns.CAA, wildcard bool, identities []string) bool {
	const critical = 1 << 7
	tag, restricted, allowed := caaTag(set, wildcard), false, false
	for _, c := range set {
		switch known := strings.ToLower(c.Tag); {
		case known == tag:
			restricted = true
			issuer, _, _ := strings.Cut(c.Value, ";")
			allowed = allowed || slices.Contains(identities, strings.ToLower(strings.TrimSpace(issuer)))
		case c.Flag&critical != 0 && !slices.Contains([]string{"issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone"}, known):
			return false
		}
	}
	return allowed || !restricted
}
