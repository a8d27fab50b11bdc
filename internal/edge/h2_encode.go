package edge

import (
	"bytes"
	"strconv"

	"golang.org/x/net/http2/hpack"
)

// fieldEncoder writes the header blocks of one HTTP/2 connection (RFC 7541). Unlike hpack.Encoder it takes fields as bytes and keeps
// its table in memory of its own, so that fields seen before cost neither garbage nor more than a byte or two.
type fieldEncoder struct {
	entries [maxEntries]tableEntry // a ring
	oldest  int
	count   int
	size    int
	max     int
	lowest  int  // the smallest max since the last block
	resized bool // and whether there was one: the next block begins by saying so

	name    []byte // of the field at hand, in lower case
	scratch []byte
}

// encoderTable is the most table memory used, as RFC 7541 §4.1 counts it, whatever the peer allows.
const encoderTable = 4096

// entryOverhead is what an entry counts beside its text (RFC 7541 §4.1).
const entryOverhead = 32

const maxEntries = encoderTable / entryOverhead

// staticEntries is the length of the static table (RFC 7541 appendix A).
const staticEntries = 61

type tableEntry struct {
	hash    uint32
	nameLen int
	text    []byte // name and value
}

func newFieldEncoder() *fieldEncoder { return &fieldEncoder{max: encoderTable} }

// resize obeys SETTINGS_HEADER_TABLE_SIZE of the peer.
func (e *fieldEncoder) resize(allowed uint32) {
	size := int(min(allowed, encoderTable))
	if !e.resized {
		e.lowest = size
	}
	e.resized, e.lowest, e.max = true, min(e.lowest, size), size
	e.evict(0)
}

// evict makes room for an entry of a size.
func (e *fieldEncoder) evict(room int) {
	for e.count > 0 && e.size+room > e.max {
		e.size -= len(e.entries[e.oldest].text) + entryOverhead
		e.oldest = (e.oldest + 1) % maxEntries
		e.count--
	}
}

// begin starts a header block.
func (e *fieldEncoder) begin(b []byte) []byte {
	if !e.resized {
		return b
	}
	e.resized = false
	if e.lowest < e.max {
		// Two changes since the last block (§4.2). Not the lowest size is told first but 0: hpack.Decoder takes the second of two
		// updates only with an empty table.
		e.count, e.size = 0, 0
		b = appendInt(b, 0x20, 5, 0)
	}
	return appendInt(b, 0x20, 5, e.max)
}

// status appends :status.
func (e *fieldEncoder) status(b []byte, status int) []byte {
	for i, known := range [...]int{200, 204, 206, 304, 400, 404, 500} {
		if status == known {
			return append(b, 0x80|byte(8+i))
		}
	}
	e.scratch = strconv.AppendInt(e.scratch[:0], int64(status), 10)
	b = append(b, 0x08) // literal, not indexed, with the name of entry 8
	return appendText(b, e.scratch)
}

// field appends one field; its name may be in any case.
func (e *fieldEncoder) field(b, name, value []byte) []byte {
	e.name = appendLower(e.name[:0], name)
	name = e.name
	static := staticNames[string(name)]
	need := len(name) + len(value) + entryOverhead
	if !indexable(name) || need > e.max/2 {
		return e.literal(b, 0x00, 4, static, name, value)
	}
	hash := hashField(name, value)
	for i := e.count - 1; i >= 0; i-- {
		t := &e.entries[(e.oldest+i)%maxEntries]
		if t.hash == hash && t.nameLen == len(name) && bytes.Equal(t.text[:t.nameLen], name) && bytes.Equal(t.text[t.nameLen:], value) {
			return appendInt(b, 0x80, 7, staticEntries+e.count-i)
		}
	}
	b = e.literal(b, 0x40, 6, static, name, value)
	e.add(hash, name, value, need)
	return b
}

// secret appends a field that nobody on the way may keep in a table: what it says is worth guessing.
func (e *fieldEncoder) secret(b, name, value []byte) []byte {
	e.name = appendLower(e.name[:0], name)
	return e.literal(b, 0x10, 4, staticNames[string(e.name)], e.name, value)
}

func (e *fieldEncoder) literal(b []byte, kind byte, prefix uint, static int, name, value []byte) []byte {
	b = appendInt(b, kind, prefix, static)
	if static == 0 {
		b = appendText(b, name)
	}
	return appendText(b, value)
}

func (e *fieldEncoder) add(hash uint32, name, value []byte, need int) {
	e.evict(need)
	t := &e.entries[(e.oldest+e.count)%maxEntries]
	t.hash, t.nameLen = hash, len(name)
	t.text = append(append(t.text[:0], name...), value...)
	e.count++
	e.size += need
}

// indexable tells whether a field is likely to come again with the same value.
func indexable(name []byte) bool {
	switch string(name) {
	case "content-length", "etag", "age", "location", "last-modified", "content-range", "x-request-id", "expires":
		return false
	}
	return true
}

// appendInt appends an integer with a prefix of some bits (RFC 7541 §5.1).
func appendInt(b []byte, first byte, bits uint, n int) []byte {
	limit := 1<<bits - 1
	if n < limit {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(limit))
	for n -= limit; n >= 0x80; n >>= 7 {
		b = append(b, 0x80|byte(n&0x7f))
	}
	return append(b, byte(n))
}

// appendText appends a string, Huffman-coded when that is shorter (RFC 7541 §5.2).
func appendText(b, s []byte) []byte {
	coded := int(hpack.HuffmanEncodeLength(text(s)))
	if coded < len(s) {
		return hpack.AppendHuffmanString(appendInt(b, 0x80, 7, coded), text(s))
	}
	return append(appendInt(b, 0, 7, len(s)), s...)
}

func appendLower(b, name []byte) []byte {
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// hashField is FNV-1a over name and value.
func hashField(name, value []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range name {
		h = (h ^ uint32(c)) * 16777619
	}
	h *= 16777619 // a zero byte between the two
	for _, c := range value {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// staticNames finds the first entry of the static table with a name.
var staticNames = map[string]int{
	"accept-charset": 15, "accept-encoding": 16, "accept-language": 17, "accept-ranges": 18, "accept": 19,
	"access-control-allow-origin": 20, "age": 21, "allow": 22, "authorization": 23, "cache-control": 24, "content-disposition": 25,
	"content-encoding": 26, "content-language": 27, "content-length": 28, "content-location": 29, "content-range": 30,
	"content-type": 31, "cookie": 32, "date": 33, "etag": 34, "expect": 35, "expires": 36, "from": 37, "host": 38, "if-match": 39,
	"if-modified-since": 40, "if-none-match": 41, "if-range": 42, "if-unmodified-since": 43, "last-modified": 44, "link": 45,
	"location": 46, "max-forwards": 47, "proxy-authenticate": 48, "proxy-authorization": 49, "range": 50, "referer": 51,
	"refresh": 52, "retry-after": 53, "server": 54, "set-cookie": 55, "strict-transport-security": 56, "user-agent": 58, "vary": 59,
	"via": 60, "www-authenticate": 61,
}
