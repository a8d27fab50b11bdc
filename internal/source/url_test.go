package source

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

func TestParseURL(t *testing.T) {
	good := map[string]Address{
		"https://github.com/o/r":           {"https", "github.com", "/o/r", "https://github.com/o/r"},
		"HTTPS://GitHub.com:8443/o/r.git":  {"https", "github.com", "/o/r.git", "https://GitHub.com:8443/o/r.git"},
		"http://[::1]:3000/o/r":            {"http", "::1", "/o/r", "http://[::1]:3000/o/r"},
		"ssh://git@host:22/o/r.git":        {"ssh", "host", "/o/r.git", "ssh://git@host:22/o/r.git"},
		"git@github.com:o/r.git":           {"ssh", "github.com", "o/r.git", "git@github.com:o/r.git"},
		"file:///srv/git/r":                {"file", "", "/srv/git/r", "file:///srv/git/r"},
		"file://localhost/srv/../srv/a%20": {"file", "", "/srv/a ", "file:///srv/a%20"},
	}
	for raw, want := range good {
		if got, err := ParseURL(raw); err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", raw, got, err, want)
		}
	}
	bad := []string{
		"", "github.com/o/r", "/srv/git", "./r", "ext::sh -c id", "ext::sh", "git://h/r", "ftp://h/r", "https://h", "https://h/", "https:///r", "ssh://-oProxyCommand=x/r",
		"ssh://-x@h/r", "-u@h:r", "git@-h:r", "git@h:-r", "git@h:a b", "https://h/r?x=1", "https://h/r#x", "file://other/r", "file:///", "file://r", "https://h/a\nb", "https://h/%00", "https://a_b@h/r",
		"https://" + strings.Repeat("a", maxURLLength), "javascript:alert(1)", "fd::3", "git@h:x::y",
	}
	for _, raw := range bad {
		if _, err := ParseURL(raw); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest || err == nil {
			t.Errorf("%q is taken: %v", clip(raw), err)
		}
	}
	for _, raw := range []string{"https://user:hunter22@h/r", "https://hunter22@h/r", "ssh://git:hunter22@h/r", "file://u:hunter22@localhost/r", "https://u:hunter22@h/%zz"} {
		_, err := ParseURL(raw)
		wantError(t, err, apprunner.CodeInvalidRequest)
		if strings.Contains(err.Error(), "hunter22") {
			t.Errorf("the secret shows: %v", err)
		}
	}
}

func TestSpellingsOfOneRepository(t *testing.T) {
	g := newGit(t, func(c *Config) { c.Hosted = Hosted("/d", "http://127.0.0.1:7700/git/", "http://localhost:7700/git/") })
	for _, pair := range [][2]string{
		{"https://github.com/O/R.git", "git@github.com:o/r"},
		{"ssh://git@github.com/o/r.git", "https://github.com/o/r/"},
		{"http://127.0.0.1:7700/git/x.git", "http://localhost:7700/git/x"},
	} {
		if a, b := g.Identity(pair[0]), g.Identity(pair[1]); a != b {
			t.Errorf("%v: %s, %s", pair, a, b)
		}
	}
	if g.Identity("https://github.com/o/r") == g.Identity("https://gitlab.com/o/r") {
		t.Error("two hosts are one")
	}
}

func TestCheckBranch(t *testing.T) {
	for _, ok := range []string{"main", "release/1.2", "feature/ä", "a@b", "x-y_z"} {
		if err := checkBranch(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "-x", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", `a\b`, "a@{1}", "@", "a.lock", "a/.b", "a//b", "/a", "a/", "a.", "a\x00", "../../x"} {
		if checkBranch(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"https://github.com/o/r.git", "git@github.com:o/r", "file:///a/b", "ssh://git@h:22/x", "ext::sh -c id", "https://u:p@h/r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := ParseURL(raw)
		if err != nil {
			return
		}
		if strings.HasPrefix(a.Git, "-") || strings.HasPrefix(a.Host, "-") || strings.ContainsAny(a.Git, " \n\r\t\x00") || a.Path == "" {
			t.Errorf("%q became %+v", raw, a)
		}
		if a.Scheme == "file" != (a.Host == "") {
			t.Errorf("%q became %+v", raw, a)
		}
		again, err := ParseURL(a.Git)
		if err != nil || again != a {
			t.Errorf("%q became %+v, and that %+v (%v)", raw, a, again, err)
		}
	})
}
