package image

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/store"
)

// uploads are the unfinished pushes of blobs. The bytes are files in uploads/, named <repository id>.<upload id>; how far the
// hash has come is kept in memory and made again after a restart.
type uploads struct {
	mu   sync.Mutex
	open map[string]*upload // by file name
}

func newUploads() *uploads { return &uploads{open: map[string]*upload{}} }

// upload is one unfinished blob. Only who holds busy may use the rest.
type upload struct {
	busy   sync.Mutex
	path   string
	sealer *sealer
	hash   hash.Hash
	size   int64
	gone   bool
}

var uploadIDForm = pattern.Of(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (s *Store) uploadPath(repo Repository, id string) string {
	return filepath.Join(s.dir, "uploads", repo.ID+"."+id)
}

// startUpload makes an empty upload.
func (s *Store) startUpload(repo Repository) (id string, err error) {
	id = apprunner.NewUUID()
	f, err := os.OpenFile(s.uploadPath(repo, id), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", diskFull(fmt.Errorf("start an upload: %w", err))
	}
	_, err = s.common.sealer.create(f)
	return id, errors.Join(err, f.Close())
}

func noUpload(repo Repository, id string) error {
	return notThere(CodeUploadNotFound, "The upload '%s' does not exist in the repository '%s' of the registry with id '%s'", clip(id), repo.Name, repo.Scope.Account)
}

// withUpload lets fn alone use an upload. It fails with CodeUploadNotFound, and at once when another request is using it.
func (s *Store) withUpload(repo Repository, id string, fn func(*upload) error) error {
	if !uploadIDForm.MatchString(id) {
		return noUpload(repo, id)
	}
	path := s.uploadPath(repo, id)
	s.uploads.mu.Lock()
	u := s.uploads.open[path]
	if u == nil {
		u = &upload{path: path, sealer: s.common.sealer}
		s.uploads.open[path] = u
	}
	s.uploads.mu.Unlock()
	if !u.busy.TryLock() {
		return apprunner.Errorf(CodeInvalidLayerPart, "another request is writing to the upload '%s'", id)
	}
	defer u.busy.Unlock()
	if err := u.load(); err != nil {
		s.dropUpload(u)
		if missing(err) {
			return noUpload(repo, id)
		}
		return err
	}
	return fn(u)
}

// load reads the state of an upload from its file when this process has not seen it yet.
func (u *upload) load() error {
	if u.gone {
		return os.ErrNotExist
	}
	if u.hash != nil {
		return nil
	}
	f, err := u.open(os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return fmt.Errorf("read an unfinished upload: %w", err)
	}
	u.hash, u.size = h, n
	return nil
}

// open opens the file for its content.
func (u *upload) open(flag int) (*content, error) {
	f, err := os.OpenFile(u.path, flag, 0)
	if err != nil {
		return nil, err
	}
	c, err := u.sealer.open(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// dropUpload forgets an upload and its file. The caller holds busy.
func (s *Store) dropUpload(u *upload) {
	u.gone = true
	os.Remove(u.path) // what cannot be removed now is swept later
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	delete(s.uploads.open, u.path)
}

// add appends what r has. What arrived before r failed stays, and the client can go on from there.
func (u *upload) add(ctx context.Context, r io.Reader, limit int64) error {
	f, err := u.open(os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.truncate(u.size); err != nil { // bytes that were written and not counted
		return err
	}
	if _, err := f.Seek(u.size, io.SeekStart); err != nil {
		return err
	}
	w := &uploadWriter{u, f, limit}
	_, err = io.CopyBuffer(w, struct{ io.Reader }{contextReader{ctx, r}}, make([]byte, 128<<10))
	return err
}

type uploadWriter struct {
	u     *upload
	f     *content
	limit int64
}

// Write implements io.Writer.
func (w *uploadWriter) Write(p []byte) (int, error) {
	if w.u.size+int64(len(p)) > w.limit {
		return 0, apprunner.Errorf(CodeLimitExceeded, "the layer is larger than the limit of %d MiB", w.limit>>20)
	}
	n, err := w.f.Write(p)
	w.u.hash.Write(p[:n])
	w.u.size += int64(n)
	return n, writeFailure(err)
}

// finishUpload makes the upload a blob of the repository. Content that does not match digest is thrown away with
// CodeInvalidLayer.
func (s *Store) finishUpload(ctx context.Context, repo Repository, u *upload, digest string) error {
	if !validDigest(digest) {
		return apprunner.Errorf(CodeInvalidLayer, "%q is not a sha256 digest", clip(digest))
	}
	if got := sumDigest(u.hash); got != digest {
		s.dropUpload(u)
		return apprunner.Errorf(CodeInvalidLayer, "the content is %s and not %s", got, digest)
	}
	held := s.leases.take(digest)
	defer held.release()
	if err := syncFile(u.path); err != nil {
		return diskFull(err)
	}
	if err := s.common.adopt(u.path, digest); err != nil {
		return err
	}
	size := u.size
	s.dropUpload(u)
	return s.linkNew(ctx, repo, digest, size)
}

// linkNew makes a blob that is here visible in a repository, if that still exists.
func (s *Store) linkNew(ctx context.Context, repo Repository, digest string, size int64) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		now, err := getRepository(tx, repo.Scope, repo.Name)
		if err != nil {
			return err
		}
		return s.linkBlob(tx, now, digest, size)
	})
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// sweepUploads removes uploads nobody has written to for Config.UploadExpiry.
func (s *Store) sweepUploads(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "uploads"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || s.now().Sub(info.ModTime()) < s.cfg.UploadExpiry {
			continue
		}
		s.expireUpload(filepath.Join(s.dir, "uploads", e.Name()))
	}
	return ctx.Err()
}

func (s *Store) expireUpload(path string) {
	s.uploads.mu.Lock()
	u := s.uploads.open[path]
	s.uploads.mu.Unlock()
	if u == nil {
		u = &upload{path: path}
	}
	if !u.busy.TryLock() {
		return
	}
	defer u.busy.Unlock()
	s.dropUpload(u)
}
