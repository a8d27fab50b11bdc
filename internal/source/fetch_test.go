package source

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

func TestFetchGivesTheNewestCommit(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	r.commit("first", map[string]string{"app.py": "one", "lib/x.txt": "x"})
	first := filepath.Join(t.TempDir(), "a")
	got, err := g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, first)
	if err != nil {
		t.Fatal(err)
	}
	want := Commit{SHA: r.git("rev-parse", "HEAD"), Subject: "first", Author: "Ann Author <ann@example.com>", Time: time.Unix(1700000000, 0).UTC()}
	if got.SHA != want.SHA || got.Subject != want.Subject || got.Author != want.Author || !got.Time.Equal(want.Time) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if read(t, first, "app.py") != "one" || read(t, first, "lib/x.txt") != "x" {
		t.Error("files differ")
	}
	if _, err := os.Stat(filepath.Join(first, ".git")); err == nil {
		t.Error(".git was written")
	}

	if err := os.Chmod(filepath.Join(r.dir, "app.py"), 0o755); err != nil {
		t.Fatal(err)
	}
	second := r.commit("second", map[string]string{"app.py": "two"})
	dir := filepath.Join(t.TempDir(), "b")
	start := time.Now()
	got, err = g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, dir)
	t.Logf("second fetch took %s", time.Since(start))
	if err != nil || got.SHA != second || read(t, dir, "app.py") != "two" {
		t.Fatalf("second fetch: %+v %v", got, err)
	}
	if st, _ := os.Stat(filepath.Join(dir, "app.py")); st.Mode().Perm() != 0o755 {
		t.Errorf("mode %v", st.Mode())
	}
	start = time.Now()
	got, err = g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, filepath.Join(t.TempDir(), "c"))
	t.Logf("unchanged fetch took %s", time.Since(start))
	if err != nil || got.SHA != second {
		t.Fatalf("third fetch: %+v %v", got, err)
	}
}

func TestFetchOfOneCommit(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	first := r.commit("first", map[string]string{"f": "1"})
	r.commit("second", map[string]string{"f": "2"})
	dir := filepath.Join(t.TempDir(), "a")
	if _, err := g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main", Commit: first}, dir); err != nil {
		t.Fatal(err)
	}
	if read(t, dir, "f") != "1" {
		t.Error("not the first commit")
	}
	_, err := g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main", Commit: strings.Repeat("ab", 20)}, filepath.Join(t.TempDir(), "b"))
	wantError(t, err, apprunner.CodeNotFound, "no longer has the commit")
}

func TestFetchFromOddRepositories(t *testing.T) {
	cases := map[string]func(t *testing.T, r repo) string{
		"bare": func(t *testing.T, r repo) string {
			bare := filepath.Join(t.TempDir(), "b.git")
			r.git("clone", "-q", "--bare", r.dir, bare)
			return "file://" + bare
		},
		"bare without its suffix": func(t *testing.T, r repo) string {
			bare := filepath.Join(t.TempDir(), "b.git")
			r.git("clone", "-q", "--bare", r.dir, bare)
			return "file://" + strings.TrimSuffix(bare, ".git")
		},
		"packed": func(_ *testing.T, r repo) string {
			r.git("gc", "-q")
			return r.url()
		},
		"shallow": func(t *testing.T, r repo) string {
			d := filepath.Join(t.TempDir(), "shallow")
			r.git("clone", "-q", "--depth=1", r.url(), d)
			return "file://" + d
		},
		"linked work tree": func(t *testing.T, r repo) string {
			d := filepath.Join(t.TempDir(), "linked")
			r.git("worktree", "add", "-q", "--detach", d)
			return "file://" + d
		},
		"borrowing objects": func(t *testing.T, r repo) string {
			d := filepath.Join(t.TempDir(), "borrower")
			r.git("clone", "-q", "--shared", r.dir, d)
			return "file://" + d
		},
		"with a blank and a percent sign": func(t *testing.T, r repo) string {
			d := filepath.Join(t.TempDir(), "a b%c")
			r.git("clone", "-q", "--bare", r.dir, d)
			return "file://" + strings.ReplaceAll(strings.ReplaceAll(d, "%", "%25"), " ", "%20")
		},
		"owned by another, closed to all else": func(t *testing.T, r repo) string {
			if os.Getuid() != 0 {
				t.Skip("needs root")
			}
			d := filepath.Join(t.TempDir(), "theirs")
			r.git("clone", "-q", "--bare", r.dir, d)
			run(t, "/", nil, "chown", "-R", "65534:65534", d)
			run(t, "/", nil, "chmod", "-R", "go-rwx", d)
			return "file://" + d
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			r.commit("older", map[string]string{"f": "0"})
			sha := r.commit("one", map[string]string{"f": "1"})
			dir := filepath.Join(t.TempDir(), "out")
			got, err := newGit(t).Fetch(t.Context(), Repository{URL: make(t, r), Branch: "main"}, dir)
			if err != nil || got.SHA != sha || read(t, dir, "f") != "1" {
				t.Fatalf("%+v %v", got, err)
			}
		})
	}
}

func TestFetchSHA256(t *testing.T) {
	r := newRepo(t, "--object-format=sha256")
	sha := r.commit("one", map[string]string{"f": "1"})
	g := newGit(t)
	for i := range 2 {
		got, err := g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, filepath.Join(t.TempDir(), "out"))
		if err != nil || got.SHA != sha {
			t.Fatalf("%d: %+v %v", i, got, err)
		}
		sha = r.commit("two", map[string]string{"f": "2"})
	}
}

func TestFetchErrorsNameCauseAndNextStep(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	empty := newRepo(t)
	r.commit("one", map[string]string{"f": "1"})
	for _, b := range []string{"dev", "release/1", "a", "b", "c", "d", "e", "f", "g", "h"} {
		r.git("branch", b)
	}
	plain := t.TempDir()
	cases := []struct {
		name   string
		repo   Repository
		code   apprunner.Code
		words  []string
		absent string
	}{
		{"missing branch", Repository{URL: r.url(), Branch: "nope"}, apprunner.CodeNotFound, []string{`no branch "nope"`, "it has: ", "main", "and more", "Push the branch"}, ""},
		{"missing directory", Repository{URL: "file:///no/such/place", Branch: "main"}, apprunner.CodeNotFound, []string{"no repository", "/no/such/place", "machine"}, ""},
		{"no repository", Repository{URL: "file://" + plain, Branch: "main"}, apprunner.CodeInvalidRequest, []string{"not a git repository"}, ""},
		{"empty", Repository{URL: empty.url(), Branch: "main"}, apprunner.CodeNotFound, []string{"no commits yet", "Push"}, ""},
		{"bad branch", Repository{URL: r.url(), Branch: "--upload-pack=x"}, apprunner.CodeInvalidRequest, []string{"branch name"}, ""},
		{"own data", Repository{URL: "file://" + g.mirrorsDir(), Branch: "main"}, apprunner.CodeInvalidRequest, []string{"not a git repository"}, ""},
		{"unknown host", Repository{URL: "https://no-such-host.invalid/x.git", Branch: "main"}, apprunner.CodeUnavailable, []string{"could not be reached", "no-such-host.invalid"}, ""},
		{"refused", Repository{URL: "http://127.0.0.1:1/x.git", Branch: "main"}, apprunner.CodeUnavailable, []string{"could not be reached", "127.0.0.1"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := g.Fetch(t.Context(), c.repo, filepath.Join(t.TempDir(), "out"))
			wantError(t, err, c.code, c.words...)
			_, err = g.Head(t.Context(), c.repo)
			wantError(t, err, c.code, c.words...)
		})
	}
}

func TestOwnDirectoriesAreNotServed(t *testing.T) {
	r := newRepo(t)
	r.commit("one", map[string]string{"f": "1"})
	data := t.TempDir()
	bare := filepath.Join(data, "git", "x.git")
	r.git("clone", "-q", "--bare", r.dir, bare)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(bare, link); err != nil {
		t.Fatal(err)
	}
	g := newGit(t, func(c *Config) { c.PrivateDirs = []string{data} })
	for _, dir := range []string{bare, link} {
		_, err := g.Head(t.Context(), Repository{URL: "file://" + dir, Branch: "main"})
		wantError(t, err, apprunner.CodeNotFound, "no repository")
	}
	g = newGit(t, func(c *Config) { c.DenyFile = true })
	_, err := g.Head(t.Context(), Repository{URL: r.url(), Branch: "main"})
	wantError(t, err, apprunner.CodeInvalidRequest, "does not read file://")
}

func TestFetchHoldsItsLimits(t *testing.T) {
	r := newRepo(t)
	r.commit("one", map[string]string{"a": strings.Repeat("a", 5000), "b": "b", "c": "c"})
	fetch := func(change func(*Config)) error {
		_, err := newGit(t, change).Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, filepath.Join(t.TempDir(), "out"))
		return err
	}
	wantError(t, fetch(func(c *Config) { c.MaxFiles = 2 }), apprunner.CodeInvalidRequest, "more than 2 files")
	wantError(t, fetch(func(c *Config) { c.MaxBytes = 4000 }), apprunner.CodeInvalidRequest, "larger than 4000 bytes")
	noise := make([]byte, 200_000)
	rand.Read(noise)
	r.commit("two", map[string]string{"noise": string(noise)})
	wantError(t, fetch(func(c *Config) { c.MaxBytes = 50_000 }), apprunner.CodeInvalidRequest, "larger than this installation")
	wantError(t, fetch(func(c *Config) { c.Timeout = time.Nanosecond }), apprunner.CodeUnavailable, "longer than")
}

func TestABrokenMirrorIsMadeAfresh(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	r.commit("one", map[string]string{"f": "1"})
	repo := Repository{URL: r.url(), Branch: "main"}
	a, _ := ParseURL(r.url())
	g.enter(g.mirrorDir(a)) // somebody else reads it all the while
	if _, err := g.Fetch(t.Context(), repo, filepath.Join(t.TempDir(), "a")); err != nil {
		t.Fatal(err)
	}
	packs, _ := filepath.Glob(filepath.Join(g.mirrorDir(a), "objects/pack/*"))
	for _, p := range packs {
		if err := os.Chmod(p, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("rubbish"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(g.mirrorDir(a), "shallow.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sha := r.commit("two", map[string]string{"f": "2"})
	dir := filepath.Join(t.TempDir(), "b")
	if got, err := g.Fetch(t.Context(), repo, dir); err != nil || got.SHA != sha {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestChangedPaths(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	a := r.commit("a", map[string]string{"app/x": "1", "doc/y": "1"})
	b := r.commit("b", map[string]string{"doc/y": "2"})
	c := r.commit("c", map[string]string{"app/x": "2"})
	repo := Repository{URL: r.url(), Branch: "main"}
	for _, tc := range []struct {
		from, to, dir string
		want          []string
	}{
		{a, b, "/", []string{"doc/y"}}, {a, b, "app", nil}, {a, b, "/app/", nil}, {b, c, "/app", []string{"app/x"}}, {a, c, "", []string{"app/x", "doc/y"}}, {a, c, "ap", nil},
	} {
		got, err := g.ChangedPaths(t.Context(), repo, tc.from, tc.to, tc.dir)
		if err != nil || !slices.Equal(got, tc.want) && len(got)+len(tc.want) > 0 {
			t.Errorf("%s in %q: %v %v, want %v", tc.from[:4], tc.dir, got, err, tc.want)
		}
	}
	_, err := g.ChangedPaths(t.Context(), repo, strings.Repeat("12", 20), c, "/")
	wantError(t, err, apprunner.CodeNotFound, "no longer has the commit")
}

func TestManyPacksBecomeFew(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	a, _ := ParseURL(r.url())
	g.enter(g.mirrorDir(a)) // somebody reads it all the while
	fetch := func() {
		if _, err := g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, filepath.Join(t.TempDir(), "o")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range packsPerStore + 2 {
		r.commit("c", map[string]string{"f": strings.Repeat("x", i+1)})
		fetch()
	}
	if err := g.repack(t.Context(), g.mirrorDir(a)); err != nil {
		t.Fatal(err)
	}
	if packs, _ := filepath.Glob(filepath.Join(g.mirrorDir(a), "objects/pack/*.pack")); len(packs) == 0 || len(packs) > 2 {
		t.Errorf("%d packs remain", len(packs))
	}
	fetch()
}

// checklist: 183
func TestNothingOfASourceIsKept(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	sha := r.commit("one", map[string]string{"f": "1"})
	next := r.commit("two", map[string]string{"f": "2"})
	repo := Repository{URL: r.url(), Branch: "main"}
	var group sync.WaitGroup
	for n := range 6 { // at once, so that one is still reading when another has done
		group.Go(func() {
			if _, err := g.Fetch(t.Context(), repo, filepath.Join(t.TempDir(), "o")); err != nil {
				t.Error(err)
			}
			if paths, err := g.ChangedPaths(t.Context(), repo, sha, next, "/"); err != nil || len(paths) != 1 {
				t.Errorf("%d: %v %v", n, paths, err)
			}
		})
	}
	group.Wait()
	for _, dir := range []string{g.mirrorsDir(), g.runs} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v is left in %s (%v)", left, dir, err)
		}
	}
}
