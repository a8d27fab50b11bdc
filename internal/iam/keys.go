package iam

import (
	"context"
	"fmt"
	"maps"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// AccessKey is a long-lived key of a user or of an account's root. Secret is set by CreateAccessKey and EnsureRoot only.
type AccessKey struct {
	ID       string
	UserName string
	Active   bool
	Created  time.Time
	Secret   string
}

// KeyUse is when and for what a key was last accepted; At is zero for a key never used.
type KeyUse struct {
	UserName        string
	At              time.Time
	Service, Region string
}

type keyUse struct {
	At              time.Time
	Service, Region string
}

const (
	purposeSecret = "access key "

	// maxKeysPerUser is AWS's quota: two, so that keys can be rotated.
	maxKeysPerUser = 2
)

// EnsureRoot makes the account with root credentials at first, and finds the same pair again later; where root's keys were all
// deleted or made inactive it makes another, so that access is never lost for whoever owns the machine. Root credentials are the
// only ones whose secret can be read again.
func (d *Directory) EnsureRoot(ctx context.Context, account string) (AccessKey, error) {
	if !isAccount(account) {
		return AccessKey{}, fmt.Errorf("account id %q: it must be 12 digits", account)
	}
	var key AccessKey
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		err := tx.Exec(`INSERT INTO iam_accounts (account, created) VALUES ($1, $2) ON CONFLICT DO NOTHING`, account, store.Micros(d.now()))
		if err != nil {
			return err
		}
		var sealed string
		var created int64
		found, err := tx.Get(`SELECT id, secret, created FROM iam_access_keys WHERE account = $1 AND user_id IS NULL AND active = 1 ORDER BY created, id LIMIT 1`,
			[]any{account}, &key.ID, &sealed, &created)
		if err != nil {
			return err
		}
		if !found {
			key, err = d.insertKey(tx, account, nil)
			return err
		}
		key.Active, key.Created = true, store.Time(created)
		key.Secret, err = d.openSecret(key.ID, sealed)
		return err
	})
	if err != nil {
		return AccessKey{}, fmt.Errorf("root credentials of account %s: %w", account, err)
	}
	return key, nil
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// insertKey makes a key for a user, or for root when userID is nil.
func (d *Directory) insertKey(tx *store.Tx, account string, userID any) (AccessKey, error) {
	key := AccessKey{ID: newKeyID(keyIDPrefix), Active: true, Created: d.now().UTC(), Secret: newSecret()}
	err := tx.Exec(`INSERT INTO iam_access_keys (id, account, user_id, secret, active, created, used, used_service, used_region)
		VALUES ($1, $2, $3, $4, 1, $5, 0, '', '')`,
		key.ID, account, userID, d.seal.lock(purposeSecret+key.ID, []byte(key.Secret)), store.Micros(key.Created))
	return key, err
}

func (d *Directory) openSecret(keyID, sealed string) (string, error) {
	secret, err := d.seal.open(purposeSecret+keyID, sealed)
	if err != nil {
		return "", fmt.Errorf("access key %s cannot be decrypted; does the key file belong to this database?: %w", keyID, err)
	}
	return string(secret), nil
}

// keyOwner finds the secret and the owner of a long-lived key. Unknown and inactive keys look the same from outside (§1.3).
func (d *Directory) keyOwner(ctx context.Context, keyID string) (secret string, p Principal, err error) {
	var sealed, account, userID, name, path string
	var active, found bool
	err = d.db.View(ctx, func(tx *store.Tx) error {
		found, err = tx.Get(`SELECT k.secret, k.active, k.account, coalesce(u.id, ''), coalesce(u.name, ''), coalesce(u.path, '')
			FROM iam_access_keys k LEFT JOIN iam_users u ON u.id = k.user_id WHERE k.id = $1`,
			[]any{keyID}, &sealed, &active, &account, &userID, &name, &path)
		return err
	})
	if err != nil {
		return "", Principal{}, fmt.Errorf("look up access key: %w", err)
	}
	if !found || !active {
		return "", Principal{}, unknownKey()
	}
	if secret, err = d.openSecret(keyID, sealed); err != nil {
		return "", Principal{}, err
	}
	p = Principal{Type: TypeRoot, Account: account, ID: account, ARN: RootARN(account), AccessKeyID: keyID}
	if userID != "" {
		p = userPrincipal(User{ID: userID, Account: account, Name: name, Path: path})
		p.AccessKeyID = keyID
	}
	return secret, p, nil
}

// CreateAccessKey makes a key for a user; the secret is in the answer and cannot be read again. An empty name means the caller's
// own user, which the door fills in; root's further keys are made with an empty user.
func (d *Directory) CreateAccessKey(ctx context.Context, account, userName string) (key AccessKey, err error) {
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		userID, err := keyHolder(tx, account, userName)
		if err != nil {
			return err
		}
		keys, err := listKeys(tx, account, userID)
		if err != nil {
			return err
		}
		if len(keys) >= maxKeysPerUser {
			return apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for AccessKeysPerUser: %d", maxKeysPerUser).
				WithHint("Delete one of the keys %s first.", keys[0].ID)
		}
		key, err = d.insertKey(tx, account, userID)
		return err
	})
	key.UserName = userName
	return key, err
}

// keyHolder is the user_id value of a user's keys, nil for root's.
func keyHolder(tx *store.Tx, account, userName string) (any, error) {
	if userName == "" {
		return nil, nil
	}
	u, err := getUser(tx, account, userName)
	return u.ID, err
}

// ListAccessKeys lists the keys of a user, oldest first, without secrets.
func (d *Directory) ListAccessKeys(ctx context.Context, account, userName string) (keys []AccessKey, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		userID, err := keyHolder(tx, account, userName)
		if err != nil {
			return err
		}
		keys, err = listKeys(tx, account, userID)
		return err
	})
	for i := range keys {
		keys[i].UserName = userName
	}
	return keys, err
}

func listKeys(tx *store.Tx, account string, userID any) (keys []AccessKey, err error) {
	query, args := `SELECT id, active, created FROM iam_access_keys WHERE account = $1 AND user_id = $2 ORDER BY created, id`, []any{account, userID}
	if userID == nil {
		query, args = `SELECT id, active, created FROM iam_access_keys WHERE account = $1 AND user_id IS NULL ORDER BY created, id`, []any{account}
	}
	err = tx.Each(query, args, func(row store.Row) error {
		var k AccessKey
		var created int64
		if err := row.Scan(&k.ID, &k.Active, &created); err != nil {
			return err
		}
		k.Created = store.Time(created)
		keys = append(keys, k)
		return nil
	})
	return keys, err
}

// SetAccessKeyActive makes a user's key Active or Inactive; the change counts from the next request on.
func (d *Directory) SetAccessKeyActive(ctx context.Context, account, userName, keyID string, active bool) error {
	return d.changeKey(ctx, account, userName, keyID, func(tx *store.Tx) error {
		return tx.Exec(`UPDATE iam_access_keys SET active = $1 WHERE id = $2`, toInt(active), keyID)
	})
}

// DeleteAccessKey removes a user's key.
func (d *Directory) DeleteAccessKey(ctx context.Context, account, userName, keyID string) error {
	return d.changeKey(ctx, account, userName, keyID, func(tx *store.Tx) error {
		return tx.Exec(`DELETE FROM iam_access_keys WHERE id = $1`, keyID)
	})
}

func (d *Directory) changeKey(ctx context.Context, account, userName, keyID string, change func(*store.Tx) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		userID, err := keyHolder(tx, account, userName)
		if err != nil {
			return err
		}
		keys, err := listKeys(tx, account, userID)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.ID == keyID {
				return change(tx)
			}
		}
		return apprunner.Errorf(CodeNoSuchEntity, "The Access Key with id %s cannot be found.", clip(keyID))
	})
}

// AccessKeyLastUsed tells when a key of the account was last accepted.
func (d *Directory) AccessKeyLastUsed(ctx context.Context, account, keyID string) (use KeyUse, err error) {
	var at int64
	err = d.db.View(ctx, func(tx *store.Tx) error {
		found, err := tx.Get(`SELECT coalesce(u.name, ''), k.used, k.used_service, k.used_region
			FROM iam_access_keys k LEFT JOIN iam_users u ON u.id = k.user_id WHERE k.id = $1 AND k.account = $2`,
			[]any{keyID, account}, &use.UserName, &at, &use.Service, &use.Region)
		if err == nil && !found {
			return apprunner.Errorf(CodeNoSuchEntity, "The Access Key with id %s cannot be found.", clip(keyID))
		}
		return err
	})
	use.At = store.Time(at)
	d.mu.Lock()
	defer d.mu.Unlock()
	if u, ok := d.uses[keyID]; ok && err == nil {
		use.At, use.Service, use.Region = u.At.UTC(), u.Service, u.Region
	}
	return use, err
}

// AccessKeyAccount tells which account a key belongs to (sts:GetAccessKeyInfo).
func (d *Directory) AccessKeyAccount(ctx context.Context, keyID string) (account string, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		found, err := tx.Get(`SELECT account FROM iam_access_keys WHERE id = $1`, []any{keyID}, &account)
		if err == nil && !found {
			return apprunner.Errorf(CodeValidationError, "The access key id %s does not exist.", clip(keyID))
		}
		return err
	})
	return account, err
}

// used notes the use of a key in memory; a write for every request would cost more than the request.
func (d *Directory) used(keyID string, use keyUse) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uses[keyID] = use
}

func (d *Directory) flushUses(ctx context.Context) error {
	d.mu.Lock()
	uses := maps.Clone(d.uses)
	clear(d.uses)
	d.mu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		for id, u := range uses {
			err := tx.Exec(`UPDATE iam_access_keys SET used = $1, used_service = $2, used_region = $3 WHERE id = $4`,
				store.Micros(u.At), u.Service, u.Region, id)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
