package oci

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/instance/oci/cgroup"
)

// Freezer takes the CPU from instances of an installation and gives it back, without being the driver that runs them: any process
// of the same user may do so, several at once, also while no driver is there.
type Freezer struct {
	names  names
	layout cgroup.Layout
}

// NewFreezer returns the freezer of an installation, which is named as in [Config].
func NewFreezer(installation string) (*Freezer, error) {
	layout, err := cgroup.Detect()
	if err != nil {
		return nil, err
	}
	return &Freezer{names: namesFor(installation), layout: layout}, nil
}

// Freeze takes the CPU from an instance. One that does not exist is an error.
func (f *Freezer) Freeze(ctx context.Context, id string) error {
	group, err := f.group(id)
	if err == nil && !group.Exists() {
		err = unknown(id)
	}
	if err != nil {
		return err
	}
	return group.Freeze(ctx)
}

// Thaw gives an instance the CPU back. One that does not exist need not be thawed.
func (f *Freezer) Thaw(ctx context.Context, id string) error {
	group, err := f.group(id)
	if err != nil {
		return err
	}
	return group.Thaw(ctx)
}

func (f *Freezer) group(id string) (cgroup.Group, error) {
	if !validID.MatchString(id) {
		return cgroup.Group{}, fmt.Errorf("%q is no instance id", id)
	}
	return f.layout.Group(f.names.instanceCgroup(id)), nil
}
