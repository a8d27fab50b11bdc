//lint:file-ignore SA1019 net/http sends no extended CONNECT

package edge

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// over2 is a client that opens WebSockets over HTTP/2: what it is asked as an upgrade goes out as an extended CONNECT.
type over2 struct{ *http2.Transport }

func socketsOver2(t *testing.T, h *house) *http.Client {
	tr := &http2.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.ca.pool},
		DialTLSContext: func(ctx context.Context, _, _ string, conf *tls.Config) (net.Conn, error) {
			d := tls.Dialer{Config: conf}
			return d.DialContext(ctx, "tcp", h.https.Addr().String())
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: over2{tr}}
}

func (o over2) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.Header.Get("Sec-Websocket-Key")
	from, to := io.Pipe()
	ask := r.Clone(r.Context())
	ask.Method, ask.Body = http.MethodConnect, from
	ask.Header.Set(":protocol", "websocket")
	for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Key"} {
		ask.Header.Del(name)
	}
	resp, err := o.Transport.RoundTrip(ask)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	resp.StatusCode = http.StatusSwitchingProtocols
	resp.Header.Set("Connection", "Upgrade")
	resp.Header.Set("Upgrade", "websocket")
	resp.Header.Set("Sec-Websocket-Accept", acceptOf(key))
	resp.Body = struct {
		io.Reader
		io.WriteCloser
	}{resp.Body, to}
	return resp, nil
}

// acceptOf is what a server answers to a key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// bothSockets runs f with clients that open WebSockets over HTTP/1.1 and over HTTP/2.
func bothSockets(t *testing.T, h *house, f func(t *testing.T, c *http.Client)) {
	t.Run("http1", func(t *testing.T) { f(t, h.browser(false)) })
	t.Run("http2", func(t *testing.T) { f(t, socketsOver2(t, h)) })
}

// socketApp answers the upgrade as it is told, and says what it was asked and what came behind.
func socketApp(t *testing.T, answer func(*http.Request) string, serve func(*http.Request, net.Conn, *bufio.Reader)) Target {
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				io.WriteString(conn, answer(req))
				serve(req, conn, r)
			}()
		}
	}()
	return Target{InstanceID: "i1", Address: l.Addr().String(), Phase: Active}
}

// agrees is the answer to an upgrade.
func agrees(r *http.Request) string {
	return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nX-Mine: 1\r\nContent-Length: 5\r\nSec-WebSocket-Accept: " +
		acceptOf(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n"
}

func echoes(_ *http.Request, conn net.Conn, r *bufio.Reader) { io.Copy(conn, r) }

// connectHead is the head of an extended CONNECT.
func connectHead(more ...string) []string {
	return append([]string{":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /chat?a", ":authority: " + appHost, "sec-websocket-version: 13"}, more...)
}

// sentence reads DATA of a stream until it has as much as is wanted, or the stream ends.
func (c *rawH2) sentence(id uint32, n int) (text string, ended bool) {
	c.t.Helper()
	for len(text) < n {
		f, err := c.ReadFrame()
		check(c.t, err)
		switch f := f.(type) {
		case *http2.DataFrame:
			text += string(f.Data())
			if ended = f.StreamEnded(); ended {
				return text, true
			}
		case *http2.RSTStreamFrame:
			return fmt.Sprint(text, "rst ", f.ErrCode), true
		}
	}
	return text, false
}

func TestSocketOverHTTP2(t *testing.T) {
	h := newHouse(t, nil)
	asked := make(chan *http.Request, 1)
	h.publish(func(r *Route) { r.RequestTimeout = 200 * time.Millisecond }, socketApp(t, agrees, func(r *http.Request, conn net.Conn, in *bufio.Reader) {
		asked <- r
		echoes(r, conn, in)
	}))
	c := dialH2(t, h, true)
	c.ask(1, false, connectHead("origin: https://x", "sec-websocket-key: mine", "expect: 100-continue", "cookie: a=b")...)
	c.WriteData(1, false, []byte("early ")) // before the instance has agreed
	if got, ok := c.until("answer 1 200"); !ok {
		t.Fatalf("got %s", got)
	}
	r := <-asked
	if r.Method != "GET" || r.RequestURI != "/chat?a" || r.Host != appHost || r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" ||
		len(r.Header["Sec-Websocket-Key"]) != 1 || len(r.Header.Get("Sec-Websocket-Key")) != 24 || r.Header.Get("Expect") != "" || r.ContentLength != 0 ||
		r.Header.Get("Sec-Websocket-Version") != "13" || r.Header.Get("Origin") != "https://x" || r.Header.Get("Cookie") != "a=b" || len(r.TransferEncoding) > 0 {
		t.Errorf("the application was asked %s %s %v", r.Method, r.RequestURI, r.Header)
	}
	time.Sleep(400 * time.Millisecond) // longer than a request may take
	c.WriteData(1, false, []byte("and late"))
	if got, _ := c.sentence(1, 14); got != "early and late" {
		t.Errorf("got %q", got)
	}
	if st := h.edge.Status(); st.Targets["i1"].InFlight != 1 {
		t.Errorf("a WebSocket holds its place: in flight %d", st.Targets["i1"].InFlight)
	}
	c.WriteData(1, true, []byte("bye")) // the application ends when the client has
	if got, ended := c.sentence(1, 4); got != "bye" || !ended {
		t.Errorf("got %q, ended %t", got, ended)
	}
	awaitIdle(t, h)
	if n := h.edge.Status().Services[appARN]; n.Requests != 1 || n.Status2xx != 1 || n.BytesIn != 17 || n.BytesOut != 17 {
		t.Errorf("counted as %+v", n)
	}
}

// The head that a client gets says nothing of HTTP/1.1.
func TestSocketHeadOverHTTP2(t *testing.T) {
	h := newHouse(t, nil)
	h.publish(nil, socketApp(t, agrees, echoes))
	ask, _ := http.NewRequest("CONNECT", "https://"+appHost+"/", http.NoBody)
	ask.Header.Set(":protocol", "websocket")
	from, to := io.Pipe()
	defer to.Close()
	ask.Body, ask.ContentLength = from, -1
	resp, err := socketsOver2(t, h).Transport.(over2).Transport.RoundTrip(ask)
	check(t, err)
	if resp.StatusCode != 200 || resp.Header.Get("X-Mine") != "1" || resp.Header.Get("Date") == "" {
		t.Errorf("got %d %v", resp.StatusCode, resp.Header)
	}
	for _, name := range []string{"Upgrade", "Connection", "Content-Length", "Sec-Websocket-Accept", "Transfer-Encoding"} {
		if resp.Header[name] != nil {
			t.Errorf("got %s: %v", name, resp.Header[name])
		}
	}
}

// What an instance answers that does not agree is no WebSocket to the client, and nothing of what the client sent reaches the instance.
func TestSocketsThatAreNotAgreedTo(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"refused":           {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "answer 1 403"},
		"redirected":        {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "answer 1 302"},
		"answered":          {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "answer 1 502"},
		"no content":        {"HTTP/1.1 204 No Content\r\n\r\n", "answer 1 502"},
		"without a proof":   {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "answer 1 502"},
		"another's proof":   {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + acceptOf("x") + "\r\n\r\n", "answer 1 502"},
		"another protocol":  {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: KEY\r\n\r\n", "answer 1 502"},
		"no HTTP at all":    {"what?\r\n\r\n", "answer 1 502"},
		"hints, then ended": {"HTTP/1.1 103 Early Hints\r\n\r\n", "answer 1 502"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			behind := make(chan int, 1)
			h.publish(nil, socketApp(t, func(r *http.Request) string {
				return strings.Replace(c.answer, "KEY", acceptOf(r.Header.Get("Sec-WebSocket-Key")), 1)
			}, func(_ *http.Request, conn net.Conn, r *bufio.Reader) {
				conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				n, _ := r.Read(make([]byte, 100))
				behind <- n
			}))
			conn := dialH2(t, h, true)
			conn.ask(1, false, connectHead()...)
			conn.WriteData(1, false, []byte("GET /smuggled HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n"))
			if got, ok := conn.until(c.want); !ok {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			if n := <-behind; n != 0 {
				t.Errorf("%d bytes of the client reached the application", n)
			}
			awaitIdle(t, h)
			conn.ask(3, true, plainHead...) // the connection goes on
			for word := ""; !strings.HasPrefix(word, "answer 3 ") && word != "end 3"; {
				if word = conn.next(); word == "closed" || word == "silence" {
					t.Fatal(word)
				}
			}
		})
	}
}

func TestSocketsOverHTTP2AreRefused(t *testing.T) {
	h := newHouse(t, nil)
	for name, c := range map[string]struct {
		adjust func(*Route)
		head   []string
		want   string
	}{
		"by the service":     {func(r *Route) { r.NoUpgrade = true }, connectHead(), "answer 1 403"},
		"by an h2c service":  {func(r *Route) { r.H2C = true }, connectHead(), "answer 1 403"},
		"a paused service":   {func(r *Route) { r.Serving = ServingPaused }, connectHead(), "answer 1 503"},
		"another protocol":   {nil, append([]string{":method: CONNECT", ":protocol: connect-udp"}, plainHead[1:]...), "answer 1 501"},
		"an unknown host":    {nil, []string{":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /", ":authority: nobody.test"}, "answer 1 404"},
		"a path in disguise": {nil, []string{":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /a b", ":authority: " + appHost}, "answer 1 400"},
	} {
		h.publish(c.adjust, socketApp(t, agrees, echoes))
		conn := dialH2(t, h, true)
		conn.ask(1, false, c.head...)
		if got, ok := conn.until(c.want); !ok {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	awaitIdle(t, h)
}

// How the two sides of a WebSocket over HTTP/2 end.
func TestSocketsOverHTTP2End(t *testing.T) {
	ended := make(chan error, 1)
	h := newHouse(t, func(c *Config) { c.Limits.TunnelDrain, c.Limits.Linger = 100*time.Millisecond, 100*time.Millisecond })
	says := func(r *http.Request, conn net.Conn, in *bufio.Reader) {
		switch r.URL.Path {
		case "/says-all":
			io.WriteString(conn, "all")
			return
		case "/breaks":
			conn.(*net.TCPConn).SetLinger(0)
			return
		}
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}
	app := socketApp(t, agrees, says)
	open := func(path string) *rawH2 {
		h.publish(nil, app)
		c := dialH2(t, h, true)
		c.ask(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: "+path, ":authority: "+appHost)
		if got, ok := c.until("answer 1 200"); !ok {
			t.Fatalf("%s: got %s", path, got)
		}
		return c
	}
	c := open("/says-all") // and the client never ends
	if got, ok := c.until("rst 1 NO_ERROR"); !ok || !strings.Contains(fmt.Sprint(c.seen), "end 1") || c.body[1] != 3 {
		t.Errorf("the application ended: %s %v", got, c.body)
	}
	if got, ok := open("/breaks").until("rst 1 CANCEL"); !ok {
		t.Errorf("the application broke the connection: %s", got)
	}
	open("/").WriteRSTStream(1, http2.ErrCodeCancel)
	<-ended
	open("/").conn.Close()
	<-ended
	c = open("/")
	c.ask(1, true, "trailer: x")
	if got, ok := c.until(rstProto); !ok {
		t.Errorf("trailers: %s", got)
	}
	<-ended
	c = open("/")
	app.Phase = Draining
	h.publish(nil, app)
	if got, ok := c.until("rst 1 CANCEL"); !ok {
		t.Errorf("the instance was drained: %s", got)
	}
	<-ended
	app.Phase = Active
	awaitIdle(t, h)
}

// A client that takes nothing of a WebSocket for longer than others may is left alone, as over HTTP/1.1, while its connection lives.
func TestSocketsOverHTTP2MayPause(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.ClientStall = 300 * time.Millisecond })
	h.publish(nil, socketApp(t, agrees, func(_ *http.Request, conn net.Conn, in *bufio.Reader) {
		conn.Write(make([]byte, 1<<20))
		echoes(nil, conn, in)
	}))
	c := dialH2(t, h, true)
	c.ask(1, false, connectHead()...)
	got := 0
	for until := time.Now().Add(1500 * time.Millisecond); time.Now().Before(until); {
		c.conn.SetReadDeadline(until)
		f, err := c.ReadFrame()
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			break
		}
		check(t, err)
		switch f := f.(type) {
		case *http2.PingFrame: // the client lives
			c.WritePing(true, f.Data)
		case *http2.DataFrame:
			got += len(f.Data())
		case *http2.RSTStreamFrame:
			t.Fatalf("after %d bytes: %v", got, f.ErrCode)
		}
	}
	if got != 65535 {
		t.Errorf("%d bytes came into a window of 65535", got)
	}
	if st := h.edge.Status(); st.Targets["i1"].InFlight != 1 {
		t.Errorf("in flight %d", st.Targets["i1"].InFlight)
	}
}

func TestSilentSocketsOverHTTP2End(t *testing.T) {
	h := newHouse(t, nil)
	h.publish(func(r *Route) { r.IdleTimeout = time.Second }, socketApp(t, agrees, func(_ *http.Request, _ net.Conn, in *bufio.Reader) {
		io.Copy(io.Discard, in)
	}))
	c := dialH2(t, h, true)
	c.ask(1, false, connectHead()...)
	for range 15 { // only the client talks
		time.Sleep(100 * time.Millisecond)
		c.WriteData(1, false, []byte("x"))
	}
	if got := h.edge.Status().Targets["i1"].InFlight; got != 1 {
		t.Errorf("cut while the client talked: in flight %d", got)
	}
	if got, ok := c.until("rst 1 CANCEL"); !ok {
		t.Errorf("got %s", got)
	}
}
