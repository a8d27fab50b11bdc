package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway.dev/slipway/test/rig"
)

// trustScript runs in mounts of its own, so that the trust store of the machine stays as it is. It looks at a service with the system's
// store only, at each stage.
const trustScript = `set -eu
scratch=$1 slipway=$2 dir=$3 url=$4 to=$5
for d in /etc/ssl/certs /usr/local/share/ca-certificates; do
	mkdir -p "$scratch$d"; cp -a "$d/." "$scratch$d/"; mount --bind "$scratch$d" "$d"
done
export HOME=$scratch/home; mkdir -p "$HOME/.pki/nssdb"
unset SUDO_USER SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE
! command -v certutil >/dev/null || certutil -N -d "sql:$HOME/.pki/nssdb" --empty-password
look() { curl -s -o /dev/null --cacert /etc/ssl/certs/ca-certificates.crt --connect-to "::$to" "$url" && echo "$1: trusted" || echo "$1: not trusted"; }
look before
"$slipway" trust --data-dir "$dir"
look installed
"$slipway" trust --data-dir "$dir"
! command -v certutil >/dev/null || certutil -L -d "sql:$HOME/.pki/nssdb"
"$slipway" trust --data-dir "$dir" --remove
look removed
! command -v certutil >/dev/null || certutil -L -d "sql:$HOME/.pki/nssdb"
`

// TestTrust: after `slipway trust` programs of this machine trust the applications, after --remove they do not.
func TestTrust(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	if _, err := exec.LookPath("update-ca-certificates"); err != nil {
		t.Skip("this is no Debian")
	}
	shown, err := h.Slipway("trust", "--print", "--data-dir", h.Dir)
	if pem, rerr := os.ReadFile(h.Env["SLIPWAY_CA"]); err != nil || rerr != nil || shown != string(pem) {
		t.Errorf("--print: %v, %v\n%s", err, rerr, shown)
	}
	bin, err := rig.Binary()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "trust.sh")
	if err := os.WriteFile(script, []byte(trustScript), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "bash", script, t.TempDir(), bin, h.Dir, "https://x.us-east-1.apprunner.localhost/", h.Env["SLIPWAY_HTTPS"])
	b, err := cmd.CombinedOutput()
	out := string(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"before: not trusted", "wrote    /usr/local/share/ca-certificates/slipway-", "ran      update-ca-certificates", "installed: trusted", "present  /usr", "removed  /usr", "removed: not trusted"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output does not say %q:\n%s", want, out)
		}
	}
	if _, err := exec.LookPath("certutil"); err == nil && (strings.Count(out, "C,,") != 1 || !strings.Contains(out, "taken from")) {
		t.Errorf("browsers:\n%s", out)
	}
}
