package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/image"
)

// imported unpacks a layer through the front door and returns its directory.
func imported(t *testing.T, w *world, content []byte) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs.tar")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	img, err := w.ImportRootfs(t.Context(), path, image.ImageConfig{})
	if err != nil {
		return "", err
	}
	return img.Layers[0].Dir, nil
}

func mustImport(t *testing.T, content []byte) string {
	t.Helper()
	dir, err := imported(t, newWorld(t), content)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func stat(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return st
}

func TestUnpackKeepsWhatATarSays(t *testing.T) {
	dir := mustImport(t, tarOf(t,
		entry{name: "./", kind: tar.TypeDir},
		entry{name: "bin/tool", body: "x", mode: 0o4755, uid: 7, attrs: map[string]string{"user.note": "kept", "trusted.overlay.redirect": "/etc", "user.overlay.opaque": "y"}},
		entry{name: "bin/alias", kind: tar.TypeLink, link: "bin/tool"},
		entry{name: "bin/sym", kind: tar.TypeSymlink, link: "/bin/tool", uid: 9},
		entry{name: "run/pipe", kind: tar.TypeFifo, mode: 0o622},
		entry{name: "tmp/", kind: tar.TypeDir, mode: 0o1777},
		entry{name: "tmp/x", body: "later"},
		entry{name: "dev/null", kind: tar.TypeChar},
	))
	st := stat(t, dir+"/bin/tool")
	if st.Mode&0o7777 != 0o4755 || st.Uid != 7 || st.Nlink != 2 || st.Mtim.Sec != 1700000000 {
		t.Errorf("bin/tool: %+v", st)
	}
	if link, _ := os.Readlink(dir + "/bin/sym"); link != "/bin/tool" || stat(t, dir+"/bin/sym").Uid != 9 {
		t.Errorf("bin/sym leads to %q", link)
	}
	if got := stat(t, dir+"/run/pipe").Mode; got != unix.S_IFIFO|0o622 {
		t.Errorf("run/pipe has mode %o", got)
	}
	if st := stat(t, dir+"/tmp"); st.Mode&0o7777 != 0o1777 || st.Mtim.Sec != 1700000000 {
		t.Errorf("tmp: %+v", st)
	}
	if _, err := os.Lstat(dir + "/dev/null"); err == nil {
		t.Error("a device was made")
	}
	names := make([]byte, 256)
	n, err := unix.Llistxattr(dir+"/bin/tool", names)
	if err != nil || string(names[:n]) != "user.note\x00" {
		t.Errorf("attributes of bin/tool: %q, %v", names[:max(n, 0)], err)
	}
}

func TestUnpackCompressions(t *testing.T) {
	plain := tarOf(t, entry{name: "f", body: "content"})
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(plain)
	g.Close()
	z, _ := zstd.NewWriter(&zst)
	z.Write(plain)
	z.Close()
	for name, content := range map[string][]byte{"plain": plain, "gzip": gz.Bytes(), "zstd": zst.Bytes()} {
		t.Run(name, func(t *testing.T) {
			if got := read(t, mustImport(t, content)+"/f"); got != "content" {
				t.Errorf("f has %q", got)
			}
		})
	}
}

func TestUnpackLastEntryCounts(t *testing.T) {
	dir := mustImport(t, tarOf(t,
		entry{name: "a", body: "first"}, entry{name: "a", body: "second"},
		entry{name: "b/", kind: tar.TypeDir}, entry{name: "b/c", body: "x"}, entry{name: "b", body: "now a file"},
		entry{name: "d", body: "file"}, entry{name: "d/", kind: tar.TypeDir}, entry{name: "d/e", body: "inside"},
		entry{name: "l", kind: tar.TypeSymlink, link: "d"}, entry{name: "l", body: "not a link"},
		entry{name: "k", kind: tar.TypeSymlink, link: "/d/e"}, entry{name: "k", body: "over a link"},
	))
	for name, want := range map[string]string{"a": "second", "b": "now a file", "d/e": "inside", "l": "not a link", "k": "over a link"} {
		if got := read(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s has %q", name, got)
		}
	}
}

func TestUnpackFollowsLinksInside(t *testing.T) {
	dir := mustImport(t, tarOf(t,
		entry{name: "usr/lib/", kind: tar.TypeDir},
		entry{name: "lib", kind: tar.TypeSymlink, link: "usr/lib"},
		entry{name: "lib/so", body: "through a relative link"},
		entry{name: "abs", kind: tar.TypeSymlink, link: "/usr/lib"},
		entry{name: "abs/so2", body: "through an absolute link"},
		entry{name: "up", kind: tar.TypeSymlink, link: "../../../../usr/lib"},
		entry{name: "up/so3", body: "through a link that climbs"},
		entry{name: "var/run", kind: tar.TypeSymlink, link: "/run"},
		entry{name: "var/run/pid", body: "through a dangling link"},
	))
	for _, name := range []string{"usr/lib/so", "usr/lib/so2", "usr/lib/so3", "run/pid"} {
		if !strings.HasPrefix(read(t, filepath.Join(dir, name)), "through") {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestUnpackRefusesHostileLayers(t *testing.T) {
	loop := []entry{{name: "a", kind: tar.TypeSymlink, link: "b"}, {name: "b", kind: tar.TypeSymlink, link: "a"}, {name: "a/x"}}
	cases := map[string][]entry{
		"path climbs out":               {{name: "../evil", body: "x"}},
		"path climbs out in the middle": {{name: "a/../../evil", body: "x"}},
		"hard link climbs out":          {{name: "x", kind: tar.TypeLink, link: "../../../../etc/passwd"}},
		"hard link through a link":      {{name: "esc", kind: tar.TypeSymlink, link: "/etc"}, {name: "x", kind: tar.TypeLink, link: "esc/passwd"}},
		"hard link to an absolute name": {{name: "x", kind: tar.TypeLink, link: "/etc/passwd"}},
		"hard link to a directory":      {{name: "d/", kind: tar.TypeDir}, {name: "x", kind: tar.TypeLink, link: "d"}},
		"hard link to a whiteout":       {{name: ".wh.gone"}, {name: "x", kind: tar.TypeLink, link: "gone"}},
		"character device":              {{name: "etc/mem", kind: tar.TypeChar}},
		"block device":                  {{name: "disk", kind: tar.TypeBlock}},
		"whiteout of the parent":        {{name: "a/.wh..", body: ""}},
		"whiteout of the grandparent":   {{name: "a/.wh...", body: ""}},
		"whiteout without a name":       {{name: "a/.wh."}},
		"entry below a whiteout":        {{name: ".wh.a/b"}},
		"loop of links":                 loop,
		"root that is a link":           {{name: "./", kind: tar.TypeSymlink, link: "/etc"}},
		"root that is a file":           {{name: ".", body: "x"}},
		"owner out of range":            {{name: "a", uid: 1 << 32}},
		"unknown type":                  {{name: "a", kind: 'Z'}},
		"broken capability":             {{name: "a", attrs: map[string]string{"security.capability": "nonsense"}}},
		"file as a directory":           {{name: "a", body: "x"}, {name: "a/b", body: "y"}},
	}
	for name, entries := range cases {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			w := newWorld(t)
			dir, err := imported(t, w, tarOf(t, entries...))
			if err == nil {
				t.Fatalf("accepted, unpacked in %s", dir)
			}
			t.Log(err)
			left, _ := filepath.Glob(w.dir + "/*/*")
			for _, path := range left {
				if filepath.Base(path) != "sha256" {
					t.Errorf("%s was left behind", path)
				}
			}
		})
	}
	if _, err := os.Lstat("/evil"); err == nil {
		t.Error("/evil exists")
	}
}

func TestUnpackWritesNothingThroughLinks(t *testing.T) {
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := mustImport(t, tarOf(t,
		entry{name: "esc", kind: tar.TypeSymlink, link: outside},
		entry{name: "esc/victim", body: "overwritten"},
		entry{name: "esc/.wh.victim2"},
		entry{name: "esc/.wh..wh..opq"},
		entry{name: "file", kind: tar.TypeSymlink, link: victim},
		entry{name: "file", body: "overwritten", mode: 0o777},
		entry{name: "mode", kind: tar.TypeSymlink, link: victim, mode: 0o777, uid: 5},
		entry{name: "prc", kind: tar.TypeSymlink, link: "/proc/self/root" + outside},
		entry{name: "prc/victim3", body: "through proc"},
	))
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 || read(t, victim) != "untouched" || stat(t, victim).Mode&0o777 != 0o600 || stat(t, victim).Uid == 5 {
		t.Fatalf("outside of the layer: %v, %v", entries, err)
	}
	if got := read(t, filepath.Join(dir, outside, "victim")); got != "overwritten" {
		t.Errorf("inside of the layer: %q", got)
	}
}

func TestUnpackLimits(t *testing.T) {
	var bomb bytes.Buffer
	g := gzip.NewWriter(&bomb)
	g.Write(tarOf(t, entry{name: "zeros", body: strings.Repeat("\x00", 4<<20)}))
	g.Close()
	deep := entry{name: strings.Repeat("d/", 900) + "f"}
	tail := append(tarOf(t, entry{name: "a"}), make([]byte, 2<<20)...)
	for name, content := range map[string][]byte{
		"bomb": bomb.Bytes(), "entries": tarOf(t, make10(t)...), "implied directories": tarOf(t, deep), "padding": tail,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *image.Config) { c.Limits = image.Limits{LayerBytes: 1 << 20, LayerEntries: 9} })
			_, err := imported(t, w, content)
			if err == nil {
				t.Fatal("accepted")
			}
			t.Log(err)
		})
	}
}

func make10(t *testing.T) []entry {
	t.Helper()
	var all []entry
	for _, c := range "abcdefghij" {
		all = append(all, entry{name: string(c)})
	}
	return all
}

func TestUnpackTruncated(t *testing.T) {
	whole := tarOf(t, entry{name: "a", body: randomBytes(2, 1<<20)})
	if _, err := imported(t, newWorld(t), whole[:len(whole)/2]); err == nil {
		t.Error("a tar that ends in the middle of a file was accepted")
	}
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(whole)
	g.Close()
	if _, err := imported(t, newWorld(t), gz.Bytes()[:gz.Len()/2]); err == nil {
		t.Error("a gzip that ends in the middle was accepted")
	}
}

// mounted shows the layers of an image as an instance would see them.
func mounted(t *testing.T, img image.Image) string {
	t.Helper()
	var lower []string
	for _, l := range img.Layers {
		lower = append([]string{l.Dir}, lower...) // overlayfs wants the uppermost first
	}
	base := t.TempDir()
	for _, d := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + base + "/upper,workdir=" + base + "/work"
	merged := filepath.Join(base, "merged")
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		t.Skipf("this machine cannot mount an overlay: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(merged, unix.MNT_DETACH) })
	return merged
}

func TestOverlayOfPulledImage(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	w.push(t, "app:v1", imageOf(t, arch,
		tarOf(t,
			entry{name: "etc/", kind: tar.TypeDir}, entry{name: "etc/keep", body: "1"}, entry{name: "etc/gone", body: "1"}, entry{name: "etc/changed", body: "1"},
			entry{name: "cache/", kind: tar.TypeDir}, entry{name: "cache/old", body: "1"},
			entry{name: "dir/", kind: tar.TypeDir}, entry{name: "dir/old", body: "1"},
			entry{name: "back/", kind: tar.TypeDir}, entry{name: "back/old", body: "1"}),
		tarOf(t,
			entry{name: "etc/", kind: tar.TypeDir}, entry{name: "etc/.wh.gone"}, entry{name: "etc/changed", body: "2"},
			entry{name: "cache/new", body: "2"}, entry{name: "cache/.wh..wh..opq"},
			entry{name: ".wh.dir"}, entry{name: "dir/", kind: tar.TypeDir}, entry{name: "dir/new", body: "2"},
			entry{name: ".wh.back"}),
		tarOf(t, entry{name: "back/new", body: "3"}, entry{name: ".wh.nothing-below"}),
	))
	img, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	merged := mounted(t, img)
	want := map[string]string{
		"etc/keep": "1", "etc/gone": "", "etc/changed": "2", "cache/old": "", "cache/new": "2",
		"dir/old": "", "dir/new": "2", "back/old": "", "back/new": "3", "nothing-below": "",
	}
	for name, content := range want {
		got, err := os.ReadFile(filepath.Join(merged, name))
		if (err != nil) != (content == "") || string(got) != content {
			t.Errorf("%s: %q, %v; want %q", name, got, err, content)
		}
	}
	if err := os.WriteFile(merged+"/etc/keep", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(t, img.Layers[0].Dir+"/etc/keep"); got != "1" {
		t.Errorf("a write reached the shared layer: %q", got)
	}
}

func TestOpaqueRootHidesLowerLayers(t *testing.T) {
	w := newWorld(t)
	w.repository(t, "app")
	w.push(t, "app:v1", imageOf(t, arch, tarOf(t, entry{name: "old"}), tarOf(t, entry{name: ".wh..wh..opq"}, entry{name: "new"})))
	img, err := w.Pull(t.Context(), ecrHost+"/app:v1", image.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(img.Layers[0].Dir + "/new"); err != nil || len(img.Layers) != 1 {
		t.Errorf("layers %+v, %v", img.Layers, err)
	}
}
