package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"slipway.dev/slipway/internal/store"
)

// A vault holds the copies of images that belong to one owner alone, encrypted with a data key that only the owner's KMS key opens. It is a
// directory of its own, named after its data key: an owner that comes back after all was let go gets another.

func vaultKey(owner string) string { return "vault/" + owner }

func (s *Store) vaultDir(id string) string { return filepath.Join(s.dir, "vaults", id) }

// openVault opens the vault of an owner, making it when it is missing.
func (s *Store) openVault(ctx context.Context, owner, kmsKey string) (shelf, error) {
	if s.cfg.Keys == nil {
		return shelf{}, errors.New("there is no keyring")
	}
	key, id, err := s.dataKey(ctx, vaultKey(owner), kmsKey)
	if err != nil {
		return shelf{}, err
	}
	dir := s.vaultDir(id)
	return shelf{dir, key}, os.MkdirAll(dir, 0o700)
}

// PinSealed is Pin with a copy of the image that is the owner's alone, encrypted under the KMS key of that ARN. The image that it was made
// from is let go of, unless somebody else pins it. It fails as Pin does, or because the key cannot be used.
func (s *Store) PinSealed(ctx context.Context, owner, digest, kmsKey string) error {
	held := s.leases.take(digest, vaultKey(owner))
	defer held.release()
	if _, sealed, err := s.sealedRefs(ctx, owner, digest); err != nil || sealed {
		return err
	}
	needs, err := s.touch(ctx, digest)
	if err != nil {
		return fmt.Errorf("keep image: %w", err)
	}
	held.add(needs.Blobs...)
	vault, err := s.openVault(ctx, owner, kmsKey)
	if err != nil {
		return fmt.Errorf("keep image: %w", err)
	}
	for _, blob := range needs.Blobs {
		if err := s.copyInto(ctx, vault, blob); err != nil {
			return fmt.Errorf("keep image: %w", err)
		}
	}
	body, err := json.Marshal(needs)
	if err != nil {
		return err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`INSERT INTO image_sealed (owner, digest, refs) VALUES ($1, $2, $3) ON CONFLICT (owner, digest) DO NOTHING`, owner, digest, string(body)); err != nil {
			return err
		}
		return s.letGo(tx, digest)
	})
	if err != nil {
		return fmt.Errorf("keep image: %w", err)
	}
	s.poke(s.released)
	return nil
}

// copyInto copies a blob into a vault, where it is not there already.
func (s *Store) copyInto(ctx context.Context, vault shelf, digest string) error {
	if vault.has(digest) {
		return nil
	}
	from, err := s.common.open(digest)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := vault.newWriter(s.tmpDir(), s.limits.BlobBytes)
	if err != nil {
		return err
	}
	defer to.abort()
	if _, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{contextReader{ctx, from}}, make([]byte, 128<<10)); err != nil {
		return err
	}
	_, err = to.commit(digest)
	return err
}

// Kept returns an image that is pinned for an owner, as Get does. An image that is sealed for the owner needs its KMS key each time, whether
// or not it is unpacked.
func (s *Store) Kept(ctx context.Context, owner, digest string) (Image, error) {
	held := s.leases.take(vaultKey(owner))
	defer held.release()
	_, sealed, err := s.sealedRefs(ctx, owner, digest)
	if err != nil {
		return Image{}, fmt.Errorf("get image %s: %w", digest, err)
	}
	if !sealed {
		return s.Get(ctx, digest)
	}
	key, id, err := s.openDataKey(ctx, vaultKey(owner))
	if err != nil {
		return Image{}, fmt.Errorf("get image %s: %w", digest, err)
	}
	return s.unpacked(ctx, shelf{s.vaultDir(id), key}, digest, held)
}

// sealedRefs is what a sealed image of an owner needs.
func (s *Store) sealedRefs(ctx context.Context, owner, digest string) (r refs, found bool, err error) {
	var body string
	err = s.db.View(ctx, func(tx *store.Tx) error {
		found, err = tx.Get(`SELECT refs FROM image_sealed WHERE owner = $1 AND digest = $2`, []any{owner, digest}, &body)
		return err
	})
	if err == nil && found {
		r, err = parseRefs(body)
	}
	return r, found, err
}

// unseal forgets sealed images of an owner, and with the last of them the key that opens the vault.
func unseal(tx *store.Tx, owner string, digests []string) error {
	for _, d := range digests {
		if err := tx.Exec(`DELETE FROM image_sealed WHERE owner = $1 AND digest = $2`, owner, d); err != nil {
			return err
		}
	}
	return tx.Exec(`DELETE FROM image_keys WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM image_sealed WHERE owner = $2)`, keyRow(vaultKey(owner)), owner)
}

// sealedMarks is what sealed images refer to: blobs by vault, and layers.
func sealedMarks(tx *store.Tx, blobs map[string]map[string]bool, layers map[string]bool) error {
	return tx.Each(`SELECT owner, refs FROM image_sealed`, nil, func(row store.Row) error {
		var owner, body string
		if err := row.Scan(&owner, &body); err != nil {
			return err
		}
		r, err := parseRefs(body)
		if blobs[owner] == nil {
			blobs[owner] = map[string]bool{}
		}
		for _, d := range r.Blobs {
			blobs[owner][digestHex(d)] = true
		}
		for _, d := range r.Layers {
			layers[d] = true
		}
		return err
	})
}

// sweepVaults removes what nothing refers to in the vaults, and those whose key is gone.
func (s *Store) sweepVaults(ctx context.Context, marked map[string]map[string]bool) error {
	for owner, blobs := range marked {
		sealed, found, err := s.sealedKey(ctx, vaultKey(owner))
		if err == nil && found {
			err = s.leases.sweep(vaultKey(owner), func() error { return removeOthers(s.vaultDir(keyID(sealed)), blobs) })
		}
		if err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "vaults"))
	if err != nil || len(entries) == 0 {
		return err
	}
	known, err := s.vaultIDs(ctx) // after the directories: a vault has its key before it is made
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !known[e.Name()] {
			if err := os.RemoveAll(s.vaultDir(e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// vaultIDs are the vaults whose keys are there.
func (s *Store) vaultIDs(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT value FROM image_keys WHERE name LIKE $1`, []any{keyRow(vaultKey("%"))}, func(row store.Row) error {
			var value string
			if err := row.Scan(&value); err != nil {
				return err
			}
			sealed, err := readSealed(value)
			ids[keyID(sealed)] = true
			return err
		})
	})
	return ids, err
}

// removeOthers removes the files of a directory that are not named.
func removeOthers(dir string, names map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !names[e.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
