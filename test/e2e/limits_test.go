package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"golang.org/x/net/http2"

	"slipway.dev/slipway/test/rig"
)

// tight are limits that a test can reach.
const tight = "handshake=1s head-read=1s head-bytes=4096 headers=20 target-bytes=512 body-read=1s body-grace=1s client-stall=1s client-idle=1s " +
	"streams-per-conn=3 stream-resets=10 control-frames=20 queue-wait=1s queue-length=2 " +
	"conns=60 conns-per-address=40 conns-per-service=15 tunnel-drain=1s drain=2s"

// TestEdgeLimits: each limit of the edge that clients can meet has its effect at a running installation.
func TestEdgeLimits(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--edge-limits", tight, "--stop-grace", "5s", "--start-timeout", "60s")
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "narrow", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, limits(t, h, "just-one", 1, 1, 1))
	for _, c := range []struct {
		limit, say string
		trickle    time.Duration
		want       string // the status, or how the connection ends
	}{
		{"none", "GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n", 0, "200"},
		{"head-read", "GET / HTTP/1.1\r\nHost: HOST\r\n", 0, "408"},
		{"head-bytes", "GET / HTTP/1.1\r\nHost: HOST\r\nX-Long: " + strings.Repeat("x", 4096) + "\r\n\r\n", 0, "431"},
		{"headers", "GET / HTTP/1.1\r\nHost: HOST\r\n" + strings.Repeat("X-Many: 1\r\n", 20) + "\r\n", 0, "431"},
		{"target-bytes", "GET /" + strings.Repeat("x", 512) + " HTTP/1.1\r\nHost: HOST\r\n\r\n", 0, "414"},
		{"body-read", "POST /request HTTP/1.1\r\nHost: HOST\r\nContent-Length: 100\r\n\r\n", 300 * time.Millisecond, "408"},
		{"client-stall", "POST /request HTTP/1.1\r\nHost: HOST\r\nContent-Length: 100000\r\n\r\nx", 0, "408"},
		{"body-rate", "POST /request HTTP/1.1\r\nHost: HOST\r\nContent-Length: 100000\r\n\r\n", 300 * time.Millisecond, "408"},
		{"client-idle", "", 0, "closed"},
	} {
		t.Run(c.limit, func(t *testing.T) {
			if got := says1(t, s, strings.ReplaceAll(c.say, "HOST", s.Host()), c.trickle); got != c.want {
				t.Errorf("%.60q is answered %s, want %s", c.say, got, c.want)
			}
		})
	}
	t.Run("handshake", func(t *testing.T) {
		conn := from(t, h, "127.0.0.1")
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a client that says nothing: %v", err)
		}
	})
	t.Run("http2", func(t *testing.T) { limits2(t, s) })
	t.Run("queue", func(t *testing.T) { limitsQueue(t, s) })
	t.Run("conns", func(t *testing.T) { limitsConns(t, s) })
	t.Run("tunnel-drain", func(t *testing.T) { limitsTunnel(t, s) })
	t.Run("drain", func(t *testing.T) { limitsDrain(t, s) })
}

// says1 says something over HTTP/1.1, trickles more bytes, and tells how it is answered.
func says1(t *testing.T, s rig.Service, say string, trickle time.Duration) string {
	t.Helper()
	conn := s.Raw(t)
	if _, err := io.WriteString(conn, say); err != nil {
		t.Fatal(err)
	}
	if trickle > 0 {
		go func() {
			for range 30 {
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
				time.Sleep(trickle)
			}
		}()
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return "open"
		}
		return "closed"
	}
	defer res.Body.Close()
	return fmt.Sprint(res.StatusCode)
}

// from opens a plain connection to the front door from an address of the machine's own.
func from(t *testing.T, h *rig.House, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
	conn, err := d.DialContext(t.Context(), "tcp", h.Env["SLIPWAY_HTTPS"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// framer speaks HTTP/2 by hand.
func framer(t *testing.T, s rig.Service) *http2.Framer {
	t.Helper()
	conf := s.House.TLS()
	conf.ServerName, conf.NextProtos = s.Host(), []string{"h2"}
	conn := tls.Client(from(t, s.House, "127.0.0.1"), conf)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(conn, conn)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// goneAway reads until the other side takes leave, and returns why.
func goneAway(t *testing.T, f *http2.Framer) http2.ErrCode {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if g, ok := frame.(*http2.GoAwayFrame); ok {
			return g.ErrCode
		}
	}
}

// limits2 checks those of HTTP/2.
func limits2(t *testing.T, s rig.Service) {
	f := framer(t, s)
	frame, err := f.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := frame.(*http2.SettingsFrame).Value(http2.SettingMaxConcurrentStreams); !ok || n != 3 {
		t.Errorf("streams-per-conn: %d streams are offered", n)
	}
	for range 100 {
		if f.WritePing(false, [8]byte{}) != nil {
			break // the connection is closed already
		}
	}
	if code := goneAway(t, f); code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("control-frames: %v", code)
	}
	f = framer(t, s)
	head := append([]byte{0x82, 0x87, 0x84, 0x41, byte(len(s.Host()))}, s.Host()...) // GET https / :authority
	for n := range uint32(100) {
		if f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*n + 1, BlockFragment: head, EndHeaders: true, EndStream: true}) != nil ||
			f.WriteRSTStream(2*n+1, http2.ErrCodeCancel) != nil {
			break
		}
	}
	if code := goneAway(t, f); code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("stream-resets: %v", code)
	}
}

// limitsQueue has one request work, two wait, and others come: the line is full for them, and too slow for those in it.
func limitsQueue(t *testing.T, s rig.Service) {
	answers := make(chan int, 4)
	ask := func() { status, _, _ := s.Get("/slow?ms=3000"); answers <- status }
	go ask()
	s.Busy(t)
	for range 3 {
		go ask()
	}
	got := map[int]int{}
	for range 4 {
		got[<-answers]++
	}
	if got[429] != 3 || got[200] != 1 {
		t.Errorf("answers by status: %v", got)
	}
}

// limitsConns opens connections until there are too many: for a service, from an address, in all.
func limitsConns(t *testing.T, s rig.Service) {
	s.House.HTTP.CloseIdleConnections()
	ask := func(n int) int {
		conn := s.Raw(t)
		fmt.Fprintf(conn, "GET /slow?ms=%d HTTP/1.1\r\nHost: %s\r\n\r\n", n, s.Host())
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0
		}
		res.Body.Close()
		return res.StatusCode
	}
	full := 0
	for n := range 20 {
		if status := ask(0); status == http.StatusServiceUnavailable {
			full = n
			break
		}
	}
	if full == 0 || full > 15 {
		t.Errorf("conns-per-service: %d connections were served", full)
	}
	if n := served(t, s.House, "127.0.0.2", 45); n != 40 {
		t.Errorf("conns-per-address: %d of 45 connections from one address stay", n)
	}
	served(t, s.House, "127.0.0.3", 40)
	if n := served(t, s.House, "127.0.0.4", 40); n > 20 {
		t.Errorf("conns: %d more connections stay", n)
	}
	for range 100 { // those that were left alone are closed after their second
		if status, _, err := s.Get("/"); err == nil && status == http.StatusOK {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("nobody is served any more")
}

// served opens connections from an address, and tells how many are not closed at once.
func served(t *testing.T, h *rig.House, address string, n int) (stay int) {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = from(t, h, address)
	}
	time.Sleep(100 * time.Millisecond)
	for _, c := range conns {
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			stay++
		}
	}
	return stay
}

// limitsTunnel holds a WebSocket through a deployment.
func limitsTunnel(t *testing.T, s rig.Service) {
	c, _ := s.Socket(t, "/long/socket")
	at := says(t, c, "who")
	began := time.Now()
	s.Deploy(t)
	goesOn(t, c, at)
	if took := time.Since(began); took > 60*time.Second {
		t.Errorf("a WebSocket went on for %s", took)
	}
}

// limitsDrain holds a request through an upgrade: the old edge does not wait for it for long.
func limitsDrain(t *testing.T, s rig.Service) {
	answer := make(chan int, 1)
	go func() { status, _, _ := s.Get("/slow?ms=60000"); answer <- status }()
	s.Busy(t)
	if out, err := s.House.Slipway("upgrade", "--data-dir", s.House.Dir, "--binary", copied(t)); err != nil {
		t.Fatal(err, out)
	}
	select {
	case status := <-answer:
		if status != 0 {
			t.Errorf("the request was answered %d", status)
		}
	case <-time.After(30 * time.Second):
		t.Error("the old edge goes on")
	}
}

// TestEdgeLimitsAreSettings: they count wherever they are given, and what is wrong is refused by name.
func TestEdgeLimitsAreSettings(t *testing.T) {
	t.Parallel()
	rig.NeedRoot(t)
	file := filepath.Join(t.TempDir(), "slipway.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refuses := func(env []string, from, says string, args ...string) {
		t.Helper()
		h, err := rig.UpIn(t.TempDir(), env, args...)
		if err == nil {
			h.Finish(t)
		}
		if err == nil || !strings.Contains(err.Error(), from) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v %v: %v, want %q and %q", env, args, err, from, says)
		}
	}
	refuses(nil, "flag --edge-limits", `"head-bites" is no limit; did you mean head-bytes?`, "--edge-limits", "conns=5 head-bites=7")
	refuses([]string{"SLIPWAY_EDGE_LIMITS=drain=soon"}, "environment SLIPWAY_EDGE_LIMITS", `limit drain: "soon" is not allowed, it must be a time`)
	write("edge-limits: conns=-5\n")
	refuses([]string{"SLIPWAY_CONFIG=" + file}, file+":1:14: edge-limits", `limit conns: "-5" is not allowed, it must be a whole number`)

	write("edge-limits: target-bytes=300\n")
	h := &rig.House{Dir: t.TempDir()}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		most int
	}{
		{"file", []string{"SLIPWAY_CONFIG=" + file}, nil, 300},
		{"environment", []string{"SLIPWAY_CONFIG=" + file, "SLIPWAY_EDGE_LIMITS=target-bytes=200"}, nil, 200},
		{"flag", []string{"SLIPWAY_EDGE_LIMITS=target-bytes=200"}, []string{"--edge-limits", "target-bytes=100"}, 100},
	} {
		var err error
		if h, err = rig.UpIn(h.Dir, c.env, c.args...); err != nil {
			t.Fatal(err)
		}
		for length, want := range map[int]int{c.most - 1: http.StatusNotFound, c.most + 1: http.StatusRequestURITooLong} {
			res, err := h.HTTP.Get("https://nobodyhere.us-east-1.apprunner.localhost/" + strings.Repeat("x", length-1))
			if err != nil || res.StatusCode != want {
				t.Errorf("%s: a path of %d bytes: %v, %v; want %d", c.name, length, res, err, want)
			}
		}
		h.Finish(t)
	}
}
