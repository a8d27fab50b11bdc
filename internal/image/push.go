package image

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// PushEvent tells that a tag of a repository was pushed, or deleted (adjacent §3.3).
type PushEvent struct {
	Scope      apprunner.Scope
	Repository string
	Tag        string // "" for a deleted image that had none
	Digest     string // of the manifest or index
	At         time.Time
	Deleted    bool
}

// OnPush has fn called for every push and every deletion of a tag, after it was recorded, one after the other, from [Store.Run]. A push is told
// again after a crash in the middle, never lost.
func (s *Store) OnPush(fn func(context.Context, PushEvent)) {
	s.hooksMu.Lock()
	defer s.hooksMu.Unlock()
	s.hooks = append(s.hooks, fn)
}

// pushOptions tells how a manifest came.
type pushOptions struct {
	mediaType string
	tag       string
	once      bool // refuse what is there already, as PutImage does
	partial   bool // an index may lack members: a copy of another registry's
	quiet     bool // no event
}

// pushManifest records a manifest in a repository, and its tag. What it refers to must be there.
func (s *Store) pushManifest(ctx context.Context, repo Repository, body []byte, opt pushOptions) (digest string, m manifest, err error) {
	if m, err = parseManifest(body, opt.mediaType); err != nil {
		return "", manifest{}, err
	}
	if opt.tag != "" && !tagForm.MatchString(opt.tag) {
		return "", manifest{}, apprunner.Errorf(CodeInvalidParameter, "%q is not a valid image tag", clip(opt.tag))
	}
	digest = digestOf(body)
	held := s.leases.take(digest)
	defer held.release()
	if !s.common.has(digest) {
		if _, err := s.writeBlob(body); err != nil {
			return "", manifest{}, err
		}
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		// Read again: it may have been deleted, or become immutable.
		repo, err := getRepository(tx, repo.Scope, repo.Name)
		if err != nil {
			return err
		}
		return s.recordManifest(tx, repo, digest, int64(len(body)), m, opt)
	})
	if err != nil {
		return "", manifest{}, fmt.Errorf("push to %s: %w", repo.Name, err)
	}
	s.poke(s.pushed)
	s.unpackSoon(unpackJob{repo.Scope, repo.Name, digest})
	return digest, m, nil
}

func (s *Store) recordManifest(tx *store.Tx, repo Repository, digest string, size int64, m manifest, opt pushOptions) error {
	if err := checkPresent(tx, repo, m, opt.partial); err != nil {
		return err
	}
	tagged, err := taggedDigest(tx, repo, opt.tag)
	if err != nil {
		return err
	}
	_, known, err := getManifest(tx, repo, digest)
	if err != nil {
		return err
	}
	if opt.once && known && (opt.tag == "" || tagged == digest) {
		return apprunner.Errorf(CodeImageAlreadyExists, "Image with digest '%s' and tag '%s' already exists in the repository with name '%s'", digest, opt.tag, repo.Name)
	}
	if repo.Immutable && tagged != "" && tagged != digest {
		return apprunner.Errorf(CodeImageTagAlreadyExists, "The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the repository is immutable.", opt.tag, repo.Name)
	}
	now := s.now()
	if err := insertManifest(tx, repo, digest, size, m, now); err != nil {
		return err
	}
	if opt.tag == "" {
		return nil
	}
	err = tx.Exec(`INSERT INTO image_tags (repository_id, tag, digest, updated_us) VALUES ($1, $2, $3, $4)
		ON CONFLICT (repository_id, tag) DO UPDATE SET digest = excluded.digest, updated_us = excluded.updated_us`,
		repo.ID, opt.tag, digest, store.Micros(now))
	if err != nil || opt.quiet {
		return err
	}
	return recordEvent(tx, PushEvent{Scope: repo.Scope, Repository: repo.Name, Tag: opt.tag, Digest: digest, At: now})
}

// checkPresent makes sure that a repository never has a manifest whose content it lacks.
func checkPresent(tx *store.Tx, repo Repository, m manifest, partial bool) error {
	for _, d := range m.blobs() {
		size, found, err := linkedBlob(tx, repo, d.Digest)
		if err != nil {
			return err
		}
		if !found {
			return apprunner.Errorf(CodeLayersNotFound, "Layers with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist", d.Digest, repo.Name, repo.Scope.Account)
		}
		if size != d.Size {
			return refuse("the manifest says %s has %d bytes; it has %d", d.Digest, d.Size, size)
		}
	}
	for _, d := range m.Manifests {
		_, found, err := getManifest(tx, repo, d.Digest)
		if err != nil {
			return err
		}
		if !found && !partial {
			return apprunner.Errorf(CodeReferencedImagesNotFound, "The image %s, which the index refers to, does not exist in the repository '%s'", d.Digest, repo.Name)
		}
	}
	return nil
}

func insertManifest(tx *store.Tx, repo Repository, digest string, size int64, m manifest, now time.Time) error {
	subject, artifact := "", m.ArtifactType
	if m.Subject != nil {
		subject = m.Subject.Digest
	}
	if artifact == "" && m.Config != nil {
		artifact = m.Config.MediaType
	}
	err := tx.Exec(`INSERT INTO image_manifests (repository_id, digest, media_type, artifact_type, subject, size, content_size, pushed_us)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (repository_id, digest) DO UPDATE SET pushed_us = excluded.pushed_us`,
		repo.ID, digest, m.MediaType, artifact, subject, size, m.contentSize(), store.Micros(now))
	if err != nil {
		return err
	}
	for _, d := range slices.Concat(m.blobs(), m.Manifests) {
		err := tx.Exec(`INSERT INTO image_manifest_refs (repository_id, manifest, digest) VALUES ($1, $2, $3)
			ON CONFLICT (repository_id, manifest, digest) DO NOTHING`, repo.ID, digest, d.Digest)
		if err != nil {
			return err
		}
	}
	return nil
}

// manifestRow is what the registry knows of a manifest without reading it.
type manifestRow struct {
	digest, mediaType, artifactType, subject string
	size, contentSize                        int64
	pushedAt                                 time.Time
}

const manifestColumns = `digest, media_type, artifact_type, subject, size, content_size, pushed_us`

func scanManifest(row store.Row) (manifestRow, error) {
	var m manifestRow
	var pushed int64
	err := row.Scan(&m.digest, &m.mediaType, &m.artifactType, &m.subject, &m.size, &m.contentSize, &pushed)
	m.pushedAt = store.Time(pushed)
	return m, err
}

func getManifest(tx *store.Tx, repo Repository, digest string) (m manifestRow, found bool, err error) {
	err = tx.Each(`SELECT `+manifestColumns+` FROM image_manifests WHERE repository_id = $1 AND digest = $2`,
		[]any{repo.ID, digest}, func(row store.Row) (err error) {
			m, err = scanManifest(row)
			found = true
			return err
		})
	return m, found, err
}

// taggedDigest is what a tag points at, "" for none.
func taggedDigest(tx *store.Tx, repo Repository, tag string) (digest string, err error) {
	_, err = tx.Get(`SELECT digest FROM image_tags WHERE repository_id = $1 AND tag = $2`, []any{repo.ID, tag}, &digest)
	return digest, err
}

// findManifest finds a manifest by tag or digest. It fails with CodeImageNotFound.
func findManifest(tx *store.Tx, repo Repository, version string) (manifestRow, error) {
	digest := version
	if !validDigest(version) {
		var err error
		if digest, err = taggedDigest(tx, repo, version); err != nil {
			return manifestRow{}, err
		}
	}
	m, found, err := getManifest(tx, repo, digest)
	if err == nil && !found {
		err = noImage(repo, version)
	}
	return m, err
}

func recordEvent(tx *store.Tx, e PushEvent) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO image_events (id, body, created_us) VALUES ($1, $2, $3)`, apprunner.NewID(), string(body), store.Micros(e.At))
}

// runEvents tells recorded pushes to the listeners until ctx ends.
func (s *Store) runEvents(ctx context.Context) {
	s.poke(s.pushed) // what the last process recorded and did not tell
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.pushed:
			s.logFailure(ctx, "tell pushes", s.tellEvents(ctx))
		}
	}
}

func (s *Store) tellEvents(ctx context.Context) error {
	type recorded struct{ id, body string }
	var all []recorded
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT id, body FROM image_events ORDER BY created_us, id`, nil, func(row store.Row) error {
			var r recorded
			err := row.Scan(&r.id, &r.body)
			all = append(all, r)
			return err
		})
	})
	if err != nil {
		return err
	}
	s.hooksMu.Lock()
	hooks := slices.Clone(s.hooks)
	s.hooksMu.Unlock()
	for _, r := range all {
		var e PushEvent
		if err := json.Unmarshal([]byte(r.body), &e); err != nil {
			return fmt.Errorf("read a recorded push: %w", err)
		}
		for _, hook := range hooks {
			hook(ctx, e)
		}
		if ctx.Err() != nil {
			return ctx.Err() // the listener may not have done its part
		}
		err := s.db.Update(ctx, func(tx *store.Tx) error {
			return tx.Exec(`DELETE FROM image_events WHERE id = $1`, r.id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unpackJob is a pushed image that will probably run soon.
type unpackJob struct {
	scope      apprunner.Scope
	repository string
	digest     string
}

const unpackQueue = 64

// unpackSoon has an image unpacked ahead of its first use, so that a deployment finds it ready. When many wait, it is left to
// the deployment.
func (s *Store) unpackSoon(job unpackJob) {
	select {
	case s.unpackQ <- job:
	default:
	}
}

func (s *Store) runUnpacks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-s.unpackQ:
			ref := Reference{Registry: registryHost(job.scope), Repository: job.repository, Digest: job.digest}
			// Failures come up again, with somebody to tell, when the image is deployed.
			if _, err := s.Pull(ctx, ref.String(), Credential{}); err != nil {
				s.log.DebugContext(ctx, "unpack ahead", "image", ref.String(), "error", err)
			}
		}
	}
}
