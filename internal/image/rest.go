package image

import (
	"context"
	"errors"
	"fmt"

	"slipway.dev/slipway/internal/store"
)

// Rest removes the unpacked layers of an owner of which nothing runs any more, but for those that images of other owners have too. They are
// unpacked again when they are wanted.
func (s *Store) Rest(ctx context.Context, owner string) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	s.leases.beginSweep()
	defer s.leases.endSweep()
	own, others := map[string]bool{}, map[string]bool{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT image_pins.owner, image_images.refs FROM image_pins JOIN image_images ON image_images.digest = image_pins.digest
			UNION ALL SELECT owner, refs FROM image_sealed`, nil, func(row store.Row) error {
			var by, body string
			if err := row.Scan(&by, &body); err != nil {
				return err
			}
			r, err := parseRefs(body)
			for _, id := range r.Layers {
				if by == owner {
					own[id] = true
				} else {
					others[id] = true
				}
			}
			return err
		})
	})
	for id := range own {
		if err == nil && !others[id] && s.hasLayer(id) {
			err = errors.Join(ctx.Err(), s.sweepLayer(ctx, id))
		}
	}
	if err != nil {
		return fmt.Errorf("remove unpacked layers of %s: %w", owner, err)
	}
	return nil
}
