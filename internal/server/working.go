package server

import (
	"context"
	"errors"
	"fmt"
	"os"

	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/store"
)

// dropWorkingFiles removes what was only there to run and to build from, when nothing runs and nothing is built any more: checkouts, and the
// unpacked images of services with keys of their own. All of it is made again when it is wanted (§24).
func (c Config) dropWorkingFiles(ctx context.Context) error {
	for _, dir := range []string{c.path("checkouts"), c.path("git", "mirrors"), c.path("git", "run")} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove working files: %w", err)
		}
	}
	db, err := store.Open(ctx, c.path("slipway.db"))
	if err != nil {
		return err
	}
	return errors.Join(image.RestAll(ctx, db, c.path("images")), db.Close())
}
