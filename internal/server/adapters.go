package server

import (
	"context"
	"io"

	"slipway.dev/slipway/internal/build"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/instance"
)

// buildImages shows the image store to the build room.
type buildImages struct{ store *image.Store }

func (b buildImages) Get(ctx context.Context, digest string) (build.Image, error) {
	img, err := b.store.Get(ctx, digest)
	return toBuild(img), err
}

func (b buildImages) Pull(ctx context.Context, reference string) (build.Image, error) {
	img, err := b.store.Pull(ctx, reference, image.Credential{})
	return toBuild(img), err
}

func (b buildImages) Append(ctx context.Context, base build.Image, layer io.Reader, set build.ImageSettings) (build.Image, error) {
	var from image.Image
	if base.Digest != "" {
		var err error
		if from, err = b.store.Get(ctx, base.Digest); err != nil {
			return build.Image{}, err
		}
	}
	img, err := b.store.Append(ctx, from, layer, func(c *image.ImageConfig) {
		c.Env = append(c.Env, set.Env...)
		if set.WorkingDir != "" {
			c.WorkingDir = set.WorkingDir
		}
		if set.Cmd != nil {
			c.Entrypoint, c.Cmd = nil, set.Cmd
		}
	})
	return toBuild(img), err
}

func (b buildImages) Pin(ctx context.Context, owner, digest string) error {
	return b.store.Pin(ctx, owner, digest)
}

func (b buildImages) Unpin(ctx context.Context, owner string) error {
	return b.store.Unpin(ctx, owner)
}

func toBuild(img image.Image) build.Image {
	layers := make([]string, len(img.Layers))
	for n, l := range img.Layers {
		layers[n] = l.Dir
	}
	return build.Image{Digest: img.Digest, Layers: layers, Env: img.Config.Env}
}

// buildSandbox shows the driver's workspaces to the build room.
type buildSandbox struct{ driver instance.Builder }

func (b buildSandbox) Open(ctx context.Context, s build.WorkspaceSpec) (build.Workspace, error) {
	mounts := make([]instance.Mount, 0, len(s.Mounts))
	for path, dir := range s.Mounts {
		mounts = append(mounts, instance.Mount{HostDir: dir, Path: path})
	}
	w, err := b.driver.OpenWorkspace(ctx, instance.WorkspaceSpec{
		ID: s.ID, Rootfs: instance.Rootfs{Layers: s.Layers}, CPU: s.CPU, MemoryMiB: s.MemoryMiB, DiskMiB: s.DiskMiB, Files: s.Files, Mounts: mounts,
	})
	if err != nil {
		return nil, err
	}
	return buildWorkspace{w}, nil
}

type buildWorkspace struct{ instance.Workspace }

func (w buildWorkspace) Exec(ctx context.Context, c build.Command) (int, error) {
	return w.Workspace.Exec(ctx, instance.Command{Args: c.Args, Env: c.Env, Dir: c.Dir, Stdout: c.Output})
}
