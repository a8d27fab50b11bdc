package kms

import (
	"context"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Alias is another name of a key, in the key's own account and region.
type Alias struct {
	apprunner.Scope
	Name      string // "alias/…"
	KeyID     string // "" for a managed alias whose key was not needed yet
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ARN is the alias's name everywhere.
func (a Alias) ARN() string { return AliasARN(a.Scope, a.Name) }

// CreateAlias gives a key another name. It fails with CodeAlreadyExists, CodeInvalidAlias, CodeNotFound, CodeInvalidState or
// CodeLimitExceeded.
func (k *Keys) CreateAlias(ctx context.Context, sc apprunner.Scope, alias, keyID string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	return k.db.Update(ctx, func(tx *store.Tx) error {
		if _, found, err := readAlias(tx, sc, alias); err != nil || found {
			if found {
				err = apprunner.Errorf(CodeAlreadyExists, "An alias with the name %s already exists", AliasARN(sc, alias))
			}
			return err
		}
		now := k.now().UTC()
		return k.pointAlias(tx, Alias{Scope: sc, Name: alias, CreatedAt: now, UpdatedAt: now}, keyID)
	})
}

// UpdateAlias lets an alias name another key. It fails as CreateAlias does.
func (k *Keys) UpdateAlias(ctx context.Context, sc apprunner.Scope, alias, keyID string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	return k.db.Update(ctx, func(tx *store.Tx) error {
		a, found, err := readAlias(tx, sc, alias)
		if err == nil && !found {
			err = name{Scope: sc, alias: alias}.missing()
		}
		if err != nil {
			return err
		}
		a.UpdatedAt = k.now().UTC()
		return k.pointAlias(tx, a, keyID)
	})
}

// checkAlias refuses names that are not aliases or are those of managed keys.
func checkAlias(alias string) error {
	switch {
	case !strings.HasPrefix(alias, aliasPrefix) || alias == aliasPrefix:
		return apprunner.Errorf(CodeInvalidAlias, "aliasName %s must begin with %s and have a name after it.", clip(alias), aliasPrefix)
	case strings.HasPrefix(alias, managedPrefix):
		return apprunner.Errorf(CodeInvalidAlias, "aliasName %s begins with %s, which is reserved for managed keys.", clip(alias), managedPrefix)
	case strings.ContainsRune(alias, ':'):
		return apprunner.Errorf(CodeInvalidAlias, "aliasName %s may have letters, digits, /, _ and - only.", clip(alias))
	}
	return nil
}

// pointAlias writes an alias for a key of the same account that users may change.
func (k *Keys) pointAlias(tx *store.Tx, a Alias, keyID string) error {
	key, err := findByID(tx, a.Scope, keyID)
	if err != nil {
		return err
	}
	if key.Scope != a.Scope {
		return apprunner.Errorf(CodeNotFound, "Key '%s' belongs to another account; an alias names a key of its own.", key.ARN())
	}
	if err := key.changeable(); err != nil {
		return err
	}
	var n int
	if _, err := tx.Get(`SELECT count(*) FROM kms_aliases WHERE key_id = $1 AND name <> $2`, []any{key.ID, a.Name}, &n); err != nil {
		return err
	}
	if n >= maxAliases {
		return tooMany("aliases of a key", maxAliases)
	}
	a.KeyID = key.ID
	return writeAlias(tx, a)
}

func readAlias(tx *store.Tx, sc apprunner.Scope, alias string) (Alias, bool, error) {
	a := Alias{Scope: sc, Name: alias}
	var created, updated int64
	found, err := tx.Get(`SELECT key_id, created, updated FROM kms_aliases WHERE account = $1 AND region = $2 AND name = $3`,
		[]any{sc.Account, sc.Region, alias}, &a.KeyID, &created, &updated)
	a.CreatedAt, a.UpdatedAt = store.Time(created), store.Time(updated)
	return a, found, err
}

func writeAlias(tx *store.Tx, a Alias) error {
	return tx.Exec(`INSERT INTO kms_aliases (account, region, name, key_id, created, updated) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account, region, name) DO UPDATE SET key_id = excluded.key_id, updated = excluded.updated`,
		a.Account, a.Region, a.Name, a.KeyID, store.Micros(a.CreatedAt), store.Micros(a.UpdatedAt))
}

// DeleteAlias takes a name away; the key stays. It fails with CodeNotFound or CodeInvalidAlias.
func (k *Keys) DeleteAlias(ctx context.Context, sc apprunner.Scope, alias string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	return k.db.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.ExecCount(`DELETE FROM kms_aliases WHERE account = $1 AND region = $2 AND name = $3`, sc.Account, sc.Region, alias)
		if err == nil && n == 0 {
			err = name{Scope: sc, alias: alias}.missing()
		}
		return err
	})
}

// Alias reads one alias; the zero Alias with found false where there is none.
func (k *Keys) Alias(ctx context.Context, sc apprunner.Scope, alias string) (a Alias, found bool, err error) {
	err = k.db.View(ctx, func(tx *store.Tx) error { a, found, err = readAlias(tx, sc, alias); return err })
	return a, found, err
}

// Aliases reads the aliases of a scope by name, those of managed keys that nobody needed yet included.
func (k *Keys) Aliases(ctx context.Context, sc apprunner.Scope) (all []Alias, err error) {
	made := map[string]bool{}
	err = k.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT name, key_id, created, updated FROM kms_aliases WHERE account = $1 AND region = $2 ORDER BY name`, []any{sc.Account, sc.Region}, func(row store.Row) error {
			a := Alias{Scope: sc}
			var created, updated int64
			err := row.Scan(&a.Name, &a.KeyID, &created, &updated)
			a.CreatedAt, a.UpdatedAt = store.Time(created), store.Time(updated)
			all, made[a.Name] = append(all, a), true
			return err
		})
	})
	for _, alias := range ManagedAliases() {
		if !made[alias] {
			all = append(all, Alias{Scope: sc, Name: alias})
		}
	}
	return all, err
}
