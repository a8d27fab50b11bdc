package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Error codes of web identities (STS).
const (
	CodeInvalidIdentityToken apprunner.Code = "InvalidIdentityToken"
	CodeIDPCommunication     apprunner.Code = "IDPCommunicationError"
	CodeExpiredIdentity      apprunner.Code = "ExpiredTokenException"
)

// ActionAssumeWebIdentity is what trust policies allow those whom a provider vouches for.
const ActionAssumeWebIdentity = "sts:AssumeRoleWithWebIdentity"

// WebIdentityInput asks for a role session with the token of a provider.
type WebIdentityInput struct {
	RoleARN, SessionName string
	Token                string
	Duration             time.Duration // zero: one hour
	Policies, PolicyARNs []string      // session policies
	Context              map[string][]string
}

// WebIdentity is who a token says its bearer is.
type WebIdentity struct{ Issuer, Subject, Audience string }

// AssumeRoleWithWebIdentity gives the bearer of a token temporary credentials of a role whose trust policy names the token's issuer
// (adjacent §2.5). The issuer must be a provider of the role's account.
func (d *Directory) AssumeRoleWithWebIdentity(ctx context.Context, in WebIdentityInput) (Credentials, WebIdentity, error) {
	if !sessionNameForm.MatchString(in.SessionName) {
		return Credentials{}, WebIdentity{}, apprunner.Errorf(CodeValidationError, "RoleSessionName must have 2 to 64 characters of letters, digits and =,.@_-")
	}
	account := AccountOf(in.RoleARN)
	provider, who, err := d.bearer(ctx, account, in.Token)
	if err != nil {
		return Credentials{}, who, err
	}
	role, err := d.webAssumable(ctx, in, provider, who)
	if err != nil {
		return Credentials{}, who, err
	}
	if in.Duration == 0 {
		in.Duration = defaultSession
	}
	if in.Duration < minSession || in.Duration > role.MaxSession {
		return Credentials{}, who, apprunner.Errorf(CodeValidationError, "DurationSeconds is %d; for this role it must be from %d to %d.",
			int64(in.Duration/time.Second), int64(minSession/time.Second), int64(role.MaxSession/time.Second))
	}
	policies, err := d.sessionPolicies(ctx, account, in.Policies, in.PolicyARNs)
	if err != nil {
		return Credentials{}, who, err
	}
	p := d.roleSession(role, in.SessionName, nil, policies)
	p.Session.IssuerARN = provider.ARN()
	cred, err := d.issue(p, in.Duration)
	return cred, who, err
}

// webAssumable finds the role and asks its trust policy.
func (d *Directory) webAssumable(ctx context.Context, in WebIdentityInput, p OIDCProvider, who WebIdentity) (Role, error) {
	denied := apprunner.Errorf(apprunner.CodeAccessDenied, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
	var role Role
	var found bool
	err := d.db.View(ctx, func(tx *store.Tx) (err error) {
		role, found, err = findRole(tx, in.RoleARN)
		return err
	})
	if err != nil {
		return Role{}, err
	}
	if !found {
		return Role{}, denied
	}
	doc, err := d.parsed.parse(role.Trust, TrustPolicy)
	if err != nil {
		return Role{}, fmt.Errorf("trust policy of %s: %w", in.RoleARN, err)
	}
	keys := maps.Clone(in.Context)
	if keys == nil {
		keys = map[string][]string{}
	}
	keys[p.name()+":sub"], keys[p.name()+":aud"] = []string{who.Subject}, []string{who.Audience}
	keys["sts:RoleSessionName"] = []string{in.SessionName}
	q := Request{Action: ActionAssumeWebIdentity, Resource: in.RoleARN, Context: keys}
	if decision, _ := DecideFor(doc, Caller{Federated: p.ARN()}, q); decision != Allow {
		return Role{}, denied
	}
	return role, nil
}

// algorithms are the signatures that tokens may carry: those with a key pair, whose public half anybody may read.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512}

const (
	maxIdentityToken = 20_000
	// clockLeeway is how far the issuer's clock may be from ours.
	clockLeeway = time.Minute
)

// bearer verifies a token of a provider of the account.
func (d *Directory) bearer(ctx context.Context, account, token string) (OIDCProvider, WebIdentity, error) {
	invalid := func(why string) (OIDCProvider, WebIdentity, error) {
		return OIDCProvider{}, WebIdentity{}, apprunner.Errorf(CodeInvalidIdentityToken, "The web identity token is not valid: %s.", why)
	}
	if len(token) > maxIdentityToken {
		return invalid("it is too long")
	}
	signed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(signed.Headers) != 1 {
		return invalid("it is not a signed JSON web token")
	}
	var claims jwt.Claims
	if err := signed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return invalid("its claims cannot be read")
	}
	p, err := d.providerOf(ctx, account, claims.Issuer)
	if err != nil {
		return OIDCProvider{}, WebIdentity{}, err
	}
	if p.URL == "" {
		return invalid("no OpenIDConnect provider of the role's account has the URL " + clip(claims.Issuer))
	}
	key, err := d.issuers.key(ctx, p.URL, signed.Headers[0].KeyID, d.now())
	if err != nil {
		return OIDCProvider{}, WebIdentity{}, err
	}
	if key == nil || signed.Claims(key, &claims) != nil {
		return invalid("its signature is not that of its issuer")
	}
	switch err := claims.ValidateWithLeeway(jwt.Expected{Issuer: p.URL, AnyAudience: p.Clients, Time: d.now()}, clockLeeway); {
	case errors.Is(err, jwt.ErrExpired):
		return OIDCProvider{}, WebIdentity{}, apprunner.Errorf(CodeExpiredIdentity, "The web identity token has expired.")
	case err != nil || len(p.Clients) == 0 || claims.Expiry == nil || claims.Subject == "":
		return invalid("it is not for one of the provider's client IDs, not for this time, or names nobody")
	}
	return p, WebIdentity{Issuer: p.URL, Subject: claims.Subject, Audience: audience(claims.Audience, p.Clients)}, nil
}

// audience is the first of the token's that the provider has.
func audience(of jwt.Audience, clients []string) string {
	for _, a := range of {
		for _, c := range clients {
			if a == c {
				return a
			}
		}
	}
	return ""
}

// providerOf finds the provider of an account with this URL; a zero one when there is none.
func (d *Directory) providerOf(ctx context.Context, account, issuer string) (OIDCProvider, error) {
	list, err := d.OIDCProviders(ctx, account)
	for _, p := range list {
		if p.URL == issuer && issuer != "" {
			return p, nil
		}
	}
	return OIDCProvider{}, err
}

// issuers fetches and remembers the keys of providers.
type issuers struct {
	client *http.Client
	mu     sync.Mutex
	known  map[string]issuerKeys
}

type issuerKeys struct {
	set jose.JSONWebKeySet
	at  time.Time
}

const (
	keysLive    = 10 * time.Minute
	keysAnew    = 30 * time.Second // for a key that is not among those known
	maxKeysText = 1 << 20
)

// key is the key of an issuer by its id; nil when the issuer has none of that id.
func (s *issuers) key(ctx context.Context, issuer, id string, now time.Time) (any, error) {
	s.mu.Lock()
	k, known := s.known[issuer]
	s.mu.Unlock()
	found := k.set.Key(id)
	if age := now.Sub(k.at); !known || age > keysLive || len(found) == 0 && age > keysAnew {
		set, err := s.fetch(ctx, issuer)
		if err != nil {
			return nil, apprunner.Errorf(CodeIDPCommunication, "The keys of %s cannot be fetched: %w", issuer, err)
		}
		s.mu.Lock()
		if s.known == nil {
			s.known = map[string]issuerKeys{}
		}
		s.known[issuer] = issuerKeys{set, now}
		s.mu.Unlock()
		found = set.Key(id)
	}
	for _, k := range found {
		if k.IsPublic() && k.Valid() && k.Use != "enc" {
			return k.Key, nil
		}
	}
	return nil, nil
}

// fetch reads the keys that an issuer publishes (OpenID Connect Discovery 1.0).
func (s *issuers) fetch(ctx context.Context, issuer string) (set jose.JSONWebKeySet, err error) {
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := s.read(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return set, err
	}
	if about.Issuer != issuer || !strings.HasPrefix(about.Keys, "https://") {
		return set, fmt.Errorf("its configuration is that of %q, with keys at %q", clip(about.Issuer), clip(about.Keys))
	}
	return set, s.read(ctx, about.Keys, &set)
}

func (s *issuers) read(ctx context.Context, address string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, res.Status)
	}
	return json.NewDecoder(io.LimitReader(res.Body, maxKeysText)).Decode(out)
}

// newIssuers takes a client that follows redirects to HTTPS only.
func newIssuers(transport http.RoundTripper) *issuers {
	return &issuers{client: &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Scheme != "https" || len(via) > 3 {
				return errors.New("it redirects too often, or away from HTTPS")
			}
			return nil
		},
	}}
}
