package observe

import (
	"context"
	"errors"
	"fmt"

	"slipway.dev/slipway/internal/store"
)

// recovery collects what the write-ahead files hold.
type recovery struct {
	defs    map[int64]definition
	entries map[int64][]entry
	gone    map[int64]bool
	lastSeq int64
}

func (r *recovery) define(d definition) {
	if !r.gone[d.id] {
		r.defs[d.id] = d
	}
}

func (r *recovery) events(id int64, entries []entry) {
	if len(entries) == 0 {
		return
	}
	r.lastSeq = max(r.lastSeq, entries[len(entries)-1].seq)
	if !r.gone[id] {
		r.entries[id] = append(r.entries[id], entries...)
	}
}

func (r *recovery) forget(id int64) {
	delete(r.defs, id)
	delete(r.entries, id)
	r.gone[id] = true
}

// recover brings memory, index and files together after whatever end the last process had: it replays the write-ahead files and
// adopts streams whose segments the index does not know.
func (l *Logs) recover(ctx context.Context) error {
	r := &recovery{defs: map[int64]definition{}, entries: map[int64][]entry{}, gone: map[int64]bool{}}
	if err := l.replayAll(r); err != nil {
		return err
	}
	known, lastSeq, err := l.indexed(ctx)
	if err != nil {
		return err
	}
	l.lastSeq, l.evicted = max(lastSeq, r.lastSeq), lastSeq
	for id := range r.gone {
		if err := l.finishDelete(ctx, id); err != nil {
			return err
		}
		delete(known, id)
	}
	if err := l.adoptSegments(ctx, known, r.gone); err != nil {
		return err
	}
	for id, entries := range r.entries {
		def, ok := r.defs[id]
		if !ok {
			l.log.Warn("log events without a stream are dropped", "events", len(entries))
			continue
		}
		if err := l.restore(ctx, def, entries); err != nil {
			return err
		}
	}
	return nil
}

func (l *Logs) replayAll(r *recovery) error {
	numbers, err := walNumbers(l.wal.dir)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		l.wal.number = n
		err := replay(l.wal.path(n), r)
		if errors.Is(err, errCorrupt) {
			if i < len(numbers)-1 {
				l.log.Warn("a log file ends in a broken record", "file", l.wal.path(n))
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// indexed returns the ids the index knows and the newest place in the order of ingestion.
func (l *Logs) indexed(ctx context.Context) (ids map[int64]bool, lastSeq int64, err error) {
	ids = map[int64]bool{}
	err = l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT id, last_seq FROM log_streams`, nil, func(row store.Row) error {
			var id, seq int64
			if err := row.Scan(&id, &seq); err != nil {
				return err
			}
			ids[id], lastSeq = true, max(lastSeq, seq)
			return nil
		})
	})
	return ids, lastSeq, err
}

// adoptSegments adds streams to the index that have segments but no row there, as after a loss of power or of the database.
func (l *Logs) adoptSegments(ctx context.Context, known, gone map[int64]bool) error {
	var lost []definition
	err := l.segs.each(func(id int64, path string) {
		if known[id] || gone[id] {
			return
		}
		meta, _, _, err := scanSegment(path)
		if err != nil || meta.ID != id {
			l.log.Warn("a log segment has no readable head", "file", path, "error", err)
			return
		}
		lost = append(lost, meta.definition())
	})
	if err != nil {
		return err
	}
	for _, def := range lost {
		st := &stream{def: def}
		if _, _, found, err := l.lookup(ctx, def.key); err != nil || found {
			l.log.Warn("a log segment belongs to a stream that was made anew", "stream", def.key.name, "error", err)
			continue
		}
		if err := l.reconcile(st); err != nil {
			return err
		}
		err := l.db.Update(ctx, func(tx *store.Tx) error {
			if err := insertStream(tx, def); err != nil {
				return err
			}
			return updateStats(tx, def.id, st.stats)
		})
		if err != nil {
			return fmt.Errorf("adopt log stream %s: %w", def.key.name, err)
		}
		l.lastSeq, l.evicted = max(l.lastSeq, st.stats.lastSeq), max(l.evicted, st.stats.lastSeq)
	}
	return nil
}

// restore puts replayed events back into memory, without those that reached a segment.
func (l *Logs) restore(ctx context.Context, def definition, entries []entry) error {
	current, known, found, err := l.lookup(ctx, def.key)
	if err != nil {
		return err
	}
	if !found {
		current = def
		if err := l.db.Update(ctx, func(tx *store.Tx) error { return insertStream(tx, def) }); err != nil {
			return err
		}
	}
	l.mu.Lock()
	st := l.streams[def.key]
	l.mu.Unlock()
	if st == nil {
		st = &stream{def: current, stats: known}
		if err := l.reconcile(st); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[def.key] == nil {
		l.activate(st)
	}
	for len(entries) > 0 && entries[0].seq <= max(st.tail.lastSeq, st.lastBuffered()) {
		entries = entries[1:]
	}
	if len(entries) > 0 {
		l.unflushed += st.add(entries)
	}
	return nil
}

func (st *stream) lastBuffered() int64 {
	if len(st.buf) == 0 {
		return 0
	}
	return st.buf[len(st.buf)-1].seq
}
