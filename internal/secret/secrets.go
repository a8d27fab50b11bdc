package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Keys seal and open values, under a KMS key that is named by its id, ARN or alias. The context is bound into what is sealed.
type Keys interface {
	Encrypt(ctx context.Context, sc apprunner.Scope, key string, plain []byte, context map[string]string) (blob []byte, keyARN string, err error)
	Decrypt(ctx context.Context, sc apprunner.Scope, blob []byte, context map[string]string) ([]byte, error)
}

// Config is what Secrets need. DB and Keys are required.
type Config struct {
	DB   *store.DB
	Keys Keys
	Now  func() time.Time // default time.Now
}

// Secrets are all secrets of an installation.
type Secrets struct{ conf Config }

// migrations are the room's tables, oldest step first; see store.DB.Migrate for the rule. Times are microseconds.
var migrations = []string{
	`CREATE TABLE secrets (
		account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, purge_at BIGINT NOT NULL, body TEXT NOT NULL,
		PRIMARY KEY (account, region, name))`,
	`CREATE INDEX secrets_purge ON secrets (purge_at) WHERE purge_at > 0`,
	`CREATE TABLE secret_values (arn TEXT NOT NULL, version TEXT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (arn, version))`,
}

// Open makes the room's tables where they are missing.
func Open(ctx context.Context, c Config) (*Secrets, error) {
	if c.DB == nil || c.Keys == nil {
		return nil, errors.New("secret: Config needs DB and Keys")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Secrets{c}, c.DB.Migrate(ctx, "secret", migrations)
}

func (s *Secrets) now() time.Time { return s.conf.Now().UTC() }

// read finds the secret of a name, whatever state it is in, unless its time is over.
func (s *Secrets) read(tx *store.Tx, sc apprunner.Scope, name string) (x Secret, found bool, err error) {
	var body []byte
	found, err = tx.Get(`SELECT body FROM secrets WHERE account = $1 AND region = $2 AND name = $3 AND (purge_at = 0 OR purge_at > $4)`,
		[]any{sc.Account, sc.Region, name, store.Micros(s.now())}, &body)
	if err != nil || !found {
		return Secret{}, false, err
	}
	return x, true, json.Unmarshal(body, &x)
}

// find reads the secret an id means: its name, its ARN, or its ARN without the suffix.
func (s *Secrets) find(tx *store.Tx, sc apprunner.Scope, id string) (Secret, error) {
	home, name, isARN := locate(sc, id)
	if home.Region != sc.Region {
		return Secret{}, notFound() // each region answers for itself
	}
	if short, suffix, full := cutSuffix(name); isARN && full {
		x, found, err := s.read(tx, home, short)
		if err != nil || found && x.Suffix == suffix {
			return x, err
		}
	}
	x, found, err := s.read(tx, home, name)
	if err == nil && !found {
		err = notFound()
	}
	return x, err
}

// living is find for a secret that is not marked for deletion.
func (s *Secrets) living(tx *store.Tx, sc apprunner.Scope, id string) (Secret, error) {
	x, err := s.find(tx, sc, id)
	if err == nil && !x.DeletedAt.IsZero() {
		err = marked()
	}
	return x, err
}

func write(tx *store.Tx, x Secret) error {
	body, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("encode secret: %w", err)
	}
	return tx.Exec(`INSERT INTO secrets (account, region, name, purge_at, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, region, name) DO UPDATE SET purge_at = excluded.purge_at, body = excluded.body`,
		x.Account, x.Region, x.Name, store.Micros(x.PurgeAt), string(body))
}

func writeValue(tx *store.Tx, arn, version string, sealed []byte) error {
	return tx.Exec(`INSERT INTO secret_values (arn, version, sealed) VALUES ($1, $2, $3)
		ON CONFLICT (arn, version) DO UPDATE SET sealed = excluded.sealed`, arn, version, sealed)
}

// change writes a living secret after f changed it.
func (s *Secrets) change(ctx context.Context, sc apprunner.Scope, id string, f func(tx *store.Tx, x *Secret) error) (x Secret, err error) {
	err = s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		if x, err = s.living(tx, sc, id); err != nil {
			return err
		}
		tx.Quiet()
		if err := f(tx, &x); err != nil {
			return err
		}
		return write(tx, x)
	})
	return x, err
}

func scan(row store.Row) (x Secret, err error) {
	var body []byte
	if err := row.Scan(&body); err != nil {
		return x, err
	}
	return x, json.Unmarshal(body, &x)
}
