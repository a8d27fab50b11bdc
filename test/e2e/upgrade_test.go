package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestUpgrade: an installation continues with another program. No request fails, one that takes long is answered by the edge that got
// it, the instances are the same, and a program that does not work leaves the former one serving and says why.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--stop-grace", "5s", "--start-timeout", "60s")
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "upgraded", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	instances := s.Instances(t, "active")
	load := s.Load(rig.Pressure{Path: "/", Rate: 60})
	slow := make(chan string, 1)
	go func() {
		status, _, err := s.Get("/slow?ms=4000")
		slow <- fmt.Sprint(status, " ", err)
	}()
	s.Busy(t)

	before := processes(t, h)
	program := copied(t)
	if out, err := h.Slipway("upgrade", "--data-dir", h.Dir, "--binary", program); err != nil {
		t.Fatal(err, out)
	}
	after := processes(t, h)
	if after["supervisor"] != before["supervisor"] {
		t.Errorf("the supervisor was process %d and is %d", before["supervisor"], after["supervisor"])
	}
	for role, pid := range after {
		if role != "supervisor" && pid == before[role] {
			t.Errorf("the %s is still process %d", role, pid)
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe != program {
			t.Errorf("the %s runs %s, %v", role, exe, err)
		}
	}
	if got := <-slow; got != "200 <nil>" {
		t.Errorf("the request in flight: %s", got)
	}

	for name, c := range map[string]struct{ script, says string }{
		"an edge that ends at once":      {`[ "$1" != edge ] || exit 7`, "the new edge ended before it was ready: exit status 7"},
		"a control that ends at once":    {`[ "$1" != control ] || exit 8`, "the new control ended before it was ready: exit status 8"},
		"settings that are not accepted": {`[ "$1" != up ] || { echo "no such setting" >&2; exit 1; }`, "no such setting"},
		"no Slipway at all":              {`exit 0`, "does not say that it is Slipway"},
	} {
		wrapper := filepath.Join(t.TempDir(), "slipway")
		if err := os.WriteFile(wrapper, fmt.Appendf(nil, "#!/bin/sh\n%s\nexec %s \"$@\"\n", c.script, program), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := h.Slipway("upgrade", "--data-dir", h.Dir, "--binary", wrapper); err == nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v, %s; want %q", name, err, out, c.says)
		}
		if out, err := h.Slipway("status", "--data-dir", h.Dir); err != nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: status says %v, %s", name, err, out)
		}
		for role, pid := range processes(t, h) {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe != program {
				t.Errorf("%s: the %s runs %s, %v", name, role, exe, err)
			}
		}
	}
	if now := s.Instances(t, "active"); !slices.Equal(now, instances) {
		t.Errorf("instances %v became %v", instances, now)
	}
	s.Deploy(t)
	load.Stop().Unharmed(t)
	h.NoOrphans(t)
}

// processes are those of an installation, by role.
func processes(t *testing.T, h *rig.House) map[string]int {
	t.Helper()
	pids := map[string]int{}
	for role, find := range map[string]func() (int, error){
		"supervisor": h.Supervisor,
		"edge":       func() (int, error) { return h.PID("edge") },
		"control":    func() (int, error) { return h.PID("control") },
	} {
		pid, err := find()
		if err != nil {
			t.Fatal(err)
		}
		pids[role] = pid
	}
	return pids
}

// copied is another file with the program under test.
func copied(t *testing.T) string {
	t.Helper()
	bin, err := rig.Binary()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(t.TempDir(), "slipway-next")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
