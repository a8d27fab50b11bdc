package oci_test

import (
	"os"
	"path/filepath"
	"testing"
)

// busybox is a layer with a shell and the usual tools, for tests that need more than the test application.
func busybox(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("these tests need the package busybox-static: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "busybox")
	must(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "bin", "busybox"), program, 0o755))
	for _, tool := range []string{"sh", "ls", "cat", "echo", "mkdir", "rm", "ln", "chmod", "chown", "mv", "sleep", "touch", "id", "test", "mkfifo", "stat", "wget", "nslookup", "env", "tail", "head", "dd"} {
		must(t, os.Symlink("busybox", filepath.Join(dir, "bin", tool)))
	}
	return dir
}
