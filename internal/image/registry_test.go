package image_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"slipway.dev/slipway/internal/image"
)

// checklist: 28
func TestPushPullRun(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "team/app")
	img := imageOf(t, arch, tarOf(t, entry{name: "a", body: "one"}), tarOf(t, entry{name: "b", body: randomBytes(1, 3<<20)}))
	w.push(t, "team/app:v1", img)

	back, err := remote.Image(w.ref(t, "team/app:v1"), w.auth(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(back); err != nil {
		t.Fatal(err)
	}
	got, err := w.Pull(t.Context(), ecrHost+"/team/app:v1", image.Credential{Principal: someone})
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != mustDigest(t, img) || len(got.Layers) != 2 || got.Config.WorkingDir != "/srv" {
		t.Fatalf("pulled %+v", got)
	}
	again, err := w.Get(t.Context(), got.Digest)
	if err != nil || len(again.Layers) != 2 {
		t.Fatalf("Get: %+v, %v", again, err)
	}
}

func TestRegistryAuthentication(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "aa")
	c := newClient(t, w)
	good := c.password
	for name, bad := range map[string]string{"none": "", "wrong": "x.y", "altered": "A" + good[1:], "cut": good[:len(good)-4]} {
		c.password = bad
		resp := c.want(401, "UNAUTHORIZED", "GET", "/v2/", nil)
		if !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: no challenge", name)
		}
		c.want(401, "UNAUTHORIZED", "POST", "/v2/aa/blobs/uploads/", nil)
	}
	c.password = good
	w.advance(11 * time.Hour)
	c.want(200, "", "GET", "/v2/", nil)
	w.advance(2 * time.Hour)
	c.want(401, "UNAUTHORIZED", "GET", "/v2/", nil)
}

func TestRegistryPermissions(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "aa")
	c := newClient(t, w)
	config := []byte(`{}`)
	m := manifestFor(config)
	c.pushBlob("aa", config)
	c.want(201, "", "PUT", "/v2/aa/manifests/v1", m, "Content-Type", manifestType)
	up := c.want(202, "", "POST", "/v2/aa/blobs/uploads/", nil).Header.Get("Location")
	for _, tc := range []struct{ action, method, path string }{
		{"ecr:BatchGetImage", "GET", "/v2/aa/manifests/v1"},
		{"ecr:BatchGetImage", "HEAD", "/v2/aa/manifests/v1"},
		{"ecr:PutImage", "PUT", "/v2/aa/manifests/v1"},
		{"ecr:BatchDeleteImage", "DELETE", "/v2/aa/manifests/v1"},
		{"ecr:GetDownloadUrlForLayer", "GET", "/v2/aa/blobs/" + sum(config)},
		{"ecr:BatchCheckLayerAvailability", "HEAD", "/v2/aa/blobs/" + sum(config)},
		{"ecr:InitiateLayerUpload", "POST", "/v2/aa/blobs/uploads/"},
		{"ecr:UploadLayerPart", "PATCH", up},
		{"ecr:CompleteLayerUpload", "PUT", up},
		{"ecr:ListImages", "GET", "/v2/aa/tags/list"},
		{"ecr:DescribeRepositories", "GET", "/v2/_catalog"},
		{"ecr:BatchGetImage", "GET", "/v2/does-not-exist/manifests/v1"},
	} {
		w.deny(tc.action)
		c.want(403, "DENIED", tc.method, tc.path, m)
	}
	w.deny()
	c.want(200, "", "GET", "/v2/aa/manifests/v1", nil)
}

func TestPushToMissingRepository(t *testing.T) {
	w := newWorld(t)
	err := remote.Write(w.ref(t, "nobody/made:v1"), smallImage(t, "x"), w.auth(t))
	if err == nil || !strings.Contains(err.Error(), "NAME_UNKNOWN") || !strings.Contains(err.Error(), "does not exist in the registry with id '123456789012'") {
		t.Fatalf("%v", err)
	}
	repos, _, err := w.DescribeRepositories(t.Context(), scope, nil, image.Page{})
	if err != nil || len(repos) != 0 {
		t.Errorf("%v, %v", repos, err)
	}
}

func TestTagsMoveUnlessImmutable(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	first, second := smallImage(t, "1"), smallImage(t, "2")
	w.push(t, "app:v1", first)
	w.push(t, "app:v1", second)
	details, _, err := w.DescribeImages(t.Context(), scope, "app", nil, image.TagUntagged, image.Page{})
	if err != nil || len(details) != 1 || details[0].Digest != mustDigest(t, first) {
		t.Fatalf("untagged: %+v, %v", details, err)
	}
	if _, err := w.SetImmutable(t.Context(), scope, "app", true); err != nil {
		t.Fatal(err)
	}
	w.push(t, "app:v1", second) // the same again changes nothing
	err = remote.Write(w.ref(t, "app:v1"), first, w.auth(t))
	if err == nil || !strings.Contains(err.Error(), "TAG_INVALID") || !strings.Contains(err.Error(), "immutable") {
		t.Errorf("%v", err)
	}
	w.push(t, "app:v2", first)
}

func TestPushManyLayersAtOnce(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "big")
	var layers [][]byte
	for i := range 6 {
		layers = append(layers, tarOf(t, entry{name: "f", body: randomBytes(uint64(100+i), 4<<20)}))
	}
	img := imageOf(t, "arm64", layers...)
	idx := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
		mutate.IndexAddendum{Add: smallImage(t, "amd"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	if err := remote.WriteIndex(w.ref(t, "big:v1"), idx, w.auth(t)); err != nil {
		t.Fatal(err)
	}
	back, err := remote.Index(w.ref(t, "big:v1"), w.auth(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(back); err != nil {
		t.Fatal(err)
	}
}

func TestSkopeo(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("skopeo is not installed")
	}
	w := newWorld(t)
	w.repository(t, "app")
	w.push(t, "app:v1", imageOf(t, arch, tarOf(t, entry{name: "f", body: randomBytes(9, 2<<20)})))
	tok, err := w.IssueToken(scope, someone)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), skopeo, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo %s: %v\n%s", args[0], err, out)
		}
		return string(out)
	}
	auth := filepath.Join(t.TempDir(), "auth.json")
	login := exec.CommandContext(t.Context(), skopeo, "login", "--tls-verify=false", "--authfile", auth, "--username", "AWS", "--password-stdin", w.host)
	login.Stdin = strings.NewReader(tok.Password)
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("skopeo login: %v\n%s", err, out)
	}
	dir := t.TempDir()
	run("copy", "--authfile", auth, "--src-tls-verify=false", "docker://"+w.host+"/app:v1", "oci:"+dir+":v1")
	run("copy", "--authfile", auth, "--dest-tls-verify=false", "--format", "v2s2", "oci:"+dir+":v1", "docker://"+w.host+"/app:docker")
	run("copy", "--authfile", auth, "--dest-tls-verify=false", "--dest-compress-format", "zstd", "oci:"+dir+":v1", "docker://"+w.host+"/app:zstd")
	if out := run("list-tags", "--authfile", auth, "--tls-verify=false", "docker://"+w.host+"/app"); !strings.Contains(out, "docker") {
		t.Error(out)
	}
	for _, tag := range []string{"docker", "zstd"} {
		if _, err := w.Pull(t.Context(), ecrHost+"/app:"+tag, image.Credential{}); err != nil {
			t.Errorf("pull %s: %v", tag, err)
		}
	}
	run("delete", "--authfile", auth, "--tls-verify=false", "docker://"+w.host+"/app:docker")
}

func TestEverythingSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	c := newClient(t, w)
	w.push(t, "app:v1", smallImage(t, "x"))
	img, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	blob := []byte(randomBytes(1, 200_000))
	up := c.want(202, "", "POST", "/v2/app/blobs/uploads/", nil).Header.Get("Location")
	c.want(202, "", "PATCH", up, blob[:150_000])
	leftover := filepath.Join(w.dir, "tmp", "blob-x")
	if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	unknown := filepath.Join(w.dir, "layers", strings.Repeat("a", 64))
	if err := os.Mkdir(unknown, 0o755); err != nil {
		t.Fatal(err)
	}

	w.server.Close()
	w.open(t)

	for _, path := range []string{leftover, unknown} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	c.want(200, "", "GET", "/v2/app/manifests/v1", nil)
	if got := c.want(204, "", "GET", up, nil).Header.Get("Range"); got != "0-149999" {
		t.Errorf("the upload is at %s", got)
	}
	c.want(201, "", "PUT", up+"?digest="+sum(blob), blob[150_000:])
	if _, err := w.Get(t.Context(), img.Digest); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(img.Layers[0].Dir); err != nil {
		t.Fatal(err)
	}
	if again, err := w.Get(t.Context(), img.Digest); err != nil || read(t, again.Layers[0].Dir+"/etc/mark") != "x" {
		t.Errorf("a lost layer is made again: %v", err)
	}
}

func TestPushEvents(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	img := smallImage(t, "x")
	w.push(t, "app:v1", img) // recorded before anybody listens
	events := make(chan image.PushEvent, 10)
	w.OnPush(func(ctx context.Context, e image.PushEvent) { events <- e })
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { w.Run(ctx) })
	defer group.Wait()
	defer stop()
	told := func(deleted bool, tags ...string) {
		t.Helper()
		for _, tag := range tags {
			select {
			case e := <-events:
				if e.Tag != tag || e.Repository != "app" || e.Scope != scope || e.Digest != mustDigest(t, img) || e.Deleted != deleted {
					t.Errorf("%+v", e)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("no event")
			}
		}
	}
	w.advance(time.Second) // events come in the order of their times
	w.push(t, "app:v2", img)
	told(false, "v1", "v2")
	// A pushed image is unpacked ahead of its first use.
	deadline := time.After(10 * time.Second)
	for {
		if all, err := w.Images(t.Context()); err != nil || len(all) == 1 {
			break
		}
		select {
		case <-deadline:
			t.Fatal("the image was not unpacked")
		case <-time.After(5 * time.Millisecond):
		}
	}
	for _, id := range []image.ImageID{{Tag: "v2"}, {Digest: mustDigest(t, img)}} {
		if _, failures, err := w.BatchDeleteImage(t.Context(), scope, "app", []image.ImageID{id}); err != nil || len(failures) != 0 {
			t.Fatal(failures, err)
		}
		w.advance(time.Second)
	}
	told(true, "v2", "v1")
}

func TestUploadsExpire(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	c := newClient(t, w)
	up := c.want(202, "", "POST", "/v2/app/blobs/uploads/", nil).Header.Get("Location")
	w.advance(25 * time.Hour)
	if err := image.SweepUploads(w.Store, t.Context()); err != nil {
		t.Fatal(err)
	}
	c.password = newClient(t, w).password
	c.want(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", up, []byte("x"))
}
