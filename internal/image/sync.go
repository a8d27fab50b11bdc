package image

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Content that comes from a client or another registry is on the disk before it has a name. What this machine makes itself
// (unpacked layers, the blobs of built images) gets its name at once, because a deployment waits for it, and reaches the disk
// a moment later; until then its record carries the id of this boot. Only a crash of the whole machine can lose it, and Open
// finds that out: such records of an earlier boot are not trusted.

// commitSoon is commit without waiting for the disk, for content this machine made itself.
func (s *Store) commitSoon(ctx context.Context, w *blobWriter) (digest string, err error) {
	digest = sumDigest(w.hash)
	if err := w.file.Close(); err != nil {
		return "", diskFull(fmt.Errorf("write blob %s: %w", digest, err))
	}
	return digest, s.adoptSoon(ctx, w.name(), digest)
}

// adoptSoon makes a finished file the blob of that digest without waiting for the disk. The caller holds a lease on it.
func (s *Store) adoptSoon(ctx context.Context, file, digest string) error {
	if s.common.has(digest) {
		return os.Remove(file)
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO image_unsynced (digest, boot_id) VALUES ($1, $2) ON CONFLICT (digest) DO UPDATE SET boot_id = excluded.boot_id`, digest, s.bootID)
	})
	if err != nil {
		return fmt.Errorf("record blob %s: %w", digest, err)
	}
	if err := os.Rename(file, s.common.path(digest)); err != nil {
		return fmt.Errorf("name blob %s: %w", digest, err)
	}
	s.poke(s.unsynced)
	return nil
}

// syncDisk makes sure that all that has a name so far survives a power failure.
func (s *Store) syncDisk(ctx context.Context) error {
	var layers, blobs []string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		if err := tx.Each(`SELECT diff_id FROM image_layers WHERE boot_id <> ''`, nil, scanStrings(&layers)); err != nil {
			return err
		}
		return tx.Each(`SELECT digest FROM image_unsynced`, nil, scanStrings(&blobs))
	})
	if err != nil || len(layers)+len(blobs) == 0 {
		return err
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("sync images: %w", err)
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, id := range layers {
			if err := tx.Exec(`UPDATE image_layers SET boot_id = '' WHERE diff_id = $1`, id); err != nil {
				return err
			}
		}
		for _, digest := range blobs {
			if err := tx.Exec(`DELETE FROM image_unsynced WHERE digest = $1`, digest); err != nil {
				return err
			}
		}
		return nil
	})
}

// recoverBlobs reads what an earlier boot may not have brought to the disk. What is damaged goes, and with it the images that
// need it: to their owners they are images that are not on this machine.
func (s *Store) recoverBlobs(ctx context.Context) error {
	var doubtful []string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT digest FROM image_unsynced WHERE boot_id <> $1`, []any{s.bootID}, scanStrings(&doubtful))
	})
	if err != nil || len(doubtful) == 0 {
		return err
	}
	for _, digest := range doubtful {
		if s.intact(digest) {
			continue
		}
		if err := os.Remove(s.common.path(digest)); err != nil && !missing(err) {
			return fmt.Errorf("remove a damaged blob: %w", err)
		}
		s.log.WarnContext(ctx, "a blob was lost when the machine stopped", "digest", digest)
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		if err := s.forgetBroken(tx); err != nil {
			return err
		}
		for _, digest := range doubtful {
			if err := tx.Exec(`DELETE FROM image_unsynced WHERE digest = $1`, digest); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) intact(digest string) bool {
	f, err := s.common.open(digest)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && sumDigest(h) == digest
}

// forgetBroken drops the records of images that lack a blob.
func (s *Store) forgetBroken(tx *store.Tx) error {
	var broken []string
	err := tx.Each(`SELECT digest, refs FROM image_images`, nil, func(row store.Row) error {
		var digest, body string
		if err := row.Scan(&digest, &body); err != nil {
			return err
		}
		r, err := parseRefs(body)
		for _, blob := range r.Blobs {
			if !s.common.has(blob) {
				broken = append(broken, digest)
				break
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, digest := range broken {
		if err := tx.Exec(`DELETE FROM image_images WHERE digest = $1`, digest); err != nil {
			return err
		}
	}
	return nil
}

// recoverLayers brings directories and records together after a start: a layer counts when it has both, and was synced or
// unpacked in this boot. Everything else is unpacked again when it is wanted.
func (s *Store) recoverLayers(ctx context.Context) error {
	known := map[string]bool{}
	var drop []string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT diff_id, boot_id FROM image_layers`, nil, func(row store.Row) error {
			var id, boot string
			if err := row.Scan(&id, &boot); err != nil {
				return err
			}
			if (boot == "" || boot == s.bootID) && s.hasLayer(id) {
				known[digestHex(id)] = true
			} else {
				drop = append(drop, id)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("read the layers: %w", err)
	}
	if err := s.removeUnknownLayers(known); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, id := range drop {
			if err := tx.Exec(`DELETE FROM image_layers WHERE diff_id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) removeUnknownLayers(known map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "layers"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if known[e.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, "layers", e.Name())); err != nil {
			return fmt.Errorf("remove an unfinished layer: %w", err)
		}
	}
	return nil
}

// bootID tells this boot of the machine from every other; it changes at each call where the kernel does not say, so that
// nothing unsynced is ever trusted.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return apprunner.NewUUID()
	}
	return strings.TrimSpace(string(id))
}
