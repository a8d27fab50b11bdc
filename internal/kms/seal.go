package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// materialBytes is the size of a key's material: AES-256.
const materialBytes = 32

// root seals key material for the database, each piece bound to its key and number.
type root struct{ aead cipher.AEAD }

func newRoot(key []byte) (root, error) {
	if len(key) != materialBytes {
		return root{}, fmt.Errorf("the root key of the installation must have %d bytes", materialBytes)
	}
	aead, err := gcm(key)
	return root{aead}, err
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func materialPurpose(keyID string, number int) []byte {
	return []byte("key " + keyID + " " + strconv.Itoa(number))
}

func (r root) lock(purpose, text []byte) string {
	return base64.RawURLEncoding.EncodeToString(r.aead.Seal(nil, nil, text, purpose))
}

func (r root) open(purpose []byte, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	return r.aead.Open(nil, nil, raw, purpose)
}

// A ciphertext is a head and a body. The head, version, key id, number of the material and salt, is authenticated together with the
// encryption context; the body is sealed by AES-256-GCM under a key that follows from the material and the salt, so that no number of
// messages wears the material out.
const (
	blobVersion = 1
	idBytes     = 16
	saltBytes   = 16
	headBytes   = 1 + idBytes + 4 + saltBytes
)

// head is the readable part of a ciphertext.
type head struct {
	keyID  string
	number int
	bytes  []byte // as they stand in the ciphertext
}

func newHead(keyID string, number int) (head, error) {
	id, err := uuidBytes(keyID)
	if err != nil {
		return head{}, err
	}
	b := append(make([]byte, 0, headBytes), blobVersion)
	b = append(b, id...)
	b = binary.BigEndian.AppendUint32(b, uint32(number)) //nolint:gosec // a key is not rotated four billion times
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	return head{keyID, number, append(b, salt...)}, nil
}

// parseBlob splits a ciphertext. It fails with CodeInvalidCiphertext on anything that was not made here.
func parseBlob(blob []byte) (h head, body []byte, err error) {
	if len(blob) <= headBytes || blob[0] != blobVersion {
		return head{}, nil, badCiphertext()
	}
	b := blob[:headBytes]
	n := binary.BigEndian.Uint32(b[1+idBytes:])
	return head{uuidText(b[1 : 1+idBytes]), int(n), b}, blob[headBytes:], nil
}

func badCiphertext() error {
	return apprunner.Errorf(CodeInvalidCiphertext, "The ciphertext was not made by this installation's KMS, was changed, or belongs to another encryption context.")
}

// messageCipher is what seals one message.
func (h head) messageCipher(material []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, material, h.bytes[headBytes-saltBytes:], "slipway kms message", materialBytes)
	if err != nil {
		return nil, err
	}
	return gcm(key)
}

// bound is what a ciphertext is authenticated with: its head and the encryption context, whose order does not matter.
func (h head) bound(context map[string]string) []byte {
	b := slices.Clone(h.bytes)
	for _, k := range slices.Sorted(maps.Keys(context)) {
		for _, s := range []string{k, context[k]} {
			b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // a request has 1 MiB at most
			b = append(b, s...)
		}
	}
	return b
}

// uuidBytes reads a UUID in the form of key ids: 8-4-4-4-12 lower-case hexadecimal digits.
func uuidBytes(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != idBytes || uuidText(b) != s {
		return nil, errors.New("it is not a UUID")
	}
	return b, nil
}

func uuidText(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
