package build_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/build"
)

func TestCancelAndTimeLimit(t *testing.T) {
	files := map[string]string{"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild: {commands: {build: [\"echo started; exec sleep 600\"]}}\nrun: {command: x}\n"}
	b := newBench(t, files, func(c *build.Config) { c.Timeout = 50 * time.Millisecond })
	b.mustFail(t, b.request(), "longer than its limit of 50ms", "while it ran the build command")

	b = newBench(t, files)
	b.log.live = make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Build(ctx, b.request())
		done <- err
	}()
	for line := range b.log.live {
		if line == "[Build] started" {
			break
		}
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "context canceled") || b.sandbox.open != 0 {
		t.Errorf("got %v with %d workspaces open", err, b.sandbox.open)
	}
}

func TestOneBuildAtATimePerService(t *testing.T) {
	wait := "version: 1.0\nruntime: python311\nbuild: {commands: {build: [\"echo started; until [ -e " + filepath.Join(t.TempDir(), "go") + " ]; do :; done\"]}}\nrun: {command: x}\n"
	b := newBench(t, map[string]string{"apprunner.yaml": wait})
	b.log.live = make(chan string, 100)
	first, cancelFirst := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Build(first, b.request())
		done <- err
	}()
	for line := range b.log.live {
		if line == "[Build] started" {
			break
		}
	}
	second, cancelSecond := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancelSecond()
	if _, err := b.Build(second, b.request()); err == nil || !strings.Contains(err.Error(), "other build") {
		t.Errorf("the second build of the service did not wait: %v", err)
	}
	cancelFirst()
	<-done
}

func TestWorkspacesGetCachesLimitsAndAuthorities(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("authorities"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, map[string]string{"x": ""}, func(c *build.Config) {
		c.CABundle, c.CPU, c.MemoryMiB, c.DiskMiB = ca, 512, 1000, 2000
	})
	req := b.request()
	req.Code = apiCode(apprunner.CodeConfigurationValues{Runtime: "PYTHON_3", BuildCommand: "cat $ROOT$SSL_CERT_FILE > seen", StartCommand: "x"})
	result, files := b.mustBuild(t, req)
	if files["app/seen"] != "authorities" || files["etc/ssl/certs/ca-certificates.crt"] != "" || result.Run.Port != 8080 {
		t.Errorf("files %v, port %d", files, result.Run.Port)
	}
	for _, spec := range b.sandbox.opened {
		if spec.CPU != 512 || spec.MemoryMiB != 1000 || spec.DiskMiB != 2000 || len(spec.ID) != 32 || spec.Mounts["/var/cache/slipway"] != filepath.Join(b.caches, serviceID) {
			t.Errorf("opened %+v", spec)
		}
	}
}

func TestAGrownCacheIsEmptied(t *testing.T) {
	b := newBench(t, map[string]string{"x": ""}, func(c *build.Config) { c.CacheMiB = 1 })
	req := b.request()
	req.Code = apiCode(apprunner.CodeConfigurationValues{Runtime: "PYTHON_3", BuildCommand: "true", StartCommand: "x"})
	big := filepath.Join(b.caches, serviceID, "npm", "big")
	if err := os.MkdirAll(filepath.Dir(big), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(big, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b.mustBuild(t, req)
	b.logged(t, "cache has grown to 2 MiB")
	if _, err := os.Stat(big); err == nil {
		t.Error("the cache is still there")
	}
	if err := b.RemoveCaches(t.Context(), serviceID); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(b.caches); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// checklist: 42
func TestVersionsAndRuntimesThatAreNotThere(t *testing.T) {
	yaml := func(runtime, version string) map[string]string {
		return map[string]string{"apprunner.yaml": "version: 1.0\nruntime: " + runtime + "\nbuild: {commands: {build: [\"true\"]}}\nrun: {command: x, runtime-version: " + version + "}\n"}
	}
	b := newBench(t, yaml("python3", "3.6"))
	b.mustFail(t, b.request(), "apprunner.yaml:4:36: version 3.6 of runtime python3 is not available; available are 3.7.7, 3.8.5, 3.11.2")
	b = newBench(t, yaml("corretto11", "latest"))
	b.mustFail(t, b.request(), "CORRETTO_11 (corretto11) is not available", "PYTHON_311 (python311)", "image reference")
	files := yaml("nodejs22", "22.97.0")
	files["package.json"] = `{"engines": {"node": "^18"}}`
	b = newBench(t, files)
	b.mustFail(t, b.request(), "runtime-version 22.97.0", "disagree")
}

func TestARuntimeImageThatCannotBePulledAndHasNoRecipe(t *testing.T) {
	b := newBench(t, map[string]string{"x": ""}, func(c *build.Config) {
		c.RuntimeImages = map[apprunner.Runtime]map[string]string{"PYTHON_3": {"3.12.0": "down.test/python"}}
	})
	req := b.request()
	req.Code = apiCode(apprunner.CodeConfigurationValues{Runtime: "PYTHON_3", StartCommand: "x"})
	b.mustFail(t, req, "pull the image of runtime python3 3.12.0", "connection refused")
}

func TestPassedOn(t *testing.T) {
	got := build.PassedOn([]string{"https_proxy=a", "HTTP_PROXY=b", "npm_config_registry=c", "AWS_SECRET_ACCESS_KEY=no", "GOPROXY=d=e", "HOME=no", "PIP_INDEX_URL=f"})
	if strings.Join(got, " ") != "https_proxy=a HTTP_PROXY=b npm_config_registry=c GOPROXY=d=e PIP_INDEX_URL=f" {
		t.Errorf("got %v", got)
	}
}
