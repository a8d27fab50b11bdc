//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestSlowClients lets slowhttptest, a program of others, hold hundreds of connections by being slow in each of the ways there are.
// Those who come beside it are served, though they may have to wait, and the connections are ended: bodies too large to be read before
// an instance is asked, and answers, when the time of a request is over.
func TestSlowClients(t *testing.T) {
	program, err := exec.LookPath("slowhttptest")
	if err != nil {
		t.Skip("slowhttptest is not installed; `make e2e` installs it")
	}
	h := rig.Own(t, "--edge-limits", "head-read=3s body-read=4s client-stall=2s", "--stop-grace", "5s")
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "besieged", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		limits(t, h, "siege", 100, 1, 2), tagged("slipway:request-timeout", "4s"))
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost "+s.Host()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(h.Env["SLIPWAY_HTTPS"], ":")
	for name, c := range map[string]struct {
		path string
		how  []string
	}{
		"slow heads":   {"/", []string{"-H", "-i", "1"}},
		"slow bodies":  {"/request", []string{"-B", "-i", "1", "-s", "8192"}},
		"large bodies": {"/request", []string{"-B", "-i", "1", "-s", "1000000"}},
		"slow reading": {"/long/bytes?mib=8", []string{"-X", "-n", "1", "-w", "10", "-y", "20", "-z", "5"}},
		"ranges":       {"/", []string{"-R", "-a", "1", "-b", "3000"}},
	} {
		t.Run(name, func(t *testing.T) {
			normal := s.Load(rig.Pressure{Path: "/", Rate: 50})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			args := append(c.how, "-c", "400", "-r", "200", "-l", "9", "-p", "10", "-u", "https://"+s.Host()+":"+port+c.path)
			out, err := exec.CommandContext(ctx, "unshare", append([]string{"-m", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts, program}, args...)...).CombinedOutput()
			if err != nil && ctx.Err() != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if text := string(out); !strings.Contains(text, "service available:") || strings.Contains(text[strings.LastIndex(text, "service available:"):], "NO") {
				t.Errorf("what the program says:\n%s", text[max(0, len(text)-1500):])
			}
			normal.Stop().Unharmed(t)
			ended(t, h)
		})
	}
}

// ended waits until hardly any connection of a client is open.
func ended(t *testing.T, h *rig.House) {
	t.Helper()
	open := 0
	for range 100 {
		out, err := exec.CommandContext(t.Context(), "ss", "-Htn", "state", "established", "sport", "=", ":"+h.Env["SLIPWAY_HTTPS"][strings.LastIndexByte(h.Env["SLIPWAY_HTTPS"], ':')+1:]).Output()
		if err != nil {
			t.Skip(fmt.Sprint("ss: ", err))
		}
		if open = strings.Count(string(out), "\n"); open < 30 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%d connections are open", open)
}
