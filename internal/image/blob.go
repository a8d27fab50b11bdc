package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"slipway.dev/slipway/internal/apprunner"
)

// errDigest says that content is not what its digest promised.
var errDigest = errors.New("content does not match its digest")

func validDigest(d string) bool { return digestForm.MatchString(d) }

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func sumDigest(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

func digestHex(d string) string { return strings.TrimPrefix(d, "sha256:") }

// shelf is a directory of blobs by digest, with the key they are encrypted with.
type shelf struct {
	dir    string
	sealer *sealer
}

func (h shelf) path(digest string) string { return filepath.Join(h.dir, digestHex(digest)) }

// has tells whether a blob is here. The caller holds a lease on it.
func (h shelf) has(digest string) bool {
	_, err := os.Stat(h.path(digest))
	return err == nil
}

func (h shelf) open(digest string) (*content, error) {
	f, err := os.Open(h.path(digest))
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", digest, err)
	}
	c, err := h.sealer.open(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open blob %s: %w", digest, err), f.Close())
	}
	return c, nil
}

// read reads a small blob (a manifest or config) whole.
func (h shelf) read(digest string, limit int64) ([]byte, error) {
	f, err := h.open(digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", digest, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("read blob %s: it is larger than %d bytes", digest, limit)
	}
	if digestOf(content) != digest {
		return nil, fmt.Errorf("read blob %s: %w", digest, errDigest)
	}
	return content, nil
}

// newWriter begins a blob in a temporary directory, which must be on the shelf's file system.
func (h shelf) newWriter(tmp string, limit int64) (*blobWriter, error) {
	f, err := os.CreateTemp(tmp, "blob-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	c, err := h.sealer.create(f)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return &blobWriter{shelf: h, limit: limit, file: c, hash: sha256.New()}, nil
}

// adopt makes a finished, synced and verified file the blob of that digest.
func (h shelf) adopt(file, digest string) error {
	path := h.path(digest)
	if err := os.Rename(file, path); err != nil {
		return fmt.Errorf("name blob %s: %w", digest, err)
	}
	return syncDir(filepath.Dir(path))
}

// writeBlob stores small content under its digest.
func (s *Store) writeBlob(content []byte) (digest string, err error) {
	w, err := s.newBlobWriter()
	if err != nil {
		return "", err
	}
	defer w.abort()
	if _, err := w.Write(content); err != nil {
		return "", err
	}
	return w.commit("")
}

// writeBlobSoon is writeBlob without waiting for the disk. The caller holds a lease on the digest.
func (s *Store) writeBlobSoon(ctx context.Context, content []byte) (digest string, err error) {
	w, err := s.newBlobWriter()
	if err != nil {
		return "", err
	}
	defer w.abort()
	if _, err := w.Write(content); err != nil {
		return "", err
	}
	return s.commitSoon(ctx, w)
}

// blobWriter takes the bytes of a blob, hashing them on the way. What was not committed leaves nothing behind.
type blobWriter struct {
	shelf shelf
	limit int64
	file  *content
	hash  hash.Hash
	size  int64
}

func (w *blobWriter) name() string { return w.file.file.Name() }

func (s *Store) newBlobWriter() (*blobWriter, error) {
	return s.common.newWriter(s.tmpDir(), s.limits.BlobBytes)
}

// Write appends to the blob; it fails when the blob grows beyond the limit.
func (w *blobWriter) Write(p []byte) (int, error) {
	if w.size+int64(len(p)) > w.limit {
		return 0, tooLarge("a blob", w.limit)
	}
	n, err := w.file.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	return n, writeFailure(err)
}

// writeFailure says that it is this machine's disk that failed, and not whoever sent the content.
func writeFailure(err error) error {
	var own *apprunner.Error
	if err = diskFull(err); err == nil || errors.As(err, &own) {
		return err
	}
	return apprunner.Errorf(apprunner.CodeInternal, "write image content: %w", err)
}

// commit gives the blob its name once it is on the disk. With a digest given, any other content is refused with errDigest.
func (w *blobWriter) commit(want string) (digest string, err error) {
	digest = sumDigest(w.hash)
	if want != "" && digest != want {
		return "", fmt.Errorf("%w: it should be %s and is %s", errDigest, want, digest)
	}
	err = errors.Join(w.file.file.Sync(), w.file.Close())
	if err != nil {
		return "", diskFull(fmt.Errorf("write blob %s: %w", digest, err))
	}
	return digest, w.shelf.adopt(w.name(), digest)
}

// abort removes what was written, unless it was committed.
func (w *blobWriter) abort() {
	w.file.Close()
	os.Remove(w.name()) // after a commit the name is gone already
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// contextReader ends a long copy when its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives inside one call
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// diskFull turns ENOSPC into the sentence an operator needs and leaves other errors alone.
func diskFull(err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return apprunner.Errorf(apprunner.CodeInternal, "the disk that keeps images is full: %w", err).
		WithHint("Free space or move the data directory to a larger disk, then deploy again.")
}

func refuse(format string, args ...any) error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
}

func tooLarge(what string, limit int64) error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "%s is larger than the limit of %d MiB", what, limit>>20)
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
