package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// orphanAge is how long a blob that was pushed waits for the manifest that needs it.
const orphanAge = 24 * time.Hour

// GC removes what nothing needs: images nobody pinned and nobody asked for within Config.KeepUnused, blobs that were pushed a
// day ago and never became part of an image, and then every blob and layer that neither an image nor a repository refers to.
// Work in flight is safe: it holds leases. Layers below a running instance are safe as long as its image is pinned.
func (s *Store) GC(ctx context.Context) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	s.leases.beginSweep()
	defer s.leases.endSweep()
	if err := s.forgetUnused(ctx); err != nil {
		return fmt.Errorf("collect images: %w", err)
	}
	blobs, layers, sealed, err := s.mark(ctx)
	if err != nil {
		return fmt.Errorf("collect images: mark: %w", err)
	}
	err = errors.Join(s.sweepBlobs(ctx, blobs), s.sweepLayers(ctx, layers), s.sweepVaults(ctx, sealed))
	if err != nil {
		return fmt.Errorf("collect images: %w", err)
	}
	return nil
}

// forgetUnused drops the records of unused things, in one transaction, so that a pin or push comes either before and counts, or
// after and finds them gone.
func (s *Store) forgetUnused(ctx context.Context) error {
	now := s.now()
	return s.db.Update(ctx, func(tx *store.Tx) error {
		err := tx.Exec(`DELETE FROM image_images WHERE used_us <= $1
			AND NOT EXISTS (SELECT 1 FROM image_pins WHERE image_pins.digest = image_images.digest)`, store.Micros(now.Add(-s.cfg.KeepUnused)))
		if err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM image_blobs WHERE touched_us <= $1 AND NOT EXISTS (SELECT 1 FROM image_manifest_refs
			WHERE image_manifest_refs.repository_id = image_blobs.repository_id AND image_manifest_refs.digest = image_blobs.digest)`,
			store.Micros(now.Add(-orphanAge)))
	})
}

// mark reads what is referred to, by digest; sealed are the blobs in vaults, by owner.
func (s *Store) mark(ctx context.Context) (blobs, layers map[string]bool, sealed map[string]map[string]bool, err error) {
	blobs, layers, sealed = map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		for _, query := range []string{`SELECT digest FROM image_blobs`, `SELECT digest FROM image_manifests`} {
			err := tx.Each(query, nil, func(row store.Row) error {
				var digest string
				err := row.Scan(&digest)
				blobs[digest] = true
				return err
			})
			if err != nil {
				return err
			}
		}
		if err := sealedMarks(tx, sealed, layers); err != nil {
			return err
		}
		return tx.Each(`SELECT refs FROM image_images`, nil, func(row store.Row) error {
			var body string
			if err := row.Scan(&body); err != nil {
				return err
			}
			r, err := parseRefs(body)
			for _, d := range r.Blobs {
				blobs[d] = true
			}
			for _, d := range r.Layers {
				layers[d] = true
			}
			return err
		})
	})
	return blobs, layers, sealed, err
}

func (s *Store) sweepBlobs(ctx context.Context, marked map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "blobs", "sha256"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		digest := "sha256:" + e.Name()
		if marked[digest] {
			continue
		}
		if err := errors.Join(ctx.Err(), s.leases.sweep(digest, func() error { return os.Remove(s.common.path(digest)) })); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepLayers(ctx context.Context, marked map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "layers"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if id := "sha256:" + e.Name(); !marked[id] {
			if err := errors.Join(ctx.Err(), s.sweepLayer(ctx, id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepLayer takes a layer's name away under the leases' lock; removing its many files comes after.
func (s *Store) sweepLayer(ctx context.Context, id string) error {
	gone := filepath.Join(s.tmpDir(), "gone-"+apprunner.NewID())
	swept := false
	err := s.leases.sweep(layerKey(id), func() error {
		swept = true
		return os.Rename(s.layerDir(id), gone)
	})
	if err != nil || !swept {
		return err
	}
	return os.RemoveAll(gone)
}
