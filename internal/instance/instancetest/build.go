package instancetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"slipway.dev/slipway/internal/instance"
)

// BuildApp builds App as a static program and returns its path.
func BuildApp(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "slipway.dev/slipway/internal/instance/instancetest/testapp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the test application: %v\n%s", err, out)
	}
	return path
}

// Rootfs lays out an image of two layers in dir that holds AppPath, users, and what else the suite needs.
func Rootfs(t testing.TB, dir string) instance.Rootfs {
	t.Helper()
	base, top := filepath.Join(dir, "layers", "base"), filepath.Join(dir, "layers", "top")
	files := map[string]string{
		filepath.Join(base, "etc", "passwd"):  "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n",
		filepath.Join(base, "etc", "group"):   "root:x:0:\nweb:x:1000:\nstaff:x:50:web\n",
		filepath.Join(base, "etc", "replace"): "old",
		filepath.Join(top, "etc", "replace"):  "new",
	}
	for _, d := range []string{"tmp", "root", "home/web", "etc"} {
		must(t, os.MkdirAll(filepath.Join(base, d), 0o755))
	}
	must(t, os.MkdirAll(filepath.Join(top, "etc"), 0o755))
	must(t, os.MkdirAll(filepath.Join(top, filepath.Dir(AppPath)), 0o755))
	must(t, os.Chmod(filepath.Join(base, "tmp"), 0o777|os.ModeSticky))
	for path, content := range files {
		must(t, os.WriteFile(path, []byte(content), 0o644))
	}
	app, err := os.ReadFile(BuildApp(t))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(top, AppPath), app, 0o755))
	return instance.Rootfs{Layers: []string{base, top}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
