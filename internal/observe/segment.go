package observe

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// A segment file belongs to one stream: a head that names the stream, then frames. A frame is a fixed head, which is the
// index of its events, and the events compressed. Frames of a stream follow each other in the order of ingestion; inside a
// frame the events are ordered by time.
const (
	segmentMagic   = "SLOG"
	frameMagic     = 0x464c5331
	frameHead      = 64
	frameRaw       = 256 << 10 // uncompressed bytes a frame aims at: one read decodes little more than it returns
	segmentBytes   = 4 << 20   // a segment takes no more frames beyond this size,
	segmentFrames  = 4096      // or this count, so its index is read in a few milliseconds
	segmentSuffix  = ".seg"
	maxFramePacked = 64 << 20
	syncEach       = 32 // up to this many files are synced one by one, more with one sync of the file system
)

// frame is the head of a frame and where it lies.
type frame struct {
	path                                string
	offset                              int64 // of the packed events
	packed, raw, count, bytes, checksum uint32
	firstSeq, lastSeq, minTS, maxTS     int64
}

// segmentMeta is the head of a segment file. It lets the index of streams be made again from the files.
type segmentMeta struct {
	ID      int64  `json:"id"`
	Account string `json:"account"`
	Region  string `json:"region"`
	Group   string `json:"group"`
	Stream  string `json:"stream"`
	Created int64  `json:"created"`
}

func metaOf(d definition) segmentMeta {
	return segmentMeta{d.id, d.key.account, d.key.region, d.key.group, d.key.name, d.created}
}

func (m segmentMeta) definition() definition {
	return definition{m.ID, streamKey{m.Account, m.Region, m.Group, m.Stream}, m.Created}
}

// segments is the folder of all segment files, spread over 256 folders by stream id.
type segments struct {
	dir string
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func openSegments(dir string) (*segments, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the segment folder: %w", err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return nil, err
	}
	return &segments{dir: dir, enc: enc, dec: dec}, nil
}

func (s *segments) shard(id int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%02x", uint8(id)))
}

// list returns the segment files of a stream, oldest first.
func (s *segments) list(id int64) ([]string, error) {
	files, err := os.ReadDir(s.shard(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	prefix := fmt.Sprintf("%016x-", uint64(id))
	var paths []string
	for _, f := range files { // ReadDir sorts by name, and names sort by the first event's place
		if strings.HasPrefix(f.Name(), prefix) && strings.HasSuffix(f.Name(), segmentSuffix) {
			paths = append(paths, filepath.Join(s.shard(id), f.Name()))
		}
	}
	return paths, nil
}

// frames reads the index of all segments of a stream. A segment that is deleted meanwhile has none.
func (s *segments) frames(id int64) ([]frame, error) {
	paths, err := s.list(id)
	if err != nil {
		return nil, err
	}
	var all []frame
	for _, p := range paths {
		_, frames, _, err := scanSegment(p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = append(all, frames...)
	}
	return all, nil
}

// scanSegment reads a segment's head and the heads of its whole frames. end is where they stop; what lies behind was cut
// short by a crash and is still in the write-ahead file.
func scanSegment(path string) (meta segmentMeta, frames []frame, end int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return meta, nil, 0, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return meta, nil, 0, fmt.Errorf("open segment: %w", err)
	}
	meta, end, err = readSegmentHead(f)
	if err != nil {
		return meta, nil, 0, err
	}
	var head [frameHead]byte
	for {
		if _, err := f.ReadAt(head[:], end); errors.Is(err, io.EOF) {
			return meta, frames, end, nil
		} else if err != nil {
			return meta, nil, 0, fmt.Errorf("read segment: %w", err)
		}
		fr, ok := parseFrameHead(head[:])
		fr.path, fr.offset = path, end+frameHead
		if !ok || fr.offset+int64(fr.packed) > st.Size() {
			return meta, frames, end, nil
		}
		frames = append(frames, fr)
		end = fr.offset + int64(fr.packed)
	}
}

// readSegmentHead returns errCorrupt, and end 0, for a file whose head is not whole.
func readSegmentHead(r io.ReaderAt) (meta segmentMeta, end int64, err error) {
	var head [12]byte
	if _, err := r.ReadAt(head[:], 0); err != nil || string(head[:4]) != segmentMagic {
		return meta, 0, errCorrupt
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if n > 1<<16 {
		return meta, 0, errCorrupt
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, int64(len(head))); err != nil && !errors.Is(err, io.EOF) {
		return meta, 0, errCorrupt
	}
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(head[8:]) || json.Unmarshal(b, &meta) != nil {
		return meta, 0, errCorrupt
	}
	return meta, int64(len(head)) + int64(n), nil
}

func appendSegmentHead(b []byte, meta segmentMeta) []byte {
	j, err := json.Marshal(meta)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(j)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(j, castagnoli))
	return append(b, j...)
}

// appendFrame packs entries, which are in order of ingestion, into one frame.
func (s *segments) appendFrame(b []byte, entries []entry) []byte {
	fr := frame{count: uint32(len(entries)), firstSeq: entries[0].seq, lastSeq: entries[len(entries)-1].seq}
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, compareEntries)
	fr.minTS, fr.maxTS = sorted[0].ts, sorted[len(sorted)-1].ts
	var raw []byte
	prev := fr.minTS
	for _, e := range sorted {
		raw = binary.AppendUvarint(raw, uint64(e.ts-prev))
		raw = binary.AppendUvarint(raw, uint64(e.seq-fr.firstSeq))
		raw = appendString(raw, e.msg)
		prev = e.ts
		fr.bytes += uint32(e.bytes())
	}
	head := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = s.enc.EncodeAll(raw, b)
	packed := b[head+frameHead:]
	fr.packed, fr.raw, fr.checksum = uint32(len(packed)), uint32(len(raw)), crc32.Checksum(packed, castagnoli)
	putFrameHead(b[head:], fr)
	return b
}

func putFrameHead(b []byte, f frame) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], frameMagic)
	for i, v := range []uint32{f.packed, f.raw, f.count, f.bytes, f.checksum} {
		le.PutUint32(b[8+4*i:], v)
	}
	for i, v := range []int64{f.firstSeq, f.lastSeq, f.minTS, f.maxTS} {
		le.PutUint64(b[32+8*i:], uint64(v))
	}
	le.PutUint32(b[4:], crc32.Checksum(b[8:frameHead], castagnoli))
}

func parseFrameHead(b []byte) (frame, bool) {
	le := binary.LittleEndian
	if le.Uint32(b) != frameMagic || le.Uint32(b[4:]) != crc32.Checksum(b[8:frameHead], castagnoli) {
		return frame{}, false
	}
	f := frame{packed: le.Uint32(b[8:]), raw: le.Uint32(b[12:]), count: le.Uint32(b[16:]), bytes: le.Uint32(b[20:]), checksum: le.Uint32(b[24:])}
	f.firstSeq, f.lastSeq = int64(le.Uint64(b[32:])), int64(le.Uint64(b[40:]))
	f.minTS, f.maxTS = int64(le.Uint64(b[48:])), int64(le.Uint64(b[56:]))
	return f, f.packed <= maxFramePacked
}

// load reads the events of a frame, ordered by time. A segment that was deleted meanwhile has none.
func (s *segments) load(fr frame) ([]entry, error) {
	f, err := os.Open(fr.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	packed := make([]byte, fr.packed)
	if _, err := f.ReadAt(packed, fr.offset); err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	if crc32.Checksum(packed, castagnoli) != fr.checksum {
		return nil, fmt.Errorf("read segment %s at %d: %w", filepath.Base(fr.path), fr.offset, errCorrupt)
	}
	raw, err := s.dec.DecodeAll(packed, make([]byte, 0, min(fr.raw, maxFramePacked)))
	if err != nil {
		return nil, fmt.Errorf("unpack segment: %w", err)
	}
	d := &decoder{b: raw}
	entries := make([]entry, 0, min(int(fr.count), len(raw)))
	ts := fr.minTS
	for range fr.count {
		ts += int64(d.uvarint())
		entries = append(entries, entry{ts: ts, seq: fr.firstSeq + int64(d.uvarint()), msg: d.string()})
		if d.err != nil {
			return nil, fmt.Errorf("unpack segment: %w", d.err)
		}
	}
	return entries, nil
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.seq, b.seq))
}

// tail is where the next frame of a stream goes.
type tail struct {
	path    string // "" when the stream has no segment yet
	end     int64
	frames  int
	lastSeq int64 // of all its frames
}

// tail finds the end of a stream's last segment and checks that the last frame is whole, since a crash may have left a head
// without its events.
func (s *segments) tail(id int64) (tail, error) {
	paths, err := s.list(id)
	if err != nil {
		return tail{}, err
	}
	for _, p := range slices.Backward(paths) {
		_, frames, end, err := scanSegment(p)
		if err != nil && !errors.Is(err, errCorrupt) {
			return tail{}, err
		}
		for len(frames) > 0 {
			last := frames[len(frames)-1]
			if _, err := s.load(last); err == nil {
				return tail{path: p, end: end, frames: len(frames), lastSeq: last.lastSeq}, nil
			}
			end, frames = last.offset-frameHead, frames[:len(frames)-1]
		}
		if err := os.Remove(p); err != nil { // nothing whole in it
			return tail{}, fmt.Errorf("remove an empty segment: %w", err)
		}
	}
	return tail{}, nil
}

// append writes entries, in order of ingestion, behind t and returns the new tail. The files are not synced yet. On failure the
// segment is cut back to where it was.
func (s *segments) append(d definition, t tail, entries []entry) (tail, error) {
	var b []byte
	if t.path == "" || t.end > segmentBytes || t.frames >= segmentFrames {
		t.path = filepath.Join(s.shard(d.id), fmt.Sprintf("%016x-%016x%s", uint64(d.id), entries[0].seq, segmentSuffix))
		t.end, t.frames = 0, 0
		b = appendSegmentHead(b, metaOf(d))
	}
	for chunk := range chunks(entries) {
		b = s.appendFrame(b, chunk)
		t.frames++
	}
	if err := writeAt(t.path, t.end, b); err != nil {
		return tail{}, err
	}
	t.end += int64(len(b))
	t.lastSeq = entries[len(entries)-1].seq
	return t, nil
}

// chunks cuts entries into runs of about frameRaw bytes.
func chunks(entries []entry) func(yield func([]entry) bool) {
	return func(yield func([]entry) bool) {
		first, size := 0, 0
		for i, e := range entries {
			if size += e.bytes(); size >= frameRaw || i == len(entries)-1 {
				if !yield(entries[first : i+1]) {
					return
				}
				first, size = i+1, 0
			}
		}
	}
}

// writeAt replaces whatever lies at and behind offset by b.
func writeAt(path string, offset int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("make a segment folder: %w", err)
		}
		f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	}
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	err = f.Truncate(offset)
	if err == nil {
		_, err = f.WriteAt(b, offset)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write segment: %w", err), f.Truncate(offset), f.Close())
	}
	return f.Close()
}

// sync brings written segments, and their names, to the disk.
func (s *segments) sync(paths []string) error {
	if len(paths) > syncEach {
		return s.syncAll()
	}
	dirs := map[string]bool{s.dir: true}
	for _, p := range paths {
		if err := syncDir(p); err != nil { // syncs a file as well
			return fmt.Errorf("sync segment: %w", err)
		}
		dirs[filepath.Dir(p)] = true
	}
	for d := range dirs {
		if err := syncDir(d); err != nil {
			return fmt.Errorf("sync segment folder: %w", err)
		}
	}
	return nil
}

func (s *segments) syncAll() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return fmt.Errorf("sync segments: %w", err)
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

// remove deletes all segments of a stream.
func (s *segments) remove(id int64) error {
	paths, err := s.list(id)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove segment: %w", err)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return syncDir(s.shard(id))
}

// each calls fn with the head of one segment of every stream that has any.
func (s *segments) each(fn func(id int64, path string)) error {
	shards, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	for _, shard := range shards {
		files, err := os.ReadDir(filepath.Join(s.dir, shard.Name()))
		if err != nil {
			return fmt.Errorf("list segments: %w", err)
		}
		last := ""
		for _, f := range files {
			name, _, ok := strings.Cut(f.Name(), "-")
			if !ok || name == last {
				continue
			}
			last = name
			var id int64
			if _, err := fmt.Sscanf(name, "%016x", &id); err == nil {
				fn(id, filepath.Join(s.dir, shard.Name(), f.Name()))
			}
		}
	}
	return nil
}
