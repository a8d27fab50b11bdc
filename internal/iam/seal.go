package iam

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sealer encrypts secrets for the database and session tokens for clients: AES-256-GCM with a random nonce. The purpose is bound
// in, so that one kind of sealed text never passes for another.
type sealer struct {
	aead cipher.AEAD
	key  []byte // of marks; follows from the key file, but is another
}

// openSealer reads the key file. Where it is missing and mayCreate, a new key is written: temp, fsync, link, so that two
// processes starting at once end up with one key.
func openSealer(path string, mayCreate bool) (sealer, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) && mayCreate {
		if err = writeKey(path); err == nil {
			key, err = readKey(path)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return sealer{}, fmt.Errorf("the key file %s is missing, but the database holds access keys encrypted under it: put it back from a backup: %w", path, err)
	}
	if err != nil {
		return sealer{}, fmt.Errorf("open the key file of access keys: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealer{}, err
	}
	marks, err := hkdf.Key(sha256.New, key, nil, "slipway marks", sha256.Size)
	return sealer{aead, marks}, err
}

func readKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s does not hold 64 hexadecimal digits: it was damaged or is not a key file", path)
	}
	return key, nil
}

func writeKey(path string) error {
	key := make([]byte, 32)
	rand.Read(key)
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lock seals text for a purpose.
func (s sealer) lock(purpose string, text []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, text, []byte(purpose)))
}

// mark proves that text was seen under this key for this purpose; it is the same each time.
func (s sealer) mark(purpose, text string) string {
	return hex.EncodeToString(mac(s.key, purpose+"\x00"+text))
}

// open undoes lock; it fails on anything not sealed under this key for this purpose.
func (s sealer) open(purpose, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	return s.aead.Open(nil, nil, raw, []byte(purpose))
}
