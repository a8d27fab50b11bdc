package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// AwaitFrozen waits until so many of a service's instances stand still, as the kernel says.
func (s Service) AwaitFrozen(t testing.TB, want int) {
	t.Helper()
	var still []string
	for range 600 {
		still = nil
		for _, id := range s.Instances(t, "active") {
			if frozen(id) {
				still = append(still, id)
			}
		}
		if len(still) == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%d instances are frozen, want %d; all are %v, the logs:\n%s", len(still), want, s.Instances(t, "active"), s.Story())
}

// frozen looks at the control groups of an instance, which are named by its id.
func frozen(id string) bool {
	for _, state := range []struct{ pattern, means string }{
		{"/sys/fs/cgroup/freezer/slipway-*/" + id + "/freezer.state", "FROZEN"},
		{"/sys/fs/cgroup/unified/slipway-*/" + id + "/cgroup.freeze", "1"},
		{"/sys/fs/cgroup/slipway-*/" + id + "/cgroup.freeze", "1"},
	} {
		files, _ := filepath.Glob(state.pattern) // the pattern is well-formed
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(b)) == state.means {
				return true
			}
		}
	}
	return false
}
