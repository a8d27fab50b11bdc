package e2e

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// reporter is a web server that tells its environment and the files beside it.
const reporter = `import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Report(BaseHTTPRequestHandler):
    def do_GET(self):
        files = {n: open(n).read() for n in os.listdir(".") if n.endswith(".txt")}
        body = json.dumps({"env": dict(os.environ), "files": files, "dir": os.getcwd(), "version": "VERSION"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("", int(os.environ["LISTEN_ON"] if "LISTEN_ON" in os.environ else os.environ["PORT"])), Report).serve_forever()
`

const everyKey = `version: 1.0
runtime: python311
build:
  commands:
    pre-build:
      - echo "pre $STAGE" >> order.txt
    build:
      - echo "build $STAGE" >> order.txt
      - cp order.txt "$KEPT_NAME"
    post-build:
      - echo "post $STAGE" >> order.txt && cat order.txt
  env:
    - name: STAGE
      value: blue
    - name: KEPT_NAME
      value: kept.txt
run:
  runtime-version: 3.11
  pre-run:
    - echo "pre-run $STAGE" > prerun.txt
  command: python3 server.py
  network:
    port: 9191
    env: LISTEN_ON
  env:
    - name: GREETING
      value: from the file
    - name: ANSWER
      value: 42
`

// TestEveryKey: a file with every key; each has its effect. Settings sent through the API do not count beside it.
//
// checklist: 42, 44, 46, 88, 171, 174, 175, 176, 177, 178
func TestEveryKey(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	repository := rig.NewGit(t, map[string]string{"apprunner.yaml": everyKey, "server.py": reporter})
	src := rig.CodeSource(repository.URL(), nil)
	src.CodeRepository.CodeConfiguration.CodeConfigurationValues = &types.CodeConfigurationValues{
		Runtime: types.RuntimeGo1, BuildCommand: aws.String("false"), StartCommand: aws.String("false"), Port: aws.String("1"),
		RuntimeEnvironmentVariables: map[string]string{"GREETING": "from the API"},
	}
	s := h.Create(t, "every-key", src, types.ServiceStatusRunning, rig.Small)
	body := s.Says(t, "/", `"GREETING": "from the file"`)
	for _, want := range []string{
		`"PORT": "9191"`, `"LISTEN_ON": "9191"`, `"ANSWER": "42"`, `"kept.txt": "pre blue\nbuild blue\n"`, `"prerun.txt": "pre-run blue\n"`, `"dir": "/app"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the application lacks %s: %s", want, body)
		}
	}
	if strings.Contains(body, "STAGE") || strings.Contains(body, "KEPT_NAME") {
		t.Errorf("the build's variables reach the application: %s", body)
	}
	text := s.Deployment("")
	at := strings.Index(text, "[Build] pre blue\n[Build] build blue\n[Build] post blue")
	if at < 0 || !strings.Contains(text, "3.11") {
		t.Errorf("the deployment log:\n%s", text)
	}
	if s.SourceConfiguration.CodeRepository.CodeConfiguration.CodeConfigurationValues != nil {
		t.Errorf("the service shows values of the API: %s", asJSON(t, s.SourceConfiguration))
	}

	// The file is read again at every deployment; a broken one leaves the old version serving.
	repository.Commit(map[string]string{"apprunner.yaml": strings.Replace(everyKey, "runtime-version: 3.11", "runtime-version: 2.7", 1)})
	s.Deploy(t)
	if ops := s.Operations(t); ops[0] != "START_DEPLOYMENT FAILED" {
		t.Errorf("operations %v", ops)
	}
	if text := s.Deployment(""); !strings.Contains(text, "apprunner.yaml:18:") || !strings.Contains(text, "2.7") {
		t.Errorf("the deployment log does not name the line:\n%s", text)
	}
	s.Says(t, "/", `"GREETING": "from the file"`)
}

// TestSmallestFile: version, runtime, a build command and a run command are enough. With settings from the API the same file, and
// any other, is not even looked at.
//
// checklist: 39, 45, 89, 172
func TestSmallestFile(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	repository := rig.NewGit(t, map[string]string{
		"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n      - echo built > built.txt\nrun:\n  command: python3 server.py\n",
		"server.py":      reporter,
	})
	s := h.Create(t, "smallest-file", rig.CodeSource(repository.URL(), nil), types.ServiceStatusRunning, rig.Small)
	if body := s.Says(t, "/", `"PORT": "8080"`); !strings.Contains(body, `"built.txt": "built\n"`) {
		t.Errorf("the application says %s", body)
	}
	repository.Commit(map[string]string{"apprunner.yaml": "this: is [not YAML"})
	s = s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.CodeSource(repository.URL(), &types.CodeConfigurationValues{
		Runtime: types.RuntimePython311, StartCommand: aws.String("GREETING=shell python3 server.py"), Port: aws.String("8181"),
	})}, types.ServiceStatusRunning)
	body := s.Says(t, "/", `"PORT": "8181"`)
	if !strings.Contains(body, `"GREETING": "shell"`) || strings.Contains(body, "built.txt") {
		t.Errorf("the application says %s", body)
	}
}

// TestGitPushDeploys: a push to a repository in a folder, and one to a repository that the installation hosts, is all it takes;
// with automatic deployment off, or outside the source directory, a push starts nothing.
//
// checklist: 77, 79, 132
func TestGitPushDeploys(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	values := &types.CodeConfigurationValues{Runtime: types.RuntimePython311, StartCommand: aws.String("python3 server.py")}
	version := func(v string) map[string]string {
		return map[string]string{"web/server.py": strings.Replace(reporter, "VERSION", v, 1)}
	}
	source := func(url string, auto bool) *types.SourceConfiguration {
		src := rig.CodeSource(url, values)
		src.AutoDeploymentsEnabled = &auto
		src.CodeRepository.SourceDirectory = aws.String("web")
		return src
	}
	local := rig.NewGit(t, version("one"))
	hosted := rig.NewGit(t, version("one"))
	hosted.Run("push", "-q", h.Hosted("pushed"), "main")

	byFile := h.Create(t, "git-folder", source(local.URL(), true), types.ServiceStatusRunning, rig.Small)
	byPush := h.Create(t, "git-hosted", source(h.HostedURL("pushed"), true), types.ServiceStatusRunning, rig.Small)
	manual := h.Create(t, "git-manual", source(local.URL(), false), types.ServiceStatusRunning, rig.Small)

	// A commit outside the source directory is not deployed; the next one inside is.
	local.Commit(map[string]string{"README": "new"})
	time.Sleep(1500 * time.Millisecond) // folders are looked at once a second
	local.Commit(version("two"))
	hosted.Commit(version("two"))
	hosted.Run("push", "-q", h.Hosted("pushed"), "main")
	watched{byFile}.becomes(t, `"version": "two"`)
	watched{byPush}.becomes(t, `"version": "two"`)
	for _, s := range []rig.Service{byFile, byPush} {
		if ops := strings.Join(s.Operations(t), ", "); ops != "START_DEPLOYMENT SUCCEEDED, CREATE_SERVICE SUCCEEDED" {
			t.Errorf("%s: operations %s", *s.ServiceName, ops)
		}
	}
	manual.Says(t, "/", `"version": "one"`)
	if ops := manual.Operations(t); len(ops) != 1 {
		t.Errorf("a service without automatic deployment has the operations %v", ops)
	}

	// What is pushed during a pause is not deployed at resume; what is pushed after it is.
	byPush.Pause(t)
	hosted.Commit(version("three"))
	hosted.Run("push", "-q", h.Hosted("pushed"), "main")
	byPush.Resume(t)
	byPush.Says(t, "/", `"version": "two"`)
	hosted.Commit(version("four"))
	hosted.Run("push", "-q", h.Hosted("pushed"), "main")
	watched{byPush}.becomes(t, `"version": "four"`)
}

// TestHostedRepository: nobody pushes to, or reads, a hosted repository without an access key.
func TestHostedRepository(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	repository := rig.NewGit(t, map[string]string{"a": "b"})
	for _, url := range []string{h.HostedURL("secret"), strings.Replace(h.Hosted("secret"), "@", "x@", 1), strings.Replace(h.Hosted("secret"), "//AKIA", "//AKIB", 1)} {
		cmd := exec.CommandContext(t.Context(), "git", "-C", repository.Dir, "-c", "credential.helper=", "push", url, "main")
		cmd.Env = append(h.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true")
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("a push to %s works: %s", url, out)
		}
	}
	repository.Run("push", "-q", h.Hosted("secret"), "main")
	res, err := http.Get(h.HostedURL("secret") + "/info/refs?service=git-upload-pack")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("reading without a key answers %s", res.Status)
	}
}

const express = `const express = require('express')
const app = express()
app.get('/', (req, res) => res.json({greeting: 'hello from express', node: process.version, proto: req.get('x-forwarded-proto')}))
app.listen(process.env.PORT, () => console.log('express listens on', process.env.PORT))
`

// TestExpress builds an Express application with a real npm install.
//
// checklist: 37, 39, 47
func TestExpress(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm, from which the runtime is made here, is not installed")
	}
	h := theHouse(t)
	repository := rig.NewGit(t, map[string]string{
		"server.js":    express,
		"package.json": `{"name": "hello", "version": "1.0.0", "scripts": {"start": "node server.js"}, "dependencies": {"express": "^4.18.0"}, "engines": {"node": ">=18"}}`,
	})
	s := h.Create(t, "express-app", rig.CodeSource(repository.URL(), &types.CodeConfigurationValues{
		Runtime: types.RuntimeNodejs22, BuildCommand: aws.String("npm install --no-fund --no-audit"), StartCommand: aws.String("npm start"),
	}), types.ServiceStatusRunning)
	if body := s.Says(t, "/", "hello from express"); !strings.Contains(body, `"node":"v22.`) || !strings.Contains(body, `"proto":"https"`) {
		t.Errorf("the application says %s", body)
	}
	s.Printed(t, "express listens on 8080")
	if text := s.Deployment(""); !strings.Contains(text, "[Build] added ") {
		t.Errorf("npm's output is not in the deployment log:\n%s", text)
	}
}

const goServer = `package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/google/uuid"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from go", uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://example.com")))
	})
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`

// TestGo builds a Go application with a dependency from the module proxy.
//
// checklist: 37, 39
func TestGo(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	repository := rig.NewGit(t, map[string]string{
		"main.go": goServer, "go.mod": "module example.com/hello\n\ngo 1.18\n\nrequire github.com/google/uuid v1.6.0\n",
		"go.sum": "github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=\ngithub.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=\n",
	})
	s := h.Create(t, "go-app", rig.CodeSource(repository.URL(), &types.CodeConfigurationValues{
		Runtime: types.RuntimeGo1, BuildCommand: aws.String("go build -o server ."), StartCommand: aws.String("./server"),
	}), types.ServiceStatusRunning, rig.Small)
	s.Says(t, "/", "hello from go 4fd35a71-71ef-5a55-a9d9-aa75c889a6d0")
}
