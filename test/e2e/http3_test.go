package e2e

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestHTTP3: switched on by its setting, HTTP/3 is announced and serves what the others do: bodies of all sizes both ways, streams while
// they come, trailers. It goes on through a deployment and the upgrade of Slipway, and after a kill of the edge. Without the
// setting nobody is told of it.
//
// checklist: 52
func TestHTTP3(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--http3", "--stop-grace", "5s", "--start-timeout", "60s", "--edge-limits", "client-stall=10m")
	h.PushApp(t, "app", "v1", "v1")
	h.PushApp(t, "app", "v2", "v2")
	s := h.Create(t, "over-quic", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	_, port, _ := strings.Cut(h.Env["SLIPWAY_HTTPS"], ":")
	if _, header, _ := asked(t, s, "/", "", ""); header.Get("Alt-Svc") != `h3=":`+port+`"; ma=3600` {
		t.Errorf("HTTP/3 is announced as %q", header.Get("Alt-Svc"))
	}
	if off := theHouse(t); off.Env["SLIPWAY_HTTPS"] != "" {
		res, err := off.HTTP.Get("https://nobodyhere.us-east-1.apprunner.localhost/")
		if err != nil || res.Header.Get("Alt-Svc") != "" {
			t.Errorf("without HTTP/3: %v, %v", res, err)
		}
	}

	c := h.HTTP3(t)
	if body := over3(t, c, s, "/"); !strings.HasPrefix(body, "hello v1") {
		t.Errorf("%q", body)
	}
	for _, size := range []int{0, 1, 70_000, 20 << 20} {
		echoes(t, c, s, size)
	}
	streams(t, c, s)
	var wg sync.WaitGroup
	for range 40 { // many streams of one connection
		wg.Go(func() { echoes(t, c, s, 100_000) })
	}
	wg.Wait()

	steady := begins(c, "https://"+s.Host()+"/")
	s.Update(t, deployed("v2"), types.ServiceStatusRunning)
	if out, err := h.Slipway("upgrade", "--data-dir", h.Dir, "--binary", copied(t)); err != nil {
		t.Fatal(err, out)
	}
	asked, failed := steady()
	t.Logf("%d requests", asked)
	for _, err := range failed {
		t.Errorf("over HTTP/3, through a deployment and an upgrade: %v", err)
	}
	if body := over3(t, h.HTTP3(t), s, "/"); !strings.HasPrefix(body, "hello v2") {
		t.Errorf("%q", body)
	}
	killed3(t, h, c, s)
	h.NoOrphans(t)
}

// killed3 kills the edge under a client of HTTP/3, which learns of it from the next edge: nothing of what it asks then times out.
func killed3(t *testing.T, h *rig.House, c *http.Client, s rig.Service) {
	t.Helper()
	over3(t, c, s, "/")
	h.Reborn(t, "edge", h.Kill(t, "edge"))
	for tries := range 3 { // what met the news may fail
		_, _, err := once(c, "https://"+s.Host()+"/")
		if err == nil {
			return
		}
		if ne, ok := errors.AsType[net.Error](err); tries == 2 || ok && ne.Timeout() {
			t.Fatal(err)
		}
	}
}

// over3 asks over HTTP/3 and returns the body.
func over3(t *testing.T, c *http.Client, s rig.Service, path string) string {
	t.Helper()
	res, err := c.Get("https://" + s.Host() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.ProtoMajor != 3 || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %q, %v", res.Proto, res.Status, body, err)
	}
	return string(body)
}

// echoes sends a body and checks what comes back, and the trailer.
func echoes(t *testing.T, c *http.Client, s rig.Service, size int) {
	t.Helper()
	sent := make([]byte, size)
	rand.Read(sent)
	res, err := c.Post("https://"+s.Host()+"/long/echo", "application/octet-stream", bytes.NewReader(sent))
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, sent) || res.Trailer.Get("X-Sum") != fmt.Sprint(size) {
		t.Errorf("%s: %d bytes came back as %s, %d bytes, trailer %v, %v", res.Proto, size, res.Status, len(got), res.Trailer, err)
	}
}

// streams sends a body bit by bit, each after the one before has come back.
func streams(t *testing.T, c *http.Client, s rig.Service) {
	t.Helper()
	from, to := io.Pipe()
	defer to.Close()
	begun := make(chan struct{})
	go func() { defer close(begun); io.WriteString(to, "one ") }()
	res, err := c.Post("https://"+s.Host()+"/long/echo", "application/octet-stream", from)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	<-begun
	buf := make([]byte, 4)
	for _, word := range []string{"one ", "two ", "tri ", "four"} {
		if word != "one " {
			io.WriteString(to, word)
		}
		if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != word {
			t.Fatalf("%s: %q came back as %q, %v", res.Proto, word, buf, err)
		}
	}
}

// begins asks again and again, one after the other, until what it returns is called: that tells how often, and what failed.
func begins(c *http.Client, url string) func() (int, []error) {
	stop, done := make(chan struct{}), make(chan struct{})
	asked, failed := 0, []error(nil)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			asked++
			if _, _, err := once(c, url); err != nil {
				failed = append(failed, err)
			}
		}
	}()
	return func() (int, []error) { close(stop); <-done; return asked, failed }
}

// once asks, and wants 200.
func once(c *http.Client, url string) (int, string, error) {
	res, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s: %s", res.Status, body)
	}
	return res.StatusCode, string(body), err
}

// deployed is an update to another version of the test application.
func deployed(tag string) *apprunner.UpdateServiceInput {
	return &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("app", tag, nil)}
}
