package image_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

// client speaks the distribution protocol by hand.
type client struct {
	t        *testing.T
	w        *world
	password string
}

func newClient(t *testing.T, w *world) *client {
	t.Helper()
	tok, err := w.IssueToken(scope, someone)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, w, tok.Password}
}

// do sends a request; header comes as pairs. The body of the answer is read whole.
func (c *client) do(method, path string, body []byte, header ...string) (*http.Response, string) {
	c.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.w.server.URL + path
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth("AWS", c.password)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(text)
}

// want sends a request and compares the status and, if given, the error code.
func (c *client) want(status int, code, method, path string, body []byte, header ...string) *http.Response {
	c.t.Helper()
	resp, text := c.do(method, path, body, header...)
	if resp.StatusCode != status {
		c.t.Errorf("%s %s: %s, want %d: %s", method, path, resp.Status, status, text)
	}
	if code != "" && method != http.MethodHead && !strings.Contains(text, `"code":"`+code+`"`) {
		c.t.Errorf("%s %s: want the code %s: %s", method, path, code, text)
	}
	return resp
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}

func (c *client) pushBlob(repo string, content []byte) string {
	c.t.Helper()
	c.want(201, "", "POST", "/v2/"+repo+"/blobs/uploads/?digest="+sum(content), content)
	return sum(content)
}

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
)

func manifestFor(config []byte, layers ...[]byte) []byte {
	type d struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	all := []d{}
	for _, l := range layers {
		all = append(all, d{"application/vnd.oci.image.layer.v1.tar", sum(l), len(l)})
	}
	body, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": manifestType, "config": d{configType, sum(config), len(config)}, "layers": all})
	return body
}

// The four workflows of the OCI distribution specification: pull, push, content discovery, content management.
func TestDistributionPush(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "a/b")
	c := newClient(t, w)
	blob := []byte(randomBytes(1, 300_000))

	c.want(200, "", "GET", "/v2/", nil)
	c.want(404, "BLOB_UNKNOWN", "HEAD", "/v2/a/b/blobs/"+sum(blob), nil)

	// POST then PUT
	resp := c.want(202, "", "POST", "/v2/a/b/blobs/uploads/", nil)
	up := resp.Header.Get("Location")
	resp = c.want(201, "", "PUT", up+"?digest="+sum(blob), blob, "Content-Type", "application/octet-stream")
	if resp.Header.Get("Location") != "/v2/a/b/blobs/"+sum(blob) {
		t.Errorf("Location %q", resp.Header.Get("Location"))
	}
	c.want(404, "BLOB_UPLOAD_UNKNOWN", "GET", up, nil)

	// in chunks, with one out of order
	chunked := []byte(randomBytes(2, 300_000))
	up = c.want(202, "", "POST", "/v2/a/b/blobs/uploads/", nil).Header.Get("Location")
	resp = c.want(202, "", "PATCH", up, chunked[:100_000], "Content-Range", "0-99999")
	if resp.Header.Get("Range") != "0-99999" {
		t.Errorf("Range %q", resp.Header.Get("Range"))
	}
	c.want(416, "BLOB_UPLOAD_INVALID", "PATCH", up, chunked[200_000:], "Content-Range", "200000-299999")
	if got := c.want(204, "", "GET", up, nil).Header.Get("Range"); got != "0-99999" {
		t.Errorf("Range %q", got)
	}
	c.want(202, "", "PATCH", up, chunked[100_000:200_000], "Content-Range", "100000-199999")
	c.want(201, "", "PUT", up+"?digest="+sum(chunked), chunked[200_000:], "Content-Range", "200000-299999")

	// what does not match is refused, and gone
	up = c.want(202, "", "POST", "/v2/a/b/blobs/uploads/", nil).Header.Get("Location")
	c.want(400, "DIGEST_INVALID", "PUT", up+"?digest="+sum(chunked), blob)
	c.want(400, "DIGEST_INVALID", "POST", "/v2/a/b/blobs/uploads/?digest=sha512:"+strings.Repeat("0", 128), blob)
	up = c.want(202, "", "POST", "/v2/a/b/blobs/uploads/", nil).Header.Get("Location")
	c.want(204, "", "DELETE", up, nil)
	c.want(404, "BLOB_UPLOAD_UNKNOWN", "PATCH", up, blob)

	// mount
	w.repository(t, "other")
	c.want(404, "BLOB_UNKNOWN", "GET", "/v2/other/blobs/"+sum(blob), nil)
	c.want(201, "", "POST", "/v2/other/blobs/uploads/?from=a/b&mount="+sum(blob), nil)
	c.want(200, "", "GET", "/v2/other/blobs/"+sum(blob), nil)
	c.want(202, "", "POST", "/v2/other/blobs/uploads/?from=nowhere&mount="+sum(blob), nil)

	// manifests
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	m := manifestFor(config, blob)
	c.want(400, "MANIFEST_BLOB_UNKNOWN", "PUT", "/v2/a/b/manifests/v1", m, "Content-Type", manifestType)
	c.pushBlob("a/b", config)
	resp = c.want(201, "", "PUT", "/v2/a/b/manifests/v1", m, "Content-Type", manifestType)
	if resp.Header.Get("Docker-Content-Digest") != sum(m) || resp.Header.Get("Location") != "/v2/a/b/manifests/"+sum(m) {
		t.Errorf("%v", resp.Header)
	}
	c.want(201, "", "PUT", "/v2/a/b/manifests/"+sum(m), m, "Content-Type", manifestType)
	c.want(400, "DIGEST_INVALID", "PUT", "/v2/a/b/manifests/"+sum(blob), m, "Content-Type", manifestType)
	c.want(400, "MANIFEST_INVALID", "PUT", "/v2/a/b/manifests/v1", m, "Content-Type", indexType)
	c.want(400, "MANIFEST_INVALID", "PUT", "/v2/a/b/manifests/v1", []byte("{"), "Content-Type", manifestType)
	c.want(400, "TAG_INVALID", "PUT", "/v2/a/b/manifests/-v", m, "Content-Type", manifestType)
	c.want(413, "SIZE_INVALID", "PUT", "/v2/a/b/manifests/v1", make([]byte, 5<<20), "Content-Type", manifestType)
	missing := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":5}]}`, indexType, manifestType, sum(blob))
	c.want(400, "MANIFEST_BLOB_UNKNOWN", "PUT", "/v2/a/b/manifests/v2", []byte(missing), "Content-Type", indexType)
}

func TestDistributionPull(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "a/b")
	c := newClient(t, w)
	blob := []byte(randomBytes(1, 10_000))
	c.pushBlob("a/b", blob)
	config := []byte(`{}`)
	c.pushBlob("a/b", config)
	m := manifestFor(config, blob)
	c.want(201, "", "PUT", "/v2/a/b/manifests/v1", m, "Content-Type", manifestType)

	for _, version := range []string{"v1", sum(m)} {
		resp, body := c.do("GET", "/v2/a/b/manifests/"+version, nil)
		if body != string(m) || resp.Header.Get("Content-Type") != manifestType || resp.Header.Get("Docker-Content-Digest") != sum(m) {
			t.Errorf("%s: %v %s", version, resp.Header, body)
		}
		resp, _ = c.do("HEAD", "/v2/a/b/manifests/"+version, nil)
		if resp.StatusCode != 200 || resp.ContentLength != int64(len(m)) {
			t.Errorf("HEAD %s: %s, %d bytes", version, resp.Status, resp.ContentLength)
		}
	}
	c.want(304, "", "GET", "/v2/a/b/manifests/v1", nil, "If-None-Match", `"`+sum(m)+`"`)
	resp, body := c.do("GET", "/v2/a/b/blobs/"+sum(blob), nil)
	if body != string(blob) || resp.Header.Get("Docker-Content-Digest") != sum(blob) {
		t.Errorf("%v", resp.Header)
	}
	if resp, _ := c.do("HEAD", "/v2/a/b/blobs/"+sum(blob), nil); resp.ContentLength != int64(len(blob)) {
		t.Errorf("HEAD: %v", resp.Header)
	}
	if resp, body := c.do("GET", "/v2/a/b/blobs/"+sum(blob), nil, "Range", "bytes=100-199"); resp.StatusCode != 206 || body != string(blob[100:200]) {
		t.Errorf("a range: %s, %d bytes", resp.Status, len(body))
	}
	c.want(416, "", "GET", "/v2/a/b/blobs/"+sum(blob), nil, "Range", "bytes=999999-")
	c.want(404, "MANIFEST_UNKNOWN", "GET", "/v2/a/b/manifests/none", nil)
	c.want(404, "MANIFEST_UNKNOWN", "GET", "/v2/a/b/manifests/"+sum(blob), nil)
	c.want(404, "NAME_UNKNOWN", "GET", "/v2/nobody/manifests/v1", nil)
	c.want(400, "NAME_INVALID", "GET", "/v2/UPPER/manifests/v1", nil)
	c.want(404, "NOT_FOUND", "GET", "/v2/a/b/else/v1", nil)
	c.want(405, "UNSUPPORTED", "POST", "/v2/a/b/manifests/v1", nil)
	c.want(404, "NOT_FOUND", "GET", "/v2/a/b/blobs/..%2f..%2fx", nil)
	c.want(400, "DIGEST_INVALID", "GET", "/v2/a/b/blobs/sha256:short", nil)
}

func TestDistributionDiscovery(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "aa")
	w.repository(t, "b/manifests/c") // a name that looks like a path
	c := newClient(t, w)
	config := []byte(`{}`)
	c.pushBlob("aa", config)
	m := manifestFor(config)
	for _, tag := range []string{"t3", "t1", "t2"} {
		c.want(201, "", "PUT", "/v2/aa/manifests/"+tag, m, "Content-Type", manifestType)
	}
	if _, body := c.do("GET", "/v2/aa/tags/list", nil); body != `{"name":"aa","tags":["t1","t2","t3"]}` {
		t.Error(body)
	}
	resp, body := c.do("GET", "/v2/aa/tags/list?n=2", nil)
	if body != `{"name":"aa","tags":["t1","t2"]}` || !strings.Contains(resp.Header.Get("Link"), "last=t2") {
		t.Error(body, resp.Header)
	}
	if _, body := c.do("GET", "/v2/aa/tags/list?n=2&last=t2", nil); body != `{"name":"aa","tags":["t3"]}` {
		t.Error(body)
	}
	if _, body := c.do("GET", "/v2/b/manifests/c/tags/list", nil); body != `{"name":"b/manifests/c","tags":[]}` {
		t.Error(body)
	}
	if _, body := c.do("GET", "/v2/_catalog", nil); body != `{"repositories":["aa","b/manifests/c"]}` {
		t.Error(body)
	}
	subject := fmt.Sprintf(`,"subject":{"mediaType":%q,"digest":%q,"size":%d},"artifactType":"application/x.sig","annotations":{"k":"v"}}`, manifestType, sum(m), len(m))
	sig := []byte(strings.TrimSuffix(string(m), "}") + subject)
	if got := c.want(201, "", "PUT", "/v2/aa/manifests/"+sum(sig), sig, "Content-Type", manifestType).Header.Get("OCI-Subject"); got != sum(m) {
		t.Errorf("OCI-Subject %q", got)
	}
	if _, body := c.do("GET", "/v2/aa/referrers/"+sum(m), nil); !strings.Contains(body, sum(sig)) || !strings.Contains(body, `"artifactType":"application/x.sig"`) || !strings.Contains(body, `"k":"v"`) {
		t.Error(body)
	}
	if resp, body := c.do("GET", "/v2/aa/referrers/"+sum(m)+"?artifactType=other", nil); !strings.Contains(body, `"manifests":[]`) || resp.Header.Get("OCI-Filters-Applied") == "" {
		t.Error(body, resp.Header)
	}
}

func TestDistributionManagement(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "aa")
	c := newClient(t, w)
	config, loose := []byte(`{}`), []byte("loose")
	c.pushBlob("aa", config)
	c.pushBlob("aa", loose)
	m := manifestFor(config)
	for _, tag := range []string{"t1", "t2"} {
		c.want(201, "", "PUT", "/v2/aa/manifests/"+tag, m, "Content-Type", manifestType)
	}
	index := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, indexType, manifestType, sum(m), len(m))
	c.want(201, "", "PUT", "/v2/aa/manifests/all", index, "Content-Type", indexType)

	c.want(202, "", "DELETE", "/v2/aa/manifests/t1", nil)
	c.want(404, "MANIFEST_UNKNOWN", "GET", "/v2/aa/manifests/t1", nil)
	c.want(200, "", "GET", "/v2/aa/manifests/t2", nil)
	c.want(409, "DENIED", "DELETE", "/v2/aa/manifests/"+sum(m), nil)
	c.want(202, "", "DELETE", "/v2/aa/manifests/"+sum(index), nil)
	c.want(405, "UNSUPPORTED", "DELETE", "/v2/aa/blobs/"+sum(config), nil)
	c.want(202, "", "DELETE", "/v2/aa/manifests/"+sum(m), nil)
	c.want(404, "MANIFEST_UNKNOWN", "GET", "/v2/aa/manifests/t2", nil)
	c.want(202, "", "DELETE", "/v2/aa/blobs/"+sum(loose), nil)
	c.want(404, "BLOB_UNKNOWN", "DELETE", "/v2/aa/blobs/"+sum(loose), nil)
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
		{"ecr:BatchGetImage", "GET", "/v2/aa/manifests/v1"}, {"ecr:BatchGetImage", "HEAD", "/v2/aa/manifests/v1"},
		{"ecr:PutImage", "PUT", "/v2/aa/manifests/v1"}, {"ecr:BatchDeleteImage", "DELETE", "/v2/aa/manifests/v1"},
		{"ecr:GetDownloadUrlForLayer", "GET", "/v2/aa/blobs/" + sum(config)}, {"ecr:BatchCheckLayerAvailability", "HEAD", "/v2/aa/blobs/" + sum(config)},
		{"ecr:InitiateLayerUpload", "POST", "/v2/aa/blobs/uploads/"}, {"ecr:UploadLayerPart", "PATCH", up}, {"ecr:CompleteLayerUpload", "PUT", up},
		{"ecr:ListImages", "GET", "/v2/aa/tags/list"}, {"ecr:DescribeRepositories", "GET", "/v2/_catalog"},
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
	w.push(t, "app:v2", img)
	for _, tag := range []string{"v1", "v2"} {
		select {
		case e := <-events:
			if e.Tag != tag || e.Repository != "app" || e.Scope != scope || e.Digest != mustDigest(t, img) {
				t.Errorf("%+v", e)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no event")
		}
	}
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
