package server

import (
	"strings"
	"testing"
)

// TestUpgradeOfAVersionWithoutUpgrade: the way out is told where the running program takes no such request.
func TestUpgradeOfAVersionWithoutUpgrade(t *testing.T) {
	err := requestUpgrade(t.Context(), Config{DataDir: t.TempDir()}, "", func(string) {})
	if err == nil || !strings.Contains(err.Error(), "SIGTERM, which leaves the applications running") {
		t.Errorf("got %v", err)
	}
}
