package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// slowApp answers at once, and on /slow when the body has come and a moment has gone.
func slowApp(t testing.TB) string {
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-r.Context().Done():
			}
			io.Copy(io.Discard, r.Body)
		}
		io.WriteString(w, "ok")
	})
	return s.Listener.Addr().String()
}

// fronts are two edges with the same table: the own HTTP/2 front and that of golang.org/x/net.
func fronts(t testing.TB, targets ...Target) (own, oracle *house) {
	own, oracle = newHouse(t, nil), newHouse(t, func(c *Config) { c.StdHTTP2 = true })
	own.publish(nil, targets...)
	oracle.publish(nil, targets...)
	return own, oracle
}

func TestHTTP2FrontsAgreeOnRequests(t *testing.T) {
	s := newSpy(t)
	own, oracle := fronts(t, Target{InstanceID: "i1", Address: s.address, Phase: Active})
	a, b := own.browser(true), oracle.browser(true)
	requests := map[string]func() *http.Request{}
	add := func(name, method, target string, body func() io.Reader, adjust func(*http.Request)) {
		requests[name] = func() *http.Request {
			var r io.Reader
			if body != nil {
				r = body()
			}
			req, err := http.NewRequest(method, "https://"+appHost+target, r)
			check(t, err)
			if adjust != nil {
				adjust(req)
			}
			return req
		}
	}
	header := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header[pairs[i]] = append(r.Header[pairs[i]], pairs[i+1])
			}
		}
	}
	sized := func(n int) func() io.Reader {
		return func() io.Reader { return bytes.NewReader(bytes.Repeat([]byte("x"), n)) }
	}
	unsized := func(n int) func() io.Reader { return func() io.Reader { return io.MultiReader(sized(n)()) } }
	add("plain", "GET", "/a//b/../c%2f%41?x=%zz&y=/?&&;z", nil, nil)
	add("double slash", "GET", "//double", nil, nil)
	add("empty query", "GET", "/?", nil, nil)
	add("head", "HEAD", "/x", nil, nil)
	add("options", "OPTIONS", "/x", nil, nil)
	add("webdav", "PROPFIND", "/x", nil, header("Depth", "1"))
	add("forwarded", "GET", "/", nil, header("X-Forwarded-For", "1.1.1.1, 2.2.2.2", "X-Forwarded-For", "3.3.3.3", "X-Forwarded-Proto", "http", "Forwarded", "for=x", "X-Forwarded-Host", "h"))
	add("hop by hop", "GET", "/", nil, header("Te", "trailers", "Proxy-Authorization", "a"))
	add("cookies", "GET", "/", nil, header("Cookie", "a=b; c=d", "Via", "1.1 x"))
	add("values", "GET", "/", nil, header("A", "b", "A", "c", "Empty", "", "Utf", "\xe9"))
	for _, n := range []int{0, 1, 1000, 16384, 65536, 65537, 300000, 2000000} {
		add(fmt.Sprint("post ", n), "POST", "/", sized(n), nil)
		if n > 0 {
			add(fmt.Sprint("put unsized ", n), "PUT", "/", unsized(n), nil)
		}
	}
	add("trailers", "POST", "/", unsized(10), func(r *http.Request) { r.Trailer = http.Header{"X-Sum": {"7"}} })
	add("upper-case host", "GET", "/", nil, func(r *http.Request) { r.Host = strings.ToUpper(appHost) })
	add("unknown host", "GET", "/", nil, func(r *http.Request) { r.Host = "unknown.test" })
	for name, make := range requests {
		x, sawX := roundTrip(t, a, make(), s)
		y, sawY := roundTrip(t, b, make(), s)
		if x != y || sawX != sawY {
			t.Errorf("%s: answered %.300s\nby x/net %.300s\napplication saw %.600s\nfrom x/net %.600s", name, x, y, sawX, sawY)
		}
	}
	awaitIdle(t, own)
}

func roundTrip(t *testing.T, c *http.Client, req *http.Request, s *spy) (answer, saw string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		return err.Error(), ""
	}
	return describeResponse(resp), strings.Join(s.take(), "\n")
}

func describeResponse(resp *http.Response) string {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	cut := err != nil
	if resp.StatusCode == 502 {
		return "502"
	}
	resp.Header.Del("X-Request-Id")
	resp.Header.Del("Date")
	if len(body) == 0 && !cut {
		resp.ContentLength = max(resp.ContentLength, 0) // an empty body may be told with the head or after it
	}
	return fmt.Sprintf("%d %v len %d body %d %.50q cut %v trailer %v", resp.StatusCode, resp.Header, resp.ContentLength, len(body), body, cut, resp.Trailer)
}

// scripted is an application that gives any bytes as an answer and closes.
func scripted(t testing.TB) (address string, say func(string)) {
	var answer atomic.Value
	answer.Store("")
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
				if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					io.Copy(io.Discard, req.Body)
					io.WriteString(conn, answer.Load().(string))
					conn.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, conn)
				}
			}()
		}
	}()
	return l.Addr().String(), func(s string) { answer.Store(s) }
}

var h2Answers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil the end",
	"HTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.0 200 OK\r\n\r\nold",
	"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 299 Odd words\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\nok",
	"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\nContent-Length: 7\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=\"x\"\r\nok\r\n3\r\nand\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + strings.Repeat("x", 100000) + "\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000),
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
	"HTTP/1.1 200 OK\r\nConnection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 3\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
	"nonsense", "",
	"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
	"HTTP/1.1 500 X\r\nContent-Type: text/x\r\nContent-Length: 1\r\n\r\nx",
}

func TestHTTP2FrontsAgreeOnAnswers(t *testing.T) {
	address, say := scripted(t)
	own, oracle := fronts(t, Target{InstanceID: "i1", Address: address, Phase: Active})
	a, b := own.browser(true), oracle.browser(true)
	for _, raw := range h2Answers {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			say(raw)
			ask := func(c *http.Client) string {
				req, _ := http.NewRequest(method, "https://"+appHost+"/", nil)
				resp, err := c.Do(req)
				if err != nil {
					return "cut"
				}
				return describeResponse(resp)
			}
			x, y := ask(a), ask(b)
			for try := 0; x != y && try < 3; try++ {
				if method == "POST" && x == "502" {
					x = ask(a) // it met the end of a connection that was kept, and is not sent again
				}
				y = ask(b) // net/http's client takes an answer that comes with the end of its connection for a failure now and then
			}
			if x != y {
				t.Errorf("%s of %.100q\nwas answered %.300s\nby x/net     %.300s", method, raw, x, y)
			}
		}
	}
	awaitIdle(t, own)
}

func TestHTTP2InterimAnswersAndExpectations(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(103)
		w.Header().Del("Link")
		io.Copy(w, r.Body)
	})
	h.publish(nil, target("i1", s, Active))
	var hints, continues atomic.Int64
	trace := &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if code == 103 && header.Get("Link") == "</style.css>" {
				hints.Add(1)
			}
			return nil
		},
		Got100Continue: func() { continues.Add(1) },
	}
	c := h.browser(true)
	c.Transport.(*http.Transport).ExpectContinueTimeout = 5 * time.Second
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", "https://"+appHost+"/", strings.NewReader("hello"))
	req.Header.Set("Expect", "100-continue")
	resp, err := c.Do(req)
	check(t, err)
	if body := read(t, resp); body != "hello" || hints.Load() != 1 || continues.Load() != 1 {
		t.Errorf("got %q, %d hints, %d continues", body, hints.Load(), continues.Load())
	}
}

// TestHTTP2StreamsBothWays sends a part, waits for its echo, and sends on: nothing is held back.
func TestHTTP2StreamsBothWays(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		buf := make([]byte, 4096)
		for {
			n, err := r.Body.Read(buf)
			w.Write(buf[:n])
			w.(http.Flusher).Flush()
			if err != nil {
				w.Header().Set(http.TrailerPrefix+"X-Sum", "done")
				return
			}
		}
	})
	h.publish(nil, target("i1", s, Active))
	pr, pw := io.Pipe()
	req, _ := http.NewRequest("POST", "https://"+appHost+"/", pr)
	resp, err := h.browser(true).Do(req)
	check(t, err)
	defer resp.Body.Close()
	for i := range 20 {
		msg := fmt.Sprintf("message %d", i)
		io.WriteString(pw, msg)
		got := make([]byte, len(msg))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != msg {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	pw.Close()
	rest, err := io.ReadAll(resp.Body)
	check(t, err)
	if len(rest) > 0 || resp.Trailer.Get("X-Sum") != "done" {
		t.Errorf("got %q, trailer %v", rest, resp.Trailer)
	}
	awaitIdle(t, h)
}

// TestHTTP2LargeBodies moves more than all windows both ways at once on many streams.
func TestHTTP2LargeBodies(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	h.publish(nil, target("i1", s, Active))
	c := h.browser(true)
	errs := make(chan error, 8)
	for range 8 {
		go func() {
			const size = 3 << 20
			resp, err := c.Post("https://"+appHost+"/", "x", io.LimitReader(zeros{}, size))
			if err != nil {
				errs <- err
				return
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err == nil && n != size {
				err = fmt.Errorf("%d bytes came back", n)
			}
			errs <- err
		}()
	}
	for range 8 {
		check(t, <-errs)
	}
	awaitIdle(t, h)
}

func TestHTTP2SlowReaderGivesItsPlaceBack(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.ClientStall = 100 * time.Millisecond })
	s := app(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, io.LimitReader(zeros{}, 10<<20)) })
	h.publish(nil, target("i1", s, Active))
	t.Run("no window", func(t *testing.T) {
		c := dialH2(t, h, true)
		c.ask(1, true, plainHead...)
		if got, ok := c.until("rst 1 INTERNAL_ERROR"); !ok {
			t.Errorf("got %s", got)
		}
	})
	t.Run("nothing read", func(t *testing.T) {
		c := dialH2(t, h, true)
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		c.WriteWindowUpdate(0, 1<<30)
		for id := uint32(1); id < 40; id += 2 {
			c.ask(id, true, plainHead...)
		}
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight > 0 })
	})
	awaitIdle(t, h)
}

func TestHTTP2SlowBodyIsRefused(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.ClientStall = 50 * time.Millisecond })
	h.publish(nil, Target{InstanceID: "i1", Address: slowApp(t), Phase: Active})
	for _, length := range []string{"content-length: 10", "content-length: 1000000", "a: b"} {
		c := dialH2(t, h, true)
		c.ask(1, false, headOf("POST", "/slow", length)...)
		c.WriteData(1, false, []byte("x"))
		go func() {
			for range 20 { // the connection is alive, only the body is not
				c.WritePing(false, [8]byte{})
				<-time.After(10 * time.Millisecond)
			}
		}()
		if got, ok := c.until("answer 1 408"); !ok {
			t.Errorf("%s: got %s", length, got)
		}
	}
	awaitIdle(t, h)
}

func TestHTTP2SlowHeadEndsTheConnection(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.HeadRead, c.Limits.ClientIdle = 50*time.Millisecond, 150*time.Millisecond })
	h.publish(nil, Target{InstanceID: "i1", Address: slowApp(t), Phase: Active})
	for name, do := range map[string]func(c *rawH2){
		"nothing":        func(c *rawH2) {},
		"half a preface": func(c *rawH2) { io.WriteString(c.conn, http2.ClientPreface[:9]) },
		"half a frame": func(c *rawH2) {
			io.WriteString(c.conn, http2.ClientPreface)
			c.WriteSettings()
			c.conn.Write([]byte{0, 0, 8})
		},
		"half a block": func(c *rawH2) {
			io.WriteString(c.conn, http2.ClientPreface)
			c.WriteSettings()
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...)})
		},
		"idle": func(c *rawH2) { io.WriteString(c.conn, http2.ClientPreface); c.WriteSettings() },
	} {
		c := dialH2(t, h, false)
		do(c)
		if got, ok := c.until("closed"); !ok {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestHTTP2DrainFinishesWhatWasAsked(t *testing.T) {
	h := newHouse(t, nil)
	end := make(chan struct{})
	s := app(t, func(w http.ResponseWriter, r *http.Request) { <-end; io.WriteString(w, "finished") })
	h.publish(nil, target("i1", s, Active))
	c := dialH2(t, h, true)
	c.ask(1, true, plainHead...)
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 })
	h.edge.BeginDrain()
	if got, ok := c.until("goaway NO_ERROR"); !ok {
		t.Fatalf("got %s", got)
	}
	c.ask(3, true, plainHead...) // on its way before the warning was read
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 2 })
	c.seen = nil
	if got, ok := c.until("goaway NO_ERROR"); !ok { // the last one
		t.Fatalf("got %s", got)
	}
	c.ask(5, true, plainHead...) // too late
	close(end)
	c.seen = nil
	c.until("closed")
	if got := fmt.Sprint(c.seen, c.body); !strings.Contains(got, "end 1") || !strings.Contains(got, "end 3") || strings.Contains(got, " 5") {
		t.Errorf("got %s", got)
	}
	h.stop()
}

func TestHTTP2ResetLeavesTheLine(t *testing.T) {
	h := newHouse(t, nil)
	end := make(chan struct{})
	s := app(t, func(w http.ResponseWriter, r *http.Request) { <-end })
	defer close(end)
	h.publish(func(r *Route) { r.MaxConcurrency = 1 }, target("i1", s, Active))
	c := dialH2(t, h, true)
	c.ask(1, true, plainHead...)
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 })
	c.ask(3, true, plainHead...)
	awaitCounters(t, h, func(c Counters) bool { return c.Waiting == 1 })
	c.WriteRSTStream(3, http2.ErrCodeCancel)
	awaitCounters(t, h, func(c Counters) bool { return c.Waiting == 0 && c.InFlight == 1 })
}

// TestFieldEncoderAgreesWithDecoder encodes random fields while the table is resized.
func TestFieldEncoderAgreesWithDecoder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	e := newFieldEncoder()
	dec := hpack.NewDecoder(4096, nil)
	names := []string{"Content-Type", "etag", "x-a", "X-B", "set-cookie", "date", "content-length", "vary", "x-" + strings.Repeat("n", 300)}
	for range 20000 {
		if rnd.IntN(50) == 0 {
			for range 1 + rnd.IntN(2) {
				e.resize([]uint32{0, 40, 100, 1000, 4096, 1 << 20}[rnd.IntN(6)])
			}
		}
		status := []int{200, 204, 404, 418, 503}[rnd.IntN(5)]
		b := e.status(e.begin(nil), status)
		want := []string{fmt.Sprintf(":status: %d", status)}
		for range rnd.IntN(8) {
			name, value := names[rnd.IntN(len(names))], strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(4))+fmt.Sprint(rnd.IntN(30))
			if rnd.IntN(20) == 0 {
				value = strings.Repeat("\xff", rnd.IntN(5000))
			}
			if name == "set-cookie" {
				b = e.secret(b, []byte(name), []byte(value))
			} else {
				b = e.field(b, []byte(name), []byte(value))
			}
			want = append(want, strings.ToLower(name)+": "+value)
		}
		fields, err := dec.DecodeFull(b)
		check(t, err)
		var got []string
		for _, f := range fields {
			got = append(got, f.Name+": "+f.Value)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestLargeAnswerHeadsGoOnInContinuation(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		for i := range 50 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("~", 1000))
		}
	})
	h.publish(nil, target("i1", s, Active))
	resp, _ := get(t, h.browser(true), "/")
	if resp.StatusCode != 200 || len(resp.Header.Get("X-49")) != 1000 {
		t.Errorf("got %d, %d fields", resp.StatusCode, len(resp.Header))
	}
}

func TestHold(t *testing.T) {
	h := newHouse(t, nil)
	hold := func(d time.Duration) func(*Route) {
		return func(r *Route) { r.Hold = d; r.Health.Interval = 10 * time.Millisecond }
	}
	s := app(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "awake") })
	both(t, h, func(t *testing.T, c *http.Client) {
		h.publish(hold(20 * time.Millisecond))
		if resp, body := get(t, c, "/"); resp.StatusCode != 503 || !strings.Contains(body, "no healthy instance") {
			t.Errorf("held too long: %d %q", resp.StatusCode, body)
		}
		h.publish(hold(10 * time.Second))
		answer := make(chan string, 1)
		go func() { _, body := get(t, c, "/"); answer <- body }()
		awaitCounters(t, h, func(c Counters) bool { return c.Waiting == 1 })
		h.publish(hold(10*time.Second), target("i1", s, Active))
		if got := <-answer; got != "awake" {
			t.Errorf("held: got %q", got)
		}
		go func() { resp, _ := get(t, c, "/"); answer <- resp.Status }()
		h.publish(hold(10 * time.Second))
		<-answer
		go func() { resp, _ := get(t, c, "/"); answer <- resp.Status }()
		awaitCounters(t, h, func(c Counters) bool { return c.Waiting == 1 })
		h.publish(func(r *Route) { r.Serving = ServingPaused })
		if got := <-answer; !strings.HasPrefix(got, "503") {
			t.Errorf("paused while held: got %s", got)
		}
	})
	awaitIdle(t, h)
}

// A client that goes on sending, with frames that straddle what it writes, is not taken for one that does not finish a frame.
func TestHTTP2FramesMayStraddle(t *testing.T) {
	if underRace {
		t.Skip("too slow to go on without a pause")
	}
	h := newHouse(t, func(c *Config) { c.Limits.ClientStall = 500 * time.Millisecond })
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})
	h.publish(nil, target("i1", s, Active))
	c := dialH2(t, h, true)
	c.ask(1, false, headOf("POST", "/")...)
	frame := append(appendFrameHeader(nil, 100, http2.FrameData, 0, 1), make([]byte, 100)...)
	c.conn.Write(frame[:50])
	straddling := append(append([]byte(nil), frame[50:]...), frame[:50]...)
	const frames = 120
	for range frames - 1 { // longer than one frame may take
		time.Sleep(20 * time.Millisecond)
		c.conn.Write(straddling)
	}
	c.conn.Write(frame[50:])
	c.WriteData(1, true, nil)
	if got, ok := c.until("end 1"); !ok || c.body[1] != len(fmt.Sprint(100*frames, nil)) {
		t.Errorf("got %s", got)
	}
}
