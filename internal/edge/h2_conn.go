package edge

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Conn is a client connection that speaks HTTP/2. One goroutine reads its frames; a worker serves each stream; what they write is
// gathered and sent by a third, so that answers that are ready together leave together. [Server.tick] watches all times.
type h2Conn struct {
	s          *Server
	cc         *clientConn
	nc         net.Conn // TLS over cc
	ip, remote string

	// Of the reader alone.
	in       []byte // what was read and is not used yet is in[r:w]
	r, w     int
	dec      *hpack.Decoder
	block    headerBlock
	trailers []byte // of the block, as lines
	greeted  bool   // the client's SETTINGS have come
	resets   allowance
	noise    allowance

	heard   atomic.Int64 // when something was last read, since the edge started
	partial atomic.Int64 // when the frame or header block that is arriving began to; 0: none is
	earned  atomic.Int64 // control frames that a client may send for what it was sent
	parking atomic.Bool  // the reader is to park
	inHead  atomic.Bool  // what is arriving is the beginning of the connection or a header block

	mu         sync.Mutex // of all that follows; taken before the lock of a stream's clock
	streams    map[uint32]*h2Stream
	live       int    // streams that the client has not reset
	lastID     uint32 // the newest stream of the client
	past       pastStreams
	recvWindow int // what the client may still send
	unsent     int // what it may send beyond that, once told
	busyUntil  time.Duration
	parked     bool  // nobody reads
	slot       int32 // in the lot
	encMax     int   // the most table memory of the encoder, while parked

	enc        *fieldEncoder
	sendWindow int
	peer       peerSettings
	out        *outBuffer // frames to be sent; nil when there are none
	writing    bool       // somebody sends
	wrote      sync.Cond  // nobody sends any more
	writeSince time.Duration
	starving   int // streams that wait for room

	warned  bool // the first GOAWAY was sent
	leaving bool // the last GOAWAY was sent: no new streams, and the end when there are none
	pinged  bool
	dead    bool // nothing can be sent any more
}

// peerSettings are the client's.
type peerSettings struct {
	initialWindow int
	largestFrame  int
}

// Windows for request bodies: of a stream, which is also the most that is buffered of one, and of a connection.
const (
	streamWindow = 256 << 10
	connWindow   = 1 << 20
)

// serveH2 serves a connection until it ends.
func (s *Server) serveH2(cc *clientConn, nc net.Conn) {
	c := newH2Conn(s, cc, nc)
	cc.h2.Store(c)
	c.greet()
	err := c.preface()
	if err == nil {
		err = c.read()
	}
	c.endUnlessParked(err)
}

// endUnlessParked ends the connection, if it is over.
func (c *h2Conn) endUnlessParked(err error) {
	if !errors.Is(err, errParked) {
		c.end(err)
	}
}

func newH2Conn(s *Server, cc *clientConn, nc net.Conn) *h2Conn {
	now := s.now()
	c := &h2Conn{
		s: s, cc: cc, nc: nc, in: lendIn(), streams: map[uint32]*h2Stream{}, enc: newFieldEncoder(),
		recvWindow: connWindow, sendWindow: 65535, peer: peerSettings{65535, maxFrame}, busyUntil: now,
		resets: newAllowance(s.limits.StreamResets, now), noise: newAllowance(s.limits.ControlFrames, now),
	}
	c.wrote.L = &c.mu
	c.remote = cc.RemoteAddr().String()
	c.ip, _, _ = net.SplitHostPort(c.remote)
	c.dec = hpack.NewDecoder(encoderTable, c.onField)
	c.heard.Store(int64(now))
	return c
}

// greet sends the settings.
func (c *h2Conn) greet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.output()
	b = appendSettings(b,
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.s.limits.StreamsPerConn)},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.s.limits.HeadBytes)},
		http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	c.put(appendWindowUpdate(b, 0, connWindow-65535))
}

// preface takes the client's.
func (c *h2Conn) preface() error {
	if err := c.need(len(http2.ClientPreface)); err != nil {
		return err
	}
	if string(c.in[c.r:c.r+len(http2.ClientPreface)]) != http2.ClientPreface {
		return protocolError("no HTTP/2 preface")
	}
	c.r += len(http2.ClientPreface)
	return nil
}

// read takes frames until the connection ends or has to, or is parked.
func (c *h2Conn) read() error {
	for {
		f, err := c.next()
		if err == nil {
			err = c.handle(&f)
		}
		if own, ok := errors.AsType[*streamError](err); ok {
			err = c.refuseStream(own)
		}
		if err != nil {
			return err
		}
	}
}

// next reads one frame. Its payload lies in the buffer until the next call.
func (c *h2Conn) next() (frame, error) {
	if !c.block.open && c.greeted {
		c.partial.Store(0) // that of another frame may be there already, but has just come
	}
	if err := c.need(frameHeader); err != nil {
		return frame{}, err
	}
	length, f := parseFrameHeader(c.in[c.r:])
	if length > maxFrame {
		return f, sizeError("a frame larger than 16384 bytes")
	}
	if err := c.need(frameHeader + length); err != nil {
		return f, err
	}
	f.payload = c.in[c.r+frameHeader : c.r+frameHeader+length]
	c.r += frameHeader + length
	return f, nil
}

// need reads until n bytes are in the buffer.
func (c *h2Conn) need(n int) error {
	for c.w-c.r < n {
		if c.r == c.w {
			c.r, c.w = 0, 0
		}
		if c.r+n > len(c.in) {
			c.moveInput(n)
		}
		c.noteArrival()
		m, err := c.nc.Read(c.in[c.w:])
		c.w += m
		if m > 0 {
			c.heard.Store(int64(c.s.now()))
		}
		if c.parking.Load() {
			if again := c.parkOrStay(m); again != nil {
				return again
			}
			continue
		}
		if m == 0 && err != nil {
			return errEnded
		}
	}
	return nil
}

// noteArrival tells the watch what the reader waits for.
func (c *h2Conn) noteArrival() {
	inHead := c.block.open || !c.greeted
	c.inHead.Store(inHead)
	switch {
	case !inHead && c.r == c.w:
		c.partial.Store(0)
	case c.partial.Load() == 0:
		c.partial.Store(int64(c.s.now()))
	}
}

// late tells whether what is arriving takes too long: a header block as a whole as over HTTP/1.1, a body frame longer.
func (c *h2Conn) late(now time.Duration) bool {
	since := time.Duration(c.partial.Load())
	if since == 0 {
		return false
	}
	if c.inHead.Load() {
		return now-since > c.s.limits.HeadRead
	}
	return now-since > 4*c.s.limits.ClientStall || now-time.Duration(c.heard.Load()) > c.s.limits.ClientStall
}

// moveInput makes room for n bytes.
func (c *h2Conn) moveInput(n int) {
	to := c.in
	if n > len(to) {
		to = make([]byte, frameHeader+maxFrame)
	}
	c.w = copy(to, c.in[c.r:c.w])
	c.in, c.r = to, 0
}

// end tells the client why, gives up the streams, and closes.
func (c *h2Conn) end(why error) {
	c.mu.Lock()
	fault, isFault := errors.AsType[*connError](why)
	if isFault && !c.dead {
		c.put(appendGoAway(c.output(), c.lastID, fault.code, fault.why))
	}
	for _, st := range c.streams {
		st.abandon()
	}
	c.cc.Conn.SetWriteDeadline(time.Now().Add(c.s.limits.Linger))
	for c.writing {
		c.wrote.Wait()
	}
	dead := c.dead
	c.dead = true
	c.mu.Unlock()
	c.cc.h2.Store(nil)
	if isFault {
		c.s.cfg.Log.Debug("http2 connection refused", "client", c.remote, "error", why)
	}
	if !dead {
		c.linger()
	}
	c.nc.Close()
}

// linger lets the client read what was sent: a connection that is closed with unread data is reset, and a reset may overtake it.
func (c *h2Conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	if c.cc.CloseWrite() != nil {
		return
	}
	c.cc.Conn.SetReadDeadline(time.Now().Add(c.s.limits.Linger))
	for {
		if _, err := c.cc.Conn.Read(c.in); err != nil {
			return
		}
	}
}

// leave makes the connection end when its streams have; under the lock.
func (c *h2Conn) leave() {
	c.leaving = true
	c.put(appendGoAway(c.output(), c.lastID, http2.ErrCodeNo, ""))
}

// goAwayWarning is the last stream of a GOAWAY that only announces the end (RFC 9113 §6.8).
const goAwayWarning = 1<<31 - 1

// watch looks at the times of the connection and its streams. It may not close it: the books are locked.
func (c *h2Conn) watch(now, drainingSince time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, st := range c.streams {
		st.watch(now)
	}
	l := &c.s.limits
	silent := now - time.Duration(c.heard.Load())
	switch {
	case c.dead:
	case c.writeSince > 0 && now-c.writeSince > l.ClientStall:
		c.cc.Conn.SetDeadline(longAgo)
		c.wakeReader()
	case c.late(now):
		c.wakeReader()
	case c.leaving:
	case drainingSince > 0 && !c.warned:
		c.warned = true
		c.put(appendGoAway(c.output(), goAwayWarning, http2.ErrCodeNo, ""))
	case drainingSince > 0 && now > drainingSince+l.DrainIdle:
		c.leave()
	case len(c.streams) == 0 && now-c.busyUntil > l.ClientIdle:
		c.leave()
	case len(c.streams) == 0 && min(silent, now-c.busyUntil) > l.Park && !c.writing && !c.parked && c.s.lot != nil:
		c.parking.Store(true)
		c.cc.Conn.SetReadDeadline(longAgo)
	case len(c.streams) > 0 && silent > 2*l.ClientStall:
		c.cc.Conn.SetDeadline(longAgo)
	case len(c.streams) > 0 && silent > l.ClientStall && !c.pinged:
		c.pinged = true
		c.put(append(appendFrameHeader(c.output(), 8, http2.FramePing, 0, 0), "slipway!"...))
	}
}
