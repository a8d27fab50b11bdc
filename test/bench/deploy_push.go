package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// The pushed application tells which version it is, how long its build command ran, and how long it took from its first moment
// until it listened: all that is not Slipway's.
const (
	pushedBuild = `date +%s%N > build.began && python3 -m py_compile server.py && date +%s%N > build.ended`
	pushedStart = `BEGAN=$(date +%s%N) exec python3 server.py`
	pushedApp   = `import json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "%s"


def moment(name):
    with open(name) as f:
        return int(f.read())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler)
BODY = json.dumps({
    "Version": VERSION,
    "Build": moment("build.ended") - moment("build.began"),
    "Start": time.time_ns() - int(os.environ["BEGAN"]),
}).encode()
server.serve_forever()
`
)

// pushed is what the application answers.
type pushed struct {
	Version      string
	Build, Start time.Duration
}

// push: git push to the built-in git host, from its first moment until the new version answers, less the time of the build
// command and of the application's start.
func (d *deployments) push(ctx context.Context) error {
	w := worktree{dir: filepath.Join(d.b.dir, "pushed"), house: d.house}
	if err := w.begin(ctx); err != nil {
		return err
	}
	svc, err := d.createPushed(ctx)
	if err != nil {
		return err
	}
	var rounds []time.Duration
	for n := range d.b.rounds {
		version := fmt.Sprintf("round-%d", n+1)
		if err := w.commit(ctx, version); err != nil {
			return err
		}
		began := time.Now()
		if err := w.push(ctx); err != nil {
			return err
		}
		var p pushed
		_, err := d.answer(ctx, *svc.ServiceUrl, func(body string) bool {
			return json.Unmarshal([]byte(body), &p) == nil && p.Version == version
		})
		took := time.Since(began)
		_, serr := d.settled(ctx, svc.ServiceArn, types.ServiceStatusRunning)
		if err := errors.Join(err, serr); err != nil {
			return err
		}
		d.b.note("push: %v, of that %v build command and %v start", took, p.Build, p.Start)
		rounds = append(rounds, took-p.Build-p.Start)
	}
	d.b.milliseconds("push-beyond-build-and-start", rounds, 0)
	return d.remove(ctx, svc.ServiceArn)
}

// createPushed makes the service. It is not timed: the first build of a runtime makes its base image.
func (d *deployments) createPushed(ctx context.Context) (*types.Service, error) {
	source := rig.CodeSource(d.HostedURL("bench"), &types.CodeConfigurationValues{
		Runtime: types.RuntimePython311, BuildCommand: aws.String(pushedBuild), StartCommand: aws.String(pushedStart), Port: aws.String("8080"),
	})
	source.AutoDeploymentsEnabled = aws.Bool(true)
	out, err := d.Apps.CreateService(ctx, &apprunner.CreateServiceInput{ServiceName: aws.String("bench-pushed"), SourceConfiguration: source}, once)
	if err != nil {
		return nil, err
	}
	return d.settled(ctx, out.Service.ServiceArn, types.ServiceStatusRunning)
}

// worktree is a developer's working copy.
type worktree struct {
	dir   string
	house *house
}

func (w worktree) begin(ctx context.Context) error {
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return err
	}
	if err := w.git(ctx, "init", "-q", "-b", "main"); err != nil {
		return err
	}
	if err := w.commit(ctx, "first"); err != nil {
		return err
	}
	return w.push(ctx)
}

func (w worktree) commit(ctx context.Context, version string) error {
	if err := os.WriteFile(filepath.Join(w.dir, "server.py"), []byte(strings.Replace(pushedApp, "%s", version, 1)), 0o600); err != nil {
		return err
	}
	if err := w.git(ctx, "add", "-A"); err != nil {
		return err
	}
	return w.git(ctx, "commit", "-q", "-m", version)
}

func (w worktree) push(ctx context.Context) error {
	return w.git(ctx, "push", "-q", w.house.HostedURL("bench"), "main")
}

// git runs git in the working copy, undisturbed by the user's own configuration. The access key travels in the environment,
// where other users of the machine cannot read it.
func (w worktree) git(ctx context.Context, args ...string) error {
	key := w.house.Env["AWS_ACCESS_KEY_ID"] + ":" + w.house.Env["AWS_SECRET_ACCESS_KEY"]
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", w.dir, "-c", "user.name=bench", "-c", "user.email=bench@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "NO_PROXY=*", "no_proxy=*",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader",
		"GIT_CONFIG_VALUE_0=Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(key)))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return nil
}
