package rig

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PID is the process id of a role, "control" or "edge"; of two edges, the one that takes over.
func (h *House) PID(role string) (int, error) {
	if role == "edge" {
		name, err := os.Readlink(filepath.Join(h.Dir, "run", "edge.sock"))
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, "edge."), ".sock"))
	}
	return h.noted(role)
}

// noted reads the process id that a role wrote down; one that just starts has none for a moment.
func (h *House) noted(role string) (pid int, err error) {
	for range 50 {
		var b []byte
		if b, err = os.ReadFile(filepath.Join(h.Dir, "run", role+".lock")); err != nil {
			return 0, err
		}
		if pid, err = strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return pid, err
}

// Supervisor is the process id of `slipway up`.
func (h *House) Supervisor() (int, error) {
	b, err := os.ReadFile(filepath.Join(h.Dir, "run", "supervisor.json"))
	if err != nil {
		return 0, err
	}
	var note struct{ PID int }
	err = json.Unmarshal(b, &note)
	return note.PID, err
}

// Kill ends a role with SIGKILL and returns the process id it had. Its supervisor starts it again.
func (h *House) Kill(t testing.TB, role string) (pid int) {
	t.Helper()
	pid, err := h.PID(role)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(procFile(pid, "cmdline"), h.Dir) {
		return pid // it is down at this moment
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s (%d): %v", role, pid, err)
	}
	return pid
}

// Reborn waits until a role runs as another process than before and the installation is ready.
func (h *House) Reborn(t testing.TB, role string, before int) {
	t.Helper()
	for range 300 {
		if pid, err := h.PID(role); err == nil && pid != before && h.Ready() == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s was not started again: %v", role, h.Ready())
}

// Ready asks whether requests are served.
func (h *House) Ready() error {
	client := &http.Client{Timeout: 2 * time.Second}
	res, err := client.Get(h.Env["AWS_ENDPOINT_URL"] + "/readyz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", res.Status)
	}
	return nil
}

// InFlight is how many requests of a service the front door has in flight, from the installation's metrics.
func (h *House) InFlight(arn string) (int, error) {
	res, err := http.Get(h.Env["AWS_ENDPOINT_URL"] + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), `slipway_requests_in_flight{service="`+arn+`",`); ok {
			return strconv.Atoi(rest[strings.LastIndexByte(rest, ' ')+1:])
		}
	}
	return 0, err
}
