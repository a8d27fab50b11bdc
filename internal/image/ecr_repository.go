package image

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

const (
	minRepository     = 2
	maxResults        = 1000 // MaxResults of the ECR model
	defaultResults    = 100
	maxResourceTags   = 50
	maxTagKey         = 128
	maxTagValue       = 256
	reservedTagPrefix = "aws:"
)

// NewRepository is what CreateRepository is given.
type NewRepository struct {
	Name       string
	Immutable  bool
	ScanOnPush bool
	Tags       map[string]string
}

func checkRepositoryName(name string) error {
	if len(name) < minRepository || !validRepository(name) {
		return apprunner.Errorf(CodeInvalidParameter, "Invalid parameter at 'repositoryName' failed to satisfy constraint: %q is not 2 to 256 lower-case letters, digits, '.', '_', '-' and '/', beginning and ending with a letter or digit", clip(name))
	}
	return nil
}

// CreateRepository makes an empty repository. It fails with CodeRepositoryAlreadyExists and CodeInvalidParameter.
func (s *Store) CreateRepository(ctx context.Context, scope apprunner.Scope, n NewRepository) (Repository, error) {
	if err := checkRepositoryName(n.Name); err != nil {
		return Repository{}, err
	}
	repo := Repository{
		ID: apprunner.NewID(), Scope: scope, Name: n.Name, Immutable: n.Immutable, ScanOnPush: n.ScanOnPush,
		Tags: map[string]string{}, CreatedAt: s.now().UTC(),
	}
	if err := mergeTags(repo.Tags, n.Tags); err != nil {
		return Repository{}, err
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error { return insertRepository(tx, repo) })
	if err != nil {
		return Repository{}, fmt.Errorf("create repository: %w", err)
	}
	return repo, nil
}

// Page asks for a part of a listing: at most Max entries (0: 100; highest 1,000) after the one Token stands for.
type Page struct {
	Max   int
	Token string
}

// after reads the token: the key of the last entry of the page before.
func (p Page) after() (limit int, last string, err error) {
	limit = p.Max
	if limit == 0 {
		limit = defaultResults
	}
	if limit < 1 || limit > maxResults {
		return 0, "", apprunner.Errorf(CodeInvalidParameter, "maxResults must be between 1 and %d", maxResults)
	}
	key, err := base64.RawURLEncoding.DecodeString(p.Token)
	if err != nil {
		return 0, "", apprunner.Errorf(CodeInvalidParameter, "the nextToken is not one of this registry's")
	}
	return limit, string(key), nil
}

func nextToken(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// DescribeRepositories tells the repositories named, or all of them by name, a page at a time.
func (s *Store) DescribeRepositories(ctx context.Context, scope apprunner.Scope, names []string, page Page) (repos []Repository, next string, err error) {
	if len(names) > 0 {
		repos, err = s.describeNamed(ctx, scope, names)
		return repos, "", err
	}
	limit, last, err := page.after()
	if err != nil {
		return nil, "", err
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT `+repositoryColumns+` FROM image_repositories WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4`,
			[]any{scope.Account, scope.Region, last, limit + 1}, func(row store.Row) error {
				r, err := scanRepository(row)
				repos = append(repos, r)
				return err
			})
	})
	if err != nil {
		return nil, "", fmt.Errorf("describe repositories: %w", err)
	}
	if len(repos) > limit {
		repos = repos[:limit]
		next = nextToken(repos[limit-1].Name)
	}
	return repos, next, nil
}

func (s *Store) describeNamed(ctx context.Context, scope apprunner.Scope, names []string) ([]Repository, error) {
	repos := make([]Repository, 0, len(names))
	err := s.db.View(ctx, func(tx *store.Tx) error {
		for _, n := range names {
			if err := checkRepositoryName(n); err != nil {
				return err
			}
			r, err := getRepository(tx, scope, n)
			if err != nil {
				return err
			}
			repos = append(repos, r)
		}
		return nil
	})
	return repos, err
}

// DeleteRepository removes a repository; one with images only by force, else it fails with CodeRepositoryNotEmpty. Services
// that run an image of it run on.
func (s *Store) DeleteRepository(ctx context.Context, scope apprunner.Scope, name string, force bool) (Repository, error) {
	var repo Repository
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if repo, err = getRepository(tx, scope, name); err != nil {
			return err
		}
		var one int
		full, err := tx.Get(`SELECT 1 FROM image_manifests WHERE repository_id = $1 LIMIT 1`, []any{repo.ID}, &one)
		if err != nil {
			return err
		}
		if full && !force {
			return apprunner.Errorf(CodeRepositoryNotEmpty, "The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", name, scope.Account)
		}
		for _, table := range []string{"image_blobs", "image_manifests", "image_manifest_refs", "image_tags", "image_lifecycles"} {
			if err := tx.Exec(`DELETE FROM `+table+` WHERE repository_id = $1`, repo.ID); err != nil {
				return err
			}
		}
		return tx.Exec(`DELETE FROM image_repositories WHERE id = $1`, repo.ID)
	})
	if err != nil {
		return Repository{}, fmt.Errorf("delete repository: %w", err)
	}
	return repo, nil
}

// change reads a repository, lets fn change it, and writes it back, in one transaction.
func (s *Store) change(ctx context.Context, scope apprunner.Scope, name string, fn func(*Repository) error) (Repository, error) {
	var repo Repository
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if repo, err = getRepository(tx, scope, name); err != nil {
			return err
		}
		if err := fn(&repo); err != nil {
			return err
		}
		return updateRepository(tx, repo)
	})
	return repo, err
}

// SetImmutable is PutImageTagMutability.
func (s *Store) SetImmutable(ctx context.Context, scope apprunner.Scope, name string, immutable bool) (Repository, error) {
	return s.change(ctx, scope, name, func(r *Repository) error {
		r.Immutable = immutable
		return nil
	})
}

// SetScanOnPush is PutImageScanningConfiguration.
func (s *Store) SetScanOnPush(ctx context.Context, scope apprunner.Scope, name string, scan bool) (Repository, error) {
	return s.change(ctx, scope, name, func(r *Repository) error {
		r.ScanOnPush = scan
		return nil
	})
}

// SetRepositoryPolicy keeps a policy document that the caller has checked; Config.Authorize gets it with every question.
func (s *Store) SetRepositoryPolicy(ctx context.Context, scope apprunner.Scope, name, policy string) (Repository, error) {
	return s.change(ctx, scope, name, func(r *Repository) error {
		r.Policy = policy
		return nil
	})
}

// GetRepositoryPolicy fails with CodeRepositoryPolicyNotFound when there is none.
func (s *Store) GetRepositoryPolicy(ctx context.Context, scope apprunner.Scope, name string) (Repository, error) {
	repo, err := s.repository(ctx, scope, name)
	if err == nil && repo.Policy == "" {
		return Repository{}, noPolicy(repo)
	}
	return repo, err
}

// PolicyOf is the policy of a repository; "" where it has none, or where there is no such repository.
func (s *Store) PolicyOf(ctx context.Context, scope apprunner.Scope, name string) (string, error) {
	repo, err := s.repository(ctx, scope, name)
	if err != nil && apprunner.CodeOf(err) == apprunner.CodeInternal {
		return "", err
	}
	return repo.Policy, nil
}

// DeleteRepositoryPolicy returns the repository as it was, with its policy.
func (s *Store) DeleteRepositoryPolicy(ctx context.Context, scope apprunner.Scope, name string) (Repository, error) {
	var policy string
	repo, err := s.change(ctx, scope, name, func(r *Repository) error {
		if r.Policy == "" {
			return noPolicy(*r)
		}
		policy, r.Policy = r.Policy, ""
		return nil
	})
	repo.Policy = policy
	return repo, err
}

func noPolicy(r Repository) error {
	return notThere(CodeRepositoryPolicyNotFound, "Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", r.Name, r.Scope.Account)
}

// TagRepository adds resource tags, by ARN.
func (s *Store) TagRepository(ctx context.Context, arn string, tags map[string]string) error {
	scope, name, err := parseRepositoryARN(arn)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, scope, name, func(r *Repository) error { return mergeTags(r.Tags, tags) })
	return err
}

// UntagRepository removes resource tags, by ARN.
func (s *Store) UntagRepository(ctx context.Context, arn string, keys []string) error {
	scope, name, err := parseRepositoryARN(arn)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, scope, name, func(r *Repository) error {
		for _, k := range keys {
			delete(r.Tags, k)
		}
		return nil
	})
	return err
}

// RepositoryTags lists resource tags, by ARN.
func (s *Store) RepositoryTags(ctx context.Context, arn string) (map[string]string, error) {
	scope, name, err := parseRepositoryARN(arn)
	if err != nil {
		return nil, err
	}
	repo, err := s.repository(ctx, scope, name)
	return repo.Tags, err
}

func parseRepositoryARN(arn string) (apprunner.Scope, string, error) {
	bad := apprunner.Errorf(CodeInvalidParameter, "%q is not the ARN of a repository", clip(arn))
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "ecr" {
		return apprunner.Scope{}, "", bad
	}
	name, found := strings.CutPrefix(parts[5], "repository/")
	if !found || !validRepository(name) {
		return apprunner.Scope{}, "", bad
	}
	return apprunner.Scope{Region: parts[3], Account: parts[4]}, name, nil
}

func mergeTags(have, more map[string]string) error {
	for k, v := range more {
		if k == "" || len(k) > maxTagKey || len(v) > maxTagValue || strings.HasPrefix(strings.ToLower(k), reservedTagPrefix) {
			return apprunner.Errorf(CodeInvalidTagParameter, "the tag %q is not valid: a key has 1 to %d characters and does not begin with aws:, a value at most %d", clip(k), maxTagKey, maxTagValue)
		}
		have[k] = v
	}
	if len(have) > maxResourceTags {
		return apprunner.Errorf(CodeTooManyTags, "a repository may have at most %d tags", maxResourceTags)
	}
	return nil
}
