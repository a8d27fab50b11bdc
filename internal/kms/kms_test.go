package kms_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/store"
)

var (
	here  = apprunner.Scope{Account: "111122223333", Region: "eu-west-1"}
	there = apprunner.Scope{Account: "444455556666", Region: "eu-west-1"}
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func open(t testing.TB) (*kms.Keys, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	k, err := kms.Open(t.Context(), kms.Config{DB: db, Root: bytes.Repeat([]byte{7}, 32), RootFile: "kms.key", Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return k, c
}

func newKey(t *testing.T, k *kms.Keys) kms.Key {
	t.Helper()
	key, err := k.Create(t.Context(), here, kms.New{})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func wantCode(t *testing.T, err error, want apprunner.Code) {
	t.Helper()
	if apprunner.CodeOf(err) != want || err == nil {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCiphertextOpensOnlyUnchangedAndInItsContext(t *testing.T) {
	k, _ := open(t)
	key := newKey(t, k)
	context := map[string]string{"tenant": "a", "purpose": "b"}
	sealed, err := k.Encrypt(t.Context(), here, key.ID, []byte("the secret"), context)
	ok(t, err)
	if bytes.Contains(sealed.Blob, []byte("secret")) {
		t.Fatal("the ciphertext shows the plain text")
	}
	plain, err := k.Decrypt(t.Context(), here, sealed.Blob, map[string]string{"purpose": "b", "tenant": "a"})
	ok(t, err)
	if string(plain.Bytes) != "the secret" || plain.KeyARN != key.ARN() {
		t.Fatalf("decrypted %q with %s", plain.Bytes, plain.KeyARN)
	}
	for _, other := range []map[string]string{nil, {"tenant": "a"}, {"tenant": "ab", "purpose": ""}, {"tenant": "a", "purpose": "b", "more": ""}} {
		_, err := k.Decrypt(t.Context(), here, sealed.Blob, other)
		wantCode(t, err, kms.CodeInvalidCiphertext)
	}
	for i := range sealed.Blob {
		changed := bytes.Clone(sealed.Blob)
		changed[i] ^= 1
		if p, err := k.Decrypt(t.Context(), here, changed, context); err == nil {
			t.Fatalf("byte %d changed, and it opened as %q", i, p.Bytes)
		}
	}
}

func TestKeyThatMayNotBeUsedSaysWhy(t *testing.T) {
	k, c := open(t)
	key := newKey(t, k)
	sealed, err := k.Encrypt(t.Context(), here, key.ARN(), []byte("x"), nil)
	ok(t, err)
	use := func() error {
		_, err := k.Decrypt(t.Context(), here, sealed.Blob, nil)
		if _, again := k.Encrypt(t.Context(), here, key.ID, []byte("x"), nil); apprunner.CodeOf(again) != apprunner.CodeOf(err) {
			t.Fatalf("encrypt says %v, decrypt %v", again, err)
		}
		return err
	}
	ok(t, k.Enable(t.Context(), here, key.ID, false))
	wantCode(t, use(), kms.CodeDisabled)
	ok(t, k.Enable(t.Context(), here, key.ID, true))
	_, err = k.ScheduleDeletion(t.Context(), here, key.ID, 7)
	ok(t, err)
	wantCode(t, use(), kms.CodeInvalidState)
	wantCode(t, k.Enable(t.Context(), here, key.ID, true), kms.CodeInvalidState)
	_, err = k.CancelDeletion(t.Context(), here, key.ID)
	ok(t, err)
	wantCode(t, use(), kms.CodeDisabled)
	_, err = k.ScheduleDeletion(t.Context(), here, key.ID, 7)
	ok(t, err)
	ok(t, k.Sweep(t.Context(), c.now.AddDate(0, 0, 7).Add(-time.Second)))
	wantCode(t, use(), kms.CodeInvalidState)
	ok(t, k.Sweep(t.Context(), c.now.AddDate(0, 0, 7)))
	wantCode(t, use(), kms.CodeNotFound)
}

func TestRotatedKeyStillOpensWhatItSealedBefore(t *testing.T) {
	k, c := open(t)
	key := newKey(t, k)
	ok(t, k.SetRotation(t.Context(), here, key.ID, true, 90))
	before, err := k.Encrypt(t.Context(), here, key.ID, []byte("old"), nil)
	ok(t, err)
	ok(t, k.Sweep(t.Context(), c.now.AddDate(0, 0, 91)))
	after, err := k.Encrypt(t.Context(), here, key.ID, []byte("new"), nil)
	ok(t, err)
	if before.MaterialID == after.MaterialID {
		t.Fatal("the material did not change")
	}
	for _, sealed := range []kms.Ciphertext{before, after} {
		plain, err := k.Decrypt(t.Context(), here, sealed.Blob, nil)
		ok(t, err)
		if plain.MaterialID != sealed.MaterialID {
			t.Fatalf("%q was opened with other material", plain.Bytes)
		}
	}
}

func TestManagedKeysAreMadeWhenFirstUsedAndCannotBeChanged(t *testing.T) {
	k, _ := open(t)
	all, err := k.List(t.Context(), here)
	ok(t, err)
	if len(all) != 0 {
		t.Fatalf("%d keys before any was used", len(all))
	}
	for _, alias := range kms.ManagedAliases() {
		first, err := k.Encrypt(t.Context(), here, alias, []byte("x"), nil)
		ok(t, err)
		second, err := k.Encrypt(t.Context(), here, alias, []byte("x"), nil)
		ok(t, err)
		if first.KeyARN != second.KeyARN {
			t.Fatalf("%s is two keys", alias)
		}
		wantCode(t, k.Enable(t.Context(), here, first.KeyARN, false), apprunner.CodeAccessDenied)
		_, err = k.ScheduleDeletion(t.Context(), here, first.KeyARN, 7)
		wantCode(t, err, apprunner.CodeAccessDenied)
		_, err = k.CreateGrant(t.Context(), here, first.KeyARN, kms.Grant{Grantee: "apprunner.amazonaws.com", Operations: []string{"Decrypt"}})
		wantCode(t, err, apprunner.CodeAccessDenied)
	}
	_, err = k.Describe(t.Context(), here, "alias/aws/s3")
	wantCode(t, err, kms.CodeNotFound)
	_, err = k.Describe(t.Context(), here, "arn:aws:kms:eu-west-1:"+there.Account+":alias/aws/ssm")
	wantCode(t, err, kms.CodeNotFound)
}

func TestAnotherRootKeyIsNoticedAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	start := func(fill byte) error {
		db, err := store.Open(t.Context(), path)
		ok(t, err)
		defer db.Close()
		k, err := kms.Open(t.Context(), kms.Config{DB: db, Root: bytes.Repeat([]byte{fill}, 32), RootFile: "kms.key", Now: time.Now})
		if err == nil && fill == 1 {
			_, err = k.Create(t.Context(), here, kms.New{})
		}
		return err
	}
	ok(t, start(1))
	if err := start(2); err == nil {
		t.Fatal("the keys opened with another root key")
	}
	ok(t, start(1))
}
