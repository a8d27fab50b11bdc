package edge

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// This file is what each frame of a client does (RFC 9113 §5, §6).

// handle takes one frame.
func (c *h2Conn) handle(f *frame) error {
	switch {
	case !c.greeted && (f.kind != http2.FrameSettings || f.flags&http2.FlagSettingsAck != 0):
		return protocolError("the first frame is not SETTINGS")
	case c.block.open && (f.kind != http2.FrameContinuation || f.id != c.block.id):
		return protocolError("a header block was not finished")
	}
	switch f.kind {
	case http2.FrameData:
		return c.handleData(f)
	case http2.FrameHeaders:
		return c.handleHeaders(f)
	case http2.FrameContinuation:
		return c.handleContinuation(f)
	case http2.FramePriority:
		return c.handlePriority(f)
	case http2.FrameRSTStream:
		return c.handleRST(f)
	case http2.FrameSettings:
		return c.handleSettings(f)
	case http2.FramePushPromise:
		return protocolError("clients do not push")
	case http2.FramePing:
		return c.handlePing(f)
	case http2.FrameGoAway:
		return c.handleGoAway(f)
	case http2.FrameWindowUpdate:
		return c.handleWindowUpdate(f)
	}
	return c.bear(1) // of a kind nobody knows yet
}

// bear puts up with a frame that only keeps us busy.
func (c *h2Conn) bear(n int) error {
	if c.noise.left < n {
		c.noise.earn(int(c.earned.Swap(0)))
	}
	if !c.noise.take(n, c.s.now()) {
		return calm("too many control or empty frames")
	}
	return nil
}

// idle tells whether a stream was never opened; under the lock.
func (c *h2Conn) idle(id uint32) bool { return id%2 == 0 || id > c.lastID }

func (c *h2Conn) handleData(f *frame) error {
	size := len(f.payload)
	if f.id == 0 {
		return protocolError("DATA on stream 0")
	}
	if err := f.unpad(); err != nil {
		return err
	}
	if len(f.payload) > 0 {
		c.noise.earn(1)
	} else if f.flags&http2.FlagDataEndStream == 0 {
		if err := c.bear(1); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recvWindow -= size; c.recvWindow < 0 {
		return &connError{http2.ErrCodeFlowControl, "more DATA than the window of the connection"}
	}
	st := c.streams[f.id]
	if st == nil || st.reset {
		c.consumed(size)
		return c.dataNowhere(f.id)
	}
	return st.takeData(f, size)
}

// dataNowhere judges DATA for a stream that is not open; under the lock.
func (c *h2Conn) dataNowhere(id uint32) error {
	if c.idle(id) {
		return protocolError("DATA on an idle stream")
	}
	if st := c.streams[id]; st != nil && !st.cancelled {
		return nil // we reset it, and this was on the way
	}
	if _, ours := c.past.find(id); ours {
		return nil
	}
	return &streamError{id, http2.ErrCodeStreamClosed}
}

// takeData takes DATA for the stream; size is what it counts against the windows. Under the lock.
func (st *h2Stream) takeData(f *frame, size int) error {
	c := st.c
	length, ended := st.req.length, f.flags&http2.FlagDataEndStream != 0
	st.got += int64(len(f.payload))
	fault := http2.ErrCodeNo
	switch {
	case st.recvClosed:
		fault = http2.ErrCodeStreamClosed
	case size > st.recvWindow:
		fault = http2.ErrCodeFlowControl
	case length >= 0 && (st.got > length || ended && st.got < length):
		fault = http2.ErrCodeProtocol // not the body that Content-Length promised (§8.1.1)
	}
	if fault != http2.ErrCodeNo {
		c.consumed(size)
		return &streamError{f.id, fault}
	}
	st.recvWindow -= size
	st.in = append(st.in, f.payload...)
	st.expecting = false
	st.recvClosed = ended
	st.consumed(size - len(f.payload))
	st.cond.Broadcast()
	return nil
}

// consumed lets the client send n more bytes on the connection, once that is worth a frame; under the lock.
func (c *h2Conn) consumed(n int) {
	if c.unsent += n; c.unsent >= connWindow/4 {
		c.put(appendWindowUpdate(c.output(), 0, c.unsent))
		c.recvWindow += c.unsent
		c.unsent = 0
	}
}

// consumed lets the client send n more bytes on the stream, and on the connection; under the lock.
func (st *h2Stream) consumed(n int) {
	st.c.consumed(n)
	if st.unsent += n; st.unsent >= streamWindow/4 && !st.recvClosed && !st.reset {
		st.c.put(appendWindowUpdate(st.c.output(), st.id, st.unsent))
		st.recvWindow += st.unsent
		st.unsent = 0
	}
}

func (c *h2Conn) handlePriority(f *frame) error {
	switch {
	case f.id == 0:
		return protocolError("PRIORITY on stream 0")
	case len(f.payload) != 5:
		return &streamError{f.id, http2.ErrCodeFrameSize}
	case binary.BigEndian.Uint32(f.payload)&0x7fffffff == f.id:
		return &streamError{f.id, http2.ErrCodeProtocol}
	}
	return c.bear(1)
}

func (c *h2Conn) handleRST(f *frame) error {
	switch {
	case f.id == 0:
		return protocolError("RST_STREAM on stream 0")
	case len(f.payload) != 4:
		return sizeError("RST_STREAM is not 4 bytes")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle(f.id) {
		return protocolError("RST_STREAM on an idle stream")
	}
	st := c.streams[f.id]
	if st == nil || st.reset {
		return c.bear(1)
	}
	st.cancelled = true
	st.abandon()
	return c.countReset()
}

// countReset counts a request that was thrown away: asking and cancelling costs a client nothing and us a request to an instance
// (CVE-2023-44487), and so does making us cancel (CVE-2025-8671).
func (c *h2Conn) countReset() error {
	if !c.resets.take(1, c.s.now()) {
		return calm("too many streams reset")
	}
	return nil
}

// refuseStream answers a fault of one stream.
func (c *h2Conn) refuseStream(e *streamError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[e.id]
	if st != nil && st.reset && !st.cancelled {
		return nil
	}
	c.put(appendRST(c.output(), e.id, e.code))
	if st != nil {
		st.abandon()
	} else {
		c.past.add(e.id, true)
	}
	if c.waiting() > controlWater {
		return calm("answers are not read")
	}
	return c.countReset()
}

func (c *h2Conn) handleSettings(f *frame) error {
	ack := f.flags&http2.FlagSettingsAck != 0
	switch {
	case f.id != 0:
		return protocolError("SETTINGS on a stream")
	case ack && len(f.payload) > 0:
		return sizeError("SETTINGS acknowledged with a payload")
	case len(f.payload)%6 != 0:
		return sizeError("SETTINGS is not a multiple of 6 bytes")
	}
	c.greeted = true
	if err := c.bear(1 + len(f.payload)/60); err != nil || ack {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := f.payload; len(p) > 0; p = p[6:] {
		if err := c.set(http2.SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])); err != nil {
			return err
		}
	}
	return c.reply(appendFrameHeader(c.output(), 0, http2.FrameSettings, http2.FlagSettingsAck, 0))
}

// reply sends the answer to a control frame, to clients that read them; under the lock.
func (c *h2Conn) reply(b []byte) error {
	c.put(b)
	if len(b) > controlWater {
		return calm("answers are not read")
	}
	return nil
}

// set obeys one setting (§6.5.2); under the lock.
func (c *h2Conn) set(id http2.SettingID, v uint32) error {
	switch id {
	case http2.SettingHeaderTableSize:
		c.enc.resize(v)
	case http2.SettingEnablePush:
		if v > 1 {
			return protocolError("ENABLE_PUSH is neither 0 nor 1")
		}
	case http2.SettingInitialWindowSize:
		return c.resizeWindows(v)
	case http2.SettingMaxFrameSize:
		if v < 16<<10 || v > 1<<24-1 {
			return protocolError("MAX_FRAME_SIZE is out of range")
		}
		c.peer.largestFrame = min(int(v), highWater/2)
	}
	return nil
}

const largestWindow = 1<<31 - 1

// resizeWindows changes the windows of all streams by as much as the initial one changed (§6.9.2).
func (c *h2Conn) resizeWindows(v uint32) error {
	if v > largestWindow {
		return &connError{http2.ErrCodeFlowControl, "INITIAL_WINDOW_SIZE is out of range"}
	}
	change := int(v) - c.peer.initialWindow
	c.peer.initialWindow = int(v)
	for _, st := range c.streams {
		if st.sendWindow += change; st.sendWindow > largestWindow {
			return &connError{http2.ErrCodeFlowControl, "INITIAL_WINDOW_SIZE lifts a window out of range"}
		}
	}
	if c.starving > 0 {
		c.feed()
	}
	return nil
}

func (c *h2Conn) handlePing(f *frame) error {
	switch {
	case f.id != 0:
		return protocolError("PING on a stream")
	case len(f.payload) != 8:
		return sizeError("PING is not 8 bytes")
	}
	if err := c.bear(1); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.flags&http2.FlagPingAck != 0 {
		c.pinged = false
		return nil
	}
	return c.reply(append(appendFrameHeader(c.output(), 8, http2.FramePing, http2.FlagPingAck, 0), f.payload...))
}

// handleGoAway notes nothing: a client that goes asks no more by itself.
func (c *h2Conn) handleGoAway(f *frame) error {
	switch {
	case f.id != 0:
		return protocolError("GOAWAY on a stream")
	case len(f.payload) < 8:
		return sizeError("GOAWAY is shorter than 8 bytes")
	}
	return c.bear(1)
}

func (c *h2Conn) handleWindowUpdate(f *frame) error {
	if len(f.payload) != 4 {
		return sizeError("WINDOW_UPDATE is not 4 bytes")
	}
	n := int(binary.BigEndian.Uint32(f.payload) & 0x7fffffff)
	if err := c.bear(1); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.id == 0 {
		return c.widen(n)
	}
	st := c.streams[f.id]
	switch {
	case c.idle(f.id):
		return protocolError("WINDOW_UPDATE on an idle stream")
	case n == 0:
		return &streamError{f.id, http2.ErrCodeProtocol}
	case st == nil || st.reset:
		return nil
	case st.sendWindow+n > largestWindow:
		return &streamError{f.id, http2.ErrCodeFlowControl}
	}
	st.sendWindow += n
	if st.starving {
		st.cond.Broadcast()
	}
	return nil
}

// widen opens the window of the connection.
func (c *h2Conn) widen(n int) error {
	if n == 0 {
		return protocolError("WINDOW_UPDATE by 0")
	}
	if c.sendWindow += n; c.sendWindow > largestWindow {
		return &connError{http2.ErrCodeFlowControl, "the window of the connection is out of range"}
	}
	if c.starving > 0 {
		c.feed()
	}
	return nil
}
