package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"slipway.dev/slipway/internal/store"
)

func TestAtCommit(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	put := func(ctx context.Context, name string, outcome error) error {
		return db.Update(ctx, func(tx *store.Tx) error { return errors.Join(tx.PutSetting(name, "x"), outcome) })
	}
	has := func(name string) (found bool) {
		err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			_, found, err = tx.Setting(name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	refused := errors.New("refused")
	runs := 0
	hook := func(tx *store.Tx) error { runs++; return tx.PutSetting("hook", "x") }

	t.Run("a change that is refused leaves nothing", func(t *testing.T) {
		ctx, committed := store.AtCommit(t.Context(), hook)
		if err := put(ctx, "a", refused); !errors.Is(err, refused) || committed() || has("hook") {
			t.Errorf("%v, committed %v, hook %v", err, committed(), has("hook"))
		}
		if err := put(store.Apart(ctx), "beside", nil); err != nil || committed() || has("hook") || !has("beside") {
			t.Errorf("apart: %v, committed %v, hook %v", err, committed(), has("hook"))
		}
		if err := put(ctx, "b", nil); err != nil || !committed() || !has("hook") || !has("b") || has("a") {
			t.Errorf("%v, committed %v, hook %v", err, committed(), has("hook"))
		}
		if err := put(ctx, "c", nil); err != nil || runs != 1 {
			t.Errorf("%v, the hook ran %d times", err, runs)
		}
	})
	t.Run("a hook that fails undoes the change", func(t *testing.T) {
		ctx, committed := store.AtCommit(t.Context(), func(*store.Tx) error { return refused })
		if err := put(ctx, "d", nil); !errors.Is(err, refused) || committed() || has("d") {
			t.Errorf("%v, committed %v, change %v", err, committed(), has("d"))
		}
	})
}
