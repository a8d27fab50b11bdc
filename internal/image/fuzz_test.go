package image

import (
	"testing"
	"time"
)

func FuzzParseManifest(f *testing.F) {
	const d = `"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":`+d+`,"size":2},"layers":[{"digest":`+d+`,"size":0}]}`), mediaOCIManifest)
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"`+mediaOCIIndex+`","manifests":[{"digest":`+d+`,"platform":{"os":"linux","architecture":"amd64"}}]}`), "")
	f.Add([]byte(`{"schemaVersion":1}`), mediaDockerManifest)
	f.Add([]byte(`null`), "a/b; c=d")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		m, err := parseManifest(body, contentType)
		if err != nil {
			return
		}
		if m.index() {
			m.choose("amd64", "x")
		} else if m.Config == nil {
			t.Fatal("an image without configuration was accepted")
		}
		for _, d := range m.all() {
			if !validDigest(d.Digest) || d.Size < 0 {
				t.Fatalf("accepted %+v", d)
			}
		}
		m.contentSize()
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"architecture":"amd64","os":"linux","config":{"Env":["A=b"]},"rootfs":{"diff_ids":[]},"history":null}`))
	f.Add([]byte(`{"config":null,"rootfs":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseConfig(body)
		if err != nil {
			return
		}
		const id = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		more, err := extendConfig(body, "amd64", id, c.words(), time.Unix(0, 0))
		if err != nil {
			return
		}
		again, err := parseConfig(more)
		if err != nil || len(again.RootFS.DiffIDs) != len(c.RootFS.DiffIDs)+1 {
			t.Fatalf("%s became %s: %v", body, more, err)
		}
	})
}

func FuzzSplitPath(f *testing.F) {
	for _, p := range []string{"a/manifests/v1", "a/blobs/uploads/", "a/blobs/uploads/x", "a/b/tags/list", "manifests/x", "/blobs/"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		kind, c, ok := splitPath(path)
		if ok && (c.name == "" || kind == "") {
			t.Fatalf("%q became %q %+v", path, kind, c)
		}
	})
}
