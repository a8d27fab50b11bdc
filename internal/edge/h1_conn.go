package edge

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"
)

// initialBuffer is what a connection holds for reading requests; it grows for large heads and small bodies and shrinks again.
const initialBuffer = 4 << 10

// h1Conn is a client connection that speaks HTTP/1.1. One goroutine serves it, request by request; [Server.tick] watches its time
// from outside, so that a request costs no timer.
type h1Conn struct {
	s  *Server
	cc *clientConn
	nc net.Conn // cc, or TLS over it
	ip string

	in   []byte // what was read and is not used yet is in[r:w]
	r, w int

	clock
	taking  taking        // of the request body; under the clock's lock
	idleBy  time.Duration // when the present time between two requests is over; 0: not begun
	parking bool          // the reader is to park; under the clock's lock, like the two that follow
	parked  bool
	slot    int32 // in the lot
}

// serveH1 serves a connection until it ends or is handed to net/http.
func (s *Server) serveH1(cc *clientConn, nc net.Conn) {
	c := &h1Conn{s: s, cc: cc, nc: nc, in: lendIn()}
	c.ip, _, _ = net.SplitHostPort(cc.RemoteAddr().String())
	cc.h1.Store(c)
	c.serve()
}

func (c *h1Conn) serve() {
	for c.serveOne() {
	}
}

// now is the time since the edge started, from the monotonic clock.
func (s *Server) now() time.Duration { return time.Since(s.started) }

// serveOne serves one request; false ends the connection, which is closed or handed over by then.
func (c *h1Conn) serveOne() bool {
	end, f := c.readHead()
	if end == 0 && f == nil {
		if !c.park() {
			c.nc.Close()
		}
		return false
	}
	x := newExchange(c)
	outcome := x.serve(end, f)
	handOver := c.in[c.r:c.w]
	x.free()
	switch outcome {
	case keepOpen:
		c.tidy()
		return true
	case toStd:
		c.cc.h1.Store(nil)
		c.s.std.listener.give(&prefixConn{Conn: c.nc, prefix: handOver})
	case closeAfter:
		c.linger()
	case closeNow:
		c.nc.Close()
	}
	return false
}

// tidy makes room for the next request.
func (c *h1Conn) tidy() {
	if c.r == c.w {
		c.r, c.w = 0, 0
		if len(c.in) > 4*initialBuffer {
			c.in = make([]byte, initialBuffer)
		}
	}
}

// begin starts a request: the time spent before it does not count any more.
func (c *h1Conn) begin(now time.Duration) {
	c.mu.Lock()
	c.idleBy = 0
	c.stay()
	c.phase, c.due, c.began, c.begun, c.taking = phaseWait, 0, now, false, taking{}
	if c.expired != nil {
		c.expired = nil
		c.cc.Conn.SetReadDeadline(time.Time{})
	}
	c.mu.Unlock()
}

// readHead reads until a whole head is in the buffer and returns where it ends. Without an end and a failure the client went
// away, or was idle for too long.
func (c *h1Conn) readHead() (end int, f *failure) {
	scan := c.r
	if c.r == c.w {
		if c.idleBy == 0 {
			c.idleBy = c.s.now() + c.s.limits.ClientIdle
		}
		c.enter(phaseIdle, c.idleBy, nil)
	} else {
		c.enter(phaseHead, c.s.now()+c.s.limits.HeadRead, nil)
		if end, scan, f = scanHead(c.in[:c.w], scan, true); end != 0 || f != nil {
			return end, f
		}
	}
	for {
		if c.w == len(c.in) {
			moved, ok := c.makeRoom()
			if !ok {
				return 0, failHeadSize
			}
			scan -= moved
		}
		n, err := c.nc.Read(c.in[c.w:])
		fresh := c.w == c.r
		c.w += n
		if n > 0 {
			if end, scan, f = scanHead(c.in[:c.w], scan, true); end != 0 || f != nil {
				return end, f
			}
		}
		if err != nil {
			return 0, c.expiredIn(phaseHead)
		}
		if fresh {
			c.enter(phaseHead, c.s.now()+c.s.limits.HeadRead, nil)
			c.mu.Lock()
			c.stay()
			c.mu.Unlock()
		}
	}
}

// makeRoom moves the unfinished head to the front of the buffer, or grows it. It returns by how much positions moved.
func (c *h1Conn) makeRoom() (moved int, ok bool) {
	if c.r > 0 {
		moved = c.r
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
		return moved, true
	}
	if len(c.in) >= c.s.limits.HeadBytes {
		return 0, false
	}
	bigger := make([]byte, min(4*len(c.in), c.s.limits.HeadBytes))
	copy(bigger, c.in[:c.w])
	c.in = bigger
	return 0, true
}

// watch ends the present phase when its time is over. Deadlines in the past wake the goroutines that wait.
func (c *h1Conn) watch(now time.Duration, drainingSince time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := c.due
	if drainingSince > 0 && c.phase == phaseIdle {
		due = min(due, drainingSince+c.s.limits.DrainIdle)
	}
	if due == 0 || c.expired != nil {
		return
	}
	if now < due {
		if c.phase == phaseIdle && !c.parking && !c.parked && due-now < c.s.limits.ClientIdle-c.s.limits.Park && c.s.lot != nil {
			c.parking = true
			c.cc.Conn.SetReadDeadline(longAgo)
		}
		if c.phase == phaseWait && now-c.began > goneAfter && c.cc.gone() {
			c.expire(failGone)
		}
		return
	}
	c.expire(c.phase.lateness())
}

// expire ends what the connection waits for, under its lock.
func (c *h1Conn) expire(f *failure) {
	c.clock.expire(f)
	c.cc.Conn.SetReadDeadline(longAgo)
	if c.begun {
		c.cc.Conn.SetWriteDeadline(longAgo)
	}
	if c.parked {
		c.s.lot.wake(c.slot)
	}
}

// restart forgets that the time was over, so that the failure can be told.
func (c *h1Conn) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.expired != nil && c.begun { // with an interim answer
		c.cc.Conn.SetWriteDeadline(time.Time{})
	}
	c.expired = nil
}

// stay calls parking off: the client has said something; under the lock.
func (c *h1Conn) stay() {
	if c.parking {
		c.parking = false
		c.cc.Conn.SetReadDeadline(time.Time{})
	}
}

// park lets the connection wait without a goroutine and a buffer; false when it is not idle but over.
func (c *h1Conn) park() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.parking || c.expired != nil || c.r != c.w {
		return false
	}
	c.parking = false
	in := c.in
	c.in, c.r, c.w = nil, 0, 0
	c.parked = true
	var ok bool
	if c.slot, ok = c.s.lot.park(c.cc.Conn, c); !ok {
		c.parked = false
		return false
	}
	returnIn(in)
	return true
}

// resume goes on with a parked connection.
func (c *h1Conn) resume() {
	go func() {
		c.mu.Lock()
		c.parked = false
		if c.expired == nil {
			c.cc.Conn.SetReadDeadline(time.Time{})
		}
		c.mu.Unlock()
		c.in = lendIn()
		c.serve()
	}()
}

// linger closes so that the client gets the whole answer: what it still sends is read for a while, for a connection that is
// closed with unread data is reset, and a reset may overtake the answer.
func (c *h1Conn) linger() {
	defer c.nc.Close()
	c.enter(phaseIdle, 0, nil)
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && c.nc != net.Conn(c.cc) {
		half.CloseWrite()
	}
	if c.cc.CloseWrite() != nil {
		return
	}
	c.cc.Conn.SetReadDeadline(time.Now().Add(c.s.limits.Linger))
	buf := c.in[:cap(c.in)]
	for {
		if _, err := c.cc.Conn.Read(buf); err != nil {
			return
		}
	}
}

// appendFailure appends the whole answer that tells f.
func (c *h1Conn) appendFailure(b []byte, f *failure, req *head, id []byte, keep bool) []byte {
	kind, text := f.content(req.wantsJSON, string(id))
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(f.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(f.status)...)
	b = append(b, "\r\nContent-Type: "...)
	b = append(b, kind...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, "\r\nCache-Control: no-store\r\nX-Request-Id: "...)
	b = append(b, id...)
	for _, fd := range f.header {
		b = append(b, "\r\n"...)
		b = append(b, fd[0]...)
		b = append(b, ": "...)
		b = append(b, fd[1]...)
	}
	if !keep {
		b = append(b, "\r\nConnection: close"...)
	}
	b = append(b, "\r\n"...)
	b = append(b, *c.s.date.Load()...)
	b = append(b, "\r\n"...)
	if string(req.method) != "HEAD" {
		b = append(b, text...)
	}
	return b
}

// dateLine is a Date header line.
func dateLine(now time.Time) *string {
	s := "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"
	return &s
}

// prefixConn is a connection of which something was read already.
type prefixConn struct {
	net.Conn
	prefix []byte
}

// Read gives what was read before, then what comes.
func (p *prefixConn) Read(b []byte) (int, error) {
	if len(p.prefix) > 0 {
		n := copy(b, p.prefix)
		p.prefix = p.prefix[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite ends the sending side.
func (p *prefixConn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
