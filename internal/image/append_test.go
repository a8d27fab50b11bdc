package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/store"
)

func TestAppend(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	e.push(t, "base:v1", smallImage(t, "base"))
	base, err := w.Pull(t.Context(), e.host+"/base:v1", image.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	layer := tarOf(t, entry{name: "app/", kind: tar.TypeDir}, entry{name: "app/main.py", body: "print()"}, entry{name: "etc/.wh.mark"})
	img, err := w.Append(t.Context(), base, bytes.NewReader(layer), func(c *image.ImageConfig) {
		c.Cmd = []string{"python3", "main.py"}
		c.WorkingDir = "/app"
		c.Entrypoint = nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(img.Layers) != 2 || img.Layers[0] != base.Layers[0] || read(t, img.Layers[1].Dir+"/app/main.py") != "print()" {
		t.Errorf("%+v", img)
	}
	if c := img.Config; !slices.Equal(c.Cmd, []string{"python3", "main.py"}) || c.WorkingDir != "/app" || c.User != "1000" || !slices.Equal(c.Env, []string{"A=b"}) {
		t.Errorf("%+v", c)
	}
	if again, err := w.Get(t.Context(), img.Digest); err != nil || again.Digest != img.Digest || again.Config.WorkingDir != "/app" {
		t.Errorf("%+v, %v", again, err)
	}
	merged := mounted(t, img)
	if _, err := os.Lstat(merged + "/etc/mark"); err == nil {
		t.Error("what the build deleted is still there")
	}

	// Whoever is allowed to can fetch it like any other image.
	if err := w.Publish(t.Context(), scope, "slipway/built", "d1", img.Digest); err != nil {
		t.Fatal(err)
	}
	back, err := remote.Image(w.ref(t, "slipway/built:d1"), w.auth(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(back, validate.Fast); err != nil {
		t.Error(err)
	}
	if d := mustDigest(t, back); d != img.Digest {
		t.Errorf("published as %s", d)
	}
}

func TestAppendToNothingAndAtOnce(t *testing.T) {
	w := newWorld(t)
	layer := tarOf(t, entry{name: "f", body: randomBytes(1, 1<<20)})
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			img, err := w.Append(t.Context(), image.Image{}, bytes.NewReader(layer), func(c *image.ImageConfig) { c.Cmd = []string{"/f"} })
			if err != nil || len(img.Layers) != 1 || img.Config.Cmd[0] != "/f" {
				t.Errorf("%+v, %v", img, err)
			}
		})
	}
	group.Wait()
	if _, l := w.onDisk(t); l != 1 {
		t.Errorf("%d layers", l)
	}
}

func TestAppendRefusesAndLeavesNothing(t *testing.T) {
	w := newWorld(t)
	_, err := w.Append(t.Context(), image.Image{}, bytes.NewReader(tarOf(t, entry{name: "ok"}, entry{name: "../x"})), nil)
	if err == nil {
		t.Fatal("accepted")
	}
	if b, l := w.onDisk(t); b != 0 || l != 0 {
		t.Errorf("%d blobs, %d layers", b, l)
	}
	if left, _ := os.ReadDir(filepath.Join(w.dir, "tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestImportDirectory(t *testing.T) {
	w := newWorld(t)
	root := t.TempDir()
	script := `cd "$0" && mkdir -p usr/bin dev etc && echo hi > usr/bin/a && ln usr/bin/a usr/bin/b && ln -s /usr/bin/a c && chmod 4755 usr/bin/a && mkfifo etc/p && chown 12:34 etc`
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script, root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	img, err := w.ImportRootfs(t.Context(), root, image.ImageConfig{Env: []string{"PATH=/usr/bin"}, Cmd: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	dir := img.Layers[0].Dir
	if st := stat(t, dir+"/usr/bin/b"); st.Nlink != 2 || st.Mode&0o7777 != 0o4755 {
		t.Errorf("%+v", st)
	}
	if st := stat(t, dir+"/etc"); st.Uid != 12 || st.Gid != 34 {
		t.Errorf("%+v", st)
	}
	if link, _ := os.Readlink(dir + "/c"); link != "/usr/bin/a" || img.Config.Env[0] != "PATH=/usr/bin" {
		t.Errorf("%q %+v", link, img.Config)
	}
}

func BenchmarkAppend(b *testing.B) {
	var entries []entry
	for i := range 5000 {
		entries = append(entries, entry{name: "node_modules/" + string(rune('a'+i%26)) + "/" + strconv.Itoa(i), body: randomBytes(uint64(i), 8<<10)})
	}
	layer := tarOf(b, entries...)
	w := newWorld(b)
	b.SetBytes(int64(len(layer)))
	for b.Loop() {
		layer[600]++ // another layer each time
		if _, err := w.Append(b.Context(), image.Image{}, bytes.NewReader(layer), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// A crash of the whole machine can lose what it made itself a moment before, never silently.
func TestPowerFailure(t *testing.T) {
	w := newWorld(t)
	make1 := func(name string) image.Image {
		img, err := w.Append(t.Context(), image.Image{}, bytes.NewReader(tarOf(t, entry{name: name, body: randomBytes(1, 1<<16)})), nil)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	intact, damaged := make1("a"), make1("b")
	rot := func(img image.Image) {
		path := filepath.Join(w.dir, "blobs", "sha256", filepath.Base(img.Layers[0].Dir))
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(img.Layers[0].Dir+"/b", 0); err != nil {
			t.Fatal(err)
		}
	}
	w.server.Close()
	db, err := store.Open(t.Context(), w.database)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.Exec(`UPDATE image_unsynced SET boot_id = 'earlier'`), tx.Exec(`UPDATE image_layers SET boot_id = 'earlier'`))
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	rot(damaged)
	w.open(t)
	if img, err := w.Get(t.Context(), intact.Digest); err != nil || len(read(t, img.Layers[0].Dir+"/a")) != 1<<16 {
		t.Errorf("what reached the disk is still good: %v", err)
	}
	_, err = w.Get(t.Context(), damaged.Digest)
	wantCode(t, err, image.CodeImageNotFound)
	if again := make1("b"); len(read(t, again.Layers[0].Dir+"/b")) != 1<<16 {
		t.Error("the layer was not made again")
	}
}
