package kms

import (
	"context"
	"crypto/rand"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Ciphertext is what encrypting gives.
type Ciphertext struct {
	Blob       []byte // names its key; at most 65 bytes longer than the plain text
	KeyARN     string
	MaterialID string
}

// Plaintext is what decrypting gives.
type Plaintext struct {
	Bytes      []byte
	KeyARN     string
	MaterialID string
}

// Encrypt encrypts with a key that is named by its id, ARN or alias, and binds the encryption context. Managed keys are made when they
// are first used. It fails with CodeNotFound, CodeDisabled, CodeInvalidState or CodeInvalidARN.
func (k *Keys) Encrypt(ctx context.Context, sc apprunner.Scope, key string, plain []byte, context map[string]string) (out Ciphertext, err error) {
	found, err := k.Describe(ctx, sc, key) // makes managed keys
	if err != nil {
		return Ciphertext{}, err
	}
	err = k.db.View(ctx, func(tx *store.Tx) error {
		out, err = k.EncryptIn(tx, found.Scope, found.ID, plain, context)
		return err
	})
	return out, err
}

// EncryptIn is Encrypt inside a transaction, for keys that are there.
func (k *Keys) EncryptIn(tx *store.Tx, sc apprunner.Scope, key string, plain []byte, context map[string]string) (Ciphertext, error) {
	found, err := find(tx, sc, key)
	if err == nil {
		err = found.usable()
	}
	if err != nil {
		return Ciphertext{}, err
	}
	material, err := k.material(tx, found.ID, found.Material)
	if err != nil {
		return Ciphertext{}, err
	}
	h, err := newHead(found.ID, found.Material)
	if err != nil {
		return Ciphertext{}, err
	}
	aead, err := h.messageCipher(material)
	if err != nil {
		return Ciphertext{}, err
	}
	return Ciphertext{Blob: aead.Seal(h.bytes, nil, plain, h.bound(context)), KeyARN: found.ARN(), MaterialID: found.MaterialID()}, nil
}

// Decrypt undoes Encrypt; the context must be the same. The ciphertext says which key it is for, which may belong to another account. It
// fails with CodeInvalidCiphertext, CodeNotFound, CodeDisabled or CodeInvalidState.
func (k *Keys) Decrypt(ctx context.Context, sc apprunner.Scope, blob []byte, context map[string]string) (out Plaintext, err error) {
	err = k.db.View(ctx, func(tx *store.Tx) error { out, err = k.DecryptIn(tx, sc, blob, context); return err })
	return out, err
}

// DecryptIn is Decrypt inside a transaction.
func (k *Keys) DecryptIn(tx *store.Tx, sc apprunner.Scope, blob []byte, context map[string]string) (Plaintext, error) {
	h, body, err := parseBlob(blob)
	if err != nil {
		return Plaintext{}, err
	}
	key, err := keyOf(tx, sc, h)
	if err == nil {
		err = key.usable()
	}
	if err != nil {
		return Plaintext{}, err
	}
	material, err := k.material(tx, key.ID, h.number)
	if err != nil {
		return Plaintext{}, err
	}
	aead, err := h.messageCipher(material)
	if err != nil {
		return Plaintext{}, err
	}
	plain, err := aead.Open(nil, nil, body, h.bound(context))
	if err != nil {
		return Plaintext{}, badCiphertext()
	}
	return Plaintext{plain, key.ARN(), materialID(key.ID, h.number)}, nil
}

// keyOf reads the key of a ciphertext, in the region that was asked.
func keyOf(tx *store.Tx, sc apprunner.Scope, h head) (Key, error) {
	key, found, err := byID(tx, h.keyID)
	if err == nil && (!found || key.Region != sc.Region) {
		err = name{Scope: sc, id: h.keyID}.missing()
	}
	return key, err
}

// KeyOf reads the key that a ciphertext is for. It fails with CodeInvalidCiphertext or CodeNotFound.
func (k *Keys) KeyOf(ctx context.Context, sc apprunner.Scope, blob []byte) (key Key, err error) {
	h, _, err := parseBlob(blob)
	if err != nil {
		return Key{}, err
	}
	err = k.db.View(ctx, func(tx *store.Tx) error { key, err = keyOf(tx, sc, h); return err })
	return key, err
}

// Owner reads the key of a ciphertext in whatever account and region it belongs: for those who keep ciphertexts for all of them.
func (k *Keys) Owner(ctx context.Context, blob []byte) (key Key, err error) {
	h, _, err := parseBlob(blob)
	if err != nil {
		return Key{}, err
	}
	err = k.db.View(ctx, func(tx *store.Tx) error {
		found := false
		if key, found, err = byID(tx, h.keyID); err == nil && !found {
			err = apprunner.Errorf(CodeNotFound, "Key '%s' does not exist", h.keyID)
		}
		return err
	})
	return key, err
}

// DataKey makes a random key of so many bytes, and encrypts it: the one to work with and forget, the other to keep.
func (k *Keys) DataKey(ctx context.Context, sc apprunner.Scope, key string, bytes int, context map[string]string) (plain []byte, sealed Ciphertext, err error) {
	plain = make([]byte, bytes)
	rand.Read(plain)
	sealed, err = k.Encrypt(ctx, sc, key, plain, context)
	return plain, sealed, err
}
