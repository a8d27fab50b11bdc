package store_test

import (
	"testing"

	"slipway.dev/slipway/internal/store"
)

// Watchers wake at a commit, but not at one that nobody waits for.
func TestWatchersWake(t *testing.T) {
	db := open(t)
	woken := func(fn func(*store.Tx) error) bool {
		changed := db.Changed()
		update(t, db, fn)
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	put := func(tx *store.Tx) error { return tx.PutSetting("a", "b") }
	if !woken(put) {
		t.Error("nobody wakes at a commit")
	}
	if woken(func(tx *store.Tx) error { tx.Quiet(); return put(tx) }) {
		t.Error("somebody wakes at a quiet commit")
	}
}
