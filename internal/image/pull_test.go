package image_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/image"
)

// elsewhere is another registry on loopback, whose answers a test may spoil.
type elsewhere struct {
	host  string
	mu    sync.Mutex
	spoil func(http.Handler, http.ResponseWriter, *http.Request)
	gets  atomic.Int64 // of blobs
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			e.gets.Add(1)
		}
		e.mu.Lock()
		spoil := e.spoil
		e.mu.Unlock()
		if spoil == nil {
			inner.ServeHTTP(w, r)
			return
		}
		spoil(inner, w, r)
	}))
	t.Cleanup(srv.Close)
	u, _ := url.Parse(srv.URL)
	e.host = u.Host
	return e
}

func (e *elsewhere) spoilWith(fn func(http.Handler, http.ResponseWriter, *http.Request)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.spoil = fn
}

func (e *elsewhere) push(t *testing.T, to string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(e.host + "/" + to)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return mustDigest(t, img)
}

func (e *elsewhere) pushIndex(t *testing.T, to string, images map[string]v1.Image) string {
	t.Helper()
	ref, _ := name.ParseReference(e.host + "/" + to)
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for platform, img := range images {
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
	}
	if err := remote.WriteIndex(ref, idx); err != nil {
		t.Fatal(err)
	}
	return mustDigest(t, idx)
}

func wantCode(t *testing.T, err error, code apprunner.Code, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if got := apprunner.CodeOf(err); got != code {
		t.Errorf("code %s, want %s: %v", got, code, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}

func TestPullFromAnotherRegistry(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	want := e.push(t, "some/app:v1", imageOf(t, arch, tarOf(t, entry{name: "f", body: randomBytes(1, 1<<20)}), tarOf(t, entry{name: "g", body: "g"})))
	ref := e.host + "/some/app:v1"
	if d, err := w.Resolve(t.Context(), ref, image.Credential{}); err != nil || d != want {
		t.Fatalf("Resolve: %s, %v", d, err)
	}
	img, err := w.Pull(t.Context(), ref, image.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if img.Digest != want || img.ReferenceDigest != want || read(t, img.Layers[1].Dir+"/g") != "g" || img.SizeBytes < 1<<20 {
		t.Errorf("pulled %+v", img)
	}
	if c := img.Config; c.Cmd[0] != "/serve" || c.Env[0] != "A=b" || c.User != "1000" || c.ExposedPorts[0] != "8080/tcp" {
		t.Errorf("configuration %+v", c)
	}
	before := e.gets.Load()
	if _, err := w.Pull(t.Context(), ref, image.Credential{}); err != nil || e.gets.Load() != before {
		t.Errorf("the second pull fetched %d blobs, %v", e.gets.Load()-before, err)
	}
	_, err = w.Pull(t.Context(), e.host+"/some/app:nope", image.Credential{})
	wantCode(t, err, image.CodeImageNotFound, "some/app", "nope")
}

func TestPullChoosesThePlatform(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	mine, other := smallImage(t, "mine"), imageOf(t, "arm64", tarOf(t, entry{name: "x"}))
	index := e.pushIndex(t, "multi:v1", map[string]v1.Image{"linux/amd64": mine, "linux/arm64/v8": other})
	img, err := w.Pull(t.Context(), e.host+"/multi:v1", image.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if img.Digest != mustDigest(t, mine) || img.ReferenceDigest != index {
		t.Errorf("pulled %s of %s", img.Digest, img.ReferenceDigest)
	}
	e.pushIndex(t, "foreign:v1", map[string]v1.Image{"linux/arm64/v8": other, "linux/s390x": other})
	_, err = w.Pull(t.Context(), e.host+"/foreign:v1", image.Credential{})
	wantCode(t, err, apprunner.CodeInvalidRequest, "linux/arm64/v8, linux/s390x", "linux/amd64", "--platform")
	e.push(t, "single:v1", other)
	_, err = w.Pull(t.Context(), e.host+"/single:v1", image.Credential{})
	wantCode(t, err, apprunner.CodeInvalidRequest, "linux/arm64", "linux/amd64")
}

func TestPullDockerAndZstd(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	docker := mutate.MediaType(smallImage(t, "docker"), types.DockerManifestSchema2)
	e.push(t, "docker:v1", mutate.ConfigMediaType(docker, types.DockerConfigJSON))
	img, err := w.Pull(t.Context(), e.host+"/docker:v1", image.Credential{})
	if err != nil || read(t, img.Layers[0].Dir+"/etc/mark") != "docker" {
		t.Fatalf("%+v, %v", img, err)
	}
}

func TestPullWithCredentials(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	e.push(t, "private:v1", smallImage(t, "x"))
	e.spoilWith(func(inner http.Handler, rw http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		if user != "me" || pass != "secret" {
			rw.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(rw, r)
	})
	if _, err := w.Pull(t.Context(), e.host+"/private:v1", image.Credential{Username: "me", Password: "secret"}); err != nil {
		t.Error(err)
	}
	_, err := w.Pull(t.Context(), e.host+"/private:v1", image.Credential{Username: "me", Password: "wrong"})
	wantCode(t, err, apprunner.CodeAccessDenied, e.host, "private")
	_, err = w.Resolve(t.Context(), e.host+"/private:v1", image.Credential{})
	wantCode(t, err, apprunner.CodeAccessDenied)
}

func TestPullUnreachable(t *testing.T) {
	w := newWorld(t)
	_, err := w.Pull(t.Context(), "127.0.0.1:1/app", image.Credential{})
	wantCode(t, err, apprunner.CodeUnavailable, "127.0.0.1:1", "cannot be reached")
	_, err = w.Pull(t.Context(), "Not A Reference", image.Credential{})
	wantCode(t, err, apprunner.CodeInvalidRequest)
}

func blobRequest(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
}

func TestPullRefusesWrongContent(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	digest := e.push(t, "app:v1", imageOf(t, arch, tarOf(t, entry{name: "f", body: randomBytes(3, 1<<20)})))
	e.spoilWith(func(inner http.Handler, rw http.ResponseWriter, r *http.Request) {
		if !blobRequest(r) {
			inner.ServeHTTP(rw, r)
			return
		}
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		body[len(body)/2] ^= 1
		rw.Write(body)
	})
	_, err := w.Pull(t.Context(), e.host+"/app:v1", image.Credential{})
	wantCode(t, err, apprunner.CodeInvalidRequest, "does not match its digest")

	e.spoilWith(func(inner http.Handler, rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") && r.Method == http.MethodGet {
			rec := httptest.NewRecorder()
			inner.ServeHTTP(rec, r)
			rw.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			rw.Write(append(rec.Body.Bytes(), ' '))
			return
		}
		inner.ServeHTTP(rw, r)
	})
	_, err = w.Pull(t.Context(), e.host+"/app@"+digest, image.Credential{})
	wantCode(t, err, apprunner.CodeInvalidRequest, "manifest that does not match its digest")
	left, _ := os.ReadDir(w.dir + "/tmp")
	if len(left) > 0 {
		t.Errorf("temporary files were left: %v", left)
	}
}

func TestPullGoesOnAfterBrokenConnections(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	e.push(t, "app:v1", imageOf(t, arch, tarOf(t, entry{name: "f", body: randomBytes(4, 4<<20)})))
	var ranged atomic.Int64
	e.spoilWith(func(inner http.Handler, rw http.ResponseWriter, r *http.Request) {
		if !blobRequest(r) {
			inner.ServeHTTP(rw, r)
			return
		}
		if r.Header.Get("Range") != "" {
			ranged.Add(1)
		}
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		for k, v := range rec.Header() {
			rw.Header()[k] = v
		}
		rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
		rw.WriteHeader(rec.Code)
		rw.Write(body[:min(len(body), 1500<<10)]) // then the connection ends
	})
	if _, err := w.Pull(t.Context(), e.host+"/app:v1", image.Credential{}); err != nil {
		t.Fatal(err)
	}
	if ranged.Load() < 2 {
		t.Errorf("%d transfers were continued", ranged.Load())
	}
}

func TestPullSharesWork(t *testing.T) {
	w, e := newWorld(t), newElsewhere(t)
	e.push(t, "app:v1", imageOf(t, arch, tarOf(t, entry{name: "f", body: randomBytes(5, 2<<20)})))
	gate := make(chan struct{})
	e.spoilWith(func(inner http.Handler, rw http.ResponseWriter, r *http.Request) {
		if blobRequest(r) {
			<-gate
		}
		inner.ServeHTTP(rw, r)
	})
	const pulls = 8
	cancelled, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for i := range pulls {
		ctx := t.Context()
		if i == 0 {
			ctx = cancelled
		}
		group.Go(func() {
			if _, err := w.Pull(ctx, e.host+"/app:v1", image.Credential{}); err != nil && i > 0 {
				t.Error(err)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); e.gets.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	cancel() // whoever came first may leave; the others still get it
	close(gate)
	group.Wait()
	if n := e.gets.Load(); n > 4 { // config and layer, once more if the first left alone
		t.Errorf("%d blobs were fetched for %d pulls at once", n, pulls)
	}
}

// checklist: 33
func TestPublicImagesThroughAMirror(t *testing.T) {
	e := newElsewhere(t)
	w := newWorld(t, func(c *image.Config) {
		c.Mirrors = map[string]image.Upstream{"public.ecr.aws": {Base: "http://" + e.host + "/mirror"}, "docker.io/library": {Base: "http://" + e.host}}
	})
	want := e.push(t, "mirror/aws-containers/hello-app-runner:latest", smallImage(t, "hello"))
	img, err := w.Pull(t.Context(), "public.ecr.aws/aws-containers/hello-app-runner", image.Credential{})
	if err != nil || img.Digest != want {
		t.Fatalf("%+v, %v", img, err)
	}
	e.push(t, "nginx:1", smallImage(t, "nginx"))
	if _, err := w.Pull(t.Context(), "nginx:1", image.Credential{}); err != nil {
		t.Error(err)
	}
}

func TestPlainHTTPOnlyOnLoopback(t *testing.T) {
	w := newWorld(t)
	_, err := image.Open(t.Context(), image.Config{Dir: t.TempDir(), DB: openDB(t), Mirrors: map[string]image.Upstream{"public.ecr.aws": {Base: "http://10.0.0.1"}}})
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("a mirror over plain http: %v", err)
	}
	_ = w
}

func TestPullThrough(t *testing.T) {
	e := newElsewhere(t)
	w := newWorld(t, func(c *image.Config) {
		c.PullThrough = map[string]image.Upstream{"hub": {Base: "http://" + e.host}}
	})
	first := e.push(t, "library/app:v1", smallImage(t, "1"))
	img, err := w.Pull(t.Context(), ecrHost+"/hub/library/app:v1", image.Credential{Principal: someone})
	if err != nil || img.Digest != first {
		t.Fatalf("%+v, %v", img, err)
	}
	e.pushIndex(t, "library/multi:v1", map[string]v1.Image{"linux/amd64": smallImage(t, "m")})
	got, err := remote.Image(w.ref(t, "hub/library/multi:v1"), w.auth(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.Layers(); err != nil {
		t.Error(err)
	}
	second := e.push(t, "library/app:v1", smallImage(t, "2"))
	if d, err := w.Resolve(t.Context(), ecrHost+"/hub/library/app:v1", image.Credential{}); err != nil || d != first {
		t.Errorf("within a day the copy counts: %s, %v", d, err)
	}
	w.advance(25 * time.Hour)
	if d, err := w.Resolve(t.Context(), ecrHost+"/hub/library/app:v1", image.Credential{}); err != nil || d != second {
		t.Errorf("after a day the upstream is asked: %s, %v", d, err)
	}
	w.advance(25 * time.Hour)
	e.spoilWith(func(_ http.Handler, rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) })
	if d, err := w.Resolve(t.Context(), ecrHost+"/hub/library/app:v1", image.Credential{}); err != nil || d != second {
		t.Errorf("without the upstream the copy serves on: %s, %v", d, err)
	}
	_, err = w.Resolve(t.Context(), ecrHost+"/hub/library/none:v1", image.Credential{})
	wantCode(t, err, apprunner.CodeAccessDenied)
}

func TestPullPermissions(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	w.push(t, "app:v1", smallImage(t, "x"))
	for _, action := range []string{"ecr:GetAuthorizationToken", "ecr:DescribeImages", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"} {
		w.deny(action)
		_, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{Principal: someone})
		wantCode(t, err, apprunner.CodeAccessDenied, action)
	}
	if _, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{}); err != nil {
		t.Errorf("Slipway itself: %v", err)
	}
	w.deny()
	_, err := w.Pull(t.Context(), ecrHost+"/none:v1", image.Credential{Principal: someone})
	wantCode(t, err, image.CodeRepositoryNotFound, "none")
	_, err = w.Pull(t.Context(), ecrHost+"/app:v2", image.Credential{Principal: someone})
	wantCode(t, err, image.CodeImageNotFound, "v2")
}
