package image

import (
	"context"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// builtin reads a repository of the built-in registry, whose content is in this store already: no network, no copy.
type builtin struct {
	store *Store
	scope apprunner.Scope
	name  string
}

// PullActions are what a pull asks permission for on the repository (§14), beside ecr:GetAuthorizationToken, which has no resource.
func PullActions() []string {
	return []string{"ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
}

func (s *Store) builtinSource(ctx context.Context, scope apprunner.Scope, r Reference, cred Credential) (source, error) {
	src := &builtin{s, scope, r.Repository}
	if cred.Principal != "" {
		if err := src.authorize(ctx, cred.Principal); err != nil {
			return nil, err
		}
	}
	return src, s.fillThrough(ctx, scope, r.Repository, r.Version())
}

func (b *builtin) authorize(ctx context.Context, principal string) error {
	if err := b.store.may(ctx, principal, "ecr:GetAuthorizationToken", "*", ""); err != nil {
		return err
	}
	repo, err := b.store.repository(ctx, b.scope, b.name)
	if err != nil && !isCode(err, CodeRepositoryNotFound) {
		return err
	}
	for _, action := range PullActions() {
		if err := b.store.may(ctx, principal, action, RepositoryARN(b.scope, b.name), repo.Policy); err != nil {
			return err
		}
	}
	return nil
}

func (b *builtin) find(ctx context.Context, version string) (manifestRow, error) {
	var row manifestRow
	err := b.store.db.View(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, b.scope, b.name)
		if err != nil {
			return err
		}
		row, err = findManifest(tx, repo, version)
		return err
	})
	return row, err
}

func (b *builtin) resolve(ctx context.Context, version string) (string, error) {
	row, err := b.find(ctx, version)
	return row.digest, err
}

func (b *builtin) manifest(ctx context.Context, version string) ([]byte, string, error) {
	if validDigest(version) { // a member of an index that was copied without its members
		if err := b.store.fillThrough(ctx, b.scope, b.name, version); err != nil {
			return nil, "", err
		}
	}
	row, err := b.find(ctx, version)
	if err != nil {
		return nil, "", err
	}
	body, err := b.store.common.read(row.digest, maxManifest)
	return body, row.mediaType, err
}

func (b *builtin) blob(_ context.Context, d descriptor) error {
	if !b.store.common.has(d.Digest) {
		return notThere(CodeLayersNotFound, "The layer %s of an image in the repository '%s' is not in the registry", d.Digest, b.name)
	}
	return nil
}

// throughAge is how long a tag copied from an upstream is taken as current, as ECR has it.
const throughAge = 24 * time.Hour

// fillThrough copies a version of an upstream's repository into the built-in registry when a rule says so and it is missing or
// old here. When the upstream fails, what is here serves on.
func (s *Store) fillThrough(ctx context.Context, scope apprunner.Scope, name, version string) error {
	prefix, up, found := longestPrefix(s.cfg.PullThrough, name)
	if !found || s.freshHere(ctx, scope, name, version) {
		return nil
	}
	key := "through/" + scope.Account + "/" + scope.Region + "/" + name + "@" + version
	err := s.shared.do(ctx, key, func(ctx context.Context) error {
		src, err := s.upstreamSource(up, name[len(prefix):], Reference{Registry: prefix, Repository: name[len(prefix):]})
		if err != nil {
			return err
		}
		return s.copyIn(ctx, src, scope, name, version)
	})
	if err == nil {
		return nil
	}
	if _, have := (&builtin{s, scope, name}).resolve(ctx, version); have == nil {
		s.log.WarnContext(ctx, "upstream failed, the copy here is used", "repository", name, "version", version, "error", err)
		return nil
	}
	return err
}

// freshHere tells whether a version is here and needs no look at the upstream: a digest never changes.
func (s *Store) freshHere(ctx context.Context, scope apprunner.Scope, name, version string) bool {
	var fresh bool
	err := s.db.View(ctx, func(tx *store.Tx) error {
		repo, err := getRepository(tx, scope, name)
		if err != nil {
			return err
		}
		if _, err := findManifest(tx, repo, version); err != nil {
			return err
		}
		var updated int64
		tagged, err := tx.Get(`SELECT updated_us FROM image_tags WHERE repository_id = $1 AND tag = $2`, []any{repo.ID, version}, &updated)
		fresh = !tagged || s.now().Sub(store.Time(updated)) < throughAge
		return err
	})
	return err == nil && fresh
}

// copyIn records an upstream's manifest with its blobs; of an index only the index itself, its members come when asked for.
func (s *Store) copyIn(ctx context.Context, src source, scope apprunner.Scope, name, version string) error {
	body, mediaType, err := src.manifest(ctx, version)
	if err != nil {
		return err
	}
	m, err := parseManifest(body, mediaType)
	if err != nil {
		return err
	}
	held := s.leases.take()
	defer held.release()
	for _, d := range m.blobs() {
		held.add(d.Digest)
		if err := src.blob(ctx, d); err != nil {
			return err
		}
	}
	repo, err := s.ensureRepository(ctx, scope, name)
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
	opt := pushOptions{mediaType: m.MediaType, partial: true, quiet: true}
	if !validDigest(version) {
		opt.tag = version
	}
	_, _, err = s.pushManifest(ctx, repo, body, opt)
	return err
}

// ensureRepository makes a repository that Slipway itself needs, unless it is there.
func (s *Store) ensureRepository(ctx context.Context, scope apprunner.Scope, name string) (Repository, error) {
	repo := Repository{ID: apprunner.NewID(), Scope: scope, Name: name, Tags: map[string]string{}, CreatedAt: s.now()}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		err := insertRepository(tx, repo)
		if isCode(err, CodeRepositoryAlreadyExists) {
			repo, err = getRepository(tx, scope, name)
		}
		return err
	})
	return repo, err
}
