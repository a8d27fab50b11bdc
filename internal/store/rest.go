package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Rest gives memory back that idle connections keep: pages of the file, which the system has in its own cache as well. Reading goes on
// meanwhile; it is worth calling when little does.
func (db *DB) Rest(ctx context.Context) error {
	return errors.Join(shrink(ctx, db.write), shrink(ctx, db.read))
}

// shrink empties the caches of a pool's idle connections. All are held at once, or the same one would be given out again and again.
func shrink(ctx context.Context, pool *sql.DB) (err error) {
	for range pool.Stats().Idle {
		c, cerr := pool.Conn(ctx)
		if cerr != nil {
			return fmt.Errorf("empty the caches of the database: %w", cerr)
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		if _, err := c.ExecContext(ctx, `PRAGMA shrink_memory`); err != nil {
			return fmt.Errorf("empty the caches of the database: %w", err)
		}
	}
	return nil
}
