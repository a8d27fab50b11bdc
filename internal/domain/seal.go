package domain

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
)

// sealer encrypts the keys of certificates for the database, each bound to the certificate's name.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	if len(key) != 32 {
		return sealer{}, errors.New("the key that seals the keys of certificates must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("make the cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealer{}, fmt.Errorf("make the cipher: %w", err)
	}
	return sealer{aead}, nil
}

func (s sealer) lock(arn string, key []byte) string {
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, key, []byte(arn)))
}

func (s sealer) open(arn, sealed string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errors.New("the sealed text is damaged")
	}
	return s.aead.Open(nil, nil, b, []byte(arn))
}
