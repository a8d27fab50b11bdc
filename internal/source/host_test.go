package source

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// hosted is a Host behind a real server, and what it told of.
type hosted struct {
	*Host
	git    *Git
	server *httptest.Server
	mu     sync.Mutex
	pushes []Push
}

func newHosted(t *testing.T, change ...func(*HostConfig)) *hosted {
	t.Helper()
	s := &hosted{}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, r) }))
	t.Cleanup(s.server.Close)
	cfg := HostConfig{
		Dir: filepath.Join(t.TempDir(), "git"), URLs: []string{s.server.URL + "/git/"},
		Authenticate: func(_ context.Context, user, password string) error {
			if user != "AKIAEXAMPLE" || password != "s3cret/+key" {
				return errors.New("no")
			}
			return nil
		},
		OnPush: func(_ context.Context, p Push) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pushes = append(s.pushes, p)
		},
	}
	s.git = newGit(t, func(c *Config) { c.Hosted = Hosted(cfg.Dir, cfg.URLs...) })
	cfg.Git = s.git
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if s.Host, err = NewHost(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// remote is the address of a repository as a pusher writes it.
func (s *hosted) remote(name string) string {
	return strings.Replace(s.server.URL, "http://", "http://AKIAEXAMPLE:s3cret%2F+key@", 1) + "/git/" + name + ".git"
}

func TestAPushMakesARepositoryAndIsToldOf(t *testing.T) {
	s, r := newHosted(t), newRepo(t)
	first := r.commit("first", map[string]string{"app.py": "one"})
	r.git("push", "-q", s.remote("shop"), "main:trunk")
	if want := (Push{Repository: "shop", URL: s.URL("shop"), Branch: "trunk", New: first}); len(s.pushes) != 1 || s.pushes[0] != want {
		t.Fatalf("told %+v, want %+v", s.pushes, want)
	}
	second := r.commit("second", map[string]string{"app.py": "two"})
	r.git("push", "-q", s.remote("shop"), "main:trunk", "main:feature/x")
	r.git("push", "-q", s.remote("shop"), "main:trunk")
	r.git("push", "-q", s.remote("shop"), ":feature/x")
	if len(s.pushes) != 4 || s.pushes[1].Branch != "feature/x" || s.pushes[2].Old != first || s.pushes[2].New != second || s.pushes[3].New != "" {
		t.Errorf("told %+v", s.pushes)
	}

	clone := filepath.Join(t.TempDir(), "clone")
	run(t, "/", nil, "git", "clone", "-q", s.remote("shop"), clone)
	if read(t, clone, "app.py") != "two" {
		t.Error("the clone has no default branch or an old one")
	}
	dir := filepath.Join(t.TempDir(), "out")
	got, err := s.git.Fetch(t.Context(), Repository{URL: s.URL("shop"), Branch: "trunk"}, dir)
	if err != nil || got.SHA != second || read(t, dir, "app.py") != "two" {
		t.Fatalf("fetch without HTTP: %+v %v", got, err)
	}
	if names, err := s.List(); err != nil || !slices.Equal(names, []string{"shop"}) {
		t.Errorf("list %v %v", names, err)
	}
	if err := s.Remove("shop"); err != nil {
		t.Fatal(err)
	}
	_, err = s.git.Head(t.Context(), Repository{URL: s.URL("shop"), Branch: "trunk"})
	wantError(t, err, apprunner.CodeNotFound, "no repository", "first git push")
}

func TestPushesOfAnySizeAndLimit(t *testing.T) {
	s, r := newHosted(t, func(c *HostConfig) { c.MaxPush = 8 << 20 }), newRepo(t)
	noise := make([]byte, 4<<20) // beyond http.postBuffer: sent in chunks
	rand.Read(noise)
	r.commit("big", map[string]string{"noise": string(noise)})
	r.git("push", "-q", s.remote("big"), "main")
	more := make([]byte, 9<<20)
	rand.Read(more)
	r.commit("too big", map[string]string{"more": string(more)})
	if out, err := try(t, r.dir, nil, "git", "push", s.remote("big"), "main"); err == nil || !strings.Contains(out, "exceeds maximum allowed size") {
		t.Errorf("a push beyond the limit: %v\n%s", err, out)
	}
	if len(s.pushes) != 1 {
		t.Errorf("told %+v", s.pushes)
	}
	s.cfg.MaxRepository = 1 << 20
	if out, err := try(t, r.dir, nil, "git", "push", s.remote("big"), "main"); err == nil || !strings.Contains(out, "reached its limit") {
		t.Errorf("a push into a full repository: %v\n%s", err, out)
	}
}

// TestARepositoryThatCannotBeMade: the pusher gets an answer, and the server goes on over the same connection.
func TestARepositoryThatCannotBeMade(t *testing.T) {
	var said strings.Builder
	s, r := newHosted(t), newRepo(t)
	s.server.Config.ErrorLog = log.New(&said, "", 0)
	noise := make([]byte, 300<<10)
	rand.Read(noise)
	r.commit("one", map[string]string{"app.py": "one", "noise": string(noise)})
	if err := os.WriteFile(filepath.Join(s.cfg.Dir, "shop.git"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, r.dir, nil, "git", "push", s.remote("shop"), "main"); err == nil || !strings.Contains(out, "500") {
		t.Errorf("the push ended with %v:\n%s", err, out)
	}
	for range 2 {
		resp, err := s.server.Client().Do(pushOf(t, s, strings.NewReader("0000")))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("answer %d", resp.StatusCode)
		}
	}
	s.server.Close()
	if said.Len() > 0 {
		t.Errorf("the server said: %s", said.String())
	}
}

// pushOf is a request of a pusher as the server gets it.
func pushOf(t *testing.T, s *hosted, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+"/git/shop.git/git-receive-pack", body)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("AKIAEXAMPLE", "s3cret/+key")
	r.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	return r
}

func TestHostRefusesStrangers(t *testing.T) {
	s, r := newHosted(t), newRepo(t)
	r.commit("first", map[string]string{"f": "1"})
	for name, url := range map[string]string{
		"nobody":         s.server.URL + "/git/x.git",
		"wrong password": strings.Replace(s.server.URL, "http://", "http://AKIAEXAMPLE:wrong@", 1) + "/git/x.git",
	} {
		if out, err := try(t, r.dir, nil, "git", "push", url, "main"); err == nil {
			t.Errorf("%s may push: %s", name, out)
		}
	}
	for _, name := range []string{".empty", "..", "a..b", "-x", "x.lock", "a%2Fb", strings.Repeat("x", 101)} {
		if out, err := try(t, r.dir, nil, "git", "push", s.remote(name), "main"); err == nil {
			t.Errorf("the name %q is taken: %s", name, out)
		}
	}
	if out, err := try(t, r.dir, nil, "git", "clone", s.remote("none"), "c"); err == nil || !strings.Contains(out, "first push makes it") {
		t.Errorf("clone of nothing: %s", out)
	}
	if names, _ := s.List(); len(names) > 0 {
		t.Errorf("refused pushes made %v", names)
	}
}

// A pusher is trusted with their own repository, not with this machine.
func TestPushedRepositoriesRunNothing(t *testing.T) {
	s, r := newHosted(t), newRepo(t)
	r.commit("first", map[string]string{"f": "1"})
	r.git("push", "-q", s.remote("x"), "main")
	proof := filepath.Join(t.TempDir(), "proof")
	hook := filepath.Join(s.dir("x"), "hooks", "post-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\ntouch "+proof+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.commit("second", map[string]string{"f": "2"})
	r.git("push", "-q", s.remote("x"), "main")
	if _, err := os.Stat(proof); err == nil {
		t.Error("a hook ran")
	}
}

func TestConcurrentPushesAreEachToldOnce(t *testing.T) {
	s, r := newHosted(t), newRepo(t)
	r.commit("first", map[string]string{"f": "1"})
	branches := []string{"a", "b", "c", "d"}
	var wg sync.WaitGroup
	for _, b := range branches {
		wg.Go(func() {
			if out, err := try(t, r.dir, nil, "git", "push", "-q", s.remote("x"), "main:"+b); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	var told []string
	for _, p := range s.pushes {
		told = append(told, p.Branch)
	}
	slices.Sort(told)
	if !slices.Equal(told, branches) {
		t.Errorf("told of %v", told)
	}
}

func TestFetchOverHTTPWithCredentials(t *testing.T) {
	s, r := newHosted(t), newRepo(t)
	sha := r.commit("first", map[string]string{"f": "1"})
	r.git("push", "-q", s.remote("x"), "main")
	g := newGit(t) // one that does not know that the repository is its own
	get := func(c Credential, branch string) (Commit, error) {
		return g.Fetch(t.Context(), Repository{URL: s.URL("x"), Branch: branch, Credential: c}, filepath.Join(t.TempDir(), "out"))
	}
	good := Credential{User: "AKIAEXAMPLE", Password: "s3cret/+key"}
	got, err := get(good, "main")
	if err != nil || got.SHA != sha {
		t.Fatalf("%+v %v", got, err)
	}
	if head, err := g.Head(t.Context(), Repository{URL: s.URL("x"), Branch: "main", Credential: good}); err != nil || head != sha {
		t.Errorf("head %s %v", head, err)
	}
	_, err = get(good, "nope")
	wantError(t, err, apprunner.CodeNotFound, `no branch "nope"`, "it has: main.")
	_, err = get(Credential{}, "main")
	wantError(t, err, apprunner.CodeAccessDenied, "asks for credentials", "connection")
	wrong := Credential{User: "AKIAEXAMPLE", Password: "very-wrong-password"}
	_, err = get(wrong, "main")
	wantError(t, err, apprunner.CodeAccessDenied, "refuses the credentials")
	if strings.Contains(err.Error(), "very-wrong") || strings.Contains(errors.Unwrap(err).Error(), "very-wrong") {
		t.Errorf("the password shows: %v", err)
	}
	_, err = g.Head(t.Context(), Repository{URL: s.server.URL + "/git/none.git", Branch: "main", Credential: good})
	wantError(t, err, apprunner.CodeNotFound, "no repository")
}

// Credentials are for the host they were given for, and nobody a server redirects to.
func TestCredentialsDoNotFollowRedirects(t *testing.T) {
	var seen []string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer thief.Close()
	front := httptest.NewServer(http.RedirectHandler(strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)+"/x.git/info/refs?service=git-upload-pack", http.StatusFound))
	defer front.Close()
	_, err := newGit(t).Head(t.Context(), Repository{URL: front.URL + "/x.git", Branch: "main", Credential: Credential{Token: "sesame-open"}})
	wantError(t, err, apprunner.CodeAccessDenied)
	for _, header := range seen {
		raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Basic "))
		if strings.Contains(string(raw), "sesame") {
			t.Error("the token went to another host")
		}
	}
	if len(seen) == 0 {
		t.Error("the redirect was not followed; the test proves nothing")
	}
}
