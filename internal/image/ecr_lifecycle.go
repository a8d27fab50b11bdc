package image

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image/lifecycle"
	"slipway.dev/slipway/internal/store"
)

// Lifecycle is the lifecycle policy of a repository.
type Lifecycle struct {
	Repository Repository
	Text       string
	Evaluated  time.Time // when images were last held against it; zero when never
}

// SetLifecycle gives a repository a lifecycle policy. Images that it ends go within [upkeepEvery], those that services run as others:
// the services run on.
func (s *Store) SetLifecycle(ctx context.Context, scope apprunner.Scope, name, text string) (Repository, error) {
	if _, err := lifecycle.Parse(text); err != nil {
		return Repository{}, apprunner.Errorf(CodeInvalidParameter, "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure': %w", err)
	}
	var repo Repository
	err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
		if repo, err = getRepository(tx, scope, name); err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO image_lifecycles (repository_id, policy, evaluated_us) VALUES ($1, $2, 0)
			ON CONFLICT (repository_id) DO UPDATE SET policy = excluded.policy, evaluated_us = 0`, repo.ID, text)
	})
	return repo, err
}

// GetLifecycle fails with CodeLifecycleNotFound when there is none.
func (s *Store) GetLifecycle(ctx context.Context, scope apprunner.Scope, name string) (l Lifecycle, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		l, err = getLifecycle(tx, scope, name)
		return err
	})
	return l, err
}

// DeleteLifecycle takes the policy away and returns it as it was. It fails with CodeLifecycleNotFound when there is none.
func (s *Store) DeleteLifecycle(ctx context.Context, scope apprunner.Scope, name string) (l Lifecycle, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if l, err = getLifecycle(tx, scope, name); err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM image_lifecycles WHERE repository_id = $1`, l.Repository.ID)
	})
	return l, err
}

func getLifecycle(tx *store.Tx, scope apprunner.Scope, name string) (l Lifecycle, err error) {
	if l.Repository, err = getRepository(tx, scope, name); err != nil {
		return l, err
	}
	var evaluated int64
	found, err := tx.Get(`SELECT policy, evaluated_us FROM image_lifecycles WHERE repository_id = $1`, []any{l.Repository.ID}, &l.Text, &evaluated)
	if err == nil && !found {
		err = notThere(CodeLifecycleNotFound, "Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", name, scope.Account)
	}
	if evaluated != 0 {
		l.Evaluated = store.Time(evaluated)
	}
	return l, err
}

// ExpireImages deletes what lifecycle policies end, a repository in each transaction.
func (s *Store) ExpireImages(ctx context.Context) error {
	var ids []string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT repository_id FROM image_lifecycles ORDER BY repository_id`, nil, scanStrings(&ids))
	})
	for _, id := range ids {
		err = errors.Join(err, s.expireIn(ctx, id))
	}
	if err != nil {
		return fmt.Errorf("lifecycle policies: %w", err)
	}
	return nil
}

func (s *Store) expireIn(ctx context.Context, repositoryID string) error {
	ended := 0
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		repo, policy, err := lifecycleOf(tx, repositoryID)
		if err != nil || len(policy.Rules) == 0 {
			return err
		}
		images, err := allImages(tx, repo)
		if err != nil {
			return err
		}
		for _, digest := range policy.Expired(images, s.now()) {
			// Parts of an index that stays are left; they go after it.
			deleted, _, err := s.deleteImage(tx, repo, ImageID{Digest: digest})
			if err != nil {
				return err
			}
			ended += len(deleted)
		}
		return tx.Exec(`UPDATE image_lifecycles SET evaluated_us = $1 WHERE repository_id = $2`, store.Micros(s.now()), repositoryID)
	})
	if ended > 0 {
		s.poke(s.pushed)
	}
	return err
}

// lifecycleOf is a repository with its policy, which has no rules when it was taken away meanwhile.
func lifecycleOf(tx *store.Tx, repositoryID string) (repo Repository, policy lifecycle.Policy, err error) {
	err = tx.Each(`SELECT `+repositoryColumns+` FROM image_repositories WHERE id = $1`, []any{repositoryID}, func(row store.Row) (err error) {
		repo, err = scanRepository(row)
		return err
	})
	if err != nil {
		return repo, policy, err
	}
	var text string
	found, err := tx.Get(`SELECT policy FROM image_lifecycles WHERE repository_id = $1`, []any{repositoryID}, &text)
	if err != nil || !found {
		return repo, policy, err
	}
	policy, err = lifecycle.Parse(text)
	return repo, policy, err
}

func allImages(tx *store.Tx, repo Repository) (images []lifecycle.Image, err error) {
	details, next, err := describePage(tx, repo, TagAny, maxLifecycleImages, "")
	if err == nil && next != "" {
		err = fmt.Errorf("repository %s holds more than %d images", repo.Name, maxLifecycleImages)
	}
	for _, d := range details {
		images = append(images, lifecycle.Image{Digest: d.Digest, Tags: d.Tags, PushedAt: d.PushedAt})
	}
	return images, err
}

// maxLifecycleImages is how many images a repository may hold for its policy to be evaluated: what ECR lets one hold.
const maxLifecycleImages = 20_000
