package secret

import (
	"context"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Describe finds a secret by its name, its ARN or its ARN without the suffix, those that wait for their deletion included. It fails
// with apprunner.CodeNotFound.
func (s *Secrets) Describe(ctx context.Context, sc apprunner.Scope, id string) (x Secret, err error) {
	err = s.conf.DB.View(ctx, func(tx *store.Tx) error {
		x, err = s.find(tx, sc, id)
		return err
	})
	return x, err
}

// List gives all secrets of a scope by name.
func (s *Secrets) List(ctx context.Context, sc apprunner.Scope) (all []Secret, err error) {
	err = s.conf.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT body FROM secrets WHERE account = $1 AND region = $2 AND (purge_at = 0 OR purge_at > $3) ORDER BY name`,
			[]any{sc.Account, sc.Region, store.Micros(s.now())}, func(row store.Row) error {
				x, err := scan(row)
				all = append(all, x)
				return err
			})
	})
	return all, err
}

// Which says which version of a secret is meant; both empty: the current one.
type Which struct{ Version, Stage string }

// Pick finds the version that w means. It fails with apprunner.CodeNotFound, or CodeInvalidParameter where version and stage
// contradict each other.
func (s Secret) Pick(w Which) (Version, error) {
	if w.Version == "" {
		if w.Stage == "" {
			w.Stage = StageCurrent
		}
		i := s.staged(w.Stage)
		if i < 0 {
			return Version{}, apprunner.Errorf(apprunner.CodeNotFound, "Secrets Manager can't find the specified secret value for staging label: %s", w.Stage)
		}
		return s.Versions[i], nil
	}
	i := s.version(w.Version)
	if i < 0 {
		return Version{}, apprunner.Errorf(apprunner.CodeNotFound, "Secrets Manager can't find the specified secret value for VersionId: %s", w.Version)
	}
	if w.Stage != "" && s.staged(w.Stage) != i {
		return Version{}, apprunner.Errorf(apprunner.CodeInvalidRequest, "You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return s.Versions[i], nil
}

// Value reads a value of a secret and notes the day.
func (s *Secrets) Value(ctx context.Context, sc apprunner.Scope, id string, w Which) (Secret, Version, Value, error) {
	x, err := s.Describe(ctx, sc, id)
	if err == nil && !x.DeletedAt.IsZero() {
		err = marked()
	}
	if err != nil {
		return Secret{}, Version{}, Value{}, err
	}
	v, err := x.Pick(w)
	if err != nil {
		return Secret{}, Version{}, Value{}, err
	}
	value, err := s.open(ctx, x, v)
	if err != nil {
		return Secret{}, Version{}, Value{}, err
	}
	return x, v, value, s.noteRead(ctx, x, v)
}

// open reads the value of a version.
func (s *Secrets) open(ctx context.Context, x Secret, v Version) (Value, error) {
	var blob []byte
	err := s.conf.DB.View(ctx, func(tx *store.Tx) error {
		found, err := tx.Get(`SELECT sealed FROM secret_values WHERE arn = $1 AND version = $2`, []any{x.ARN(), v.ID}, &blob)
		if err == nil && !found {
			err = fmt.Errorf("secret %s has no value for version %s", x.ARN(), v.ID)
		}
		return err
	})
	if err != nil {
		return Value{}, err
	}
	plain, err := s.conf.Keys.Decrypt(store.Apart(ctx), x.Scope, blob, bound(x, v.ID))
	if err != nil {
		return Value{}, keyTrouble(CodeDecryption, v.KeyARN, err)
	}
	return Value{Bytes: plain, Binary: v.Binary}, nil
}

// noteRead keeps the day of a read: one write a day and version.
func (s *Secrets) noteRead(ctx context.Context, was Secret, v Version) error {
	day := s.now().Truncate(24 * time.Hour)
	if v.ReadOn.Equal(day) {
		return nil
	}
	return s.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		x, err := s.find(tx, was.Scope, was.ARN())
		if apprunner.CodeOf(err) == apprunner.CodeNotFound {
			return nil // it went meanwhile
		}
		if err != nil {
			return err
		}
		x.ReadOn = day
		if i := x.version(v.ID); i >= 0 {
			x.Versions[i].ReadOn = day
		}
		return write(tx, x)
	})
}
