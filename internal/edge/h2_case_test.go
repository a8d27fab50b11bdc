package edge

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawH2 is a client of single frames, which may be wrong.
type rawH2 struct {
	t    testing.TB
	conn net.Conn
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
	dec   *hpack.Decoder
	// What has come.
	seen []string
	body map[uint32]int
}

// dialH2 connects to the edge and says hello, unless it is not to be polite.
func dialH2(t testing.TB, h *house, polite bool) *rawH2 {
	t.Helper()
	conn, err := tls.Dial("tcp", h.https.Addr().String(), &tls.Config{RootCAs: h.ca.pool, ServerName: appHost, NextProtos: []string{"h2"}})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	c := &rawH2{t: t, conn: conn, Framer: http2.NewFramer(conn, conn), body: map[uint32]int{}}
	c.AllowIllegalReads, c.AllowIllegalWrites = true, true
	c.enc, c.dec = hpack.NewEncoder(&c.block), hpack.NewDecoder(4096, nil)
	if polite {
		io.WriteString(conn, http2.ClientPreface)
		c.WriteSettings()
	}
	return c
}

// fields encodes "name: value" lines.
func (c *rawH2) fields(lines ...string) []byte {
	c.block.Reset()
	for _, l := range lines {
		i := strings.Index(l[1:], ":") + 1
		c.enc.WriteField(hpack.HeaderField{Name: l[:i], Value: strings.TrimPrefix(l[i+1:], " ")})
	}
	return append([]byte(nil), c.block.Bytes()...)
}

var plainHead = []string{":method: GET", ":scheme: https", ":path: /", ":authority: " + appHost}

func headOf(method, path string, more ...string) []string {
	return append([]string{":method: " + method, ":scheme: https", ":path: " + path, ":authority: " + appHost}, more...)
}

// ask sends HEADERS.
func (c *rawH2) ask(id uint32, end bool, lines ...string) {
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.fields(lines...), EndHeaders: true, EndStream: end})
}

// next reads one frame and notes it; the returned word is what the table expects: "goaway CODE", "rst ID CODE", "answer ID STATUS",
// "end ID", "ping", "settings ack", "closed" or other.
func (c *rawH2) next() string {
	f, err := c.ReadFrame()
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return "silence"
		}
		return "closed"
	}
	switch f := f.(type) {
	case *http2.GoAwayFrame:
		return "goaway " + f.ErrCode.String()
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("rst %d %s", f.StreamID, f.ErrCode)
	case *http2.PingFrame:
		if f.IsAck() {
			return "ping " + string(f.Data[:])
		}
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "settings ack"
		}
	case *http2.DataFrame:
		c.body[f.StreamID] += len(f.Data())
		if f.StreamEnded() {
			return fmt.Sprintf("end %d", f.StreamID)
		}
		return fmt.Sprintf("data %d", f.StreamID)
	case *http2.HeadersFrame:
		fields, err := c.dec.DecodeFull(f.HeaderBlockFragment())
		if err != nil || len(fields) == 0 {
			return fmt.Sprint("unreadable ", err)
		}
		word := fmt.Sprintf("trailers %d", f.StreamID)
		if fields[0].Name == ":status" {
			word = fmt.Sprintf("answer %d %s", f.StreamID, fields[0].Value)
		}
		if f.StreamEnded() {
			c.seen = append(c.seen, word)
			return fmt.Sprintf("end %d", f.StreamID)
		}
		return word
	}
	return "other"
}

// until reads until one of the words comes, and tells what did.
func (c *rawH2) until(words ...string) (string, bool) {
	for {
		w := c.next()
		c.seen = append(c.seen, w)
		for _, s := range c.seen {
			for _, want := range words {
				if s == want {
					return want, true
				}
			}
		}
		if w == "closed" || w == "silence" {
			return strings.Join(c.seen, ", "), false
		}
	}
}

const (
	protoErr   = "goaway PROTOCOL_ERROR"
	sizeErr    = "goaway FRAME_SIZE_ERROR"
	flowErr    = "goaway FLOW_CONTROL_ERROR"
	compErr    = "goaway COMPRESSION_ERROR"
	closedErr  = "goaway STREAM_CLOSED"
	calmErr    = "goaway ENHANCE_YOUR_CALM"
	rstProto   = "rst 1 PROTOCOL_ERROR"
	rstClosed  = "rst 1 STREAM_CLOSED"
	rstSize    = "rst 1 FRAME_SIZE_ERROR"
	rstFlow    = "rst 1 FLOW_CONTROL_ERROR"
	answered   = "answer 1 200"
	refused400 = "answer 1 400"
)

// malformed are request heads that are not one in HTTP/2 (§8.1.1): the stream is reset.
var malformed = map[string][]string{
	"8.2 capital in a name":              headOf("GET", "/", "X-Upper: a"),
	"8.2 blank in a name":                headOf("GET", "/", "a b: c"),
	"8.2 empty name":                     {":method: GET", ":scheme: https", ":path: /", ":authority: " + appHost, "\x00: x"},
	"8.2 CR LF in a name":                headOf("GET", "/", "a\r\nb: c"),
	"8.2 CR in a value":                  headOf("GET", "/", "a: b\rc"),
	"8.2 LF in a value":                  headOf("GET", "/", "a: b\nc"),
	"8.2 CR LF in a value":               headOf("GET", "/", "a: b\r\nTransfer-Encoding: chunked"),
	"8.2 NUL in a value":                 headOf("GET", "/", "a: b\x00c"),
	"8.2 value begins with a blank":      headOf("GET", "/", "a:  b"),
	"8.2 value ends with a tab":          headOf("GET", "/", "a: b\t"),
	"8.2.2 connection":                   headOf("GET", "/", "connection: close"),
	"8.2.2 connection keep-alive":        headOf("GET", "/", "connection: keep-alive"),
	"8.2.2 keep-alive":                   headOf("GET", "/", "keep-alive: 3"),
	"8.2.2 proxy-connection":             headOf("GET", "/", "proxy-connection: keep-alive"),
	"8.2.2 transfer-encoding":            headOf("POST", "/", "transfer-encoding: chunked"),
	"8.2.2 upgrade":                      headOf("GET", "/", "upgrade: websocket"),
	"8.2.2 te other than trailers":       headOf("GET", "/", "te: gzip"),
	"8.2.2 te with more than trailers":   headOf("GET", "/", "te: trailers, deflate"),
	"8.3 unknown pseudo-field":           headOf("GET", "/", ":magic: 1"),
	"8.3 pseudo-field of answers":        append([]string{":status: 200"}, plainHead...),
	"8.3 pseudo-field after a field":     {":method: GET", ":scheme: https", "a: b", ":path: /", ":authority: " + appHost},
	"8.3 pseudo-field after a cookie":    {":method: GET", ":scheme: https", "cookie: b", ":path: /", ":authority: " + appHost},
	"8.3.1 no method":                    {":scheme: https", ":path: /", ":authority: " + appHost},
	"8.3.1 no scheme":                    {":method: GET", ":path: /", ":authority: " + appHost},
	"8.3.1 no path":                      {":method: GET", ":scheme: https", ":authority: " + appHost},
	"8.3.1 empty path":                   headOf("GET", ""),
	"8.3.1 two methods":                  append([]string{":method: GET"}, plainHead...),
	"8.3.1 two schemes":                  append([]string{":scheme: https"}, plainHead...),
	"8.3.1 two paths":                    append([]string{":path: /"}, plainHead...),
	"8.3.1 two authorities":              append([]string{":authority: other.test"}, plainHead...),
	"8.3.1 authority and another host":   headOf("GET", "/", "host: other.test"),
	"8.3.1 CR LF in the path":            headOf("GET", "/ HTTP/1.1\r\nX: y"),
	"8.3.1 CR LF in the method":          headOf("GET / HTTP/1.1\r\nX: y\r\n", "/"),
	"8.3.1 blank in the method":          headOf("GE T", "/"),
	"8.3.1 LF in the authority":          {":method: GET", ":scheme: https", ":path: /", ":authority: " + appHost + "\nX: y"},
	"8.5 CONNECT with a path":            headOf("CONNECT", "/"),
	"RFC 8441 protocol without CONNECT":  headOf("GET", "/", ":protocol: websocket"),
	"RFC 8441 protocol of nothing":       headOf("CONNECT", "/", ":protocol:"),
	"RFC 8441 two protocols":             append([]string{":protocol: websocket", ":protocol: websocket"}, headOf("CONNECT", "/")...),
	"RFC 8441 no path":                   {":method: CONNECT", ":protocol: websocket", ":scheme: https", ":authority: " + appHost},
	"RFC 8441 no scheme":                 {":method: CONNECT", ":protocol: websocket", ":path: /", ":authority: " + appHost},
	"RFC 8441 length of nothing":         {":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /", ":authority: " + appHost, "content-length: 0"},
	"RFC 8441 protocol after a field":    headOf("CONNECT", "/", "a: b", ":protocol: websocket"),
	"8.1.1 length of a body without one": headOf("GET", "/", "content-length: 3"),
}

// h2Case is one misdeed or oddity, and the words of which one has to come back.
type h2Case struct {
	name string
	do   func(c *rawH2)
	want []string
}

func w(words ...string) []string { return words }

// raw sends a frame of any shape.
func raw(kind http2.FrameType, flags http2.Flags, id uint32, payload string) func(*rawH2) {
	return func(c *rawH2) { c.WriteRawFrame(kind, flags, id, []byte(payload)) }
}

// open opens stream 1 for a body and then does more.
func open(more func(*rawH2)) func(*rawH2) {
	return func(c *rawH2) { c.ask(1, false, headOf("POST", "/slow")...); more(c) }
}

// done has stream 1 answered and then does more.
func done(more func(*rawH2)) func(*rawH2) {
	return func(c *rawH2) {
		c.ask(1, true, plainHead...)
		for word := ""; word != "end 1" && word != "closed"; word = c.next() {
		}
		more(c)
	}
}

// halfClosed has stream 1 ended by the client and waiting for its answer, and then does more.
func halfClosed(more func(*rawH2)) func(*rawH2) {
	return func(c *rawH2) { c.ask(1, true, headOf("GET", "/slow")...); more(c) }
}

// socket opens a WebSocket on stream 1 and then does more.
func socket(path string, more func(*rawH2)) func(*rawH2) {
	return func(c *rawH2) {
		c.ask(1, false, ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: "+path, ":authority: "+appHost)
		more(c)
	}
}

func ask(id uint32, lines ...string) func(*rawH2) {
	return func(c *rawH2) { c.ask(id, true, lines...) }
}

func all(steps ...func(*rawH2)) func(*rawH2) {
	return func(c *rawH2) {
		for _, s := range steps {
			s(c)
		}
	}
}

const none = http2.Flags(0)

var h2Cases = []h2Case{
	// 3.4 and 4: the preface and frames as such.
	{"4.1 unknown frame", all(raw(0xfa, 0xff, 0, "what"), ask(1, plainHead...)), w(answered)},
	{"4.1 unknown frame on an idle stream", all(raw(0xfa, 0, 99, "what"), ask(1, plainHead...)), w(answered)},
	{"4.1 unknown flags", raw(http2.FramePing, 0xfe, 0, "12345678"), w("ping 12345678")},
	{"4.1 reserved bit of the identifier", raw(http2.FramePing, 0, 1<<31, "12345678"), w("ping 12345678")},
	{"4.2 frame of the largest size", open(func(c *rawH2) { c.WriteData(1, true, make([]byte, 16384)) }), w(answered)},
	{"4.2 DATA too large", open(func(c *rawH2) { c.WriteData(1, true, make([]byte, 16385)) }), w(sizeErr, rstSize)},
	{"4.2 HEADERS too large", func(c *rawH2) { c.ask(1, true, headOf("GET", "/", "a: "+strings.Repeat("\x01~", 9000))...) }, w(sizeErr)},
	{"4.2 PING too large", raw(http2.FramePing, none, 0, strings.Repeat("x", 17000)), w(sizeErr)},
	{"4.3 block that cannot be decoded", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, 1, "\xff\xff\xff\xff\xff\xff\xff"), w(compErr)},
	{"4.3 index out of range", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, 1, "\xbf"), w(compErr)},
	{"4.3 index 0", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, 1, "\x80"), w(compErr)},
	{"4.3 table larger than announced", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, 1, "\x3f\xe1\xff\x03"), w(compErr)},
	{"4.3 Huffman padding of zeros", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, 1, "\x82\x87\x84\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"), w(compErr)},
	{"4.3 block that ends in a field", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, 1, "\x82\x40\x05ab"), w(compErr)},
	{"4.3 PRIORITY inside of a block", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...)})
		c.WritePriority(1, http2.PriorityParam{StreamDep: 3})
	}, w(protoErr)},
	{"4.3 HEADERS inside of a block", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...)})
		c.ask(3, true, plainHead...)
	}, w(protoErr)},
	{"4.3 unknown frame inside of a block", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...)})
		c.WriteRawFrame(0xfa, 0, 1, nil)
	}, w(protoErr)},

	// 5.1: states of streams.
	{"5.1 idle: DATA", raw(http2.FrameData, none, 1, "x"), w(protoErr)},
	{"5.1 idle: RST_STREAM", raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08"), w(protoErr)},
	{"5.1 idle: WINDOW_UPDATE", raw(http2.FrameWindowUpdate, none, 1, "\x00\x00\x00\x08"), w(protoErr)},
	{"5.1 idle: CONTINUATION", raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, 1, "\x82"), w(protoErr)},
	{"5.1 idle: PRIORITY", all(raw(http2.FramePriority, none, 5, "\x00\x00\x00\x00\x10"), ask(1, plainHead...)), w(answered)},
	{"5.1 half closed: DATA", halfClosed(raw(http2.FrameData, none, 1, "x")), w(rstClosed)},
	{"5.1 half closed: HEADERS", halfClosed(ask(1, plainHead...)), w(rstClosed)},
	{"5.1 half closed: CONTINUATION", halfClosed(raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, 1, "\x82")), w(protoErr)},
	{"5.1 half closed: WINDOW_UPDATE", halfClosed(raw(http2.FrameWindowUpdate, none, 1, "\x00\x00\x00\x08")), w(answered)},
	{"5.1 half closed: PRIORITY", halfClosed(raw(http2.FramePriority, none, 1, "\x00\x00\x00\x00\x10")), w(answered)},
	{"5.1 reset: DATA", halfClosed(all(raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08"), raw(http2.FrameData, none, 1, "x"))), w(rstClosed, closedErr)},
	{"5.1 reset: HEADERS", halfClosed(all(raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08"), ask(1, plainHead...))), w(rstClosed, closedErr)},
	{"5.1 reset: twice", halfClosed(all(raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08"), raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08"), ask(3, plainHead...))), w("answer 3 200")},
	{"5.1 closed: DATA", done(raw(http2.FrameData, none, 1, "x")), w(rstClosed, closedErr)},
	{"5.1 closed: HEADERS", done(ask(1, plainHead...)), w(rstClosed, closedErr)},
	{"5.1 closed: WINDOW_UPDATE", done(all(raw(http2.FrameWindowUpdate, none, 1, "\x00\x00\x00\x08"), ask(3, plainHead...))), w("answer 3 200")},
	{"5.1 closed: RST_STREAM", done(all(raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08"), ask(3, plainHead...))), w("answer 3 200")},
	{"5.1 closed: PRIORITY", done(all(raw(http2.FramePriority, none, 1, "\x00\x00\x00\x00\x10"), ask(3, plainHead...))), w("answer 3 200")},
	{"5.1.1 even identifier", ask(2, plainHead...), w(protoErr)},
	{"5.1.1 smaller identifier", all(ask(5, headOf("GET", "/slow")...), ask(3, plainHead...)), w(protoErr)},
	{"5.1.1 skipped identifiers", all(ask(1, plainHead...), ask(101, plainHead...)), w("answer 101 200")},
	{"5.1.2 too many streams", func(c *rawH2) {
		for id := uint32(1); id < 20; id += 2 {
			c.ask(id, true, headOf("GET", "/slow")...)
		}
	}, w("rst 19 REFUSED_STREAM")},
	{"5.3.1 HEADERS that depend on themselves", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...), EndHeaders: true, EndStream: true, Priority: http2.PriorityParam{StreamDep: 1, Weight: 1}})
	}, w(rstProto)},
	{"5.3.1 PRIORITY that depends on itself", raw(http2.FramePriority, none, 1, "\x00\x00\x00\x01\x10"), w(rstProto, protoErr)},
	{"5.5 unknown setting", all(func(c *rawH2) { c.WriteSettings(http2.Setting{ID: 0xfafa, Val: 7}) }, ask(1, plainHead...)), w(answered)},

	// RFC 8441: WebSockets. The application of this table agrees to none.
	{"8441 DATA that would be the next request", socket("/", func(c *rawH2) { c.WriteData(1, true, []byte("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")) }), w("answer 1 502")},
	{"8441 trailers before the answer", socket("/slow", ask(1, "a: b")), w(rstProto)},
	{"8441 reset before the answer", all(socket("/slow", raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08")), ask(3, plainHead...)), w("answer 3 200")},
	{"8441 ended at once", ask(1, ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /", ":authority: "+appHost), w("answer 1 502")},
	{"8441 a host in place of an authority", ask(1, ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /", "host: "+appHost), w("answer 1 502")},
	{"8441 many frames", socket("/slow", func(c *rawH2) {
		for range 5 {
			c.WriteData(1, false, []byte("x"))
			c.WriteWindowUpdate(1, 5)
		}
		c.WriteData(1, true, nil)
	}), w("answer 1 502")},

	// 6.1 DATA.
	{"6.1 on stream 0", raw(http2.FrameData, none, 0, "x"), w(protoErr)},
	{"6.1 padding as long as the payload", open(raw(http2.FrameData, http2.FlagDataPadded, 1, "\x04abc")), w(protoErr)},
	{"6.1 padded without room", open(raw(http2.FrameData, http2.FlagDataPadded, 1, "")), w(sizeErr, protoErr)},
	{"6.1 padding to the end", open(raw(http2.FrameData, http2.FlagDataPadded|http2.FlagDataEndStream, 1, "\x03abc")), w(answered)},
	{"6.1 body with padding", open(raw(http2.FrameData, http2.FlagDataPadded|http2.FlagDataEndStream, 1, "\x03xyabc")), w(answered)},
	{"6.1 empty body", open(raw(http2.FrameData, http2.FlagDataEndStream, 1, "")), w(answered)},

	// 6.2 HEADERS.
	{"6.2 on stream 0", ask(0, plainHead...), w(protoErr)},
	{"6.2 padding too long", raw(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, "\x10\x82"), w(protoErr)},
	{"6.2 padded", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...), EndHeaders: true, EndStream: true, PadLength: 9})
	}, w(answered)},
	{"6.2 with priority", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...), EndHeaders: true, EndStream: true, Priority: http2.PriorityParam{StreamDep: 7, Weight: 1, Exclusive: true}})
	}, w(answered)},
	{"6.2 no room for the priority", raw(http2.FrameHeaders, http2.FlagHeadersPriority|http2.FlagHeadersEndHeaders, 1, "\x00\x00"), w(sizeErr, protoErr)},

	// 6.3 PRIORITY, 6.4 RST_STREAM.
	{"6.3 on stream 0", raw(http2.FramePriority, none, 0, "\x00\x00\x00\x03\x10"), w(protoErr)},
	{"6.3 4 bytes", raw(http2.FramePriority, none, 1, "\x00\x00\x00\x03"), w(rstSize, sizeErr)},
	{"6.4 on stream 0", raw(http2.FrameRSTStream, none, 0, "\x00\x00\x00\x08"), w(protoErr)},
	{"6.4 3 bytes", open(raw(http2.FrameRSTStream, none, 1, "\x00\x00\x08")), w(sizeErr)},
	{"6.4 of a request under way", halfClosed(all(raw(http2.FrameRSTStream, none, 1, "\x00\x00\x00\x08"), ask(3, plainHead...))), w("answer 3 200")},

	// 6.5 SETTINGS.
	{"6.5 answered", func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}) }, w("settings ack")},
	{"6.5 on a stream", raw(http2.FrameSettings, none, 1, ""), w(protoErr)},
	{"6.5 acknowledged with payload", raw(http2.FrameSettings, http2.FlagSettingsAck, 0, "\x00\x02\x00\x00\x00\x00"), w(sizeErr)},
	{"6.5 5 bytes", raw(http2.FrameSettings, none, 0, "\x00\x02\x00\x00\x00"), w(sizeErr)},
	{"6.5.2 ENABLE_PUSH 2", func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 2}) }, w(protoErr)},
	{"6.5.2 INITIAL_WINDOW_SIZE too large", func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31}) }, w(flowErr)},
	{"6.5.2 MAX_FRAME_SIZE too small", func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16383}) }, w(protoErr)},
	{"6.5.2 MAX_FRAME_SIZE too large", func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 24}) }, w(protoErr)},
	{"6.5.2 no table for fields", all(func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}) }, ask(1, plainHead...)), w(answered)},
	{"6.5.3 a setting twice: the last counts", all(func(c *rawH2) {
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
	}, ask(1, plainHead...)), w("data 1")},

	// 6.6 to 6.8.
	{"6.6 PUSH_PROMISE", raw(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, "\x00\x00\x00\x02\x82"), w(protoErr)},
	{"6.7 answered with its payload", raw(http2.FramePing, none, 0, "abcdefgh"), w("ping abcdefgh")},
	{"6.7 an answer nobody asked for", all(raw(http2.FramePing, http2.FlagPingAck, 0, "abcdefgh"), raw(http2.FramePing, none, 0, "ABCDEFGH")), w("ping ABCDEFGH")},
	{"6.7 on a stream", raw(http2.FramePing, none, 1, "abcdefgh"), w(protoErr)},
	{"6.7 7 bytes", raw(http2.FramePing, none, 0, "abcdefg"), w(sizeErr)},
	{"6.8 on a stream", raw(http2.FrameGoAway, none, 1, "\x00\x00\x00\x00\x00\x00\x00\x00"), w(protoErr)},
	{"6.8 short", raw(http2.FrameGoAway, none, 0, "\x00\x00\x00\x00"), w(sizeErr)},
	{"6.8 a client that goes gets its answers", halfClosed(raw(http2.FrameGoAway, none, 0, "\x00\x00\x00\x00\x00\x00\x00\x00")), w(answered)},

	// 6.9 WINDOW_UPDATE.
	{"6.9 by 0 on the connection", raw(http2.FrameWindowUpdate, none, 0, "\x00\x00\x00\x00"), w(protoErr)},
	{"6.9 by 0 on a stream", open(raw(http2.FrameWindowUpdate, none, 1, "\x00\x00\x00\x00")), w(rstProto)},
	{"6.9 3 bytes", raw(http2.FrameWindowUpdate, none, 0, "\x00\x00\x01"), w(sizeErr)},
	{"6.9 3 bytes on a stream", open(raw(http2.FrameWindowUpdate, none, 1, "\x00\x00\x01")), w(sizeErr)},
	{"6.9.1 connection beyond the largest window", all(raw(http2.FrameWindowUpdate, none, 0, "\x7f\xff\xff\xff"), raw(http2.FrameWindowUpdate, none, 0, "\x7f\xff\xff\xff")), w(flowErr)},
	{"6.9.1 stream beyond the largest window", open(all(raw(http2.FrameWindowUpdate, none, 1, "\x7f\xff\xff\xff"), raw(http2.FrameWindowUpdate, none, 1, "\x7f\xff\xff\xff"))), w(rstFlow)},
	{"6.9.1 nothing is sent without a window", all(func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) }, ask(1, plainHead...), raw(http2.FramePing, none, 0, "12345678"),
		func(c *rawH2) {
			c.until(answered)
			if c.body[1] > 0 {
				c.seen = append(c.seen, "data without a window")
			}
			c.WriteWindowUpdate(1, 100)
		}), w("end 1")},
	{"6.9.2 a window may become negative", all(func(c *rawH2) { c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1}) }, ask(1, plainHead...), func(c *rawH2) {
		c.until("data 1")
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		c.WriteWindowUpdate(1, 2)
	}), w("end 1")},
	{"6.9.2 the initial window lifts one out of range", open(all(raw(http2.FrameWindowUpdate, none, 1, "\x7f\xfe\xff\xff"), func(c *rawH2) {
		c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	})), w(flowErr)},
	{"6.9.1 more DATA than the stream's window", func(c *rawH2) {
		c.ask(1, false, ":method: POST", ":scheme: https", ":path: /", ":authority: "+heldHost)
		for range 17 {
			c.WriteData(1, false, make([]byte, 16384))
		}
	}, w(rstFlow)},
	{"6.9.1 more DATA than the connection's window", func(c *rawH2) {
		for id := uint32(1); id < 11; id += 2 {
			c.ask(id, false, ":method: POST", ":scheme: https", ":path: /", ":authority: "+heldHost)
			for range 15 {
				c.WriteData(id, false, make([]byte, 16384))
			}
		}
	}, w(flowErr)},

	// 6.10 CONTINUATION.
	{"6.10 a head in pieces", func(c *rawH2) {
		b := c.fields(plainHead...)
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:1], EndStream: true})
		for i := 1; i < len(b); i++ {
			c.WriteContinuation(1, i == len(b)-1, b[i:i+1])
		}
	}, w(answered)},
	{"6.10 empty pieces", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...), EndStream: true})
		c.WriteContinuation(1, false, nil)
		c.WriteContinuation(1, true, nil)
	}, w(answered)},
	{"6.10 on another stream", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...)})
		c.WriteContinuation(3, true, nil)
	}, w(protoErr)},
	{"6.10 on stream 0", raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, 0, ""), w(protoErr)},
	{"6.10 after the head", open(raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, 1, "")), w(protoErr)},
	{"6.10 flood", func(c *rawH2) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(plainHead...)})
		for range 1000 {
			c.WriteContinuation(1, false, nil)
		}
	}, w(calmErr)},

	// 8: HTTP.
	{"8.1 trailers", open(func(c *rawH2) { c.WriteData(1, false, []byte("x")); c.ask(1, true, "x-sum: 1") }), w(answered)},
	{"8.1 trailers without END_STREAM", open(func(c *rawH2) { c.WriteData(1, false, []byte("x")); c.ask(1, false, "x-sum: 1") }), w(rstProto)},
	{"8.1 pseudo-field in trailers", open(func(c *rawH2) { c.ask(1, true, ":path: /x") }), w(rstProto)},
	{"8.1 framing field in trailers", open(func(c *rawH2) { c.ask(1, true, "content-length: 7") }), w(rstProto)},
	{"8.1 injection in trailers", open(func(c *rawH2) { c.ask(1, true, "a: b\r\n\r\nGET /") }), w(rstProto)},
	{"8.1.1 body longer than said", func(c *rawH2) {
		c.ask(1, false, headOf("POST", "/slow", "content-length: 1")...)
		c.WriteData(1, true, []byte("ab"))
	}, w(rstProto)},
	{"8.1.1 body shorter than said", func(c *rawH2) {
		c.ask(1, false, headOf("POST", "/slow", "content-length: 3")...)
		c.WriteData(1, true, []byte("ab"))
	}, w(rstProto)},
	{"8.1.1 body shorter than said, trailers", func(c *rawH2) {
		c.ask(1, false, headOf("POST", "/slow", "content-length: 3")...)
		c.WriteData(1, false, []byte("ab"))
		c.ask(1, true, "a: b")
	}, w(rstProto)},
	{"8.1.1 body as long as said", func(c *rawH2) {
		c.ask(1, false, headOf("POST", "/", "content-length: 2")...)
		c.WriteData(1, true, []byte("ab"))
	}, w(answered)},
	{"8.3.1 host instead of authority", ask(1, ":method: GET", ":scheme: https", ":path: /", "host: "+appHost), w(answered)},
	{"8.3.1 authority and the same host", ask(1, headOf("GET", "/", "host: "+appHost)...), w(answered)},
	{"8.3.1 no host at all", ask(1, ":method: GET", ":scheme: https", ":path: /"), w(refused400)},
	{"8.3.1 authority with a user", ask(1, ":method: GET", ":scheme: https", ":path: /", ":authority: me@"+appHost), w(refused400)},
	{"8.3.1 other scheme", ask(1, ":method: GET", ":scheme: ftp", ":path: /", ":authority: "+appHost), w(refused400)},
	{"8.3.1 path without a slash", ask(1, headOf("GET", "x")...), w(refused400)},
	{"8.3.1 absolute target as path", ask(1, headOf("GET", "http://x/")...), w(refused400)},
	{"8.3.1 fragment", ask(1, headOf("GET", "/a#b")...), w(refused400)},
	{"8.3.1 blank in the path", ask(1, headOf("GET", "/a b")...), w(refused400)},
	{"8.3.1 star", ask(1, headOf("OPTIONS", "*")...), w(answered)},
	{"8.3.1 star without OPTIONS", ask(1, headOf("GET", "*")...), w(refused400)},
	{"8.2 two lengths", func(c *rawH2) { c.ask(1, false, headOf("POST", "/", "content-length: 1", "content-length: 1")...) }, w(refused400)},
	{"8.2 length with a sign", func(c *rawH2) { c.ask(1, false, headOf("POST", "/", "content-length: +1")...) }, w(refused400)},
	{"8.5 CONNECT", ask(1, ":method: CONNECT", ":authority: x.test:443"), w("answer 1 405")},
	{"unknown expectation", ask(1, headOf("GET", "/", "expect: magic")...), w("answer 1 417")},
	{"unknown host", ask(1, ":method: GET", ":scheme: https", ":path: /", ":authority: nobody.test"), w("answer 1 404")},
	{"head larger than the limit", func(c *rawH2) {
		b := c.fields(headOf("GET", "/", "a: "+strings.Repeat("x", 66<<10))...)
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:16000], EndStream: true})
		for b = b[16000:]; len(b) > 0; {
			n := min(16000, len(b))
			c.WriteContinuation(1, n == len(b), b[:n])
			b = b[n:]
		}
	}, w("answer 1 431")},
	{"more fields than the limit", ask(1, headOf("GET", "/", strings.Split(strings.Repeat("a: b|", 200)+"a: b", "|")...)...), w("answer 1 431")},
	{"after a large head the tables still agree", all(ask(1, headOf("GET", "/", strings.Split(strings.Repeat("a: b|", 200)+"new: field", "|")...)...), ask(3, headOf("GET", "/", "new: field")...)), w("answer 3 200")},

	// Floods.
	{"rapid reset", func(c *rawH2) {
		for id := uint32(1); id < 400; id += 2 {
			c.ask(id, true, plainHead...)
			c.WriteRSTStream(id, http2.ErrCodeCancel)
		}
	}, w(calmErr)},
	{"made to reset", func(c *rawH2) {
		for id := uint32(1); id < 400; id += 2 {
			c.ask(id, false, plainHead...)
			c.WriteWindowUpdate(id, 0)
		}
	}, w(calmErr)},
	{"PING flood", func(c *rawH2) {
		for range 2000 {
			c.WritePing(false, [8]byte{})
		}
	}, w(calmErr)},
	{"SETTINGS flood", func(c *rawH2) {
		for range 2000 {
			c.WriteSettings()
		}
	}, w(calmErr)},
	{"empty DATA flood", open(func(c *rawH2) {
		for range 2000 {
			c.WriteData(1, false, nil)
		}
	}), w(calmErr)},
	{"PRIORITY flood", func(c *rawH2) {
		for range 2000 {
			c.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		}
	}, w(calmErr)},
	{"WINDOW_UPDATE flood", func(c *rawH2) {
		for range 2000 {
			c.WriteWindowUpdate(0, 1)
		}
	}, w(calmErr)},
}

// caseHouse is an edge for the table: small limits, and an application that takes its time on /slow.
func caseHouse(t testing.TB) *house {
	h := newHouse(t, func(c *Config) {
		c.Limits.StreamsPerConn, c.Limits.StreamResets, c.Limits.ControlFrames, c.Limits.Linger = 8, 50, 300, 100*time.Millisecond
	})
	h.publish(nil, Target{InstanceID: "i1", Address: slowApp(t), Phase: Active})
	table := h.edge.routing.current.Load().table
	table.Routes = append(table.Routes[:1:1], Route{ServiceARN: "held", Hosts: []string{heldHost}, Hold: 5 * time.Second})
	check(t, h.client.Publish(t.Context(), table))
	return h
}

// heldHost is of a service without instances, so that nothing takes the body of a request.
const heldHost = "held.us-east-1.apprunner.test"

// checklist: 52
func TestHTTP2Frames(t *testing.T) {
	h := caseHouse(t)
	cases := h2Cases
	for name, head := range malformed {
		cases = append(cases, h2Case{name, ask(1, head...), w(rstProto)})
	}
	if len(cases) < 100 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn := dialH2(t, h, true)
			wrote := make(chan struct{})
			go func() { defer close(wrote); c.do(conn) }()
			if strings.Contains(c.name, "flood") || strings.HasPrefix(c.name, "made") || strings.HasPrefix(c.name, "rapid") {
				// written while what comes back is read
			} else {
				<-wrote
			}
			if got, ok := conn.until(c.want...); !ok {
				t.Errorf("got %s, want one of %v", got, c.want)
			}
			conn.conn.Close()
			<-wrote
		})
	}
	awaitIdle(t, h)
}

func TestHTTP2Preface(t *testing.T) {
	h := caseHouse(t)
	for name, do := range map[string]func(c *rawH2){
		"other words":         func(c *rawH2) { io.WriteString(c.conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
		"no settings":         func(c *rawH2) { io.WriteString(c.conn, http2.ClientPreface); c.WritePing(false, [8]byte{}) },
		"settings of an ack":  func(c *rawH2) { io.WriteString(c.conn, http2.ClientPreface); c.WriteSettingsAck() },
		"request before them": func(c *rawH2) { io.WriteString(c.conn, http2.ClientPreface); c.ask(1, true, plainHead...) },
	} {
		c := dialH2(t, h, false)
		do(c)
		if got, ok := c.until(protoErr); !ok {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
