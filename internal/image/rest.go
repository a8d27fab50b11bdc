package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"slipway.dev/slipway/internal/store"
)

// Rest removes the unpacked layers of an owner of which nothing runs any more, but for those that images of other owners have too. They are
// unpacked again when they are wanted.
func (s *Store) Rest(ctx context.Context, owner string) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	s.leases.beginSweep()
	defer s.leases.endSweep()
	ids, err := layersOfOnly(ctx, s.db, func(by string) bool { return by == owner })
	for _, id := range ids {
		if err == nil && s.hasLayer(id) {
			err = errors.Join(ctx.Err(), s.sweepLayer(ctx, id))
		}
	}
	if err != nil {
		return fmt.Errorf("remove unpacked layers of %s: %w", owner, err)
	}
	return nil
}

// RestAll is Rest for all owners with vaults, in the directory of a store that nobody has open.
func RestAll(ctx context.Context, db *store.DB, dir string) error {
	if err := db.Migrate(ctx, "image", migrations); err != nil {
		return fmt.Errorf("remove unpacked layers: %w", err)
	}
	vaults := map[string]bool{}
	err := db.View(ctx, func(tx *store.Tx) error {
		var owners []string
		err := tx.Each(`SELECT DISTINCT owner FROM image_sealed`, nil, scanStrings(&owners))
		for _, owner := range owners {
			vaults[owner] = true
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove unpacked layers: %w", err)
	}
	ids, err := layersOfOnly(ctx, db, func(by string) bool { return vaults[by] })
	for _, id := range ids {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, "layers", digestHex(id))))
	}
	if err != nil {
		return fmt.Errorf("remove unpacked layers: %w", err)
	}
	return nil
}

// layersOfOnly lists the layers that images of the owners meant have, and no others.
func layersOfOnly(ctx context.Context, db *store.DB, meant func(owner string) bool) ([]string, error) {
	own, others := map[string]bool{}, map[string]bool{}
	err := db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT image_pins.owner, image_images.refs FROM image_pins JOIN image_images ON image_images.digest = image_pins.digest
			UNION ALL SELECT owner, refs FROM image_sealed`, nil, func(row store.Row) error {
			var by, body string
			if err := row.Scan(&by, &body); err != nil {
				return err
			}
			r, err := parseRefs(body)
			for _, id := range r.Layers {
				if meant(by) {
					own[id] = true
				} else {
					others[id] = true
				}
			}
			return err
		})
	})
	maps.DeleteFunc(own, func(id string, _ bool) bool { return others[id] })
	return slices.Collect(maps.Keys(own)), err
}
