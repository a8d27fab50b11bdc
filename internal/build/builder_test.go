package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/build"
)

// bench is a builder over fakes: real files, real shells, no isolation.
type bench struct {
	*build.Builder
	images  *memoryImages
	sandbox *plainSandbox
	log     *recorder
	source  string
	caches  string
}

const serviceID = "0123456789abcdef0123456789abcdef"

func newBench(t *testing.T, files map[string]string, change ...func(*build.Config)) *bench {
	t.Helper()
	b := &bench{images: newImages(t), sandbox: &plainSandbox{t: t}, log: &recorder{}, source: t.TempDir()}
	dir := t.TempDir()
	b.caches = filepath.Join(dir, "caches")
	cfg := build.Config{
		Images: b.images, Sandbox: b.sandbox, Dir: dir, RuntimesDir: t.TempDir(),
		RuntimeImages: map[apprunner.Runtime]map[string]string{
			"PYTHON_3":   {"3.8.5": "runtime.test/python:3.8", "3.7.7": "runtime.test/python:3.7", "3.11.2": "runtime.test/python:3.11"},
			"PYTHON_311": {"3.11.2": "runtime.test/python:3.11"},
			"NODEJS_22":  {"22.97.0": "runtime.test/node:22.97", "22.99.0": "runtime.test/node:22.99"},
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if b.Builder, err = build.New(cfg); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		full := filepath.Join(b.source, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bench) request() build.Request {
	return build.Request{
		ServiceID: serviceID, DeploymentID: "d", SourceDir: b.source,
		Code: apprunner.CodeConfiguration{Source: apprunner.ConfigurationFromRepository}, Log: b.log,
	}
}

// files merges what an image holds.
func (b *bench) files(t *testing.T, digest string) map[string]string {
	t.Helper()
	image, err := b.images.Get(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, layer := range image.Layers {
		for name, content := range contents(t, layer) {
			all[name] = content
		}
	}
	return all
}

func (b *bench) mustBuild(t *testing.T, req build.Request) (build.Result, map[string]string) {
	t.Helper()
	result, err := b.Build(t.Context(), req)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.log.text())
	}
	if b.sandbox.open != 0 {
		t.Errorf("%d workspaces are still open", b.sandbox.open)
	}
	return result, b.files(t, result.ImageDigest)
}

func (b *bench) mustFail(t *testing.T, req build.Request, parts ...string) {
	t.Helper()
	result, err := b.Build(t.Context(), req)
	if err == nil {
		t.Fatalf("built %+v\n%s", result, b.log.text())
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
	if b.sandbox.open != 0 {
		t.Errorf("%d workspaces are still open", b.sandbox.open)
	}
}

func (b *bench) logged(t *testing.T, parts ...string) {
	t.Helper()
	text := b.log.text()
	at := 0
	for _, part := range parts {
		i := strings.Index(text[at:], part)
		if i < 0 {
			t.Fatalf("the log lacks %q after byte %d:\n%s", part, at, text)
		}
		at += i + len(part)
	}
}

// record appends a word and the working directory's name to a file in /app and to one outside.
const record = `echo %s >> order; echo %s >> $ROOT/etc/order; echo ran %s`

func recorded(word string) string { return strings.ReplaceAll(record, "%s", word) }

// checklist: 46, 174
func TestOriginalBuild(t *testing.T) {
	b := newBench(t, map[string]string{"main.py": "print()", "apprunner.yaml": `
version: 1.0
runtime: python3
build:
  commands:
    pre-build: ["` + recorded("pre") + `"]
    build: ["` + recorded("one") + `", "` + recorded("two") + `"]
    post-build: ["` + recorded("post") + `"]
run:
  runtime-version: 3.7
  command: python main.py
`})
	result, files := b.mustBuild(t, b.request())
	// The build commands run again in the runtime image, on what the first stage made of /app.
	if got := strings.Fields(files["app/order"]); strings.Join(got, " ") != "pre one two one two" {
		t.Errorf("/app went through %q", got)
	}
	if got := strings.Fields(files["etc/order"]); strings.Join(got, " ") != "one two" {
		t.Errorf("the rest of the image went through %q", got)
	}
	if result.RuntimeVersion != "3.7.7" || files["etc/runtime"] != "runtime.test/python:3.7" || files["app/main.py"] != "print()" {
		t.Errorf("version %s, files %v", result.RuntimeVersion, files)
	}
	b.logged(t, "apprunner.yaml is read", "version 3.7.7", "Running pre-build command: echo pre", "[Build] ran pre", "Running build command 1 of 2",
		"[Build] ran one", "[Build] ran two", "runtime image is prepared", "[Build] ran one", "[Build] ran two", "Running post-build", "[Build] ran post")
	settings := b.images.set[result.ImageDigest]
	if settings.WorkingDir != "/app" || strings.Join(settings.Cmd, " ") != "/bin/sh -c python main.py" {
		t.Errorf("the image starts with %+v", settings)
	}
}

// checklist: 46, 174
func TestRevisedBuild(t *testing.T) {
	b := newBench(t, map[string]string{"apprunner.yaml": `
version: 1.0
runtime: python311
build:
  commands:
    pre-build: ["` + recorded("pre") + `"]
    build: ["` + recorded("build") + `"]
    post-build: ["` + recorded("post") + `"]
run:
  pre-run: ["` + recorded("prerun") + `"]
  command: python3 main.py
`})
	_, files := b.mustBuild(t, b.request())
	if got := strings.Fields(files["app/order"]); strings.Join(got, " ") != "pre build prerun" {
		t.Errorf("/app went through %q", got)
	}
	if got := strings.Fields(files["etc/order"]); strings.Join(got, " ") != "prerun" {
		t.Errorf("the rest of the image went through %q: what build leaves outside /app must be lost", got)
	}
	b.logged(t, "ran pre", "ran build", "ran prerun", "ran post")
	if len(b.sandbox.opened) != 2 {
		t.Errorf("%d workspaces were opened", len(b.sandbox.opened))
	}
}

func TestRevisedBuildWithoutPreRunNeedsOneStage(t *testing.T) {
	b := newBench(t, map[string]string{"apprunner.yaml": `
version: 1.0
runtime: python311
build:
  commands:
    build: ["` + recorded("build") + `"]
run:
  command: python3 main.py
`})
	_, files := b.mustBuild(t, b.request())
	if files["app/order"] != "build\n" || files["etc/order"] != "" || len(b.sandbox.opened) != 1 {
		t.Errorf("files %v, %d stages", files, len(b.sandbox.opened))
	}
}

// checklist: 175, 177, 178
func TestEnvironments(t *testing.T) {
	b := newBench(t, map[string]string{"apprunner.yaml": `
version: 1.0
runtime: python311
build:
  commands:
    build: ["env > env"]
  env:
    - {name: MODE, value: release}
    - {name: HTTP_PROXY, value: mine}
run:
  pre-run: ["env > preenv"]
  command: python3 main.py
  network: {port: 9000, env: APP_PORT}
  env:
    - {name: NAME, value: world}
`}, func(c *build.Config) {
		c.BuildEnv = []string{"HTTP_PROXY=http://proxy.test", "GOPROXY=http://modules.test"}
	})
	result, files := b.mustBuild(t, b.request())
	for _, env := range []string{files["app/env"], files["app/preenv"]} {
		for _, want := range []string{"MODE=release\n", "HTTP_PROXY=mine\n", "GOPROXY=http://modules.test\n", "FROM_RUNTIME=yes\n", "HOME=/root\n", "PIP_CACHE_DIR=/var/cache/slipway/pip\n"} {
			if !strings.Contains(env, want) {
				t.Errorf("the build commands' environment lacks %q:\n%s", want, env)
			}
		}
		if strings.Contains(env, "NAME=world") || strings.Contains(env, "PORT=") {
			t.Errorf("the application's variables are visible to the build:\n%s", env)
		}
	}
	if r := result.Run; r.Port != 9000 || r.PortEnv != "APP_PORT" || r.Env["NAME"] != "world" || len(r.Env) != 1 || r.Command != "python3 main.py" {
		t.Errorf("run configuration %+v", r)
	}
	if image, _ := b.images.Get(t.Context(), result.ImageDigest); strings.Contains(strings.Join(image.Env, " "), "PROXY") {
		t.Errorf("the image keeps the build's environment: %v", image.Env)
	}
}

func apiCode(v apprunner.CodeConfigurationValues) apprunner.CodeConfiguration {
	return apprunner.CodeConfiguration{Source: apprunner.ConfigurationFromAPI, Values: &v}
}

// checklist: 44, 89
func TestConfigurationFromTheAPIIgnoresTheFile(t *testing.T) {
	b := newBench(t, map[string]string{"apprunner.yaml": "this: [is no configuration"})
	req := b.request()
	req.Code = apiCode(apprunner.CodeConfigurationValues{
		Runtime: "PYTHON_3", BuildCommand: recorded("api"), StartCommand: "python server.py", Port: 8000,
		Env: map[string]string{"NAME": "x"}, Secrets: map[string]string{"S": "parameter"},
	})
	result, files := b.mustBuild(t, req)
	if files["app/order"] != "api\napi\n" || files["etc/order"] != "api\n" {
		t.Errorf("files %v", files)
	}
	if r := result.Run; r.Command != "python server.py" || r.Port != 8000 || r.Env["NAME"] != "x" || r.Secrets["S"] != "parameter" {
		t.Errorf("run configuration %+v", r)
	}
}

// checklist: 88
func TestConfigurationFromTheRepositoryIgnoresTheValues(t *testing.T) {
	b := newBench(t, map[string]string{"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild: {commands: {build: [\"true\"]}}\nrun: {command: from file}\n"})
	req := b.request()
	req.Code.Values = &apprunner.CodeConfigurationValues{Runtime: "GO_1", StartCommand: "from api", Port: 1}
	result, _ := b.mustBuild(t, req)
	if result.Run.Command != "from file" || result.Run.Port != 8080 || result.Runtime != "PYTHON_311" {
		t.Errorf("got %+v", result)
	}
}

func TestWithoutBuildCommandTheSourceIsOnlyCopied(t *testing.T) {
	b := newBench(t, map[string]string{"main.py": "x", "sub/other.py": "y", ".git/config": "secret"})
	req := b.request()
	req.Code = apiCode(apprunner.CodeConfigurationValues{Runtime: "PYTHON_311", StartCommand: "python3 main.py", Port: 8080})
	_, files := b.mustBuild(t, req)
	if files["app/main.py"] != "x" || files["app/sub/other.py"] != "y" || files["app/.git/config"] != "" || len(b.sandbox.opened) != 0 {
		t.Errorf("files %v, %d workspaces", files, len(b.sandbox.opened))
	}
	b.logged(t, "no build command")
}

// checklist: 171
func TestSourceDirectory(t *testing.T) {
	files := map[string]string{
		"apprunner.yaml":         "the root's file does not count",
		"web/apprunner.yaml":     "version: 1.0\nruntime: nodejs22\nbuild: {commands: {build: [pwd > where; cat ../lib/shared > copy]}}\nrun: {command: node app.js}\n",
		"web/package.json":       `{"engines": {"node": ">=22.50 <22.99"}}`,
		"lib/shared":             "shared",
		"empty/.keep":            "",
		"yml/apprunner.yml":      "x",
		"file":                   "",
		"package.json":           `{"engines": {"node": "1"}}`,
		"invalid/apprunner.yaml": "version: 2\nruntime: docker\n",
	}
	for _, sub := range []string{"web", "/web", "/web/", "./web"} {
		b := newBench(t, files)
		req := b.request()
		req.Subdir = sub
		result, got := b.mustBuild(t, req)
		if !strings.HasSuffix(got["app/web/where"], "/app/web\n") || got["app/web/copy"] != "shared" || got["app/lib/shared"] != "shared" {
			t.Errorf("%s: files %v", sub, got)
		}
		if result.RuntimeVersion != "22.97.0" {
			t.Errorf("%s: engines.node of the source directory chose %s", sub, result.RuntimeVersion)
		}
		if b.images.set[result.ImageDigest].WorkingDir != "/app/web" {
			t.Errorf("%s: starts in %s", sub, b.images.set[result.ImageDigest].WorkingDir)
		}
	}
	for sub, parts := range map[string][]string{
		"missing": {"source directory /missing does not exist"},
		"file":    {"source directory /file does not exist"},
		"../..":   {"apprunner.yaml:1:1"}, // stays in the repository
		"empty":   {"no empty/apprunner.yaml", "ConfigurationSource API"},
		"yml":     {"no yml/apprunner.yaml", "rename it"},
		"invalid": {"invalid/apprunner.yaml has 4 faults", "invalid/apprunner.yaml:2:10: runtime is \"docker\"", "build is missing", "run is missing"},
	} {
		b := newBench(t, files)
		req := b.request()
		req.Subdir = sub
		b.mustFail(t, req, parts...)
	}
}

func TestTheSourceDirectoryCannotLeaveTheRepositoryByLinks(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "apprunner.yaml"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, map[string]string{"x": ""})
	if err := os.Symlink(outside, filepath.Join(b.source, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "apprunner.yaml"), filepath.Join(b.source, "apprunner.yaml")); err != nil {
		t.Fatal(err)
	}
	req := b.request()
	req.Subdir = "out"
	b.mustFail(t, req, "source directory /out")
	b.mustFail(t, b.request(), "apprunner.yaml cannot be read")
}

func TestAFailingCommandEndsTheBuild(t *testing.T) {
	file := func(runtime, pre, main, post string) string {
		return "version: 1.0\nruntime: " + runtime + "\nbuild:\n  commands:\n    pre-build: [\"" + pre + "\"]\n    build: [\"" + main + "\", \"echo never\"]\n    post-build: [\"" + post + "\"]\nrun: {command: x}\n"
	}
	for name, test := range map[string]struct {
		file  string
		parts []string
	}{
		"pre-build":           {file("python311", "echo oh no; exit 3", "true", "true"), []string{`pre-build command "echo oh no; exit 3" failed with exit code 3`, "printed last:\noh no"}},
		"build":               {file("python3", "true", "exit 1", "true"), []string{`build command "exit 1" failed with exit code 1`, "printed nothing"}},
		"post-build original": {file("python3", "true", "true", "exit 7"), []string{`post-build command "exit 7" failed with exit code 7`}},
		"post-build revised":  {file("python311", "true", "true", "exit 7"), []string{`post-build command "exit 7" failed with exit code 7`}},
		"killed":              {file("python3", "true", "exit 137", "true"), []string{"exit code 137", "needs more memory", "4096 MiB"}},
		"disk full":           {file("python3", "true", "echo write: No space left on device; exit 1", "true"), []string{"may write 10240 MiB"}},
		"unknown program":     {file("python3", "true", "no-such-program-here", "true"), []string{"exit code 127", "not found"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, map[string]string{"apprunner.yaml": test.file})
			b.mustFail(t, b.request(), test.parts...)
			if name == "build" && strings.Contains(b.log.text(), "echo never") {
				t.Error("a command ran after the one that failed")
			}
		})
	}
}

func TestEachCommandHasItsOwnEnvironmentAndDirectory(t *testing.T) {
	b := newBench(t, map[string]string{"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build: [\"export A=1; mkdir d; cd d\", \"echo [$A] > seen; ls > list\"]\nrun: {command: x}\n"})
	_, files := b.mustBuild(t, b.request())
	if files["app/seen"] != "[]\n" || !strings.Contains(files["app/list"], "d\n") {
		t.Errorf("files %v", files)
	}
}

func TestOutputIsLoggedWhileACommandRuns(t *testing.T) {
	b := newBench(t, map[string]string{"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build: [\"echo first; until [ -e $ROOT/go ]; do :; done; echo second\"]\nrun: {command: x}\n"})
	b.log.live = make(chan string)
	done := make(chan error, 1)
	go func() {
		_, err := b.Build(t.Context(), b.request())
		done <- err
	}()
	released := false
	for {
		select {
		case line := <-b.log.live:
			if line == "[Build] first" && !released {
				released = true // the command waits for this, so the line came before its end
				if err := os.WriteFile(filepath.Join(b.root(t), "go"), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		case err := <-done:
			if err != nil || !released {
				t.Fatal(err, released)
			}
			return
		case <-time.After(30 * time.Second):
			t.Fatal("no line while the command runs")
		}
	}
}

// root is where the only open workspace has its files.
func (b *bench) root(t *testing.T) string {
	t.Helper()
	b.sandbox.mu.Lock()
	defer b.sandbox.mu.Unlock()
	return b.sandbox.lastDir
}
