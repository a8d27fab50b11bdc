package observe

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// entry is one log event as kept. ts is the event's time in microseconds. seq is its place in the order of ingestion over all
// streams, unique and rising, and at the same time the moment of ingestion in microseconds.
type entry struct {
	ts, seq int64
	msg     string
}

// eventOverhead is what CloudWatch Logs adds to the length of a message when it counts bytes.
const eventOverhead = 26

func (e entry) bytes() int { return len(e.msg) + eventOverhead }

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errCorrupt = errors.New("corrupt log data")
)

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// decoder reads the varint-coded fields that records and frames are made of. After the first fault it returns zeros and
// keeps the fault in err.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	return advance(d, v, n)
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	return advance(d, v, n)
}

func advance[T int64 | uint64](d *decoder, v T, n int) T {
	if n <= 0 {
		d.b, d.err = nil, errCorrupt
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.b, d.err = nil, errCorrupt
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}
