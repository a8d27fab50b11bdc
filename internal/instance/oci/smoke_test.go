package oci_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci"
)

func busyboxRoot(t *testing.T) instance.Rootfs {
	dir := filepath.Join(t.TempDir(), "layers", "base")
	for _, d := range []string{"bin", "etc", "tmp", "proc", "dev", "sys"} {
		os.MkdirAll(filepath.Join(dir, d), 0o755)
	}
	b, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip(err)
	}
	os.WriteFile(filepath.Join(dir, "bin/busybox"), b, 0o755)
	exec.Command("/bin/busybox", "--install", "-s", filepath.Join(dir, "bin")).Run()
	os.Chmod(filepath.Join(dir, "tmp"), 0o1777)
	return instance.Rootfs{Layers: []string{dir}}
}

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	d, err := oci.New(ctx, oci.Config{Dir: t.TempDir(), Installation: t.Name(), Log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		id := apprunner.NewID()
		begin := time.Now()
		i, err := d.Start(ctx, instance.Spec{ID: id, Rootfs: busyboxRoot(t), CPU: 512, MemoryMiB: 128,
			Args: []string{"/bin/busybox", "sh", "-c", "id; cat /proc/self/status | busybox grep -E 'Cap|Sec|NoNew'; busybox mount; busybox ls -la /dev /; exec busybox nc -ll -p 80 -e echo hi"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Log("started", time.Since(begin), i)
		for {
			c, err := net.DialTimeout("tcp", net.JoinHostPort(i.Address.String(), "80"), time.Second)
			if err == nil {
				c.Close()
				break
			}
			time.Sleep(time.Millisecond)
		}
		t.Log("ready", time.Since(begin))
		time.Sleep(200 * time.Millisecond)
		s, err := d.Stats(ctx, id)
		t.Log(s, err)
		l, err := d.Listening(ctx, id)
		t.Log(l, err)
		recs, cur, err := d.Logs(ctx, id, instance.Cursor{})
		for _, r := range recs {
			t.Log(r.Stream, r.Line)
		}
		begin = time.Now()
		t.Log(d.Stop(ctx, id, time.Second))
		t.Log("stopped", time.Since(begin))
		d.TrimLogs(ctx, id, cur)
	}
	t.Log(d.Destroy(ctx))
}
