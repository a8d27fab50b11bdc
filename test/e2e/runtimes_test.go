//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// versionServer answers with the version of Node.js that runs it, and with what it was started by.
const versionServer = `require('http').createServer((q, r) => r.end(process.version + ' ' + process.argv.slice(2).join(' '))).listen(process.env.PORT)
`

func nodeFile(lock, command string, preBuild ...string) string {
	text := "version: 1.0\nruntime: nodejs22\nbuild:\n  commands:\n"
	if len(preBuild) > 0 {
		text += "    pre-build:\n"
		for _, c := range preBuild {
			text += "      - " + c + "\n"
		}
	}
	text += "    build:\n      - \"true\"\nrun:\n"
	if lock != "" {
		text += "  runtime-version: " + lock + "\n"
	}
	return text + "  command: " + command + "\n"
}

func needsNpm(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm, from which the runtime is made here, is not installed")
	}
}

// TestVersionLocks: each deployment and each update that builds takes the newest version inside the lock, which is read anew.
//
// checklist: 40, 41
func TestVersionLocks(t *testing.T) {
	t.Parallel()
	needsNpm(t)
	h := theHouse(t)
	g := rig.NewGit(t, map[string]string{"server.js": versionServer, "apprunner.yaml": nodeFile("", "node server.js")})
	s := h.Create(t, "locked-app", rig.CodeSource(g.URL(), nil), types.ServiceStatusRunning, rig.Small)
	newest := strings.TrimSpace(s.Says(t, "/", "v22."))
	for _, step := range []struct{ lock, want string }{
		{"22.22", "v22.22.3"},   // of several patches the newest
		{"22.22.1", "v22.22.1"}, // nothing moves
		{"22", newest}, {"", newest},
	} {
		g.Commit(map[string]string{"apprunner.yaml": nodeFile(step.lock, "node server.js")})
		s.Deploy(t)
		s.Says(t, "/", step.want)
	}
	// An update that fetches the source builds anew too.
	g.Commit(map[string]string{"apprunner.yaml": nodeFile("22.22", "node server.js")})
	s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.CodeSource(g.URL()+"/.git", nil)}, types.ServiceStatusRunning).Says(t, "/", "v22.22.3")
	// One that does not, keeps what runs.
	s.Update(t, &apprunner.UpdateServiceInput{InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("1024")}}, types.ServiceStatusRunning).Says(t, "/", "v22.22.3")
}

// TestNodePackageFile: version and start command of apprunner.yaml come before those of package.json; where the versions cannot both
// be kept, the build phase fails.
//
// checklist: 48, 49
func TestNodePackageFile(t *testing.T) {
	t.Parallel()
	needsNpm(t)
	h := theHouse(t)
	pkg := func(engines string) string {
		return `{"name": "a", "version": "1.0.0", "scripts": {"start": "node server.js from package"}, "engines": {"node": "` + engines + `"}}`
	}
	g := rig.NewGit(t, map[string]string{"server.js": versionServer, "package.json": pkg(">=22.22.0"), "apprunner.yaml": nodeFile("22.22.1", "node server.js from file")})
	s := h.Create(t, "package-app", rig.CodeSource(g.URL(), nil), types.ServiceStatusRunning, rig.Small)
	s.Says(t, "/", "v22.22.1 from file")

	g.Commit(map[string]string{"package.json": pkg("<22.22")})
	id := s.Deploy(t)
	if ops := s.Operations(t); ops[0] != "START_DEPLOYMENT FAILED" {
		t.Errorf("the operations are %v", ops)
	}
	if text := s.Deployment(id); !strings.Contains(text, "22.22.1") || !strings.Contains(text, "<22.22") || !strings.Contains(text, "disagree") {
		t.Errorf("the log does not tell that the versions disagree:\n%s", text)
	}
	s.Says(t, "/", "v22.22.1 from file")
}

// TestTaskRunner: development packages and a task runner before the build, production packages in it.
//
// checklist: 50
func TestTaskRunner(t *testing.T) {
	t.Parallel()
	needsNpm(t)
	h := theHouse(t)
	g := rig.NewGit(t, map[string]string{
		"package.json": `{"name": "a", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}, "devDependencies": {"grunt": "1.6.1"}}`,
		"Gruntfile.js": `module.exports = g => { g.registerTask('default', () => g.file.write('made.txt', 'made by grunt')) }`,
		"server.js": `const fs = require('fs'); const dev = fs.existsSync('node_modules/grunt')
require('http').createServer((q, r) => r.end(fs.readFileSync('made.txt') + ', ' + require('ms')('2 days') + ', dev ' + dev)).listen(process.env.PORT)`,
		"apprunner.yaml": `version: 1.0
runtime: nodejs12
build:
  commands:
    pre-build:
      - npm install --only=dev
      - node_modules/.bin/grunt
    build:
      - npm prune --production
      - npm install --production
run:
  command: node server.js
`,
	})
	s := h.Create(t, "grunt-app", rig.CodeSource(g.URL(), nil), types.ServiceStatusRunning, rig.Small)
	s.Says(t, "/", "made by grunt, 172800000")
}
