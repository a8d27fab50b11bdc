package iam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Config is what a Directory needs.
type Config struct {
	DB *store.DB
	// KeyFile holds the key that secrets are encrypted under. It is made (mode 0600) when it is missing and nothing was sealed
	// under an earlier one; without it no stored access key can be used again.
	KeyFile string
	Log     *slog.Logger
	// Passwords is what console passwords must be like.
	Passwords PasswordPolicy
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Transport is how the keys of OpenID Connect providers are fetched; nil is http.DefaultTransport.
	Transport http.RoundTripper
}

// Directory keeps the identities of all accounts. It is safe for concurrent use.
type Directory struct {
	db      *store.DB
	log     *slog.Logger
	now     func() time.Time
	seal    sealer
	managed managedPolicies
	parsed  documentCache

	passwords PasswordPolicy
	guesses   guesses
	issuers   *issuers

	mu   sync.Mutex
	uses map[string]keyUse
}

// Open brings the room's schema up to date and reads, or makes, the key file.
func Open(ctx context.Context, c Config) (*Directory, error) {
	if c.DB == nil || c.KeyFile == "" {
		return nil, errors.New("iam: Config needs DB and KeyFile")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := c.DB.Migrate(ctx, "iam", migrations); err != nil {
		return nil, err
	}
	managed, err := loadManagedPolicies()
	if err != nil {
		return nil, fmt.Errorf("read the managed policies: %w", err)
	}
	d := &Directory{db: c.DB, log: c.Log, now: c.Now, managed: managed, passwords: c.Passwords, issuers: newIssuers(c.Transport), uses: make(map[string]keyUse)}
	sealed, err := d.anythingSealed(ctx)
	if err != nil {
		return nil, err
	}
	if d.seal, err = openSealer(c.KeyFile, !sealed); err != nil {
		return nil, err
	}
	return d, nil
}

// flushEvery is how often the times of last use reach the database; a crash may lose that much of them.
const flushEvery = time.Minute

// Run writes down when keys were last used, until ctx ends.
func (d *Directory) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return d.flushUses(last)
		case <-tick.C:
			if err := d.flushUses(ctx); err != nil {
				d.log.Error("write the times of last use of access keys", "error", err)
			}
		}
	}
}

func (d *Directory) anythingSealed(ctx context.Context) (found bool, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		var id string
		found, err = tx.Get(`SELECT id FROM iam_access_keys UNION ALL SELECT owner FROM iam_logins LIMIT 1`, nil, &id)
		return err
	})
	return found, err
}

// The error codes of IAM (adjacent §2.3).
const (
	CodeEntityAlreadyExists     apprunner.Code = "EntityAlreadyExists"
	CodeNoSuchEntity            apprunner.Code = "NoSuchEntity"
	CodeDeleteConflict          apprunner.Code = "DeleteConflict"
	CodeMalformedPolicyDocument apprunner.Code = "MalformedPolicyDocument"
	CodeLimitExceeded           apprunner.Code = "LimitExceeded"
	CodeInvalidInput            apprunner.Code = "InvalidInput"
	CodeUnmodifiableEntity      apprunner.Code = "UnmodifiableEntity"
	CodeValidationError         apprunner.Code = "ValidationError"
	CodePolicyNotAttachable     apprunner.Code = "PolicyNotAttachable"
)

func noSuch(kind, name string) error {
	return apprunner.Errorf(CodeNoSuchEntity, "The %s with name %s cannot be found.", kind, clip(name))
}
