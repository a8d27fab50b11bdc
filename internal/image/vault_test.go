package image_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/store"
)

// keyring makes data keys with the real KMS.
type keyring struct{ *kms.Keys }

func newKeyring(t testing.TB, db *store.DB) keyring {
	t.Helper()
	keys, err := kms.Open(t.Context(), kms.Config{DB: db, Root: make([]byte, 32), RootFile: "kms.key", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return keyring{keys}
}

func (k keyring) NewDataKey(ctx context.Context, kmsKey, owner string) (plain, sealed []byte, err error) {
	plain, c, err := k.DataKey(ctx, scope, cmp.Or(kmsKey, kms.ManagedAlias), 32, map[string]string{"owner": owner})
	return plain, c.Blob, err
}

func (k keyring) OpenDataKey(ctx context.Context, owner string, sealed []byte) ([]byte, error) {
	plain, err := k.Decrypt(ctx, scope, sealed, map[string]string{"owner": owner})
	return plain.Bytes, err
}

// found tells which files below a directory hold a text.
func found(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const marker = "known words of an application's source, long enough to be found"

// pulled brings an uncompressed image with the marker in it into the store, by an upload.
func pulled(t *testing.T, w *world) image.Image {
	t.Helper()
	img, err := w.Append(t.Context(), image.Image{}, bytes.NewReader(tarOf(t, entry{name: "app.txt", body: marker})), nil)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// checklist: 183
func TestContentIsEncryptedOnDisk(t *testing.T) {
	w := newWorld(t)
	img := pulled(t, w)
	layers := filepath.Join(w.dir, "layers")
	if len(found(t, layers, marker)) != 1 {
		t.Fatal("the marker is not in the unpacked layer: the test looks for the wrong thing")
	}
	if err := w.Pin(t.Context(), "service", img.Digest); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "layers")); err != nil {
		t.Fatal(err)
	}
	if names := found(t, filepath.Dir(w.dir), marker); len(names) > 0 {
		t.Errorf("the image can be read in %v", names)
	}
	w.open(t) // as at the next start
	again, err := w.Kept(t.Context(), "service", img.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(again.Layers[0].Dir, "app.txt")); got != marker {
		t.Errorf("unpacked as %q", got)
	}
}

// checklist: 183
func TestSealedImageNeedsItsOwnKey(t *testing.T) {
	var keys keyring
	w := newWorld(t, func(c *image.Config) { keys = newKeyring(t, c.DB); c.Keys = keys })
	key, err := keys.Create(t.Context(), scope, kms.New{})
	if err != nil {
		t.Fatal(err)
	}
	img := pulled(t, w)
	if err := w.PinSealed(t.Context(), "service", img.Digest, key.ARN()); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Hour)
	w.gc(t)
	if blobs, layers := w.onDisk(t); blobs != 0 || layers != 1 {
		t.Errorf("%d blobs beside the vault, %d unpacked layers", blobs, layers)
	}
	if err := os.RemoveAll(filepath.Join(w.dir, "layers")); err != nil {
		t.Fatal(err)
	}
	if names := found(t, filepath.Dir(w.dir), marker); len(names) > 0 {
		t.Errorf("the image can be read in %v", names)
	}
	w.open(t, func(c *image.Config) { c.Keys = keys })
	if _, err := w.Kept(t.Context(), "service", img.Digest); err != nil {
		t.Fatal(err)
	}
	if err := keys.Enable(t.Context(), scope, key.ID, false); err != nil {
		t.Fatal(err)
	}
	_, err = w.Kept(t.Context(), "service", img.Digest) // though it is unpacked
	wantCode(t, err, kms.CodeDisabled)
	if err := keys.Enable(t.Context(), scope, key.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kept(t.Context(), "other", img.Digest); err == nil {
		t.Error("an image in somebody's vault is given to others")
	}
	if err := w.Unpin(t.Context(), "service"); err != nil {
		t.Fatal(err)
	}
	w.gc(t)
	if left, err := os.ReadDir(filepath.Join(w.dir, "vaults")); err != nil || len(left) > 0 {
		t.Errorf("%d vaults are left (%v)", len(left), err)
	}
	if _, layers := w.onDisk(t); layers != 0 {
		t.Errorf("%d layers are left", layers)
	}
}

func TestOldContentIsEncryptedAtTheNextStart(t *testing.T) {
	w := newWorld(t, func(c *image.Config) { c.Keys = nil })
	img := pulled(t, w)
	if err := w.Pin(t.Context(), "service", img.Digest); err != nil {
		t.Fatal(err)
	}
	blobs := filepath.Join(w.dir, "blobs")
	if len(found(t, blobs, marker)) == 0 {
		t.Fatal("content without a key is not readable")
	}
	w.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()
	for len(found(t, blobs, marker)) > 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("it stays readable")
		}
	}
	cancel()
	<-ran
	if err := os.RemoveAll(filepath.Join(w.dir, "layers")); err != nil {
		t.Fatal(err)
	}
	w.open(t)
	if _, err := w.Kept(t.Context(), "service", img.Digest); err != nil {
		t.Fatal(err)
	}
}

func TestPausedOwnerLeavesNothingUnpacked(t *testing.T) {
	w := newWorld(t)
	base := pulled(t, w)
	img, err := w.Append(t.Context(), base, bytes.NewReader(tarOf(t, entry{name: "own.txt", body: marker})), nil)
	if err != nil {
		t.Fatal(err)
	}
	for owner, digest := range map[string]string{"service": img.Digest, "other": base.Digest} {
		if err := w.Pin(t.Context(), owner, digest); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Rest(t.Context(), "service"); err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{1, 0} { // the lower layer is the other's, too
		if got := len(found(t, img.Layers[n].Dir, marker)); got != want {
			t.Errorf("layer %d: %d files, want %d", n, got, want)
		}
	}
	if _, err := w.Kept(t.Context(), "service", img.Digest); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(img.Layers[1].Dir, "own.txt")); got != marker {
		t.Errorf("unpacked again as %q", got)
	}
}
