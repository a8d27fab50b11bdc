package server

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/domain"
)

// domainSettings are those of custom domains and their certificates.
func domainSettings() []setting {
	key := text("acme-eab-key", "key of that binding", "", "base64url", func(string) bool { return true }, func(c *Config) *string { return &c.ACMEEABKey })
	key.secret = true
	key.show = func(c Config) string { return strings.Repeat("*", min(len(c.ACMEEABKey), 3)) }
	return []setting{
		text("public-address", "what the applications' names resolve to (default: https-addr)", "", "addresses separated by commas, or one name", orNone(isPublicAddress), func(c *Config) *string { return &c.PublicAddress }),
		text("dns-resolver", "DNS resolver that custom domains are looked up at (default: the system's)", "", addressAllowed, orNone(isAddress), func(c *Config) *string { return &c.DNSResolver }),
		duration("validation-timeout", "how long the owner of a custom domain may take to prove it", "72h", func(c *Config) *time.Duration { return &c.ValidationTimeout }),
		duration("certificate-retention", "how long certificates of unlinked domains are kept", "168h", func(c *Config) *time.Duration { return &c.CertificateRetention }),
		text("acme-directory", "directory URL of the certificate authority for custom domains (default: the local CA)", "", "an https URL", orNone(isHTTPS), func(c *Config) *string { return &c.ACMEDirectory }),
		text("acme-email", "where that authority writes to", "", "an e-mail address", orNone(isEmail), func(c *Config) *string { return &c.ACMEEmail }),
		fileSetting("acme-ca", "certificates that the authority's own HTTPS is trusted by (default: the system's)", func(c *Config) *string { return &c.ACMERoots }),
		text("acme-challenge", "how names are proven to the authority; wildcards always by dns-01", domain.ChallengeDNS, "dns-01, http-01 or tls-alpn-01", func(s string) bool {
			return slices.Contains([]string{domain.ChallengeDNS, domain.ChallengeHTTP, domain.ChallengeTLS}, s)
		}, func(c *Config) *string { return &c.ACMEChallenge }),
		text("acme-eab-kid", "external account binding, for authorities that ask for one", "", "a key id", func(string) bool { return true }, func(c *Config) *string { return &c.ACMEEABKeyID }),
		key,
	}
}

func isPublicAddress(s string) bool {
	_, _, err := publicAddress(s)
	return err == nil
}

// publicAddress reads addresses, or one name.
func publicAddress(s string) (addresses []netip.Addr, name string, err error) {
	for part := range strings.SplitSeq(s, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil && s == part && domainName.MatchString(s) {
			return nil, s, nil
		}
		if err != nil {
			return nil, "", errNotAllowed
		}
		addresses = append(addresses, a)
	}
	return addresses, "", nil
}

// orNone lets a value be left out.
func orNone(ok func(string) bool) func(string) bool {
	return func(s string) bool { return s == "" || ok(s) }
}

func isHTTPS(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

func isEmail(s string) bool {
	name, host, ok := strings.Cut(s, "@")
	return ok && name != "" && !strings.ContainsAny(s, " ,?") && domainName.MatchString(strings.ToLower(host))
}
