package edge

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// BenchmarkRequest measures one request over a kept connection, with client and application that allocate nothing; allocations
// are those of the edge.
func BenchmarkRequest(b *testing.B) {
	answer := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n" + strings.Repeat("x", 1024)
	conn := benchConn(b, []byte(answer))
	request := []byte("GET /path?query HTTP/1.1\r\n" + ownHost + "User-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=b\r\n\r\n")
	got := make([]byte, len(answer))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, got); err != nil {
			b.Fatal(err)
		}
	}
}

// benchConn returns a connection to an edge whose one application gives the same answer to every head.
func benchConn(b testing.TB, answer []byte) net.Conn {
	conn := dialPlain(b, benchHouse(b, answer))
	conn.SetDeadline(time.Time{})
	return conn
}

// benchHouse is an edge whose one application gives the same answer to every head.
func benchHouse(b testing.TB, answer []byte) *house {
	h := newHouse(b, func(c *Config) { c.Limits.Tick = time.Second })
	h.publish(func(r *Route) { r.Health.Interval = time.Hour }, Target{InstanceID: "i1", Address: benchApp(b, answer), Phase: Active})
	return h
}

// benchApp is the address of an application that gives the same answer to every head.
func benchApp(b testing.TB, answer []byte) string {
	l := listen(b)
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					line, err := r.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) == 2 {
						conn.Write(answer)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

var underRace bool // set by race_test.go

// TestSteadyStateAllocatesNothing keeps the hot path free of garbage.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes sync.Pool forget")
	}
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\nok")
	conn := benchConn(t, answer)
	request := []byte("GET / HTTP/1.1\r\n" + ownHost + "\r\n")
	got := make([]byte, len(answer))
	once := func() {
		conn.Write(request)
		io.ReadFull(conn, got)
	}
	for range 100 {
		once()
	}
	if n := testing.AllocsPerRun(2000, once); n >= 0.5 {
		t.Errorf("%.1f allocations per request", n)
	}
}

func BenchmarkParseRequest(b *testing.B) {
	raw := []byte("GET /path?query HTTP/1.1\r\n" + ownHost + "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n")
	var h head
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		end, _, _ := scanHead(raw, 0, true)
		if f := h.parseRequest(raw[:end], 100); f != nil {
			b.Fatal(f)
		}
	}
}

// TestHTTP2SteadyStateAllocatesLittle keeps streams, buffers and header blocks out of the garbage. What the client of this test
// allocates is counted too.
func TestHTTP2SteadyStateAllocatesLittle(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes sync.Pool forget")
	}
	ask, _ := benchHTTP2(t)
	for range 200 {
		ask()
	}
	if n := testing.AllocsPerRun(2000, ask); n > 4 {
		t.Errorf("%.1f allocations per request", n)
	}
}

// BenchmarkHTTP2Request measures one request after the other on one connection.
func BenchmarkHTTP2Request(b *testing.B) {
	ask, _ := benchHTTP2(b)
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// benchHTTP2 returns a function that asks over HTTP/2 and waits for the end of the answer, with a client that hardly allocates.
func benchHTTP2(t testing.TB) (ask func(), h *house) {
	answer := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\n" + strings.Repeat("x", 1024)
	h = benchHouse(t, []byte(answer))
	c := dialH2(t, h, true)
	c.conn.SetDeadline(time.Time{})
	c.WriteWindowUpdate(0, 1<<30)
	first, later := c.fields(plainHead...), c.fields(plainHead...) // the second block finds all of the first in the table
	block := first
	id := uint32(1)
	in, w := make([]byte, 64<<10), 0
	return func() {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: true})
		block = later
		for ended := false; !ended; {
			n, err := c.conn.Read(in[w:])
			if err != nil {
				t.Fatal(err)
			}
			w += n
			for w >= frameHeader {
				length, f := parseFrameHeader(in)
				if w < frameHeader+length {
					break
				}
				ended = ended || f.id == id && f.flags&http2.FlagDataEndStream != 0
				w = copy(in, in[frameHeader+length:w])
			}
		}
		id += 2
	}, h
}
