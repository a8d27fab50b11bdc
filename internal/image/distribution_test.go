package image_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

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
