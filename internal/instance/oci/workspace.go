package oci

import (
	"context"
	"errors"
	"net/netip"

	"slipway.dev/slipway/internal/instance"
)

type workspace struct{ address netip.Addr }

func (w *workspace) Close() error { return nil }

// OpenWorkspace TODO
func (d *Driver) OpenWorkspace(ctx context.Context, spec instance.WorkspaceSpec) (instance.Workspace, error) {
	return nil, errors.New("todo")
}
