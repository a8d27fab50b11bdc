package build_test

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/build"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci"
	"slipway.dev/slipway/internal/store"
)

// TestMain is the shim when the driver starts this binary as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "shim" {
		os.Exit(oci.ShimMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// The adapters between this room's interfaces and the real rooms, as the server has them.

type realImages struct{ *image.Store }

func words(i image.Image) build.Image {
	out := build.Image{Digest: i.Digest, Env: i.Config.Env}
	for _, l := range i.Layers {
		out.Layers = append(out.Layers, l.Dir)
	}
	return out
}

func (r realImages) Get(ctx context.Context, digest string) (build.Image, error) {
	i, err := r.Store.Get(ctx, digest)
	return words(i), err
}

func (r realImages) Pull(ctx context.Context, reference string) (build.Image, error) {
	i, err := r.Store.Pull(ctx, reference, image.Credential{})
	return words(i), err
}

func (r realImages) Append(ctx context.Context, base build.Image, layer io.Reader, s build.ImageSettings) (build.Image, error) {
	i, err := r.Store.Append(ctx, image.Image{Digest: base.Digest}, layer, func(c *image.ImageConfig) {
		if s.Env != nil {
			c.Env = s.Env
		}
		if s.WorkingDir != "" {
			c.WorkingDir = s.WorkingDir
		}
		if s.Cmd != nil {
			c.Entrypoint, c.Cmd = nil, s.Cmd
		}
	})
	return words(i), err
}

func (r realImages) Pin(ctx context.Context, owner, digest string) error {
	return r.Store.Pin(ctx, owner, digest)
}

func (r realImages) Unpin(ctx context.Context, owner string) error {
	return r.Store.Unpin(ctx, owner)
}

type realSandbox struct{ instance.Builder }

func (r realSandbox) Open(ctx context.Context, s build.WorkspaceSpec) (build.Workspace, error) {
	spec := instance.WorkspaceSpec{
		ID: s.ID, Rootfs: instance.Rootfs{Layers: s.Layers}, CPU: s.CPU, MemoryMiB: s.MemoryMiB, DiskMiB: s.DiskMiB, Files: s.Files,
	}
	for path, dir := range s.Mounts {
		spec.Mounts = append(spec.Mounts, instance.Mount{HostDir: dir, Path: path})
	}
	w, err := r.OpenWorkspace(ctx, spec)
	if err != nil {
		return nil, err
	}
	return realWorkspace{w}, nil
}

type realWorkspace struct{ instance.Workspace }

func (r realWorkspace) Exec(ctx context.Context, c build.Command) (int, error) {
	return r.Workspace.Exec(ctx, instance.Command{Args: c.Args, Env: c.Env, Dir: c.Dir, Stdout: c.Output})
}

// plant is everything real: image store, containers of this host, runtimes from the user's cache.
type plant struct {
	*build.Builder
	images realImages
	driver *oci.Driver
	log    *recorder
	dir    string
}

func newPlant(t *testing.T, change ...func(*build.Config)) *plant {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
	for _, program := range []string{"runc", "mmdebstrap", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	images, err := image.Open(t.Context(), image.Config{Dir: filepath.Join(dir, "images"), DB: db, Scope: apprunner.Scope{Account: "123456789012", Region: "us-east-1"}})
	if err != nil {
		t.Fatal(err)
	}
	driver, err := oci.New(t.Context(), oci.Config{Dir: dir, Installation: "buildtest" + apprunner.NewDomainLabel()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Destroy(context.Background()); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	p := &plant{images: realImages{images}, driver: driver, log: &recorder{}, dir: dir}
	cfg := build.Config{
		Images: p.images, Sandbox: realSandbox{driver}, Dir: filepath.Join(dir, "builds"), RuntimesDir: filepath.Join(cache, "slipway", "runtimes"),
		CABundle: "/etc/ssl/certs/ca-certificates.crt",
	}
	for _, f := range change {
		f(&cfg)
	}
	if p.Builder, err = build.New(cfg); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *plant) build(t *testing.T, files map[string]string, prepare ...func(dir string)) build.Result {
	t.Helper()
	began := time.Now()
	result, err := p.try(t, t.Context(), files, prepare...)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log.timed())
	}
	t.Logf("built in %s", time.Since(began).Round(time.Millisecond))
	return result
}

func (p *plant) try(t *testing.T, ctx context.Context, files map[string]string, prepare ...func(dir string)) (build.Result, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range prepare {
		f(dir)
	}
	return p.Build(ctx, build.Request{
		ServiceID: serviceID, SourceDir: dir, Code: apprunner.CodeConfiguration{Source: apprunner.ConfigurationFromRepository}, Log: p.log,
	})
}

// answer runs the image as an instance and asks it once.
func (p *plant) answer(t *testing.T, result build.Result) string {
	t.Helper()
	img, err := p.images.Get(t.Context(), result.ImageDigest)
	if err != nil {
		t.Fatal(err)
	}
	env := append(img.Env, fmt.Sprintf("PORT=%d", result.Run.Port))
	if result.Run.PortEnv != "" {
		env = append(env, fmt.Sprintf("%s=%d", result.Run.PortEnv, result.Run.Port))
	}
	for name, value := range result.Run.Env {
		env = append(env, name+"="+value)
	}
	id := apprunner.NewID()
	running, err := p.driver.Start(t.Context(), instance.Spec{
		ID: id, Rootfs: instance.Rootfs{Layers: img.Layers}, Args: []string{"/bin/sh", "-c", result.Run.Command}, Env: env, Dir: "/app",
		CPU: 1024, MemoryMiB: 512,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.driver.Stop(context.Background(), id, time.Second)
	client := &http.Client{Timeout: 5 * time.Second}
	deadline := time.Now().Add(30 * time.Second)
	for {
		answer, err := client.Get(fmt.Sprintf("http://%s:%d/", running.Address, result.Run.Port))
		if err == nil {
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			return string(body)
		}
		if time.Now().After(deadline) {
			records, _, _ := p.driver.Logs(t.Context(), id, instance.Cursor{})
			t.Fatalf("no answer: %v; it printed %v", err, records)
		}
	}
}

const pythonServer = `
import os, http.server
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        try:
            import greeting
            text = greeting.WORDS
        except ImportError:
            text = "Hello"
        self.wfile.write(f"{text}, {os.environ['NAME']}".encode())
    def log_message(self, *args):
        pass
http.server.HTTPServer(("", int(os.environ["PORT"])), Hello).serve_forever()
`

// addWheel puts a package where pip finds it without any index.
func addWheel(t *testing.T) func(string) {
	return func(dir string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, "wheels"), 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := os.Create(filepath.Join(dir, "wheels", "greeting-1.2-py3-none-any.whl"))
		if err != nil {
			t.Fatal(err)
		}
		archive := zip.NewWriter(file)
		for name, content := range map[string]string{
			"greeting.py":                     "WORDS = 'Good morning'\n",
			"greeting-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.2\n",
			"greeting-1.2.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
			"greeting-1.2.dist-info/RECORD":   "greeting.py,,\ngreeting-1.2.dist-info/METADATA,,\ngreeting-1.2.dist-info/WHEEL,,\ngreeting-1.2.dist-info/RECORD,,\n",
		} {
			w, err := archive.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, content); err != nil {
				t.Fatal(err)
			}
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// checklist: 45, 46
func TestRealPython(t *testing.T) {
	p := newPlant(t)
	t.Run("original build with requirements", func(t *testing.T) {
		result := p.build(t, map[string]string{
			"server.py": pythonServer, "requirements.txt": "greeting==1.2\n",
			"apprunner.yaml": "version: 1.0\nruntime: python3\nbuild:\n  commands:\n    build:\n      - pip install --no-index --find-links wheels -r requirements.txt\nrun:\n  command: python server.py\n  env:\n    - {name: NAME, value: world}\n",
		}, addWheel(t))
		if got := p.answer(t, result); got != "Good morning, world" {
			t.Errorf("answered %q\n%s", got, p.log.text())
		}
	})
	t.Run("revised build loses what build leaves outside app", func(t *testing.T) {
		files := map[string]string{
			"server.py": pythonServer, "requirements.txt": "greeting==1.2\n",
			"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n      - pip3 install --no-index --find-links wheels -r requirements.txt\nrun:\n  command: python3 server.py\n  env:\n    - {name: NAME, value: world}\n",
		}
		if got := p.answer(t, p.build(t, files, addWheel(t))); got != "Hello, world" {
			t.Errorf("without pre-run it answered %q", got)
		}
		files["apprunner.yaml"] += "  pre-run:\n    - pip3 install --no-index --find-links wheels -r requirements.txt\n"
		if got := p.answer(t, p.build(t, files, addWheel(t))); got != "Good morning, world" {
			t.Errorf("with pre-run it answered %q", got)
		}
	})
	t.Run("no requirements", func(t *testing.T) {
		result := p.build(t, map[string]string{
			"server.py":      pythonServer,
			"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n      - echo nothing to do\nrun:\n  command: python3 server.py\n  env:\n    - {name: NAME, value: you}\n",
		})
		if got := p.answer(t, result); got != "Hello, you" {
			t.Errorf("answered %q", got)
		}
	})
	for _, dir := range p.layerFiles(t) {
		if strings.Contains(dir, "var/cache/slipway/pip") || strings.HasSuffix(dir, "etc/resolv.conf") {
			t.Errorf("a layer holds %s", dir)
		}
	}
	t.Log(p.log.timed())
}

// layerFiles lists what the newest images' top layers hold.
func (p *plant) layerFiles(t *testing.T) []string {
	t.Helper()
	digests, err := p.images.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, digest := range digests {
		img, err := p.images.Get(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range img.Layers[min(2, len(img.Layers)):] { // above the runtime
			for name := range contents(t, dir) {
				names = append(names, name)
			}
		}
	}
	return names
}

// reachable skips where a registry cannot be reached: nothing is built from it then.
func reachable(t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		t.Skipf("the registry is not reachable: %v", err)
	}
	answer.Body.Close()
}

const expressServer = `
const app = require("express")();
app.get("/", (request, response) => response.send("Hello, " + process.env.NAME + " from node " + process.versions.node.split(".")[0]));
app.listen(process.env.APP_PORT);
`

func TestRealNode(t *testing.T) {
	p := newPlant(t)
	reachable(t, "https://registry.npmjs.org/express/latest")
	for _, runtime := range []string{"nodejs22", "nodejs16"} {
		t.Run(runtime, func(t *testing.T) {
			result := p.build(t, map[string]string{
				"app.js": expressServer, "package.json": `{"name": "hello", "dependencies": {"express": "^4.18.0"}}`,
				"apprunner.yaml": "version: 1.0\nruntime: " + runtime + "\nbuild:\n  commands:\n    pre-build:\n      - node --version && npm --version && yarn --version\n    build:\n      - npm install\nrun:\n  command: node app.js\n  network: {port: 3000, env: APP_PORT}\n  env:\n    - {name: NAME, value: world}\n",
			})
			if got, want := p.answer(t, result), "Hello, world from node "+strings.TrimPrefix(runtime, "nodejs"); got != want {
				t.Errorf("answered %q", got)
			}
		})
	}
	t.Log(p.log.timed())
}

const goServer = `package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/google/uuid"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "Hello, %s: %d", os.Getenv("NAME"), len(uuid.NewString())) })
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`

func TestRealGo(t *testing.T) {
	p := newPlant(t)
	reachable(t, "https://proxy.golang.org/github.com/google/uuid/@v/v1.6.0.info")
	files := map[string]string{
		"main.go": goServer, "go.mod": "module example.test/hello\n\ngo 1.19\n\nrequire github.com/google/uuid v1.6.0\n",
		"go.sum":         "github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\ngithub.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n",
		"apprunner.yaml": "version: 1.0\nruntime: go1\nbuild:\n  commands:\n    build:\n      - go build -o server .\nrun:\n  command: ./server\n  env:\n    - {name: NAME, value: world}\n",
	}
	if got := p.answer(t, p.build(t, files)); got != "Hello, world: 36" {
		t.Errorf("answered %q", got)
	}
	files["main.go"] = strings.ReplaceAll(goServer, "Hello", "Welcome")
	began := time.Now()
	if got := p.answer(t, p.build(t, files)); got != "Welcome, world: 36" {
		t.Errorf("answered %q", got)
	}
	t.Logf("second build and first answer: %s", time.Since(began).Round(time.Millisecond))
	t.Log(p.log.timed())
}

func TestRealFaultsAndLimits(t *testing.T) {
	p := newPlant(t, func(c *build.Config) { c.MemoryMiB, c.DiskMiB = 128, 64 })
	file := func(command string) map[string]string {
		return map[string]string{"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n      - " + command + "\nrun: {command: x}\n"}
	}
	for name, test := range map[string]struct {
		command string
		parts   []string
	}{
		"exit code": {"echo about to fail; exit 42", []string{"exit code 42", "about to fail"}},
		"memory":    {"python3 -c 'x = bytearray(512 << 20)'", []string{"out of memory", "128 MiB"}},
		"disk":      {"dd if=/dev/zero of=big bs=1M count=100", []string{"No space left on device", "64 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.try(t, t.Context(), file(test.command))
			if err == nil {
				t.Fatalf("built\n%s", p.log.timed())
			}
			for _, part := range test.parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error lacks %q: %v", part, err)
				}
			}
		})
	}
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p.log.live = make(chan string, 100)
		done := make(chan error, 1)
		go func() {
			_, err := p.try(t, ctx, file("echo started; sleep 600"))
			done <- err
		}()
		for line := range p.log.live {
			if line == "[Build] started" {
				break
			}
		}
		cancel()
		select {
		case err := <-done:
			if err == nil {
				t.Error("the build went on")
			}
		case <-time.After(20 * time.Second):
			t.Error("the build did not stop")
		}
		p.log.live = nil
	})
	if left, err := os.ReadDir(filepath.Join(p.dir, "run", "workspaces")); err == nil && len(left) > 0 {
		t.Errorf("workspaces are left: %v", left)
	}
	t.Log(p.log.timed())
}
