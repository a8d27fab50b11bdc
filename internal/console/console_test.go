package console_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"slipway.dev/slipway/internal/console"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// built is a bundle of these files.
func built(t *testing.T, files map[string]string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{".keep": {Data: []byte("keep")}}
	for name, text := range files {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := w.Write([]byte(text))
		ok(t, err)
		ok(t, w.Close())
		out[name+".gz"] = &fstest.MapFile{Data: zipped.Bytes()}
		out[name+".br"] = &fstest.MapFile{Data: []byte("brotli of " + text)}
	}
	return out
}

func serve(t *testing.T, files fstest.MapFS) func(path string, header ...string) (*http.Response, string) {
	t.Helper()
	h, err := console.New(files, console.Settings{Region: "eu-west-1", Account: "123456789012", Endpoint: "http://127.0.0.1:7700", HTTPSPort: 8443})
	ok(t, err)
	return func(path string, header ...string) (*http.Response, string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		b, err := io.ReadAll(w.Result().Body)
		ok(t, err)
		return w.Result(), string(b)
	}
}

// The page is shown at every address of the console, and kept by no cache for longer than it is true.
func TestThePageIsShownEverywhere(t *testing.T) {
	get := serve(t, built(t, map[string]string{"index.html": "<page>", "assets/main-1.js": "code"}))
	for _, path := range []string{"/console/", "/console/services", "/console/services/arn%3Aaws/log/service", "/console/index.html"} {
		res, text := get(path)
		if res.StatusCode != http.StatusOK || text != "<page>" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %q %v", path, res.StatusCode, text, res.Header)
		}
	}
	if res, _ := get("/console/assets/main-0.js"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a part of another version: %d", res.StatusCode)
	}
}

// Files go out in the form the client takes; who has one is told that it is still good.
func TestFilesAreSentCompressed(t *testing.T) {
	get := serve(t, built(t, map[string]string{"index.html": "<page>", "assets/main-1.js": "code"}))
	tags := map[string]bool{}
	for _, c := range []struct{ accepts, encoding string }{
		{"", ""},
		{"gzip, deflate, br, zstd", "br"},
		{"gzip", "gzip"},
		{"br;q=0, gzip;q=0.5", "gzip"},
		{"br; q=0.0, GZIP", "gzip"},
		{"deflate", ""},
	} {
		res, text := get("/console/assets/main-1.js", "Accept-Encoding", c.accepts)
		if got := res.Header.Get("Content-Encoding"); got != c.encoding {
			t.Errorf("%q is answered with %q, want %q", c.accepts, got, c.encoding)
		}
		if c.encoding == "" && text != "code" || c.encoding == "br" && text != "brotli of code" {
			t.Errorf("%q is answered with %q", c.accepts, text)
		}
		if res.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || res.Header.Get("Vary") != "Accept-Encoding" || !strings.Contains(res.Header.Get("Content-Type"), "javascript") {
			t.Errorf("%q: headers %v", c.accepts, res.Header)
		}
		tag := res.Header.Get("ETag")
		tags[tag] = true
		if again, text := get("/console/assets/main-1.js", "Accept-Encoding", c.accepts, "If-None-Match", tag); again.StatusCode != http.StatusNotModified || text != "" {
			t.Errorf("%q once more: %d %q", c.accepts, again.StatusCode, text)
		}
	}
	if len(tags) != 3 {
		t.Errorf("three forms have the tags %v", tags)
	}
}

// Nothing from elsewhere runs in the console, and it is shown inside no other site.
func TestTheConsoleKeepsToItself(t *testing.T) {
	get := serve(t, built(t, map[string]string{"index.html": "<page>"}))
	for _, path := range []string{"/console/", "/console/settings.json"} {
		res, _ := get(path)
		policy := res.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q lacks %q", path, policy, want)
			}
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, res.Header)
		}
	}
}

func TestSettingsAreTold(t *testing.T) {
	res, text := serve(t, built(t, map[string]string{"index.html": "<page>"}))("/console/settings.json")
	want := `{"Region":"eu-west-1","Account":"123456789012","Endpoint":"http://127.0.0.1:7700","CAFile":"","HTTPSPort":8443}`
	if res.StatusCode != http.StatusOK || text != want || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s, want %s", res.StatusCode, text, want)
	}
}

// A program that was built without the bundle says how to get it, and how to sign in until then.
func TestWithoutABundle(t *testing.T) {
	res, text := serve(t, built(t, nil))("/console/")
	if res.StatusCode != http.StatusNotFound || !strings.Contains(text, "make build") || !strings.Contains(text, "/console/signin") || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", res.StatusCode, text, res.Header)
	}
}

// A bundle of which a form is missing was not built to its end.
func TestABrokenBundleIsRefused(t *testing.T) {
	files := built(t, map[string]string{"index.html": "<page>"})
	delete(files, "index.html.br")
	if _, err := console.New(files, console.Settings{}); err == nil || !strings.Contains(err.Error(), "not whole") {
		t.Errorf("a broken bundle: %v", err)
	}
}
