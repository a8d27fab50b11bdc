package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// goCacheDir is where Go keeps compiled packages, below the package cache.
const goCacheDir = "go-build"

// cacheVariables tell package managers where, below the mount of the service's package cache, to keep what they fetched.
var cacheVariables = map[string]string{
	"npm_config_cache": "npm", "YARN_CACHE_FOLDER": "yarn", "PIP_CACHE_DIR": "pip", "GOCACHE": goCacheDir, "GOMODCACHE": "go-mod",
}

func (b *Builder) cachesDir() string { return filepath.Join(b.Dir, "caches") }

func (b *Builder) cacheDir(service string) string {
	return filepath.Join(b.cachesDir(), filepath.Base(service))
}

// RemoveCaches removes what builds of a service keep for the next one.
func (b *Builder) RemoveCaches(ctx context.Context, serviceID string) error {
	unlock, err := b.services.lock(ctx, serviceID)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.RemoveAll(b.cacheDir(serviceID)); err != nil {
		return fmt.Errorf("remove build caches: %w", err)
	}
	return nil
}

// prepareCache returns the directory of a service's package caches, which nobody else may read: what one service's build wrote
// must not reach another's. It begins with the seed, and begins anew when it has grown too large, since package managers fill
// theirs without end.
func (b *Builder) prepareCache(ctx context.Context, req Request, seed *layerRecipe) (string, error) {
	dir := b.cacheDir(req.ServiceID)
	if size := treeSize(dir); size > int64(b.CacheMiB)<<20 {
		req.Log.Step("The service's package cache has grown to %d MiB (limit %d MiB) and is emptied.", size>>20, b.CacheMiB)
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if seed == nil {
		return dir, nil
	}
	return dir, b.seedCache(ctx, dir, *seed)
}

// seedCache fills a cache that has nothing yet. Without a finished seed it stays empty: builds work all the same.
func (b *Builder) seedCache(ctx context.Context, dir string, seed layerRecipe) error {
	target := filepath.Join(dir, goCacheDir)
	if _, err := os.Lstat(target); err == nil {
		return nil
	}
	archive := kitchen{dir: b.RuntimesDir}.path(seed)
	if _, err := os.Stat(archive); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	partial := filepath.Join(dir, goCacheDir+".partial")
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := os.Mkdir(partial, 0o755); err != nil {
		return err
	}
	// Files count as new: Go removes what was not used for some days.
	if err := program(ctx, "tar", "-C", partial, "--touch", "-xf", archive); err != nil {
		return err
	}
	return os.Rename(partial, target)
}
