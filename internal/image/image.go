package image

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"slipway.dev/slipway/internal/image/layertar"
	"slipway.dev/slipway/internal/store"
)

// Image is an image that is on this machine, unpacked.
type Image struct {
	Digest string // of the manifest for this platform
	// ReferenceDigest is what a pulled reference named: Digest, or the digest of an index that holds it. Automatic deployment
	// compares it (§8.1).
	ReferenceDigest string
	Config          ImageConfig
	Layers          []Layer // lowest first
	SizeBytes       int64   // as transferred, which is how ECR counts
}

// refs is what an image needs on disk.
type refs struct {
	Blobs  []string `json:"blobs"`
	Layers []string `json:"layers"`
}

func newRefs(found foundManifest, diffIDs []string) refs {
	r := refs{Blobs: slices.Clone(found.path), Layers: diffIDs}
	for _, d := range found.manifest.blobs() {
		r.Blobs = append(r.Blobs, d.Digest)
	}
	return r
}

// Get returns an image that was pulled or made here, by the digest of its manifest. Layers that were lost in a power failure
// are unpacked again. It fails with CodeImageNotFound when the image is not on this machine.
func (s *Store) Get(ctx context.Context, digest string) (Image, error) {
	held := s.leases.take(digest)
	defer held.release()
	needs, err := s.touch(ctx, digest)
	if err != nil {
		return Image{}, err
	}
	held.add(needs.Blobs...)
	return s.unpacked(ctx, s.common, digest, held)
}

// unpacked assembles an image whose blobs are on a shelf, and unpacks what is not.
func (s *Store) unpacked(ctx context.Context, from shelf, digest string, held *lease) (Image, error) {
	m, cfg, err := s.loadImage(from, digest)
	if err != nil {
		return Image{}, fmt.Errorf("get image %s: %w", digest, err)
	}
	for i, id := range cfg.RootFS.DiffIDs {
		held.add(layerKey(id))
		if err := s.unpackLayer(ctx, from, m.Layers[i].Digest, id); err != nil {
			return Image{}, fmt.Errorf("get image %s: %w", digest, err)
		}
	}
	return s.assemble(digest, m, cfg), nil
}

func (s *Store) loadImage(from shelf, digest string) (manifest, configFile, error) {
	body, err := from.read(digest, maxManifest)
	if err != nil {
		return manifest{}, configFile{}, err
	}
	m, err := parseManifest(body, "")
	if err != nil {
		return manifest{}, configFile{}, err
	}
	if m.index() {
		return manifest{}, configFile{}, refuse("%s is an index, not an image", digest)
	}
	cfg, err := s.loadConfig(from, m)
	return m, cfg, err
}

// touch notes that an image is wanted now and tells what it needs.
func (s *Store) touch(ctx context.Context, digest string) (refs, error) {
	var body string
	var found bool
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		found, err = tx.Get(`UPDATE image_images SET used_us = $1 WHERE digest = $2 RETURNING refs`,
			[]any{store.Micros(s.now()), digest}, &body)
		return err
	})
	if err != nil {
		return refs{}, fmt.Errorf("get image %s: %w", digest, err)
	}
	if !found {
		return refs{}, notThere(CodeImageNotFound, "The image %s is not on this machine.", clip(digest))
	}
	return parseRefs(body)
}

func parseRefs(body string) (refs, error) {
	var r refs
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return refs{}, fmt.Errorf("read an image's record: %w", err)
	}
	return r, nil
}

// remember records an image whose parts are all here, so that they stay.
func (s *Store) remember(ctx context.Context, digest string, r refs) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO image_images (digest, refs, used_us) VALUES ($1, $2, $3)
			ON CONFLICT (digest) DO UPDATE SET refs = excluded.refs, used_us = excluded.used_us`, digest, string(body), store.Micros(s.now()))
	})
	if err != nil {
		return fmt.Errorf("record image %s: %w", digest, err)
	}
	return nil
}

// assemble puts the words together.
func (s *Store) assemble(digest string, m manifest, cfg configFile) Image {
	img := Image{Digest: digest, ReferenceDigest: digest, Config: cfg.words(), SizeBytes: m.contentSize()}
	for _, id := range cfg.RootFS.DiffIDs {
		layer := Layer{DiffID: id, Dir: s.layerDir(id)}
		if layertar.Opaque(layer.Dir) {
			img.Layers = nil
		}
		img.Layers = append(img.Layers, layer)
	}
	return img
}

// Pin keeps an image on disk for an owner (a service, a deployment, a runtime) until Unpin. An owner may pin several.
// It fails with CodeImageNotFound when the image is not on this machine.
func (s *Store) Pin(ctx context.Context, owner, digest string) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		var one int
		found, err := tx.Get(`SELECT 1 FROM image_images WHERE digest = $1`, []any{digest}, &one)
		if err != nil {
			return err
		}
		if !found {
			return notThere(CodeImageNotFound, "The image %s is not on this machine.", clip(digest))
		}
		return tx.Exec(`INSERT INTO image_pins (owner, digest, pinned_us) VALUES ($1, $2, $3) ON CONFLICT (owner, digest) DO NOTHING`,
			owner, digest, store.Micros(s.now()))
	})
	if err != nil {
		return fmt.Errorf("pin image: %w", err)
	}
	return nil
}

// releaseGrace is how long an image stays that its last owner let go: an instance of it may just be ending, or somebody may have
// pulled it to pin it next. It is short, since what a user deletes is to be gone (§10.1).
const releaseGrace = 2 * time.Minute

// Unpin lets an owner's images go: those named, or all of them. What nobody pins then is removed two minutes later, or after
// Config.KeepUnused if that is less.
func (s *Store) Unpin(ctx context.Context, owner string, digests ...string) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if len(digests) == 0 {
			if err := tx.Each(`SELECT digest FROM image_pins WHERE owner = $1 UNION SELECT digest FROM image_sealed WHERE owner = $1`, []any{owner}, scanStrings(&digests)); err != nil {
				return err
			}
		}
		for _, d := range digests {
			if err := tx.Exec(`DELETE FROM image_pins WHERE owner = $1 AND digest = $2`, owner, d); err != nil {
				return err
			}
			if err := s.letGo(tx, d); err != nil {
				return err
			}
		}
		return unseal(tx, owner, digests)
	})
	if err != nil {
		return fmt.Errorf("unpin images of %s: %w", owner, err)
	}
	s.poke(s.released)
	return nil
}

// letGo has an image that nobody pins collected soon.
func (s *Store) letGo(tx *store.Tx, digest string) error {
	used := store.Micros(s.now().Add(min(releaseGrace, s.cfg.KeepUnused) - s.cfg.KeepUnused))
	return tx.Exec(`UPDATE image_images SET used_us = $1 WHERE digest = $2
		AND NOT EXISTS (SELECT 1 FROM image_pins WHERE image_pins.digest = image_images.digest)`, used, digest)
}

// Images lists the digests of all images on this machine, in order.
func (s *Store) Images(ctx context.Context) ([]string, error) {
	var digests []string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT digest FROM image_images ORDER BY digest`, nil, scanStrings(&digests))
	})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	return digests, nil
}
