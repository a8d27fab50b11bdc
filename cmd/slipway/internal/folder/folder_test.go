package folder_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/cmd/slipway/internal/folder"
)

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// venv is how the builds of Python applications begin: what they install must be below the application's folder.
const venv = "python3 -m venv --system-site-packages --without-pip --clear .venv && .venv/bin/python -m pip install "

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name     string
		files    map[string]string
		override folder.Override
		want     folder.Plan
		fails    string
	}{
		{name: "configuration file", files: map[string]string{"apprunner.yaml": "", "package.json": "{}"}, want: folder.Plan{FromFile: true, Why: "apprunner.yaml"}},
		{name: "python", files: map[string]string{"requirements.txt": "", "app.py": ""}, want: folder.Plan{Runtime: "PYTHON_311", Build: venv + "-r requirements.txt", Start: ". .venv/bin/activate && exec python3 app.py", Why: "requirements.txt"}},
		{name: "python without packages", files: map[string]string{"main.py": ""}, want: folder.Plan{Runtime: "PYTHON_311", Build: "true", Start: "python3 main.py", Why: "main.py"}},
		{name: "python with Procfile", files: map[string]string{"pyproject.toml": "", "Procfile": "worker: x\nweb: gunicorn app:app\n"}, want: folder.Plan{Runtime: "PYTHON_311", Build: venv + ".", Start: ". .venv/bin/activate && exec gunicorn app:app", Why: "pyproject.toml"}},
		{name: "node", files: map[string]string{"package.json": `{"scripts":{"start":"x","build":"y"}}`, "package-lock.json": ""}, want: folder.Plan{Runtime: "NODEJS_22", Build: "npm ci && npm run build", Start: "npm start", Why: "package.json"}},
		{name: "node main", files: map[string]string{"package.json": `{"main":"lib/x.js"}`, "lib/x.js": ""}, want: folder.Plan{Runtime: "NODEJS_22", Build: "npm install", Start: "node lib/x.js", Why: "package.json"}},
		{name: "go", files: map[string]string{"go.mod": "", "main.go": "// x\npackage main\n"}, want: folder.Plan{Runtime: "GO_1", Build: "go build -o app .", Start: "./app", Why: "go.mod"}},
		{name: "go below cmd", files: map[string]string{"go.mod": "", "x.go": "package x\n", "cmd/web/main.go": "package main\n"}, want: folder.Plan{Runtime: "GO_1", Build: "go build -o app ./cmd/web", Start: "./app", Why: "go.mod"}},
		{name: "override", files: map[string]string{"requirements.txt": "", "app.py": ""}, override: folder.Override{Start: "flask run"}, want: folder.Plan{Runtime: "PYTHON_311", Build: venv + "-r requirements.txt", Start: ". .venv/bin/activate && exec flask run", Why: "requirements.txt"}},
		{name: "override of several programs", files: map[string]string{"requirements.txt": ""}, override: folder.Override{Start: "A=1 flask init && exec flask run"}, want: folder.Plan{Runtime: "PYTHON_311", Build: venv + "-r requirements.txt", Start: ". .venv/bin/activate && A=1 flask init && exec flask run", Why: "requirements.txt"}},
		{name: "override of the build", files: map[string]string{"requirements.txt": "", "app.py": ""}, override: folder.Override{Build: "make"}, want: folder.Plan{Runtime: "PYTHON_311", Build: "make", Start: "python3 app.py", Why: "requirements.txt"}},
		{name: "all by hand", files: map[string]string{"x": ""}, override: folder.Override{Runtime: "RUBY_31", Start: "ruby x"}, want: folder.Plan{Runtime: "RUBY_31", Build: "true", Start: "ruby x", Why: "--runtime"}},
		{name: "no start", files: map[string]string{"requirements.txt": ""}, fails: `not how the application starts; name the command with --start, such as --start "python3 app.py"`},
		{name: "dockerfile", files: map[string]string{"Dockerfile": ""}, fails: "App Runner takes ready images"},
		{name: "nothing", files: map[string]string{"x": ""}, fails: "looked for apprunner.yaml"},
		{name: "two programs", files: map[string]string{"go.mod": "", "cmd/a/a.go": "package main\n", "cmd/b/b.go": "package main\n"}, fails: "2 programs (./cmd/a, ./cmd/b)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := folder.Detect(write(t, t.TempDir(), c.files), c.override)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %+v %v", got, err)
			}
		})
	}
}

func TestDetectWantsAFolder(t *testing.T) {
	file := filepath.Join(write(t, t.TempDir(), map[string]string{"app.py": ""}), "app.py")
	for _, dir := range []string{file, file + ".absent"} {
		if _, err := folder.Detect(dir, folder.Override{}); err == nil || !strings.Contains(err.Error(), dir+" is no folder") {
			t.Errorf("%s: got %v", dir, err)
		}
	}
}

func TestServiceName(t *testing.T) {
	for dir, want := range map[string]string{"/x/my app": "my-app", "/x/web": "web-service", "/x/_hidden.d": "hidden-d", "/x/" + strings.Repeat("a", 50): strings.Repeat("a", 40), "/": "service"} {
		if got := folder.ServiceName(dir); got != want {
			t.Errorf("%s: got %s, want %s", dir, got, want)
		}
	}
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestPush(t *testing.T) {
	for _, repository := range []bool{false, true} {
		dir := write(t, t.TempDir(), map[string]string{
			"app.py": "print(1)\n", "sub/a b.txt": "x", ".gitignore": "*.log\n", "debug.log": "x", "node_modules/m/index.js": "x",
		})
		if repository {
			gitIn(t, dir, "init", "--quiet")
			write(t, dir, map[string]string{"gone.txt": "x", ".gitignore": "*.log\nnode_modules\n"})
			gitIn(t, dir, "add", "gone.txt")
			if err := os.Remove(filepath.Join(dir, "gone.txt")); err != nil {
				t.Fatal(err)
			}
		}
		before := listing(t, dir)
		remote := folder.Remote{URL: filepath.Join(t.TempDir(), "r.git"), Branch: "main"}
		gitIn(t, t.TempDir(), "init", "--quiet", "--bare", remote.URL)
		first, err := folder.Push(t.Context(), dir, "first", remote)
		if err != nil {
			t.Fatal(err)
		}
		if got := gitIn(t, remote.URL, "ls-tree", "-r", "-z", "--name-only", "main"); got != ".gitignore\x00app.py\x00sub/a b.txt\x00" {
			t.Errorf("repository %v: deployed %q", repository, got)
		}
		again, err := folder.Push(t.Context(), dir, "again", remote)
		if err != nil || again.New || again.Commit != first.Commit {
			t.Errorf("an unchanged folder: %+v %v", again, err)
		}
		write(t, dir, map[string]string{"app.py": "print(2)\n"})
		second, err := folder.Push(t.Context(), dir, "second", remote)
		if err != nil || !second.New {
			t.Fatalf("%+v %v", second, err)
		}
		if got := gitIn(t, remote.URL, "log", "--format=%s", "main"); got != "second\nfirst" {
			t.Errorf("history %q", got)
		}
		if after := listing(t, dir); !maps.Equal(before, after) {
			t.Errorf("the folder was changed: %v", slices.Sorted(maps.Keys(after)))
		}
	}
}

func listing(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		all[path] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
