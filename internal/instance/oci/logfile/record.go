package logfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/instance"
)

// A record is a header of headerBytes and the line: length of the line (4 bytes), checksum of all that follows (4), time in
// microseconds (8), stream (1), flags (1). Numbers are little-endian.
const (
	headerBytes = 18
	flagPartial = 1
	maxLine     = instance.MaxLogLineBytes
)

var streams = []instance.Stream{instance.StreamStdout, instance.StreamStderr, instance.StreamSystem}

var errTorn = errors.New("record is not whole")

// appendRecord appends the stored form of a record to buf.
func appendRecord(buf []byte, at time.Time, stream instance.Stream, line []byte, partial bool) []byte {
	start := len(buf)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(line)))
	buf = append(buf, 0, 0, 0, 0)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(at.UnixMicro()))
	var flags byte
	if partial {
		flags = flagPartial
	}
	buf = append(buf, byte(slices.Index(streams, stream)), flags)
	buf = append(buf, line...)
	binary.LittleEndian.PutUint32(buf[start+4:], crc32.ChecksumIEEE(buf[start+8:]))
	return buf
}

// parseRecord reads the first record of buf and tells how many bytes it took. errTorn means that buf ends within it or holds
// something else.
func parseRecord(buf []byte) (instance.LogRecord, int, error) {
	if len(buf) < headerBytes {
		return instance.LogRecord{}, 0, errTorn
	}
	length := binary.LittleEndian.Uint32(buf)
	if length > maxLine || len(buf) < headerBytes+int(length) {
		return instance.LogRecord{}, 0, errTorn
	}
	end := headerBytes + int(length)
	stream := buf[16]
	if crc32.ChecksumIEEE(buf[8:end]) != binary.LittleEndian.Uint32(buf[4:]) || int(stream) >= len(streams) {
		return instance.LogRecord{}, 0, errTorn
	}
	return instance.LogRecord{
		Time:    time.UnixMicro(int64(binary.LittleEndian.Uint64(buf[8:]))).UTC(),
		Stream:  streams[stream],
		Line:    string(buf[headerBytes:end]),
		Partial: buf[17]&flagPartial != 0,
	}, end, nil
}

// segmentPath names the file of a segment; segments count from 1.
func segmentPath(dir string, n int64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.seg", n))
}

// segments lists the segment numbers in dir, ascending. A missing directory has none.
func segments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list log segments: %w", err)
	}
	var numbers []int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".seg")
		n, err := strconv.ParseInt(name, 10, 64)
		if ok && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
