package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway.dev/slipway/internal/store"
)

// flush is the part of a checkpoint that concerns one stream.
type flush struct {
	stream  *stream
	entries []entry
	tail    tail
}

// Checkpoint moves all events that are only in write-ahead files into segments and deletes those files. A crash at any moment
// inside loses nothing and doubles nothing: events keep their place in the order of ingestion, so what is in a segment is
// recognised when the write-ahead file is replayed.
func (l *Logs) Checkpoint(ctx context.Context) error {
	l.checkpoint.Lock()
	defer l.checkpoint.Unlock()
	var number uint64
	var flushes []*flush
	err := l.submit(&commit{between: func() (err error) {
		number, err = l.wal.rotate()
		if err == nil {
			flushes = l.takeBuffers()
		}
		return err
	}})
	if err != nil {
		return err
	}
	if len(flushes) == 0 && number == 0 {
		return nil
	}
	if err := l.writeSegments(flushes); err != nil {
		l.returnBuffers(flushes)
		return err
	}
	l.settle(flushes)
	indexed := l.index(ctx, nil)
	l.forgetIdle()
	return errors.Join(indexed, l.wal.removeThrough(number))
}

// takeBuffers begins a checkpoint: what is in memory now goes to segments, what comes later stays.
func (l *Logs) takeBuffers() []*flush {
	l.mu.Lock()
	defer l.mu.Unlock()
	var flushes []*flush
	for _, st := range l.streams {
		if len(st.buf) == 0 {
			continue
		}
		st.flushing, st.buf = st.buf, nil
		flushes = append(flushes, &flush{stream: st, entries: st.flushing})
	}
	return flushes
}

// returnBuffers undoes takeBuffers after a failure. What did reach segments is recognised at the next try.
func (l *Logs) returnBuffers(flushes []*flush) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range flushes {
		f.stream.buf = slices.Concat(f.stream.flushing, f.stream.buf)
		f.stream.flushing, f.stream.tailKnown = nil, false
	}
}

func (l *Logs) writeSegments(flushes []*flush) error {
	var paths []string
	for _, f := range flushes {
		if err := l.writeSegment(f); err != nil {
			return fmt.Errorf("store log stream %s: %w", f.stream.def.key.name, err)
		}
		if f.tail.path != "" {
			paths = append(paths, f.tail.path)
		}
	}
	return l.segs.sync(paths)
}

func (l *Logs) writeSegment(f *flush) error {
	st := f.stream
	if !st.tailKnown {
		t, err := l.segs.tail(st.def.id)
		if err != nil {
			return err
		}
		st.tail, st.tailKnown = t, true
	}
	f.tail = st.tail
	entries := f.entries
	for len(entries) > 0 && entries[0].seq <= st.tail.lastSeq {
		entries = entries[1:]
	}
	if len(entries) == 0 {
		return nil
	}
	t, err := l.segs.append(st.def, st.tail, entries)
	if err != nil {
		return err
	}
	f.tail = t
	return nil
}

// settle makes the written segments the place where readers find the events.
func (l *Logs) settle(flushes []*flush) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range flushes {
		st := f.stream
		bytes := 0
		for _, e := range f.entries {
			bytes += e.bytes()
		}
		st.tail, st.flushing = f.tail, nil
		st.bufBytes -= bytes
		l.unflushed -= bytes
		st.stats.bytes += int64(bytes)
		st.stats.flushedSeq = f.entries[len(f.entries)-1].seq
		st.dirty = true
	}
}

// index brings the stats of a group's active streams, or of all when group is nil, into the store.
func (l *Logs) index(ctx context.Context, group *groupKey) error {
	l.indexing.Lock()
	defer l.indexing.Unlock()
	rows := l.takeDirty(group)
	if len(rows) == 0 {
		return nil
	}
	err := l.db.Update(ctx, func(tx *store.Tx) error {
		for _, r := range rows {
			if err := updateStats(tx, r.stream.def.id, r.stats); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, r := range rows {
			r.stream.dirty = true
		}
		return fmt.Errorf("index the log streams: %w", err)
	}
	return nil
}

// takeDirty lists the streams whose stats are newer than the index.
func (l *Logs) takeDirty(group *groupKey) []indexRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rows []indexRow
	take := func(st *stream) {
		if st.dirty {
			st.dirty = false
			rows = append(rows, indexRow{st, st.stats})
		}
	}
	if group == nil {
		for _, st := range l.streams {
			take(st)
		}
	} else if a := l.groups[*group]; a != nil {
		for st := range a.streams {
			take(st)
		}
	}
	return rows
}

// indexRow is what the index shall say of a stream.
type indexRow struct {
	stream *stream
	stats  stats
}

// forgetIdle lets go of the streams whose events are all in segments.
func (l *Logs) forgetIdle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, st := range l.streams {
		if st.users == 0 && len(st.buf) == 0 && len(st.flushing) == 0 && !st.dirty {
			l.deactivate(st)
		}
	}
}
