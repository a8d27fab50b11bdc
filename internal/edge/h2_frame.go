package edge

import (
	"encoding/binary"
	"errors"

	"golang.org/x/net/http2"
)

// This file knows the shape of HTTP/2 frames (RFC 9113 §4, §6). It is pure.

const (
	frameHeader = 9
	// maxFrame is the largest frame accepted: the smallest limit there is, which nobody may exceed without being told otherwise.
	maxFrame = 16 << 10
)

// frame is one frame as it lies in the buffer it was read into.
type frame struct {
	kind    http2.FrameType
	flags   http2.Flags
	id      uint32
	payload []byte
}

// parseFrameHeader reads the first 9 bytes of a frame.
func parseFrameHeader(b []byte) (length int, f frame) {
	length = int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	return length, frame{kind: http2.FrameType(b[3]), flags: http2.Flags(b[4]), id: binary.BigEndian.Uint32(b[5:]) & 0x7fffffff}
}

// connError ends the connection with GOAWAY (RFC 9113 §5.4.1).
type connError struct {
	code http2.ErrCode
	why  string
}

func (e *connError) Error() string { return e.code.String() + ": " + e.why }

// streamError ends one stream with RST_STREAM (RFC 9113 §5.4.2).
type streamError struct {
	id   uint32
	code http2.ErrCode
}

func (e *streamError) Error() string { return "stream: " + e.code.String() }

func protocolError(why string) error { return &connError{http2.ErrCodeProtocol, why} }
func sizeError(why string) error     { return &connError{http2.ErrCodeFrameSize, why} }
func calm(why string) error          { return &connError{http2.ErrCodeEnhanceYourCalm, why} }

var errEnded = errors.New("the connection ended")

// unpad takes the padding off a DATA or HEADERS payload.
func (f *frame) unpad() error {
	if f.flags&http2.FlagDataPadded == 0 {
		return nil
	}
	if len(f.payload) == 0 {
		return sizeError("no room for the length of the padding")
	}
	pad := int(f.payload[0])
	if pad > len(f.payload)-1 {
		return protocolError("more padding than payload")
	}
	f.payload = f.payload[1 : len(f.payload)-pad]
	return nil
}

// unprioritise takes the priority fields off a HEADERS payload. They are only looked at for faults: itself tells that the stream is
// to depend on itself.
func (f *frame) unprioritise() (itself bool, err error) {
	if f.flags&http2.FlagHeadersPriority == 0 {
		return false, nil
	}
	if len(f.payload) < 5 {
		return false, sizeError("no room for the priority")
	}
	on := binary.BigEndian.Uint32(f.payload) & 0x7fffffff
	f.payload = f.payload[5:]
	return on == f.id, nil
}

// appendFrameHeader appends the first 9 bytes of a frame.
func appendFrameHeader(b []byte, length int, kind http2.FrameType, flags http2.Flags, id uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags))
	return binary.BigEndian.AppendUint32(b, id)
}

func appendRST(b []byte, id uint32, code http2.ErrCode) []byte {
	b = appendFrameHeader(b, 4, http2.FrameRSTStream, 0, id)
	return binary.BigEndian.AppendUint32(b, uint32(code))
}

func appendWindowUpdate(b []byte, id uint32, n int) []byte {
	b = appendFrameHeader(b, 4, http2.FrameWindowUpdate, 0, id)
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

func appendGoAway(b []byte, last uint32, code http2.ErrCode, why string) []byte {
	b = appendFrameHeader(b, 8+len(why), http2.FrameGoAway, 0, 0)
	b = binary.BigEndian.AppendUint32(b, last)
	b = binary.BigEndian.AppendUint32(b, uint32(code))
	return append(b, why...)
}

func appendSettings(b []byte, settings ...http2.Setting) []byte {
	b = appendFrameHeader(b, 6*len(settings), http2.FrameSettings, 0, 0)
	for _, s := range settings {
		b = binary.BigEndian.AppendUint16(b, uint16(s.ID))
		b = binary.BigEndian.AppendUint32(b, s.Val)
	}
	return b
}

// appendHeaders frames a header block that lies at the end of b, from start+frameHeader on: room for the first frame's header was left
// before it. Blocks beyond the peer's frame size go on in CONTINUATION.
func appendHeaders(b []byte, start, largest int, id uint32, end bool) []byte {
	flags := http2.FlagHeadersEndHeaders
	if end {
		flags |= http2.FlagHeadersEndStream
	}
	block := len(b) - start - frameHeader
	if block <= largest {
		appendFrameHeader(b[:start], block, http2.FrameHeaders, flags, id)
		return b
	}
	rest := append([]byte(nil), b[start+frameHeader+largest:]...)
	b = b[:start+frameHeader+largest]
	appendFrameHeader(b[:start], largest, http2.FrameHeaders, flags&^http2.FlagHeadersEndHeaders, id)
	for len(rest) > 0 {
		n := min(len(rest), largest)
		flags = 0
		if n == len(rest) {
			flags = http2.FlagContinuationEndHeaders
		}
		b = append(appendFrameHeader(b, n, http2.FrameContinuation, flags, id), rest[:n]...)
		rest = rest[n:]
	}
	return b
}
