package oci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// abilities are what this machine can do for a sandbox; nil means yes.
type abilities struct {
	disk   error // mount a file system of limited size
	mapped error // run in a user namespace over id-mapped layers
}

// probeAbilities tries instead of asking for versions: what matters is whether it works here, on this file system.
func probeAbilities(ctx context.Context, d *disks, p paths) abilities {
	dir, err := os.MkdirTemp(filepath.Join(p.root, "run"), "probe-")
	if err != nil {
		return abilities{err, err}
	}
	defer os.RemoveAll(dir)
	layer := filepath.Join(dir, "layers", "0")
	if err := os.MkdirAll(layer, 0o755); err != nil {
		return abilities{err, err}
	}
	var a abilities
	image := filepath.Join(dir, imageFile)
	a.disk = d.create(ctx, image, 16)
	spec := sandboxSpec{layers: []string{layer}, inUse: []string{p.root}}
	if a.disk == nil {
		a.disk = trySandbox(spec, func(s *sandboxSpec) { s.image = image })
	}
	scratch := filepath.Join(dir, scratchDir)
	if err := os.Mkdir(scratch, 0o711); err != nil {
		return abilities{err, err}
	}
	a.mapped = trySandbox(spec, func(s *sandboxSpec) { s.scratch, s.mapped, s.base = scratch, true, uidFirst })
	return a
}

func trySandbox(s sandboxSpec, change func(*sandboxSpec)) error {
	change(&s)
	return onOwnThread(func() error {
		if err := leaveMounts(); err != nil {
			return err
		}
		_, err := prepareSandbox(s)
		return err
	})
}

// needRoot is the first thing to look at: without root nothing else here works.
func needRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	if err := unix.Access("/sys/fs/cgroup", unix.W_OK); err != nil {
		return fmt.Errorf("/sys/fs/cgroup: %w", err)
	}
	return nil
}
