package edge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	l := Limits{BodyRate: 100, BodyGrace: 10 * time.Second, ClientStall: 8 * time.Second}
	var p pace
	for i, step := range []struct {
		waited time.Duration
		n      int
		left   time.Duration
	}{
		{0, 1 << 20, 8 * time.Second}, // a quick beginning earns nothing for later
		{5 * time.Second, 100, 6 * time.Second},
		{time.Second, 100, 6 * time.Second},
		{4 * time.Second, 0, 2 * time.Second},
		{time.Second, 900, 8 * time.Second},
		{8 * time.Second, 1, 2*time.Second + 10*time.Millisecond},
		{3 * time.Second, 10, -890 * time.Millisecond},
	} {
		p.took(step.waited, step.n, &l)
		if got := p.left(hastePace, &l); got != step.left {
			t.Errorf("step %d: %v are left, want %v", i, got, step.left)
		}
	}
	if p.left(hasteStall, &l) != l.ClientStall || p.left(hasteNone, &l) != forever {
		t.Error("without a pace to keep there is always time")
	}
}

// paced is an edge that wants 10 KB a second, over HTTP/1.1, HTTP/2, HTTP/3 and what goes through net/http.
func paced(t *testing.T, grace time.Duration, f func(t *testing.T, h *house, c *http.Client), app Target) {
	h, over3 := http3House(t, func(c *Config) { c.Limits.BodyRate, c.Limits.BodyGrace = 10_000, grace })
	h.publish(nil, app)
	through := h.browser(false)
	through.Transport = absolute{through.Transport.(*http.Transport)}
	for name, c := range map[string]*http.Client{"http1": h.browser(false), "http2": h.browser(true), "http3": over3, "absolute": through} {
		t.Run(name, func(t *testing.T) { f(t, h, c) })
	}
}

// absolute asks as one asks a proxy, which the edge leaves to net/http.
type absolute struct{ *http.Transport }

func (a absolute) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Opaque = "//" + r.URL.Host + r.URL.Path
	return a.Transport.RoundTrip(r)
}

// dripping is a body of a length that never ends.
func dripping(t *testing.T) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	go func() {
		_, err := w.Write(make([]byte, 200_000)) // quick at first
		for err == nil {
			time.Sleep(10 * time.Millisecond)
			_, err = w.Write([]byte("x"))
		}
	}()
	return r
}

func TestSlowBodiesHoldNoPlace(t *testing.T) {
	var ended atomic.Value
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended.Store(fmt.Sprint(err))
	})
	paced(t, 200*time.Millisecond, func(t *testing.T, h *house, c *http.Client) {
		for _, length := range []int64{10 << 20, -1} {
			ended.Store("")
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://"+appHost+"/", dripping(t))
			req.ContentLength = length
			resp, err := c.Do(req)
			check(t, err)
			if body := read(t, resp); resp.StatusCode != 408 || !strings.Contains(body, "did not arrive in time") {
				t.Errorf("length %d: %d %q", length, resp.StatusCode, body)
			}
			awaitIdle(t, h)
			for deadline := time.Now().Add(5 * time.Second); ended.Load() != "unexpected EOF"; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the application saw the body end with %q", ended.Load())
				}
			}
		}
	}, target("i1", s, Active))
}

// Who is slow because the instance is, because it was not told to go on, or because it talks with an instance that has begun to answer, is
// not to blame.
func TestPatientBodies(t *testing.T) {
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			time.Sleep(1500 * time.Millisecond)
		}
		if r.URL.Path == "/talk" {
			http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
		}
		io.Copy(w, r.Body)
	})
	paced(t, time.Second, func(t *testing.T, h *house, c *http.Client) {
		t.Parallel()
		large := strings.Repeat("x", 2<<20)
		var asking sync.WaitGroup
		for _, expect := range []string{"", "100-continue"} {
			asking.Go(func() {
				req, _ := http.NewRequest("POST", "https://"+appHost+"/late", strings.NewReader(large))
				if expect != "" {
					req.Header.Set("Expect", expect)
				}
				resp, err := c.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				if body := read(t, resp); body != large {
					t.Errorf("expect %q: %d, %d bytes", expect, resp.StatusCode, len(body))
				}
			})
		}
		from, to := io.Pipe()
		go to.Write([]byte("one"))
		resp, err := c.Post("https://"+appHost+"/talk", "text/plain", from)
		check(t, err)
		time.Sleep(1500 * time.Millisecond)
		to.Write([]byte("two"))
		to.Close()
		if body := read(t, resp); body != "onetwo" {
			t.Errorf("got %q", body)
		}
		asking.Wait()
	}, target("i1", s, Active))
}

// A client that waits for leave to send its body is not hurried by an instance that takes its time to give it, but is from then on.
func TestExpectingClientsAreNotHurried(t *testing.T) {
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(700 * time.Millisecond)
		io.Copy(io.Discard, r.Body)
	})
	h := newHouse(t, func(c *Config) {
		c.Limits.BodyRate, c.Limits.BodyGrace = 10_000, 300*time.Millisecond
	})
	h.publish(nil, target("i1", s, Active))
	conn := dialPlain(t, h)
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", appHost)
	r := bufio.NewReader(conn)
	for _, want := range []int{100, 408} {
		resp, err := http.ReadResponse(r, nil)
		check(t, err)
		if resp.StatusCode != want {
			t.Fatalf("got %d, want %d", resp.StatusCode, want)
		}
	}
	c := dialH2(t, h, true)
	c.ask(1, false, headOf("POST", "/", "expect: 100-continue", "content-length: 5")...)
	if got, ok := c.until("answer 1 408"); !ok || c.seen[len(c.seen)-1] != got || !strings.Contains(fmt.Sprint(c.seen), "answer 1 100") {
		t.Errorf("got %v", c.seen)
	}
}

// slowReader opens a connection, asks for a large answer and takes none of it.
func slowReader(t *testing.T, h *house, head string) {
	conn := dialPlain(t, h)
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	io.WriteString(conn, head)
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 })
	awaitIdle(t, h)
}

// Clients that take nothing of an answer, or too little, hold a place for a time only, whichever way they are served.
func TestSlowReadersHoldNoPlace(t *testing.T) {
	s := app(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 64<<20)) })
	for name, adjust := range map[string]func(*Config){
		"stall": func(c *Config) { c.Limits.ClientStall = 200 * time.Millisecond },
		"whole": func(*Config) {}, // the time of the request ends it
	} {
		t.Run(name, func(t *testing.T) {
			h, over3 := http3House(t, adjust)
			h.publish(func(r *Route) {
				if name == "whole" {
					r.RequestTimeout = 500 * time.Millisecond
				}
			}, target("i1", s, Active))
			slowReader(t, h, "GET / HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n")
			slowReader(t, h, "GET / HTTP/1.0\r\nHost: "+appHost+"\r\n\r\n")
			slowReader(t, h, "GET http://"+appHost+"/ HTTP/1.1\r\nHost: "+appHost+"\r\n\r\n")
			for _, c := range []*http.Client{h.browser(true), over3} {
				ctx, cancel := context.WithCancel(t.Context())
				req, _ := http.NewRequestWithContext(ctx, "GET", "https://"+appHost+"/", nil)
				resp, err := c.Do(req)
				check(t, err)
				awaitIdle(t, h)
				if _, err := io.Copy(io.Discard, resp.Body); err == nil || errors.Is(err, context.Canceled) {
					t.Errorf("%s: the answer ended with %v", resp.Proto, err)
				}
				cancel()
			}
		})
	}
}
