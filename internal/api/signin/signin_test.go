package signin_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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

// site is the sign-in beside the real APIs.
type site struct {
	*httptest.Server
	dir *iam.Directory

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
	h, err := signin.New(signin.Config{People: s.dir, Audit: s, Endpoint: s.URL, Region: "us-east-1", Account: account})
	ok(t, err)
	mux.Handle("POST /console/signin", h)
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

// answer is what the sign-in says.
type answer struct {
	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      time.Time
	}
	ARN                         string `json:"Arn"`
	NeedsCode, NeedsNewPassword bool
	Ticket, Code, Message       string
}

// send posts a body as a page of another site or of this one would.
func (s *site) send(t *testing.T, kind, site, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/console/signin", strings.NewReader(body))
	ok(t, err)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Sec-Fetch-Site", site)
	res, err := http.DefaultClient.Do(req)
	ok(t, err)
	defer res.Body.Close()
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("headers %v", res.Header)
	}
	b, err := io.ReadAll(res.Body)
	ok(t, err)
	return res.StatusCode, string(b)
}

// step takes one step of a sign-in; fields are names and values.
func (s *site) step(t *testing.T, fields ...string) (int, answer) {
	t.Helper()
	in := map[string]string{}
	for i := 0; i < len(fields); i += 2 {
		in[fields[i]] = fields[i+1]
	}
	body, err := json.Marshal(in)
	ok(t, err)
	status, text := s.send(t, "application/json", "same-origin", string(body))
	var out answer
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return status, out
}

// who has the credentials of an answer.
func (s *site) who(t *testing.T, a answer) string {
	t.Helper()
	c := a.Credentials
	out, err := stssdk.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	}).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
	ok(t, err)
	return *out.Arn
}

// A user signs in with account or alias, must choose another password at first, and gets temporary credentials.
//
// checklist: 13, 14
func TestAUserSignsIn(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", true)
	ok(t, s.dir.CreateAlias(t.Context(), account, "shop"))
	status, a := s.step(t, "Account", "shop", "UserName", "alice", "Password", "First-pass1")
	if status != http.StatusOK || !a.NeedsNewPassword || a.NeedsCode || a.Ticket == "" || a.Credentials.AccessKeyID != "" {
		t.Fatalf("at the first sign-in: %d %+v", status, a)
	}
	status, a = s.step(t, "Ticket", a.Ticket, "NewPassword", "weak")
	if status != http.StatusBadRequest || !strings.Contains(a.Message, "length of 8") || a.Ticket == "" {
		t.Errorf("a weak password: %d %+v", status, a)
	}
	status, a = s.step(t, "Ticket", a.Ticket, "NewPassword", "Second-pass2")
	if arn := "arn:aws:iam::123456789012:user/alice"; status != http.StatusOK || a.ARN != arn || !strings.HasPrefix(a.Credentials.AccessKeyID, "ASIA") || s.who(t, a) != arn {
		t.Fatalf("signed in: %d %+v", status, a)
	}
	r, text := s.login(t)
	if r.EventType != "AwsConsoleSignIn" || r.UserIdentity.UserName != "alice" || !strings.Contains(text, `"ConsoleLogin":"Success"`) ||
		!strings.Contains(text, `"MFAUsed":"No"`) || strings.Contains(text, "Second-pass2") {
		t.Errorf("recorded as %s", text)
	}
}

// login is the newest record of a sign-in.
func (s *site) login(t *testing.T) (r observe.AuditRecord, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.records {
		if one.EventName == "ConsoleLogin" {
			r = one
		}
	}
	b, err := json.Marshal(r)
	ok(t, err)
	return r, string(b)
}

// checklist: 14
func TestRootSignsIn(t *testing.T) {
	s := newSite(t)
	login, err := s.dir.NewRootLogin(t.Context(), account, "owner@example.com", false)
	ok(t, err)
	_, a := s.step(t, "Mail", "owner@example.com", "Password", login.Password)
	_, a = s.step(t, "Ticket", a.Ticket, "NewPassword", "My-own-word-1")
	if a.ARN != iam.RootARN(account) || s.who(t, a) != iam.RootARN(account) {
		t.Errorf("signed in: %+v", a)
	}
	status, a := s.step(t, "Mail", "nobody@example.com", "Password", "My-own-word-1")
	if status != http.StatusUnauthorized || !strings.Contains(a.Message, "password is wrong") || a.Code != "AccessDeniedException" {
		t.Errorf("nobody: %d %+v", status, a)
	}
	if r, text := s.login(t); r.UserIdentity.Type != observe.IdentityUnknown || strings.Contains(text, "nobody@") || r.ErrorCode == "" || !strings.Contains(text, `"ConsoleLogin":"Failure"`) {
		t.Errorf("recorded as %s", text)
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
	_, a := s.step(t, "Account", account, "UserName", "alice", "Password", "First-pass1")
	if !a.NeedsCode || !a.NeedsNewPassword {
		t.Fatalf("after the password: %+v", a)
	}
	status, a := s.step(t, "Ticket", a.Ticket, "Code", iamtest.Code(seed, now.Add(-30*time.Second)), "NewPassword", "Second-pass2")
	if status != http.StatusUnauthorized || !strings.Contains(a.Message, "MFA code is wrong") {
		t.Errorf("a code that was used: %d %+v", status, a)
	}
	if _, record := s.login(t); !strings.Contains(record, `"MFAUsed":"Yes"`) || !strings.Contains(record, `"ConsoleLogin":"Failure"`) {
		t.Errorf("recorded as %s", record)
	}
	// With a weak password the code is taken, and not asked for again.
	status, a = s.step(t, "Ticket", a.Ticket, "Code", iamtest.Code(seed, time.Now()), "NewPassword", "weak")
	if status != http.StatusBadRequest || a.NeedsCode {
		t.Errorf("a weak password: %d %+v", status, a)
	}
	_, a = s.step(t, "Ticket", a.Ticket, "NewPassword", "Second-pass2")
	if s.who(t, a) != "arn:aws:iam::123456789012:user/alice" {
		t.Errorf("signed in: %+v", a)
	}
	if r, record := s.last(t); r.EventName != "GetCallerIdentity" || r.UserIdentity.SessionContext.Attributes.MFAAuthenticated != "true" {
		t.Errorf("recorded as %s", record)
	}
}

// Guesses are slowed.
func TestGuessesAreSlowed(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", false)
	for i := range 7 {
		status, a := s.step(t, "Account", account, "UserName", "alice", "Password", "guess")
		if want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusTooManyRequests}[i < 5]; status != want || a.Message == "" || a.Credentials.AccessKeyID != "" {
			t.Errorf("guess %d: %d %+v, want %d", i, status, a, want)
		}
	}
}

// What other sites send is refused, and so is what a form of theirs could send.
func TestOtherSitesAreKeptOut(t *testing.T) {
	s := newSite(t)
	s.user(t, "alice", "First-pass1", false)
	right := `{"Account":"123456789012","UserName":"alice","Password":"First-pass1"}`
	for _, c := range []struct {
		name, kind, site, body string
		want                   int
	}{
		{"from here", "application/json; charset=utf-8", "same-origin", right, http.StatusOK},
		{"from elsewhere", "application/json", "cross-site", right, http.StatusForbidden},
		{"a form", "text/plain", "same-origin", right, http.StatusUnsupportedMediaType},
		{"not JSON", "application/json", "same-origin", "Account=1", http.StatusBadRequest},
		{"an unknown field", "application/json", "same-origin", `{"Admin":"yes"}`, http.StatusBadRequest},
		{"far too long", "application/json", "same-origin", `{"Mail":"` + strings.Repeat("x", 17<<10) + `"}`, http.StatusBadRequest},
	} {
		if status, text := s.send(t, c.kind, c.site, c.body); status != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, status, text, c.want)
		}
	}
}
