package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// MaxEventBytes is how long the message of one event may be (§21: a longer line is split).
const MaxEventBytes = 256<<10 - eventOverhead

// The sizes the write-ahead files and the memory beside them are held to, in bytes of events.
const (
	checkpointBytes = 8 << 20             // Run moves events into segments beyond this,
	checkpointAge   = 15 * time.Minute    // or after this time,
	maxUnflushed    = 4 * checkpointBytes // and appenders do it themselves beyond this
	maxEventsRecord = 1 << 20
)

var errClosed = errors.New("the log store is closed")

// Config says where logs are kept.
type Config struct {
	Dir string           // folder of the segments and write-ahead files; one process at a time
	DB  *store.DB        // keeps the index of groups and streams
	Now func() time.Time // defaults to time.Now
	Log *slog.Logger     // defaults to none
}

// Event is one log event.
type Event struct {
	Time     time.Time // when it happened; kept to the microsecond
	Message  string
	Ingested time.Time // when it was stored; set by the log store
	ID       string    // unique; sorts like Time; set by the log store
}

// Logs stores and finds log events. Its methods may be called at once from many goroutines.
type Logs struct {
	dir  string
	db   *store.DB
	now  func() time.Time
	log  *slog.Logger
	segs *segments

	full       chan struct{} // pokes Run when a checkpoint is due
	work       chan struct{} // pokes the committer
	stopped    chan struct{} // closed when the committer has ended
	creating   sync.Mutex    // held while streams are looked up or made
	checkpoint sync.Mutex    // held while segments change
	indexing   sync.Mutex    // held while stats go to the index, so that they get there in order

	mu        sync.Mutex
	closed    bool
	queue     []*commit
	streams   map[streamKey]*stream
	groups    map[groupKey]*activity
	unflushed int           // bytes of events that are only in write-ahead files
	evicted   int64         // the newest seq of any stream that memory has forgotten
	appended  chan struct{} // closes at the next append

	wal     wal   // the committer's own
	lastSeq int64 // the committer's own
}

// Open opens the log store in cfg.Dir and recovers what a crash left unfinished. The caller closes it.
func Open(ctx context.Context, cfg Config) (*Logs, error) {
	if cfg.Dir == "" || cfg.DB == nil {
		return nil, errors.New("observe: Config needs Dir and DB")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.DB.Migrate(ctx, "observe", migrations); err != nil {
		return nil, err
	}
	segs, err := openSegments(filepath.Join(cfg.Dir, "segments"))
	if err != nil {
		return nil, err
	}
	l := &Logs{
		dir: cfg.Dir, db: cfg.DB, now: cfg.Now, log: cfg.Log, segs: segs,
		full: make(chan struct{}, 1), work: make(chan struct{}, 1), stopped: make(chan struct{}),
		streams: map[streamKey]*stream{}, groups: map[groupKey]*activity{}, appended: make(chan struct{}),
		wal: wal{dir: filepath.Join(cfg.Dir, "wal")},
	}
	if err := os.MkdirAll(l.wal.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the log folder: %w", err)
	}
	if err := l.recover(ctx); err != nil {
		return nil, fmt.Errorf("recover the logs: %w", err)
	}
	go l.commitLoop()
	return l, nil
}

// Close stores what is only in write-ahead files in segments and ends. Appends after it fail.
func (l *Logs) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	err := l.Checkpoint(context.Background())
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	poke(l.work)
	<-l.stopped
	l.segs.dec.Close()
	return err
}

// Run moves events into segments when enough have come together and enforces the retention of groups, until ctx ends. Without it
// nothing is lost, but files and memory grow.
func (l *Logs) Run(ctx context.Context) error {
	age := time.NewTicker(checkpointAge)
	defer age.Stop()
	retention := time.NewTicker(time.Hour)
	defer retention.Stop()
	l.maintain(ctx, "enforce log retention", l.EnforceRetention)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-retention.C:
			l.maintain(ctx, "enforce log retention", l.EnforceRetention)
		case <-l.full:
			l.maintain(ctx, "move logs into segments", l.Checkpoint)
		case <-age.C:
			l.maintain(ctx, "move logs into segments", l.Checkpoint)
		}
	}
}

// maintain does work whose failure only the operator can act on; it is tried again later.
func (l *Logs) maintain(ctx context.Context, what string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		l.log.Error(what, "error", err)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Append stores events in a stream and returns once they are on disk. It makes the group and the stream when they are missing,
// also when events is empty. Messages longer than [MaxEventBytes] become several events; bytes that are not UTF-8 are
// replaced. An event without time gets the present one.
func (l *Logs) Append(ctx context.Context, scope apprunner.Scope, group, stream string, events []Event) error {
	key := streamKey{scope.Account, scope.Region, group, stream}
	entries := l.entries(events)
	for {
		st, err := l.acquire(ctx, key, true)
		if err != nil {
			return err
		}
		err = l.store(st, entries)
		l.release(st)
		if errors.Is(err, errForgotten) { // deleted in between: make it again (adjacent §4)
			continue
		}
		if err != nil {
			return fmt.Errorf("append to log stream %s of %s: %w", stream, group, err)
		}
		return l.relieve(ctx)
	}
}

// relieve makes the appender itself move events into segments when Run does not keep up.
func (l *Logs) relieve(ctx context.Context) error {
	l.mu.Lock()
	n := l.unflushed
	l.mu.Unlock()
	if n >= checkpointBytes {
		poke(l.full)
	}
	if n < maxUnflushed {
		return nil
	}
	l.maintain(ctx, "move logs into segments", l.Checkpoint)
	return nil
}

func (l *Logs) entries(events []Event) []entry {
	now := l.now()
	out := make([]entry, 0, len(events))
	for _, e := range events {
		if e.Time.IsZero() {
			e.Time = now
		}
		for part := range splitMessage(strings.ToValidUTF8(e.Message, "\uFFFD")) {
			out = append(out, entry{ts: max(e.Time.UnixMicro(), 0), msg: part})
		}
	}
	return out
}

// splitMessage cuts a message into parts of at most MaxEventBytes, never inside a character.
func splitMessage(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > MaxEventBytes {
			n := MaxEventBytes
			for !utf8.RuneStart(s[n]) {
				n--
			}
			if !yield(s[:n]) {
				return
			}
			s = s[n:]
		}
		yield(s)
	}
}
