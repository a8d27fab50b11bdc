package edge

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/quic-go/quic-go"
)

// quicKeys outlive an edge. Packets for a connection that died with its edge are answered by the next one with the reset that the first
// had announced (RFC 9000 §10.3), so that clients connect again at once and not when they have heard nothing for long; and the addresses
// that one edge has seen need not be proven to the next.
type quicKeys struct {
	reset quic.StatelessResetKey
	token quic.TokenGeneratorKey
}

// quicKeysName is the file that keeps them: one after the other, nothing else.
const quicKeysName = "quic.key"

// loadQUICKeys reads the keys kept in dir, and makes them the first time, or when what lies there is no key. Without a directory they
// are as old as the process.
func loadQUICKeys(dir string) (quicKeys, error) {
	var k quicKeys
	size := len(k.reset) + len(k.token)
	if dir == "" {
		return k.from(randomBytes(size)), nil
	}
	kept, err := os.ReadFile(filepath.Join(dir, quicKeysName))
	if err == nil && len(kept) == size {
		return k.from(kept), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return k, fmt.Errorf("keys of HTTP/3: %w", err)
	}
	made := randomBytes(size)
	if err := replaceFile(dir, quicKeysName, made); err != nil {
		return k, fmt.Errorf("keep the keys of HTTP/3: %w", err)
	}
	return k.from(made), nil
}

// from takes the keys out of what a file holds.
func (k quicKeys) from(b []byte) quicKeys {
	copy(k.token[:], b[copy(k.reset[:], b):])
	return k
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
