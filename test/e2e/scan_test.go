//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// settled are findings of the scanner that are decisions, or its own.
var settled = map[string]string{
	"engine_problem":      "the scanner misses a library",
	"cert_chain_of_trust": "the scanner judges by its own stores; another test trusts the authority",
	"cert_revocation":     "certificates live 90 days and are replaced early; there is no list of revoked ones",
	"TLS_session_ticket":  "the lifetime that crypto/tls announces; the keys are gone after a day",
	"HSTS":                "belongs to the application",
	"security_headers":    "belong to the application",
}

// TestScanOfTheFrontDoor lets testssl.sh, a program of others, look for weak versions, suites and known attacks, at a default domain.
func TestScanOfTheFrontDoor(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	scan(t, "x.us-east-1.apprunner.localhost", h.Env["SLIPWAY_HTTPS"])
}

// TestScanOfACustomDomain does the same where a certificate of a customer's own name is shown.
func TestScanOfACustomDomain(t *testing.T) {
	t.Parallel()
	h := newNamesHouse(t)
	s := h.Create(t, "scanned", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	const name = "www.scanned.example"
	h.link(t, s, name)
	h.until(t, s, name, "pending_certificate_dns_validation")
	h.prove(t, s, name)
	h.dns.Set(t, name+". 60 CNAME "+s.Host()+".")
	h.until(t, s, name, "active")
	scan(t, name, h.Env["SLIPWAY_HTTPS"])
}

// TestScanOfTheAPI does the same where the API speaks TLS: on every address but a loopback one.
func TestScanOfTheAPI(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--api-addr", "0.0.0.0:0")
	address, secure := strings.CutPrefix(h.Env["AWS_ENDPOINT_URL"], "https://")
	if !secure {
		t.Fatalf("the API is at %s", h.Env["AWS_ENDPOINT_URL"])
	}
	scan(t, "localhost", address)
}

// scan looks at what is shown for a name at an address of this machine.
func scan(t *testing.T, name, address string) {
	t.Helper()
	program, err := exec.LookPath("testssl")
	if err != nil {
		t.Skip("testssl.sh is not installed; `make e2e` installs it")
	}
	_, port, _ := strings.Cut(address, ":")
	file := filepath.Join(t.TempDir(), "scan.json")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile", file, name+":"+port)
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
