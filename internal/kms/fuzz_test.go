package kms_test

import (
	"bytes"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/kms"
)

// FuzzDecrypt gives ciphertexts, contexts and tokens that nobody made.
func FuzzDecrypt(f *testing.F) {
	k, _ := open(f)
	key, err := k.Create(f.Context(), here, kms.New{})
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := k.Encrypt(f.Context(), here, key.ID, []byte("plain"), map[string]string{"a": "b"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed.Blob, "a", "b", "token")
	f.Add(sealed.Blob[:40], "", "", kms.Grant{ID: "g"}.Token(key))
	f.Fuzz(func(t *testing.T, blob []byte, name, value, token string) {
		plain, err := k.Decrypt(t.Context(), here, blob, map[string]string{name: value})
		if err == nil && (!bytes.Equal(blob, sealed.Blob) || name != "a" || value != "b") {
			t.Fatalf("opened as %q", plain.Bytes)
		}
		if err != nil && apprunner.CodeOf(err) == apprunner.CodeInternal {
			t.Fatalf("not a refusal: %v", err)
		}
		if _, _, err := kms.ParseToken(token); err != nil && apprunner.CodeOf(err) != kms.CodeInvalidGrantToken {
			t.Fatal(err)
		}
		if _, err := k.Describe(t.Context(), here, token); err != nil && apprunner.CodeOf(err) == apprunner.CodeInternal {
			t.Fatal(err)
		}
	})
}
