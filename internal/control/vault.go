package control

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

// vault seals credentials for the database, each bound to the connection it belongs to.
type vault struct{ aead cipher.AEAD }

func newVault(key []byte) (*vault, error) {
	if key == nil {
		return nil, nil //nolint:nilnil // without a key there is no vault, and no credential is taken
	}
	if len(key) != 32 {
		return nil, errors.New("the key that seals credentials must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher: %w", err)
	}
	return &vault{aead}, nil
}

func (v *vault) lock(owner string, plain []byte) string {
	nonce := make([]byte, v.aead.NonceSize())
	rand.Read(nonce)
	return base64.StdEncoding.EncodeToString(v.aead.Seal(nonce, nonce, plain, []byte(owner)))
}

func (v *vault) open(owner, sealed string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(b) < v.aead.NonceSize() {
		return nil, errors.New("the sealed text is damaged")
	}
	nonce, body := b[:v.aead.NonceSize()], b[v.aead.NonceSize():]
	return v.aead.Open(nil, nonce, body, []byte(owner))
}
