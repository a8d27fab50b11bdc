package source

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// Secrets reach git through a file descriptor or a file of its own, and nothing else.
func TestSecretsAreNotWhereOthersLook(t *testing.T) {
	g := newGit(t)
	const secret = "top-secret-value"
	for url, c := range map[string]Credential{
		"https://example.com:8443/x": {Token: secret}, "http://example.com/x": {User: "u", Password: secret}, "git@example.com:x": {PrivateKey: secret, KnownHosts: "example.com ssh-ed25519 AAAA"},
	} {
		target, err := g.open(Repository{URL: url, Branch: "main", Credential: c})
		if err != nil {
			t.Fatal(err)
		}
		j, release, err := g.access(target)
		if err != nil {
			t.Fatal(err)
		}
		if all := fmt.Sprint(j.args, j.env, g.env, j.confinement, target.ref.Git); strings.Contains(all, secret) {
			t.Errorf("%s: %s", url, all)
		}
		if len(j.files) == 1 {
			if _, err := j.files[0].Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(j.files[0]); !strings.Contains(string(b), "password="+secret) {
				t.Errorf("%s: git is given %q", url, b)
			}
		}
		release()
		if left, _ := os.ReadDir(g.runs); len(left) > 0 {
			t.Errorf("%s: left behind %v", url, left)
		}
	}
	_, err := g.Head(t.Context(), Repository{URL: "https://127.0.0.1:1/x", Branch: "main", Credential: Credential{Token: "a\nb"}})
	wantError(t, err, apprunner.CodeUnavailable, "connection refused")
}

func TestCredentialsDoNotPrint(t *testing.T) {
	c := Credential{Token: "tttt", User: "user", Password: "pppp", PrivateKey: "kkkk"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credential", c, "repository", Repository{Credential: c})
	encoded, err := json.Marshal(Repository{Credential: c})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %q %x ", c, c, &c, c, c, c) + fmt.Sprintf("%+v %#v", Repository{Credential: c}, Repository{Credential: c}) + log.String() + string(encoded)
	for _, secret := range []string{"tttt", "pppp", "kkkk", "74747474"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s shows in %s", secret, all)
		}
	}
}

func TestUserNamesOfTokens(t *testing.T) {
	for host, want := range map[string]string{"github.com": "x-access-token", "gitlab.example.com": "oauth2", "bitbucket.org": "x-token-auth", "git.example.com": "x-access-token"} {
		if user, password, ok := (Credential{Token: "t"}).basic(host); user != want || password != "t" || !ok {
			t.Errorf("%s: %s %s", host, user, password)
		}
	}
}

func TestExplainTellsOfAFullDisk(t *testing.T) {
	err := explain(repositoryRef{}, 0, fmt.Errorf("check out x: %w", syscall.ENOSPC))
	wantError(t, err, apprunner.CodeInternal, "disk is full", "Free some space")
	err = explain(repositoryRef{}, 0, &runError{verb: "fetch", stderr: "fatal: write error: No space left on device", err: io.EOF})
	wantError(t, err, apprunner.CodeInternal, "disk is full")
}
