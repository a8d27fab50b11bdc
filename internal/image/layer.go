package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image/layertar"
	"slipway.dev/slipway/internal/store"
)

// Layer is one unpacked layer: a directory shared by all images and instances that have it. Nobody may write to it.
type Layer struct {
	DiffID string // digest of the uncompressed tar
	Dir    string // absolute
}

func (s *Store) layerDir(diffID string) string {
	return filepath.Join(s.dir, "layers", digestHex(diffID))
}

func (s *Store) hasLayer(diffID string) bool {
	_, err := os.Lstat(s.layerDir(diffID))
	return err == nil
}

// unpackLayer makes the tree of a layer out of its blob, once however many ask. The caller holds leases on both.
func (s *Store) unpackLayer(ctx context.Context, from shelf, blob, diffID string) error {
	if s.hasLayer(diffID) {
		return nil
	}
	return s.shared.do(ctx, layerKey(diffID), func(ctx context.Context) error {
		if s.hasLayer(diffID) {
			return nil
		}
		// The flight may outlive the caller whose leases protect it.
		held := s.leases.take(layerKey(diffID), blob)
		defer held.release()
		f, err := from.open(blob)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := s.unpackStream(ctx, f, diffID); err != nil {
			return layerFailure(blob, err)
		}
		return nil
	})
}

// layerFailure says which layer an error is about.
func layerFailure(blob string, err error) error {
	var own *apprunner.Error
	if !errors.As(err, &own) {
		return fmt.Errorf("unpack layer %s: %w", blob, err)
	}
	e := *own
	e.Message = "Layer " + blob + " of the image was refused: " + own.Message
	return &e
}

func (s *Store) unpackStream(ctx context.Context, compressed io.Reader, diffID string) error {
	plain, err := layertar.Decompress(compressed)
	if err != nil {
		return err
	}
	defer plain.Close()
	hash := sha256.New()
	dir, got, err := s.unpackTemp(ctx, io.TeeReader(plain, hash))
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // has no effect once it was adopted
	if sum := sumDigest(hash); sum != diffID {
		return refuse("its content is %s, the image's configuration promises %s", sum, diffID)
	}
	return s.adoptLayer(ctx, dir, diffID, got)
}

// unpackTemp unpacks into a fresh directory that is not a layer yet.
func (s *Store) unpackTemp(ctx context.Context, plain io.Reader) (dir string, got layertar.Size, err error) {
	dir, err = os.MkdirTemp(s.tmpDir(), "layer-")
	if err != nil {
		return "", layertar.Size{}, fmt.Errorf("make a temporary directory: %w", err)
	}
	// MkdirTemp keeps others out; an overlay shows this mode as that of its root. Config.Dir keeps others out as well.
	err = os.Chmod(dir, 0o755)
	if err == nil {
		got, err = layertar.Unpack(ctx, plain, dir, layertar.Limits{Bytes: s.limits.LayerBytes, Entries: s.limits.LayerEntries})
	}
	if err != nil {
		return "", layertar.Size{}, diskFull(errors.Join(err, os.RemoveAll(dir)))
	}
	return dir, got, nil
}

// adoptLayer makes an unpacked directory the layer of that diff id. Its files may still be on their way to the disk: until
// syncDisk has seen to that, the layer counts for this boot of the machine only.
func (s *Store) adoptLayer(ctx context.Context, dir, diffID string, got layertar.Size) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO image_layers (diff_id, bytes, entries, boot_id, created_us) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (diff_id) DO UPDATE SET bytes = excluded.bytes, entries = excluded.entries, boot_id = excluded.boot_id`,
			diffID, got.Bytes, got.Entries, s.bootID, store.Micros(s.now()))
	})
	if err != nil {
		return fmt.Errorf("record layer %s: %w", diffID, err)
	}
	err = os.Rename(dir, s.layerDir(diffID))
	if errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil // an Append and a pull made the same layer at the same time
	}
	if err != nil {
		return fmt.Errorf("name layer %s: %w", diffID, err)
	}
	s.poke(s.unsynced)
	return nil
}
