package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"slipway.dev/slipway/test/rig"
)

// What packages make before main runs, every process of an installation holds for as long as it lives, whether it needs it or not. It is
// counted in bytes that are allocated, not in time, so that the figures are the same on every machine.
const (
	startBudget   = 750 << 10 // of the whole program
	packageBudget = 20 << 10  // of each package of ours
)

func TestStartMakesNoTables(t *testing.T) {
	bin, err := rig.Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	total, packages := 0, 0
	for line := range strings.Lines(trace.String()) {
		var name, at, took string
		var bytes int
		// init slipway.dev/slipway/internal/api @1.2 ms, 0.01 ms clock, 6384 bytes, 26 allocs
		if n, _ := fmt.Sscanf(line, "init %s @%s ms, %s ms clock, %d bytes", &name, &at, &took, &bytes); n < 4 {
			continue
		}
		total, packages = total+bytes, packages+1
		if strings.HasPrefix(name, "slipway.dev/") && bytes > packageBudget {
			t.Errorf("%s makes %d bytes at the start, at most are %d: make them when they are first needed (apprunner/pattern, sync.OnceValue)", name, bytes, packageBudget)
		}
		if strings.HasPrefix(name, "github.com/aws/aws-sdk-go-v2/service/") {
			t.Errorf("%s is in the program: the SDK makes tables of its services at the start; verbs use cmd/slipway/internal/caller", name)
		}
	}
	if packages < 50 {
		t.Fatalf("the start was not traced:\n%s", trace.String())
	}
	if total > startBudget {
		t.Errorf("the start makes %d bytes, at most are %d; by package, see GODEBUG=inittrace=1 slipway version", total, startBudget)
	}
}
