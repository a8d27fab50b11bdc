package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// job is one build under way.
type job struct {
	builder *Builder
	request Request
	plan    plan
	base    Image
	cache   string // directory of this host with the service's package caches
}

// run makes the image by the build process of the runtime.
func (j *job) run(ctx context.Context) (Image, error) {
	p := j.plan
	if len(p.preBuild)+len(p.build)+len(p.post)+len(p.preRun) == 0 {
		return j.copyOnly(ctx)
	}
	stage, err := j.open(ctx, j.base)
	if err != nil {
		return Image{}, err
	}
	defer stage.Close()
	if err := stage.CopyIn(ctx, j.request.SourceDir, appDir); err != nil {
		return Image{}, j.failed(fmt.Errorf("copy the source: %w", err))
	}
	if err := j.commands(ctx, stage, "pre-build", p.preBuild); err != nil {
		return Image{}, err
	}
	if err := j.commands(ctx, stage, "build", p.build); err != nil {
		return Image{}, err
	}
	image, err := j.pack(ctx, stage)
	if err != nil {
		return Image{}, err
	}
	return image, j.commands(ctx, stage, "post-build", p.post)
}

// pack makes the image to deploy from the build stage: /app on the clean runtime, and on it what the second run of the build
// commands (original build, §13.4) or the pre-run commands (revised build, §13.5) change.
func (j *job) pack(ctx context.Context, stage Workspace) (Image, error) {
	second, kind := j.plan.preRun, "pre-run"
	if !j.plan.runtime.Revised() {
		second, kind = j.plan.build, "build"
	}
	if len(second) == 0 {
		return j.append(ctx, j.base, stage.Layer, onlyApp, j.settings())
	}
	image, err := j.append(ctx, j.base, stage.Layer, onlyApp, ImageSettings{})
	if err != nil {
		return Image{}, err
	}
	j.request.Log.Step("The runtime image is prepared; %s commands run in it.", kind)
	packaging, err := j.open(ctx, image)
	if err != nil {
		return Image{}, err
	}
	defer packaging.Close()
	if err := j.commands(ctx, packaging, kind, second); err != nil {
		return Image{}, err
	}
	return j.append(ctx, image, packaging.Layer, withoutBuildFiles(j.builder.ca), j.settings())
}

// copyOnly makes the image of a service without any command: no sandbox is needed.
func (j *job) copyOnly(ctx context.Context) (Image, error) {
	source := func(ctx context.Context, w io.Writer) error {
		return writeTree(ctx, w, treeLayer{dir: j.request.SourceDir, prefix: "app", owner: rootOwner})
	}
	return j.append(ctx, j.base, source, onlyApp, j.settings())
}

// settings is how the image starts by itself, without a platform that knows the service's run configuration.
func (j *job) settings() ImageSettings {
	return ImageSettings{WorkingDir: j.plan.dir, Cmd: []string{"/bin/sh", "-c", j.plan.run.Command}}
}

// append streams a layer through keep into a new image on base.
func (j *job) append(ctx context.Context, base Image, layer func(context.Context, io.Writer) error, keep layerFilter, settings ImageSettings) (Image, error) {
	image, err := appendLayer(ctx, j.builder.Images, base, settings, func(ctx context.Context, w io.Writer) error {
		return filterLayer(ctx, w, layer, keep)
	})
	if err != nil {
		return Image{}, j.failed(fmt.Errorf("store the image: %w", err))
	}
	return image, nil
}

// appendLayer lets write make a layer while the image store reads it. Neither side waits for a side that has failed.
func appendLayer(ctx context.Context, store images, base Image, settings ImageSettings, write func(context.Context, io.Writer) error) (Image, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(ctx, writer)
		writer.CloseWithError(err)
		written <- err
	}()
	image, err := store.Append(ctx, base, reader, settings)
	if err != nil {
		cancel()
	}
	reader.CloseWithError(errStoreDone)
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, errStoreDone) && ctx.Err() == nil {
		return Image{}, writeErr
	}
	return image, err
}

// errStoreDone ends a writer whose reader has seen enough, which is the end of the archive or a fault of its own.
var errStoreDone = errors.New("the image store has stopped reading")

// open opens a workspace on an image, with the service's caches and this network's certificate authorities.
func (j *job) open(ctx context.Context, image Image) (Workspace, error) {
	b := j.builder
	spec := WorkspaceSpec{
		ID: apprunner.NewID(), Layers: image.Layers, CPU: b.CPU, MemoryMiB: b.MemoryMiB, DiskMiB: b.DiskMiB,
		Mounts: map[string]string{cacheMount: j.cache},
	}
	if b.ca != nil {
		spec.Files = map[string][]byte{caPath: b.ca}
	}
	w, err := b.Sandbox.Open(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("open the build sandbox: %w", err)
	}
	return w, nil
}

// commands runs a list of commands in order. The first that fails ends the build.
func (j *job) commands(ctx context.Context, w Workspace, kind string, list []string) error {
	for i, command := range list {
		j.request.Log.Step("Running %s command%s: %s", kind, ofSeveral(i, len(list)), oneLine(command))
		if err := j.command(ctx, w, kind, command); err != nil {
			return err
		}
	}
	return nil
}

func ofSeveral(i, n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" %d of %d", i+1, n)
}

func (j *job) command(ctx context.Context, w Workspace, kind, command string) error {
	out := newLines(j.request.Log.Output)
	code, err := w.Exec(ctx, Command{Args: []string{"/bin/sh", "-c", command}, Env: j.env(), Dir: j.plan.dir, Output: out})
	out.flush()
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errTimeLimit):
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "The build took longer than its limit of %s and was stopped while it ran the %s command %s.",
			j.builder.Timeout, kind, quoted(oneLine(command)))
	case err != nil:
		return j.failed(fmt.Errorf("run %s command %s: %w", kind, quoted(oneLine(command)), err))
	case code == 0:
		return nil
	}
	return j.commandFailed(kind, command, code, out.last())
}

// commandFailed is the reason a user reads: which command, how it ended, and what it said last.
func (j *job) commandFailed(kind, command string, code int, last []string) error {
	said := " It printed nothing."
	if len(last) > 0 {
		said = " It printed last:\n" + strings.Join(last, "\n")
	}
	e := apprunner.Errorf(apprunner.CodeInvalidRequest, "The %s command %s failed with exit code %d.%s", kind, quoted(oneLine(command)), code, said)
	const killed = 128 + 9
	full := slices.ContainsFunc(last, func(line string) bool {
		return strings.Contains(line, "No space left on device") || strings.Contains(line, "ENOSPC") || strings.Contains(line, "no space left on device")
	})
	switch {
	case full:
		return e.WithHint("\nA build may write %d MiB on this server.", j.builder.DiskMiB)
	case code == killed && !strings.Contains(said, "out of memory: "): // the sandbox says it itself where it knows
		return e.WithHint("\nA command that needs more memory than a build may use (%d MiB on this server) ends like this.", j.builder.MemoryMiB)
	}
	return e
}

// failed passes a fault of the platform on, or the reason why the build was stopped.
func (j *job) failed(err error) error { return fmt.Errorf("build: %w", err) }
