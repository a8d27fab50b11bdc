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
}

// IssueToken makes a registry password for a principal. Requests with it see the repositories of scope.
func (s *Store) IssueToken(scope apprunner.Scope, principal string) (Token, error) {
	expires := s.now().Add(tokenLife).Truncate(time.Second)
	body, err := json.Marshal(claims{principal, scope.Account, scope.Region, expires.Unix()})
	if err != nil {
		return Token{}, fmt.Errorf("issue a registry token: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	return Token{
		Password:      text + "." + base64.RawURLEncoding.EncodeToString(s.sign(text)),
		ExpiresAt:     expires.UTC(),
		ProxyEndpoint: s.endpoint(scope),
	}, nil
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

// verifyToken reads what IssueToken made. It fails with CodeUnrecognizedKey or CodeExpiredToken.
func (s *Store) verifyToken(user, password string) (caller, error) {
	refused := apprunner.Errorf(apprunner.CodeUnrecognizedKey, "the registry wants the user name AWS and a password from aws ecr get-login-password")
	text, mac, found := strings.Cut(password, ".")
	if user != tokenUser || !found || len(password) > maxPassword {
		return caller{}, refused
	}
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(sum, s.sign(text)) {
		return caller{}, refused
	}
	var c claims
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(body, &c) != nil {
		return caller{}, refused
	}
	if !s.now().Before(time.Unix(c.Expires, 0)) {
		return caller{}, apprunner.Errorf(apprunner.CodeExpiredToken, "Your authorization token has expired. Reauthenticate and try again.")
	}
	return caller{c.Principal, apprunner.Scope{Account: c.Account, Region: c.Region}}, nil
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
