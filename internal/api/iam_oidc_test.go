package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	apprunnersdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	iamsdk "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"slipway.dev/slipway/internal/iam"
)

// issuer is an OpenID Connect provider such as a CI service has.
type issuer struct {
	*httptest.Server
	key  *ecdsa.PrivateKey
	away atomic.Bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	i := &issuer{key: key}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		if i.away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

// token signs claims with a key.
func token(t *testing.T, key any, algorithm jose.SignatureAlgorithm, claims jwt.Claims) *string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	ok(t, err)
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	ok(t, err)
	return &text
}

// A role can be assumed with the token of a provider that its trust policy names, by those whom the policy means, and nobody else.
//
// checklist: 194
func TestWebIdentitiesAssumeRoles(t *testing.T) {
	d, ci := newDoor(t), newIssuer(t)
	d.idp.RoundTripper = ci.Client().Transport
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	made := do[*iamsdk.CreateOpenIDConnectProviderOutput](t)(c.CreateOpenIDConnectProvider(ctx, &iamsdk.CreateOpenIDConnectProviderInput{Url: &ci.URL, ClientIDList: []string{"sts.amazonaws.com"}}))
	host := strings.TrimPrefix(ci.URL, "https://")
	if *made.OpenIDConnectProviderArn != "arn:aws:iam::123456789012:oidc-provider/"+host {
		t.Errorf("provider %s", *made.OpenIDConnectProviderArn)
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + *made.OpenIDConnectProviderArn + `"},"Action":"sts:AssumeRoleWithWebIdentity",
		"Condition":{"StringEquals":{"` + host + `:aud":"sts.amazonaws.com"},"StringLike":{"` + host + `:sub":"repo:shop/*"}}}]}`
	role := do[*iamsdk.CreateRoleOutput](t)(c.CreateRole(ctx, &iamsdk.CreateRoleInput{RoleName: aws.String("deployer"), AssumeRolePolicyDocument: &trust})).Role
	ok(t, d.dir.PutInlinePolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: "deployer"}, "p", readAll))
	bare := stssdk.New(stssdk.Options{Region: region, BaseEndpoint: &d.url, RetryMaxAttempts: 1}) // no credentials at all
	assume := func(token *string) (*stssdk.AssumeRoleWithWebIdentityOutput, error) {
		return bare.AssumeRoleWithWebIdentity(ctx, &stssdk.AssumeRoleWithWebIdentityInput{RoleArn: role.Arn, RoleSessionName: aws.String("build-7"), WebIdentityToken: token})
	}
	claims := func(change func(*jwt.Claims)) jwt.Claims {
		now := time.Now()
		c := jwt.Claims{
			Issuer: ci.URL, Subject: "repo:shop/web", Audience: jwt.Audience{"sts.amazonaws.com"},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(5 * time.Minute)),
		}
		if change != nil {
			change(&c)
		}
		return c
	}
	out := do[*stssdk.AssumeRoleWithWebIdentityOutput](t)(assume(token(t, ci.key, jose.ES256, claims(nil))))
	if *out.SubjectFromWebIdentityToken != "repo:shop/web" || *out.Audience != "sts.amazonaws.com" || *out.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/deployer/build-7" {
		t.Errorf("assumed %+v", out)
	}
	if r, text := d.last(t); r.UserIdentity.Type != "WebIdentityUser" || r.UserIdentity.UserName != "repo:shop/web" || strings.Contains(text, *out.Credentials.SessionToken) || strings.Contains(text, "eyJ") {
		t.Errorf("recorded as %s", text)
	}
	do[*apprunnersdk.ListServicesOutput](t)(apprunnersdk.NewFromConfig(d.session(out.Credentials)).ListServices(ctx, &apprunnersdk.ListServicesInput{}))

	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	public, err := json.Marshal(jose.JSONWebKey{Key: ci.key.Public(), KeyID: "k1"})
	ok(t, err)
	for name, tc := range map[string]struct {
		token  *string
		code   string
		status int
	}{
		"another repository":    {token(t, ci.key, jose.ES256, claims(func(c *jwt.Claims) { c.Subject = "repo:other/web" })), "AccessDenied", http.StatusForbidden},
		"another audience":      {token(t, ci.key, jose.ES256, claims(func(c *jwt.Claims) { c.Audience = jwt.Audience{"elsewhere"} })), "InvalidIdentityToken", http.StatusBadRequest},
		"another issuer":        {token(t, ci.key, jose.ES256, claims(func(c *jwt.Claims) { c.Issuer = "https://example.com" })), "InvalidIdentityToken", http.StatusBadRequest},
		"nobody":                {token(t, ci.key, jose.ES256, claims(func(c *jwt.Claims) { c.Subject = "" })), "InvalidIdentityToken", http.StatusBadRequest},
		"expired":               {token(t, ci.key, jose.ES256, claims(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-2 * time.Minute)) })), "ExpiredTokenException", http.StatusBadRequest},
		"without an end":        {token(t, ci.key, jose.ES256, claims(func(c *jwt.Claims) { c.Expiry = nil })), "InvalidIdentityToken", http.StatusBadRequest},
		"not yet":               {token(t, ci.key, jose.ES256, claims(func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Hour)) })), "InvalidIdentityToken", http.StatusBadRequest},
		"another key":           {token(t, stranger, jose.ES256, claims(nil)), "InvalidIdentityToken", http.StatusBadRequest},
		"the public key as MAC": {token(t, public, jose.HS256, claims(nil)), "InvalidIdentityToken", http.StatusBadRequest},
		"no token":              {aws.String("nonsense"), "InvalidIdentityToken", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := assume(tc.token)
			refused(t, err, tc.code, tc.status)
		})
	}
	// The keys are known for a while; without them nobody is believed.
	d.ahead.Store(int64(11 * time.Minute))
	ci.away.Store(true)
	late := claims(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(time.Hour)) })
	_, err = assume(token(t, ci.key, jose.ES256, late))
	refused(t, err, "IDPCommunicationError", http.StatusBadRequest)
	d.ahead.Store(0)

	list := do[*iamsdk.ListOpenIDConnectProvidersOutput](t)(c.ListOpenIDConnectProviders(ctx, &iamsdk.ListOpenIDConnectProvidersInput{}))
	if len(list.OpenIDConnectProviderList) != 1 {
		t.Errorf("providers %+v", list)
	}
	_, err = c.CreateOpenIDConnectProvider(ctx, &iamsdk.CreateOpenIDConnectProviderInput{Url: aws.String("http://plain.example")})
	refused(t, err, "InvalidInput", http.StatusBadRequest)
	do[*iamsdk.DeleteOpenIDConnectProviderOutput](t)(c.DeleteOpenIDConnectProvider(ctx, &iamsdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: made.OpenIDConnectProviderArn}))
	_, err = assume(token(t, ci.key, jose.ES256, claims(nil)))
	refused(t, err, "InvalidIdentityToken", http.StatusBadRequest)
}

// Only what says so of itself is answered without a signature.
func TestOnlySomeActionsAreUnsigned(t *testing.T) {
	d := newDoor(t)
	res, err := http.Post(d.url, "application/x-www-form-urlencoded", strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
	ok(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("GetCallerIdentity without a signature: %s", res.Status)
	}
}

// Audiences, thumbprints and tags of a provider can change; that is how Terraform keeps the provider of a CI service.
func TestOIDCProvidersChange(t *testing.T) {
	d := newDoor(t)
	ctx, c := t.Context(), iamsdk.NewFromConfig(d.config())
	print := func(digit string) string { return strings.Repeat(digit, 40) }
	created, err := c.CreateOpenIDConnectProvider(ctx, &iamsdk.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://ci.example.com"), ClientIDList: []string{"one"}, ThumbprintList: []string{print("b"), print("a")}, Tags: []iamtypes.Tag{{Key: aws.String("Team"), Value: aws.String("web")}},
	})
	ok(t, err)
	arn := created.OpenIDConnectProviderArn
	_, err = c.UpdateOpenIDConnectProviderThumbprint(ctx, &iamsdk.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: []string{print("d"), print("c")}})
	ok(t, err)
	for range 2 { // a second time changes nothing
		_, err = c.AddClientIDToOpenIDConnectProvider(ctx, &iamsdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("two")})
		ok(t, err)
		_, err = c.RemoveClientIDFromOpenIDConnectProvider(ctx, &iamsdk.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, ClientID: aws.String("one")})
		ok(t, err)
	}
	_, err = c.TagOpenIDConnectProvider(ctx, &iamsdk.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, Tags: []iamtypes.Tag{{Key: aws.String("Stage"), Value: aws.String("test")}}})
	ok(t, err)
	_, err = c.UntagOpenIDConnectProvider(ctx, &iamsdk.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn, TagKeys: []string{"Team"}})
	ok(t, err)
	p, err := c.GetOpenIDConnectProvider(ctx, &iamsdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	ok(t, err)
	if !slices.Equal(p.ClientIDList, []string{"two"}) || !slices.Equal(p.ThumbprintList, []string{print("d"), print("c")}) || len(p.Tags) != 1 || *p.Tags[0].Key != "Stage" {
		t.Errorf("%+v", p)
	}
	tags, err := c.ListOpenIDConnectProviderTags(ctx, &iamsdk.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: arn})
	if ok(t, err); len(tags.Tags) != 1 || *tags.Tags[0].Value != "test" {
		t.Errorf("%+v", tags)
	}
	_, err = c.UpdateOpenIDConnectProviderThumbprint(ctx, &iamsdk.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: arn, ThumbprintList: slices.Repeat([]string{print("e")}, 6)})
	refused(t, err, "InvalidInput", 400)
	_, err = c.AddClientIDToOpenIDConnectProvider(ctx, &iamsdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(*arn + "x"), ClientID: aws.String("two")})
	refused(t, err, "NoSuchEntity", 404)
}
