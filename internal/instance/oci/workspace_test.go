package oci_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci"
)

func cancelable(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func workspaceSpec(t *testing.T) instance.WorkspaceSpec {
	s := instance.WorkspaceSpec{ID: apprunner.NewID(), Rootfs: rootfs(t), CPU: 2048, MemoryMiB: 256, DiskMiB: 64}
	s.Rootfs.Layers = append(slices.Clone(s.Rootfs.Layers), busybox(t))
	return s
}

func openWorkspace(t *testing.T, d *oci.Driver, spec instance.WorkspaceSpec) instance.Workspace {
	t.Helper()
	w, err := d.OpenWorkspace(t.Context(), spec)
	must(t, err)
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// shell runs a script in a workspace and returns its exit code and output.
func shell(t *testing.T, ctx context.Context, w instance.Workspace, script string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code, err := w.Exec(ctx, instance.Command{Args: []string{"/bin/sh", "-c", script}, Env: []string{"GREETING=hello"}, Stdout: &out})
	must(t, err)
	return code, out.String()
}

func TestWorkspaceCommands(t *testing.T) {
	needRoot(t)
	c := config(t, t.TempDir())
	d := open(t, c)
	spec := workspaceSpec(t)
	cache := filepath.Join(t.TempDir(), "cache")
	spec.Mounts = []instance.Mount{{HostDir: cache, Path: "/root/.cache/tool"}}
	spec.Files = map[string][]byte{"/etc/ssl/ca.pem": []byte("certificate")}
	w := openWorkspace(t, d, spec)
	src := t.TempDir()
	must(t, os.WriteFile(filepath.Join(src, "main.py"), []byte("print(1)"), 0o755))
	must(t, os.Symlink("/etc/passwd", filepath.Join(src, "link")))
	must(t, os.Mkdir(filepath.Join(src, "sub"), 0o700))
	must(t, os.WriteFile(filepath.Join(src, "sub", "data"), []byte("data"), 0o600))
	must(t, w.CopyIn(t.Context(), src, "/app"))

	code, out := shell(t, t.Context(), w, `
		echo $GREETING; id -u; pwd; cat /etc/ssl/ca.pem; echo
		stat -c '%n %u %a' /app /app/main.py /app/sub /app/sub/data; ls -l /app/link
		echo cached > /root/.cache/tool/entry
		chown 1000:1000 /app/sub/data && chmod 4755 /app/main.py && echo "may change owners" >&2
		exit 3`)
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"hello\n0\n/\ncertificate\n", "/app/main.py 0 755", "/app/sub 0 700", "/app/sub/data 0 600", "-> /etc/passwd", "may change owners"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	info, err := os.Stat(filepath.Join(cache, "entry"))
	must(t, err)
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("the cache's file belongs to %d on the host", owner)
	}
	// Changes last from one command to the next; processes do not.
	if _, out := shell(t, t.Context(), w, "cat /app/sub/data; stat -c %u /app/sub/data; sleep 600 &"); out != "data1000\n" {
		t.Errorf("the next command sees %q", out)
	}
	noProcesses(t, c)
	if _, err := w.Exec(t.Context(), instance.Command{Args: []string{"/no/such"}}); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
		t.Errorf("missing program: %v", err)
	}
	if code, out := shell(t, t.Context(), w, "sh -c 'kill -9 $$'; exit $?"); code != 137 {
		t.Errorf("killed by itself: %d %s", code, out)
	}
	if code, out := shell(t, t.Context(), w, "tail /dev/zero"); code != 137 || !strings.Contains(out, "limit of 256 MiB") {
		t.Errorf("out of memory: %d %s", code, out)
	}
	must(t, w.Close())
	if _, err := w.Exec(t.Context(), instance.Command{Args: []string{"/bin/sh"}}); err == nil {
		t.Error("a closed workspace runs commands")
	}
	noTraces(t, c.Installation, c.Dir, false)
}

func TestWorkspaceCommandCancelled(t *testing.T) {
	needRoot(t)
	c := config(t, t.TempDir())
	w := openWorkspace(t, open(t, c), workspaceSpec(t))
	ctx, cancel := cancelable(t)
	r, out := io.Pipe()
	go func() {
		line := make([]byte, 8)
		_, _ = r.Read(line)
		cancel()
		_, _ = io.Copy(io.Discard, r)
	}()
	begin := time.Now()
	_, err := w.Exec(ctx, instance.Command{Args: []string{"/bin/sh", "-c", "echo started; sleep 600 & sleep 600"}, Stdout: out})
	if !errors.Is(err, context.Canceled) || time.Since(begin) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	noProcesses(t, c)
	if code, _ := shell(t, t.Context(), w, "true"); code != 0 {
		t.Error("the workspace cannot be used any more")
	}
}

func noProcesses(t *testing.T, c oci.Config) {
	t.Helper()
	for _, trace := range traces(c.Installation, c.Dir, false) {
		if strings.HasPrefix(trace, "process") {
			t.Error(trace)
		}
	}
}

func TestWorkspaceDiskFull(t *testing.T) {
	needRoot(t)
	w := openWorkspace(t, open(t, config(t, t.TempDir())), workspaceSpec(t))
	if code, out := shell(t, t.Context(), w, "dd if=/dev/zero of=/big bs=1M count=100"); code == 0 || !strings.Contains(out, "No space left on device") {
		t.Errorf("%d %s", code, out)
	}
	src := t.TempDir()
	must(t, os.WriteFile(filepath.Join(src, "file"), make([]byte, 1<<20), 0o644))
	if err := w.CopyIn(t.Context(), src, "/app"); err == nil || !strings.Contains(err.Error(), "disk of 64 MiB is full") {
		t.Errorf("copy: %v", err)
	}
}

// Links made by a build lead the host nowhere.
func TestWorkspaceCannotLeadOut(t *testing.T) {
	needRoot(t)
	w := openWorkspace(t, open(t, config(t, t.TempDir())), workspaceSpec(t))
	target, src := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(src, "file"), []byte("x"), 0o644))
	shell(t, t.Context(), w, fmt.Sprintf("ln -s %s /out; mkdir /app; ln -s %s/file /app/file; ln -s / /up", target, target))
	must(t, w.CopyIn(t.Context(), src, "/app"))
	must(t, w.CopyIn(t.Context(), src, "/up/deep/down"))
	if err := w.CopyIn(t.Context(), src, "/out"); err == nil {
		t.Error("a dangling link was followed")
	}
	if entries, _ := os.ReadDir(target); len(entries) != 0 {
		t.Errorf("the host's directory holds %v", entries)
	}
	if _, out := shell(t, t.Context(), w, "cat /deep/down/file /app/file"); out != "xx" {
		t.Errorf("inside: %q", out)
	}
}

func TestWorkspaceCopyFrom(t *testing.T) {
	needRoot(t)
	d := open(t, config(t, t.TempDir()))
	from, to := openWorkspace(t, d, workspaceSpec(t)), openWorkspace(t, d, workspaceSpec(t))
	shell(t, t.Context(), from, "mkdir -p /app/a; echo built > /app/a/file; chown 1000:50 /app/a/file; chmod 640 /app/a/file; ln -s a/file /app/link; mkfifo /app/pipe")
	must(t, to.CopyFrom(t.Context(), from, "/app"))
	_, out := shell(t, t.Context(), to, "cat /app/link; stat -c '%u:%g %a' /app/a/file; ls /app")
	if out != "built\n1000:50 640\na\nlink\n" {
		t.Errorf("copied: %q", out)
	}
}

func TestWorkspaceLayer(t *testing.T) {
	needRoot(t)
	d := open(t, config(t, t.TempDir()))
	spec := workspaceSpec(t)
	spec.Mounts = []instance.Mount{{HostDir: filepath.Join(t.TempDir(), "cache"), Path: "/var/cache/tool"}}
	w := openWorkspace(t, d, spec)
	code, out := shell(t, t.Context(), w, `set -e
		mkdir -p /app/sub; echo one > /app/one; ln /app/one /app/sub/two; ln -s one /app/three
		chown 1000:50 /app/sub; chmod 2750 /app/sub; chmod 4755 /app/one
		rm /etc/group
		rm -r /home/web; mkdir /home/web; echo new > /home/web/file
		echo cached > /var/cache/tool/entry
		mv /root /moved; echo more >> /etc/replace`)
	if code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	var first, second bytes.Buffer
	must(t, w.Layer(t.Context(), &first))
	must(t, w.Layer(t.Context(), &second))
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two layers of the same files differ")
	}
	entries := map[string]string{}
	var order []string
	r := tar.NewReader(&first)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		body, err := io.ReadAll(r)
		must(t, err)
		entries[h.Name] = fmt.Sprintf("%c %d:%d %o %s%s", h.Typeflag, h.Uid, h.Gid, h.Mode, h.Linkname, strings.TrimSpace(string(body)))
		order = append(order, h.Name)
	}
	for name, want := range map[string]string{
		"app/one": "0 0:0 4755 one", "app/sub/": "5 1000:50 2750 ", "app/sub/two": "1 0:0 4755 app/one", "app/three": "2 0:0 777 one",
		"etc/.wh.group": "0 0:0 600 ", "etc/replace": "0 0:0 644 newmore", "home/web/.wh..wh..opq": "0 0:0 600 ", "home/web/file": "0 0:0 644 new",
		".wh.root": "0 0:0 600 ", "moved/": "5 0:0 755 ",
	} {
		if entries[name] != want {
			t.Errorf("%s is %q, want %q", name, entries[name], want)
		}
	}
	for _, name := range []string{"dev/", "proc/", "sys/", "etc/hosts", "etc/resolv.conf", "etc/hostname", "var/cache/tool/", "var/cache/tool/entry"} {
		if got, there := entries[name]; there {
			t.Errorf("%s is in the layer: %s", name, got)
		}
	}
	t.Log(order)
}

func TestManyLayers(t *testing.T) {
	b := bench(t)
	spec := b.Spec("serve", "8080")
	dir := t.TempDir()
	for n := range 100 {
		layer := filepath.Join(dir, fmt.Sprintf("%064d", n), "fs")
		must(t, os.MkdirAll(layer, 0o755))
		must(t, os.WriteFile(filepath.Join(layer, "top"), fmt.Append(nil, n), 0o644))
		spec.Rootfs.Layers = append(spec.Rootfs.Layers, layer)
	}
	if got := b.Get(b.Begin(spec), "/read?path=/top"); got != "99" {
		t.Errorf("the topmost layer seen is %q", got)
	}
}
