package edge

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestParseLimits(t *testing.T) {
	l, err := ParseLimits(" head-bytes=32768\tclient-idle=30s ")
	check(t, err)
	if l != (Limits{HeadBytes: 32768, ClientIdle: 30 * time.Second}) {
		t.Errorf("got %+v", l)
	}
	for _, bad := range []string{"nothing=1", "head-bytes", "head-bytes=-1", "head-bytes=0", "head-bytes=1s", "client-idle=5", "client-idle=-1s", "client-idle=1us"} {
		if _, err := ParseLimits(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestEveryLimitIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/limits.md")
	check(t, err)
	for _, r := range rows() {
		want := fmt.Sprintf("| `%s` | %v | ", r.name, r.value)
		if r.name == "conns" {
			want = "| `conns` | three quarters"
		}
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/limits.md does not say %q", want)
		}
	}
	if DefaultLimits().Conns < 100 {
		t.Errorf("only %d connections by default", DefaultLimits().Conns)
	}
}

// secured opens a TLS connection for HTTP/1.1, from an address of the machine's own.
func secured(t *testing.T, h *house, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	conn, err := tls.DialWithDialer(&d, "tcp", h.https.Addr().String(), &tls.Config{RootCAs: h.ca.pool, ServerName: appHost})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// statusOf sends a GET and returns the status; 0 when the connection was closed.
func statusOf(conn net.Conn, target string) int {
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, appHost)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func TestConnectionsOfOneAddress(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.ConnsPerAddress = 2 })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) {}), Active))
	first, second := secured(t, h, "127.0.0.2"), secured(t, h, "127.0.0.2")
	if statusOf(first, "/") != 200 || statusOf(second, "/") != 200 {
		t.Fatal("two connections are allowed")
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
	if conn, err := tls.DialWithDialer(&d, "tcp", h.https.Addr().String(), &tls.Config{RootCAs: h.ca.pool, ServerName: appHost}); err == nil {
		conn.Close()
		t.Error("a third connection from the same address was served")
	}
	if statusOf(secured(t, h, "127.0.0.3"), "/") != 200 {
		t.Error("another address is not concerned")
	}
	first.Close()
	for deadline := time.Now().Add(5 * time.Second); ; { // the edge sees the end a moment later
		if conn, err := tls.DialWithDialer(&d, "tcp", h.https.Addr().String(), &tls.Config{RootCAs: h.ca.pool, ServerName: appHost}); err == nil {
			conn.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
	} {
		if got := origin(&net.TCPAddr{IP: net.ParseIP(in)}); got.String() != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestConnectionsOfOneService(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.ConnsPerService = 1 })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) {}), Active))
	first := secured(t, h, "127.0.0.1")
	for range 2 {
		if got := statusOf(first, "/"); got != 200 {
			t.Fatalf("got %d", got)
		}
	}
	second := secured(t, h, "127.0.0.1")
	if got := statusOf(second, "/"); got != 503 {
		t.Errorf("got %d", got)
	}
	if _, err := second.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("not closed: %v", err)
	}
	if resp, err := h.browser(true).Get("https://" + appHost + "/"); err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("http2: %v, %v", resp, err)
	}
	first.Close()
	for deadline := time.Now().Add(5 * time.Second); statusOf(secured(t, h, "127.0.0.1"), "/") != 200; {
		if time.Now().After(deadline) {
			t.Fatal("a connection that ended still counts")
		}
	}
}

func TestLongTarget(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.TargetBytes = 1000 })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) {}), Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		for size, want := range map[int]int{1000: 200, 1001: 414, 20000: 414} {
			if resp, _ := get(t, c, "/"+strings.Repeat("a", size-1)); resp.StatusCode != want {
				t.Errorf("%d bytes: got %d", size, resp.StatusCode)
			}
		}
	})
	conn := secured(t, h, "127.0.0.1")
	fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", strings.Repeat("a", 1000), appHost)
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != 414 {
		t.Errorf("upgrade: %v, %v", resp, err)
	}
}

// drip sends text a byte at a time, so that no single wait is long, until the connection ends.
func drip(conn net.Conn, text string, pause time.Duration) {
	for i := range len(text) {
		<-time.After(pause)
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
	}
}

// The slow clients that tools such as slowhttptest play: each ends at a limit though it never stops sending or reading.
func TestClientsThatNeverStop(t *testing.T) {
	var asked atomic.Int64
	h := newHouse(t, func(c *Config) {
		c.Limits.HeadRead, c.Limits.BodyRead, c.Limits.ClientStall = 200*time.Millisecond, 200*time.Millisecond, 10*time.Second
	})
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/large" {
			w.Write(make([]byte, 64<<20))
		}
	})
	h.publish(func(r *Route) { r.RequestTimeout = 600 * time.Millisecond }, target("i1", s, Active))
	begin := "POST / HTTP/1.1\r\nHost: " + appHost + "\r\n"
	for _, c := range []struct{ name, at, once, slowly, want string }{
		{"slow head", "", "GET / HTTP/1.1\r\nHost: " + appHost + "\r\n", strings.Repeat("X-a: b\r\n", 100), "HTTP/1.1 408"},
		{"slow request line", "", "G", strings.Repeat("E", 1000), "HTTP/1.1 408"},
		{"slow small body", "", begin + "Content-Length: 5000\r\n\r\n", strings.Repeat("x", 4000), "HTTP/1.1 408"},
		{"slow large body", "", begin + "Content-Length: 500000\r\n\r\n", strings.Repeat("x", 4000), "HTTP/1.1 504"},
		{"slow chunks", "", begin + "Transfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 1000), "HTTP/1.1 504"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := secured(t, h, "127.0.0.1")
			io.WriteString(conn, c.once)
			go drip(conn, c.slowly, 20*time.Millisecond)
			answer, _ := io.ReadAll(conn) // its deadline is 10 s: the edge must end it before
			if !strings.HasPrefix(string(answer), c.want) {
				t.Errorf("got %.60q", answer)
			}
		})
	}
	t.Run("slow read", func(t *testing.T) {
		conn := secured(t, h, "127.0.0.1")
		fmt.Fprintf(conn, "GET /large HTTP/1.1\r\nHost: %s\r\n\r\n", appHost)
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 })
		go func() {
			for {
				if _, err := conn.Read(make([]byte, 100)); err != nil {
					return
				}
				<-time.After(time.Millisecond)
			}
		}()
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 0 })
	})
}

func TestSlowBodyOverHTTP2(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.BodyRead, c.Limits.ClientStall = 200*time.Millisecond, 10*time.Second })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") }), Active))
	r, w := io.Pipe()
	go func() {
		for {
			<-time.After(20 * time.Millisecond)
			if _, err := w.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	req, _ := http.NewRequest("POST", "https://"+appHost+"/", r)
	req.ContentLength = 5000
	resp, err := h.browser(true).Do(req)
	check(t, err)
	r.Close()
	if resp.StatusCode != 408 {
		t.Errorf("got %d", resp.StatusCode)
	}
}
