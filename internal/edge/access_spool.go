package edge

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The bounds of access logs on their way. What goes beyond is dropped and counted, never waited for.
const (
	// spoolMemory is the most bytes of lines that wait to be written to a file.
	spoolMemory = 4 << 20
	// spoolDisk is the most bytes of files that wait to be collected: at 300 bytes a line, 200,000 requests while control is away.
	spoolDisk = 64 << 20
	// spoolEvery is how often a file is made of what is there; rarer while nobody collects them.
	spoolEvery = 250 * time.Millisecond
	// spoolFiles is how many files may wait before they are made larger: of spoolLarge bytes, or what came in spoolSlow.
	spoolFiles = 32
	spoolLarge = 1 << 20
	spoolSlow  = 10 * time.Second
)

// spool carries the lines of access logs to control through files in a directory, so that neither a request nor the edge ever waits for
// control, and lines survive the end of either. Each file is complete when its name ends in .log. A power cut may lose the last ones.
type spool struct {
	dir string
	log *slog.Logger

	mu      sync.Mutex
	waiting bytes.Buffer
	lost    map[string]uint64    // lines dropped since that was last written down, by the ARN of their log
	totals  map[string]*counters // where they are counted
	written time.Time
}

func newSpool(dir string, log *slog.Logger) *spool {
	if dir == "" {
		return nil
	}
	return &spool{dir: dir, log: log, lost: map[string]uint64{}, totals: map[string]*counters{}}
}

// add takes the record of a request.
func (sp *spool) add(s *service, f accessFormat, r *accessRecord) {
	sp.put(s.arn, &s.counters, r.Time, func(b *bytes.Buffer) { r.append(b, f) })
}

// put takes a line for the log that an ARN names: of a service, or of a log stream. It waits for nothing but others that put one. Lines
// that are lost are counted in c.
func (sp *spool) put(arn string, c *counters, at time.Time, line func(*bytes.Buffer)) {
	if sp == nil {
		return
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.totals[arn] = c
	if sp.waiting.Len() > spoolMemory {
		sp.lose(arn)
		return
	}
	fmt.Fprintf(&sp.waiting, "+ %d %s ", at.UnixMicro(), arn)
	line(&sp.waiting)
	sp.waiting.WriteByte('\n')
}

// lose counts a line that found no place; under the lock.
func (sp *spool) lose(arn string) {
	sp.lost[arn]++
	if c := sp.totals[arn]; c != nil {
		c.unlogged.Add(1)
	}
}

// run writes files until ctx ends, and then what is left.
func (sp *spool) run(ctx context.Context) {
	if err := os.MkdirAll(sp.dir, 0o700); err != nil {
		sp.log.Error("access logs cannot be written", "error", err)
	}
	ticker := time.NewTicker(spoolEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if err := sp.flush(time.Now(), ctx.Err() != nil); err != nil {
			sp.log.Error("access logs cannot be written; their lines are lost", "error", err)
		}
	}
}

// flush makes a file of what waits, unless it had better grow first.
func (sp *spool) flush(now time.Time, last bool) error {
	files, size := sp.backlog()
	sp.mu.Lock()
	few := sp.waiting.Len() < spoolLarge && now.Sub(sp.written) < spoolSlow
	if sp.waiting.Len() == 0 && len(sp.lost) == 0 || files >= spoolFiles && few && !last {
		sp.mu.Unlock()
		return nil
	}
	data := bytes.Clone(sp.waiting.Bytes())
	sp.waiting.Reset()
	sp.written = now
	lost := sp.lost
	sp.lost = map[string]uint64{}
	sp.mu.Unlock()
	if size+int64(len(data)) > spoolDisk {
		sp.drop(data, lost)
		return nil
	}
	if err := sp.write(now, append(data, lossLines(now, lost)...)); err != nil {
		sp.drop(data, lost)
		return err
	}
	return nil
}

// lossLines tells how many lines of each service are missing.
func lossLines(now time.Time, lost map[string]uint64) (b []byte) {
	for arn, n := range lost {
		b = fmt.Appendf(b, "- %d %s %d\n", now.UnixMicro(), arn, n)
	}
	return b
}

// drop counts lines that found no place.
func (sp *spool) drop(data []byte, lost map[string]uint64) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	for arn, n := range lost {
		sp.lost[arn] += n
	}
	for line := range bytes.Lines(data) {
		if parts := strings.SplitN(string(line), " ", 4); len(parts) == 4 {
			sp.lose(parts[2])
		}
	}
}

// backlog is what waits to be collected.
func (sp *spool) backlog() (files int, size int64) {
	entries, err := os.ReadDir(sp.dir)
	if err != nil {
		return 0, 0 // writing will say why
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			files++
			size += info.Size()
		}
	}
	return files, size
}

// write makes one file. Its name puts it after all others and is no other edge's.
func (sp *spool) write(now time.Time, data []byte) error {
	name := filepath.Join(sp.dir, fmt.Sprintf("%019d-%d", now.UnixNano(), os.Getpid()))
	err := os.WriteFile(name+".part", data, 0o600)
	if err == nil {
		err = os.Rename(name+".part", name+spoolSuffix)
	}
	if err != nil {
		os.Remove(name + ".part")
		return fmt.Errorf("access log: %w", err)
	}
	return nil
}

const spoolSuffix = ".log"

// AccessLines are lines of one log, oldest first.
type AccessLines struct {
	// ARN is of the service whose access log it is, or of the log stream that a web ACL tells about its requests.
	ARN   string
	Lines []AccessLine
	// Lost is how many lines were dropped, because too many were waiting to be collected.
	Lost int
}

// AccessLine is what is told about one request, and when that began.
type AccessLine struct {
	Time time.Time
	Text string
}

// Collect hands every file that an edge left in dir to store, one after the other, and removes those that were stored. What store
// fails on comes again at the next call: a line may be stored twice, never lost.
func Collect(dir string, store func([]AccessLines) error) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+spoolSuffix))
	if err != nil {
		return fmt.Errorf("collect access logs: %w", err)
	}
	for _, name := range names { // Glob sorts them
		data, err := os.ReadFile(name)
		if err == nil {
			err = store(parseSpooled(data))
		}
		if err == nil {
			err = os.Remove(name)
		}
		if err != nil {
			return fmt.Errorf("collect access logs: %w", err)
		}
	}
	return nil
}

// parseSpooled reads a file; a line that is none is left out.
func parseSpooled(data []byte) []AccessLines {
	found := map[string]*AccessLines{}
	for line := range bytes.Lines(data) {
		parts := strings.SplitN(strings.TrimSuffix(string(line), "\n"), " ", 4)
		var micros int64
		if len(parts) != 4 {
			continue
		}
		if _, err := fmt.Sscan(parts[1], &micros); err != nil {
			continue
		}
		l := found[parts[2]]
		if l == nil {
			l = &AccessLines{ARN: parts[2]}
			found[parts[2]] = l
		}
		if n := 0; parts[0] == "-" {
			if _, err := fmt.Sscan(parts[3], &n); err == nil {
				l.Lost += n
			}
			continue
		}
		l.Lines = append(l.Lines, AccessLine{Time: time.UnixMicro(micros).UTC(), Text: parts[3]})
	}
	list := make([]AccessLines, 0, len(found))
	for l := range maps.Values(found) {
		list = append(list, *l)
	}
	return list
}
