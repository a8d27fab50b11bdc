package observe

import (
	"cmp"
	"context"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// FollowQuery says which events to follow. Streams and Prefix exclude each other; without both all streams of the group are
// followed, those made later included.
type FollowQuery struct {
	Group   string
	Streams []string
	Prefix  string
	Pattern string // see [ParsePattern]
}

// Follow calls emit for every matching event that is stored from now on, in the order of ingestion, until ctx ends or emit fails.
// A slow reader delays nobody and misses nothing: events are read again from where it stands.
func (l *Logs) Follow(ctx context.Context, scope apprunner.Scope, q FollowQuery, emit func(StreamEvent) error) error {
	pattern, err := ParsePattern(q.Pattern)
	if err != nil {
		return err
	}
	if _, err := l.group(ctx, scope, q.Group); err != nil {
		return err
	}
	keeps := FilterQuery{Streams: q.Streams, Prefix: q.Prefix}.keeps
	at := l.present(keyOf(scope, q.Group))
	for {
		wake, due := l.awaits(keyOf(scope, q.Group), at)
		if due {
			hits, err := l.since(ctx, scope, q.Group, keeps, at)
			if err != nil {
				return err
			}
			for _, h := range hits {
				at = h.seq
				if !pattern.Match(h.msg) {
					continue
				}
				if err := emit(StreamEvent{h.event(), h.view.name}); err != nil {
					return err
				}
			}
			at = max(at, wake.lastSeq)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake.appended:
		}
	}
}

// wakeup is a moment in the life of a group: its newest event, and the channel that closes at the next append.
type wakeup struct {
	lastSeq  int64
	appended <-chan struct{}
}

// present is the place of the newest event visible now.
func (l *Logs) present(gk groupKey) int64 {
	w, _ := l.awaits(gk, 0)
	return w.lastSeq
}

// awaits tells whether the group may have events behind at.
func (l *Logs) awaits(gk groupKey, at int64) (wakeup, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := wakeup{lastSeq: l.evicted, appended: l.appended}
	if a := l.groups[gk]; a != nil {
		w.lastSeq = max(w.lastSeq, a.lastSeq)
	}
	return w, w.lastSeq > at
}

// since reads the events behind a place in the order of ingestion.
func (l *Logs) since(ctx context.Context, scope apprunner.Scope, group string, keeps func(string) bool, at int64) ([]hit, error) {
	rested, err := l.restedSince(ctx, scope, group, keeps, at)
	if err != nil {
		return nil, err
	}
	var hits []hit
	take := func(v *view, entries []entry) {
		for _, e := range entries {
			if e.seq > at {
				hits = append(hits, hit{e, v})
			}
		}
	}
	active := l.views(keyOf(scope, group), keeps)
	for _, v := range rested {
		if _, ok := active[v.name]; !ok {
			active[v.name] = v
		}
	}
	for _, v := range active {
		take(&v, v.memory)
		if v.flushedSeq <= at {
			continue
		}
		frames, err := l.segs.frames(v.id)
		if err != nil {
			return nil, err
		}
		for _, f := range frames {
			if f.lastSeq <= at || f.lastSeq > v.flushedSeq {
				continue
			}
			entries, err := l.segs.load(f)
			if err != nil {
				return nil, err
			}
			take(&v, entries)
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.seq, b.seq) })
	return hits, nil
}

// restedSince lists the streams with newer events than at that memory has let go of, if there can be any.
func (l *Logs) restedSince(ctx context.Context, scope apprunner.Scope, group string, keeps func(string) bool, at int64) (views []view, err error) {
	l.mu.Lock()
	evicted := l.evicted
	l.mu.Unlock()
	if evicted <= at {
		return nil, nil
	}
	err = l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT s.id, s.name, s.last_seq FROM log_streams s JOIN log_groups g ON g.id = s.group_id
			WHERE g.account = $1 AND g.region = $2 AND g.name = $3 AND s.last_seq > $4`,
			[]any{scope.Account, scope.Region, group, at}, func(row store.Row) error {
				v := view{}
				if err := row.Scan(&v.id, &v.name, &v.flushedSeq); err != nil {
					return err
				}
				if keeps(v.name) {
					views = append(views, v)
				}
				return nil
			})
	})
	return views, err
}
