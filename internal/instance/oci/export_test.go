package oci

import (
	"errors"

	"slipway.dev/slipway/internal/instance/oci/shim"
)

// AtStep returns c with a function that is called at every step of Start and Stop.
func AtStep(c Config, f func(step string)) Config {
	c.atStep = f
	return c
}

// Poorer returns c as on a machine without user namespaces or disks of limited size.
func Poorer(c Config, noMapping, noDisk bool) Config {
	c.assume = &abilities{}
	if noMapping {
		c.assume.mapped = errors.New("pretended")
	}
	if noDisk {
		c.assume.disk = errors.New("pretended")
	}
	return c
}

// Bridge, Table and Group name an installation's traces.
func Bridge(installation string) string { return namesFor(installation).bridge() }
func Table(installation string) string  { return namesFor(installation).table() }
func Group(installation string) string  { return namesFor(installation).cgroup() }

// Subnet is what the driver's bridge serves.
func (d *Driver) Subnet() string { return d.net.subnet.String() }

// Gateway is the host's address on the bridge.
func (d *Driver) Gateway() string { return gateway(d.net.subnet).String() }

// ShimPID is the process that keeps an instance.
func (d *Driver) ShimPID(id string) int {
	run, err := shim.ReadRun(d.paths.instance(id))
	if err != nil {
		return 0
	}
	return run.Shim.PID
}
