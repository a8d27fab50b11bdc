package build

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func makeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// entries lists a tar as "name", "name=content", "name->target" or "name=>first" for hard links.
func entries(t *testing.T, data []byte) []string {
	t.Helper()
	var list []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeReg:
			list = append(list, h.Name+"="+string(content))
		case tar.TypeSymlink:
			list = append(list, h.Name+"->"+h.Linkname)
		case tar.TypeLink:
			list = append(list, h.Name+"=>"+h.Linkname)
		default:
			list = append(list, h.Name)
		}
	}
}

func written(t *testing.T, layer treeLayer) []string {
	t.Helper()
	var out bytes.Buffer
	if err := writeTree(t.Context(), &out, layer); err != nil {
		t.Fatal(err)
	}
	return entries(t, out.Bytes())
}

func TestWriteTree(t *testing.T) {
	dir := makeTree(t, map[string]string{"bin/a": "1", "lib/b": "2", "skip/c": "3", "lib/caf\xe9": "latin"})
	if err := os.Link(filepath.Join(dir, "bin/a"), filepath.Join(dir, "lib/again")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../bin/a", filepath.Join(dir, "lib/link")); err != nil {
		t.Fatal(err)
	}
	got := written(t, treeLayer{dir: dir, prefix: "usr/local", skip: func(name string) bool { return name == "skip" }})
	want := []string{
		"usr/", "usr/local/", "usr/local/bin/", "usr/local/bin/a=1", "usr/local/lib/", "usr/local/lib/again=>usr/local/bin/a",
		"usr/local/lib/b=2", "usr/local/lib/caf\xe9=latin", "usr/local/lib/link->../bin/a",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestWriteTreeGivesOnlyWhatChangedSinceASnapshot(t *testing.T) {
	dir := makeTree(t, map[string]string{"etc/same": "1", "etc/changed": "2", "etc/gone": "3", "old/a/b": "4", "quiet/x": "5"})
	before, err := takeSnapshot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/changed"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/added"), []byte("6"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "etc/gone")), os.RemoveAll(filepath.Join(dir, "old"))); err != nil {
		t.Fatal(err)
	}
	got := written(t, treeLayer{dir: dir, before: before})
	want := []string{"etc/", "etc/added=6", "etc/changed=new", "etc/.wh.gone=", ".wh.old="}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func filtered(t *testing.T, headers []tar.Header, keep layerFilter) ([]string, error) {
	t.Helper()
	source := func(_ context.Context, w io.Writer) error {
		out := tar.NewWriter(w)
		for _, h := range headers {
			content := h.Linkname
			if h.Typeflag == tar.TypeReg {
				h.Linkname, h.Size = "", int64(len(content))
			}
			if err := out.WriteHeader(&h); err != nil {
				return err
			}
			if h.Typeflag == tar.TypeReg {
				if _, err := out.Write([]byte(content)); err != nil {
					return err
				}
			}
		}
		return out.Close()
	}
	var out bytes.Buffer
	err := filterLayer(t.Context(), &out, source, keep)
	if err != nil {
		return nil, err
	}
	return entries(t, out.Bytes()), nil
}

func TestOnlyAppKeepsTheSourceDirectoryWithoutGit(t *testing.T) {
	got, err := filtered(t, []tar.Header{
		{Typeflag: tar.TypeDir, Name: "app/"},
		{Typeflag: tar.TypeReg, Name: "app/.git/config", Linkname: "x"},
		{Typeflag: tar.TypeReg, Name: "app/.gitignore", Linkname: "y"},
		{Typeflag: tar.TypeReg, Name: "./app/main.go", Linkname: "z"},
		{Typeflag: tar.TypeLink, Name: "app/two", Linkname: "app/main.go"},
		{Typeflag: tar.TypeReg, Name: "application/x", Linkname: "n"},
		{Typeflag: tar.TypeReg, Name: ".wh.app", Linkname: ""},
		{Typeflag: tar.TypeReg, Name: "etc/passwd", Linkname: "n"},
	}, onlyApp)
	want := []string{"app/", "app/.gitignore=y", "./app/main.go=z", "app/two=>app/main.go"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

func TestALinkToWhatIsLeftOutIsRefused(t *testing.T) {
	_, err := filtered(t, []tar.Header{
		{Typeflag: tar.TypeReg, Name: "a/store", Linkname: "x"},
		{Typeflag: tar.TypeLink, Name: "app/file", Linkname: "a/store"},
	}, onlyApp)
	if err == nil || !strings.Contains(err.Error(), "/app/file is a hard link") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutBuildFiles(t *testing.T) {
	ca := "operator's authorities"
	headers := []tar.Header{
		{Typeflag: tar.TypeDir, Name: "etc/"},
		{Typeflag: tar.TypeReg, Name: "etc/resolv.conf", Linkname: "nameserver"},
		{Typeflag: tar.TypeReg, Name: "etc/ssl/certs/ca-certificates.crt", Linkname: ca},
		{Typeflag: tar.TypeReg, Name: "usr/local/lib/x", Linkname: "x"},
		{Typeflag: tar.TypeDir, Name: "var/cache/slipway/"},
		{Typeflag: tar.TypeReg, Name: "var/cache/slipway/npm/x", Linkname: "x"},
		{Typeflag: tar.TypeReg, Name: "var/cache/slipwayish", Linkname: "x"},
	}
	got, err := filtered(t, headers, withoutBuildFiles([]byte(ca)))
	want := []string{"etc/", "usr/local/lib/x=x", "var/cache/slipwayish=x"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	// The commands installed authorities of their own: that is the user's doing and stays.
	got, err = filtered(t, headers, withoutBuildFiles([]byte("another bundle, longxx")))
	if err != nil || !slices.Contains(got, "etc/ssl/certs/ca-certificates.crt="+ca) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFilterLayerPassesFaultsOfTheSourceOn(t *testing.T) {
	broken := errors.New("broken")
	err := filterLayer(t.Context(), io.Discard, func(_ context.Context, w io.Writer) error {
		_, _ = w.Write(make([]byte, 512))
		return broken
	}, onlyApp)
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
