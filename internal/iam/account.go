package iam

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Account is one AWS account of this installation.
type Account struct {
	ID      string
	Alias   string
	Created time.Time
	// Policies are limits set from outside the account: where there are any, one must allow what anybody in it does, its root
	// included (adjacent §2.4, step 4).
	Policies []string
}

// CreateAccount makes another account and root's first key. An empty id chooses one. The key is the only way in, and its secret
// is returned here and by [Directory.EnsureRoot] only.
func (d *Directory) CreateAccount(ctx context.Context, id string) (AccessKey, string, error) {
	if id == "" {
		n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
		if err != nil {
			return AccessKey{}, "", fmt.Errorf("choose an account id: %w", err)
		}
		id = fmt.Sprint(100_000_000_000 + n.Int64())
	}
	accounts, err := d.Accounts(ctx)
	if err != nil {
		return AccessKey{}, "", err
	}
	for _, a := range accounts {
		if a.ID == id {
			return AccessKey{}, "", apprunner.Errorf(CodeEntityAlreadyExists, "The account %s exists already.", id).
				WithHint("`slipway root-key --account %s` makes another key for its root.", id)
		}
	}
	key, err := d.EnsureRoot(ctx, id)
	return key, id, err
}

// Accounts lists the accounts of this installation, by id.
func (d *Directory) Accounts(ctx context.Context) (accounts []Account, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT a.account, a.created, coalesce(n.alias, ''), coalesce(l.policies, '[]') FROM iam_accounts a
			LEFT JOIN iam_aliases n ON n.account = a.account LEFT JOIN iam_limits l ON l.account = a.account ORDER BY a.account`, nil, func(row store.Row) error {
			var a Account
			var created int64
			var policies string
			if err := row.Scan(&a.ID, &created, &a.Alias, &policies); err != nil {
				return err
			}
			a.Created = store.Time(created)
			accounts = append(accounts, a)
			return json.Unmarshal([]byte(policies), &accounts[len(accounts)-1].Policies)
		})
	})
	return accounts, err
}

// Account finds one account.
func (d *Directory) Account(ctx context.Context, id string) (Account, error) {
	accounts, err := d.Accounts(ctx)
	for _, a := range accounts {
		if a.ID == id {
			return a, nil
		}
	}
	if err == nil {
		err = apprunner.Errorf(CodeNoSuchEntity, "The account %s does not exist here.", clip(id))
	}
	return Account{}, err
}

func (d *Directory) checkAccount(tx *store.Tx, account string) error {
	var one int
	found, err := tx.Get(`SELECT 1 FROM iam_accounts WHERE account = $1`, []any{account}, &one)
	if err == nil && !found {
		err = apprunner.Errorf(CodeNoSuchEntity, "The account %s does not exist here.", clip(account)).
			WithHint("`slipway account list` shows the accounts there are.")
	}
	return err
}

// NewRootKey makes another key for an account's root, for an owner of the machine who has lost it. With replace the keys root had
// are deleted; without, root may have two.
func (d *Directory) NewRootKey(ctx context.Context, account string, replace bool) (key AccessKey, err error) {
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if err := d.checkAccount(tx, account); err != nil {
			return err
		}
		if replace {
			if err := tx.Exec(`DELETE FROM iam_access_keys WHERE account = $1 AND user_id IS NULL`, account); err != nil {
				return err
			}
		}
		keys, err := listKeys(tx, account, nil)
		if err == nil && len(keys) >= maxKeysPerUser {
			err = apprunner.Errorf(CodeLimitExceeded, "Root of account %s has %d keys already.", account, len(keys)).
				WithHint("Replace them: `slipway root-key --account %s --replace`.", account)
		}
		if err != nil {
			return err
		}
		key, err = d.insertKey(tx, account, nil)
		return err
	})
	return key, err
}

// SetAccountPolicies sets the limits of an account, in the way of an organisation's service control policies; none takes them
// away. Service-linked roles are not bound by them.
func (d *Directory) SetAccountPolicies(ctx context.Context, account string, documents []string) error {
	for _, doc := range documents {
		if _, err := ParseDocument(doc, IdentityPolicy); err != nil {
			return err
		}
	}
	b, err := json.Marshal(documents)
	if err != nil {
		return fmt.Errorf("limits of account %s: %w", account, err)
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		if err := d.checkAccount(tx, account); err != nil {
			return err
		}
		if len(documents) == 0 {
			return tx.Exec(`DELETE FROM iam_limits WHERE account = $1`, account)
		}
		return tx.Exec(`INSERT INTO iam_limits (account, policies) VALUES ($1, $2) ON CONFLICT (account) DO UPDATE SET policies = excluded.policies`, account, string(b))
	})
}

// limits are the policies set from outside an account; nil where there are none.
func (d *Directory) limits(tx *store.Tx, account string) ([]Document, error) {
	texts, err := d.limitTexts(tx, account)
	if err != nil || texts == nil {
		return nil, err
	}
	return d.parseAll(texts, IdentityPolicy)
}

func (d *Directory) limitTexts(tx *store.Tx, account string) (texts []string, err error) {
	var text string
	found, err := tx.Get(`SELECT policies FROM iam_limits WHERE account = $1`, []any{account}, &text)
	if err != nil || !found {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return nil, fmt.Errorf("limits of account %s: %w", account, err)
	}
	return texts, nil
}

// CreateAlias gives an account a name for its sign-in page, in place of an earlier one. Names belong to one account of the
// installation.
func (d *Directory) CreateAlias(ctx context.Context, account, alias string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		var owner string
		found, err := tx.Get(`SELECT account FROM iam_aliases WHERE alias = $1`, []any{alias}, &owner)
		if err != nil {
			return err
		}
		if found && owner != account || isAccount(alias) {
			return apprunner.Errorf(CodeEntityAlreadyExists, "The account alias %s already exists.", clip(alias))
		}
		return tx.Exec(`INSERT INTO iam_aliases (account, alias) VALUES ($1, $2) ON CONFLICT (account) DO UPDATE SET alias = excluded.alias`, account, alias)
	})
}

// DeleteAlias takes the account's name away.
func (d *Directory) DeleteAlias(ctx context.Context, account, alias string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.ExecCount(`DELETE FROM iam_aliases WHERE account = $1 AND alias = $2`, account, alias)
		if err == nil && n == 0 {
			err = apprunner.Errorf(CodeNoSuchEntity, "The account alias %s cannot be found.", clip(alias))
		}
		return err
	})
}

// Alias is the account's name; empty without one.
func (d *Directory) Alias(ctx context.Context, account string) (alias string, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		_, err = tx.Get(`SELECT alias FROM iam_aliases WHERE account = $1`, []any{account}, &alias)
		return err
	})
	return alias, err
}

// AccountOfAlias is the account with a name, for the sign-in page. A name nobody has is nobody's: it gives an empty id.
func (d *Directory) AccountOfAlias(ctx context.Context, alias string) (account string, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		_, err = tx.Get(`SELECT account FROM iam_aliases WHERE alias = $1`, []any{alias}, &account)
		return err
	})
	return account, err
}

// Summary counts what an account has, and names the quotas it is held to, by the keys of GetAccountSummary.
func (d *Directory) Summary(ctx context.Context, account string) (map[string]int, error) {
	out := map[string]int{
		"AccessKeysPerUserQuota": maxKeysPerUser, "AttachedPoliciesPerGroupQuota": maxAttached, "AttachedPoliciesPerRoleQuota": maxAttached,
		"AttachedPoliciesPerUserQuota": maxAttached, "GroupPolicySizeQuota": maxGroupInline, "UserPolicySizeQuota": maxUserInline,
		"RolePolicySizeQuota": maxRoleInline, "AssumeRolePolicySizeQuota": maxTrustPolicy, "PolicySizeQuota": maxManagedPolicy,
		"VersionsPerPolicyQuota": maxVersions, "GlobalEndpointTokenVersion": 2,
		"Providers": 0, "ServerCertificates": 0, "InstanceProfiles": 0,
		"AccountSigningCertificatesPresent": 0,
	}
	err := d.db.View(ctx, func(tx *store.Tx) error {
		for name, query := range map[string]string{
			"Users": `SELECT count(*) FROM iam_users WHERE account = $1`, "Groups": `SELECT count(*) FROM iam_groups WHERE account = $1`,
			"Roles": `SELECT count(*) FROM iam_roles WHERE account = $1`, "Policies": `SELECT count(*) FROM iam_policies WHERE account = $1`,
			"PolicyVersionsInUse":      `SELECT count(*) FROM iam_policy_versions v JOIN iam_policies p ON p.id = v.policy_id WHERE p.account = $1`,
			"AccountAccessKeysPresent": `SELECT count(*) FROM iam_access_keys WHERE account = $1 AND user_id IS NULL`,
			"AccountPasswordPresent":   `SELECT count(*) FROM iam_roots WHERE account = $1`,
			"MFADevices":               `SELECT count(*) FROM iam_mfa_devices WHERE account = $1`,
			"MFADevicesInUse":          `SELECT count(*) FROM iam_mfa_devices WHERE account = $1 AND owner <> ''`,
			"AccountMFAEnabled":        `SELECT count(*) FROM iam_mfa_devices WHERE owner = $1`,
		} {
			var n int
			if _, err := tx.Get(query, []any{account}, &n); err != nil {
				return err
			}
			out[name] = n
		}
		return nil
	})
	out["AccountAccessKeysPresent"] = min(out["AccountAccessKeysPresent"], 1)
	out["AccountMFAEnabled"] = min(out["AccountMFAEnabled"], 1)
	return out, err
}
