package server

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.key")
	keys := make([][]byte, 8)
	var group sync.WaitGroup
	for n := range keys {
		group.Go(func() {
			key, err := keyFile(path)
			if err != nil {
				t.Error(err)
			}
			keys[n] = key
		})
	}
	group.Wait()
	for _, key := range keys {
		if len(key) != keyBytes || !bytes.Equal(key, keys[0]) {
			t.Fatal("two callers have different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyFile(path); err == nil {
		t.Error("a damaged key is taken")
	}
}
