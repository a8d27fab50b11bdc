package image

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/store"
)

// touchAfter is how old a blob's last sign of use may be before a client that asks whether it exists renews it: the client
// will not upload it again and counts on it for the manifest it is about to push.
const touchAfter = time.Hour

func (g *registry) getBlob(w http.ResponseWriter, r *http.Request, c *call) error {
	if !validDigest(c.ref) {
		return answer{http.StatusBadRequest, "DIGEST_INVALID", "the registry knows sha256 digests only"}
	}
	held := g.leases.take(c.ref)
	defer held.release()
	if err := g.useBlob(r, c); err != nil {
		return err
	}
	f, err := g.common.open(c.ref)
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	h.Set("Docker-Content-Digest", c.ref)
	h.Set("ETag", `"`+c.ref+`"`)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

func (g *registry) useBlob(r *http.Request, c *call) error {
	var touched int64
	var found bool
	err := g.db.View(r.Context(), func(tx *store.Tx) (err error) {
		found, err = tx.Get(`SELECT touched_us FROM image_blobs WHERE repository_id = $1 AND digest = $2`, []any{c.repo.ID, c.ref}, &touched)
		return err
	})
	if err != nil {
		return err
	}
	if !found {
		return answer{http.StatusNotFound, "BLOB_UNKNOWN", "the repository has no blob " + c.ref}
	}
	now := g.now()
	if r.Method != http.MethodHead || now.Sub(store.Time(touched)) < touchAfter {
		return nil
	}
	return g.db.Update(r.Context(), func(tx *store.Tx) error {
		return tx.Exec(`UPDATE image_blobs SET touched_us = $1 WHERE repository_id = $2 AND digest = $3`, store.Micros(now), c.repo.ID, c.ref)
	})
}

// deleteBlob takes a blob out of a repository, unless an image there needs it.
func (g *registry) deleteBlob(w http.ResponseWriter, r *http.Request, c *call) error {
	err := g.db.Update(r.Context(), func(tx *store.Tx) error {
		var one int
		used, err := tx.Get(`SELECT 1 FROM image_manifest_refs WHERE repository_id = $1 AND digest = $2 LIMIT 1`, []any{c.repo.ID, c.ref}, &one)
		if err != nil {
			return err
		}
		if used {
			return answer{http.StatusMethodNotAllowed, "UNSUPPORTED", "an image of the repository needs this blob"}
		}
		n, err := tx.ExecCount(`DELETE FROM image_blobs WHERE repository_id = $1 AND digest = $2`, c.repo.ID, c.ref)
		if err == nil && n == 0 {
			err = answer{http.StatusNotFound, "BLOB_UNKNOWN", "the repository has no such blob"}
		}
		return err
	})
	if err == nil {
		w.WriteHeader(http.StatusAccepted)
	}
	return err
}

// startBlob begins an upload, takes a whole blob at once (digest given), or shows one of another repository (mount given).
func (g *registry) startBlob(w http.ResponseWriter, r *http.Request, c *call) error {
	q := r.URL.Query()
	if mount := q.Get("mount"); mount != "" && q.Get("from") != "" {
		done, err := g.mount(r, c, mount, q.Get("from"))
		if err != nil {
			return err
		}
		if done {
			return blobCreated(w, c, mount)
		}
	}
	id, err := g.startUpload(c.repo)
	if err != nil {
		return err
	}
	c.ref = id
	if q.Get("digest") != "" {
		return g.finishBlob(w, r, c)
	}
	w.Header().Set("Content-Length", "0")
	return uploadState(w, c, 0, http.StatusAccepted)
}

// mount shows a blob of one repository in another of the same account and region. Where it cannot, the client uploads.
func (g *registry) mount(r *http.Request, c *call, digest, from string) (done bool, err error) {
	ctx := r.Context()
	if !validDigest(digest) || !validRepository(from) {
		return false, nil
	}
	source, err := g.repository(ctx, c.scope, from)
	if isCode(err, CodeRepositoryNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if g.may(ctx, c.principal, "ecr:GetDownloadUrlForLayer", source.ARN(), source.Policy) != nil {
		return false, nil //nolint:nilerr // no right to read there means: upload it
	}
	held := g.leases.take(digest)
	defer held.release()
	err = g.db.Update(ctx, func(tx *store.Tx) error {
		size, found, err := linkedBlob(tx, source, digest)
		if err != nil || !found {
			return err
		}
		done = true
		return g.linkBlob(tx, c.repo, digest, size)
	})
	return done && err == nil, err
}

func blobCreated(w http.ResponseWriter, c *call, digest string) error {
	w.Header().Set("Location", location(c, "blobs", digest))
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
	return nil
}

// uploadState tells where to send the rest and how much has arrived.
func uploadState(w http.ResponseWriter, c *call, size int64, status int) error {
	h := w.Header()
	h.Set("Location", location(c, "blobs/uploads", c.ref))
	h.Set("Docker-Upload-Uuid", c.ref)
	h.Set("Range", "0-"+strconv.FormatInt(max(size-1, 0), 10))
	w.WriteHeader(status)
	return nil
}

func (g *registry) uploadStatus(w http.ResponseWriter, _ *http.Request, c *call) error {
	return g.withUpload(c.repo, c.ref, func(u *upload) error {
		return uploadState(w, c, u.size, http.StatusNoContent)
	})
}

func (g *registry) uploadPart(w http.ResponseWriter, r *http.Request, c *call) error {
	return g.withUpload(c.repo, c.ref, func(u *upload) error {
		if err := g.receive(w, r, c, u); err != nil {
			return err
		}
		return uploadState(w, c, u.size, http.StatusAccepted)
	})
}

var contentRange = pattern.Of(`^(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/.*)?$`)

// receive adds a request's body to an upload. A part that says where it belongs must fit what is there.
func (g *registry) receive(w http.ResponseWriter, r *http.Request, c *call, u *upload) error {
	if text := r.Header.Get("Content-Range"); text != "" {
		m := contentRange.FindStringSubmatch(text)
		if m == nil {
			return answer{http.StatusBadRequest, "BLOB_UPLOAD_INVALID", "the Content-Range is not valid"}
		}
		start, _ := strconv.ParseInt(m[1], 10, 64) // 18 digits fit
		end, _ := strconv.ParseInt(m[2], 10, 64)
		if start != u.size || end < start-1 || r.ContentLength >= 0 && end-start+1 != r.ContentLength {
			w.Header().Set("Location", location(c, "blobs/uploads", c.ref))
			w.Header().Set("Range", "0-"+strconv.FormatInt(max(u.size-1, 0), 10))
			return answer{http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID", fmt.Sprintf("the upload has %d bytes, the part begins at %d", u.size, start)}
		}
	}
	return u.add(r.Context(), r.Body, g.limits.BlobBytes)
}

func (g *registry) finishBlob(w http.ResponseWriter, r *http.Request, c *call) error {
	digest := r.URL.Query().Get("digest")
	err := g.withUpload(c.repo, c.ref, func(u *upload) error {
		if err := g.receive(w, r, c, u); err != nil {
			return err
		}
		return g.finishUpload(r.Context(), c.repo, u, digest)
	})
	if err != nil {
		return err
	}
	return blobCreated(w, c, digest)
}

func (g *registry) cancelBlob(w http.ResponseWriter, _ *http.Request, c *call) error {
	return g.withUpload(c.repo, c.ref, func(u *upload) error {
		g.dropUpload(u)
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}
