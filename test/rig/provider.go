package rig

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Provider is a source code provider on this machine and returns its address: a repository is public below /public.git and wants a token
// below /private.git.
func Provider(t testing.TB, g *Git, token string) string {
	t.Helper()
	program, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := func(prefix string) http.Handler {
		return &cgi.Handler{
			Path: filepath.Join(strings.TrimSpace(string(program)), "git-http-backend"), Root: prefix,
			Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(g.Dir, ".git"), "GIT_HTTP_EXPORT_ALL=1", "HOME=" + t.TempDir()}, Stderr: os.Stderr,
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/public.git/", backend("/public.git"))
	mux.HandleFunc("/private.git/", func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="provider"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		backend("/private.git").ServeHTTP(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
