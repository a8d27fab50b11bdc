package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// ImageID names an image of a repository by digest, by tag, or by both.
type ImageID struct {
	Digest string
	Tag    string
}

// ImageFailure is one image a batch call could not do its work on; the others are done.
type ImageFailure struct {
	ID     ImageID
	Code   string // ImageFailureCode of ECR
	Reason string
}

// The failure codes of batch calls.
const (
	failInvalidDigest = "InvalidImageDigest"
	failInvalidTag    = "InvalidImageTag"
	failMismatch      = "ImageTagDoesNotMatchDigest"
	failNotFound      = "ImageNotFound"
	failMissing       = "MissingDigestAndTag"
	failReferenced    = "ImageReferencedByManifestList"
)

// ImageDetail is what DescribeImages tells of an image.
type ImageDetail struct {
	Digest            string
	Tags              []string // in order
	SizeBytes         int64    // as transferred
	PushedAt          time.Time
	MediaType         string // of the manifest
	ArtifactMediaType string // of its configuration
	SubjectDigest     string // what it is attached to, "" for most
}

// RegistryImage is an image's manifest, as BatchGetImage and PutImage give it.
type RegistryImage struct {
	ID        ImageID
	Manifest  string
	MediaType string
}

// TagStatus narrows a listing.
type TagStatus string

// The tag statuses of ECR; the empty one is ANY.
const (
	TagAny      TagStatus = "ANY"
	TagTagged   TagStatus = "TAGGED"
	TagUntagged TagStatus = "UNTAGGED"
)

const maxBatch = 100 // ImageIdentifierList of the ECR model

// DescribeImages tells the images named, or all of a repository, by digest, a page at a time. It fails with CodeImageNotFound
// when a named one does not exist.
func (s *Store) DescribeImages(ctx context.Context, scope apprunner.Scope, repository string, ids []ImageID, status TagStatus, page Page) (details []ImageDetail, next string, err error) {
	limit, last, err := page.after()
	if err != nil {
		return nil, "", err
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, scope, repository)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			details, err = describeIDs(tx, repo, ids)
			return err
		}
		details, next, err = describePage(tx, repo, status, limit, last)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("describe images: %w", err)
	}
	return details, next, nil
}

func describeIDs(tx *store.Tx, repo Repository, ids []ImageID) ([]ImageDetail, error) {
	details := make([]ImageDetail, 0, len(ids))
	for _, id := range ids {
		row, fail, err := lookUp(tx, repo, id)
		if err != nil {
			return nil, err
		}
		if fail != nil {
			return nil, notThere(CodeImageNotFound, "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'", id.Digest, id.Tag, repo.Name, repo.Scope.Account)
		}
		if slices.ContainsFunc(details, func(d ImageDetail) bool { return d.Digest == row.digest }) {
			continue
		}
		d, err := detail(tx, repo, row)
		if err != nil {
			return nil, err
		}
		details = append(details, d)
	}
	return details, nil
}

// tagCondition is the SQL of a tag status.
func tagCondition(status TagStatus) (string, error) {
	const tagged = `EXISTS (SELECT 1 FROM image_tags t WHERE t.repository_id = image_manifests.repository_id AND t.digest = image_manifests.digest)`
	switch status {
	case "", TagAny:
		return ``, nil
	case TagTagged:
		return ` AND ` + tagged, nil
	case TagUntagged:
		return ` AND NOT ` + tagged, nil
	}
	return "", apprunner.Errorf(CodeInvalidParameter, "the tagStatus %q is none of ANY, TAGGED, UNTAGGED", clip(string(status)))
}

func describePage(tx *store.Tx, repo Repository, status TagStatus, limit int, last string) (details []ImageDetail, next string, err error) {
	condition, err := tagCondition(status)
	if err != nil {
		return nil, "", err
	}
	var rows []manifestRow
	err = tx.Each(`SELECT `+manifestColumns+` FROM image_manifests WHERE repository_id = $1 AND digest > $2`+condition+` ORDER BY digest LIMIT $3`,
		[]any{repo.ID, last, limit + 1}, func(row store.Row) error {
			m, err := scanManifest(row)
			rows = append(rows, m)
			return err
		})
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = nextToken(rows[limit-1].digest)
	}
	for _, row := range rows {
		d, err := detail(tx, repo, row)
		if err != nil {
			return nil, "", err
		}
		details = append(details, d)
	}
	return details, next, nil
}

func detail(tx *store.Tx, repo Repository, row manifestRow) (ImageDetail, error) {
	d := ImageDetail{
		Digest: row.digest, SizeBytes: row.contentSize, PushedAt: row.pushedAt,
		MediaType: row.mediaType, ArtifactMediaType: row.artifactType, SubjectDigest: row.subject,
	}
	err := tx.Each(`SELECT tag FROM image_tags WHERE repository_id = $1 AND digest = $2 ORDER BY tag`, []any{repo.ID, row.digest}, scanStrings(&d.Tags))
	return d, err
}

// lookUp finds the image an id means; fail tells why there is none.
func lookUp(tx *store.Tx, repo Repository, id ImageID) (row manifestRow, fail *ImageFailure, err error) {
	failure := func(code, reason string) (manifestRow, *ImageFailure, error) {
		return manifestRow{}, &ImageFailure{id, code, reason}, nil
	}
	switch {
	case id.Digest == "" && id.Tag == "":
		return failure(failMissing, "Invalid request parameters: both tag and digest cannot be null")
	case id.Digest != "" && !validDigest(id.Digest):
		return failure(failInvalidDigest, "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	case id.Tag != "" && !tagForm.MatchString(id.Tag):
		return failure(failInvalidTag, "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'")
	}
	digest := id.Digest
	if id.Tag != "" {
		tagged, err := taggedDigest(tx, repo, id.Tag)
		if err != nil {
			return manifestRow{}, nil, err
		}
		if tagged == "" {
			return failure(failNotFound, "Requested image not found")
		}
		if digest != "" && digest != tagged {
			return failure(failMismatch, "Requested image tag does not match the digest")
		}
		digest = tagged
	}
	row, found, err := getManifest(tx, repo, digest)
	if err == nil && !found {
		return failure(failNotFound, "Requested image not found")
	}
	return row, nil, err
}

// ListImages lists digests with their tags: one entry a tag, and one for each image without any.
func (s *Store) ListImages(ctx context.Context, scope apprunner.Scope, repository string, status TagStatus, page Page) (ids []ImageID, next string, err error) {
	if _, err := tagCondition(status); err != nil {
		return nil, "", err
	}
	limit, last, err := page.after()
	if err != nil {
		return nil, "", err
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, scope, repository)
		if err != nil {
			return err
		}
		// The key of an entry is digest + " " + tag; both parts sort as text.
		return tx.Each(`SELECT m.digest, COALESCE(t.tag, '') FROM image_manifests m
			LEFT JOIN image_tags t ON t.repository_id = m.repository_id AND t.digest = m.digest
			WHERE m.repository_id = $1 AND m.digest || ' ' || COALESCE(t.tag, '') > $2
			AND ($3 = 'ANY' OR ($3 = 'TAGGED') = (t.tag IS NOT NULL))
			ORDER BY m.digest || ' ' || COALESCE(t.tag, '') LIMIT $4`,
			[]any{repo.ID, last, string(orAny(status)), limit + 1}, func(row store.Row) error {
				var id ImageID
				err := row.Scan(&id.Digest, &id.Tag)
				ids = append(ids, id)
				return err
			})
	})
	if err != nil {
		return nil, "", fmt.Errorf("list images: %w", err)
	}
	if len(ids) > limit {
		ids = ids[:limit]
		next = nextToken(ids[limit-1].Digest + " " + ids[limit-1].Tag)
	}
	return ids, next, nil
}

func orAny(status TagStatus) TagStatus {
	if status == "" {
		return TagAny
	}
	return status
}

func checkBatch(ids []ImageID) error {
	if len(ids) == 0 || len(ids) > maxBatch {
		return apprunner.Errorf(CodeInvalidParameter, "imageIds must have 1 to %d members", maxBatch)
	}
	return nil
}

// BatchGetImage reads manifests.
func (s *Store) BatchGetImage(ctx context.Context, scope apprunner.Scope, repository string, ids []ImageID) (images []RegistryImage, failures []ImageFailure, err error) {
	if err := checkBatch(ids); err != nil {
		return nil, nil, err
	}
	held := s.leases.take()
	defer held.release()
	err = s.db.View(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, scope, repository)
		if err != nil {
			return err
		}
		for _, id := range ids {
			row, fail, err := lookUp(tx, repo, id)
			if err != nil {
				return err
			}
			if fail != nil {
				failures = append(failures, *fail)
				continue
			}
			held.add(row.digest)
			images = append(images, RegistryImage{ID: ImageID{row.digest, id.Tag}, MediaType: row.mediaType})
		}
		return nil
	})
	for i := range images {
		var body []byte
		if err == nil {
			body, err = s.common.read(images[i].ID.Digest, maxManifest)
			images[i].Manifest = string(body)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("get images: %w", err)
	}
	return images, failures, nil
}

// BatchDeleteImage deletes images: an id with a tag takes that tag away (and the image with its last tag), a digest alone
// deletes the image with all its tags.
func (s *Store) BatchDeleteImage(ctx context.Context, scope apprunner.Scope, repository string, ids []ImageID) (deleted []ImageID, failures []ImageFailure, err error) {
	if err := checkBatch(ids); err != nil {
		return nil, nil, err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, scope, repository)
		if err != nil {
			return err
		}
		for _, id := range ids {
			done, fail, err := s.deleteImage(tx, repo, id)
			if err != nil {
				return err
			}
			deleted = append(deleted, done...)
			if fail != nil {
				failures = append(failures, *fail)
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("delete images: %w", err)
	}
	s.poke(s.pushed)
	return deleted, failures, nil
}

func (s *Store) deleteImage(tx *store.Tx, repo Repository, id ImageID) (deleted []ImageID, fail *ImageFailure, err error) {
	row, fail, err := lookUp(tx, repo, id)
	if err != nil || fail != nil {
		return nil, fail, err
	}
	d, err := detail(tx, repo, row)
	if err != nil {
		return nil, nil, err
	}
	if id.Tag != "" && len(d.Tags) > 1 {
		return []ImageID{{d.Digest, id.Tag}}, nil, s.deleteTag(tx, repo, id.Tag)
	}
	err = s.deleteDigest(tx, repo, d.Digest)
	var own *apprunner.Error
	if errors.As(err, &own) && own.Code == CodeImageReferenced {
		if id.Tag != "" { // the tag can go, the image stays part of the index
			return []ImageID{{d.Digest, id.Tag}}, nil, s.deleteTag(tx, repo, id.Tag)
		}
		return nil, &ImageFailure{id, failReferenced, own.Message}, nil
	}
	for _, tag := range d.Tags {
		deleted = append(deleted, ImageID{d.Digest, tag})
	}
	if len(d.Tags) == 0 {
		deleted = []ImageID{{Digest: d.Digest}}
	}
	return deleted, nil, err
}

// PutImage records a manifest whose layers were uploaded, under a tag if one is given. want, if not "", is the digest the
// caller expects.
func (s *Store) PutImage(ctx context.Context, scope apprunner.Scope, repository, manifest, mediaType, tag, want string) (RegistryImage, error) {
	repo, err := s.repository(ctx, scope, repository)
	if err != nil {
		return RegistryImage{}, err
	}
	if want != "" && digestOf([]byte(manifest)) != want {
		return RegistryImage{}, apprunner.Errorf(CodeImageDigestDoesNotMatch, "The image manifest has the digest '%s' and not '%s'", digestOf([]byte(manifest)), clip(want))
	}
	digest, m, err := s.pushManifest(ctx, repo, []byte(manifest), pushOptions{mediaType: mediaType, tag: tag, once: true})
	if isCode(err, apprunner.CodeInvalidRequest) {
		return RegistryImage{}, apprunner.Errorf(CodeInvalidParameter, "Invalid parameter at 'imageManifest': %w", err)
	}
	if err != nil {
		return RegistryImage{}, err
	}
	return RegistryImage{ID: ImageID{digest, tag}, Manifest: manifest, MediaType: m.MediaType}, nil
}
