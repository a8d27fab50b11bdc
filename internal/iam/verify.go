package iam

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// maxSkew is how far the client's clock may be from ours, either way (§1.1).
const maxSkew = 5 * time.Minute

// Verify checks the Signature Version 4 of a request, header or query form, against the access keys on record, and says who
// sent it. payload is the SHA-256 of the body as received. The scope's service and region are returned as signed; whether they
// fit what is asked for is the caller's business.
//
// Refusals are *apprunner.Error with the codes of §1.3: CodeMissingAuth, CodeIncomplete, CodeUnrecognizedKey,
// CodeInvalidSignature, CodeExpiredToken.
func (d *Directory) Verify(ctx context.Context, r *http.Request, payload [32]byte) (Principal, Scope, error) {
	sig, err := parseSignature(r)
	if err != nil {
		return Principal{}, Scope{}, err
	}
	scope := Scope{KeyID: sig.KeyID, Region: sig.Region, Service: sig.Service}
	secret, principal, err := d.credential(ctx, sig.KeyID, sig.Token)
	if err != nil {
		return Principal{}, scope, err
	}
	now := d.now()
	if err := sig.checkTime(now); err != nil {
		return Principal{}, scope, err
	}
	if err := sig.check(r, secret, payload); err != nil {
		return Principal{}, scope, err
	}
	if principal.Session == nil { // temporary keys have no record to note it in
		d.used(sig.KeyID, keyUse{At: now, Service: sig.Service, Region: sig.Region})
	}
	return principal, scope, nil
}

// credential finds the secret of a key and whom it stands for. Session tokens carry both, sealed under our own key.
func (d *Directory) credential(ctx context.Context, keyID, token string) (secret string, p Principal, err error) {
	if strings.HasPrefix(keyID, temporaryKeyPrefix) {
		secret, p, err = d.openToken(keyID, token)
		if err == nil && p.Session.InstanceID != "" {
			err = d.checkInstance(ctx, p.Session.InstanceID)
		}
		return secret, p, err
	}
	if token != "" {
		return "", Principal{}, unknownKey()
	}
	return d.keyOwner(ctx, keyID)
}

func unknownKey() error {
	return apprunner.Errorf(apprunner.CodeUnrecognizedKey, "The security token included in the request is invalid.")
}

// checkTime holds the time the request names against the clock and against its own scope.
func (s *signature) checkTime(now time.Time) error {
	if s.Time.Format("20060102") != s.Date {
		return invalidSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s'.",
			s.Date, s.Time.Format("20060102"))
	}
	if early := now.Add(maxSkew); s.Time.After(early) {
		return invalidSignature("Signature not yet current: %s is still later than %s (%s + 5 min.)",
			s.Time.Format(amzTimeFormat), early.UTC().Format(amzTimeFormat), now.UTC().Format(amzTimeFormat))
	}
	life := maxSkew
	if s.Presigned {
		life = s.Expires
	}
	if oldest := now.Add(-life); s.Time.Before(oldest.Truncate(time.Second)) {
		return invalidSignature("Signature expired: %s is now earlier than %s (%s - %s)",
			s.Time.Format(amzTimeFormat), oldest.UTC().Format(amzTimeFormat), now.UTC().Format(amzTimeFormat), life)
	}
	return nil
}

// check recomputes the signature and compares in constant time.
func (s *signature) check(r *http.Request, secret string, payload [32]byte) error {
	if name := s.unsignedHeader(r); name != "" {
		return invalidSignature("'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
	}
	hash := s.PayloadHash
	switch {
	case hash == "":
		hash = hex.EncodeToString(payload[:])
	case hash != unsignedPayload && !hmac.Equal([]byte(hash), []byte(hex.EncodeToString(payload[:]))):
		return invalidSignature("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return malformed("the query string is not well-formed: %v", err)
	}
	for _, path := range canonicalPaths(r) {
		want := s.sign(secret, s.stringToSign(r, query, path, hash))
		if hmac.Equal([]byte(want), []byte(s.Signature)) {
			return nil
		}
	}
	return invalidSignature("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

// unsignedHeader names a header that this server acts on and that the signature does not cover: somebody between could have set
// it.
func (s *signature) unsignedHeader(r *http.Request) string {
	if !slices.Contains(s.SignedHeaders, "host") {
		return "Host"
	}
	acted := []string{"X-Amz-Target", "X-Amz-Content-Sha256"}
	if !s.Presigned {
		acted = append(acted, "X-Amz-Date", "X-Amz-Security-Token")
		if r.Header.Get("X-Amz-Date") == "" {
			acted = append(acted, "Date")
		}
	}
	for _, name := range acted {
		if len(r.Header.Values(name)) > 0 && !slices.Contains(s.SignedHeaders, strings.ToLower(name)) {
			return name
		}
	}
	return ""
}

func invalidSignature(format string, args ...any) error {
	return apprunner.Errorf(apprunner.CodeInvalidSignature, "%s", fmt.Sprintf(format, args...))
}
