package observe

import (
	"context"
	"errors"
	"fmt"
	"os"

	"slipway.dev/slipway/internal/store"
)

// expired is a stream that may have segments older than its group keeps them.
type expired struct {
	id     int64
	name   string
	oldest int64 // microseconds
}

// EnforceRetention deletes the segments all of whose events have expired; [Logs.Run] does it every hour. Expired events in
// other segments are hidden from readers already.
func (l *Logs) EnforceRetention(ctx context.Context) error {
	streams, err := l.expired(ctx)
	if err != nil {
		return fmt.Errorf("find expired logs: %w", err)
	}
	var failed []error
	for _, s := range streams {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.expire(ctx, s); err != nil {
			failed = append(failed, fmt.Errorf("delete expired logs of %s: %w", s.name, err))
		}
	}
	return errors.Join(failed...)
}

func (l *Logs) expired(ctx context.Context) (streams []expired, err error) {
	now := l.now()
	err = l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT s.id, s.name, s.first_event, g.retention_days FROM log_streams s JOIN log_groups g ON g.id = s.group_id
			WHERE g.retention_days > 0 AND s.stored_bytes > 0`, nil, func(row store.Row) error {
			var s expired
			var first int64
			var g groupRow
			if err := row.Scan(&s.id, &s.name, &first, &g.retention); err != nil {
				return err
			}
			if s.oldest = g.oldest(now); first < s.oldest {
				streams = append(streams, s)
			}
			return nil
		})
	})
	return streams, err
}

// expire deletes whole segments and brings the stream's stats in line with what is left.
func (l *Logs) expire(ctx context.Context, s expired) error {
	l.checkpoint.Lock()
	defer l.checkpoint.Unlock()
	paths, err := l.segs.list(s.id)
	if err != nil {
		return err
	}
	left := stats{}
	removed := 0
	for _, p := range paths {
		_, frames, _, err := scanSegment(p)
		if err != nil {
			return err
		}
		of := stats{}
		for _, f := range frames {
			of.see(f.minTS, f.maxTS, f.lastSeq)
			of.bytes += int64(f.bytes)
		}
		if of.lastTS >= s.oldest {
			left.see(of.firstTS, of.lastTS, of.lastSeq)
			left.bytes += of.bytes
			continue
		}
		if err := os.Remove(p); err != nil {
			return fmt.Errorf("remove an expired segment: %w", err)
		}
		removed++
	}
	if removed == 0 {
		return nil
	}
	return l.shrink(ctx, s.id, left)
}

func (l *Logs) shrink(ctx context.Context, id int64, left stats) error {
	l.indexing.Lock()
	defer l.indexing.Unlock()
	l.mu.Lock()
	for _, st := range l.streams {
		if st.def.id == id {
			st.stats.bytes, st.tailKnown, st.dirty = left.bytes, false, true
			if left.lastSeq > 0 {
				st.stats.firstTS = left.firstTS
			}
		}
	}
	l.mu.Unlock()
	return l.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`UPDATE log_streams SET first_event = $1, stored_bytes = $2 WHERE id = $3`, left.firstTS, left.bytes, id)
	})
}
