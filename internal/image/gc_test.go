package image_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"slipway.dev/slipway/internal/image"
)

// onDisk counts blobs and layers.
func (w *world) onDisk(t *testing.T) (blobs, layers int) {
	t.Helper()
	b, err := os.ReadDir(filepath.Join(w.dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := os.ReadDir(filepath.Join(w.dir, "layers"))
	if err != nil {
		t.Fatal(err)
	}
	return len(b), len(l)
}

func (w *world) gc(t *testing.T) {
	t.Helper()
	if err := w.GC(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestGCKeepsWhatIsUsed(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	img := smallImage(t, "x")
	w.push(t, "app:v1", img)
	got, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Pin(t.Context(), "service", got.Digest); err != nil {
		t.Fatal(err)
	}
	step := func(what string, wantBlobs, wantLayers int) {
		t.Helper()
		w.gc(t)
		if b, l := w.onDisk(t); b != wantBlobs || l != wantLayers {
			t.Errorf("%s: %d blobs and %d layers, want %d and %d", what, b, l, wantBlobs, wantLayers)
		}
	}
	w.advance(48 * time.Hour)
	step("pinned and in a repository", 3, 1)
	if _, err := w.DeleteRepository(t.Context(), scope, "app", true); err != nil {
		t.Fatal(err)
	}
	step("pinned", 3, 1)
	if _, err := w.Get(t.Context(), got.Digest); err != nil {
		t.Error(err)
	}
	if err := w.Unpin(t.Context(), "service"); err != nil {
		t.Fatal(err)
	}
	step("just unpinned", 3, 1)
	w.advance(3 * time.Minute) // checklist: 139
	step("unused", 0, 0)
	_, err = w.Get(t.Context(), got.Digest)
	wantCode(t, err, image.CodeImageNotFound)
	wantCode(t, w.Pin(t.Context(), "service", got.Digest), image.CodeImageNotFound)
}

func TestGCDropsUnpackedLayersOfIdleRepositoryImages(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	w.push(t, "app:v1", smallImage(t, "x"))
	if _, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{}); err != nil {
		t.Fatal(err)
	}
	w.advance(2 * time.Hour)
	w.gc(t)
	if b, l := w.onDisk(t); b != 3 || l != 0 {
		t.Errorf("%d blobs, %d layers", b, l)
	}
	if _, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{}); err != nil {
		t.Error(err)
	}
}

func TestGCDropsAbandonedBlobs(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	c := newClient(t, w)
	digest := c.pushBlob("app", []byte("abandoned"))
	w.gc(t)
	c.want(200, "", "HEAD", "/v2/app/blobs/"+digest, nil)
	w.advance(25 * time.Hour)
	c = newClient(t, w)
	c.want(200, "", "HEAD", "/v2/app/blobs/"+digest, nil) // a client is about to use it
	w.gc(t)
	c.want(200, "", "HEAD", "/v2/app/blobs/"+digest, nil)
	w.advance(25 * time.Hour)
	w.gc(t)
	newClient(t, w).want(404, "", "HEAD", "/v2/app/blobs/"+digest, nil)
	if b, _ := w.onDisk(t); b != 0 {
		t.Errorf("%d blobs are left", b)
	}
}

// Pushes, pulls, deletions and builds go on while the collector runs again and again with no time of grace at all.
func TestGCBesideWork(t *testing.T) {
	w := newWorld(t, func(c *image.Config) { c.KeepUnused = time.Nanosecond })
	w.repository(t, "app")
	stop := make(chan struct{})
	var collector, workers sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.advance(time.Millisecond)
				if err := w.GC(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	auth := w.auth(t)
	for worker := range 4 {
		workers.Go(func() {
			for round := range 8 {
				// Half of the images share a layer with those of another worker.
				img := imageOf(t, arch, tarOf(t, entry{name: "shared", body: fmt.Sprint(round % 2)}), tarOf(t, entry{name: "own", body: fmt.Sprint(worker, round)}))
				tag := fmt.Sprintf("app:w%d-%d", worker, round)
				ref := w.ref(t, tag)
				if err := remote.Write(ref, img, auth); err != nil {
					t.Errorf("push %s: %v", tag, err)
					return
				}
				back, err := remote.Image(ref, auth)
				if err == nil {
					err = validate.Image(back)
				}
				if err != nil {
					t.Errorf("read %s: %v", tag, err)
				}
				if _, err := w.Pull(t.Context(), ecrHost+"/"+tag, image.Credential{}); err != nil {
					t.Errorf("pull %s: %v", tag, err)
				}
				if round%2 == 1 {
					if _, _, err := w.BatchDeleteImage(t.Context(), scope, "app", []image.ImageID{{Digest: mustDigest(t, img)}}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	workers.Wait()
	close(stop)
	collector.Wait()
	w.advance(time.Hour)
	w.gc(t)
	details, _, err := w.DescribeImages(t.Context(), scope, "app", nil, image.TagAny, image.Page{})
	if err != nil || len(details) != 16 {
		t.Fatalf("%d images, %v", len(details), err)
	}
	for _, d := range details {
		if _, err := w.Pull(t.Context(), ecrHost+"/app@"+d.Digest, image.Credential{}); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(w.dir, "tmp")); len(left) != 0 {
		t.Errorf("temporary files were left: %v", left)
	}
}
