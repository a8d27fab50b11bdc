package kms

import (
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

const (
	aliasPrefix   = "alias/"
	managedPrefix = "alias/aws/"
	// managedRotation is how often the material of managed keys changes, in days: every year.
	managedRotation = 365
)

// ManagedAlias is the alias of the key that protects what App Runner services leave on the disk where they name no key.
const ManagedAlias = "alias/aws/apprunner"

// ManagedAliases are the aliases of the keys that the installation makes for its own services in each account and region.
func ManagedAliases() []string {
	return []string{ManagedAlias, "alias/aws/secretsmanager", "alias/aws/ssm"}
}

func managed(alias string) bool { return slices.Contains(ManagedAliases(), alias) }

// ensureManaged reads the key behind a managed alias, making both where they are missing.
func (k *Keys) ensureManaged(tx *store.Tx, sc apprunner.Scope, alias string) (Key, error) {
	key, err := find(tx, sc, alias)
	if apprunner.CodeOf(err) != CodeNotFound {
		return key, err
	}
	service := strings.TrimPrefix(alias, managedPrefix)
	now := k.now().UTC()
	key = Key{
		Scope: sc, ID: apprunner.NewUUID(), Managed: true, Policy: managedPolicy(sc, service),
		Description: "Default key that protects what " + service + " keeps when no other key is defined",
		Rotation:    Rotation{On: true, Days: managedRotation, Next: now.AddDate(0, 0, managedRotation)},
	}
	if err := k.add(tx, &key); err != nil {
		return Key{}, err
	}
	return key, writeAlias(tx, Alias{Scope: sc, Name: alias, KeyID: key.ID, CreatedAt: now, UpdatedAt: now})
}
