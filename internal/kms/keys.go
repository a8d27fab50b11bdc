package kms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Config is what Keys needs; all of it is required.
type Config struct {
	DB *store.DB
	// Root is the installation's own key, 32 bytes, which seals the material of all others. It must not lie in the database.
	Root []byte
	// RootFile is where Root was read from, for messages.
	RootFile string
	Now      func() time.Time
}

// Keys are the keys of all accounts and regions. It is safe for concurrent use and holds nothing in memory. Methods that take a
// transaction run inside it; the others must not be called while the caller writes in one.
type Keys struct {
	db   *store.DB
	root root
	now  func() time.Time
}

// Open makes the tables where they are missing, and fails when the root key is not the one the material is sealed with.
func Open(ctx context.Context, c Config) (*Keys, error) {
	if c.DB == nil || c.Now == nil {
		return nil, errors.New("open keys: DB and Now are required")
	}
	r, err := newRoot(c.Root)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if err := c.DB.Migrate(ctx, "kms", migrations); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	k := &Keys{c.DB, r, c.Now}
	if err := k.db.View(ctx, k.checkRoot); err != nil {
		return nil, fmt.Errorf("%s does not hold the key that the database's keys are sealed with: put the file back from the backup that belongs to this database: %w", c.RootFile, err)
	}
	return k, nil
}

// checkRoot opens one piece of material, if there is any.
func (k *Keys) checkRoot(tx *store.Tx) error {
	var id string
	found, err := tx.Get(`SELECT key_id FROM kms_material LIMIT 1`, nil, &id)
	if err != nil || !found {
		return err
	}
	var number int
	if _, err := tx.Get(`SELECT number FROM kms_material WHERE key_id = $1 LIMIT 1`, []any{id}, &number); err != nil {
		return err
	}
	_, err = k.material(tx, id, number)
	return err
}

// New is a key to be made.
type New struct {
	Description string
	Policy      string // "" for the default one, which leaves it to the policies of the account
	Tags        map[string]string
}

// Create makes a key. It fails with CodeLimitExceeded or CodeTag.
func (k *Keys) Create(ctx context.Context, sc apprunner.Scope, n New) (key Key, err error) {
	err = k.db.Update(ctx, func(tx *store.Tx) error {
		var count int
		if _, err := tx.Get(`SELECT count(*) FROM kms_keys WHERE account = $1 AND region = $2`, []any{sc.Account, sc.Region}, &count); err != nil {
			return err
		}
		if count >= maxKeys {
			return tooMany("keys in an account and region", maxKeys)
		}
		if n.Policy == "" {
			n.Policy = defaultPolicy(sc.Account)
		}
		key = Key{Scope: sc, ID: apprunner.NewUUID(), Description: n.Description, Policy: n.Policy, Tags: n.Tags}
		return k.add(tx, &key)
	})
	return key, err
}

func tooMany(what string, limit int) error {
	return apprunner.Errorf(CodeLimitExceeded, "There can be no more than %d %s.", limit, what)
}

// add completes a new key and writes it with its first material.
func (k *Keys) add(tx *store.Tx, key *Key) error {
	if err := checkTags(key.Tags); err != nil {
		return err
	}
	key.State, key.CreatedAt = StateEnabled, k.now().UTC()
	if err := k.newMaterial(tx, key); err != nil {
		return err
	}
	return write(tx, *key)
}

func write(tx *store.Tx, key Key) error {
	body, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	return tx.Exec(`INSERT INTO kms_keys (id, account, region, due, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET due = excluded.due, body = excluded.body`, key.ID, key.Account, key.Region, store.Micros(key.due()), string(body))
}

// byID reads a key, wherever it belongs.
func byID(tx *store.Tx, id string) (key Key, found bool, err error) {
	var body []byte
	found, err = tx.Get(`SELECT body FROM kms_keys WHERE id = $1`, []any{id}, &body)
	if err != nil || !found {
		return Key{}, false, err
	}
	return key, true, json.Unmarshal(body, &key)
}

// find reads the key that a request names. It fails with CodeNotFound or CodeInvalidARN.
func find(tx *store.Tx, sc apprunner.Scope, text string) (Key, error) {
	n, err := parseName(sc, text)
	if err != nil {
		return Key{}, err
	}
	id := n.id
	if n.alias != "" {
		if _, err := tx.Get(`SELECT key_id FROM kms_aliases WHERE account = $1 AND region = $2 AND name = $3`, []any{n.Account, n.Region, n.alias}, &id); err != nil {
			return Key{}, err
		}
	}
	key, found, err := byID(tx, id)
	if err == nil && (!found || key.Scope != n.Scope) {
		err = n.missing()
	}
	return key, err
}

// findByID is find for actions that do not take aliases.
func findByID(tx *store.Tx, sc apprunner.Scope, text string) (Key, error) {
	n, err := parseName(sc, text)
	if err != nil {
		return Key{}, err
	}
	if n.alias != "" {
		return Key{}, apprunner.Errorf(CodeInvalidARN, "%s is an alias; this action takes the id or the ARN of a key.", clip(text))
	}
	return find(tx, sc, text)
}

// Describe reads a key by its id, ARN or alias. The managed ones of [ManagedAliases] are made when they are first asked for. It fails with
// CodeNotFound or CodeInvalidARN.
func (k *Keys) Describe(ctx context.Context, sc apprunner.Scope, key string) (out Key, err error) {
	out, err = k.Look(ctx, sc, key)
	if err != nil || out.ID != "" {
		return out, err
	}
	n, err := parseName(sc, key)
	if err != nil {
		return Key{}, err
	}
	err = k.db.Update(ctx, func(tx *store.Tx) error { out, err = k.ensureManaged(tx, n.Scope, n.alias); return err })
	return out, err
}

// Look is Describe without making anything: a managed key that was not needed yet comes without an id.
func (k *Keys) Look(ctx context.Context, sc apprunner.Scope, key string) (out Key, err error) {
	err = k.db.View(ctx, func(tx *store.Tx) error { out, err = find(tx, sc, key); return err })
	if n, bad := parseName(sc, key); bad == nil && apprunner.CodeOf(err) == CodeNotFound && managed(n.alias) && n.Account == sc.Account {
		return Key{Scope: sc, Managed: true, State: StateEnabled, Policy: managedPolicy(sc, strings.TrimPrefix(n.alias, managedPrefix))}, nil
	}
	return out, err
}

// Named reads a key by its ARN, in whatever account and region it belongs.
func (k *Keys) Named(ctx context.Context, arn string) (key Key, err error) {
	sc := apprunner.Scope{}
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		sc.Region, sc.Account = parts[3], parts[4]
	}
	err = k.db.View(ctx, func(tx *store.Tx) error { key, err = findByID(tx, sc, arn); return err })
	return key, err
}

// List reads all keys of a scope, by id.
func (k *Keys) List(ctx context.Context, sc apprunner.Scope) (all []Key, err error) {
	err = k.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT body FROM kms_keys WHERE account = $1 AND region = $2 ORDER BY id`, []any{sc.Account, sc.Region}, func(row store.Row) error {
			key, err := scanKey(row)
			all = append(all, key)
			return err
		})
	})
	return all, err
}

func scanKey(row store.Row) (key Key, err error) {
	var body []byte
	if err := row.Scan(&body); err != nil {
		return Key{}, err
	}
	return key, json.Unmarshal(body, &key)
}

// change writes a key of a customer after f changed it. f may refuse.
func (k *Keys) change(ctx context.Context, sc apprunner.Scope, id string, f func(*store.Tx, *Key) error) (key Key, err error) {
	err = k.db.Update(ctx, func(tx *store.Tx) error {
		if key, err = findByID(tx, sc, id); err != nil {
			return err
		}
		if err := key.changeable(); err != nil {
			return err
		}
		if err := f(tx, &key); err != nil {
			return err
		}
		return write(tx, key)
	})
	return key, err
}

// Enable makes a disabled key usable again, or, with on false, an enabled one unusable. What is done already is no error.
func (k *Keys) Enable(ctx context.Context, sc apprunner.Scope, id string, on bool) error {
	_, err := k.change(ctx, sc, id, func(_ *store.Tx, key *Key) error {
		key.State = StateDisabled
		if on {
			key.State = StateEnabled
		}
		return nil
	})
	return err
}

// SetPolicy replaces the key policy, which the caller has checked.
func (k *Keys) SetPolicy(ctx context.Context, sc apprunner.Scope, id, policy string) error {
	_, err := k.change(ctx, sc, id, func(_ *store.Tx, key *Key) error { key.Policy = policy; return nil })
	return err
}

// Tag adds tags to a key, and replaces those of the same names. It fails with CodeTag.
func (k *Keys) Tag(ctx context.Context, sc apprunner.Scope, id string, tags map[string]string) error {
	_, err := k.change(ctx, sc, id, func(_ *store.Tx, key *Key) error {
		if key.Tags == nil {
			key.Tags = map[string]string{}
		}
		for name, v := range tags {
			key.Tags[name] = v
		}
		return checkTags(key.Tags)
	})
	return err
}

// Untag takes tags away.
func (k *Keys) Untag(ctx context.Context, sc apprunner.Scope, id string, names []string) error {
	_, err := k.change(ctx, sc, id, func(_ *store.Tx, key *Key) error {
		for _, name := range names {
			delete(key.Tags, name)
		}
		return nil
	})
	return err
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return tooMany("tags on a key", maxTags)
	}
	for name := range tags {
		if strings.HasPrefix(strings.ToLower(name), "aws:") {
			return apprunner.Errorf(CodeTag, "The tag key %s begins with aws:, which is reserved.", clip(name))
		}
	}
	return nil
}
