package kms

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Grant lets a principal use a key without a policy saying so.
type Grant struct {
	ID         string // 64 hexadecimal digits
	KeyID      string
	Name       string // "" for none; makes a second grant with the same content the same grant
	Grantee    string // ARN of a principal, or a service principal such as apprunner.amazonaws.com
	Retiring   string // who may retire the grant, beside the account; "" for nobody else
	Issuer     string // account
	Operations []string
	// Equals and Subset are what the encryption context must be, or must contain. Nil: anything.
	Equals, Subset map[string]string
	SourceARN      string // the resource that a service must act for; "" for any
	CreatedAt      time.Time
}

// GrantOperations are what a grant can give for a symmetric key.
func GrantOperations() []string {
	return []string{
		"CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "RetireGrant",
	}
}

// uncontexted are the operations that have no encryption context, which constraints therefore say nothing about.
func uncontexted(operation string) bool {
	return slices.Contains([]string{"CreateGrant", "DescribeKey", "RetireGrant"}, operation)
}

// Use is what a grant is held against.
type Use struct {
	Principals []string // all ARNs that the caller goes by
	Operation  string   // "Decrypt"
	Context    map[string]string
	SourceARN  string // the resource that a service acts for
}

// allows tells whether a grant covers a use.
func (g Grant) allows(u Use) bool {
	if !slices.Contains(u.Principals, g.Grantee) || !slices.Contains(g.Operations, u.Operation) || g.SourceARN != "" && g.SourceARN != u.SourceARN {
		return false
	}
	if uncontexted(u.Operation) {
		return true
	}
	if g.Equals != nil && !maps.Equal(g.Equals, u.Context) {
		return false
	}
	for name, v := range g.Subset {
		if got, there := u.Context[name]; !there || got != v {
			return false
		}
	}
	return true
}

// same tells whether two grants of one name say the same.
func (g Grant) same(other Grant) bool {
	g.ID, g.CreatedAt = other.ID, other.CreatedAt
	a, err1 := json.Marshal(g)
	b, err2 := json.Marshal(other)
	return err1 == nil && err2 == nil && string(a) == string(b)
}

// CreateGrant adds a grant to a key. One that has a name and is there already is returned as it is. It fails with CodeNotFound,
// CodeDisabled, CodeInvalidState, CodeValidation, CodeLimitExceeded or, on managed keys, apprunner.CodeAccessDenied.
func (k *Keys) CreateGrant(ctx context.Context, sc apprunner.Scope, keyID string, g Grant) (out Grant, err error) {
	err = k.db.Update(ctx, func(tx *store.Tx) error { out, err = k.GrantIn(tx, sc, keyID, g); return err })
	return out, err
}

// GrantIn is CreateGrant inside a transaction.
func (k *Keys) GrantIn(tx *store.Tx, sc apprunner.Scope, keyID string, g Grant) (Grant, error) {
	for _, o := range g.Operations {
		if !slices.Contains(GrantOperations(), o) {
			return Grant{}, apprunner.Errorf(CodeValidation, "operations holds %s, which a symmetric key cannot do; there are %s.", clip(o), strings.Join(GrantOperations(), ", "))
		}
	}
	key, err := findByID(tx, sc, keyID)
	if err == nil {
		err = key.usable()
	}
	if err == nil && key.Managed {
		err = apprunner.Errorf(apprunner.CodeAccessDenied, "%s is a managed key, which takes no grants.", key.ARN())
	}
	if err != nil {
		return Grant{}, err
	}
	all, err := grantsOf(tx, key.ID)
	if err != nil {
		return Grant{}, err
	}
	g.KeyID, g.CreatedAt = key.ID, k.now().UTC()
	slices.Sort(g.Operations)
	if i := slices.IndexFunc(all, func(old Grant) bool { return g.Name != "" && old.Name == g.Name && g.same(old) }); i >= 0 {
		return all[i], nil
	}
	if len(all) >= maxGrants {
		return Grant{}, tooMany("grants of a key", maxGrants)
	}
	var id [32]byte
	rand.Read(id[:])
	g.ID = hex.EncodeToString(id[:])
	body, err := json.Marshal(g)
	if err != nil {
		return Grant{}, fmt.Errorf("encode grant: %w", err)
	}
	return g, tx.Exec(`INSERT INTO kms_grants (key_id, id, body) VALUES ($1, $2, $3)`, g.KeyID, g.ID, string(body))
}

// grantsOf reads the grants of a key by id.
func grantsOf(tx *store.Tx, keyID string) (all []Grant, err error) {
	err = tx.Each(`SELECT body FROM kms_grants WHERE key_id = $1 ORDER BY id`, []any{keyID}, func(row store.Row) error {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return err
		}
		var g Grant
		err := json.Unmarshal(body, &g)
		all = append(all, g)
		return err
	})
	return all, err
}

// Grants reads the grants of a key by id. It fails with CodeNotFound or CodeInvalidState.
func (k *Keys) Grants(ctx context.Context, sc apprunner.Scope, keyID string) (all []Grant, err error) {
	err = k.db.View(ctx, func(tx *store.Tx) error {
		key, err := findByID(tx, sc, keyID)
		if err != nil {
			return err
		}
		all, err = grantsOf(tx, key.ID)
		return err
	})
	return all, err
}

// Granted tells whether a grant of a key covers a use.
func (k *Keys) Granted(ctx context.Context, key Key, u Use) (ok bool, err error) {
	err = k.db.View(ctx, func(tx *store.Tx) error { ok, err = GrantedIn(tx, key.ID, u); return err })
	return ok, err
}

// GrantedIn is Granted inside a transaction.
func GrantedIn(tx *store.Tx, keyID string, u Use) (bool, error) {
	all, err := grantsOf(tx, keyID)
	return slices.ContainsFunc(all, func(g Grant) bool { return g.allows(u) }), err
}

// RemoveGrant revokes or retires a grant: it gives nothing from now on. It fails with CodeNotFound or CodeInvalidGrantID.
func (k *Keys) RemoveGrant(ctx context.Context, sc apprunner.Scope, keyID, id string) error {
	return k.db.Update(ctx, func(tx *store.Tx) error {
		key, err := findByID(tx, sc, keyID)
		if err != nil {
			return err
		}
		n, err := tx.ExecCount(`DELETE FROM kms_grants WHERE key_id = $1 AND id = $2`, key.ID, id)
		if err == nil && n == 0 {
			err = apprunner.Errorf(CodeNotFound, "Grant %s of key '%s' does not exist", clip(id), key.ARN())
		}
		return err
	})
}

// RetireNamed removes the grants of a name that belong to a service principal, whatever became of the key.
func RetireNamed(tx *store.Tx, keyID, grantee, name string) error {
	all, err := grantsOf(tx, keyID)
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.Grantee == grantee && g.Name == name {
			if err := tx.Exec(`DELETE FROM kms_grants WHERE key_id = $1 AND id = $2`, keyID, g.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// Token names a grant for those who use it before it is known everywhere. Here it is known at once, and the token says only which grant
// it is.
func (g Grant) Token(key Key) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key.ARN() + "/" + g.ID))
}

// ParseToken reads a token: the ARN of a key and the id of a grant. It fails with CodeInvalidGrantToken.
func ParseToken(token string) (keyARN, grantID string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		at := strings.LastIndexByte(string(b), '/')
		if at > 0 && strings.HasPrefix(string(b), "arn:aws:kms:") && strings.Count(string(b), "/") == 2 {
			return string(b[:at]), string(b[at+1:]), nil
		}
	}
	return "", "", apprunner.Errorf(CodeInvalidGrantToken, "The grant token is not one of this installation.")
}
