package edge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// record returns the bytes that a case sends.
func record(t testing.TB, do func(*rawH2)) []byte {
	var sent bytes.Buffer
	c := &rawH2{t: t, Framer: http2.NewFramer(&sent, strings.NewReader("")), body: map[uint32]int{}}
	c.AllowIllegalWrites = true
	c.enc, c.dec = hpack.NewEncoder(&c.block), hpack.NewDecoder(4096, nil)
	do(c)
	return sent.Bytes()
}

// FuzzHTTP2: whatever frames a client sends, the connection ends when the client does, every frame that comes back can be read, every
// header block decoded, and nothing stays in flight.
func FuzzHTTP2(f *testing.F) {
	for _, c := range h2Cases {
		if sent := record(f, c.do); len(sent) < 8<<10 {
			f.Add(sent)
		}
	}
	for _, head := range malformed {
		f.Add(record(f, ask(1, head...)))
	}
	l := listen(f)
	f.Cleanup(func() { l.Close() })
	f.Fuzz(func(t *testing.T, frames []byte) {
		synctest.Test(t, func(t *testing.T) { nonsense(t, l, frames) })
	})
}

// nonsense is one connection to an edge of its own, whose time is nobody's: what it waits for comes at once, and it is over only
// when everything that it began has ended.
func nonsense(t *testing.T, l net.Listener, frames []byte) {
	s, err := New(Config{Plain: l, Limits: Limits{StreamsPerConn: 8}})
	check(t, err)
	defer time.Sleep(time.Minute) // for what the application has left
	defer s.cancel()
	defer s.crew.trim(math.MaxInt64)
	s.routing.ask = func(context.Context, string, HealthCheck) string { return "" }
	route := Route{
		ServiceARN: appARN, Hosts: []string{appHost}, MaxConcurrency: 200,
		Targets: []Target{{InstanceID: "i1", Address: "127.0.0.1:1", Phase: Active}},
	}
	check(t, s.routing.apply(Table{Routes: []Route{route}}, true))
	pool := &s.routing.services[appARN].backends["i1"].pool
	for range 20 {
		pool.put(pipeToApp(t), 0)
	}
	defer pool.close()
	go s.tick(t.Context())
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serveH2(s.conns.add(server, &s.limits), server)
	}()
	var start bytes.Buffer
	start.WriteString(http2.ClientPreface)
	http2.NewFramer(&start, nil).WriteSettings()
	go func() {
		client.Write(start.Bytes())
		client.Write(frames)
		http2.NewFramer(client, nil).WritePing(false, [8]byte([]byte(lastWords)))
	}()
	readFrames(t, client)
	client.Close()
	select {
	case <-done:
	case <-time.After(time.Hour):
		t.Fatal("the connection does not end")
	}
	synctest.Wait()
	if n := s.routing.services[appARN].inFlight; n != 0 {
		t.Fatalf("%d requests are still in flight", n)
	}
}

// pipeToApp is a connection to an application that takes its time for some requests and echoes what comes after an upgrade. Whatever the
// client sends, what arrives are requests that the edge has made.
func pipeToApp(t *testing.T) *upstreamConn {
	edge, app := net.Pipe()
	go func() {
		defer app.Close()
		in := bufio.NewReader(app)
		for {
			r, err := http.ReadRequest(in)
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
				return
			case err != nil:
				t.Errorf("the application is sent what is no request: %v", err)
				return
			case r.Header.Get("X-Forwarded-Proto") != "https" || len(r.Header["X-Request-Id"]) != 1:
				t.Errorf("the application is sent a request that is not of the edge: %v", r)
			}
			if !answerPipe(app, in, r) {
				return
			}
		}
	}()
	return &upstreamConn{wire: edge, raw: alwaysQuiet{}, quiet: true}
}

// answerPipe answers one request; false when there is no other.
func answerPipe(app net.Conn, in *bufio.Reader, r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" && r.URL.Path != "/" {
		io.WriteString(app, agrees(r))
		io.Copy(app, in)
		return false
	}
	if r.URL.Path == "/slow" {
		time.Sleep(50 * time.Millisecond)
		io.Copy(io.Discard, r.Body)
	}
	_, err := io.WriteString(app, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	io.Copy(io.Discard, r.Body)
	return err == nil
}

// alwaysQuiet stands for the socket that a pipe has not.
type alwaysQuiet struct{ syscall.RawConn }

func (alwaysQuiet) Read(func(uintptr) bool) error { return nil }

// lastWords end what a client sends.
const lastWords = "the end."

// readFrames reads what comes back until the end, or until the last words are answered.
func readFrames(t *testing.T, r io.Reader) {
	fr := http2.NewFramer(nil, r)
	dec := hpack.NewDecoder(4096, func(hpack.HeaderField) {})
	fr.SetMaxReadFrameSize(1 << 20)
	for {
		f, err := fr.ReadFrame()
		switch err := err.(type) {
		case nil:
		case http2.ConnectionError, http2.StreamError:
			t.Fatalf("sent a frame that is none: %v", err)
		default:
			return
		}
		switch f := f.(type) {
		case *http2.PingFrame:
			if f.IsAck() && string(f.Data[:]) == lastWords {
				return
			}
		case *http2.HeadersFrame:
			if _, err := dec.Write(f.HeaderBlockFragment()); err != nil {
				t.Fatal(err)
			}
		case *http2.ContinuationFrame:
			if _, err := dec.Write(f.HeaderBlockFragment()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
