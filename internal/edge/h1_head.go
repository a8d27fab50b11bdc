package edge

import "bytes"

// This file reads HTTP/1 heads, requests and answers. It is pure, keeps slices of the buffer it was given and allocates nothing
// once its slices have grown. What a request may not contain is refused, never repaired: a message that two programs can read
// in two ways is how requests are smuggled (RFC 9112 §11.2).

// head is one parsed message head. Slices point into the buffer that was parsed.
type head struct {
	// Of requests.
	method, target, host, requestID []byte
	// Of answers: the code, and it with the reason phrase as sent.
	status     int
	statusText []byte

	minor   int // of HTTP/1.x
	raw     []byte
	fields  []field
	options [][]byte // Connection options other than close, keep-alive and upgrade: names of fields that end here

	length     int64 // Content-Length; -1 without one
	chunked    bool
	close      bool // Connection: close
	keepAlive  bool // Connection: keep-alive
	upgrade    bool // an Upgrade field is there
	expect     bool // Expect: 100-continue
	trailersOK bool // TE names trailers
	wantsJSON  bool
	date       bool
	endless    bool // Content-Type names a stream
	traced     bool // a trace id is there
	forwarded  int  // X-Forwarded-For fields
	hosts      int
}

// field is one header line. The line itself, with its end, is raw[start:end] of the head.
type field struct {
	name, value []byte
	start, end  int32
	kind        kind
	crlf        bool
}

// What makes a head unreadable.
var (
	badLineEnd  = &failure{status: 400, code: "BadRequest", cause: "a line of the head does not end with CR LF"}
	badLine     = &failure{status: 400, code: "BadRequest", cause: "the request line is not valid"}
	badTarget   = &failure{status: 400, code: "BadRequest", cause: "the request target is not valid"}
	badName     = &failure{status: 400, code: "BadRequest", cause: "a header field name is not valid"}
	badValue    = &failure{status: 400, code: "BadRequest", cause: "a header field value holds a forbidden character"}
	badFold     = &failure{status: 400, code: "BadRequest", cause: "a folded header line is not accepted"}
	badHost     = &failure{status: 400, code: "BadRequest", cause: "exactly one valid Host header is needed"}
	badLength   = &failure{status: 400, code: "BadRequest", cause: "Content-Length is not valid"}
	badCoding   = &failure{status: 400, code: "BadRequest", cause: "only Transfer-Encoding: chunked, and no Content-Length beside it, is accepted"}
	badOptions  = &failure{status: 400, code: "BadRequest", cause: "the Connection header is not valid"}
	badExpect   = &failure{status: 417, code: "ExpectationFailed", cause: "only Expect: 100-continue is known"}
	badFraming  = &failure{status: 400, code: "BadRequest", cause: "the chunked request body is not valid"}
	badTrailers = &failure{status: 400, code: "BadRequest", cause: "the trailer section of the request is not valid"}
)

// scanHead looks for the end of a head in b, from a position it returned before. end is 0 while the head is not complete.
// strict wants CR LF everywhere; answers of applications may end lines with a bare LF.
func scanHead(b []byte, from int, strict bool) (end, next int, f *failure) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, from, nil
		}
		lf := from + i
		cr := i > 0 && b[lf-1] == '\r'
		if strict && !cr {
			return 0, from, badLineEnd
		}
		if i == 0 || (i == 1 && cr) {
			return lf + 1, lf + 1, nil
		}
		from = lf + 1
	}
}

// reset empties h and keeps its memory.
func (h *head) reset() {
	*h = head{fields: h.fields[:0], options: h.options[:0], length: -1}
}

// parseRequest reads the request head b, which scanHead found complete.
func (h *head) parseRequest(b []byte, maxFields int) *failure {
	h.reset()
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return badLineEnd
	}
	if f := h.parseRequestLine(b[:i-1]); f != nil {
		return f
	}
	if f := h.parseFields(b[i+1:], maxFields); f != nil {
		return f
	}
	return h.judgeRequest()
}

// parseRequestLine reads "METHOD SP target SP HTTP/1.x".
func (h *head) parseRequestLine(line []byte) *failure {
	i := bytes.IndexByte(line, ' ')
	if i < 1 || i > 32 {
		return badLine
	}
	h.method = line[:i]
	for _, c := range h.method {
		if class[c]&token == 0 {
			return badLine
		}
	}
	rest := line[i+1:]
	i = bytes.IndexByte(rest, ' ')
	if i < 1 {
		return badLine
	}
	h.target = rest[:i]
	switch version := rest[i+1:]; {
	case string(version) == "HTTP/1.1":
		h.minor = 1
	case string(version) == "HTTP/1.0":
	case len(version) == 8 && string(version[:5]) == "HTTP/":
		return failVersion
	default:
		return badLine
	}
	return h.judgeTarget()
}

// judgeTarget refuses targets that programs read differently: control characters, a fragment, a broken escape in the path.
func (h *head) judgeTarget() *failure {
	path := true
	t := h.target
	for i := 0; i < len(t); i++ {
		c := t[i]
		switch {
		case class[c]&plain != 0:
		case c == '?':
			path = false
		case c == '#' || c <= ' ' || c == 0x7f:
			return badTarget
		case c == '%' && path:
			if i+2 >= len(t) || class[t[i+1]]&hexDigit == 0 || class[t[i+2]]&hexDigit == 0 {
				return badTarget
			}
		}
	}
	if t[0] != '/' && string(t) != "*" && bytes.IndexByte(t, ':') < 0 {
		return badTarget
	}
	if string(t) == "*" && string(h.method) != "OPTIONS" {
		return badTarget
	}
	return nil
}

// parseFields reads the header lines in b, up to the empty one.
func (h *head) parseFields(b []byte, maxFields int) *failure {
	h.raw = b
	for start := 0; ; {
		i := bytes.IndexByte(b[start:], '\n')
		if i < 0 {
			return badLineEnd
		}
		text := b[start : start+i]
		crlf := i > 0 && text[i-1] == '\r'
		if crlf {
			text = text[:i-1]
		}
		if len(text) == 0 {
			return nil
		}
		if len(h.fields) == maxFields {
			return failHeadSize
		}
		fd := field{start: int32(start), end: int32(start + i + 1), crlf: crlf}
		if f := h.parseField(&fd, text); f != nil {
			return f
		}
		h.fields = append(h.fields, fd)
		start += i + 1
	}
}

// parseField reads one header line.
func (h *head) parseField(fd *field, text []byte) *failure {
	n := 0
	for n < len(text) && class[text[n]]&token != 0 {
		n++
	}
	if n == 0 && (text[0] == ' ' || text[0] == '\t') {
		return badFold
	}
	if n == 0 || n == len(text) || text[n] != ':' {
		return badName
	}
	value := text[n+1:]
	for len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
		value = value[1:]
	}
	for len(value) > 0 && (value[len(value)-1] == ' ' || value[len(value)-1] == '\t') {
		value = value[:len(value)-1]
	}
	for _, c := range value {
		if class[c]&control != 0 {
			return badValue
		}
	}
	fd.name, fd.value, fd.kind = text[:n], value, kindOf(text[:n])
	if fd.kind == kindPass {
		return nil
	}
	return h.note(fd)
}

// note takes in what a field with a meaning says.
func (h *head) note(fd *field) *failure {
	switch fd.kind {
	case kindHost:
		h.hosts++
		h.host = fd.value
	case kindContentLength:
		return h.noteLength(fd.value)
	case kindTransferEncoding:
		if h.chunked || !foldEqual(fd.value, "chunked") {
			return badCoding
		}
		h.chunked = true
	case kindConnection:
		return h.noteOptions(fd.value)
	case kindUpgrade:
		h.upgrade = true
	case kindExpect:
		if !foldEqual(fd.value, "100-continue") {
			return badExpect
		}
		h.expect = true
	case kindTE:
		h.trailersOK = h.trailersOK || containsFold(fd.value, "trailers")
	case kindForwardedFor:
		h.forwarded++
	case kindRequestID:
		if h.requestID == nil && validRequestID(fd.value) {
			h.requestID = fd.value
		}
	case kindAccept:
		h.wantsJSON = h.wantsJSON || bytes.Contains(fd.value, []byte("json"))
		fd.kind = kindPass
	case kindTrace:
		h.traced = true
		fd.kind = kindPass
	case kindContentType:
		h.endless = endless(fd.value)
		fd.kind = kindPass
	case kindDate:
		h.date = true
		fd.kind = kindPass
	}
	return nil
}

// noteLength takes one Content-Length of digits only; a second one is refused even when it says the same.
func (h *head) noteLength(v []byte) *failure {
	if h.length >= 0 || len(v) == 0 || len(v) > 18 {
		return badLength
	}
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' {
			return badLength
		}
		n = n*10 + int64(c-'0')
	}
	h.length = n
	return nil
}

// maxOptions bounds the fields that a Connection header may name.
const maxOptions = 16

// noteOptions takes the options of a Connection header.
func (h *head) noteOptions(v []byte) *failure {
	for len(v) > 0 {
		var o []byte
		if i := bytes.IndexByte(v, ','); i >= 0 {
			o, v = v[:i], v[i+1:]
		} else {
			o, v = v, nil
		}
		o = bytes.TrimSpace(o)
		switch {
		case len(o) == 0 || foldEqual(o, "upgrade"):
		case foldEqual(o, "close"):
			h.close = true
		case foldEqual(o, "keep-alive"):
			h.keepAlive = true
		case len(h.options) == maxOptions:
			return badOptions
		default:
			h.options = append(h.options, o)
		}
	}
	return nil
}

// judgeRequest looks at the head as a whole.
func (h *head) judgeRequest() *failure {
	switch {
	case h.hosts != 1 || !validHost(h.host):
		return badHost
	case h.chunked && (h.length >= 0 || h.minor == 0):
		return badCoding
	case string(h.method) == "CONNECT":
		return failMethod
	}
	return nil
}

// hop tells whether a field ends here: by itself, or because the Connection header names it.
func (h *head) hop(fd *field) bool {
	for _, o := range h.options {
		if len(o) == len(fd.name) && bytes.EqualFold(o, fd.name) {
			return fd.kind == kindPass
		}
	}
	return false
}

// appendFields appends the lines whose kind is in passes and that the Connection header does not name; neighbours in one piece.
func (h *head) appendFields(b []byte, passes kindSet) []byte {
	from, to := int32(0), int32(0)
	for i := range h.fields {
		fd := &h.fields[i]
		if passes>>fd.kind&1 == 0 || (len(h.options) > 0 && h.hop(fd)) {
			continue
		}
		if fd.crlf && fd.start == to {
			to = fd.end
			continue
		}
		b = append(b, h.raw[from:to]...)
		if fd.crlf {
			from, to = fd.start, fd.end
			continue
		}
		from, to = 0, 0
		b = append(b, fd.name...)
		b = append(b, ": "...)
		b = append(b, fd.value...)
		b = append(b, "\r\n"...)
	}
	return append(b, h.raw[from:to]...)
}

// parseAnswer reads the answer head b of an application. It is as strict as with requests where it matters (lengths, control
// characters) and lenient where applications are known to be careless (line ends).
func (h *head) parseAnswer(b []byte, maxFields int) *failure {
	h.reset()
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return failBadAnswer
	}
	line := b[:i]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	if !h.parseStatusLine(line) {
		return failBadAnswer
	}
	if h.parseFields(b[i+1:], maxFields) != nil {
		return failBadAnswer
	}
	return nil
}

// parseStatusLine reads "HTTP/1.x NNN[ reason]".
func (h *head) parseStatusLine(line []byte) bool {
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' || (line[7] != '0' && line[7] != '1') {
		return false
	}
	h.minor = int(line[7] - '0')
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return false
		}
		h.status = h.status*10 + int(c-'0')
	}
	for _, c := range line[12:] {
		if class[c]&control != 0 {
			return false
		}
	}
	h.statusText = line[9:]
	return h.status >= 100 && (len(line) == 12 || line[12] == ' ')
}
