package edge

import (
	"strings"
	"unsafe"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// headerBlock is a header block on its way in.
type headerBlock struct {
	open     bool // more of it is to come
	id       uint32
	end      bool      // the stream ends with it
	stream   *h2Stream // whose request it is, or whose trailers; nil: it is read for the table's sake only
	trailers bool
	fault    http2.ErrCode // of the stream, told when the block has been read
	frames   int
	bytes    int // as sent
	size     int // as fields
	fields   int
}

// maxContinuations is the most frames of one header block (CVE-2024-27316 and its kin).
const maxContinuations = 64

func (c *h2Conn) handleHeaders(f *frame) error {
	if f.id%2 == 0 {
		return protocolError("HEADERS on a stream that is not the client's")
	}
	if err := f.unpad(); err != nil {
		return err
	}
	itself, err := f.unprioritise()
	if err != nil {
		return err
	}
	c.block = headerBlock{open: true, id: f.id, end: f.flags&http2.FlagHeadersEndStream != 0}
	if err := c.openBlock(); err != nil {
		return err
	}
	if itself {
		c.block.fault = http2.ErrCodeProtocol
	}
	return c.takeFragment(f)
}

// openBlock decides what a header block is for.
func (c *h2Conn) openBlock() error {
	b := &c.block
	c.trailers = c.trailers[:0]
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[b.id]
	switch {
	case st != nil && st.cancelled:
		return &connError{http2.ErrCodeStreamClosed, "HEADERS on a stream that was reset"}
	case st != nil && st.reset:
		return nil
	case st != nil && st.recvClosed:
		b.fault = http2.ErrCodeStreamClosed
		return nil
	case st != nil:
		b.stream, b.trailers = st, true
		if !b.end || st.upgrade != nil { // a WebSocket ends with DATA (RFC 9113 §8.5)
			b.fault = http2.ErrCodeProtocol
		}
		return nil
	case b.id <= c.lastID:
		return c.blockNowhere()
	case c.leaving:
		return nil // it will be asked again elsewhere
	}
	c.lastID = b.id
	if c.live >= c.s.limits.StreamsPerConn || len(c.streams) >= 2*c.s.limits.StreamsPerConn {
		b.fault = http2.ErrCodeRefusedStream
		return nil
	}
	b.stream = newH2Stream(c, b.id)
	return nil
}

// blockNowhere judges HEADERS for a stream that has ended.
func (c *h2Conn) blockNowhere() error {
	known, ours := c.past.find(c.block.id)
	switch {
	case ours:
		return nil
	case known:
		return &connError{http2.ErrCodeStreamClosed, "HEADERS on a stream that has ended"}
	}
	return protocolError("stream identifiers only grow")
}

func (c *h2Conn) handleContinuation(f *frame) error {
	if !c.block.open {
		return protocolError("CONTINUATION of nothing")
	}
	if c.block.frames++; c.block.frames > maxContinuations {
		return calm("too many CONTINUATION frames")
	}
	return c.takeFragment(f)
}

// takeFragment decodes a part of a header block, and acts on the block when it was the last.
func (c *h2Conn) takeFragment(f *frame) error {
	b := &c.block
	if b.bytes += len(f.payload); b.bytes > 2*c.s.limits.HeadBytes {
		return calm("a header block of more than twice the limit")
	}
	if _, err := c.dec.Write(f.payload); err != nil {
		return &connError{http2.ErrCodeCompression, err.Error()}
	}
	if f.flags&http2.FlagHeadersEndHeaders == 0 {
		return nil
	}
	if err := c.dec.Close(); err != nil {
		return &connError{http2.ErrCodeCompression, err.Error()}
	}
	c.dec.SetEmitEnabled(true)
	b.open = false
	return c.closeBlock()
}

// closeBlock acts on a whole header block.
func (c *h2Conn) closeBlock() error {
	b := &c.block
	st := b.stream
	b.stream = nil
	if st == nil && b.fault == http2.ErrCodeNo {
		return c.bear(1) // for nobody any more
	}
	if st == nil || b.trailers {
		return c.closeTrailers(st)
	}
	if b.fault == http2.ErrCodeNo {
		b.fault = st.finishHead(b.end)
	}
	if b.fault != http2.ErrCodeNo {
		st.free()
		return &streamError{b.id, b.fault}
	}
	c.noise.earn(4)
	c.mu.Lock()
	c.streams[b.id] = st
	c.live++
	st.sendWindow = c.peer.initialWindow
	st.recvClosed = b.end
	c.mu.Unlock()
	c.s.crew.do(st)
	return nil
}

// closeTrailers ends a request with trailers.
func (c *h2Conn) closeTrailers(st *h2Stream) error {
	b := &c.block
	if b.fault != http2.ErrCodeNo {
		return &streamError{b.id, b.fault}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[b.id] != st || st.reset {
		return nil // it ended meanwhile
	}
	if st.req.length >= 0 && st.got != st.req.length {
		return &streamError{b.id, http2.ErrCodeProtocol}
	}
	st.trailers = append(st.trailers, c.trailers...)
	st.recvClosed = true
	st.cond.Broadcast()
	return nil
}

// onField takes one field of the header block that is being decoded.
func (c *h2Conn) onField(f hpack.HeaderField) {
	b := &c.block
	b.fields++
	b.size += len(f.Name) + len(f.Value) + entryOverhead
	tooMuch := b.fields > c.s.limits.Headers || b.size > c.s.limits.HeadBytes
	switch {
	case tooMuch:
		c.dec.SetEmitEnabled(false) // what is left is only decoded for the table's sake
		if b.stream != nil && !b.trailers {
			b.stream.fault = failHeadSize
		} else if b.fault == http2.ErrCodeNo {
			b.fault = http2.ErrCodeEnhanceYourCalm
		}
	case b.stream == nil || b.fault != http2.ErrCodeNo:
	case b.trailers:
		c.onTrailer(f)
	case !b.stream.takeField(f):
		b.fault = http2.ErrCodeProtocol
	}
}

// onTrailer takes a field that comes after the body.
func (c *h2Conn) onTrailer(f hpack.HeaderField) {
	if f.IsPseudo() || !validName(f.Name) || !validValue(f.Value) || forbiddenTrailer(bytesOf(f.Name)) {
		c.block.fault = http2.ErrCodeProtocol
		return
	}
	c.trailers = appendLine(c.trailers, f.Name, f.Value)
}

// bytesOf views a string as bytes, which nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func appendLine(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// validName takes names of tokens without capitals (§8.2.1).
func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; class[c]&token == 0 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return len(name) > 0
}

// validValue takes values without controls and without blanks around them (§8.2.1).
func validValue(v string) bool {
	for i := 0; i < len(v); i++ {
		if class[v[i]]&control != 0 {
			return false
		}
	}
	return v == "" || !blank(v[0]) && !blank(v[len(v)-1])
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// pseudoFields are those of a request (§8.3.1).
type pseudoFields struct{ method, scheme, path, authority, protocol string }

// takeField takes one field of a request head; false when it makes the request malformed (§8.1.1).
func (st *h2Stream) takeField(f hpack.HeaderField) bool {
	if !validValue(f.Value) {
		return false
	}
	if f.IsPseudo() {
		return st.takePseudo(f)
	}
	if !validName(f.Name) {
		return false
	}
	if f.Name == "cookie" {
		if len(st.cookie) > 0 {
			st.cookie = append(st.cookie, "; "...) // §8.2.3
		}
		st.cookie = append(st.cookie, f.Value...)
		return true
	}
	if len(st.raw) == 0 && st.pseudo.authority != "" {
		st.addField(kindHost, "host", st.pseudo.authority)
	}
	return st.takeRegular(kindOf(bytesOf(f.Name)), f)
}

// takePseudo takes a pseudo-field: each once, none empty but the authority, none after a field, and none that nobody knows.
func (st *h2Stream) takePseudo(f hpack.HeaderField) bool {
	p := &st.pseudo
	var to *string
	switch f.Name {
	case ":method":
		to = &p.method
	case ":scheme":
		to = &p.scheme
	case ":path":
		to = &p.path
	case ":authority":
		to = &p.authority
	case ":protocol": // RFC 8441 §4
		to = &p.protocol
	default:
		return false
	}
	if *to != "" || f.Value == "" || len(st.raw) > 0 || len(st.cookie) > 0 {
		return false
	}
	*to = f.Value
	return true
}

// takeRegular takes a field by its kind. Those that speak of a connection do not exist in HTTP/2 (§8.2.2).
func (st *h2Stream) takeRegular(k kind, f hpack.HeaderField) bool {
	switch k {
	case kindConnection, kindTransferEncoding, kindUpgrade:
		return false
	case kindHop:
		return f.Name != "keep-alive" && f.Name != "proxy-connection"
	case kindTE:
		st.req.trailersOK = f.Value == "trailers"
		return st.req.trailersOK
	case kindHost:
		if st.pseudo.authority != "" {
			return strings.EqualFold(f.Value, st.pseudo.authority) // two hosts are two readings
		}
	}
	st.addField(k, f.Name, f.Value)
	return true
}

// addField appends a field as a line of HTTP/1.1, which is how the instance gets it.
func (st *h2Stream) addField(k kind, name, value string) {
	fd := field{name: bytesOf(name), value: bytesOf(value), start: int32(len(st.raw)), kind: k, crlf: true}
	st.raw = appendLine(st.raw, name, value)
	fd.end = int32(len(st.raw))
	if k != kindPass {
		if f := st.req.note(&fd); f != nil && st.fault == nil {
			st.fault = f
		}
	}
	st.req.fields = append(st.req.fields, fd)
}

// finishHead judges a request head as a whole. A code other than none resets the stream; what is well-formed but not served is noted
// as a fault to be answered.
func (st *h2Stream) finishHead(end bool) http2.ErrCode {
	p, r := &st.pseudo, &st.req
	if st.fault == failHeadSize {
		r.method = bytesOf(p.method)
		return http2.ErrCodeNo
	}
	socket := p.protocol != ""
	if p.method == "CONNECT" && !socket && p.scheme == "" && p.path == "" && p.authority != "" {
		st.fault, r.method = failMethod, bytesOf(p.method)
		return http2.ErrCodeNo
	}
	if p.method == "" || p.scheme == "" || p.path == "" || (p.method == "CONNECT") != socket || !validMethod(p.method) {
		return http2.ErrCodeProtocol
	}
	if end && r.length > 0 || socket && r.length >= 0 {
		return http2.ErrCodeProtocol
	}
	if r.hosts == 0 && p.authority != "" {
		st.addField(kindHost, "host", p.authority)
	}
	if len(st.cookie) > 0 {
		st.addField(kindPass, "cookie", text(st.cookie))
	}
	r.raw, r.method, r.target, r.minor = st.raw, bytesOf(p.method), bytesOf(p.path), 1
	r.chunked = !end && r.length < 0
	if socket {
		st.becomeSocket()
	}
	if st.fault == nil {
		st.fault = st.judge()
	}
	return http2.ErrCodeNo
}

func validMethod(m string) bool {
	for i := 0; i < len(m); i++ {
		if class[m[i]]&token == 0 {
			return false
		}
	}
	return len(m) <= 32
}

// judge refuses what is refused over HTTP/1.1 too.
func (st *h2Stream) judge() *failure {
	r, p := &st.req, &st.pseudo
	switch {
	case r.hosts != 1 || !validHost(r.host):
		return badHost
	case p.scheme != "https" && p.scheme != "http":
		return badTarget
	case p.path[0] != '/' && p.path != "*":
		return badTarget
	}
	return r.judgeTarget()
}
