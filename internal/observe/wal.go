package observe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The write-ahead file is a run of records: length, checksum (both 32 bits, little endian), payload. The payload's first byte is
// its kind. A stream is defined in each file before its first events there, so a file can be read alone.
const (
	recordDefine byte = 1 // id, account, region, group, stream, created
	recordEvents byte = 2 // id, seq of the first, count, then time and message of each
	recordForget byte = 3 // id
	recordHead        = 8
	walSuffix         = ".wal"
	maxRecord         = 64 << 20
)

// streamKey names a stream in full.
type streamKey struct {
	account, region, group, name string
}

// definition says which stream an id stands for.
type definition struct {
	id      int64
	key     streamKey
	created int64
}

// wal is the write-ahead file that is being written. Only the committer touches it.
type wal struct {
	dir    string
	number uint64
	size   int64
	file   *os.File // nil after a failed write: the next write begins a new file
}

func (w *wal) path(number uint64) string {
	return filepath.Join(w.dir, fmt.Sprintf("%016x", number)+walSuffix)
}

// begin starts the next file. What a failed write left in the file before is cut off or ignored when it is replayed.
func (w *wal) begin() error {
	f, err := os.OpenFile(w.path(w.number+1), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("begin a log file: %w", err)
	}
	if err := syncDir(w.dir); err != nil {
		return errors.Join(fmt.Errorf("begin a log file: %w", err), f.Close())
	}
	w.number, w.size, w.file = w.number+1, 0, f
	return nil
}

// write appends b and returns once it is on disk.
func (w *wal) write(b []byte) error {
	if w.file == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	_, err := w.file.Write(b)
	if err == nil {
		err = unix.Fdatasync(int(w.file.Fd()))
	}
	if err != nil {
		// A page that failed to reach the disk may be dropped silently later, so this file takes no more records.
		err = errors.Join(fmt.Errorf("write the log: %w", err), w.file.Truncate(w.size), w.file.Close())
		w.file = nil
		return err
	}
	w.size += int64(len(b))
	return nil
}

// rotate ends the current file and returns its number.
func (w *wal) rotate() (uint64, error) {
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			return 0, fmt.Errorf("close the log file: %w", err)
		}
		w.file = nil
	}
	return w.number, nil
}

// removeThrough deletes the files up to number, whose events have reached their segments.
func (w *wal) removeThrough(number uint64) error {
	numbers, err := walNumbers(w.dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n > number {
			break
		}
		if err := os.Remove(w.path(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a written log file: %w", err)
		}
	}
	return syncDir(w.dir)
}

func walNumbers(dir string) ([]uint64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the log files: %w", err)
	}
	var numbers []uint64
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), walSuffix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(name, 16, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// appendRecord frames what fill appends to b.
func appendRecord(b []byte, fill func([]byte) []byte) []byte {
	head := len(b)
	b = fill(append(b, make([]byte, recordHead)...))
	payload := b[head+recordHead:]
	binary.LittleEndian.PutUint32(b[head:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[head+4:], crc32.Checksum(payload, castagnoli))
	return b
}

func appendDefinition(b []byte, d definition) []byte {
	return appendRecord(b, func(b []byte) []byte {
		b = binary.AppendVarint(append(b, recordDefine), d.id)
		for _, s := range []string{d.key.account, d.key.region, d.key.group, d.key.name} {
			b = appendString(b, s)
		}
		return binary.AppendVarint(b, d.created)
	})
}

func appendEvents(b []byte, id int64, entries []entry) []byte {
	return appendRecord(b, func(b []byte) []byte {
		b = binary.AppendVarint(append(b, recordEvents), id)
		b = binary.AppendVarint(b, entries[0].seq)
		b = binary.AppendUvarint(b, uint64(len(entries)))
		for _, e := range entries {
			b = appendString(binary.AppendVarint(b, e.ts), e.msg)
		}
		return b
	})
}

func appendForget(b []byte, id int64) []byte {
	return appendRecord(b, func(b []byte) []byte {
		return binary.AppendVarint(append(b, recordForget), id)
	})
}

// replayer receives the records of the write-ahead files, oldest first.
type replayer interface {
	define(definition)
	events(id int64, entries []entry)
	forget(id int64)
}

// replay reads one file. It returns errCorrupt when the file ends in something that is not a whole record, as the last file
// does when a write was cut short; all records before that have been handed over.
func replay(path string, r replayer) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read a log file: %w", err)
	}
	for len(b) > 0 {
		if len(b) < recordHead {
			return errCorrupt
		}
		n := binary.LittleEndian.Uint32(b)
		if n == 0 || n > maxRecord || int(n) > len(b)-recordHead {
			return errCorrupt
		}
		payload := b[recordHead : recordHead+int(n)]
		if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
			return errCorrupt
		}
		if err := replayRecord(payload, r); err != nil {
			return err
		}
		b = b[recordHead+int(n):]
	}
	return nil
}

func replayRecord(payload []byte, r replayer) error {
	d := &decoder{b: payload[1:]}
	id := d.varint()
	switch payload[0] {
	case recordDefine:
		def := definition{id: id, key: streamKey{account: d.string(), region: d.string(), group: d.string(), name: d.string()}, created: d.varint()}
		if d.err == nil {
			r.define(def)
		}
	case recordEvents:
		seq, n := d.varint(), d.uvarint()
		var entries []entry
		for i := range n {
			entries = append(entries, entry{seq: seq + int64(i), ts: d.varint(), msg: d.string()})
			if d.err != nil {
				return d.err
			}
		}
		r.events(id, entries)
	case recordForget:
		r.forget(id)
	}
	return d.err
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
