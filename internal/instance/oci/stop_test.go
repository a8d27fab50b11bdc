package oci_test

import (
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
)

// TestStopReachesBehindAShell stops instances whose first process has no handler for SIGTERM. The grace is far longer than the
// test may take: none of them may need it.
func TestStopReachesBehindAShell(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	layer := busybox(t)
	for name, args := range map[string][]string{
		"alone":              {"/bin/sleep", "1000"},
		"shell with a child": {"/bin/sh", "-c", "sleep 1000; true"},
		"shell that waits":   {"/bin/sh", "-c", "sleep 1000 & wait; exec sleep 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			id := apprunner.NewID()
			_, err := d.Start(t.Context(), instance.Spec{
				ID: id, Rootfs: instance.Rootfs{Layers: []string{layer}}, Args: args, CPU: 1024, MemoryMiB: 64,
			})
			must(t, err)
			begin := time.Now()
			must(t, d.Stop(t.Context(), id, time.Minute))
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("stopping took %s", took)
			}
		})
	}
}
