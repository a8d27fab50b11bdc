package iam

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// The canonical form must keep what it stands for: the same parameters come out of it as went in, and no header can pass for
// another line.
func FuzzCanonical(f *testing.F) {
	f.Add("a=b&c&a=%2f&X-Amz-Signature=00", "/a%20b/../c//d", "  a   b ")
	f.Fuzz(func(t *testing.T, rawQuery, path, header string) {
		query, err := parseQuery(rawQuery)
		if err != nil {
			return
		}
		canonical := canonicalQuery(query)
		back, err := url.ParseQuery(canonical)
		if err != nil {
			t.Fatalf("%q is no query: %v", canonical, err)
		}
		delete(query, "X-Amz-Signature")
		if len(back) != len(query) || canonicalQuery(back) != canonical {
			t.Fatalf("%q became %q", rawQuery, canonical)
		}
		for name, values := range query {
			if len(back[name]) != len(values) {
				t.Fatalf("parameter %q: %q became %q", name, values, back[name])
			}
		}
		r := &http.Request{RequestURI: "/" + path, URL: &url.URL{Path: "/" + path}, Header: http.Header{"X-A": {header}}}
		for _, p := range canonicalPaths(r) {
			if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, " \n?") {
				t.Fatalf("path %q became %q", path, p)
			}
		}
		if v := headerValue(r, "x-a"); strings.Contains(v, "  ") || v != strings.TrimSpace(v) {
			t.Fatalf("header %q became %q", header, v)
		}
	})
}

func TestSealerBindsPurpose(t *testing.T) {
	s, err := openSealer(t.TempDir()+"/key", true)
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.lock("a", []byte("secret"))
	if got, err := s.open("a", sealed); err != nil || string(got) != "secret" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := s.open("b", sealed); err == nil {
		t.Fatal("opened for another purpose")
	}
	if strings.Contains(sealed, "secret") || reflect.DeepEqual(sealed, s.lock("a", []byte("secret"))) {
		t.Fatal("not sealed, or twice the same")
	}
}

func TestKeyFileMustNotVanish(t *testing.T) {
	if _, err := openSealer(t.TempDir()+"/key", false); err == nil || !strings.Contains(err.Error(), "put it back from a backup") {
		t.Fatalf("a missing key file: %v", err)
	}
}
