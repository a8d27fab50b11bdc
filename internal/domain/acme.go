package domain

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// The challenges by which names are proven to a certificate authority. Wildcards are always proven by DNS.
const (
	ChallengeDNS  = acme.ChallengeTypeDNS01
	ChallengeHTTP = acme.ChallengeTypeHTTP01
	ChallengeTLS  = acme.ChallengeTypeTLSALPN01
)

// ACMEConfig is what an ACME issuer needs.
type ACMEConfig struct {
	Directory string         // the authority's directory URL
	Email     string         // where the authority writes to; "": nowhere
	Roots     *x509.CertPool // what the authority's own HTTPS is trusted by; nil: the system's
	Challenge string         // one of the constants above
	EABKeyID  string         // binds the account to one held there already, for authorities that ask for it; "": none
	EABKey    string         // the key of that binding, base64url
	KeyFile   string         // the account's key, made at first with mode 0600

	Names  *Directory // answers of DNS challenges
	Proofs *Proofs    // answers of the others
	Log    *slog.Logger
}

// ACME has certificates made by an authority that speaks ACME (RFC 8555), and asks it when to renew them (RFC 9773).
type ACME struct {
	cfg    ACMEConfig
	client *acme.Client

	mu      sync.Mutex
	account acme.Account // Location is "" until registered
}

var _ CustomIssuer = (*ACME)(nil)

const (
	acmeCallTimeout = 30 * time.Second
	acmeOrderLimit  = 5 * time.Minute
)

// NewACME checks the configuration and reads or makes the account's key. The authority is not spoken to before the first order.
func NewACME(cfg ACMEConfig) (*ACME, error) {
	if cfg.Names == nil || cfg.Proofs == nil || cfg.Log == nil || cfg.KeyFile == "" {
		return nil, errors.New("domain: the configuration of the ACME issuer is incomplete")
	}
	if u, err := url.Parse(cfg.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("ACME directory %q is not an https URL", cfg.Directory)
	}
	key, err := accountKey(cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key of the ACME account: %w", err)
	}
	a := &ACME{cfg: cfg, account: acme.Account{PrivateKey: key.key, TermsOfServiceAgreed: true}}
	if cfg.Email != "" {
		a.account.Contact = []string{"mailto:" + cfg.Email}
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("domain: the default HTTP transport was replaced")
	}
	transport = transport.Clone()
	if cfg.Roots != nil {
		transport.TLSClientConfig.RootCAs = cfg.Roots
	}
	a.client = &acme.Client{
		Directory: cfg.Directory, HTTPClient: &http.Client{Transport: transport, Timeout: acmeCallTimeout},
		UserAgent: "slipway", PollTimeout: acmeOrderLimit,
	}
	return a, nil
}

// accountKey reads the key, made at first. Only the key is kept: the authority finds the account by it (RFC 8555 §7.3.1).
func accountKey(file string) (pair, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key, err := newKey()
		if err != nil {
			return pair{}, err
		}
		encoded, err := keyPEM(key)
		if err != nil {
			return pair{}, err
		}
		return pair{key: key}, errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), writeFile(file, encoded, 0o600))
	}
	if err != nil {
		return pair{}, err
	}
	return parseKey(raw)
}

// Identities are the names by which CAA records allow this authority; its host name where it tells none.
func (a *ACME) Identities(ctx context.Context) ([]string, error) {
	dir, err := a.client.GetDirectory(ctx)
	if err != nil {
		return nil, a.explain(err)
	}
	if dir.Meta != nil && len(dir.Meta.CAAIdentities) > 0 {
		var names []string
		for _, n := range dir.Meta.CAAIdentities {
			names = append(names, strings.ToLower(n))
		}
		return names, nil
	}
	return []string{a.host()}, nil
}

func (a *ACME) host() string {
	u, err := url.Parse(a.cfg.Directory)
	if err != nil {
		return a.cfg.Directory
	}
	return u.Hostname()
}

// registered gives the account, registering it once in the life of the process: for a key that has one already, this finds it.
func (a *ACME) registered(ctx context.Context) (acme.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.account.Location != "" {
		return a.account, nil
	}
	wanted := a.account
	if a.cfg.EABKeyID != "" {
		if err := wanted.SetExternalAccountBinding(ctx, a.client, acme.EAB{KeyID: a.cfg.EABKeyID, MACKey: a.cfg.EABKey}); err != nil {
			return acme.Account{}, err
		}
	}
	account, err := a.client.NewAccount(ctx, wanted)
	if err != nil {
		return acme.Account{}, err
	}
	a.account = account
	return account, nil
}

// Issue places an order, proves the names and fetches the certificate.
func (a *ACME) Issue(ctx context.Context, o Order) (Pair, error) {
	ctx, cancel := context.WithTimeout(ctx, acmeOrderLimit)
	defer cancel()
	p, err := a.order(ctx, o)
	if err != nil {
		return Pair{}, a.explain(err)
	}
	return p, nil
}

func (a *ACME) order(ctx context.Context, o Order) (Pair, error) {
	account, err := a.registered(ctx)
	if err != nil {
		return Pair{}, err
	}
	key, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	csr, err := acmez.NewCSR(key, o.Hosts)
	if err != nil {
		return Pair{}, err
	}
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return Pair{}, err
	}
	if o.Replaces != nil && !ownAuthority(o.Replaces) {
		if _, err := a.client.GetRenewalInfo(ctx, o.Replaces); err == nil { // the authority knows it
			params.Replaces = o.Replaces
		}
	}
	client := acmez.Client{Client: a.client, ChallengeSolvers: a.solvers(o)}
	chains, err := client.ObtainCertificate(ctx, params)
	if err != nil {
		return Pair{}, err
	}
	encoded, err := keyPEM(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{chains[0].ChainPEM, encoded}, nil
}

func (a *ACME) solvers(o Order) map[string]acmez.Solver {
	wildcard := slices.ContainsFunc(o.Hosts, func(h string) bool { return strings.HasPrefix(h, "*.") })
	switch {
	case a.cfg.Challenge == ChallengeHTTP && !wildcard:
		return map[string]acmez.Solver{ChallengeHTTP: httpSolver{a.cfg.Proofs}}
	case a.cfg.Challenge == ChallengeTLS && !wildcard:
		return map[string]acmez.Solver{ChallengeTLS: tlsSolver{a.cfg.Proofs}}
	default:
		return map[string]acmez.Solver{ChallengeDNS: &dnsSolver{names: a.cfg.Names, targets: o.Targets}}
	}
}

// RenewAt is when the authority wants a certificate renewed, else after two thirds of its life; at once for one that the installation's own
// authority made before there was this one.
func (a *ACME) RenewAt(ctx context.Context, leaf *x509.Certificate) time.Time {
	if ownAuthority(leaf) {
		return leaf.NotBefore
	}
	usual := RenewAt(leaf.NotBefore, leaf.NotAfter)
	ctx, cancel := context.WithTimeout(ctx, acmeCallTimeout)
	defer cancel()
	info, err := a.client.GetRenewalInfo(ctx, leaf)
	if err != nil || !info.HasWindow() {
		a.cfg.Log.Debug("the authority does not say when to renew", "host", a.host(), "err", err)
		return usual
	}
	return info.SelectedTime
}

// explain makes a failure readable, and marks one that lasts.
func (a *ACME) explain(err error) error {
	var p acme.Problem
	if !errors.As(err, &p) {
		return fmt.Errorf("the certificate authority %s: %w", a.host(), err)
	}
	if p.Type == acme.ProblemTypeAccountDoesNotExist {
		a.mu.Lock()
		a.account.Location, a.account.Status = "", ""
		a.mu.Unlock()
	}
	detail := p.Detail
	for _, sub := range p.Subproblems {
		detail += "; " + sub.Identifier.Value + ": " + sub.Detail
	}
	told := fmt.Errorf("the certificate authority %s refused (%s): %s%s", a.host(), strings.TrimPrefix(p.Type, acme.ProblemTypeNamespace), detail, a.nextStep(p.Type))
	if slices.Contains([]string{acme.ProblemTypeCAA, acme.ProblemTypeRejectedIdentifier, acme.ProblemTypeUnsupportedIdentifier}, p.Type) {
		return refusal{told}
	}
	return told
}

// nextStep is what can be done about a kind of problem.
func (a *ACME) nextStep(kind string) string {
	switch kind {
	case acme.ProblemTypeDNS, acme.ProblemTypeUnauthorized, acme.ProblemTypeConnection, acme.ProblemTypeTLS, acme.ProblemTypeIncorrectResponse:
		switch a.cfg.Challenge {
		case ChallengeHTTP:
			return ". Port 80 of the name must lead to http-addr from everywhere"
		case ChallengeTLS:
			return ". Port 443 of the name must lead to https-addr from everywhere"
		}
		return ". The installation's domain must be delegated to dns-addr in the DNS of the world"
	case acme.ProblemTypeRateLimited:
		return ". It is tried again with growing pauses"
	case acme.ProblemTypeExternalAccountRequired:
		return ". Set acme-eab-kid and acme-eab-key to what the authority gave you"
	}
	return ""
}

// ownAuthority tells whether an authority of this product made a certificate.
func ownAuthority(leaf *x509.Certificate) bool {
	return slices.Equal(leaf.Issuer.Organization, []string{organization})
}
