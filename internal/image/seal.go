package image

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"slipway.dev/slipway/internal/store"
)

// Keyring makes and opens the data keys that content is encrypted with on disk.
type Keyring interface {
	// NewDataKey makes a key of 32 bytes, to use and, sealed, to keep. kmsKey is the ARN of the key that seals it, "" for the one that the
	// installation keeps for this; only owner can open it again.
	NewDataKey(ctx context.Context, kmsKey, owner string) (plain, sealed []byte, err error)
	// OpenDataKey opens a sealed key. It fails with an *apprunner.Error that says why the key may not be used.
	OpenDataKey(ctx context.Context, owner string, sealed []byte) (plain []byte, err error)
}

// Content on disk is a head, a magic word and a salt, and the content in AES-256-CTR under a key that follows from the data key and the
// salt. A stream cipher, so that uploads can go on where they stopped and registries can send ranges; what was changed on the disk does
// not fit its digest, which everybody who reads a blob to use it checks.
const (
	sealMagic = "slipway\x01"
	saltBytes = 24
	sealHead  = len(sealMagic) + saltBytes
)

// sealer encrypts content under one data key. The nil sealer leaves it as it is.
type sealer struct{ key []byte }

// file is the cipher of the file with this salt.
func (s *sealer) file(salt []byte) (cipher.Block, error) {
	key, err := hkdf.Key(sha256.New, s.key, salt, "slipway image content", 32)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(key)
}

// streamAt is the key stream from a place in the content on.
func streamAt(block cipher.Block, at int64) cipher.Stream {
	var counter [aes.BlockSize]byte
	binary.BigEndian.PutUint64(counter[8:], uint64(at/aes.BlockSize)) //nolint:gosec // places are not negative
	stream := cipher.NewCTR(block, counter[:])
	var skipped [aes.BlockSize]byte
	stream.XORKeyStream(skipped[:at%aes.BlockSize], skipped[:at%aes.BlockSize])
	return stream
}

// content is a file whose content may be encrypted: read, written and sought as if it were not. It is not safe for concurrent use.
type content struct {
	file   *os.File
	block  cipher.Block  // nil: not encrypted
	stream cipher.Stream // for the place the file is at
	start  int64         // where the content begins
	buf    []byte
}

// create begins content in an empty file.
func (s *sealer) create(f *os.File) (*content, error) {
	if s == nil {
		return &content{file: f}, nil
	}
	head := append([]byte(sealMagic), make([]byte, saltBytes)...)
	rand.Read(head[len(sealMagic):])
	if _, err := f.Write(head); err != nil {
		return nil, writeFailure(err)
	}
	return s.with(f, head[len(sealMagic):])
}

func (s *sealer) with(f *os.File, salt []byte) (*content, error) {
	block, err := s.file(salt)
	if err != nil {
		return nil, err
	}
	return &content{file: f, block: block, stream: streamAt(block, 0), start: int64(sealHead)}, nil
}

// open reads the head of a file. Content that is not encrypted, from before there were keys, is read as it is.
func (s *sealer) open(f *os.File) (*content, error) {
	head := make([]byte, sealHead)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if n < sealHead || !bytes.HasPrefix(head, []byte(sealMagic)) {
		return &content{file: f}, nil
	}
	if s == nil {
		return nil, errors.New("the content is encrypted, and there is no key for it")
	}
	if _, err := f.Seek(int64(sealHead), io.SeekStart); err != nil {
		return nil, err
	}
	return s.with(f, head[len(sealMagic):])
}

// truncate cuts the content off.
func (c *content) truncate(size int64) error { return c.file.Truncate(c.start + size) }

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	if c.block != nil {
		c.stream.XORKeyStream(p[:n], p[:n])
	}
	return n, err
}

// Write implements io.Writer.
func (c *content) Write(p []byte) (written int, err error) {
	if c.block == nil {
		return c.file.Write(p)
	}
	if c.buf == nil {
		c.buf = make([]byte, 32<<10)
	}
	for len(p) > 0 && err == nil {
		part := p[:min(len(p), len(c.buf))]
		c.stream.XORKeyStream(c.buf, part)
		var n int
		n, err = c.file.Write(c.buf[:len(part)])
		written, p = written+n, p[len(part):]
	}
	return written, err
}

// Seek implements io.Seeker.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		offset += c.start
	}
	at, err := c.file.Seek(offset, whence)
	if err != nil {
		return 0, err
	}
	if at -= c.start; at < 0 {
		return 0, errors.New("seek before the beginning of content")
	}
	if c.block != nil {
		c.stream = streamAt(c.block, at)
	}
	return at, nil
}

// Close implements io.Closer.
func (c *content) Close() error { return c.file.Close() }

// ownKeyName is the name of the data key of all content that no customer's key protects.
const ownKeyName = "content"

// dataKey opens a data key of the store, making it when it is missing. id is the same for as long as the key is.
func (s *Store) dataKey(ctx context.Context, name, kmsKey string) (_ *sealer, id string, err error) {
	if _, found, err := s.sealedKey(ctx, name); err != nil || found {
		return s.openDataKey(ctx, name)
	}
	_, sealed, err := s.cfg.Keys.NewDataKey(ctx, kmsKey, name)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO image_keys (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, keyRow(name), hex.EncodeToString(sealed))
	})
	if err != nil {
		return nil, "", err
	}
	return s.openDataKey(ctx, name) // the one that was first
}

func (s *Store) openDataKey(ctx context.Context, name string) (_ *sealer, id string, err error) {
	sealed, found, err := s.sealedKey(ctx, name)
	if err == nil && !found {
		err = fmt.Errorf("there is no data key for %s", name)
	}
	if err != nil {
		return nil, "", err
	}
	plain, err := s.cfg.Keys.OpenDataKey(ctx, name, sealed)
	if err != nil {
		return nil, "", err
	}
	return &sealer{plain}, keyID(sealed), nil
}

// keyID names a data key; it tells nothing about it.
func keyID(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return hex.EncodeToString(sum[:16])
}

// keyRow is how a data key is called in the table of keys, which has others.
func keyRow(name string) string { return "data/" + name }

func (s *Store) sealedKey(ctx context.Context, name string) (sealed []byte, found bool, err error) {
	var value string
	err = s.db.View(ctx, func(tx *store.Tx) error {
		found, err = tx.Get(`SELECT value FROM image_keys WHERE name = $1`, []any{keyRow(name)}, &value)
		return err
	})
	if err == nil && found {
		sealed, err = readSealed(value)
	}
	return sealed, found, err
}

func readSealed(value string) ([]byte, error) {
	sealed, err := hex.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("a sealed data key is damaged: %w", err)
	}
	return sealed, nil
}

// openOwnKey opens the key of what is kept for nobody in particular. Without a keyring nothing is encrypted.
func (s *Store) openOwnKey(ctx context.Context) (err error) {
	if s.cfg.Keys == nil {
		return nil
	}
	if s.common.sealer, _, err = s.dataKey(ctx, ownKeyName, ""); err != nil {
		return fmt.Errorf("open the key of image content: %w", err)
	}
	return nil
}

// sealOld encrypts the blobs that were written before there were keys, once. Unfinished uploads of that time begin again.
func (s *Store) sealOld(ctx context.Context) error {
	if s.common.sealer == nil {
		return nil
	}
	const done = "content-encrypted"
	found := false
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		var value string
		found, err = tx.Get(`SELECT value FROM image_keys WHERE name = $1`, []any{done}, &value)
		return err
	})
	if err != nil || found {
		return err
	}
	entries, err := os.ReadDir(s.common.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.sealBlob(ctx, "sha256:"+e.Name()); err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO image_keys (name, value) VALUES ($1, '') ON CONFLICT (name) DO NOTHING`, done)
	})
}

// sealBlob writes a blob anew that is not encrypted. One that is damaged stays as it is.
func (s *Store) sealBlob(ctx context.Context, digest string) error {
	held := s.leases.take(digest)
	defer held.release()
	from, err := s.common.open(digest)
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	if from.block != nil {
		return nil
	}
	to, err := s.newBlobWriter()
	if err != nil {
		return err
	}
	defer to.abort()
	if _, err := io.Copy(to, contextReader{ctx, from}); err != nil {
		return err
	}
	if _, err := to.commit(digest); err != nil && !errors.Is(err, errDigest) {
		return err
	}
	return nil
}
