package logfile

import (
	"bytes"
	"errors"
	"os"
	"time"

	"slipway.dev/slipway/internal/instance"
)

// idle is how long an unterminated line (a prompt, a progress bar) waits for its end before it is written as it is.
const idle = 200 * time.Millisecond

// Copy reads from a pipe until its end and writes every line as one record of stream. Lines longer than
// instance.MaxLogLineBytes are split.
func (w *Writer) Copy(pipe *os.File, stream instance.Stream) {
	chunk := make([]byte, 8<<10)
	var line []byte // the beginning of a line whose end has not come
	for {
		n, err := pipe.Read(chunk)
		now := time.Now()
		line = w.lineUp(now, stream, line, chunk[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.Write(now, stream, line, true)
			line = nil
		case err != nil:
			if len(line) > 0 {
				w.Write(now, stream, line, false)
			}
			return
		}
		var deadline time.Time
		if len(line) > 0 {
			deadline = now.Add(idle)
		}
		_ = pipe.SetReadDeadline(deadline)
	}
}

// lineUp writes the whole lines of rest and data and returns what remains, always less than a longest line.
func (w *Writer) lineUp(now time.Time, stream instance.Stream, rest, data []byte) []byte {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			rest = append(rest, data...)
			data = nil
		} else {
			rest = append(rest, data[:end]...)
			data = data[end+1:]
		}
		for len(rest) > maxLine {
			w.Write(now, stream, rest[:maxLine], true)
			rest = rest[maxLine:]
		}
		if end >= 0 {
			w.Write(now, stream, bytes.TrimSuffix(rest, []byte("\r")), false)
			rest = rest[:0]
			if cap(rest) > 64<<10 {
				rest = nil
			}
		}
	}
	return rest
}
