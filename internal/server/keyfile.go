package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// keyBytes is the size of the keys that lie in files beside the database.
const keyBytes = 32

// keyFile reads a key that lies outside the database, making it at first. What it returns is on the disk, whoever made it: nothing is sealed
// with a key that a crash could lose.
func keyFile(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err = newKeyFile(path); err == nil {
			key, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if len(key) != keyBytes {
		return nil, fmt.Errorf("key: %s has %d bytes instead of %d: it was damaged, put it back from a backup", path, len(key), keyBytes)
	}
	return key, nil
}

// newKeyFile writes a random key, unless another process was faster.
func newKeyFile(path string) error {
	key := make([]byte, keyBytes)
	rand.Read(key)                                        // never fails
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
