package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// This file reaches instances that speak HTTP/2 without TLS (tag slipway:protocol=h2c), as gRPC servers do. To the rest of the edge
// such an instance looks like one that speaks HTTP/1.1: what a call writes to its connection goes out as one HTTP/2 request, and
// what comes back is what the call reads. So time limits, places, retries and accounts are the same for both (ADR 7).

// h2cTransport makes HTTP/2 connections with prior knowledge (RFC 9113 §3.3).
func h2cTransport(l *Limits) *http.Transport {
	only := &http.Protocols{}
	only.SetUnencryptedHTTP2(true)
	return &http.Transport{
		DialContext: dialSettling(&net.Dialer{Timeout: l.Connect}), Protocols: only, DisableCompression: true,
		MaxResponseHeaderBytes: 8 * int64(l.HeadBytes), // beyond it the connection ends; up to it the call says what is wrong
		ExpectContinueTimeout:  l.Linger, IdleConnTimeout: l.UpstreamIdle,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: l.ClientStall, PingTimeout: l.ClientStall / 2,
			MaxReceiveBufferPerStream: h2cStreamWindow, MaxReceiveBufferPerConnection: h2cConnWindow,
		},
	}
}

// Windows for answers: what one stream, and all streams of a connection, may have sent that no client took yet.
const (
	h2cStreamWindow = 256 << 10
	h2cConnWindow   = 16 << 20
)

// h2cPool holds the HTTP/2 connections to one instance: one, or more when the instance wants few streams on each.
type h2cPool struct {
	dialing sync.Mutex // one connection is made at a time: those who wait for it may find room there
	mu      sync.Mutex
	conns   []*http.ClientConn
}

// reserve returns a connection with room for one more request, and makes that room its own. The error is failNotH2C if the instance
// speaks HTTP/1.1.
func (p *h2cPool) reserve(ctx context.Context, t *http.Transport, address string) (*http.ClientConn, error) {
	if c := p.spare(); c != nil {
		return c, nil
	}
	p.dialing.Lock()
	defer p.dialing.Unlock()
	if c := p.spare(); c != nil {
		return c, nil
	}
	var first *settling
	c, err := t.NewClientConn(context.WithValue(ctx, settlingKey{}, &first), "http", address)
	if err != nil {
		return nil, err
	}
	first.wait(ctx)
	if err = c.Reserve(); first.older() {
		err = failNotH2C // which is why there is no room
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	return c, nil
}

// spare reserves room on a connection there is, and forgets those that ended.
func (p *h2cPool) spare() *http.ClientConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	for _, c := range p.conns {
		if c.Available() > 0 && c.Reserve() == nil {
			return c
		}
	}
	return nil
}

// sweep forgets the connections that take no more requests; those in flight on them go on.
func (p *h2cPool) sweep() {
	kept := p.conns[:0]
	for _, c := range p.conns {
		if c.Err() == nil {
			kept = append(kept, c)
		}
	}
	clear(p.conns[len(kept):])
	p.conns = kept
}

// close closes all connections.
func (p *h2cPool) close() {
	p.mu.Lock()
	conns := p.conns
	p.conns = nil
	p.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// h2cExchange is one request to such an instance.
type h2cExchange struct {
	backend   *backend
	transport *http.Transport
	conn      *http.ClientConn // reserved for the first attempt
	up, down  *pipe            // the request and the answer, as HTTP/1.1
	ctx       context.Context  //nolint:containedctx // ended by Close
	cancel    context.CancelFunc
	failed    *failure    // why there is no answer; set before down ends
	withdrew  bool        // the instance cancelled the stream in its answer; set before down ends
	sentAway  atomic.Bool // its time at the instance is over
}

// What waits in the pipes of one exchange at most, give or take one write.
const h2cPipe = 64 << 10

// openH2C reserves room for a request and returns the connection to write it to.
func (s *Server) openH2C(b *backend) (*upstreamConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limits.Connect)
	defer cancel()
	conn, err := b.pool.h2c.reserve(ctx, s.h2c, b.address)
	if err != nil {
		return nil, err
	}
	x := &h2cExchange{backend: b, transport: s.h2c, conn: conn, up: newPipe(h2cPipe), down: newPipe(h2cPipe)}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	go x.run()
	return &upstreamConn{wire: x}, nil
}

// Read gives the answer.
func (x *h2cExchange) Read(b []byte) (int, error) {
	n, err := x.down.Read(b)
	if err == io.EOF && x.failed != nil {
		err = x.failed
	}
	return n, err
}

// Write takes the request.
func (x *h2cExchange) Write(b []byte) (int, error) { return x.up.Write(b) }

// Close gives the exchange up; the instance is told if it was not over.
func (x *h2cExchange) Close() error {
	x.cancel()
	x.up.end()
	x.down.cut()
	return nil
}

// SetDeadline ends both directions when t is in the past.
func (x *h2cExchange) SetDeadline(t time.Time) error {
	x.up.setDeadline(t)
	x.down.setDeadline(t)
	return nil
}

// SetWriteDeadline ends writing when t is in the past.
func (x *h2cExchange) SetWriteDeadline(t time.Time) error {
	x.up.setDeadline(t)
	return nil
}

// run carries the request there and the answer back.
func (x *h2cExchange) run() {
	defer x.up.cut()
	defer x.down.end()
	defer x.cancel()
	r, err := http.ReadRequest(bufio.NewReader(x.up))
	if err != nil {
		x.conn.Release()
		return // given up before it was written
	}
	resp, err := x.roundTrip(r)
	if err != nil {
		x.failed = h2cFailure(err)
		return
	}
	defer resp.Body.Close()
	if _, err := x.down.Write(appendStdHead(nil, resp)); err == nil {
		x.passBody(resp)
	}
}

// roundTrip sends the request, and again when the instance says that it has not looked at it (RFC 9113 §8.7): it was about to close
// the connection, or wants fewer streams at a time.
func (x *h2cExchange) roundTrip(r *http.Request) (*http.Response, error) {
	ctx := httptrace.WithClientTrace(x.ctx, &httptrace.ClientTrace{Got1xxResponse: x.passInterim})
	r = r.WithContext(ctx)
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", r.Host
	if r.Header["User-Agent"] == nil {
		r.Header["User-Agent"] = nil // none of net/http's
	}
	body := &replay{src: r.Body}
	for tries := 0; ; tries++ {
		if r.Body != http.NoBody {
			r.Body = &replayReader{from: body}
		}
		resp, err := x.conn.RoundTrip(r)
		if err == nil || tries == h2cTries || !unprocessed(err) || !body.replayable() {
			body.forget()
			return resp, err
		}
		if x.conn, err = x.backend.pool.h2c.reserve(ctx, x.transport, x.backend.address); err != nil {
			return nil, failRefused // nothing was done with the request, so that another instance may
		}
	}
}

// h2cTries is how often a request is sent again that the instance did not look at.
const h2cTries = 3

// unprocessed tells whether the instance said that it did nothing with the request.
func unprocessed(err error) bool {
	if s, ok := errors.AsType[http2.StreamError](err); ok {
		return s.Code == http2.ErrCodeRefusedStream
	}
	return strings.HasSuffix(err.Error(), "graceful shutdown GOAWAY") || strings.HasSuffix(err.Error(), "client conn not usable")
}

// h2cFailure tells what a client is told when there is no answer.
func h2cFailure(err error) *failure {
	switch text := err.Error(); {
	case errors.Is(err, failRefused):
		return failRefused
	case strings.Contains(text, "response header list larger than advertised limit"):
		return failBigAnswer
	}
	return failBroken
}

// passInterim passes a 1xx answer on.
func (x *h2cExchange) passInterim(code int, h textproto.MIMEHeader) error {
	b := append(appendStdStatus(nil, code), appendStdFields(nil, http.Header(h))...)
	_, err := x.down.Write(append(b, "\r\n"...))
	return err
}

// passBody passes the body on as it comes, with its trailers, and leaves the answer without its end when the instance does.
func (x *h2cExchange) passBody(resp *http.Response) {
	chunked := resp.ContentLength < 0
	piece := make([]byte, answerBuffer)
	var out []byte
	for {
		n, err := resp.Body.Read(piece)
		out = out[:0]
		if chunked {
			out = appendChunk(out, piece[:n])
		} else {
			out = append(out, piece[:n]...)
		}
		if err == io.EOF && chunked {
			out = append(appendStdFields(append(out, "0\r\n"...), resp.Trailer), "\r\n"...)
		}
		if len(out) > 0 {
			if _, gone := x.down.Write(out); gone != nil {
				return
			}
		}
		if err != nil {
			x.breakOff(resp, err)
			return
		}
	}
}

// appendStdHead appends the head of an answer of net/http as HTTP/1.1, framed so that its trailers can follow.
func appendStdHead(b []byte, resp *http.Response) []byte {
	b = appendStdFields(appendStdStatus(b, resp.StatusCode), resp.Header)
	_, sized := resp.Header["Content-Length"]
	bodiless := resp.Request.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	switch {
	case bodiless || sized:
	case resp.ContentLength < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	default:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), resp.ContentLength, 10), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func appendStdStatus(b []byte, code int) []byte {
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(code), 10)
	b = append(append(b, ' '), http.StatusText(code)...)
	return append(b, "\r\n"...)
}

func appendStdFields(b []byte, h http.Header) []byte {
	for name, values := range h {
		for _, v := range values {
			b = append(append(b, name...), ": "...)
			b = append(append(b, v...), "\r\n"...)
		}
	}
	return b
}
