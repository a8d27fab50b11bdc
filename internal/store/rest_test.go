package store_test

import (
	"testing"

	"slipway.dev/slipway/internal/store"
)

// A database that rested reads and writes as before.
func TestRest(t *testing.T) {
	db := open(t)
	for range 3 {
		update(t, db, func(tx *store.Tx) error { return tx.PutSetting("a", "b") })
		if err := db.Rest(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got string
		err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			got, _, err = tx.Setting("a")
			return err
		})
		if err != nil || got != "b" {
			t.Errorf("%q, %v", got, err)
		}
	}
}
