package edge

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
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
	s, err := New(Config{Plain: l, Limits: Limits{StreamsPerConn: 8, Tick: 5 * time.Millisecond, Linger: time.Millisecond, QueueWait: time.Millisecond, ClientStall: 20 * time.Millisecond, HeadRead: 20 * time.Millisecond}})
	check(f, err)
	route := Route{
		ServiceARN: appARN, Hosts: []string{appHost}, MaxConcurrency: 200, RequestTimeout: 100 * time.Millisecond,
		Targets: []Target{{InstanceID: "i1", Address: slowApp(f), Phase: Active}},
	}
	check(f, s.routing.apply(Table{Routes: []Route{route}}, true))
	go s.tick(f.Context())
	f.Fuzz(func(t *testing.T, frames []byte) {
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
			client.SetWriteDeadline(time.Now().Add(5 * time.Second))
			client.Write(start.Bytes())
			client.Write(frames)
			http2.NewFramer(client, nil).WritePing(false, [8]byte([]byte(lastWords)))
			client.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
		}()
		readFrames(t, client)
		client.Close()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("the connection does not end")
		}
	})
}

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
