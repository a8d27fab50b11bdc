package observe

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Stream is a log stream. FirstEvent, LastEvent and LastIngestion are zero while it has no events.
type Stream struct {
	Name          string
	ARN           string
	Created       time.Time
	FirstEvent    time.Time
	LastEvent     time.Time
	LastIngestion time.Time
	StoredBytes   int64 // of the events, uncompressed
}

// StreamsQuery chooses streams of a group.
type StreamsQuery struct {
	Group       string
	Prefix      string
	ByLastEvent bool // else by name
	Descending  bool
	Limit       int // 1 to 50; 0 means 50
	Token       string
}

// CreateStream makes an empty stream in a group that exists. It fails with CodeAlreadyExists.
func (l *Logs) CreateStream(ctx context.Context, scope apprunner.Scope, group, name string) error {
	if utf8.RuneCountInString(name) > maxName || !streamName.MatchString(name) {
		return invalidf("%q is not a log stream name: 1 to 512 characters without ':' and '*' are allowed", name)
	}
	l.creating.Lock()
	defer l.creating.Unlock()
	return l.db.Update(ctx, func(tx *store.Tx) error {
		g, err := findGroup(tx, scope, group)
		if err != nil {
			return err
		}
		n, err := tx.ExecCount(`INSERT INTO log_streams (id, group_id, name, created) VALUES ($1, $2, $3, $4)
			ON CONFLICT (group_id, name) DO NOTHING`, newID(), g.id, name, l.now().UnixMicro())
		if err == nil && n == 0 {
			return apprunner.Errorf(CodeAlreadyExists, "The specified log stream already exists: %s", name)
		}
		return err
	})
}

// DeleteStream deletes a stream and its events.
func (l *Logs) DeleteStream(ctx context.Context, scope apprunner.Scope, group, name string) error {
	l.checkpoint.Lock()
	defer l.checkpoint.Unlock()
	l.creating.Lock()
	defer l.creating.Unlock()
	if _, err := l.group(ctx, scope, group); err != nil {
		return err
	}
	st, err := l.open(ctx, streamKey{scope.Account, scope.Region, group, name}, false)
	if err != nil {
		return err
	}
	if err := l.forgetStreams([]*stream{st}); err != nil {
		return err
	}
	return l.finishDelete(ctx, st.def.id)
}

// finishDelete removes the segments first: a stream that is left in the index without them is empty, segments that are left
// without a row would be adopted at the next start.
func (l *Logs) finishDelete(ctx context.Context, id int64) error {
	if err := l.segs.remove(id); err != nil {
		return err
	}
	return l.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`DELETE FROM log_streams WHERE id = $1`, id)
	})
}

// DescribeStreams lists a group's streams. next is empty on the last page.
func (l *Logs) DescribeStreams(ctx context.Context, scope apprunner.Scope, q StreamsQuery) (streams []Stream, next string, err error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, "", err
	}
	if q.ByLastEvent && q.Prefix != "" {
		return nil, "", invalidf("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	gk := keyOf(scope, q.Group)
	if err := l.index(ctx, &gk); err != nil {
		return nil, "", err
	}
	query, args, err := streamsSQL(q)
	if err != nil {
		return nil, "", err
	}
	err = l.db.View(ctx, func(tx *store.Tx) error {
		g, err := findGroup(tx, scope, q.Group)
		if err != nil {
			return err
		}
		return tx.Each(query, append([]any{g.id, limit + 1}, args...), func(row store.Row) error {
			var s Stream
			var created, first, last, seq int64
			if err := row.Scan(&s.Name, &created, &first, &last, &seq, &s.StoredBytes); err != nil {
				return err
			}
			s.ARN = GroupARN(scope, q.Group) + ":log-stream:" + s.Name
			s.Created, s.FirstEvent, s.LastEvent, s.LastIngestion = store.Time(created), store.Time(first), store.Time(last), store.Time(seq)
			streams = append(streams, s)
			return nil
		})
	})
	if err != nil {
		return nil, "", err
	}
	if len(streams) > limit {
		streams = streams[:limit]
		last := streams[limit-1]
		next = sealToken(q.tokenKind(), strconv.FormatInt(store.Micros(last.LastEvent), 10)+" "+last.Name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range streams {
		if st := l.streams[streamKey{scope.Account, scope.Region, q.Group, streams[i].Name}]; st != nil {
			streams[i].StoredBytes += int64(st.bufBytes)
		}
	}
	return streams, next, nil
}

func (q StreamsQuery) tokenKind() string {
	kind := "streams-name"
	if q.ByLastEvent {
		kind = "streams-time"
	}
	if q.Descending {
		kind += "-desc"
	}
	return kind
}

// streamsSQL builds the statement for a page. Its first two arguments are the group's id and how many rows to read.
func streamsSQL(q StreamsQuery) (string, []any, error) {
	after, err := openToken(q.Token, q.tokenKind())
	if err != nil {
		return "", nil, err
	}
	order, beyond := "", ">"
	if q.Descending {
		order, beyond = " DESC", "<"
	}
	where, by := "substr(name, 1, length($3)) = $3", "name"+order
	args := []any{q.Prefix}
	if q.ByLastEvent {
		by = "last_event" + order + ", name" + order
	}
	if after != "" {
		ts, name, _ := strings.Cut(after, " ")
		last, err := strconv.ParseInt(ts, 10, 64)
		if err != nil {
			return "", nil, errToken()
		}
		if q.ByLastEvent {
			where += " AND (last_event " + beyond + " $4 OR (last_event = $4 AND name " + beyond + " $5))"
			args = append(args, last, name)
		} else {
			where += " AND name " + beyond + " $4"
			args = append(args, name)
		}
	}
	return `SELECT name, created, first_event, last_event, last_seq, stored_bytes FROM log_streams
		WHERE group_id = $1 AND ` + where + ` ORDER BY ` + by + ` LIMIT $2`, args, nil
}
