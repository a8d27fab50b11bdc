package instance

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Stream tells where a log record came from.
type Stream string

// The streams of an instance. StreamSystem carries remarks of the platform: lines dropped, memory exhausted.
const (
	StreamStdout Stream = "stdout"
	StreamStderr Stream = "stderr"
	StreamSystem Stream = "system"
)

// LogRecord is one line an instance wrote, without its line end.
type LogRecord struct {
	Time    time.Time
	Stream  Stream
	Line    string
	Partial bool // the line goes on in the next record of the same stream: it was longer than MaxLogLineBytes, or had no end yet
}

// Cursor is a place in an instance's log. The zero Cursor is the beginning. Cursors are only compared by their own instance's
// driver; String and ParseCursor let a caller keep one.
type Cursor struct {
	Segment int64
	Offset  int64
}

// String gives the form ParseCursor reads.
func (c Cursor) String() string { return fmt.Sprintf("%d.%d", c.Segment, c.Offset) }

// ParseCursor reads what Cursor.String wrote; the empty text is the beginning.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	segment, offset, ok := strings.Cut(s, ".")
	a, errA := strconv.ParseInt(segment, 10, 64)
	b, errB := strconv.ParseInt(offset, 10, 64)
	if !ok || errA != nil || errB != nil || a < 0 || b < 0 {
		return Cursor{}, fmt.Errorf("%q is not a log cursor", s)
	}
	return Cursor{a, b}, nil
}
