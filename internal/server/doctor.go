package server

import (
	"context"
	"os"
	"path/filepath"

	"slipway.dev/slipway/internal/instance/oci"
)

// Finding is one line of what `slipway doctor` says about this machine.
type Finding struct {
	Name     string
	OK       bool
	Detail   string // what was found, and what to do about it when not OK
	Degrades string // what works less well without it; empty when Slipway cannot run at all without it
}

// Doctor examines the machine. It changes nothing and needs no running installation.
func Doctor(ctx context.Context, c Config) []Finding {
	var all []Finding
	dir, remove := probeDir(c.DataDir)
	defer remove()
	for _, f := range oci.Probe(ctx, oci.Config{Dir: dir}) {
		all = append(all, Finding{Name: f.Name, OK: f.OK, Detail: f.Detail, Degrades: f.Degrades})
	}
	return all
}

// probeDir is a folder on the file system that the data directory is, or would be, on.
func probeDir(dataDir string) (dir string, remove func()) {
	if _, err := os.Stat(dataDir); err == nil {
		return dataDir, func() {}
	}
	above := filepath.Dir(dataDir)
	for _, err := os.Stat(above); err != nil && above != "/"; _, err = os.Stat(above) {
		above = filepath.Dir(above)
	}
	dir, err := os.MkdirTemp(above, ".slipway-doctor-")
	if err != nil {
		return dataDir, func() {} // the examination says what is wrong with it
	}
	return dir, func() { os.RemoveAll(dir) }
}

// RunShim is the whole program of the process that keeps one instance; its result is the exit code.
func RunShim(args []string) int { return oci.ShimMain(args) }
