package iam

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Every service here other than S3 encodes the path a second time when it is signed.

// stringToSign is the text whose MAC is the signature, for one reading of the request's path.
func (s *signature) stringToSign(r *http.Request, query url.Values, canonicalPath, payloadHash string) string {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(canonicalPath)
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(query))
	b.WriteByte('\n')
	for _, name := range s.SignedHeaders {
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(headerValue(r, name))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(s.SignedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(payloadHash)
	sum := sha256.Sum256([]byte(b.String()))
	return algorithm + "\n" + s.Time.Format(amzTimeFormat) + "\n" + s.scope() + "\n" + hex.EncodeToString(sum[:])
}

// sign computes the signature of a string to sign under a secret key.
func (s *signature) sign(secret, stringToSign string) string {
	key := mac([]byte("AWS4"+secret), s.Date)
	for _, part := range []string{s.Region, s.Service, scopeSuffix} {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, stringToSign))
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

// canonicalPaths are the readings of the path a client may have signed: as sent, and, where that is not clean, with dot segments
// and doubled slashes taken out, as the specification of SigV4 has it and botocore does (the Go SDK does not).
func canonicalPaths(r *http.Request) []string {
	raw := r.URL.EscapedPath()
	if strings.HasPrefix(r.RequestURI, "/") {
		raw, _, _ = strings.Cut(r.RequestURI, "?")
	}
	if raw == "" {
		raw = "/"
	}
	paths := []string{escape(raw, true)}
	clean := path.Clean(raw)
	if strings.HasSuffix(raw, "/") && clean != "/" {
		clean += "/"
	}
	if clean != raw {
		paths = append(paths, escape(clean, true))
	}
	return paths
}

// canonicalQuery sorts and encodes the parameters; the signature itself does not belong to what is signed.
func canonicalQuery(query url.Values) string {
	pairs := make([]string, 0, len(query))
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, v := range values {
			// A NUL sorts before every character of an encoded name, so that names compare before values do.
			pairs = append(pairs, escape(name, false)+"\x00"+escape(v, false))
		}
	}
	slices.Sort(pairs)
	return strings.ReplaceAll(strings.Join(pairs, "&"), "\x00", "=")
}

// parseQuery reads a query string as net/url does, so that what is verified is what handlers see, but refuses what net/url would
// drop in silence.
func parseQuery(raw string) (url.Values, error) {
	if len(raw) > 64<<10 {
		return nil, errors.New("it is longer than 65536 characters")
	}
	return url.ParseQuery(raw)
}

// headerValue is the canonical value of a signed header: all values in order, joined by commas, spaces trimmed and collapsed.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return collapse(r.Host)
	case "content-length":
		// net/http takes the header away in some protocols and keeps the number.
		if r.Header.Get("Content-Length") == "" && r.ContentLength >= 0 {
			return strconv.FormatInt(r.ContentLength, 10)
		}
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := r.Header.Values(name)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = collapse(v)
	}
	return strings.Join(out, ",")
}

func collapse(s string) string {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
}

const upperHex = "0123456789ABCDEF"

// escape percent-encodes all but RFC 3986's unreserved characters, and the slash where it separates path segments.
func escape(s string, keepSlash bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~', keepSlash && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}
