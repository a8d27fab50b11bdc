package image_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/image"
)

// lines is a log that can be looked at.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestPushToAFullDisk: whoever pushes is told that the disk is full, in the form that clients show, and the log says how full. With space
// freed the same push succeeds.
func TestPushToAFullDisk(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=2m"); errors.Is(err, unix.EPERM) {
		t.Skip("mounting a small disk needs root")
	} else if err != nil {
		t.Fatal(err)
	}
	var log lines
	w := newWorld(t, func(c *image.Config) { c.Dir, c.Log = small, slog.New(slog.NewTextHandler(&log, nil)) })
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	w.repository(t, "aa")
	c := newClient(t, w)
	config := []byte(`{}`)
	c.pushBlob("aa", config)
	big := []byte(randomBytes(1, 3<<20))
	resp, text := c.do("POST", "/v2/aa/blobs/uploads/?digest="+sum(big), big)
	if resp.StatusCode >= 500 || resp.StatusCode < 400 || !strings.Contains(text, `"code":"DENIED"`) || !strings.Contains(text, "is full (") || !strings.Contains(text, "of 2 MiB are free") {
		t.Errorf("%s: %s", resp.Status, text)
	}
	err := remote.Write(w.ref(t, "aa:v1"), imageOf(t, arch, tarOf(t, entry{name: "a", body: string(big)})), w.auth(t))
	if err == nil || !strings.Contains(err.Error(), "the disk that keeps the images of this registry is full") {
		t.Errorf("a client is told %v", err)
	}
	if !strings.Contains(log.String(), "the disk that keeps images is full: ") {
		t.Errorf("the log says %s", log.String())
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", unix.MS_REMOUNT, "size=20m"); err != nil {
		t.Fatal(err)
	}
	c.want(http.StatusCreated, "", "POST", "/v2/aa/blobs/uploads/?digest="+sum(big), big)
}
