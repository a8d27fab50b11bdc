package signin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/api/signin"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/iam/iamtest"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

const account = "123456789012"

// site is a sign-in page before the real APIs, and a browser.
type site struct {
	*httptest.Server
	dir     *iam.Directory
	browser *http.Client

	mu      sync.Mutex
	records []observe.AuditRecord
}

func (s *site) Record(_ context.Context, r observe.AuditRecord, _ bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
	return nil
}

func (s *site) Finish(ctx context.Context, r observe.AuditRecord) error {
	return s.Record(ctx, r, false)
}

func (s *site) last(t *testing.T) (observe.AuditRecord, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[len(s.records)-1]
	text, err := json.Marshal(r)
	ok(t, err)
	return r, string(text)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSite(t *testing.T) *site {
	t.Helper()
	s, ctx := &site{}, t.Context()
	db, err := store.Open(ctx, filepath.Join(t.TempDir(), "s.db"))
	ok(t, err)
	t.Cleanup(func() { _ = db.Close() })
	s.dir, err = iam.Open(ctx, iam.Config{DB: db, KeyFile: filepath.Join(t.TempDir(), "iam.key")})
	ok(t, err)
	_, err = s.dir.EnsureRoot(ctx, account)
	ok(t, err)
	ids, err := api.NewIAM(api.IAMConfig{Directory: s.dir})
	ok(t, err)
	tokens, err := api.NewSTS(s.dir)
	ok(t, err)
	aws, err := api.New(api.Config{Services: []*api.Service{ids, tokens}, Identities: s.dir, Audit: s, Account: account})
	ok(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", aws)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	h, err := signin.New(signin.Config{People: s.dir, Audit: s, API: aws, Endpoint: s.URL, Region: "us-east-1", Account: account})
	ok(t, err)
	mux.Handle("/console/", h)
	jar, err := cookiejar.New(nil)
	ok(t, err)
	s.browser = &http.Client{Jar: jar, Timeout: time.Minute}
	return s
}

// user makes a user with a console password.
func (s *site) user(t *testing.T, name, password string, reset bool) {
	t.Helper()
	_, err := s.dir.CreateUser(t.Context(), iam.User{Account: account, Name: name})
	ok(t, err)
	_, err = s.dir.CreateLogin(t.Context(), account, name, password, reset)
	ok(t, err)
}

func (s *site) page(t *testing.T, res *http.Response, err error) (status int, at, text string) {
	t.Helper()
	ok(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ok(t, err)
	return res.StatusCode, res.Request.URL.Path, string(b)
}

// enter sends a form, as the page before shows it.
func (s *site) enter(t *testing.T, path string, fields ...string) (status int, at, text string) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	ok(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := s.browser.Do(req)
	return s.page(t, res, err)
}

// hidden reads a hidden field of a page.
func hidden(t *testing.T, text, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no field %s in %s", name, text)
	}
	return m[1]
}

var line = regexp.MustCompile(`export ([A-Z_]+)='([^']*)'`)

// who asks, with the shell lines of a page, whose they are.
func who(t *testing.T, text string) string {
	t.Helper()
	env := map[string]string{}
	for _, m := range line.FindAllStringSubmatch(html.UnescapeString(text), -1) {
		env[m[1]] = m[2]
	}
	out, err := stssdk.NewFromConfig(aws.Config{
		Region: env["AWS_REGION"], BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]),
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]),
	}).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
	ok(t, err)
	return *out.Arn
}

// A user signs in with account or alias, must choose another password at first, and gets lines for a shell.
//
// checklist: 13, 14, 182
func TestAUserSignsIn(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", true)
	ok(t, s.dir.CreateAlias(t.Context(), account, "shop"))
	status, at, text := s.get(t, "/console/")
	if status != http.StatusOK || at != "/console/signin" || !strings.Contains(text, `value="`+account+`"`) {
		t.Errorf("at first: %d %s %s", status, at, text)
	}
	status, at, text = s.enter(t, "/console/signin", "Account", "shop", "UserName", "alice", "Password", "First-pass1")
	if status != http.StatusOK || at != "/console/signin" || !strings.Contains(text, "New password") || strings.Contains(text, "First-pass1") {
		t.Fatalf("at the first sign-in: %d %s %s", status, at, text)
	}
	ticket := hidden(t, text, "Ticket")
	status, _, text = s.enter(t, "/console/signin", "Ticket", ticket, "NewPassword", "Second-pass2", "Again", "other")
	if status != http.StatusBadRequest || !strings.Contains(text, "differ") || hidden(t, text, "Ticket") != ticket {
		t.Errorf("two that differ: %d %s", status, text)
	}
	status, _, text = s.enter(t, "/console/signin", "Ticket", ticket, "NewPassword", "weak", "Again", "weak")
	if status != http.StatusBadRequest || !strings.Contains(text, "length of 8") {
		t.Errorf("a weak one: %d %s", status, text)
	}
	status, at, text = s.enter(t, "/console/signin", "Ticket", hidden(t, text, "Ticket"), "NewPassword", "Second-pass2", "Again", "Second-pass2")
	if status != http.StatusOK || at != "/console/session" || who(t, text) != "arn:aws:iam::123456789012:user/alice" {
		t.Fatalf("signed in: %d %s %s", status, at, text)
	}
	s.mu.Lock()
	first := s.records[0]
	for _, r := range s.records {
		if r.EventName == "ConsoleLogin" {
			first = r
		}
	}
	s.mu.Unlock()
	if text, _ := json.Marshal(first); first.EventType != "AwsConsoleSignIn" || first.UserIdentity.UserName != "alice" || !strings.Contains(string(text), `"ConsoleLogin":"Success"`) ||
		!strings.Contains(string(text), `"MFAUsed":"No"`) || strings.Contains(string(text), "Second-pass2") {
		t.Errorf("recorded as %s", text)
	}
	if _, at, _ = s.enter(t, "/console/signout"); at != "/console/signin" {
		t.Errorf("after signing out at %s", at)
	}
	if _, at, _ = s.get(t, "/console/session"); at != "/console/signin" {
		t.Errorf("without a session at %s", at)
	}
}

func (s *site) get(t *testing.T, path string) (status int, at, text string) {
	t.Helper()
	res, err := s.browser.Get(s.URL + path)
	return s.page(t, res, err)
}

// checklist: 14
func TestRootSignsIn(t *testing.T) {
	s := newSite(t)
	login, err := s.dir.NewRootLogin(t.Context(), account, "owner@example.com", false)
	ok(t, err)
	if _, _, text := s.get(t, "/console/signin?as=root"); !strings.Contains(text, `name="Mail"`) || strings.Contains(text, `name="Account"`) {
		t.Errorf("root's form: %s", text)
	}
	_, _, text := s.enter(t, "/console/signin", "Mail", "owner@example.com", "Password", login.Password)
	_, at, text := s.enter(t, "/console/signin", "Ticket", hidden(t, text, "Ticket"), "NewPassword", "My-own-word-1", "Again", "My-own-word-1")
	if at != "/console/session" || who(t, text) != iam.RootARN(account) || strings.Contains(text, "Create access key") {
		t.Errorf("signed in: %s %s", at, text)
	}
	status, _, text := s.enter(t, "/console/signin", "Mail", "nobody@example.com", "Password", "My-own-word-1")
	if status != http.StatusUnauthorized || !strings.Contains(text, "password is wrong") {
		t.Errorf("nobody: %d %s", status, text)
	}
	if r, text := s.last(t); r.UserIdentity.Type != observe.IdentityUnknown || strings.Contains(text, "nobody@") || r.ErrorCode == "" || !strings.Contains(text, `"ConsoleLogin":"Failure"`) {
		t.Errorf("recorded as %s", text)
	}
}

// A key is shown once, with a file to keep; afterwards nobody can see its secret. A page sent twice makes no second key.
//
// checklist: 15, 17
func TestAKeyIsShownOnce(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", false)
	_, _, text := s.enter(t, "/console/signin", "Account", account, "UserName", "alice", "Password", "First-pass1")
	status, _, text := s.enter(t, "/console/keys", "After", hidden(t, text, "After"))
	if status != http.StatusForbidden || !strings.Contains(text, "is not authorized to perform: iam:ListAccessKeys") {
		t.Errorf("without a right: %d %s", status, text)
	}
	own := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::*:user/${aws:username}"}}`
	ok(t, s.dir.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: "alice"}, "own", own))
	_, _, text = s.get(t, "/console/session")
	after := hidden(t, text, "After")
	status, _, text = s.enter(t, "/console/keys", "After", after)
	m := regexp.MustCompile(`download="alice_accessKeys.csv" href="data:text/csv;charset=utf-8,Access%20key%20ID,Secret%20access%20key%0D%0A(AKIA\w{16}),([\w/%+]+)%0D%0A"`).FindStringSubmatch(text)
	if status != http.StatusOK || m == nil {
		t.Fatalf("a key: %d %s", status, text)
	}
	if r, record := s.last(t); r.EventName != "CreateAccessKey" && r.EventName != "ListAccessKeys" || r.SourceIPAddress != "127.0.0.1" || strings.Contains(record, m[2]) {
		t.Errorf("recorded as %s", record)
	}
	secret, err := url.PathUnescape(m[2])
	ok(t, err)
	out, err := stssdk.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider(m[1], secret, "")}).
		GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
	if err != nil || *out.Arn != "arn:aws:iam::123456789012:user/alice" {
		t.Errorf("the key is that of %v: %v", out, err)
	}
	if _, _, text = s.get(t, "/console/session"); !strings.Contains(text, m[1]) || strings.Contains(html.UnescapeString(text), secret) {
		t.Errorf("afterwards: %s", text)
	}
	if status, _, text = s.enter(t, "/console/keys", "After", after); status != http.StatusConflict || strings.Contains(text, ".csv") {
		t.Errorf("sent twice: %d %s", status, text)
	}
}

// Who has an MFA device is asked for its code after the password, and once for each code.
//
// checklist: 14
func TestSigningInWithAnMFADevice(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", true)
	ctx := t.Context()
	m, seed, err := s.dir.CreateMFADevice(ctx, iam.MFADevice{Account: account, Name: "alice"})
	ok(t, err)
	now := time.Now()
	ok(t, s.dir.EnableMFADevice(ctx, iam.Holder{Account: account, UserName: "alice"}, m.Serial(), iamtest.Code(seed, now.Add(-time.Minute)), iamtest.Code(seed, now.Add(-30*time.Second))))
	_, _, text := s.enter(t, "/console/signin", "Account", account, "UserName", "alice", "Password", "First-pass1")
	if !strings.Contains(text, "MFA code") || !strings.Contains(text, "New password") {
		t.Fatalf("after the password: %s", text)
	}
	status, _, text := s.enter(t, "/console/signin", "Ticket", hidden(t, text, "Ticket"), "Code", iamtest.Code(seed, now.Add(-30*time.Second)), "NewPassword", "Second-pass2", "Again", "Second-pass2")
	if status != http.StatusUnauthorized || !strings.Contains(text, "MFA code is wrong") {
		t.Errorf("a code that was used: %d %s", status, text)
	}
	if _, record := s.last(t); !strings.Contains(record, `"MFAUsed":"Yes"`) || !strings.Contains(record, `"ConsoleLogin":"Failure"`) {
		t.Errorf("recorded as %s", record)
	}
	// With a weak password the code is taken, and not asked for again.
	status, _, text = s.enter(t, "/console/signin", "Ticket", hidden(t, text, "Ticket"), "Code", iamtest.Code(seed, time.Now()), "NewPassword", "weak", "Again", "weak")
	if status != http.StatusBadRequest || strings.Contains(text, "MFA code") {
		t.Errorf("a weak password: %d %s", status, text)
	}
	_, at, text := s.enter(t, "/console/signin", "Ticket", hidden(t, text, "Ticket"), "NewPassword", "Second-pass2", "Again", "Second-pass2")
	if at != "/console/session" || who(t, text) != "arn:aws:iam::123456789012:user/alice" {
		t.Errorf("signed in: %s %s", at, text)
	}
	if r, record := s.last(t); r.EventName == "GetCallerIdentity" && r.UserIdentity.SessionContext.Attributes.MFAAuthenticated != "true" {
		t.Errorf("recorded as %s", record)
	}
}

// A console signs in with JSON; guesses are slowed; wrong codes are told apart from wrong passwords only after the password.
func TestAConsoleSignsIn(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", false)
	post := func(body string) (int, map[string]any) {
		res, err := s.browser.Post(s.URL+"/console/signin", "application/json", strings.NewReader(body))
		status, _, text := s.page(t, res, err)
		var out map[string]any
		if err := json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&out); err != nil {
			t.Fatalf("%s: %v in %s", body, err, text)
		}
		return status, out
	}
	status, out := post(`{"Account":"123456789012","UserName":"alice","Password":"First-pass1"}`)
	if cred, _ := out["Credentials"].(map[string]any); status != http.StatusOK || out["Arn"] != "arn:aws:iam::123456789012:user/alice" || !strings.HasPrefix(cred["AccessKeyId"].(string), "ASIA") {
		t.Errorf("%d %v", status, out)
	}
	for i := range 7 {
		status, out = post(`{"Account":"123456789012","UserName":"alice","Password":"guess"}`)
		if want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusTooManyRequests}[i < 5]; status != want || out["Message"] == "" || out["Credentials"] != nil {
			t.Errorf("guess %d: %d %v, want %d", i, status, out, want)
		}
	}
}

// What other sites send, and what they could show inside themselves, is refused.
func TestOtherSitesAreKeptOut(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", false)
	s.enter(t, "/console/signin", "Account", account, "UserName", "alice", "Password", "First-pass1")
	for _, path := range []string{"/console/signin", "/console/keys", "/console/signout"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader("After="))
		ok(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://elsewhere.example")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := s.browser.Do(req)
		if status, _, _ := s.page(t, res, err); status != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %d", path, status)
		}
	}
	res, err := s.browser.Get(s.URL + "/console/session")
	ok(t, err)
	defer res.Body.Close()
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.Header)
	}
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	raw, err := plain.PostForm(s.URL+"/console/signin", url.Values{"Account": {account}, "UserName": {"alice"}, "Password": {"First-pass1"}})
	ok(t, err)
	defer raw.Body.Close()
	if c := raw.Header.Get("Set-Cookie"); raw.StatusCode != http.StatusSeeOther || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") || !strings.Contains(c, "Path=/console/") {
		t.Errorf("%d, cookie %s", raw.StatusCode, c)
	}
}
