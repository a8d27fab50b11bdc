package edge

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"
)

// answerBuffer is the size of the buffer answers pass through.
const answerBuffer = 16 << 10

// h1Exchange is one request and its answer. It is taken from a pool when a head has arrived and given back after the answer, so
// that idle connections hold no buffers.
type h1Exchange struct {
	c        *h1Conn
	req, ans head
	out      []byte // what is written next: the request, later the beginning of the answer
	up       []byte // what came from the instance
	ur, uw   int    // and is not used yet: up[ur:uw]
	id       [32]byte

	service *service
	route   *Route
	backend *backend
	conn    *upstreamConn

	start, due time.Duration
	status     int
	failure    *failure
	sent       int64 // body bytes to the client
	body       requestBody
}

// outcome says what becomes of the connection.
type outcome uint8

const (
	closeNow outcome = iota
	closeAfter
	keepOpen
	toStd
)

var exchanges = sync.Pool{New: func() any {
	return &h1Exchange{out: make([]byte, 0, answerBuffer), up: make([]byte, answerBuffer)}
}}

func newExchange(c *h1Conn) *h1Exchange {
	x := exchanges.Get().(*h1Exchange)
	x.c = c
	return x
}

// free gives x back with nothing in it but its memory.
func (x *h1Exchange) free() {
	req, ans := x.req, x.ans
	req.reset()
	ans.reset()
	out := x.out[:0]
	if cap(out) > 2*smallBody {
		out = make([]byte, 0, answerBuffer)
	}
	*x = h1Exchange{req: req, ans: ans, out: out, up: x.up}
	exchanges.Put(x)
}

// serve serves the request whose head ends at end in the connection's buffer, or tells the failure found while reading it.
func (x *h1Exchange) serve(end int, f *failure) outcome {
	c := x.c
	x.start = c.s.now()
	defer x.account()
	c.begin(x.start)
	x.req.reset()
	if f == nil {
		f = x.req.parseRequest(c.in[c.r:end], c.s.limits.Headers)
	}
	if f != nil {
		x.req.close = true // what follows cannot be told apart from the fault
		return x.refuse(f)
	}
	if x.foreign() {
		return toStd
	}
	c.r = end
	x.service = c.s.routing.lookup(text(x.req.host))
	if x.service == nil {
		return x.refuse(failUnknownHost)
	}
	if f := x.takeBody(); f != nil {
		x.req.close = true
		return x.refuse(f)
	}
	return x.forward()
}

// foreign tells whether net/http is to serve the request: upgrades, HTTP/1.0 and targets with a host of their own.
func (x *h1Exchange) foreign() bool {
	return x.req.upgrade || x.req.minor == 0 || (x.req.target[0] != '/' && len(x.req.target) > 1)
}

// text views bytes as a string without copying. The bytes stay as they are for as long as the string is used.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// forward claims a place, asks an instance and passes its answer on.
func (x *h1Exchange) forward() outcome {
	cl := x.service.claim(context.Background())
	if cl.failure != nil {
		if cl.failure == failBusy {
			x.service.counters.rejected.Add(1)
		}
		return x.refuse(cl.failure)
	}
	x.backend, x.route = cl.backend, cl.route
	defer func() { x.service.release(x.backend) }()
	x.due = x.start + x.route.RequestTimeout
	if f := x.compose(); f != nil {
		return x.refuse(f)
	}
	if f := x.send(); f != nil {
		return x.fail(f)
	}
	return x.answer()
}

// compose writes the request for the instance into out (§19): the client's header without what ends here, X-Forwarded-For with the
// client appended, X-Forwarded-Proto, a request id, and as much of the body as is there.
func (x *h1Exchange) compose() *failure {
	r, b := &x.req, x.out[:0]
	b = append(b, r.method...)
	b = append(b, ' ')
	b = append(b, r.target...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = r.appendFields(b, passRequest)
	b = append(b, "X-Forwarded-For: "...)
	if r.forwarded > 0 {
		for i := range r.fields {
			if r.fields[i].kind == kindForwardedFor {
				b = append(b, r.fields[i].value...)
				b = append(b, ", "...)
			}
		}
	}
	b = append(b, x.c.ip...)
	b = append(b, "\r\nX-Forwarded-Proto: https\r\nX-Request-Id: "...)
	b = append(b, x.requestID()...)
	b = append(b, "\r\n"...)
	if r.trailersOK {
		b = append(b, "Te: trailers\r\n"...)
	}
	if r.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	b = append(b, "\r\n"...)
	b, f := x.appendBody(b)
	x.out = b
	return f
}

// requestID returns the client's id or a new one.
func (x *h1Exchange) requestID() []byte {
	if x.req.requestID == nil {
		x.req.requestID = appendRequestID(x.id[:0])
	}
	return x.req.requestID
}

// send sends the request until an instance begins to answer. A connection that was kept may have been closed by the instance in
// the meantime: then a fresh one is tried. An instance that breaks is tried no more, and another one is, once, when nothing is
// lost by asking again.
func (x *h1Exchange) send() *failure {
	fresh, moved := false, false
	for {
		f, again := x.attempt(&fresh)
		if f == nil || x.c.timedOut() {
			return f
		}
		if again {
			continue
		}
		if f == failRefused {
			x.service.suspect(x.backend)
		}
		if moved || x.body.copied != nil || (f != failRefused && !idempotent(text(x.req.method))) {
			return f
		}
		other := x.service.claimOther(x.backend)
		if other == nil {
			return f
		}
		x.service.counters.retries.Add(1)
		x.service.release(x.backend)
		x.backend, moved, fresh = other, true, false
	}
}

// attempt sends the request once. again asks for another attempt at the same instance, on a fresh connection.
func (x *h1Exchange) attempt(fresh *bool) (f *failure, again bool) {
	safe := idempotent(text(x.req.method)) && !x.body.streaming
	reused := true
	x.conn = nil
	if !*fresh {
		x.conn = x.backend.pool.get()
	}
	if x.conn == nil {
		conn, err := x.backend.dial(context.Background(), x.c.s.limits.Connect)
		if err != nil {
			return failRefused, false
		}
		x.conn, reused = conn, false
	}
	x.c.enter(phaseWait, x.due, x.conn)
	n, err := x.conn.Write(x.out)
	if err == nil && x.body.streaming {
		x.stream()
	}
	// Even when writing failed an answer may be there: an instance may answer, say 413, and close.
	x.ur = 0
	x.uw, _ = x.conn.Read(x.up)
	if x.uw > 0 {
		return nil, false
	}
	x.drop()
	*fresh = true
	return failBroken, reused && x.body.copied == nil && (safe || (err != nil && n == 0))
}

// drop closes the connection to the instance, and ends what still goes over it.
func (x *h1Exchange) drop() {
	if x.conn != nil {
		x.c.enter(phaseWait, x.due, nil)
		x.conn.Close()
		x.conn = nil
	}
	x.endBody()
}

// timedOut tells whether the time of the request is over.
func (c *h1Conn) timedOut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expired != nil
}

// fail ends an exchange that got no answer from an instance.
func (x *h1Exchange) fail(f *failure) outcome {
	x.drop()
	var own *failure
	switch {
	case x.c.expiredIn(phaseWait) == failGone:
		return closeNow
	case x.c.timedOut():
		f = failTimeout
	case errors.As(x.body.err, &own) && own != failBody:
		f = own
	case errors.Is(x.body.err, os.ErrDeadlineExceeded):
		f = failSlowBody
	case own != nil:
		return closeNow // the client went away in the middle of its body
	}
	x.req.close = x.req.close || !x.bodyDone() || x.c.timedOut()
	return x.refuse(f)
}

// refuse answers with f. The connection stays when nothing of the request is left on it.
func (x *h1Exchange) refuse(f *failure) outcome {
	c := x.c
	keep := !x.req.close && x.skipBody() && !c.s.draining.Load()
	x.status, x.failure = f.status, f
	x.out = c.appendFailure(x.out[:0], f, &x.req, x.requestID(), keep)
	c.restart()
	c.enter(phaseSend, c.s.now()+c.s.limits.ClientStall, nil)
	if _, err := c.nc.Write(x.out); err != nil {
		return closeNow
	}
	if keep {
		return keepOpen
	}
	return closeAfter
}

// account counts the finished request and tells the access log.
func (x *h1Exchange) account() {
	if x.service == nil && x.status == 0 {
		return // handed over, or the client went away
	}
	s := x.c.s
	took := s.now() - x.start
	if x.service != nil {
		x.service.counters.done(x.status, took, x.body.received, x.sent)
	}
	if s.cfg.AccessLog == nil {
		return
	}
	rec := AccessRecord{
		Start: s.started.Add(x.start), Took: took, Client: x.c.cc.RemoteAddr().String(), Method: string(x.req.method),
		Host: string(x.req.host), Target: string(x.req.target), Protocol: "HTTP/1." + strconv.Itoa(x.req.minor), Status: x.status,
		BytesIn: x.body.received, BytesOut: x.sent, RequestID: string(x.req.requestID),
	}
	if x.service != nil {
		rec.ServiceARN = x.service.arn
	}
	if x.backend != nil {
		rec.Instance = x.backend.id
	}
	if x.failure != nil {
		rec.Cause = x.failure.cause
	}
	s.cfg.AccessLog(&rec)
}
