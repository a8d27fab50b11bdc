package runtimeenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
	"slipway.dev/slipway/internal/store"
)

// secrets is what is read of Secrets Manager.
type secrets interface {
	Describe(ctx context.Context, sc apprunner.Scope, id string) (secret.Secret, error)
	Value(ctx context.Context, sc apprunner.Scope, id string, w secret.Which) (secret.Secret, secret.Version, secret.Value, error)
}

// parameters is what is read of the Parameter Store.
type parameters interface {
	Find(ctx context.Context, sc apprunner.Scope, text string) (parameter.Parameter, parameter.Version, error)
	Value(ctx context.Context, p parameter.Parameter, v parameter.Version, decrypt bool) (parameter.Value, error)
}

// guard tells whether the instance role of a service may read something.
type guard interface {
	// Allow answers nil, or an error for whoever deploys.
	Allow(ctx context.Context, who Service, a Access) error
	// Note keeps a record of a read that was tried; err is how it failed.
	Note(ctx context.Context, who Service, a Access, err error)
}

// Service is for whom values are read.
type Service struct {
	apprunner.Scope
	ARN     string
	RoleARN string // the instance role
	Key     string // ARN of the service's own KMS key, which its values are kept under; empty: a managed one
}

// Access is one thing to read.
type Access struct {
	Action   string // secretsmanager:GetSecretValue or ssm:GetParameters
	Resource string // ARN
	Policy   string // of the resource itself; empty: none
	Stage    string // of the secret's version, as conditions of policies see it
	Tags     map[string]string
	Key      string            // the KMS key to be allowed too; empty: a managed one of the same account, which all may use who may read
	Bound    map[string]string // what the value is sealed together with
}

// Config is what an Environment needs; all of it is required.
type Config struct {
	DB         *store.DB
	Keys       secret.Keys
	Secrets    secrets
	Parameters parameters
	Guard      guard
}

// Environment reads and keeps the secret variables of all services.
type Environment struct{ conf Config }

// migrations are the room's tables; see store.DB.Migrate for the rule.
var migrations = []string{
	`CREATE TABLE runtime_secrets (id TEXT PRIMARY KEY, service_arn TEXT NOT NULL, sealed BLOB NOT NULL)`,
	`CREATE INDEX runtime_secrets_service ON runtime_secrets (service_arn)`,
}

// Open makes the room's tables where they are missing.
func Open(ctx context.Context, c Config) (*Environment, error) {
	if c.DB == nil || c.Keys == nil || c.Secrets == nil || c.Parameters == nil || c.Guard == nil {
		return nil, errors.New("runtimeenv: a member of Config is missing")
	}
	return &Environment{c}, c.DB.Migrate(ctx, "runtimeenv", migrations)
}

// managedKey is the key of services that have none of their own.
const managedKey = "alias/aws/apprunner"

// keptUnder is the key that a service's values rest under.
func (s Service) keptUnder() string {
	if s.Key == "" {
		return managedKey
	}
	return s.Key
}

// bound is what kept values are sealed together with.
func bound(id, service string) map[string]string {
	return map[string]string{"aws:apprunner:arn": service, "aws:apprunner:operation": id}
}

// Take reads the values of references, by the name of their variable, and keeps them under an id; those that are kept already are not
// read again. A failure for whoever deploys is an *apprunner.Error that names every variable that cannot be had.
func (e *Environment) Take(ctx context.Context, svc Service, id string, references map[string]string) error {
	there, err := e.sealed(ctx, id)
	if err != nil || there != nil {
		return err
	}
	values, err := e.read(ctx, svc, references)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("encode the secrets of %s: %w", svc.ARN, err)
	}
	blob, _, err := e.conf.Keys.Encrypt(ctx, svc.Scope, svc.keptUnder(), plain, bound(id, svc.ARN))
	if err != nil {
		return fmt.Errorf("seal the secrets of %s: %w", svc.ARN, err)
	}
	return e.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO runtime_secrets (id, service_arn, sealed) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, id, svc.ARN, blob)
	})
}

func (e *Environment) sealed(ctx context.Context, id string) (blob []byte, err error) {
	err = e.conf.DB.View(ctx, func(tx *store.Tx) error {
		_, err := tx.Get(`SELECT sealed FROM runtime_secrets WHERE id = $1`, []any{id}, &blob)
		return err
	})
	return blob, err
}

// Kept gives the values that were taken under an id.
func (e *Environment) Kept(ctx context.Context, svc Service, id string) (map[string]string, error) {
	blob, err := e.sealed(ctx, id)
	if err != nil {
		return nil, err
	}
	if blob == nil {
		return nil, apprunner.Errorf(apprunner.CodeInvalidState, "The values of the secrets of %s are not there. Start a deployment, which reads them again.", svc.ARN)
	}
	plain, err := e.conf.Keys.Decrypt(ctx, svc.Scope, blob, bound(id, svc.ARN))
	if err != nil {
		return nil, fmt.Errorf("open the secrets of %s: %w", svc.ARN, err)
	}
	var values map[string]string
	return values, json.Unmarshal(plain, &values)
}

// Forget drops what was taken for a service, except under the id to keep; empty: all.
func (e *Environment) Forget(tx *store.Tx, serviceARN, keep string) error {
	return tx.Exec(`DELETE FROM runtime_secrets WHERE service_arn = $1 AND id <> $2`, serviceARN, keep)
}
