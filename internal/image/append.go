package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image/layertar"
	"slipway.dev/slipway/internal/store"
)

// Append makes a new image of a base and one more layer. layerTar is the layer as an uncompressed OCI tar, read once: it is
// hashed, unpacked and stored in the same pass, and stays uncompressed, so that the image can run at once. mutate, which may be
// nil, changes the configuration. A base of Image{} starts from nothing.
func (s *Store) Append(ctx context.Context, base Image, layerTar io.Reader, mutate func(*ImageConfig)) (Image, error) {
	img, err := s.appendLayer(ctx, base, layerTar, mutate, false)
	if err != nil {
		return Image{}, fmt.Errorf("add a layer: %w", err)
	}
	return img, nil
}

// ImportRootfs makes an image of one layer out of a whole root file system: a directory, or a tar, plain or compressed. It is
// how runtime base images come in.
func (s *Store) ImportRootfs(ctx context.Context, path string, cfg ImageConfig) (Image, error) {
	plain, err := openRootfs(ctx, path)
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", path, err)
	}
	defer plain.Close()
	img, err := s.appendLayer(ctx, Image{}, plain, func(c *ImageConfig) { *c = cfg }, true)
	if err != nil {
		return Image{}, fmt.Errorf("import %s: %w", path, err)
	}
	return img, nil
}

func openRootfs(ctx context.Context, path string) (io.ReadCloser, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		r, w := io.Pipe()
		go func() { w.CloseWithError(layertar.Write(ctx, path, tar.NewWriter(w))) }()
		return r, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	plain, err := layertar.Decompress(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &bothClosed{plain, f}, nil
}

type bothClosed struct {
	io.ReadCloser
	file *os.File
}

// Close implements io.Closer.
func (b *bothClosed) Close() error { return errors.Join(b.ReadCloser.Close(), b.file.Close()) }

func (s *Store) appendLayer(ctx context.Context, base Image, layerTar io.Reader, mutate func(*ImageConfig), compress bool) (Image, error) {
	held := s.leases.take()
	defer held.release()
	below, err := s.baseParts(ctx, base, held)
	if err != nil {
		return Image{}, err
	}
	layer, diffID, err := s.storeLayer(ctx, layerTar, held, compress)
	if err != nil {
		return Image{}, err
	}
	words := below.words
	if mutate != nil {
		mutate(&words)
	}
	config, err := extendConfig(below.config, s.cfg.Architecture, diffID, words, s.now().UTC())
	if err != nil {
		return Image{}, err
	}
	return s.storeImage(ctx, append(below.layers, layer), config, held)
}

// parts is what a new image takes over from its base.
type parts struct {
	words  ImageConfig
	config []byte // nil: none
	layers []descriptor
}

func (s *Store) baseParts(ctx context.Context, base Image, held *lease) (parts, error) {
	if base.Digest == "" {
		return parts{}, nil
	}
	held.add(base.Digest)
	needs, err := s.touch(ctx, base.Digest)
	if err != nil {
		return parts{}, err
	}
	held.add(needs.Blobs...)
	for _, id := range needs.Layers {
		held.add(layerKey(id))
	}
	m, cfg, err := s.loadImage(s.common, base.Digest)
	if err != nil {
		return parts{}, err
	}
	config, err := s.common.read(m.Config.Digest, maxConfig)
	if err != nil {
		return parts{}, err
	}
	p := parts{words: cfg.words(), config: config}
	for _, l := range m.Layers {
		p.layers = append(p.layers, descriptor{MediaType: ociLayerType(l.MediaType), Digest: l.Digest, Size: l.Size})
	}
	return p, nil
}

// ociLayerType is OCI's word for a layer type, since the new image is in OCI's form throughout.
func ociLayerType(mediaType string) string {
	switch {
	case strings.HasSuffix(mediaType, "gzip"):
		return mediaOCILayer + "+gzip"
	case strings.HasSuffix(mediaType, "zstd"):
		return mediaOCILayer + "+zstd"
	}
	return mediaOCILayer
}

// storeLayer reads a layer tar once, and leaves it as a blob and as an unpacked layer.
func (s *Store) storeLayer(ctx context.Context, layerTar io.Reader, held *lease, compress bool) (descriptor, string, error) {
	blob, err := s.newBlobWriter()
	if err != nil {
		return descriptor{}, "", err
	}
	defer blob.abort()
	sink := layerSink{blob: blob, mediaType: mediaOCILayer, close: func() error { return nil }, plain: blob}
	diff := sha256.New()
	if compress {
		zw, err := zstd.NewWriter(blob, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return descriptor{}, "", err
		}
		sink = layerSink{blob: blob, mediaType: mediaOCILayer + "+zstd", close: zw.Close, plain: io.MultiWriter(diff, zw)}
	}
	dir, got, err := s.unpackTemp(ctx, io.TeeReader(layerTar, sink.plain))
	if err == nil {
		err = sink.close()
	}
	if err != nil {
		return descriptor{}, "", err
	}
	defer os.RemoveAll(dir) // has no effect once it was adopted
	digest := sumDigest(blob.hash)
	diffID := digest
	if compress {
		diffID = sumDigest(diff)
	}
	held.add(digest, layerKey(diffID))
	if _, err := s.commitSoon(ctx, blob); err != nil {
		return descriptor{}, "", err
	}
	if !s.hasLayer(diffID) {
		if err := s.adoptLayer(ctx, dir, diffID, got); err != nil {
			return descriptor{}, "", err
		}
	}
	return descriptor{MediaType: sink.mediaType, Digest: digest, Size: blob.size}, diffID, nil
}

// layerSink is where the bytes of a new layer go beside the unpacker. The blob of an uncompressed layer has the layer's own
// digest, so it is hashed only once.
type layerSink struct {
	blob      *blobWriter
	plain     io.Writer
	mediaType string
	close     func() error
}

func (s *Store) storeImage(ctx context.Context, layers []descriptor, config []byte, held *lease) (Image, error) {
	held.add(digestOf(config))
	configDigest, err := s.writeBlobSoon(ctx, config)
	if err != nil {
		return Image{}, err
	}
	m := manifest{
		SchemaVersion: 2, MediaType: mediaOCIManifest, Layers: layers,
		Config: &descriptor{MediaType: mediaOCIConfig, Digest: configDigest, Size: int64(len(config))},
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Image{}, err
	}
	held.add(digestOf(body))
	digest, err := s.writeBlobSoon(ctx, body)
	if err != nil {
		return Image{}, err
	}
	cfg, err := parseConfig(config)
	if err != nil {
		return Image{}, err
	}
	if err := s.remember(ctx, digest, newRefs(foundManifest{manifest: m, path: []string{digest}}, cfg.RootFS.DiffIDs)); err != nil {
		return Image{}, err
	}
	return s.assemble(digest, m, cfg), nil
}

// Publish shows an image of this machine in a repository of the built-in registry, made when missing, without copying
// anything and without a push event. tag may be "".
func (s *Store) Publish(ctx context.Context, scope apprunner.Scope, repository, tag, digest string) error {
	held := s.leases.take(digest)
	defer held.release()
	needs, err := s.touch(ctx, digest)
	if err != nil {
		return err
	}
	held.add(needs.Blobs...)
	body, err := s.common.read(digest, maxManifest)
	if err != nil {
		return err
	}
	m, err := parseManifest(body, "")
	if err != nil {
		return err
	}
	repo, err := s.ensureRepository(ctx, scope, repository)
	if err != nil {
		return err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		for _, d := range m.blobs() {
			if err := s.linkBlob(tx, repo, d.Digest, d.Size); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, _, err = s.pushManifest(ctx, repo, body, pushOptions{tag: tag, quiet: true})
	return err
}
