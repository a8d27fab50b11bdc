package kms

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// newMaterial gives a key its first or next material.
func (k *Keys) newMaterial(tx *store.Tx, key *Key) error {
	key.Material++
	material := make([]byte, materialBytes)
	rand.Read(material)
	return tx.Exec(`INSERT INTO kms_material (key_id, number, sealed, created) VALUES ($1, $2, $3, $4)`,
		key.ID, key.Material, k.root.lock(materialPurpose(key.ID, key.Material), material), store.Micros(k.now()))
}

// material opens one piece of a key's material. A piece that is not there is a ciphertext that was not made here.
func (k *Keys) material(tx *store.Tx, keyID string, number int) ([]byte, error) {
	var sealed string
	found, err := tx.Get(`SELECT sealed FROM kms_material WHERE key_id = $1 AND number = $2`, []any{keyID, number}, &sealed)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, badCiphertext()
	}
	material, err := k.root.open(materialPurpose(keyID, number), sealed)
	if err != nil {
		return nil, fmt.Errorf("open the material of key %s: %w", keyID, err)
	}
	return material, nil
}

// MaterialID names the material of a key that encrypts at present; it tells nothing about the material.
func (k Key) MaterialID() string { return materialID(k.ID, k.Material) }

func materialID(keyID string, number int) string {
	sum := sha256.Sum256(materialPurpose(keyID, number))
	return hex.EncodeToString(sum[:])
}

const (
	// DefaultRotation is how often material changes where nobody says how often, in days.
	DefaultRotation = 365
	// DefaultWindow, and the bounds of it: the days that a key waits for its deletion.
	DefaultWindow = 30
	minWindow     = 7
	maxWindow     = 30
)

// SetRotation has the material of a key changed every so many days, or never again.
func (k *Keys) SetRotation(ctx context.Context, sc apprunner.Scope, id string, on bool, days int) error {
	_, err := k.change(ctx, sc, id, func(_ *store.Tx, key *Key) error {
		if err := key.usable(); err != nil {
			return err
		}
		if !on {
			key.Rotation = Rotation{}
			return nil
		}
		if key.Rotation.On && key.Rotation.Days == days {
			return nil
		}
		key.Rotation = Rotation{On: true, Days: days, Next: k.now().UTC().AddDate(0, 0, days)}
		return nil
	})
	return err
}

// ScheduleDeletion has a key deleted after so many days, 7 to 30. It cannot be used from now on. It fails with CodeInvalidState when
// that was done already.
func (k *Keys) ScheduleDeletion(ctx context.Context, sc apprunner.Scope, id string, days int) (Key, error) {
	if days < minWindow || days > maxWindow {
		return Key{}, apprunner.Errorf(CodeValidation, "pendingWindowInDays %d must be between %d and %d.", days, minWindow, maxWindow)
	}
	return k.change(ctx, sc, id, func(_ *store.Tx, key *Key) error {
		key.State, key.DeletionAt = StatePendingDeletion, k.now().UTC().AddDate(0, 0, days)
		return nil
	})
}

// CancelDeletion keeps a key that was to be deleted; it is disabled then. It fails with CodeInvalidState for any other key.
func (k *Keys) CancelDeletion(ctx context.Context, sc apprunner.Scope, id string) (key Key, err error) {
	err = k.db.Update(ctx, func(tx *store.Tx) error {
		if key, err = findByID(tx, sc, id); err != nil {
			return err
		}
		if key.State != StatePendingDeletion {
			return apprunner.Errorf(CodeInvalidState, "%s is not pending deletion.", key.ARN())
		}
		key.State, key.DeletionAt = StateDisabled, time.Time{}
		return write(tx, key)
	})
	return key, err
}

// Sweep deletes the keys whose waiting time is over, with their material, aliases and grants, and changes the material of those whose
// time for that has come.
func (k *Keys) Sweep(ctx context.Context, now time.Time) error {
	ids, err := k.due(ctx, now)
	if err != nil || len(ids) == 0 {
		return err
	}
	return k.db.UpdateQuietly(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			if err := k.attend(tx, id, now); err != nil {
				return fmt.Errorf("attend to key %s: %w", id, err)
			}
		}
		return nil
	})
}

func (k *Keys) due(ctx context.Context, now time.Time) (ids []string, err error) {
	err = k.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT id FROM kms_keys WHERE due > 0 AND due <= $1`, []any{store.Micros(now)}, func(row store.Row) error {
			var id string
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	return ids, err
}

// attend does what is due about a key.
func (k *Keys) attend(tx *store.Tx, id string, now time.Time) error {
	key, found, err := byID(tx, id)
	if err != nil || !found || key.due().IsZero() || key.due().After(now) {
		return err
	}
	if key.State == StatePendingDeletion {
		return destroy(tx, id)
	}
	if err := k.newMaterial(tx, &key); err != nil {
		return err
	}
	key.Rotation.Next = now.UTC().AddDate(0, 0, key.Rotation.Days)
	return write(tx, key)
}

func destroy(tx *store.Tx, id string) error {
	for _, table := range []string{"kms_material", "kms_aliases", "kms_grants"} {
		if err := tx.Exec(`DELETE FROM `+table+` WHERE key_id = $1`, id); err != nil {
			return err
		}
	}
	return tx.Exec(`DELETE FROM kms_keys WHERE id = $1`, id)
}
