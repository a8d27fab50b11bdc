package iam_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
)

// received turns a request a client would send into the one a server gets: through the wire format and net/http's reader.
func received(t testing.TB, r *http.Request, body []byte) *http.Request {
	t.Helper()
	in := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	in.Host = r.Host
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.Header = r.Header.Clone()
	return in
}

func hexSum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func credentials(k iam.AccessKey) aws.Credentials {
	return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret}
}

// signed is an ordinary call as the SDK signs it.
func signed(t testing.TB, cred aws.Credentials, body string, at time.Time) *http.Request {
	t.Helper()
	r := must[*http.Request](t)(http.NewRequest(http.MethodPost, "http://127.0.0.1:7700/", strings.NewReader(body)))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AppRunner.ListServices")
	ok(t, v4.NewSigner().SignHTTP(t.Context(), cred, r, hexSum([]byte(body)), "apprunner", "us-east-1", at))
	return r
}

func verify(t testing.TB, d *iam.Directory, r *http.Request, body string) (iam.Principal, error) {
	t.Helper()
	p, _, err := d.Verify(t.Context(), received(t, r, []byte(body)), sha256.Sum256([]byte(body)))
	return p, err
}

// checklist: 4
func TestVerifyAcceptsRootAndUser(t *testing.T) {
	d, c := newDirectory(t)
	root := must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	p, err := verify(t, d, signed(t, credentials(root), "{}", c.Now()), "{}")
	ok(t, err)
	if p.Type != iam.TypeRoot || p.ARN != "arn:aws:iam::123456789012:root" || p.AccessKeyID != root.ID {
		t.Fatalf("root is %+v", p)
	}
	must[iam.User](t)(d.CreateUser(t.Context(), iam.User{Account: account, Name: "alice", Path: "/team/"}))
	key := must[iam.AccessKey](t)(d.CreateAccessKey(t.Context(), account, "alice"))
	p, err = verify(t, d, signed(t, credentials(key), "{}", c.Now()), "{}")
	ok(t, err)
	if p.Type != iam.TypeUser || p.ARN != "arn:aws:iam::123456789012:user/team/alice" {
		t.Fatalf("user is %+v", p)
	}
}

// checklist: 4
func TestVerifyRefuses(t *testing.T) {
	d, c := newDirectory(t)
	root := must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	must[iam.User](t)(d.CreateUser(t.Context(), iam.User{Account: account, Name: "bob"}))
	inactive := must[iam.AccessKey](t)(d.CreateAccessKey(t.Context(), account, "bob"))
	ok(t, d.SetAccessKeyActive(t.Context(), account, "bob", inactive.ID, false))
	wrong, unknown := root, root
	wrong.Secret = strings.Repeat("x", 40)
	unknown.ID = "AKIAAAAAAAAAAAAAAAAA"
	good := func() *http.Request { return signed(t, credentials(root), "{}", c.Now()) }
	change := func(name, value string) *http.Request {
		r := good()
		r.Header.Set(name, value)
		return r
	}
	auth := good().Header.Get("Authorization")
	cases := map[string]struct {
		r    *http.Request
		code apprunner.Code
	}{
		"no signature":          {func() *http.Request { r := good(); r.Header.Del("Authorization"); return r }(), apprunner.CodeMissingAuth},
		"another scheme":        {change("Authorization", "Basic abc"), apprunner.CodeIncomplete},
		"empty header":          {change("Authorization", ""), apprunner.CodeIncomplete},
		"no signature field":    {change("Authorization", auth[:strings.Index(auth, ", Signature")]), apprunner.CodeIncomplete},
		"field twice":           {change("Authorization", auth+", Signature="+strings.Repeat("0", 64)), apprunner.CodeIncomplete},
		"header twice":          {func() *http.Request { r := good(); r.Header.Add("Authorization", auth); return r }(), apprunner.CodeIncomplete},
		"target twice":          {func() *http.Request { r := good(); r.Header.Add("X-Amz-Target", "AppRunner.X"); return r }(), apprunner.CodeIncomplete},
		"no time":               {func() *http.Request { r := good(); r.Header.Del("X-Amz-Date"); return r }(), apprunner.CodeIncomplete},
		"short credential":      {change("Authorization", strings.Replace(auth, "/apprunner", "", 1)), apprunner.CodeIncomplete},
		"unsorted headers":      {change("Authorization", strings.Replace(auth, "SignedHeaders=", "SignedHeaders=z;", 1)), apprunner.CodeIncomplete},
		"unknown key":           {signed(t, credentials(unknown), "{}", c.Now()), apprunner.CodeUnrecognizedKey},
		"inactive key":          {signed(t, credentials(inactive), "{}", c.Now()), apprunner.CodeUnrecognizedKey},
		"token with a key":      {change("X-Amz-Security-Token", "abc"), apprunner.CodeUnrecognizedKey},
		"wrong secret":          {signed(t, credentials(wrong), "{}", c.Now()), apprunner.CodeInvalidSignature},
		"another target":        {change("X-Amz-Target", "AppRunner.DeleteService"), apprunner.CodeInvalidSignature},
		"another content hash":  {change("X-Amz-Content-Sha256", hexSum(nil)), apprunner.CodeInvalidSignature},
		"too old":               {signed(t, credentials(root), "{}", c.Now().Add(-5*time.Minute-2*time.Second)), apprunner.CodeInvalidSignature},
		"too new":               {signed(t, credentials(root), "{}", c.Now().Add(5*time.Minute+2*time.Second)), apprunner.CodeInvalidSignature},
		"time not of its scope": {change("X-Amz-Date", "20261120T235959Z"), apprunner.CodeInvalidSignature},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := verify(t, d, tc.r, "{}")
			wantCode(t, err, tc.code)
		})
	}
	if _, err := verify(t, d, good(), `{"a":1}`); apprunner.CodeOf(err) != apprunner.CodeInvalidSignature {
		t.Fatalf("another body: %v", err)
	}
	for _, skew := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		if _, err := verify(t, d, signed(t, credentials(root), "{}", c.Now().Add(skew)), "{}"); err != nil {
			t.Errorf("a clock %v off: %v", skew, err)
		}
	}
}

// What the server acts on must be signed: a header added on the way must not count.
func TestVerifyRefusesUnsignedTarget(t *testing.T) {
	d, c := newDirectory(t)
	root := must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	r := must[*http.Request](t)(http.NewRequest(http.MethodPost, "http://h/", nil))
	ok(t, v4.NewSigner().SignHTTP(t.Context(), credentials(root), r, hexSum(nil), "apprunner", "us-east-1", c.Now()))
	if _, err := verify(t, d, r, ""); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AppRunner.DeleteService")
	_, err := verify(t, d, r, "")
	wantCode(t, err, apprunner.CodeInvalidSignature)
}

func TestVerifyUnsignedPayload(t *testing.T) {
	d, c := newDirectory(t)
	root := must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	r := must[*http.Request](t)(http.NewRequest(http.MethodPost, "https://h/", nil))
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	ok(t, v4.NewSigner().SignHTTP(t.Context(), credentials(root), r, "UNSIGNED-PAYLOAD", "ecr", "us-east-1", c.Now()))
	_, err := verify(t, d, r, "any body at all")
	ok(t, err)
	r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
	_, err = verify(t, d, r, "any body at all")
	wantCode(t, err, apprunner.CodeInvalidSignature)
}

func TestVerifyPresigned(t *testing.T) {
	d, c := newDirectory(t)
	root := must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	presign := func(query string) *http.Request {
		r := must[*http.Request](t)(http.NewRequest(http.MethodGet, "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"+query, nil))
		uri, header, err := v4.NewSigner().PresignHTTP(t.Context(), credentials(root), r, hexSum(nil), "sts", "us-east-1", c.Now())
		ok(t, err)
		r.URL = must[*url.URL](t)(url.Parse(uri))
		r.Header = header
		return r
	}
	r := presign("&X-Amz-Expires=600")
	c.Advance(9 * time.Minute)
	p, err := verify(t, d, r, "")
	ok(t, err)
	if p.Type != iam.TypeRoot {
		t.Fatalf("principal %+v", p)
	}
	c.Advance(2 * time.Minute)
	_, err = verify(t, d, r, "")
	wantCode(t, err, apprunner.CodeInvalidSignature)

	_, err = verify(t, d, presign("&X-Amz-Expires=604801"), "")
	wantCode(t, err, apprunner.CodeIncomplete)
	r = presign("&X-Amz-Expires=600")
	r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "GetCallerIdentity", "AssumeRole", 1)
	_, err = verify(t, d, r, "")
	wantCode(t, err, apprunner.CodeInvalidSignature)
	r = presign("")
	r.URL.RawQuery += "&X-Amz-Date=20260101T000000Z"
	_, err = verify(t, d, r, "")
	wantCode(t, err, apprunner.CodeIncomplete)
}

// checklist: 5
func TestVerifyTemporaryCredentials(t *testing.T) {
	d, c := newDirectory(t)
	must[iam.User](t)(d.CreateUser(t.Context(), iam.User{Account: account, Name: "alice"}))
	key := must[iam.AccessKey](t)(d.CreateAccessKey(t.Context(), account, "alice"))
	caller, err := verify(t, d, signed(t, credentials(key), "", c.Now()), "")
	ok(t, err)
	temp := must[iam.Credentials](t)(d.SessionToken(t.Context(), caller, time.Hour, iam.MFAProof{}))
	cred := aws.Credentials{AccessKeyID: temp.AccessKeyID, SecretAccessKey: temp.Secret, SessionToken: temp.Token}
	p, err := verify(t, d, signed(t, cred, "", c.Now()), "")
	ok(t, err)
	if p.ARN != caller.ARN || p.AccessKeyID != temp.AccessKeyID {
		t.Fatalf("session is %+v", p)
	}
	other := must[iam.Credentials](t)(d.SessionToken(t.Context(), caller, time.Hour, iam.MFAProof{}))
	mixed := cred
	mixed.SessionToken = other.Token
	_, err = verify(t, d, signed(t, mixed, "", c.Now()), "")
	wantCode(t, err, apprunner.CodeUnrecognizedKey)
	c.Advance(time.Hour)
	_, err = verify(t, d, signed(t, cred, "", c.Now()), "")
	wantCode(t, err, apprunner.CodeExpiredToken)
}

func TestRootIsFoundAgain(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	first := must[iam.AccessKey](t)(open(t, dir, c).EnsureRoot(t.Context(), account))
	second := must[iam.AccessKey](t)(open(t, dir, c).EnsureRoot(t.Context(), account))
	if first.ID != second.ID || first.Secret != second.Secret || len(first.Secret) != 40 {
		t.Fatalf("first %+v, then %+v", first, second)
	}
}

// wireText is text as it may stand in a header or parameter.
var wireText = rapid.StringMatching(`[ -~]{0,20}`)

type sample struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
}

func drawSample(t *rapid.T) sample {
	s := sample{
		method: rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE"}).Draw(t, "method"),
		query:  url.Values{}, header: http.Header{},
		body: []byte(rapid.String().Draw(t, "body")),
	}
	for range rapid.IntRange(0, 4).Draw(t, "segments") {
		s.path += "/" + url.PathEscape(rapid.StringMatching(`[a-zA-Z0-9 ._~:@!$&'()*+,;=%é-]{0,8}`).Draw(t, "segment"))
	}
	if s.path == "" || rapid.Bool().Draw(t, "slash") {
		s.path += "/"
	}
	// The SDK sorts names before it encodes them, the specification afterwards; the two agree on letters and digits.
	for range rapid.IntRange(0, 4).Draw(t, "parameters") {
		name := rapid.StringMatching(`[A-Za-z0-9]{1,3}`).Draw(t, "parameter")
		s.query.Add(name, rapid.StringMatching(`[A-Za-z0-9 +/=&%~é]{0,8}`).Draw(t, "argument"))
	}
	for range rapid.IntRange(0, 4).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{"X-Amz-Target", "X-Custom", "X-Other", "Content-Type", "Accept"}).Draw(t, "header")
		if name == "X-Amz-Target" {
			s.header.Set(name, wireText.Draw(t, "value"))
			continue
		}
		s.header.Add(name, wireText.Draw(t, "value"))
	}
	return s
}

// sortable tells whether sorting values before and after encoding gives one order, as the SDK does the first.
func sortable(q url.Values) bool {
	for _, values := range q {
		raw, enc := slices.Clone(values), slices.Clone(values)
		slices.Sort(raw)
		slices.SortFunc(enc, func(a, b string) int {
			return strings.Compare(strings.ReplaceAll(url.QueryEscape(a), "+", "%20"), strings.ReplaceAll(url.QueryEscape(b), "+", "%20"))
		})
		if !slices.Equal(raw, enc) {
			return false
		}
	}
	return true
}

// TestVerifyAgreesWithSDK holds our reading of SigV4 against the signer of the AWS SDK, in both forms: what it signs we accept,
// and nothing with one thing changed.
func TestVerifyAgreesWithSDK(t *testing.T) {
	d, c := newDirectory(t)
	root := must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSample(rt)
		if !sortable(s.query) {
			return
		}
		r, err := http.NewRequest(s.method, "https://host.example:7700"+s.path, bytes.NewReader(s.body))
		if err != nil {
			return
		}
		r.URL.RawQuery = s.query.Encode()
		r.Header = s.header.Clone()
		service := rapid.SampledFrom([]string{"apprunner", "iam", "sts", "ecr"}).Draw(rt, "service")
		presigned := rapid.Bool().Draw(rt, "presigned")
		if presigned {
			uri, header, err := v4.NewSigner().PresignHTTP(t.Context(), credentials(root), r, hexSum(s.body), service, "eu-west-1", c.Now())
			if err != nil {
				rt.Fatal(err)
			}
			if r.URL, err = url.Parse(uri); err != nil {
				rt.Fatal(err)
			}
			// Presigning moves some headers into the query; what must still be sent is handed back.
			r.Header = header
		} else if err := v4.NewSigner().SignHTTP(t.Context(), credentials(root), r, hexSum(s.body), service, "eu-west-1", c.Now()); err != nil {
			rt.Fatal(err)
		}
		in := received(t, r, s.body)
		_, scope, err := d.Verify(t.Context(), in, sha256.Sum256(s.body))
		if err != nil {
			rt.Fatalf("the SDK's signature is refused: %v\n%s %s\n%v", err, s.method, r.URL, in.Header)
		}
		if scope.Service != service || scope.Region != "eu-west-1" {
			rt.Fatalf("scope %+v", scope)
		}
		bad := received(t, r, s.body)
		body := s.body
		switch what := rapid.SampledFrom([]string{"method", "host", "path", "query", "body", "time"}).Draw(rt, "change"); what {
		case "method":
			bad.Method = "PATCH"
		case "host":
			bad.Host = "other.example"
		case "path":
			bad.RequestURI = strings.Replace(bad.RequestURI, "/", "/x/", 1)
		case "query":
			bad.URL.RawQuery += "&zz=1"
		case "body":
			body = append(slices.Clone(body), 'x')
		case "time":
			if presigned {
				return
			}
			bad.Header.Set("X-Amz-Date", c.Now().Add(time.Second).Format("20060102T150405Z"))
		}
		if _, _, err := d.Verify(t.Context(), bad, sha256.Sum256(body)); apprunner.CodeOf(err) != apprunner.CodeInvalidSignature {
			rt.Fatalf("a changed request: %v", err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, "+
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7", "20150830T123600Z", "/a%20b/../c", "a=b&c&a=%zz", "text")
	f.Add("", "", "/", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20150830/b/c/aws4_request&X-Amz-SignedHeaders=host&X-Amz-Signature=00", "")
	d, _ := newDirectory(f)
	f.Fuzz(func(t *testing.T, auth, date, path, query, token string) {
		r := &http.Request{Method: "POST", Host: "h", RequestURI: "/" + path + "?" + query, URL: &url.URL{Path: "/" + path, RawQuery: query}, Header: http.Header{}}
		if auth != "" {
			r.Header["Authorization"] = []string{auth}
		}
		r.Header["X-Amz-Date"] = []string{date}
		if token != "" {
			r.Header["X-Amz-Security-Token"] = []string{token}
		}
		iam.ClaimedScope(r)
		p, _, err := d.Verify(t.Context(), r, sha256.Sum256(nil))
		if err == nil {
			t.Fatalf("accepted without a key: %+v", p)
		}
		switch code := apprunner.CodeOf(err); code {
		case apprunner.CodeMissingAuth, apprunner.CodeIncomplete, apprunner.CodeUnrecognizedKey, apprunner.CodeInvalidSignature, apprunner.CodeExpiredToken:
		default:
			t.Fatalf("code %s: %v", code, fmt.Sprint(err))
		}
	})
}
