package edge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestStreamingIsPassedOnAtOnce(t *testing.T) {
	h := newHouse(t, nil)
	next := make(chan string)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for event := range next {
			io.WriteString(w, event)
			w.(http.Flusher).Flush()
			if event == "end" {
				return
			}
		}
	})
	h.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		resp, err := c.Get("https://" + appHost + "/")
		check(t, err)
		defer resp.Body.Close()
		buf := make([]byte, 100)
		for _, event := range []string{"one", "two", "end"} {
			next <- event // the application has sent nothing of the next event yet
			n, err := io.ReadAtLeast(resp.Body, buf, len(event))
			check(t, err)
			if string(buf[:n]) != event {
				t.Fatalf("got %q, want %q", buf[:n], event)
			}
		}
		if rest := read(t, resp); rest != "" {
			t.Errorf("after the end came %q", rest)
		}
	})
}

func TestTrailersInterimAnswersAndHead(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "HEAD" {
			w.Header().Set("Content-Length", "12345")
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		fmt.Fprintf(w, "%s|%s", body, r.Trailer.Get("X-Check"))
		w.Header().Set("X-Sum", "42")
	})
	h.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		var hints string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints = fmt.Sprint(code, header.Get("Link"))
			return nil
		}}
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "POST", "https://"+appHost+"/", io.MultiReader(strings.NewReader("bo"), strings.NewReader("dy")))
		req.Trailer = http.Header{"X-Check": {"7"}}
		resp, err := c.Do(req)
		check(t, err)
		if body := read(t, resp); body != "body|7" || resp.Trailer.Get("X-Sum") != "42" {
			t.Errorf("body %q, trailer %v", body, resp.Trailer)
		}
		if hints != "103</style.css>; rel=preload" {
			t.Errorf("early hints %q", hints)
		}
		resp, err = c.Head("https://" + appHost + "/")
		check(t, err)
		if body := read(t, resp); body != "" || resp.ContentLength != 12345 {
			t.Errorf("HEAD: %d %q", resp.ContentLength, body)
		}
	})
}

func TestBodiesOfEverySize(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("X-Length") != "" {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		w.Write(body)
	})
	h.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		for _, size := range []int{0, 1, 3000, 4096, 16384, 65536, 65537, 3 << 20} {
			for _, sized := range []bool{true, false} {
				want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
				var body io.Reader = bytes.NewReader(want)
				if !sized {
					body = struct{ io.Reader }{body}
				}
				req, _ := http.NewRequest("POST", "https://"+appHost+"/", body)
				if sized {
					req.Header.Set("X-Length", "1")
				}
				resp, err := c.Do(req)
				check(t, err)
				if got := read(t, resp); got != string(want) {
					t.Errorf("size %d sized %v: %d bytes came back", size, sized, len(got))
				}
			}
		}
	})
}

func TestExpectContinue(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		io.Copy(w, r.Body)
	})
	h.publish(nil, target("i1", s, Active))
	for _, path := range []string{"/yes", "/no"} {
		conn := dialPlain(t, h)
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", path, appHost)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		if path == "/no" {
			if resp.StatusCode != 403 || !resp.Close {
				t.Errorf("refused at once: got %d, close %v", resp.StatusCode, resp.Close)
			}
			continue
		}
		if resp.StatusCode != 100 {
			t.Fatalf("got %d, want 100", resp.StatusCode)
		}
		io.WriteString(conn, "hello")
		resp, err = http.ReadResponse(r, nil)
		check(t, err)
		if body := read(t, resp); body != "hello" {
			t.Errorf("got %q", body)
		}
	}
}

// dialPlain connects to the edge without TLS; the connection ends with the test, and after 10 s.
func dialPlain(t testing.TB, h *house) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", h.plain.Addr().String())
	check(t, err)
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// echoApp accepts any upgrade and echoes, in its own words.
func echoApp(t testing.TB) string {
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
				if req.Header.Get("Upgrade") == "" {
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					return
				}
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", req.Header.Get("Upgrade"))
				io.Copy(conn, r)
			}()
		}
	}()
	return l.Addr().String()
}

func TestUpgrade(t *testing.T) {
	h := newHouse(t, nil)
	echo := Target{InstanceID: "i1", Address: echoApp(t), Phase: Active}
	h.publish(func(r *Route) { r.RequestTimeout = 200 * time.Millisecond }, echo)
	ask := func(upgrade string) (*http.Response, net.Conn, *bufio.Reader) {
		conn := dialPlain(t, h)
		fmt.Fprintf(conn, "GET /chat HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", appHost, upgrade)
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		return resp, conn, r
	}
	resp, conn, r := ask("websocket")
	if resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("got %d %v", resp.StatusCode, resp.Header)
	}
	// The tunnel outlives the time of a request.
	deadline := time.Now().Add(400 * time.Millisecond)
	for i := 0; time.Now().Before(deadline); i++ {
		msg := fmt.Sprintf("message %d\n", i)
		io.WriteString(conn, msg)
		if got, err := r.ReadString('\n'); err != nil || got != msg {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if st := h.edge.Status(); st.Targets["i1"].InFlight != 1 {
		t.Errorf("a tunnel holds its place: in flight %d", st.Targets["i1"].InFlight)
	}
	conn.Close()

	if resp, _, _ := ask("h2c"); resp.StatusCode != 403 {
		t.Errorf("h2c: %d", resp.StatusCode)
	}
	h.publish(func(r *Route) { r.NoUpgrade = true }, echo)
	if resp, _, _ := ask("websocket"); resp.StatusCode != 403 {
		t.Errorf("websockets off: %d", resp.StatusCode)
	}
}

func TestRequestTimeout(t *testing.T) {
	h := newHouse(t, nil)
	end := make(chan struct{})
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
		}
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})
	defer close(end)
	h.publish(func(r *Route) { r.RequestTimeout = 100 * time.Millisecond }, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		resp, body := get(t, c, "/silent")
		if resp.StatusCode != 504 || !strings.Contains(body, "took longer") {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
		resp, err := c.Get("https://" + appHost + "/begun")
		check(t, err)
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); err == nil || string(got) != "begun" {
			t.Errorf("an answer that has begun is cut: got %q, %v", got, err)
		}
	})
	awaitIdle(t, h)
}

// awaitIdle waits until nothing is in flight: every path gives its place back.
func awaitIdle(t testing.TB, h *house) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		c := h.edge.Status().Services[appARN]
		if c.InFlight == 0 && c.Waiting == 0 {
			return
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Fatalf("still in flight: %+v", h.edge.Status().Targets)
}

func TestConcurrencyLimitAndWaiting(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.QueueLength = 2; c.Limits.QueueWait = 300 * time.Millisecond })
	release := make(chan struct{})
	var now, peak atomic.Int64
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		<-release
		now.Add(-1)
	})
	h.publish(func(r *Route) { r.MaxConcurrency = 2 }, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		results := make(chan int, 4)
		ask := func() {
			resp, err := c.Get("https://" + appHost + "/")
			if err != nil {
				results <- 0
				return
			}
			resp.Body.Close()
			results <- resp.StatusCode
		}
		for range 4 { // two run, two wait
			go ask()
		}
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 2 && c.Waiting == 2 })
		resp, body := get(t, c, "/")
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "busy") {
			t.Errorf("line full: got %d %q", resp.StatusCode, body)
		}
		for range 4 {
			release <- struct{}{}
		}
		for range 4 {
			if status := <-results; status != 200 {
				t.Errorf("waited and got %d", status)
			}
		}
		// Who waits too long is refused.
		go ask()
		go ask()
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 2 })
		if resp, _ := get(t, c, "/"); resp.StatusCode != 429 {
			t.Errorf("waited too long: got %d", resp.StatusCode)
		}
		release <- struct{}{}
		release <- struct{}{}
		<-results
		<-results
	})
	if peak.Load() != 2 {
		t.Errorf("%d requests at a time, want 2", peak.Load())
	}
	awaitIdle(t, h)
	if c := h.edge.Status().Services[appARN]; c.Rejected != 4 || c.Busy == 0 {
		t.Errorf("counters %+v", c)
	}
}

func awaitCounters(t testing.TB, h *house, ok func(Counters) bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !ok(h.edge.Status().Services[appARN]) {
		if time.Now().After(deadline) {
			t.Fatalf("counters stay at %+v", h.edge.Status().Services[appARN])
		}
		<-time.After(time.Millisecond)
	}
}

func TestLeastLoadedIsChosen(t *testing.T) {
	h := newHouse(t, nil)
	stuck := make(chan struct{})
	var quick atomic.Int64
	slow := app(t, func(w http.ResponseWriter, r *http.Request) { <-stuck })
	fast := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stick" {
			<-stuck
		}
		quick.Add(1)
	})
	h.publish(nil, target("slow", slow, Active))
	go h.browser(false).Get("https://" + appHost + "/stick")
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 })
	h.publish(nil, target("slow", slow, Active), target("fast", fast, Active))
	c := h.browser(false)
	for range 20 {
		get(t, c, "/")
	}
	if quick.Load() != 20 {
		t.Errorf("the unloaded instance got %d of 20", quick.Load())
	}
	close(stuck)
}

// breaker is an application that closes connections without an answer as long as it is told to.
func breaker(t testing.TB, broken *atomic.Bool, name string) Target {
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && r.URL.Path != "/keep" {
			panic(http.ErrAbortHandler)
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, name, string(body))
	})
	return target(name, s, Active)
}

func TestRetryOnAnotherInstance(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		h := newHouse(t, nil)
		var broken, sound atomic.Bool
		broken.Store(true)
		h.publish(nil, breaker(t, &broken, "bad"), breaker(t, &sound, "good"))
		c := h.browser(http2)
		failed := 0
		for range 4 { // fewer than make the instance stand aside
			resp, err := c.Post("https://"+appHost+"/", "text/plain", strings.NewReader("x"))
			check(t, err)
			if read(t, resp); resp.StatusCode == 502 {
				failed++
			}
		}
		if failed == 0 || failed == 4 {
			t.Errorf("a POST that may have been seen is not repeated: %d of 4 failed", failed)
		}
		for range 10 {
			if resp, body := get(t, c, "/"); resp.StatusCode != 200 || body != "good" {
				t.Fatalf("got %d %q", resp.StatusCode, body)
			}
		}
		if st := h.edge.Status(); st.Services[appARN].Retries == 0 {
			t.Error("retries are not counted")
		}
	}
}

func TestRefusedConnectionGoesToAnotherInstance(t *testing.T) {
	h := newHouse(t, nil)
	var sound atomic.Bool
	dying := app(t, func(w http.ResponseWriter, r *http.Request) {})
	h.publish(func(r *Route) { r.Health.Interval = time.Hour }, target("dying", dying, Active), breaker(t, &sound, "good"))
	dying.Close()
	c := h.browser(false)
	for range 10 {
		resp, err := c.Post("https://"+appHost+"/", "text/plain", strings.NewReader("!"))
		check(t, err)
		if body := read(t, resp); body != "good!" {
			t.Fatalf("got %d %q", resp.StatusCode, body)
		}
	}
	// The failure was noticed without waiting an Interval of an hour.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := h.client.Status(ctx)
	for err == nil && st.Targets["dying"].LastError == "" {
		st, err = h.client.Wait(ctx, st.Version)
	}
	check(t, err)
	if ts := st.Targets["dying"]; ts.LastError != "connection refused" || ts.Failures != 1 {
		t.Errorf("status %+v", ts)
	}
}

func TestKeptConnectionsThatInstancesClose(t *testing.T) {
	h := newHouse(t, nil)
	// The application closes every connection after its first answer without saying so.
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
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}()
		}
	}()
	h.publish(nil, Target{InstanceID: "i1", Address: l.Addr().String(), Phase: Active})
	c := h.browser(false)
	for range 50 {
		if resp, body := get(t, c, "/"); resp.StatusCode != 200 || body != "ok" {
			t.Fatalf("got %d %q", resp.StatusCode, body)
		}
	}
}

func TestSlowClients(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.Limits.HeadRead, c.Limits.ClientStall, c.Limits.ClientIdle = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
		c.Limits.Handshake = 50 * time.Millisecond
	})
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/endless" {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}
	})
	h.publish(nil, target("i1", s, Active))
	for _, c := range []struct {
		name, sent, got string
	}{
		{"idle", "", ""},
		{"head stops", "GET / HTTP/1.1\r\nHost: " + appHost + "\r\nX", "408"},
		{"small body stops", "POST / HTTP/1.1\r\nHost: " + appHost + "\r\nContent-Length: 5\r\n\r\nab", "408"},
		{"large body stops", "POST / HTTP/1.1\r\nHost: " + appHost + "\r\nContent-Length: 500000\r\n\r\nab", "408"},
		{"chunked body stops", "POST / HTTP/1.1\r\nHost: " + appHost + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "408"},
	} {
		conn := dialPlain(t, h)
		io.WriteString(conn, c.sent)
		got, err := io.ReadAll(conn)
		check(t, err)
		if !strings.HasPrefix(strings.TrimPrefix(string(got), "HTTP/1.1 "), c.got) || (c.got == "") != (len(got) == 0) {
			t.Errorf("%s: got %q, want %s", c.name, got, c.got)
		}
	}
	t.Run("answer not taken", func(t *testing.T) {
		before := h.edge.Status().Services[appARN].Requests
		conn := dialPlain(t, h)
		fmt.Fprintf(conn, "GET /endless HTTP/1.1\r\nHost: %s\r\n\r\n", appHost)
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 || c.Requests > before })
		awaitIdle(t, h)
	})
	t.Run("no handshake", func(t *testing.T) {
		conn, err := net.Dial("tcp", h.https.Addr().String())
		check(t, err)
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("not closed: %v", err)
		}
	})
	awaitIdle(t, h)
}

func TestPipelinedRequests(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	})
	h.publish(nil, target("i1", s, Active))
	conn := dialPlain(t, h)
	head := " HTTP/1.1\r\nHost: " + appHost + "\r\n"
	io.WriteString(conn, "POST /1"+head+"Content-Length: 3\r\n\r\none"+
		"POST /2"+head+"Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"+
		"GET /3"+head+"\r\n"+"POST /4"+head+"Connection: close\r\nContent-Length: 4\r\n\r\nfour"+"GET /5"+head+"\r\n")
	r := bufio.NewReader(conn)
	for _, want := range []string{"/1 one", "/2 two", "/3 ", "/4 four"} {
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		if body := read(t, resp); body != want {
			t.Errorf("got %q, want %q", body, want)
		}
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("after Connection: close came %q, %v", rest, err)
	}
}

func TestEarlyAnswerToALargeUpload(t *testing.T) {
	h := newHouse(t, nil)
	// The application answers from the head alone and closes.
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
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoo big")
					conn.(*net.TCPConn).CloseWrite()
					io.CopyN(io.Discard, conn, 1<<20)
				}
			}()
		}
	}()
	h.publish(nil, Target{InstanceID: "i1", Address: l.Addr().String(), Phase: Active})
	conn := dialPlain(t, h)
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000000\r\n\r\n", appHost)
	go io.CopyN(conn, zeros{}, 10<<20)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(t, err)
	if body := read(t, resp); resp.StatusCode != 413 || body != "too big" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	awaitIdle(t, h)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestClientThatGoesAwayGivesItsPlaceBack(t *testing.T) {
	h := newHouse(t, nil)
	came, left := make(chan struct{}, 2), make(chan struct{}, 2)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	})
	h.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://"+appHost+"/", nil)
		go c.Do(req)
		select {
		case <-came:
		case <-time.After(10 * time.Second):
			t.Fatal("the application was not asked")
		}
		cancel()
		select {
		case <-left:
		case <-time.After(10 * time.Second):
			t.Fatal("the application was not told")
		}
		awaitIdle(t, h)
	})
	if c := h.edge.Status().Services[appARN]; c.Status5xx != 0 {
		t.Errorf("counted as a failure of the application: %+v", c)
	}
}
