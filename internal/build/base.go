package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"slipway.dev/slipway/internal/apprunner"
)

// base is a runtime version that is ready to build on.
type base struct {
	image   Image
	version string
	seed    *layerRecipe // what a new package cache begins with; nil for nothing
}

// base chooses the version of the runtime and gets its image, made or fetched where it is not here yet.
func (b *Builder) base(ctx context.Context, p plan, log Log) (base, error) {
	available := b.versions(p.runtime)
	if len(available) == 0 {
		return base{}, b.noRuntime(p.runtime)
	}
	choice, err := chooseVersion(p.runtime, p.lock, p.engines, available)
	if err != nil {
		return base{}, apprunner.Errorf(apprunner.CodeInvalidRequest, "%s%s.", where(p), capitalised(err.Error(), p))
	}
	if choice.note != "" {
		log.Step("warning: %s.", choice.note)
	}
	chosen := base{version: choice.version}
	if chosen.image, chosen.seed, err = b.image(ctx, p.runtime, choice.version, log); err != nil {
		return base{}, err
	}
	log.Step("The build runs on runtime %s, version %s.", p.runtime.FileName(), choice.version)
	return chosen, nil
}

// where is the place in the configuration file that a fault of the version is about.
func where(p plan) string {
	if p.lock == "" {
		return ""
	}
	return p.at
}

func capitalised(text string, p plan) string {
	if where(p) != "" || text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// versions lists what there is of a runtime: configured images, and what recipes make.
func (b *Builder) versions(runtime apprunner.Runtime) []string {
	var list []string
	for version := range b.RuntimeImages[runtime] {
		list = append(list, version)
	}
	for _, r := range b.recipes {
		if r.runtime == runtime {
			list = append(list, r.version)
		}
	}
	slices.SortFunc(list, compareVersions)
	return slices.Compact(list)
}

// noRuntime names the runtimes that this server has instead.
func (b *Builder) noRuntime(runtime apprunner.Runtime) error {
	var have []string
	for _, other := range apprunner.Runtimes() {
		if len(b.versions(other)) > 0 {
			have = append(have, fmt.Sprintf("%s (%s)", other, other.FileName()))
		}
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "The runtime %s (%s) is not available on this server. Available are %s.",
		runtime, runtime.FileName(), strings.Join(have, ", ")).
		WithHint("The operator can add it by configuring an image reference for the runtime; or deploy a ready image as an image service.")
}

// image returns the image of a runtime version and what package caches for it begin with.
func (b *Builder) image(ctx context.Context, runtime apprunner.Runtime, version string, log Log) (Image, *layerRecipe, error) {
	at := slices.IndexFunc(b.recipes, func(r recipe) bool { return r.runtime == runtime && r.version == version })
	if reference := b.RuntimeImages[runtime][version]; reference != "" {
		image, err := b.Images.Pull(ctx, reference)
		if err == nil {
			return image, nil, nil
		}
		if at < 0 || ctx.Err() != nil {
			return Image{}, nil, fmt.Errorf("pull the image of runtime %s %s: %w", runtime.FileName(), version, err)
		}
		log.Step("The runtime image %s cannot be pulled (%v); the runtime is made on this machine instead.", reference, err)
	}
	image, err := b.homemade(ctx, b.recipes[at], log)
	if err != nil {
		return Image{}, nil, fmt.Errorf("prepare runtime %s %s: %w", runtime.FileName(), version, err)
	}
	return image, b.recipes[at].seed, nil
}

// importedDir records which runtimes this installation's image store has.
func (b *Builder) importedDir() string { return filepath.Join(b.Dir, "runtimes") }

// homemade returns the image that a recipe makes. Finished layers come from the user's cache; the image is assembled from them
// once for each installation.
func (b *Builder) homemade(ctx context.Context, r recipe, log Log) (Image, error) {
	unlock, err := b.bases.lock(ctx, r.key())
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	record := filepath.Join(b.importedDir(), r.key())
	if digest, err := os.ReadFile(record); err == nil {
		if image, err := b.Images.Get(ctx, string(digest)); err == nil {
			_ = touch(record) // at worst it is pruned and made again
			return image, nil
		}
		// The store lost it, or is a new one: assemble it again.
	}
	image, err := b.assemble(ctx, r, log)
	if err != nil {
		return Image{}, err
	}
	if err := b.Images.Pin(ctx, pinOwner(r.key()), image.Digest); err != nil {
		return Image{}, err
	}
	return image, writeFile(record, []byte(image.Digest))
}

// assemble puts the topmost layer of a recipe on what is below it, which is an image too: most runtimes share it.
func (b *Builder) assemble(ctx context.Context, r recipe, log Log) (Image, error) {
	k := kitchen{dir: b.RuntimesDir, mirror: b.DebianMirror, npm: b.NPM, log: log}
	top := len(r.layers) - 1
	var below Image
	var file string
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		file, err = k.layer(groupCtx, r.layers[top])
		return err
	})
	if top > 0 {
		group.Go(func() (err error) {
			below, err = b.homemade(groupCtx, recipe{layers: r.layers[:top]}, log)
			return err
		})
	}
	if r.seed != nil {
		group.Go(func() error {
			// Builds are slower without, but they work.
			if _, err := k.layer(groupCtx, *r.seed); err != nil && groupCtx.Err() == nil {
				log.Step("warning: %v.", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Image{}, err
	}
	return b.appendFile(ctx, below, file, ImageSettings{Env: r.env, WorkingDir: appDir, Cmd: []string{"/bin/sh"}})
}

func (b *Builder) appendFile(ctx context.Context, base Image, name string, settings ImageSettings) (Image, error) {
	file, err := os.Open(name)
	if err != nil {
		return Image{}, err
	}
	defer file.Close()
	return b.Images.Append(ctx, base, io.Reader(file), settings)
}

// writeFile replaces a small file at once.
func writeFile(name string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}

func pinOwner(key string) string { return "runtime/" + key }

// touch notes that something in a cache was used.
func touch(name string) error { return os.Chtimes(name, time.Time{}, time.Now()) }

const (
	importedUnused = 30 * 24 * time.Hour // a runtime in this installation's image store
	layersUnused   = 90 * 24 * time.Hour // a finished layer in the cache that installations share
)

// Prune lets go of runtimes that no build has used for long. They are made again when they are wanted again.
func (b *Builder) Prune(ctx context.Context, now time.Time) error {
	records, err := unused(b.importedDir(), "", now.Add(-importedUnused))
	if err != nil {
		return fmt.Errorf("prune runtimes: %w", err)
	}
	for _, record := range records {
		if err := b.Images.Unpin(ctx, pinOwner(filepath.Base(record))); err != nil {
			return fmt.Errorf("prune runtimes: %w", err)
		}
	}
	layers, err := unused(b.RuntimesDir, ".tar", now.Add(-layersUnused))
	for _, name := range append(records, layers...) {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return fmt.Errorf("prune runtimes: %w", err)
	}
	return nil
}

// unused lists the files of a directory that were last touched before a moment.
func unused(dir, suffix string, before time.Time) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && strings.HasSuffix(entry.Name(), suffix) && info.ModTime().Before(before) {
			names = append(names, filepath.Join(dir, entry.Name()))
		}
	}
	return names, err
}
