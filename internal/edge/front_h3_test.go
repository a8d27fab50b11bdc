package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// http3House is an edge that serves HTTP/3, and a client of it.
func http3House(t *testing.T, adjust func(*Config)) (*house, *http.Client) {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	h := newHouse(t, func(c *Config) {
		c.HTTP3, c.HTTPSPort = udp, 8443
		if adjust != nil {
			adjust(c)
		}
	})
	return h, http3Client(t, h, udp.LocalAddr().String())
}

func http3Client(t *testing.T, h *house, address string) *http.Client {
	tr := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.ca.pool},
		Dial: func(ctx context.Context, _ string, tc *tls.Config, qc *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, address, tc, qc)
		},
	}
	t.Cleanup(func() { tr.Close() })
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func TestHTTP3(t *testing.T) {
	h, c := http3House(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s %s %s %d", r.Method, r.RequestURI, r.Host, r.Header.Get("X-Forwarded-For"), len(body))
		w.Header().Set("X-Sum", "1")
	})
	h.publish(nil, target("i1", s, Active))
	for _, size := range []int{0, 10, 1 << 20} {
		resp, err := c.Post("https://"+appHost+"/a%2Fb?c", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		check(t, err)
		want := fmt.Sprintf("POST /a%%2Fb?c %s 127.0.0.1 %d", appHost, size)
		if body := read(t, resp); resp.ProtoMajor != 3 || body != want || resp.Trailer.Get("X-Sum") != "1" {
			t.Errorf("%s %q, trailer %v; want %q", resp.Proto, body, resp.Trailer, want)
		}
	}
	if resp, err := c.Get("https://nobody.us-east-1.apprunner.test/"); err != nil || resp.StatusCode != 404 {
		t.Errorf("unknown host: %v, %v", resp, err)
	}
	h.publish(func(r *Route) { r.Serving = ServingPaused }, target("i1", s, Active))
	if resp, err := c.Get("https://" + appHost + "/"); err != nil || resp.StatusCode != 503 {
		t.Errorf("paused: %v, %v", resp, err)
	}
}

func TestHTTP3IsAnnouncedWhereItIsServed(t *testing.T) {
	h, _ := http3House(t, nil)
	off := newHouse(t, nil)
	s := app(t, func(http.ResponseWriter, *http.Request) {})
	h.publish(nil, target("i1", s, Active))
	off.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		if resp, _ := get(t, c, "/"); resp.Header.Get("Alt-Svc") != `h3=":8443"; ma=3600` {
			t.Errorf("got %q", resp.Header.Get("Alt-Svc"))
		}
	})
	both(t, off, func(t *testing.T, c *http.Client) {
		if resp, _ := get(t, c, "/"); resp.Header["Alt-Svc"] != nil {
			t.Errorf("got %q", resp.Header["Alt-Svc"])
		}
	})
}

func TestHTTP3StreamsEventsAndGoes(t *testing.T) {
	h, c := http3House(t, nil)
	handler, tell := eventApp(t)
	s := app(t, handler)
	h.publish(func(r *Route) { r.RequestTimeout = 200 * time.Millisecond }, target("i1", s, Active))
	resp, err := c.Get("https://" + appHost + "/?type=text/event-stream")
	check(t, err)
	r := bufio.NewReader(resp.Body)
	for range 3 {
		<-time.After(200 * time.Millisecond)
		tell("x")
		if line, err := r.ReadString('\n'); line != "data: x\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	h.stop() // waits for nobody longer than DrainIdle, for the socket belongs to the next edge
	if _, err := io.ReadAll(r); err == nil {
		t.Error("the stream ended as if it were complete")
	}
}
