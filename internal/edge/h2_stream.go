package edge

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// h2Stream is one request of an HTTP/2 connection and its answer. It is taken from a pool when its head begins and given back when a
// worker has served it.
type h2Stream struct {
	call
	c   *h2Conn
	clk clock
	id  uint32

	// Of the reader until the worker begins, then of the worker.
	raw      []byte // the request's fields as lines of HTTP/1.1
	cookie   []byte
	pseudo   pseudoFields
	fault    *failure // told instead of an answer
	chunks   chunkScanner
	tail     []byte // trailer section of the answer
	piece    []byte // of the request body, for the goroutine that streams it
	headSent bool
	ended    bool // the whole answer was sent
	withdrew bool // the instance took its answer back

	// Under the connection's lock.
	cond       sync.Cond // something of the following changed
	sendWindow int
	recvWindow int
	unsent     int
	in         []byte        // of the request body, received and not used yet
	got        int64         // bytes of the body received
	trailers   []byte        // of the request, as lines
	recvClosed bool          // the client has sent all
	reset      bool          // nobody wants the answer any more
	cancelled  bool          // and it was the client that said so
	aborted    bool          // nobody wants the rest of the request body
	starving   bool          // waits for room
	hungry     time.Duration // waits for the body since; 0: does not
	stalled    bool          // the body did not come
	pace       pace          // of the body
	haste      haste
	expecting  bool          // the client waits to be told to go on
	bodyBy     time.Duration // when a small body has to be there; 0: no more
	end        chan struct{} // closed with reset; nil unless asked for
}

var h2Streams = sync.Pool{New: func() any {
	st := &h2Stream{}
	st.makeBuffers()
	return st
}}

func newH2Stream(c *h2Conn, id uint32) *h2Stream {
	st := h2Streams.Get().(*h2Stream)
	st.c, st.id = c, id
	st.cond.L = &c.mu
	st.s, st.clock, st.client, st.ip, st.tls, st.protocol = c.s, &st.clk, st, c.ip, c.cc.tls, "HTTP/2.0"
	st.recvWindow = streamWindow
	st.req.reset()
	return st
}

// free gives st back with nothing in it but its memory.
func (st *h2Stream) free() {
	st.empty()
	made := st.call
	raw, cookie, tail, piece, in, trailers := st.raw, st.cookie, st.tail, st.piece, st.in, st.trailers
	*st = h2Stream{
		call: made, raw: small(raw), cookie: small(cookie), tail: small(tail), piece: small(piece), in: small(in), trailers: small(trailers),
	}
	h2Streams.Put(st)
}

// work serves the stream.
func (st *h2Stream) work() {
	c := st.c
	o := st.serve()
	st.account()
	c.mu.Lock()
	st.leaveConn(o)
	c.mu.Unlock()
	st.free()
}

func (st *h2Stream) serve() outcome {
	st.start = st.s.now()
	if st.fault != nil {
		return st.refuse(st.fault)
	}
	if len(st.req.target) > st.s.limits.TargetBytes {
		return st.refuse(failTarget)
	}
	if f := st.find(st.c.cc); f != nil {
		return st.refuse(f)
	}
	if f := st.takeBody(); f != nil {
		return st.refuse(f)
	}
	return st.forward()
}

// leaveConn takes the stream off the connection and tells the client what it does not know yet; under the lock.
func (st *h2Stream) leaveConn(o outcome) {
	c := st.c
	delete(c.streams, st.id)
	ours := false
	if !st.reset {
		c.live--
		switch {
		case c.dead:
		case o == closeNow && !st.ended:
			ours = true
			c.put(appendRST(c.output(), st.id, st.brokenCode()))
		case !st.recvClosed:
			ours = true
			c.put(appendRST(c.output(), st.id, http2.ErrCodeNo)) // the rest of the request is not needed (§8.1)
		}
	}
	c.past.add(st.id, ours || st.reset && !st.cancelled)
	if !c.dead {
		c.consumed(len(st.in))
	}
	c.busyUntil = c.s.now()
	c.kick()
	if c.leaving && len(c.streams) == 0 && !c.writing {
		c.wakeReader()
	}
}

// brokenCode is what the client is told of an answer that breaks off. A gRPC server that ends a call at its deadline cancels the stream, and
// the client takes CANCEL for its deadline but INTERNAL_ERROR for a fault. Of a WebSocket CANCEL says that it broke (RFC 8441 §5).
func (st *h2Stream) brokenCode() http2.ErrCode {
	if st.withdrew || st.upgrade != nil {
		return http2.ErrCodeCancel
	}
	return http2.ErrCodeInternal
}

// abandon stops the work for a stream whose answer nobody wants; under the connection's lock.
func (st *h2Stream) abandon() {
	if st.reset {
		return
	}
	st.reset = true
	st.c.live--
	if st.end != nil {
		close(st.end)
	}
	st.clk.mu.Lock()
	st.clk.expire(failGone)
	st.clk.mu.Unlock()
	st.cond.Broadcast()
}

// lost tells whether nobody takes the answer; under the lock.
func (st *h2Stream) lost() bool { return st.reset || st.c.dead }

// waitEnd is closed when the client gives the request up.
func (st *h2Stream) waitEnd() <-chan struct{} {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.end = make(chan struct{})
	if st.reset {
		close(st.end)
	}
	return st.end
}

// watch looks at the times of the stream; under the connection's lock.
func (st *h2Stream) watch(now time.Duration) {
	late := st.hungry > 0 && st.overdue(now) || st.bodyBy > 0 && now > st.bodyBy
	if late && !st.stalled {
		st.stalled = true
		st.cond.Broadcast()
	}
	st.clk.mu.Lock()
	late = st.clk.due > 0 && now >= st.clk.due && st.clk.expired == nil
	if late {
		st.clk.expire(st.clk.phase.lateness())
	}
	st.clk.mu.Unlock()
	if late {
		st.cond.Broadcast()
	}
}

// overdue tells whether the body was waited for too long. A client that may send nothing is not to blame: because it was not told to go on,
// or because other streams have filled the connection, and their instances take their time. Under the connection's lock.
func (st *h2Stream) overdue(now time.Duration) bool {
	if st.expecting || st.c.recvWindow < maxFrame {
		st.hungry = now
		return false
	}
	left := st.s.limits.ClientStall
	if st.bodyBy == 0 {
		left = st.pace.left(st.haste, &st.s.limits)
	}
	return now-st.hungry > left
}

// awaitBody waits until more of the request body is there, or will never be; under the lock, which it gives up meanwhile.
func (st *h2Stream) awaitBody() {
	st.hungry = st.s.now()
	st.cond.Wait()
	st.pace.took(st.s.now()-st.hungry, len(st.in), &st.s.limits)
	st.hungry = 0
}

// bodyOver tells why waiting for the body is of no use; under the lock.
func (st *h2Stream) bodyOver() error {
	switch {
	case st.aborted:
		return errBodyUnwanted
	case st.lost():
		return failGone
	case st.stalled:
		return errors.Join(failBody, os.ErrDeadlineExceeded)
	}
	return nil
}

// takeBody waits for a small body, as over HTTP/1.1.
func (st *h2Stream) takeBody() *failure {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	whole := st.req.length >= 0 && st.req.length <= smallBody && !st.req.expect
	st.expecting = st.req.expect && st.got == 0
	st.bodyBy = st.start + st.s.limits.BodyRead
	defer st.onTime()
	for whole && !st.recvClosed {
		if err := st.bodyOver(); err != nil {
			return failSlowBody // or nobody is there to be told
		}
		st.awaitBody()
	}
	return nil
}

// onTime ends the wait for a small body, or for the beginning of one; under the lock.
func (st *h2Stream) onTime() { st.bodyBy, st.pace = 0, pace{} }

// appendBody appends what is there of the body.
func (st *h2Stream) appendBody(b []byte) ([]byte, *failure) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if st.lost() {
		return b, failGone
	}
	if st.upgrade != nil {
		return b, nil // what comes is not for before the instance has agreed
	}
	b = st.takeInput(b)
	st.body.streaming = !st.recvClosed
	return b, nil
}

// takeInput appends the body that is there as the instance gets it, with its end when that is there too; under the lock.
func (st *h2Stream) takeInput(b []byte) []byte {
	data := st.in
	st.body.received += int64(len(data))
	if st.req.chunked {
		b = appendChunk(b, data)
		if st.recvClosed {
			b = append(b, "0\r\n"...)
			b = append(b, st.trailers...)
			b = append(b, "\r\n"...)
		}
	} else {
		b = append(b, data...)
	}
	st.in = st.in[:0]
	st.consumed(len(data))
	return b
}

// copyBody sends the rest of the request body.
func (st *h2Stream) copyBody(to *upstreamConn) error {
	for done := false; !done; {
		var err error
		if done, err = st.nextInput(); err != nil {
			return err
		}
		if len(st.piece) == 0 {
			continue
		}
		if _, err := to.Write(st.piece); err != nil {
			return errInstanceGone
		}
	}
	return nil
}

// nextInput waits for more of the body and takes it into piece.
func (st *h2Stream) nextInput() (done bool, err error) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	for len(st.in) == 0 && !st.recvClosed {
		if err := st.bodyOver(); err != nil {
			return false, err
		}
		st.awaitBody()
	}
	if st.lost() {
		return false, failGone
	}
	st.piece = st.takeInput(st.piece[:0])
	return st.recvClosed, nil
}

// abortRead stops copyBody.
func (st *h2Stream) abortRead() {
	st.c.mu.Lock()
	st.aborted = true
	st.c.mu.Unlock()
	st.cond.Broadcast()
}

// ease asks for no more haste than that from now on.
func (st *h2Stream) ease(to haste) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.haste = max(st.haste, to)
	if st.hungry > 0 {
		st.hungry = st.s.now()
	}
}

// small returns a buffer to be used again, emptied, unless it has grown large.
func small(b []byte) []byte {
	if cap(b) > smallBody {
		return nil
	}
	return b[:0]
}
