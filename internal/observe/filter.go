package observe

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// FilterQuery asks for events of several streams of a group. Streams and Prefix exclude each other; without both all streams are
// searched.
type FilterQuery struct {
	Group   string
	Streams []string // at most 100
	Prefix  string
	Start   time.Time // inclusive, to the millisecond; zero: no bound
	End     time.Time // inclusive, to the millisecond; zero: no bound
	Pattern string    // see [ParsePattern]
	Limit   int       // 1 to 10,000; 0 means 10,000; a page also ends at 1 MiB
	Token   string
}

// StreamEvent is an event and the stream it is in.
type StreamEvent struct {
	Event
	Stream string
}

// Filter finds events of a group's streams, interleaved by time, then by ingestion. next is empty when all have been looked
// through; a page may be empty and still have a next one.
func (l *Logs) Filter(ctx context.Context, scope apprunner.Scope, q FilterQuery) (events []StreamEvent, next string, err error) {
	s, err := q.search()
	if err != nil {
		return nil, "", err
	}
	g, err := l.group(ctx, scope, q.Group)
	if err != nil {
		return nil, "", err
	}
	s.start = max(s.start, g.oldest(l.now()))
	views, err := l.groupViews(ctx, scope, g, q, s)
	if err != nil {
		return nil, "", err
	}
	p, err := l.collect(ctx, views, s)
	if err != nil {
		return nil, "", err
	}
	for _, h := range p.hits {
		events = append(events, StreamEvent{h.event(), h.view.name})
	}
	if p.more {
		next = sealToken("filter", p.next.String())
	}
	return events, next, nil
}

func (q FilterQuery) search() (s search, err error) {
	s = search{start: startMicros(q.Start), end: math.MaxInt64}
	if !q.End.IsZero() {
		s.end = (q.End.UnixMilli() + 1) * 1000
	}
	switch {
	case s.end <= s.start:
		return s, invalidf("startTime is behind endTime")
	case len(q.Streams) > 0 && q.Prefix != "":
		return s, invalidf("logStreamNames and logStreamNamePrefix exclude each other")
	case len(q.Streams) > 100:
		return s, invalidf("logStreamNames has %d names; at most 100 are allowed", len(q.Streams))
	}
	if s.limit, err = eventLimit(q.Limit); err != nil {
		return s, err
	}
	pattern, err := ParsePattern(q.Pattern)
	if err != nil {
		return s, err
	}
	s.match = pattern.match
	if q.Token != "" {
		value, err := openToken(q.Token, "filter")
		if err != nil {
			return s, err
		}
		from, err := parsePosition(value)
		if err != nil {
			return s, err
		}
		s.from = &from
	}
	return s, nil
}

// keeps tells whether the query is about a stream.
func (q FilterQuery) keeps(name string) bool {
	if len(q.Streams) > 0 {
		return slices.Contains(q.Streams, name)
	}
	return strings.HasPrefix(name, q.Prefix)
}

// groupViews lists the streams of a query that may have events in the range: the active ones, and the others by the index.
func (l *Logs) groupViews(ctx context.Context, scope apprunner.Scope, g groupRow, q FilterQuery, s search) ([]view, error) {
	active := l.views(keyOf(scope, q.Group), q.keeps)
	var views []view
	known := map[string]bool{}
	err := l.db.View(ctx, func(tx *store.Tx) error {
		query := `SELECT id, name, first_event, last_event, last_seq FROM log_streams WHERE group_id = $1 AND substr(name, 1, length($2)) = $2 ORDER BY name`
		return tx.Each(query, []any{g.id, q.Prefix}, func(row store.Row) error {
			v := view{flushedSeq: math.MaxInt64}
			var first, last, seq int64
			if err := row.Scan(&v.id, &v.name, &first, &last, &seq); err != nil {
				return err
			}
			known[v.name] = true
			if a, ok := active[v.name]; ok {
				views = append(views, a)
			} else if q.keeps(v.name) && seq > 0 && last >= s.start && first < s.end {
				views = append(views, v)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	for _, name := range q.Streams {
		if !known[name] {
			return nil, noStream(q.Group, name)
		}
	}
	return views, nil
}
