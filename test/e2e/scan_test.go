//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// settled are findings of the scanner that are decisions, or its own.
var settled = map[string]string{
	"engine_problem":      "the scanner misses a library",
	"cert_chain_of_trust": "the scanner judges by its own stores; another test trusts the authority",
	"cert_revocation":     "certificates live 90 days and are replaced early; there is no list of revoked ones",
	"TLS_session_ticket":  "the lifetime that crypto/tls announces; the keys are gone after a day",
	"HSTS":                "belongs to the application",
}

// TestScanOfTheFrontDoor lets testssl.sh, a program of others, look for weak versions, suites and known attacks.
func TestScanOfTheFrontDoor(t *testing.T) {
	h := theHouse(t)
	program, err := exec.LookPath("testssl")
	if err != nil {
		t.Skip("testssl.sh is not installed; `make e2e` installs it")
	}
	_, port, err := net.SplitHostPort(h.Env["SLIPWAY_HTTPS"])
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "scan.json")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile", file, "x.us-east-1.apprunner.localhost:"+port)
	cmd.Dir = t.TempDir()
	out, runErr := cmd.CombinedOutput() // its exit code counts findings
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v, %v\n%s", runErr, err, out)
	}
	var findings []struct{ ID, Severity, Finding string }
	if err := json.Unmarshal(b, &findings); err != nil || len(findings) < 50 {
		t.Fatalf("%d findings, %v\n%s", len(findings), err, out)
	}
	for _, f := range findings {
		if _, decided := settled[f.ID]; f.Severity != "OK" && f.Severity != "INFO" && !decided {
			t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
		}
	}
}
