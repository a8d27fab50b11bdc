package edge

import (
	"errors"
	"time"
)

// This file carries request bodies of the own HTTP/1.1 path to instances.

// smallBody is the largest request body that is read whole before an instance is asked: a slow client holds no place then, and
// the request can be sent again when the instance breaks.
const smallBody = 64 << 10

// bodyReader follows the request body through the buffer of an HTTP/1.1 connection.
type bodyReader struct {
	left   int64 // bytes to come, of a body with a length
	chunks chunkScanner
	pace   pace
}

// takeBody reads a small body into the buffer and begins with a large one.
func (x *h1Exchange) takeBody() *failure {
	b := &x.from
	if x.req.expect {
		x.c.expectLeave()
	}
	switch {
	case x.req.chunked:
		b.chunks = chunkScanner{request: true}
		_, done, f := b.chunks.scan(x.c.in[x.c.r:x.c.w])
		b.chunks, x.body.streaming = chunkScanner{request: true}, !done
		return f
	case x.req.length <= 0:
		return nil
	case x.req.length > smallBody || x.req.expect:
		b.left = x.req.length
		x.body.streaming = int64(x.c.w-x.c.r) < x.req.length
		return nil
	}
	b.left = x.req.length
	return x.c.readBody(int(x.req.length))
}

// readBody reads until n bytes of body are in the buffer. The head before it stays where it is: slices point there.
func (c *h1Conn) readBody(n int) *failure { return c.readBodyBy(n, c.s.now()+c.s.limits.BodyRead) }

// readBodyBy is readBody until a time, since the edge started.
func (c *h1Conn) readBodyBy(n int, by time.Duration) *failure {
	if c.w-c.r >= n {
		return nil
	}
	if len(c.in)-c.r < n {
		bigger := make([]byte, n+initialBuffer)
		c.w = copy(bigger, c.in[c.r:c.w])
		c.in, c.r = bigger, 0
	}
	for c.w-c.r < n {
		c.enter(phaseBody, min(c.s.now()+c.s.limits.ClientStall, by), nil)
		m, err := c.nc.Read(c.in[c.w:])
		c.w += m
		if err != nil && c.w-c.r < n {
			if f := c.expiredIn(phaseBody); f != nil {
				return f
			}
			return failBody
		}
	}
	return nil
}

// appendBody appends what is there of the body.
func (x *h1Exchange) appendBody(b []byte) ([]byte, *failure) {
	c, body := x.c, &x.from
	if x.req.chunked {
		n, _, f := body.chunks.scan(c.in[c.r:c.w])
		b = append(b, c.in[c.r:c.r+n]...)
		c.r += n
		x.body.received = body.chunks.payload
		return b, f
	}
	n := int(min(body.left, int64(c.w-c.r)))
	b = append(b, c.in[c.r:c.r+n]...)
	c.r += n
	body.left -= int64(n)
	x.body.received += int64(n)
	return b, nil
}

// copyBody reads the client's body to its end. It owns the connection's buffer until it returns.
func (x *h1Exchange) copyBody(to *upstreamConn) error {
	c, b := x.c, &x.from
	for {
		if x.req.chunked && b.chunks.state == chunkDone || !x.req.chunked && b.left == 0 {
			c.disarmRead()
			return nil
		}
		if c.r == c.w {
			if err := x.readMore(); err != nil {
				return err
			}
		}
		piece, f := x.takePiece()
		if _, err := to.Write(piece); err != nil {
			return errInstanceGone
		}
		if f != nil {
			return f
		}
	}
}

// readMore waits for more of the body.
func (x *h1Exchange) readMore() error {
	c, b := x.c, &x.from
	c.r, c.w = 0, 0
	if len(c.in) < answerBuffer {
		c.in = make([]byte, answerBuffer) // the head's slices keep the old one
	}
	asked := time.Now()
	counts := c.armRead(asked, &b.pace, x.body.received > 0)
	n, err := c.nc.Read(c.in)
	c.w = n
	if counts {
		b.pace.took(time.Since(asked), n, &c.s.limits)
	}
	switch {
	case n > 0:
		return nil
	case c.unwanted():
		return errBodyUnwanted
	}
	return errors.Join(failBody, err)
}

// takePiece takes what belongs to the body off the buffer.
func (x *h1Exchange) takePiece() ([]byte, *failure) {
	c, b := x.c, &x.from
	var n int
	var f *failure
	if x.req.chunked {
		n, _, f = b.chunks.scan(c.in[c.r:c.w])
		x.body.received = b.chunks.payload
	} else {
		n = int(min(b.left, int64(c.w-c.r)))
		b.left -= int64(n)
		x.body.received += int64(n)
	}
	piece := c.in[c.r : c.r+n]
	c.r += n
	return piece, f
}

// skipBody takes what is left of the request body off the connection's buffer; false when more of it is to come.
func (x *h1Exchange) skipBody() bool {
	b := &x.body
	switch {
	case !x.req.chunked && x.req.length <= 0:
		return true
	case b.copied != nil:
		return x.bodyDone()
	case b.streaming || x.service == nil:
		return false
	case x.backend == nil: // not composed: the whole body is in the buffer
		x.takePiece()
	}
	return true
}

// abortRead stops copyBody.
func (x *h1Exchange) abortRead() { x.c.abortRead() }

// ease lets copyBody wait longer.
func (x *h1Exchange) ease(to haste) { x.c.ease(to) }
