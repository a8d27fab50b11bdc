package edge

import (
	"io"
	"net/http"
	"strconv"
)

// refuse answers with f.
func (st *h2Stream) refuse(f *failure) outcome {
	st.clk.restart()
	st.clk.enter(phaseSend, 0, nil)
	st.due = 0
	st.status, st.failure = f.status, f
	if st.headSent || f == failGone || st.gone() {
		st.status = 0
		return closeNow
	}
	kind, body := f.content(st.req.wantsJSON, string(st.requestID()))
	a := &st.ans
	a.reset()
	a.status = f.status
	add := func(name, value string) {
		a.fields = append(a.fields, field{name: bytesOf(name), value: bytesOf(value)})
	}
	add("content-type", kind)
	add("content-length", strconv.Itoa(len(body)))
	add("cache-control", "no-store")
	add("x-request-id", text(st.requestID()))
	for _, fd := range f.header {
		add(lower(fd[0]), fd[1])
	}
	if text(st.req.method) == "HEAD" {
		body = ""
	}
	if !st.write(bytesOf(body), true) {
		return closeNow
	}
	return keepOpen
}

func (st *h2Stream) gone() bool {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	return st.lost()
}

// passInterim passes a 1xx answer on.
func (st *h2Stream) passInterim() bool {
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.lost() {
		return false
	}
	if st.ans.status == http.StatusContinue {
		st.expecting = false
	} else if c.waiting() > highWater {
		return true // who takes nothing needs no hints
	}
	c.put(st.appendHead(c.output(), passInterim, false))
	return true
}

// pass passes the final answer on.
func (st *h2Stream) pass() outcome {
	how := st.framing()
	reuse := st.reusable(how)
	st.status = st.ans.status
	if !st.passBody(how, &reuse) {
		st.withdrew = st.conn.cancelled()
		st.drop()
		return closeNow
	}
	st.giveBack(reuse)
	return keepOpen
}

// passBody passes head and body on. It clears reuse when the instance sent more than it said.
func (st *h2Stream) passBody(how framing, reuse *bool) bool {
	for {
		piece, done, ok := st.takeAnswer(how)
		if !ok {
			return false
		}
		st.sent += int64(len(piece))
		tail := done && len(st.tail) > 2
		if (len(piece) > 0 || done || !st.headSent) && !st.write(piece, done && !tail) {
			return false
		}
		if tail && !st.passTrailers() {
			return false
		}
		if done {
			*reuse = *reuse && st.ur == st.uw
			return true
		}
		if err := st.more(); err != nil {
			return how == frameClose && err == io.EOF && st.write(nil, true)
		}
	}
}

// takeAnswer takes what is there of the answer's body off the buffer.
func (st *h2Stream) takeAnswer(how framing) (piece []byte, done, ok bool) {
	piece = st.up[st.ur:st.uw]
	switch how {
	case frameNone:
		return nil, true, true
	case frameLength:
		piece = piece[:min(int64(len(piece)), st.ans.length-st.sent)]
		st.ur += len(piece)
		return piece, st.ans.length == st.sent+int64(len(piece)), true
	case frameChunks:
		return st.dechunk(piece)
	case frameClose:
	}
	st.ur = st.uw
	return piece, false, true
}

// dechunk takes the framing off what is there of a chunked body, in place, and keeps the trailer section.
func (st *h2Stream) dechunk(b []byte) (piece []byte, done, ok bool) {
	n := 0
	for len(b) > 0 && !done {
		s := &st.chunks
		if s.state == chunkData {
			take := int(min(int64(len(b)), s.left))
			data := b[:take]
			if _, _, f := s.scan(data); f != nil {
				return nil, false, false
			}
			n += copy(st.up[st.ur+n:], data)
			b = b[take:]
			continue
		}
		if s.state >= chunkTrailerStart {
			st.tail = append(st.tail, b[0])
		}
		if s.step(b[0]) != nil {
			return nil, false, false
		}
		b, done = b[1:], s.state == chunkDone
	}
	piece = st.up[st.ur : st.ur+n]
	st.ur = st.uw - len(b)
	return piece, done, true
}

// passTrailers passes the trailer section on, which ends the answer.
func (st *h2Stream) passTrailers() bool {
	st.ans.reset() // the head has been sent
	if st.ans.parseFields(st.tail, st.s.limits.Headers) != nil {
		return false
	}
	return st.writeTrailers(&st.ans)
}
