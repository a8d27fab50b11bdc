package edge

import (
	"io"
	"net/http"
	"strconv"
)

// passInterim passes a 1xx answer on.
func (x *h1Exchange) passInterim() bool {
	x.out = x.appendAnswerHead(x.out[:0], passInterim)
	x.out = append(x.out, "\r\n"...)
	c := x.c
	if x.ans.status == http.StatusContinue {
		c.giveLeave()
	}
	due := x.due
	if due == 0 {
		due = forever // the web ACL wants to see the body: there is no instance yet
	}
	c.enter(phaseSend, min(due, c.s.now()+c.s.limits.ClientStall), x.conn)
	_, err := c.nc.Write(x.out)
	c.enter(phaseWait, x.due, x.conn)
	return err == nil
}

// pass passes the final answer on and says what becomes of the client's connection.
func (x *h1Exchange) pass() outcome {
	how := x.framing()
	reuse := x.reusable(how)
	keep := !x.req.close && !x.c.s.draining.Load() && x.bodyDone()
	x.status = x.ans.status
	x.out = x.appendAnswer(x.out[:0], how, keep)
	if !x.passBody(how, &reuse) {
		x.drop()
		return closeNow
	}
	intact := x.giveBack(reuse)
	switch {
	case keep && intact:
		return keepOpen
	case keep:
		return closeNow
	}
	return closeAfter
}

// appendAnswerHead appends the status line and the fields that pass.
func (x *h1Exchange) appendAnswerHead(b []byte, passes kindSet) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = append(b, x.ans.statusText...)
	if len(x.ans.statusText) == 3 {
		b = append(b, ' ')
	}
	b = append(b, "\r\n"...)
	return x.ans.appendFields(b, passes)
}

// appendAnswer appends the head of the final answer.
func (x *h1Exchange) appendAnswer(b []byte, how framing, keep bool) []byte {
	passes := passAnswer
	if x.ans.chunked || x.ans.status == 204 {
		passes = passUnsized
	}
	b = x.appendAnswerHead(b, passes)
	if !x.ans.date {
		b = append(b, *x.c.s.date.Load()...)
	}
	if x.tls != 0 {
		b = append(b, x.s.altSvcAt(x.c.cc)...)
	}
	if x.setsCookie() {
		b = append(b, "Set-Cookie: "...)
		b = append(b, x.backend.stickyField...)
		b = append(b, "\r\n"...)
	}
	if how >= frameChunks {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if !keep {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// passBody writes the head in out with as much of the body as is there, then the rest. It clears reuse when the instance sent
// more than it said.
func (x *h1Exchange) passBody(how framing, reuse *bool) bool {
	chunks := chunkScanner{}
	left := x.ans.length
	for {
		piece, done := x.up[x.ur:x.uw], how == frameNone
		switch how {
		case frameNone:
			piece = nil
		case frameLength:
			piece = piece[:min(int64(len(piece)), left-x.sent)]
			done = left == x.sent+int64(len(piece))
		case frameChunks:
			n, end, f := chunks.scan(piece)
			if f != nil {
				return false
			}
			piece, done = piece[:n], end
		case frameClose:
		}
		x.ur += len(piece)
		x.sent += int64(len(piece))
		if !x.write(piece, how == frameClose) {
			return false
		}
		if done {
			*reuse = *reuse && x.ur == x.uw
			return true
		}
		if err := x.more(); err != nil {
			return how == frameClose && err == io.EOF && x.writeLastChunk()
		}
	}
}

// write sends out and then piece to the client, in one go where that is cheap.
func (x *h1Exchange) write(piece []byte, asChunk bool) bool {
	c := x.c
	switch {
	case len(x.out) > 0 && !asChunk && len(x.out)+len(piece) > answerBuffer:
		return x.writeBoth(piece)
	case asChunk:
		x.out = appendChunk(x.out, piece)
		piece = x.out
	case len(x.out) > 0:
		x.out = append(x.out, piece...)
		piece = x.out
	}
	if len(piece) == 0 {
		return true
	}
	c.enter(phaseSend, min(x.due, c.s.now()+c.s.limits.ClientStall), x.conn)
	_, err := c.nc.Write(piece)
	x.out = x.out[:0]
	return err == nil
}

// writeBoth sends out and then a large piece without joining them.
func (x *h1Exchange) writeBoth(piece []byte) bool {
	c := x.c
	c.enter(phaseSend, min(x.due, c.s.now()+c.s.limits.ClientStall), x.conn)
	var err error
	if tcp, ok := c.nc.(*clientConn); ok {
		x.pieces = [2][]byte{x.out, piece}
		x.vector = x.pieces[:]
		_, err = x.vector.WriteTo(tcp.Conn)
		x.pieces = [2][]byte{}
	} else {
		n := answerBuffer - min(len(x.out), answerBuffer) // fill the first record
		x.out = append(x.out, piece[:n]...)
		if _, err = c.nc.Write(x.out); err == nil {
			_, err = c.nc.Write(piece[n:])
		}
	}
	x.out = x.out[:0]
	return err == nil
}

func (x *h1Exchange) writeLastChunk() bool {
	x.out = append(x.out, "0\r\n\r\n"...)
	return x.write(nil, false)
}

// appendChunk appends data as one chunk; no data is no chunk, for an empty one would end the body.
func appendChunk(b, data []byte) []byte {
	if len(data) == 0 {
		return b
	}
	b = strconv.AppendInt(b, int64(len(data)), 16)
	b = append(b, "\r\n"...)
	b = append(b, data...)
	return append(b, "\r\n"...)
}
