package server

import (
	"context"

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
	for _, f := range oci.Probe(ctx, oci.Config{Dir: c.DataDir}) {
		all = append(all, Finding{Name: f.Name, OK: f.OK, Detail: f.Detail, Degrades: f.Degrades})
	}
	return all
}

// RunShim is the whole program of the process that keeps one instance; its result is the exit code.
func RunShim(args []string) int { return oci.ShimMain(args) }
