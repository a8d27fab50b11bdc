package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

const (
	ecrHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
	someone = "arn:aws:iam::123456789012:user/someone"
	arch    = "amd64"
)

// world is a store with its registry on a loopback listener.
type world struct {
	*image.Store
	dir, database string
	server        *httptest.Server
	host          string

	mu     sync.Mutex
	now    time.Time
	denied map[string]bool // actions
}

func newWorld(t testing.TB, change ...func(*image.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{dir: filepath.Join(dir, "images"), database: filepath.Join(dir, "slipway.db"), now: time.Now(), denied: map[string]bool{}}
	w.open(t, change...)
	return w
}

// open starts the store, or starts it again over what the last one left.
func (w *world) open(t testing.TB, change ...func(*image.Config)) {
	t.Helper()
	db, err := store.Open(t.Context(), w.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cfg := image.Config{Dir: w.dir, DB: db, Scope: scope, Architecture: arch, Authorize: w.authorize, Now: w.clock, Keys: newKeyring(t, db)}
	for _, c := range change {
		c(&cfg)
	}
	if w.Store, err = image.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.Registry())
	t.Cleanup(w.server.Close)
	u, err := url.Parse(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.host = u.Host
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) authorize(_ context.Context, a image.Access) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.denied[a.Action] {
		return apprunner.Errorf(apprunner.CodeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s", a.Principal, a.Action, a.Resource)
	}
	return nil
}

func (w *world) deny(actions ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.denied)
	for _, a := range actions {
		w.denied[a] = true
	}
}

func (w *world) repository(t *testing.T, name string) {
	t.Helper()
	if _, err := w.CreateRepository(t.Context(), scope, image.NewRepository{Name: name}); err != nil {
		t.Fatal(err)
	}
}

// auth is the option a logged-in client has.
func (w *world) auth(t *testing.T) remote.Option {
	t.Helper()
	tok, err := w.IssueToken(scope, someone)
	if err != nil {
		t.Fatal(err)
	}
	return remote.WithAuth(&authn.Basic{Username: "AWS", Password: tok.Password})
}

func (w *world) ref(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(w.host + "/" + s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func (w *world) push(t *testing.T, to string, img v1.Image) {
	t.Helper()
	if err := remote.Write(w.ref(t, to), img, w.auth(t)); err != nil {
		t.Fatalf("push %s: %v", to, err)
	}
}

func mustDigest(t *testing.T, d interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// entry is one tar entry of a test layer.
type entry struct {
	name, link, body string
	kind             byte
	mode             int64
	uid              int
	attrs            map[string]string
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if e.mode == 0 {
			e.mode = 0o755
		}
		hdr := &tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Mode: e.mode, Uid: e.uid, Size: int64(len(e.body)), ModTime: time.Unix(1700000000, 0)}
		for k, v := range e.attrs {
			if hdr.PAXRecords == nil {
				hdr.PAXRecords = map[string]string{}
			}
			hdr.PAXRecords["SCHILY.xattr."+k] = v
		}
		if err := tw.WriteHeader(hdr); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func layerOf(t testing.TB, content []byte) v1.Layer {
	t.Helper()
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// imageOf makes an image for a platform out of layer tars.
func imageOf(t testing.TB, platform string, layers ...[]byte) v1.Image {
	t.Helper()
	img := v1.Image(empty.Image)
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", platform
	cfg.Config = v1.Config{Cmd: []string{"/serve"}, Env: []string{"A=b"}, WorkingDir: "/srv", User: "1000", ExposedPorts: map[string]struct{}{"8080/tcp": {}}}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		if img, err = mutate.AppendLayers(img, layerOf(t, l)); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

// randomBytes do not compress.
func randomBytes(seed uint64, n int) string {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	src.Read(b)
	return string(b)
}

func smallImage(t testing.TB, mark string) v1.Image {
	t.Helper()
	return imageOf(t, arch, tarOf(t, entry{name: "etc/", kind: tar.TypeDir}, entry{name: "etc/mark", body: mark}))
}

func openDB(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
