package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"slipway.dev/slipway/internal/instance"
)

// readBytes is how much of a log one Read returns at most; always enough for one record.
const readBytes = 512 << 10

// Read returns records of the log in dir from a place on and the place after them. At the end it returns none and the same
// place.
func Read(dir string, from instance.Cursor) ([]instance.LogRecord, instance.Cursor, error) {
	// The list is taken before the data is read: a segment that is not the last in it will not grow any more.
	numbers, err := segments(dir)
	if err != nil {
		return nil, from, err
	}
	var records []instance.LogRecord
	at, budget := from, readBytes
	for i, n := range numbers {
		if n < at.Segment {
			continue
		}
		if n > at.Segment {
			at = instance.Cursor{Segment: n}
		}
		got, end, whole, err := readSegment(segmentPath(dir, n), at.Offset, budget)
		if errors.Is(err, os.ErrNotExist) {
			continue // dropped or trimmed since the list was taken
		}
		if err != nil {
			return nil, from, err
		}
		records = append(records, got...)
		budget -= int(end - at.Offset)
		at.Offset = end
		if !whole || budget < readBytes/2 || i == len(numbers)-1 {
			break
		}
	}
	if len(records) == 0 {
		return nil, from, nil
	}
	return records, at, nil
}

// readSegment returns the whole records of one segment from offset on, within budget bytes, and whether the budget sufficed.
func readSegment(path string, offset int64, budget int) (records []instance.LogRecord, end int64, whole bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, offset, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, offset, false, fmt.Errorf("read log: %w", err)
	}
	left := max(info.Size()-offset, 0)
	buf := make([]byte, min(left, int64(budget)))
	n, err := f.ReadAt(buf, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, offset, false, fmt.Errorf("read log: %w", err)
	}
	buf = buf[:n]
	for {
		r, used, err := parseRecord(buf)
		if err != nil { // the rest is not written yet, or was torn by the writer's death
			return records, offset, left <= int64(budget), nil
		}
		records = append(records, r)
		buf, offset = buf[used:], offset+int64(used)
	}
}

// Trim removes the segments that lie wholly before a place.
func Trim(dir string, before instance.Cursor) error {
	numbers, err := segments(dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n >= before.Segment {
			break
		}
		if err := os.Remove(segmentPath(dir, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("trim log: %w", err)
		}
	}
	return nil
}

// AtEnd tells whether no record follows a place.
func AtEnd(dir string, at instance.Cursor) (bool, error) {
	records, _, err := Read(dir, at)
	return len(records) == 0, err
}
