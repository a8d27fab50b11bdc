package image

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

const (
	tokenUser   = "AWS"
	linkParam   = "X-Slipway-Token"
	linkLife    = time.Hour
	tokenLife   = 12 * time.Hour // adjacent §3.1
	maxPassword = 16 << 10
)

// Token is what GetAuthorizationToken hands out.
type Token struct {
	Password      string // for the user name "AWS"; authorizationToken is base64("AWS:" + Password)
	ExpiresAt     time.Time
	ProxyEndpoint string
}

// claims is what a password says. It is signed, not stored, so it survives restarts; that the principal still exists and may
// do what it asks is Config.Authorize's answer at each request.
type claims struct {
	Principal string `json:"p"`
	Account   string `json:"a"`
	Region    string `json:"r"`
	Expires   int64  `json:"e"` // Unix seconds
	// Path, if any, is the one thing the token is good for: reading that path of the registry.
	Path string `json:"u,omitempty"`
}

// IssueToken makes a registry password for a principal. Requests with it see the repositories of scope.
func (s *Store) IssueToken(scope apprunner.Scope, principal string) (Token, error) {
	expires := s.now().Add(tokenLife).Truncate(time.Second)
	password, err := s.signClaims(claims{Principal: principal, Account: scope.Account, Region: scope.Region, Expires: expires.Unix()})
	if err != nil {
		return Token{}, fmt.Errorf("issue a registry token: %w", err)
	}
	return Token{Password: password, ExpiresAt: expires.UTC(), ProxyEndpoint: s.endpoint(scope)}, nil
}

func (s *Store) signClaims(c claims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(s.sign(text)), nil
}

func (s *Store) endpoint(scope apprunner.Scope) string {
	if s.cfg.ProxyEndpoint != "" {
		return s.cfg.ProxyEndpoint
	}
	return "https://" + registryHost(scope)
}

// caller is who sent a request to the registry and whose repositories it means.
type caller struct {
	principal string
	scope     apprunner.Scope
}

func badToken() *apprunner.Error {
	return apprunner.Errorf(apprunner.CodeUnrecognizedKey, "the registry wants the user name AWS and a password from aws ecr get-login-password")
}

// verifyToken reads what IssueToken made. It fails with CodeUnrecognizedKey or CodeExpiredToken.
func (s *Store) verifyToken(user, password string) (caller, error) {
	c, err := s.verifyClaims(password)
	if err != nil {
		return caller{}, err
	}
	if user != tokenUser || c.Path != "" {
		return caller{}, badToken()
	}
	return c.caller(), nil
}

// verifyLink reads the token of a download link, which is good for its path only.
func (s *Store) verifyLink(token, path string) (caller, error) {
	c, err := s.verifyClaims(token)
	if err != nil {
		return caller{}, err
	}
	if c.Path == "" || c.Path != path {
		return caller{}, badToken()
	}
	return c.caller(), nil
}

func (c claims) caller() caller {
	return caller{c.Principal, apprunner.Scope{Account: c.Account, Region: c.Region}}
}

func (s *Store) verifyClaims(token string) (claims, error) {
	text, mac, found := strings.Cut(token, ".")
	if !found || len(token) > maxPassword {
		return claims{}, badToken()
	}
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(sum, s.sign(text)) {
		return claims{}, badToken()
	}
	var c claims
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(body, &c) != nil {
		return claims{}, badToken()
	}
	if !s.now().Before(time.Unix(c.Expires, 0)) {
		return claims{}, apprunner.Errorf(apprunner.CodeExpiredToken, "Your authorization token has expired. Reauthenticate and try again.")
	}
	return c, nil
}

func (s *Store) sign(text string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("slipway registry token\n" + text))
	return mac.Sum(nil)
}

// tokenKey reads the key that signs tokens, made at the first start.
func (s *Store) tokenKey(ctx context.Context) ([]byte, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	var value string
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`INSERT INTO image_keys (name, value) VALUES ('token', $1) ON CONFLICT (name) DO NOTHING`, hex.EncodeToString(fresh)); err != nil {
			return err
		}
		_, err := tx.Get(`SELECT value FROM image_keys WHERE name = 'token'`, nil, &value)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the token key: %w", err)
	}
	return hex.DecodeString(value)
}
