package source

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/store"
)

var payloads = map[string]struct {
	body     string
	branches []string
	url      string // one of those found
	push     bool
}{
	"GitHub":         {`{"ref":"refs/heads/main","before":"0","after":"abc","repository":{"id":1,"full_name":"o/r","clone_url":"https://github.com/o/r.git","ssh_url":"git@github.com:o/r.git","html_url":"https://github.com/o/r"}}`, []string{"main"}, "git@github.com:o/r.git", true},
	"GitHub ping":    {`{"zen":"x","hook_id":1,"repository":{"clone_url":"https://github.com/o/r.git"}}`, nil, "https://github.com/o/r.git", false},
	"GitHub tag":     {`{"ref":"refs/tags/v1","after":"abc"}`, nil, "", false},
	"GitHub deleted": {`{"ref":"refs/heads/x","after":"0000000000000000000000000000000000000000","deleted":true}`, nil, "", false},
	"GitLab":         {`{"object_kind":"push","ref":"refs/heads/a/b","after":"abc","project":{"web_url":"http://gl/o/r","git_ssh_url":"git@gl:o/r.git","git_http_url":"http://gl/o/r.git"},"repository":{"name":"r","url":"git@gl:o/r.git","git_http_url":"http://gl/o/r.git"}}`, []string{"a/b"}, "http://gl/o/r.git", true},
	"Gitea":          {`{"ref":"refs/heads/main","after":"abc","repository":{"clone_url":"http://gitea:3000/o/r.git","ssh_url":"gitea@gitea:o/r.git"}}`, []string{"main"}, "gitea@gitea:o/r.git", true},
	"Bitbucket":      {`{"push":{"changes":[{"new":{"type":"branch","name":"main"}},{"new":null},{"new":{"type":"tag","name":"v1"}}]},"repository":{"full_name":"o/r","links":{"self":{"href":"x"},"html":{"href":"https://bitbucket.org/o/r"}}}}`, []string{"main"}, "https://bitbucket.org/o/r", true},
	"Bitbucket DC":   {`{"eventKey":"repo:refs_changed","repository":{"slug":"r","links":{"clone":[{"href":"ssh://git@bb:7999/o/r.git","name":"ssh"}]}},"changes":[{"ref":{"id":"refs/heads/main"},"type":"UPDATE"},{"ref":{"id":"refs/heads/old"},"type":"DELETE"}]}`, []string{"main"}, "ssh://git@bb:7999/o/r.git", true},
	"own script":     {`{"branch":"main","repository":"https://h/r"}`, []string{"main"}, "https://h/r", true},
	"nothing":        {``, nil, "", true},
}

func TestParseWebhook(t *testing.T) {
	for name, c := range payloads {
		n, push, err := parseWebhook([]byte(c.body))
		if err != nil || push != c.push || !slices.Equal(n.Branches, c.branches) || c.url != "" && !slices.Contains(n.URLs, c.url) {
			t.Errorf("%s: %+v push=%v %v", name, n, push, err)
		}
	}
}

func FuzzParseWebhook(f *testing.F) {
	for _, c := range payloads {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		n, push, err := parseWebhook(body)
		if err != nil && (push || len(n.URLs)+len(n.Branches) > 0) {
			t.Errorf("an error and something found: %+v", n)
		}
		for _, u := range n.URLs {
			if _, err := ParseURL(u); err != nil {
				t.Errorf("found %q: %v", u, err)
			}
		}
	})
}

func TestHooks(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var poked []Notice
	cfg := HooksConfig{DB: db, KeyFile: filepath.Join(t.TempDir(), "keys", "hooks.key"), Poke: func(n Notice) { poked = append(poked, n) }}
	hooks, err := NewHooks(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	hook, err := hooks.Create(t.Context(), "arn:s")
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewHooks(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := again.Create(t.Context(), "arn:s"); err != nil || same != hook {
		t.Errorf("after a restart: %+v %v, want %+v", same, err, hook)
	}
	if st, _ := os.Stat(cfg.KeyFile); st.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v", st.Mode())
	}
	body := payloads["GitHub"].body
	mac := hmac.New(sha256.New, []byte(hook.Secret))
	mac.Write([]byte(body))
	signature := hex.EncodeToString(mac.Sum(nil))
	for _, c := range []struct {
		name, method, id, body, header, value string
		want, pokes                           int
	}{
		{"GitHub", "POST", hook.ID, body, "X-Hub-Signature-256", "sha256=" + signature, 202, 1},
		{"Gitea", "POST", hook.ID, body, "X-Gitea-Signature", signature, 202, 1},
		{"Bitbucket", "POST", hook.ID, body, "X-Hub-Signature", "sha256=" + signature, 202, 1},
		{"GitLab", "POST", hook.ID, payloads["GitLab"].body, "X-Gitlab-Token", hook.Secret, 202, 1},
		{"own script", "POST", hook.ID, "", "Authorization", "Bearer " + hook.Secret, 202, 1},
		{"ping", "POST", hook.ID, payloads["GitHub ping"].body, "X-Gitlab-Token", hook.Secret, 200, 0},
		{"rubbish", "POST", hook.ID, "[", "X-Gitlab-Token", hook.Secret, 400, 0},
		{"unsigned", "POST", hook.ID, body, "", "", 401, 0},
		{"signed for another body", "POST", hook.ID, body + " ", "X-Hub-Signature-256", "sha256=" + signature, 401, 0},
		{"wrong token", "POST", hook.ID, body, "X-Gitlab-Token", "x" + hook.Secret, 401, 0},
		{"unknown", "POST", strings.Repeat("0", 32), body, "X-Gitlab-Token", hook.Secret, 404, 0},
		{"a browser", "GET", hook.ID, "", "", "", 405, 0},
		{"too large", "POST", hook.ID, strings.Repeat(" ", maxPayload+1), "X-Gitlab-Token", hook.Secret, 413, 0},
	} {
		poked = nil
		r := httptest.NewRequest(c.method, "/hooks/"+c.id, strings.NewReader(c.body))
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		w := httptest.NewRecorder()
		hooks.ServeHTTP(w, r)
		if w.Code != c.want || len(poked) != c.pokes {
			t.Errorf("%s: %d %s, %d pokes", c.name, w.Code, w.Body, len(poked))
		}
		if len(poked) == 1 && poked[0].ServiceARN != "arn:s" {
			t.Errorf("%s: poked %+v", c.name, poked)
		}
	}
	if err := hooks.Delete(t.Context(), "arn:s"); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	hooks.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/"+hook.ID, nil))
	if w.Code != 404 {
		t.Errorf("a deleted hook answers %d", w.Code)
	}
}
