package observe

import (
	"context"
	"math/rand/v2"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// groupKey names a group in full.
type groupKey struct {
	account, region, name string
}

func keyOf(scope apprunner.Scope, group string) groupKey {
	return groupKey{scope.Account, scope.Region, group}
}

func (k streamKey) groupKey() groupKey { return groupKey{k.account, k.region, k.group} }

// activity is what memory knows of a group with active streams.
type activity struct {
	streams map[*stream]struct{}
	lastSeq int64
}

// stats sum up a stream. Times are microseconds, 0 when it never had an event.
type stats struct {
	firstTS, lastTS, lastSeq int64
	flushedSeq               int64 // events up to here are in segments
	bytes                    int64 // of the events in segments
}

func (s *stats) see(minTS, maxTS, lastSeq int64) {
	if s.lastSeq == 0 || minTS < s.firstTS {
		s.firstTS = minTS
	}
	if s.lastSeq == 0 || maxTS > s.lastTS {
		s.lastTS = maxTS
	}
	s.lastSeq = max(s.lastSeq, lastSeq)
}

// stream is an active stream: one with events that are only in write-ahead files, or that was used a moment ago. The mutex of Logs
// guards it, but for definedIn (the committer's) and tail (guarded by the checkpoint lock).
type stream struct {
	def      definition
	activity *activity
	users    int     // appends under way
	buf      []entry // not in segments yet; only ever appended to
	bufBytes int
	flushing []entry // being written to segments by a checkpoint
	stats    stats
	dirty    bool // stats are newer than the index
	deleted  bool

	definedIn uint64 // number of the write-ahead file that defines the stream
	tail      tail
	tailKnown bool
}

func (st *stream) add(entries []entry) (bytes int) {
	for _, e := range entries {
		st.stats.see(e.ts, e.ts, e.seq)
		bytes += e.bytes()
	}
	st.buf = append(st.buf, entries...)
	st.bufBytes += bytes
	st.dirty = true
	st.activity.lastSeq = max(st.activity.lastSeq, st.stats.lastSeq)
	return bytes
}

// acquire returns the active stream of a name, from memory, from the index, or made anew. It stays active until release.
func (l *Logs) acquire(ctx context.Context, key streamKey, create bool) (*stream, error) {
	if st := l.pin(key); st != nil {
		return st, nil
	}
	l.creating.Lock()
	defer l.creating.Unlock()
	return l.open(ctx, key, create)
}

// open is acquire for a caller that holds the creating lock.
func (l *Logs) open(ctx context.Context, key streamKey, create bool) (*stream, error) {
	if st := l.pin(key); st != nil {
		return st, nil
	}
	def, known, found, err := l.lookup(ctx, key)
	if err != nil {
		return nil, err
	}
	if !found {
		if !create {
			return nil, noStream(key.group, key.name)
		}
		if def, err = l.create(ctx, key); err != nil {
			return nil, err
		}
	}
	st := &stream{def: def, stats: known, users: 1, tailKnown: !found}
	if found {
		if err := l.reconcile(st); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.activate(st)
	return st, nil
}

// activate puts a stream into memory. The caller holds mu.
func (l *Logs) activate(st *stream) {
	gk := st.def.key.groupKey()
	a := l.groups[gk]
	if a == nil {
		a = &activity{streams: map[*stream]struct{}{}}
		l.groups[gk] = a
	}
	st.activity = a
	a.streams[st] = struct{}{}
	a.lastSeq = max(a.lastSeq, st.stats.lastSeq)
	l.streams[st.def.key] = st
}

// deactivate takes a stream out of memory. The caller holds mu.
func (l *Logs) deactivate(st *stream) {
	if l.streams[st.def.key] == st {
		delete(l.streams, st.def.key)
	}
	delete(st.activity.streams, st)
	if len(st.activity.streams) == 0 && l.groups[st.def.key.groupKey()] == st.activity {
		delete(l.groups, st.def.key.groupKey())
	}
	l.evicted = max(l.evicted, st.stats.lastSeq)
}

func (l *Logs) pin(key streamKey) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.streams[key]
	if st == nil || st.deleted {
		return nil
	}
	st.users++
	return st
}

func (l *Logs) release(st *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st.users--
}

// reconcile finds where a stream's segments end, and adds to its stats what the index missed: after a loss of power the files may
// be ahead of the index.
func (l *Logs) reconcile(st *stream) error {
	t, err := l.segs.tail(st.def.id)
	if err != nil {
		return err
	}
	st.tail, st.tailKnown = t, true
	if t.lastSeq <= st.stats.flushedSeq {
		return nil
	}
	frames, err := l.segs.frames(st.def.id)
	if err != nil {
		return err
	}
	for _, f := range frames {
		if f.firstSeq > st.stats.flushedSeq {
			st.stats.see(f.minTS, f.maxTS, f.lastSeq)
			st.stats.bytes += int64(f.bytes)
		}
	}
	st.stats.flushedSeq, st.dirty = t.lastSeq, true
	return nil
}

// lookup reads a stream from the index.
func (l *Logs) lookup(ctx context.Context, key streamKey) (def definition, known stats, found bool, err error) {
	def.key = key
	err = l.db.View(ctx, func(tx *store.Tx) (err error) {
		found, err = tx.Get(`SELECT s.id, s.created, s.first_event, s.last_event, s.last_seq, s.flushed_seq, s.stored_bytes
			FROM log_streams s JOIN log_groups g ON g.id = s.group_id
			WHERE g.account = $1 AND g.region = $2 AND g.name = $3 AND s.name = $4`,
			[]any{key.account, key.region, key.group, key.name},
			&def.id, &def.created, &known.firstTS, &known.lastTS, &known.lastSeq, &known.flushedSeq, &known.bytes)
		return err
	})
	return def, known, found, err
}

// create adds a stream, and its group when it is missing, to the index.
func (l *Logs) create(ctx context.Context, key streamKey) (definition, error) {
	def := definition{id: newID(), key: key, created: l.now().UnixMicro()}
	err := l.db.Update(ctx, func(tx *store.Tx) error { return insertStream(tx, def) })
	return def, err
}

// newID makes the id of a group or stream. It is random, so that an id that reached only a file before a loss of power is never
// given out again.
func newID() int64 { return rand.Int64N(1<<63-1) + 1 }

func insertStream(tx *store.Tx, d definition) error {
	err := tx.Exec(`INSERT INTO log_groups (id, account, region, name, created) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, region, name) DO NOTHING`, newID(), d.key.account, d.key.region, d.key.group, d.created)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO log_streams (id, group_id, name, created)
		VALUES ($1, (SELECT id FROM log_groups WHERE account = $2 AND region = $3 AND name = $4), $5, $6)`,
		d.id, d.key.account, d.key.region, d.key.group, d.key.name, d.created)
}

func updateStats(tx *store.Tx, id int64, s stats) error {
	return tx.Exec(`UPDATE log_streams SET first_event = $1, last_event = $2, last_seq = $3, flushed_seq = $4, stored_bytes = $5 WHERE id = $6`,
		s.firstTS, s.lastTS, s.lastSeq, s.flushedSeq, s.bytes, id)
}
