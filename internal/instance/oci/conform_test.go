package oci_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/instancetest"
	"slipway.dev/slipway/internal/instance/oci"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
}

// config is an installation named after its directory.
func config(t testing.TB, dir string) oci.Config {
	return oci.Config{Dir: dir, Installation: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// opened holds the directories whose installations will be destroyed.
var opened sync.Map

// open opens a driver; when the test ends the installation is destroyed, and has to be gone.
func open(t *testing.T, c oci.Config) *oci.Driver {
	t.Helper()
	needRoot(t)
	d, err := oci.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, again := opened.LoadOrStore(c.Dir, true); again {
		return d // whoever restarts a driver closes it
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = d.Close()
		last, err := oci.New(ctx, c)
		if err == nil {
			err = last.Destroy(ctx)
		}
		if err != nil {
			t.Errorf("destroy: %v", err)
		}
	})
	return d
}

func bench(t *testing.T) *instancetest.Bench {
	return instancetest.NewBench(t, func(t *testing.T, dir string) instance.Driver { return open(t, config(t, dir)) }, rootfs(t))
}

func TestConforms(t *testing.T) {
	needRoot(t)
	instancetest.Run(t, func(t *testing.T, dir string) instance.Driver { return open(t, config(t, dir)) }, rootfs(t))
}

func TestConformsOnAPoorerMachine(t *testing.T) {
	needRoot(t)
	instancetest.Run(t, func(t *testing.T, dir string) instance.Driver {
		return open(t, oci.Poorer(config(t, dir), true, true))
	}, rootfs(t))
}

// Another runtime that speaks the same command line.
func TestConformsWithCrun(t *testing.T) {
	needRoot(t)
	if _, err := exec.LookPath("crun"); err != nil {
		t.Skip("crun is not installed; runc is what make deps brings")
	}
	instancetest.Run(t, func(t *testing.T, dir string) instance.Driver {
		c := config(t, dir)
		c.Runtime = "crun"
		return open(t, c)
	}, rootfs(t))
}

func TestStartTime(t *testing.T) {
	b := bench(t)
	var created, ready []time.Duration
	for range 31 {
		begin := time.Now()
		i := b.Begin(b.Spec("serve", "8080"))
		created = append(created, time.Since(begin))
		b.Get(i, "/")
		ready = append(ready, time.Since(begin))
		must(t, b.Stop(t.Context(), i.ID, 0))
	}
	slices.Sort(created)
	slices.Sort(ready)
	t.Logf("Start returned after %v, the first HTTP answer came after %v (medians; slowest %v)", created[15], ready[15], ready[30])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
