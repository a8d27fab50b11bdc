package edge

import (
	"runtime"
	"sync"

	"golang.org/x/net/http2"
)

// outBuffer holds frames on their way out.
type outBuffer struct{ b []byte }

var outBuffers = sync.Pool{New: func() any { return &outBuffer{make([]byte, 0, answerBuffer)} }}

// highWater is how much may wait to be sent before streams wait too: a client that takes its time must not fill our memory.
const highWater = 128 << 10

// controlWater is how much may wait when a client makes us answer control frames without reading the answers.
const controlWater = highWater + 256<<10

// output returns what waits to be sent, to be appended to and put; under the lock.
func (c *h2Conn) output() []byte {
	if c.out == nil {
		c.out = outBuffers.Get().(*outBuffer)
	}
	return c.out.b
}

// put takes what output returned, with more at its end, and sees to it that somebody sends it.
func (c *h2Conn) put(b []byte) {
	c.keep(b)
	c.kick()
}

// keep takes what output returned without hurry: kick has to follow.
func (c *h2Conn) keep(b []byte) { c.out.b = b }

// kick sees to it that what waits is sent; under the lock.
func (c *h2Conn) kick() {
	if !c.writing && !c.dead && c.waiting() > 0 {
		c.writing = true
		c.s.crew.do((*h2Sender)(c))
	}
}

func (c *h2Conn) waiting() int {
	if c.out == nil {
		return 0
	}
	return len(c.out.b)
}

// h2Sender is a connection as a task: to send what waits.
type h2Sender h2Conn

func (s *h2Sender) work() {
	c := (*h2Conn)(s)
	runtime.Gosched() // who can run now may have more to send: one record and one system call are enough for all
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.waiting() > 0 && !c.dead {
		o := c.out
		c.out = nil
		c.writeSince = c.s.now()
		c.mu.Unlock()
		_, err := c.nc.Write(o.b)
		c.mu.Lock()
		c.writeSince = 0
		o.free()
		if err != nil {
			c.die()
		}
		if c.starving > 0 {
			c.feed()
		}
	}
	c.writing = false
	c.wrote.Broadcast()
	if c.leaving && len(c.streams) == 0 {
		c.wakeReader() // all is said; the reader closes
	}
}

func (o *outBuffer) free() {
	if cap(o.b) > controlWater {
		return
	}
	o.b = o.b[:0]
	outBuffers.Put(o)
}

// die gives everything up after a failed write; under the lock.
func (c *h2Conn) die() {
	c.dead = true
	for _, st := range c.streams {
		st.abandon()
	}
	c.wakeReader()
}

// feed wakes the streams that wait for room; under the lock.
func (c *h2Conn) feed() {
	for _, st := range c.streams {
		if st.starving {
			st.cond.Broadcast()
		}
	}
}

// room is how many of n bytes of a body may be sent now; under the lock.
func (c *h2Conn) room(st *h2Stream, n int) int {
	return max(0, min(n, st.sendWindow, c.sendWindow, c.peer.largestFrame, highWater-c.waiting()))
}

// write sends the head of the answer, if it was not yet, and a part of the body; last ends the answer. It waits for room, and returns
// false when nobody takes the answer.
func (x *h2Stream) write(piece []byte, last bool) bool {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.lost() {
		return false
	}
	if !x.headSent {
		x.headSent = true
		x.ended = last && len(piece) == 0
		c.keep(x.appendHead(c.output(), passesOf(&x.ans), x.ended))
	}
	for len(piece) > 0 {
		n := c.room(x, len(piece))
		if n == 0 {
			if !x.starve() {
				return false
			}
			continue
		}
		x.ended = last && n == len(piece)
		c.keep(append(appendFrameHeader(c.output(), n, http2.FrameData, endStream(x.ended), x.id), piece[:n]...))
		c.earned.Add(int64(2 + n/paidUpdate))
		x.sendWindow -= n
		c.sendWindow -= n
		piece = piece[n:]
	}
	if last && !x.ended {
		x.ended = true
		c.keep(appendFrameHeader(c.output(), 0, http2.FrameData, http2.FlagDataEndStream, x.id))
	}
	if !x.ended {
		c.kick() // the end of an answer leaves when its place has been given back: see leaveConn
	}
	return true
}

// paidUpdate is how many bytes of an answer earn a client a WINDOW_UPDATE. Some send two for every 4 KB they read.
const paidUpdate = 512

func endStream(end bool) http2.Flags {
	if end {
		return http2.FlagDataEndStream
	}
	return 0
}

// starve waits for room, for as long as a client may take to make some; under the lock, which it gives up meanwhile.
func (x *h2Stream) starve() bool {
	c := x.c
	due := c.s.now() + c.s.limits.ClientStall
	switch {
	case x.upgrade != nil && x.headSent:
		due = 0 // neither side of a WebSocket has to take what comes in a time
	case x.due > 0:
		due = min(due, x.due)
	}
	c.kick()
	x.clk.enter(phaseSend, due, x.conn)
	x.starving = true
	c.starving++
	for c.room(x, 1) == 0 && !x.lost() && x.clk.over() == nil {
		x.cond.Wait()
	}
	x.starving = false
	c.starving--
	return !x.lost() && x.clk.over() == nil
}

// passesOf tells which fields of an answer pass.
func passesOf(a *head) kindSet {
	if a.chunked || a.status == 204 {
		return passUnsized
	}
	return passAnswer
}

// appendHead appends the head of an answer as HEADERS; under the connection's lock, for the order of header blocks is that of the wire.
func (x *h2Stream) appendHead(b []byte, passes kindSet, end bool) []byte {
	e, a := x.c.enc, &x.ans
	start := len(b)
	b = e.status(e.begin(append(b, make([]byte, frameHeader)...)), a.status)
	b = x.appendFields(b, a, passes)
	if a.status >= 200 && !a.date {
		date := *x.s.date.Load()
		b = e.field(b, dateName, bytesOf(date[len("Date: "):len(date)-2]))
	}
	if alt := x.s.altSvcAt(x.c.cc); alt != "" && a.status >= 200 {
		b = e.field(b, altSvcField, bytesOf(alt[len("Alt-Svc: "):len(alt)-2]))
	}
	if a.status >= 200 && x.setsCookie() {
		b = e.secret(b, setCookieName, bytesOf(x.backend.stickyField))
	}
	return appendHeaders(b, start, x.c.peer.largestFrame, x.id, end)
}

var setCookieName = []byte("set-cookie")

var altSvcField = []byte("alt-svc")

var dateName = []byte("date")

// appendFields encodes the fields of a head that pass.
func (x *h2Stream) appendFields(b []byte, h *head, passes kindSet) []byte {
	e := x.c.enc
	for i := range h.fields {
		fd := &h.fields[i]
		switch {
		case passes>>fd.kind&1 == 0 || (len(h.options) > 0 && h.hop(fd)):
		case foldEqual(fd.name, "set-cookie"):
			b = e.secret(b, fd.name, fd.value)
		default:
			b = e.field(b, fd.name, fd.value)
		}
	}
	return b
}

// writeTrailers ends the answer with the trailer section in t.
func (x *h2Stream) writeTrailers(t *head) bool {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.lost() {
		return false
	}
	b := c.output()
	start := len(b)
	b = c.enc.begin(append(b, make([]byte, frameHeader)...))
	b = x.appendFields(b, t, passInterim)
	c.keep(appendHeaders(b, start, c.peer.largestFrame, x.id, true))
	x.ended = true
	return true
}
