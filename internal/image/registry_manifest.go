package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"slipway.dev/slipway/internal/store"
)

func (g *registry) getManifest(w http.ResponseWriter, r *http.Request, c *call) error {
	ctx := r.Context()
	if err := g.fillThrough(ctx, c.scope, c.name, c.ref); err != nil {
		return err
	}
	var row manifestRow
	err := g.db.View(ctx, func(tx *store.Tx) (err error) {
		row, err = findManifest(tx, c.repo, c.ref)
		return err
	})
	if err != nil {
		return err
	}
	body, err := g.common.read(row.digest, maxManifest)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Docker-Content-Digest", row.digest)
	h.Set("ETag", `"`+row.digest+`"`)
	h.Set("Content-Type", row.mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Header.Get("If-None-Match") == `"`+row.digest+`"` {
		h.Del("Content-Length")
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(body) // a client that went away has nobody to be told
	}
	return nil
}

func (g *registry) putManifest(w http.ResponseWriter, r *http.Request, c *call) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return answer{http.StatusRequestEntityTooLarge, "SIZE_INVALID", fmt.Sprintf("a manifest may have at most %d MiB", maxManifest>>20)}
	}
	if err != nil {
		return answer{http.StatusBadRequest, "MANIFEST_INVALID", "the manifest did not arrive whole"}
	}
	opt := pushOptions{mediaType: r.Header.Get("Content-Type")}
	switch {
	case validDigest(c.ref):
		if digestOf(body) != c.ref {
			return answer{http.StatusBadRequest, "DIGEST_INVALID", "the manifest is " + digestOf(body) + " and not " + c.ref}
		}
	case tagForm.MatchString(c.ref):
		opt.tag = c.ref
	default:
		return answer{http.StatusBadRequest, "TAG_INVALID", "the tag or digest is not valid"}
	}
	digest, m, err := g.pushManifest(r.Context(), c.repo, body, opt)
	if err != nil {
		return err
	}
	if m.Subject != nil {
		w.Header().Set("OCI-Subject", m.Subject.Digest)
	}
	w.Header().Set("Location", location(c, "manifests", digest))
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (g *registry) deleteManifest(w http.ResponseWriter, r *http.Request, c *call) error {
	err := g.db.Update(r.Context(), func(tx *store.Tx) error {
		if validDigest(c.ref) {
			return g.deleteDigest(tx, c.repo, c.ref)
		}
		return g.deleteTag(tx, c.repo, c.ref)
	})
	if err == nil {
		g.poke(g.pushed)
		w.WriteHeader(http.StatusAccepted)
	}
	return err
}

func noImage(repo Repository, version string) error {
	return notThere(CodeImageNotFound, "The image '%s' does not exist in the repository '%s' of the registry with id '%s'", clip(version), repo.Name, repo.Scope.Account)
}

func (s *Store) deleteTag(tx *store.Tx, repo Repository, tag string) error {
	digest, err := taggedDigest(tx, repo, tag)
	if err == nil && digest == "" {
		err = noImage(repo, tag)
	}
	if err != nil {
		return err
	}
	if err := tx.Exec(`DELETE FROM image_tags WHERE repository_id = $1 AND tag = $2`, repo.ID, tag); err != nil {
		return err
	}
	return s.recordDeletion(tx, repo, digest, tag)
}

// deleteDigest removes a manifest and its tags. A member of an index stays as long as the index.
func (s *Store) deleteDigest(tx *store.Tx, repo Repository, digest string) error {
	var parent string
	held, err := tx.Get(`SELECT manifest FROM image_manifest_refs WHERE repository_id = $1 AND digest = $2 LIMIT 1`, []any{repo.ID, digest}, &parent)
	if err != nil {
		return err
	}
	if held {
		return notThere(CodeImageReferenced, "The image %s belongs to the index %s; delete that first", digest, parent)
	}
	var tags []string
	if err := tx.Each(`SELECT tag FROM image_tags WHERE repository_id = $1 AND digest = $2 ORDER BY tag`, []any{repo.ID, digest}, scanStrings(&tags)); err != nil {
		return err
	}
	n, err := tx.ExecCount(`DELETE FROM image_manifests WHERE repository_id = $1 AND digest = $2`, repo.ID, digest)
	if err == nil && n == 0 {
		err = noImage(repo, digest)
	}
	if err != nil {
		return err
	}
	return errors.Join(
		tx.Exec(`DELETE FROM image_manifest_refs WHERE repository_id = $1 AND manifest = $2`, repo.ID, digest),
		tx.Exec(`DELETE FROM image_tags WHERE repository_id = $1 AND digest = $2`, repo.ID, digest),
		s.recordDeletion(tx, repo, digest, tags...))
}

// recordDeletion tells that tags are gone, or an image that had none.
func (s *Store) recordDeletion(tx *store.Tx, repo Repository, digest string, tags ...string) (err error) {
	if len(tags) == 0 {
		tags = []string{""}
	}
	for _, tag := range tags {
		err = errors.Join(err, recordEvent(tx, PushEvent{Scope: repo.Scope, Repository: repo.Name, Tag: tag, Digest: digest, At: s.now(), Deleted: true}))
	}
	return err
}

const (
	pageDefault = 1000
	pageMax     = 10_000
)

// page reads n and last of a listing.
func page(q url.Values) (n int, last string, err error) {
	n = pageDefault
	if text := q.Get("n"); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 0 {
			return 0, "", answer{http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "n must be a whole number from 0"}
		}
	}
	return min(n, pageMax), q.Get("last"), nil
}

// listNames answers a listing whose query has the parameters ($1, $2: scope of the list, $3: last, $4: count).
func (g *registry) listNames(w http.ResponseWriter, r *http.Request, query string, args []any, path string, body func([]string) any) error {
	n, last, err := page(r.URL.Query())
	if err != nil {
		return err
	}
	names := []string{}
	err = g.db.View(r.Context(), func(tx *store.Tx) error {
		return tx.Each(query, append(args, last, n+1), scanStrings(&names))
	})
	if err != nil {
		return err
	}
	if len(names) > n {
		names = names[:n]
		if n > 0 {
			next := url.URL{Path: path, RawQuery: url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}.Encode()}
			w.Header().Set("Link", "<"+next.String()+`>; rel="next"`)
		}
	}
	return writeJSON(w, "application/json", body(names))
}

func (g *registry) listTags(w http.ResponseWriter, r *http.Request, c *call) error {
	type tagList struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	return g.listNames(w, r, `SELECT tag FROM image_tags WHERE repository_id = $1 AND tag > $2 ORDER BY tag LIMIT $3`,
		[]any{c.repo.ID}, location(c, "tags/list"), func(tags []string) any { return tagList{c.name, tags} })
}

func (g *registry) catalog(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := g.may(r.Context(), who.principal, "ecr:DescribeRepositories", RepositoryARN(who.scope, "*"), ""); err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return answer{http.StatusMethodNotAllowed, "UNSUPPORTED", "the registry does not support this operation"}
	}
	return g.listNames(w, r, `SELECT name FROM image_repositories WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4`,
		[]any{who.scope.Account, who.scope.Region}, "/v2/_catalog", func(names []string) any { return map[string][]string{"repositories": names} })
}

// listReferrers lists the manifests that name another as their subject (signatures, attestations).
func (g *registry) listReferrers(w http.ResponseWriter, r *http.Request, c *call) error {
	if !validDigest(c.ref) {
		return answer{http.StatusBadRequest, "DIGEST_INVALID", "the registry knows sha256 digests only"}
	}
	wanted := r.URL.Query().Get("artifactType")
	rows, err := g.referrers(r.Context(), c.repo, c.ref, wanted)
	if err != nil {
		return err
	}
	list := manifest{SchemaVersion: 2, MediaType: mediaOCIIndex, Manifests: []descriptor{}}
	for _, row := range rows {
		body, err := g.common.read(row.digest, maxManifest)
		if err != nil {
			return err
		}
		m, err := parseManifest(body, row.mediaType)
		if err != nil {
			return err
		}
		list.Manifests = append(list.Manifests, descriptor{MediaType: row.mediaType, Digest: row.digest, Size: row.size, ArtifactType: row.artifactType, Annotations: m.Annotations})
	}
	if wanted != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	return writeJSON(w, mediaOCIIndex, referrersIndex{list, list.Manifests})
}

// referrersIndex shows an empty list as one, which a manifest's own form leaves out.
type referrersIndex struct {
	manifest
	Manifests []descriptor `json:"manifests"`
}

func (g *registry) referrers(ctx context.Context, repo Repository, subject, artifactType string) ([]manifestRow, error) {
	var rows []manifestRow
	err := g.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT `+manifestColumns+` FROM image_manifests WHERE repository_id = $1 AND subject = $2 ORDER BY digest LIMIT 1000`,
			[]any{repo.ID, subject}, func(row store.Row) error {
				m, err := scanManifest(row)
				if err == nil && (artifactType == "" || m.artifactType == artifactType) {
					rows = append(rows, m)
				}
				return err
			})
	})
	return rows, err
}
