//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"slipway.dev/slipway/test/rig"
)

// TestGRPCOfOthers: the clients for Node.js, and for Python where Debian's python3-grpcio is installed, have the same cases behind them
// as gRPC's own in Go.
func TestGRPCOfOthers(t *testing.T) {
	h := theHouse(t)
	s := speaks(t, h.House, "speaks-grpc-to-others", "slipway:request-timeout", "10s")
	t.Run("node", func(t *testing.T) { grpcNode(t, s) })
	t.Run("python", func(t *testing.T) {
		const python = "/usr/bin/python3" // Debian's, with Debian's packages
		if err := exec.CommandContext(t.Context(), python, "-c", "import grpc").Run(); err != nil {
			t.Skip("python3-grpcio is not installed; `make e2e` installs it")
		}
		tells(t, "", python, story(t, "grpc_story.py"), s.House.Env["SLIPWAY_HTTPS"], s.Host(), s.House.Env["SLIPWAY_CA"])
	})
}

// grpcNode runs the client for Node.js.
func grpcNode(t *testing.T, s rig.Service) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	dir := t.TempDir()
	tells(t, dir, "npm", "install", "--no-fund", "--no-audit", "--silent", "@grpc/grpc-js@1.14.7", "@grpc/proto-loader@0.8.1")
	tells(t, dir, "cp", story(t, "grpc_story.mjs"), dir)
	tells(t, dir, "node", "grpc_story.mjs", s.House.Env["SLIPWAY_HTTPS"], s.Host(), s.House.Env["SLIPWAY_CA"], story(t, "interop.proto"))
}

// story is the path of a file of test data.
func story(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tells runs a program that must succeed.
func tells(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
}
