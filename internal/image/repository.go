package image

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Repository is a repository of the built-in registry.
type Repository struct {
	ID         string // internal, 32 hex
	Scope      apprunner.Scope
	Name       string
	Immutable  bool // a tag, once pushed, stays on its image
	ScanOnPush bool // kept for the API; nothing scans
	Policy     string
	Tags       map[string]string // of the resource, not of images
	CreatedAt  time.Time
}

// RepositoryARN names a repository, whether it exists or not.
func RepositoryARN(scope apprunner.Scope, name string) string {
	return "arn:aws:ecr:" + scope.Region + ":" + scope.Account + ":repository/" + name
}

func registryHost(scope apprunner.Scope) string {
	return scope.Account + ".dkr.ecr." + scope.Region + ".amazonaws.com"
}

// ARN names the repository.
func (r Repository) ARN() string { return RepositoryARN(r.Scope, r.Name) }

// URI is what image references begin with.
func (r Repository) URI() string { return registryHost(r.Scope) + "/" + r.Name }

const repositoryColumns = `id, account, region, name, tag_mutability, scan_on_push, policy, tags, created_us`

func scanRepository(row store.Row) (Repository, error) {
	var r Repository
	var mutability, tags string
	var scan, created int64
	err := row.Scan(&r.ID, &r.Scope.Account, &r.Scope.Region, &r.Name, &mutability, &scan, &r.Policy, &tags, &created)
	if err != nil {
		return Repository{}, err
	}
	r.Immutable, r.ScanOnPush, r.CreatedAt = mutability == mutabilityImmutable, scan != 0, store.Time(created)
	return r, json.Unmarshal([]byte(tags), &r.Tags)
}

const (
	mutabilityMutable   = "MUTABLE"
	mutabilityImmutable = "IMMUTABLE"
)

func mutability(immutable bool) string {
	if immutable {
		return mutabilityImmutable
	}
	return mutabilityMutable
}

// getRepository fails with CodeRepositoryNotFound.
func getRepository(tx *store.Tx, scope apprunner.Scope, name string) (Repository, error) {
	var repo Repository
	found := false
	err := tx.Each(`SELECT `+repositoryColumns+` FROM image_repositories WHERE account = $1 AND region = $2 AND name = $3`,
		[]any{scope.Account, scope.Region, name}, func(row store.Row) (err error) {
			repo, err = scanRepository(row)
			found = true
			return err
		})
	if err != nil {
		return Repository{}, fmt.Errorf("read repository %s: %w", name, err)
	}
	if !found {
		return Repository{}, noRepository(scope, name)
	}
	return repo, nil
}

func noRepository(scope apprunner.Scope, name string) error {
	return notThere(CodeRepositoryNotFound, "The repository with name '%s' does not exist in the registry with id '%s'", clip(name), scope.Account)
}

func (s *Store) repository(ctx context.Context, scope apprunner.Scope, name string) (Repository, error) {
	var repo Repository
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		repo, err = getRepository(tx, scope, name)
		return err
	})
	return repo, err
}

func insertRepository(tx *store.Tx, r Repository) error {
	tags, err := json.Marshal(r.Tags)
	if err != nil {
		return err
	}
	n, err := tx.ExecCount(`INSERT INTO image_repositories (`+repositoryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (account, region, name) DO NOTHING`,
		r.ID, r.Scope.Account, r.Scope.Region, r.Name, mutability(r.Immutable), flag(r.ScanOnPush), r.Policy, string(tags), store.Micros(r.CreatedAt))
	if err == nil && n == 0 {
		return apprunner.Errorf(CodeRepositoryAlreadyExists, "The repository with name '%s' already exists in the registry with id '%s'", r.Name, r.Scope.Account)
	}
	return err
}

// linkBlob makes a blob visible in a repository. The caller holds a lease on it until this is committed.
func (s *Store) linkBlob(tx *store.Tx, repo Repository, digest string, size int64) error {
	return tx.Exec(`INSERT INTO image_blobs (repository_id, digest, size, touched_us) VALUES ($1, $2, $3, $4)
		ON CONFLICT (repository_id, digest) DO UPDATE SET touched_us = excluded.touched_us`,
		repo.ID, digest, size, store.Micros(s.now()))
}

// linkedBlob tells the size of a blob that is visible in a repository.
func linkedBlob(tx *store.Tx, repo Repository, digest string) (size int64, found bool, err error) {
	found, err = tx.Get(`SELECT size FROM image_blobs WHERE repository_id = $1 AND digest = $2`, []any{repo.ID, digest}, &size)
	return size, found, err
}

// may asks whether a principal may do something with a repository.
func (s *Store) may(ctx context.Context, principal, action, resource, policy string) error {
	if s.cfg.Authorize == nil {
		return apprunner.Errorf(apprunner.CodeAccessDenied, "the registry answers nobody: no authorisation is configured")
	}
	return s.cfg.Authorize(ctx, Access{Principal: principal, Action: action, Resource: resource, Policy: policy})
}

// updateRepository writes what can change of a repository.
func updateRepository(tx *store.Tx, r Repository) error {
	tags, err := json.Marshal(r.Tags)
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE image_repositories SET tag_mutability = $1, scan_on_push = $2, policy = $3, tags = $4 WHERE id = $5`,
		mutability(r.Immutable), flag(r.ScanOnPush), r.Policy, string(tags), r.ID)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
