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

// GetQuery asks for events of one stream. Without a token the newest events in the range are returned, or the oldest ones
// FromHead.
type GetQuery struct {
	Group, Stream string
	Start         time.Time // inclusive, to the millisecond; zero: no bound
	End           time.Time // exclusive; zero: no bound
	Limit         int       // 1 to 10,000; 0 means 10,000; a page also ends at 1 MiB
	FromHead      bool
	Token         string // Forward or Backward of an earlier page
}

// GetPage is a page of a stream, oldest event first. When there is nothing more in a direction, that direction's token is
// the one that was given.
type GetPage struct {
	Events            []Event
	Forward, Backward string
}

// GetEvents reads a stream.
func (l *Logs) GetEvents(ctx context.Context, scope apprunner.Scope, q GetQuery) (GetPage, error) {
	s := search{start: startMicros(q.Start), end: math.MaxInt64, backward: !q.FromHead}
	if !q.End.IsZero() {
		s.end = q.End.UnixMilli() * 1000
	}
	var err error
	if s.limit, err = eventLimit(q.Limit); err != nil {
		return GetPage{}, err
	}
	if q.Token != "" {
		if s.from, s.backward, err = parseGetToken(q.Token); err != nil {
			return GetPage{}, err
		}
	}
	v, oldest, err := l.streamView(ctx, scope, q.Group, q.Stream)
	if err != nil {
		return GetPage{}, err
	}
	s.start = max(s.start, oldest)
	p, err := l.collect(ctx, []view{v}, s)
	if err != nil {
		return GetPage{}, err
	}
	return getPage(p, s), nil
}

func startMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMilli()*1000, 0)
}

func eventLimit(n int) (int, error) {
	if n < 0 || n > maxPageEvents {
		return 0, invalidf("limit is %d; allowed are 1 to %d", n, maxPageEvents)
	}
	if n == 0 {
		return maxPageEvents, nil
	}
	return n, nil
}

// parseGetToken reads "f/<position>/s" and "b/<position>/s".
func parseGetToken(token string) (from *position, backward bool, err error) {
	dir, rest, _ := strings.Cut(token, "/")
	p, err := parsePosition(strings.TrimSuffix(rest, "/s"))
	if err != nil || (dir != "f" && dir != "b") {
		return nil, false, errToken()
	}
	return &p, dir == "b", nil
}

func getToken(dir string, p position) string { return dir + "/" + p.String() + "/s" }

// getPage puts the events in order of time and makes both tokens. A page without events has the tokens that were given, and beside
// it one that finds the events on the other side.
func getPage(p page, s search) GetPage {
	front, back := position{ts: s.start}, position{ts: s.start}
	if s.from != nil {
		front, back = *s.from, *s.from
	}
	if s.backward && s.from != nil {
		front.seq--
	} else if s.from != nil {
		back.seq++
	}
	if s.backward {
		slices.Reverse(p.hits)
	}
	if n := len(p.hits); n > 0 {
		front = position{p.hits[n-1].ts, p.hits[n-1].seq}
		back = position{p.hits[0].ts, p.hits[0].seq}
	}
	if p.more && s.backward {
		back = p.next
	} else if p.more {
		front = p.next
	}
	out := GetPage{Forward: getToken("f", front), Backward: getToken("b", back)}
	for _, h := range p.hits {
		out.Events = append(out.Events, h.event())
	}
	return out
}

func (h hit) event() Event {
	return Event{Time: store.Time(h.ts), Message: h.msg, Ingested: store.Time(h.seq), ID: eventID(h.view.id, h.entry)}
}

// streamView is what can be read of a stream, and the time before which its events have expired.
func (l *Logs) streamView(ctx context.Context, scope apprunner.Scope, group, name string) (view, int64, error) {
	g, err := l.group(ctx, scope, group)
	if err != nil {
		return view{}, 0, err
	}
	oldest := g.oldest(l.now())
	active := l.views(keyOf(scope, group), func(n string) bool { return n == name })
	if v, ok := active[name]; ok {
		return v, oldest, nil
	}
	def, _, found, err := l.lookup(ctx, streamKey{scope.Account, scope.Region, group, name})
	if err == nil && !found {
		err = noStream(group, name)
	}
	return view{id: def.id, name: name, flushedSeq: math.MaxInt64}, oldest, err
}

// Tail returns the newest lines of a stream, oldest first.
func (l *Logs) Tail(ctx context.Context, scope apprunner.Scope, group, stream string, lines int) ([]Event, error) {
	p, err := l.GetEvents(ctx, scope, GetQuery{Group: group, Stream: stream, Limit: lines})
	return p.Events, err
}
