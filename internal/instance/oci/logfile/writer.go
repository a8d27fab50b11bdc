package logfile

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"slipway.dev/slipway/internal/instance"
)

// SegmentBytes is the size at which a new segment is begun.
const SegmentBytes = 1 << 20

// Writer appends records. It is safe for concurrent use.
type Writer struct {
	dir   string
	limit int64

	mu      sync.Mutex
	file    *os.File
	number  int64
	size    int64
	lines   map[int64]int // per segment still on disk, to say how many were dropped
	buf     []byte
	missing int // lines in segments that were dropped
	dropped int // lines that could not be written at all (disk full)
}

// NewWriter makes dir if needed and begins a new segment after those that are there. All segments together stay near limit
// bytes, which is raised to two segments.
func NewWriter(dir string, limit int64) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	numbers, err := segments(dir)
	if err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, limit: max(limit, 2*SegmentBytes), lines: map[int64]int{}}
	if len(numbers) > 0 {
		w.number = numbers[len(numbers)-1]
	}
	return w, w.next()
}

// next begins the next segment. The caller holds the lock or owns w.
func (w *Writer) next() error {
	f, err := os.OpenFile(segmentPath(w.dir, w.number+1), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("begin log segment: %w", err)
	}
	if w.file != nil {
		w.file.Close()
	}
	w.file, w.size = f, 0
	w.number++
	return nil
}

// Write appends one record. A line that finds no room on the disk is counted and told about once there is room again.
func (w *Writer) Write(at time.Time, stream instance.Stream, line []byte, partial bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size >= SegmentBytes && w.next() == nil {
		if n := w.dropOldest(); n > 0 {
			// The sum, since earlier remarks are dropped as well.
			w.missing += n
			w.note(at, fmt.Sprintf("%d log lines in all were dropped up to here: the log was not collected and had reached its limit", w.missing))
		}
	}
	if w.dropped > 0 && w.append(at, instance.StreamSystem, fmt.Appendf(nil, "%d log lines were lost: the disk was full", w.dropped), false) {
		w.dropped = 0
	}
	if !w.append(at, stream, line, partial) {
		w.dropped++
	}
}

func (w *Writer) note(at time.Time, text string) {
	w.append(at, instance.StreamSystem, []byte(text), false)
}

// append writes one record and takes a torn one back.
func (w *Writer) append(at time.Time, stream instance.Stream, line []byte, partial bool) bool {
	w.buf = appendRecord(w.buf[:0], at, stream, line, partial)
	n, err := w.file.Write(w.buf)
	if cap(w.buf) > 16<<10 {
		w.buf = nil
	}
	if err != nil {
		if n > 0 {
			_ = w.file.Truncate(w.size)
		}
		return false
	}
	w.size += int64(n)
	w.lines[w.number]++
	return true
}

// dropOldest removes segments until the log is within its limit and returns how many lines they held.
func (w *Writer) dropOldest() int {
	numbers, err := segments(w.dir)
	if err != nil {
		return 0
	}
	var total int64
	sizes := map[int64]int64{}
	for _, n := range numbers {
		if info, err := os.Stat(segmentPath(w.dir, n)); err == nil {
			sizes[n] = info.Size()
			total += info.Size()
		}
	}
	lost := 0
	for _, n := range numbers {
		if total+SegmentBytes <= w.limit || n == w.number {
			break
		}
		if err := os.Remove(segmentPath(w.dir, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			break
		}
		total -= sizes[n]
		lost += w.lines[n]
		delete(w.lines, n)
	}
	return lost
}

// Close ends the segment.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Close()
}
