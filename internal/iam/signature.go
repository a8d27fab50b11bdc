package iam

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

const (
	algorithm     = "AWS4-HMAC-SHA256"
	scopeSuffix   = "aws4_request"
	amzTimeFormat = "20060102T150405Z"

	unsignedPayload = "UNSIGNED-PAYLOAD"

	// maxPresignLife is the longest validity a presigned URL may ask for, seven days as AWS has it.
	maxPresignLife = 7 * 24 * time.Hour
	// maxTokenLength bounds session tokens before they are opened.
	maxTokenLength = 8192
)

// signature is what a request says about its own signature, from the Authorization header or from the query.
type signature struct {
	KeyID         string
	Date          string // yyyymmdd of the scope
	Region        string
	Service       string
	SignedHeaders []string // lower case, sorted, without duplicates
	Signature     string   // 64 lower-case hex digits
	Time          time.Time
	Token         string
	Presigned     bool
	Expires       time.Duration // presigned form only
	PayloadHash   string        // as the client declared it, empty when it did not
}

func (s *signature) scope() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + scopeSuffix
}

// Scope is the service and region a request was signed for, as the client claims them: good for choosing whom to ask and how to
// word a refusal, not for trust before [Directory.Verify] has spoken.
type Scope struct {
	KeyID, Region, Service string
}

// ClaimedScope reads the credential scope of a request without checking anything; it reports false when there is none.
func ClaimedScope(r *http.Request) (Scope, bool) {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if auth := r.Header.Get("Authorization"); auth != "" {
		fields, err := authorizationFields(auth)
		if err != nil {
			return Scope{}, false
		}
		credential = fields["Credential"]
	}
	var s signature
	if s.setCredential(credential) != nil {
		return Scope{}, false
	}
	return Scope{KeyID: s.KeyID, Region: s.Region, Service: s.Service}, true
}

// parseSignature reads the signature of a request in either form. It fails with CodeMissingAuth when there is none and with
// CodeIncomplete when it is malformed (§1.3).
func parseSignature(r *http.Request) (signature, error) {
	auth := r.Header.Values("Authorization")
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return signature{}, malformed("the query string is not well-formed: %v", err)
	}
	_, presigned := query["X-Amz-Algorithm"]
	switch {
	case len(auth) > 0 && presigned:
		return signature{}, malformed("the request is signed twice, in the Authorization header and in the query string; use one of them")
	case len(auth) > 1:
		return signature{}, malformed("the Authorization header is sent %d times; send it once", len(auth))
	case len(auth) == 1:
		return parseHeaderForm(r, auth[0])
	case presigned:
		return parseQueryForm(r, query)
	default:
		return signature{}, apprunner.Errorf(apprunner.CodeMissingAuth,
			"Request is missing Authentication Token: sign it with Signature Version 4 and an access key.")
	}
}

func parseHeaderForm(r *http.Request, auth string) (signature, error) {
	fields, err := authorizationFields(auth)
	if err != nil {
		return signature{}, err
	}
	var s signature
	if err := s.setCommon(fields["Credential"], fields["SignedHeaders"], fields["Signature"]); err != nil {
		return signature{}, err
	}
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Target"} {
		if len(r.Header.Values(name)) > 1 {
			return signature{}, malformed("the header %s is sent more than once", name)
		}
	}
	if err := s.setTime(headerTime(r)); err != nil {
		return signature{}, err
	}
	s.Token = r.Header.Get("X-Amz-Security-Token")
	s.PayloadHash = r.Header.Get("X-Amz-Content-Sha256")
	return s, s.checkToken()
}

// headerTime is the time a request names: X-Amz-Date, or Date where that is missing.
func headerTime(r *http.Request) string {
	if v := r.Header.Get("X-Amz-Date"); v != "" {
		return v
	}
	if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		return t.UTC().Format(amzTimeFormat)
	}
	return r.Header.Get("Date")
}

func parseQueryForm(r *http.Request, query url.Values) (signature, error) {
	for name, values := range query {
		if len(values) > 1 && strings.HasPrefix(name, "X-Amz-") {
			return signature{}, malformed("the query parameter %s is sent %d times; send it once", name, len(values))
		}
	}
	if got := query.Get("X-Amz-Algorithm"); got != algorithm {
		return signature{}, malformed("the signing algorithm %q is not supported; use %s", clip(got), algorithm)
	}
	s := signature{Presigned: true}
	if err := s.setCommon(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature")); err != nil {
		return signature{}, err
	}
	if err := s.setTime(query.Get("X-Amz-Date")); err != nil {
		return signature{}, err
	}
	if err := s.setExpires(query); err != nil {
		return signature{}, err
	}
	s.Token = query.Get("X-Amz-Security-Token")
	s.PayloadHash = query.Get("X-Amz-Content-Sha256")
	if s.PayloadHash == "" {
		s.PayloadHash = r.Header.Get("X-Amz-Content-Sha256")
	}
	return s, s.checkToken()
}

func (s *signature) setExpires(query url.Values) error {
	// The SDKs leave the parameter out for STS; a URL without one is good for as long as a clock may differ.
	s.Expires = maxSkew
	if _, sent := query["X-Amz-Expires"]; !sent {
		return nil
	}
	n, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	if err != nil || n < 0 || time.Duration(n)*time.Second > maxPresignLife {
		return malformed("X-Amz-Expires is %q; it is a number of seconds from 0 to %d", clip(query.Get("X-Amz-Expires")), int(maxPresignLife/time.Second))
	}
	s.Expires = time.Duration(n) * time.Second
	return nil
}

// authorizationFields takes an Authorization header value apart into its named fields, each present exactly once.
func authorizationFields(auth string) (map[string]string, error) {
	scheme, rest, _ := strings.Cut(auth, " ")
	if scheme != algorithm {
		return nil, malformed("the Authorization header begins with %q; use %s", clip(scheme), algorithm)
	}
	fields := make(map[string]string, 3)
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || value == "" {
			return nil, malformed("the Authorization header has the part %q, which is not of the form name=value", clip(part))
		}
		if _, dup := fields[name]; dup {
			return nil, malformed("the Authorization header names %s twice", clip(name))
		}
		fields[name] = value
	}
	for _, name := range []string{"Credential", "SignedHeaders", "Signature"} {
		if fields[name] == "" {
			return nil, malformed("Authorization header requires '%s' parameter", name)
		}
	}
	if len(fields) != 3 {
		return nil, malformed("the Authorization header has fields besides Credential, SignedHeaders and Signature")
	}
	return fields, nil
}

func (s *signature) setCommon(credential, signedHeaders, sig string) error {
	if err := s.setCredential(credential); err != nil {
		return err
	}
	s.SignedHeaders = strings.Split(signedHeaders, ";")
	for i, h := range s.SignedHeaders {
		if !isHeaderName(h) || i > 0 && s.SignedHeaders[i-1] >= h {
			return malformed("SignedHeaders must list lower-case header names, sorted, each once, separated by semicolons")
		}
	}
	if len(sig) != 64 || strings.Trim(sig, "0123456789abcdef") != "" {
		return malformed("Signature must be 64 lower-case hexadecimal digits")
	}
	s.Signature = sig
	return nil
}

func (s *signature) setCredential(credential string) error {
	p := strings.Split(credential, "/")
	if len(p) != 5 || p[4] != scopeSuffix || slices.Contains(p, "") || len(credential) > 512 {
		return malformed("Credential must have the form <access key id>/<yyyymmdd>/<region>/<service>/%s", scopeSuffix)
	}
	if len(p[1]) != 8 || strings.Trim(p[1], "0123456789") != "" {
		return malformed("the date in Credential is %q; the form is yyyymmdd", clip(p[1]))
	}
	s.KeyID, s.Date, s.Region, s.Service = p[0], p[1], p[2], p[3]
	return nil
}

func (s *signature) setTime(v string) error {
	if v == "" {
		return malformed("the request names no time; send X-Amz-Date or Date")
	}
	t, err := time.Parse(amzTimeFormat, v)
	if err != nil {
		return malformed("the request's time %q does not have the form yyyymmddThhmmssZ", clip(v))
	}
	s.Time = t
	return nil
}

func (s *signature) checkToken() error {
	if len(s.Token) > maxTokenLength {
		return malformed("the session token is longer than %d characters", maxTokenLength)
	}
	return nil
}

func isHeaderName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~") == ""
}

func malformed(format string, args ...any) error {
	return apprunner.Errorf(apprunner.CodeIncomplete, format, args...)
}

// clip shortens a value for an error message.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
