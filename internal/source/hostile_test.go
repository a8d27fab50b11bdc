package source

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// TestConfinement proves what a taken-over git could reach: it runs a shell as if it were git.
func TestConfinement(t *testing.T) {
	if !Confined() {
		t.Skip("this kernel has no Landlock")
	}
	dir := t.TempDir()
	secret, open, own := filepath.Join(dir, "ca.key"), filepath.Join(dir, "open"), filepath.Join(dir, "own")
	for _, f := range []string{secret, open} {
		if err := os.WriteFile(f, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	g := newGit(t)
	g.program = "/bin/sh"
	sh := func(script string) (string, error) {
		var out bytes.Buffer
		err := g.run(t.Context(), job{args: []string{"-c", script}, stdout: &out, confinement: confinement{read: []string{open}, write: []string{own}}})
		return out.String(), err
	}
	for name, script := range map[string]string{
		"read a file":            "cat " + open,
		"write its own":          "cd " + own + " && echo x > a && mkdir d && mv a d/b && rm -r d",
		"run a program":          "/bin/ls /usr > /dev/null",
		"know who it is":         "test $(id -u) = " + fmt.Sprint(os.Getuid()),
		"have lost capabilities": `test "$(sed -n 's/^CapEff:\t//p' /proc/self/status)" = 0000000000000000`,
	} {
		if out, err := sh(script); err != nil {
			t.Errorf("it must be able to %s: %v %s", name, err, out)
		}
	}
	for name, script := range map[string]string{
		"read a secret":            "cat " + secret,
		"list the directory":       "ls " + dir,
		"write elsewhere":          "echo x > " + dir + "/new",
		"change what it may read":  "echo x >> " + open,
		"read the shadow file":     "cat /etc/shadow",
		"see our environment":      fmt.Sprintf("cat /proc/%d/environ", os.Getpid()),
		"change its configuration": "echo x >> " + filepath.Join(g.home, ".gitconfig"),
		"signal us":                fmt.Sprintf("kill -0 %d", os.Getpid()),
	} {
		if out, err := sh(script); err == nil {
			t.Errorf("it can %s: %s", name, out)
		}
	}
}

func TestHostileRepositories(t *testing.T) {
	g, r := newGit(t), newRepo(t)
	proof := filepath.Join(t.TempDir(), "proof")
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("host secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Everything a repository can ask git to run.
	script := filepath.Join(r.dir, ".git", "evil.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+proof+"\ncat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.commit("honest", map[string]string{
		".gitattributes": "* filter=evil\n*.lfs filter=lfs\nsecret export-ignore\nversion export-subst\n", "secret": "kept", "version": "$Format:%H$",
		"big.lfs":     "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
		".gitmodules": "[submodule \"m\"]\n\tpath = m\n\turl = ext::sh -c touch% " + proof + "\n",
		"dir/file":    "x",
	})
	for name, target := range map[string]string{
		"in": "dir/file", "dir/up": "../secret", "abs": outside, "out": "../../../../../../../../" + outside, "dangling": "nowhere", "loop": "loop", "deep": "dir/back/../outside", "dir/back": "..",
	} {
		if err := os.Symlink(target, filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	r.git("add", "-A")
	r.git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("12", 20)+",m")
	r.git("commit", "-q", "-m", "evil")
	for _, kv := range [][2]string{
		{"filter.evil.smudge", script},
		{"filter.evil.clean", script},
		{"core.fsmonitor", script},
		{"core.sshCommand", script},
		{"core.hooksPath", filepath.Dir(script)},
		{"uploadpack.packObjectsHook", script},
		{"core.pager", script},
		{"core.alternateRefsCommand", script},
		{"diff.external", script},
		{"core.gitProxy", script},
	} {
		r.git("config", kv[0], kv[1])
	}
	for _, hook := range []string{"post-checkout", "post-merge", "reference-transaction", "pre-auto-gc", "post-index-change"} {
		if err := os.WriteFile(filepath.Join(r.dir, ".git", "hooks", hook), []byte("#!/bin/sh\ntouch "+proof+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "tree")
	got, err := g.Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(proof); err == nil {
		t.Fatal("something of the repository ran")
	}
	if read(t, dir, "secret") != "kept" || read(t, dir, "version") != "$Format:%H$" || read(t, dir, "in") != "x" || read(t, dir, "dir/up") != "kept" {
		t.Error("the tree is not what was committed")
	}
	if !strings.HasPrefix(read(t, dir, "big.lfs"), "version https://git-lfs") {
		t.Error("the LFS pointer was replaced")
	}
	if st, err := os.Stat(filepath.Join(dir, "m")); err != nil || !st.IsDir() {
		t.Errorf("the submodule is not an empty directory: %v", err)
	}
	slices.Sort(got.Skipped)
	if !slices.Equal(got.Skipped, []string{"abs", "deep", "loop", "out"}) {
		t.Errorf("skipped %v", got.Skipped)
	}
}

// rawTree commits a tree with one entry of any name, which git itself refuses to make.
func rawTree(r repo, mode, name, oid string) {
	r.t.Helper()
	var raw []byte
	for i := 0; i < len(oid); i += 2 {
		var b byte
		fmt.Sscanf(oid[i:i+2], "%02x", &b)
		raw = append(raw, b)
	}
	cmd := exec.CommandContext(r.t.Context(), "git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	cmd.Dir = r.dir
	cmd.Stdin = bytes.NewReader(append([]byte(mode+" "+name+"\x00"), raw...))
	tree, err := cmd.Output()
	if err != nil {
		r.t.Fatal(err)
	}
	r.git("update-ref", "refs/heads/main", r.git("commit-tree", "-m", "evil", strings.TrimSpace(string(tree))))
}

func TestForbiddenPathsAreRefused(t *testing.T) {
	for _, name := range []string{"..", ".git", ".GIT", "git~1", "."} {
		r := newRepo(t)
		r.commit("one", map[string]string{"d/f": "1"})
		rawTree(r, "40000", name, r.git("rev-parse", "HEAD:d"))
		dir := filepath.Join(t.TempDir(), "tree")
		_, err := newGit(t).Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, dir)
		wantError(t, err, apprunner.CodeInvalidRequest, "forbidden path")
	}
}

// A tree of a few hundred bytes may unfold to billions of files.
func TestATreeBombIsStopped(t *testing.T) {
	r := newRepo(t)
	r.commit("one", map[string]string{"f": "1"})
	oid, mode := r.git("rev-parse", "HEAD:f"), "100644 blob"
	for range 12 {
		var in strings.Builder
		for i := range 10 {
			fmt.Fprintf(&in, "%s %s\tn%d\n", mode, oid, i)
		}
		cmd := exec.CommandContext(t.Context(), "git", "mktree")
		cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(in.String())
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		oid, mode = strings.TrimSpace(string(out)), "040000 tree"
	}
	r.git("update-ref", "refs/heads/main", r.git("commit-tree", "-m", "bomb", oid))
	_, err := newGit(t, func(c *Config) { c.MaxFiles = 10_000 }).Fetch(t.Context(), Repository{URL: r.url(), Branch: "main"}, filepath.Join(t.TempDir(), "o"))
	wantError(t, err, apprunner.CodeInvalidRequest, "more than 10000 files")
}

func TestManyReferences(t *testing.T) {
	s, r := newHosted(t), newRepo(t)
	sha := r.commit("one", map[string]string{"f": "1"})
	var packed strings.Builder
	packed.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	for i := range 30_000 {
		fmt.Fprintf(&packed, "%s refs/heads/b%06d\n", sha, i)
	}
	if err := s.Create("many"); err != nil {
		t.Fatal(err)
	}
	r.git("push", "-q", s.remote("many"), "main")
	if err := os.WriteFile(filepath.Join(s.dir("many"), "packed-refs"), []byte(packed.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	for name, g := range map[string]*Git{"on this machine": s.git, "over HTTP": newGit(t)} {
		repo := Repository{URL: s.URL("many"), Branch: "b029999", Credential: Credential{User: "AKIAEXAMPLE", Password: "s3cret/+key"}}
		if got, err := g.Head(ctx, repo); err != nil || got != sha {
			t.Errorf("%s: %s %v", name, got, err)
		}
		repo.Branch = "nope"
		_, err := g.Head(ctx, repo)
		wantError(t, err, apprunner.CodeNotFound, "no branch", "b000001", "and more")
	}
}
