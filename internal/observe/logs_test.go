package observe_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a log store in a folder that can be closed and opened again.
type rig struct {
	*observe.Logs
	t     testing.TB
	dir   string
	db    *store.DB
	clock *clock
}

func open(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), clock: &clock{at: t0}}
	r.start()
	t.Cleanup(func() { r.Close(); r.db.Close() })
	return r
}

func (r *rig) start() {
	r.t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(r.dir, "slipway.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	logs, err := observe.Open(context.Background(), observe.Config{Dir: filepath.Join(r.dir, "logs"), DB: db, Now: r.clock.now})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db, r.Logs = db, logs
}

// abandon leaves everything as a killed process does.
func (r *rig) abandon() {
	r.t.Helper()
	if err := r.db.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) append(group, stream string, events ...observe.Event) {
	r.t.Helper()
	if err := r.Append(r.t.Context(), scope, group, stream, events); err != nil {
		r.t.Fatal(err)
	}
}

func at(offset time.Duration, message string) observe.Event {
	return observe.Event{Time: t0.Add(offset), Message: message}
}

func (r *rig) get(q observe.GetQuery) observe.GetPage {
	r.t.Helper()
	p, err := r.GetEvents(r.t.Context(), scope, q)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func messages(events []observe.Event) string {
	var out []string
	for _, e := range events {
		out = append(out, e.Message)
	}
	return strings.Join(out, " ")
}

func (r *rig) filter(q observe.FilterQuery) (string, string) {
	r.t.Helper()
	events, next, err := r.Filter(r.t.Context(), scope, q)
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, e.Stream+":"+e.Message)
	}
	return strings.Join(out, " "), next
}

func wantCode(t testing.TB, err error, code apprunner.Code) {
	t.Helper()
	if err == nil || apprunner.CodeOf(err) != code {
		t.Fatalf("error %v, want code %s", err, code)
	}
}

// each runs a test with the events in memory, in segments, and read back after a kill.
func each(t *testing.T, test func(t *testing.T, r *rig, settle func())) {
	t.Run("in memory", func(t *testing.T) { test(t, open(t), func() {}) })
	t.Run("in segments", func(t *testing.T) {
		r := open(t)
		test(t, r, func() {
			if err := r.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("after a kill", func(t *testing.T) {
		r := open(t)
		test(t, r, func() { r.abandon(); r.start() })
	})
	t.Run("after a restart", func(t *testing.T) {
		r := open(t)
		test(t, r, func() {
			if err := errors.Join(r.Close(), r.db.Close()); err != nil {
				t.Fatal(err)
			}
			r.start()
		})
	})
}

// checklist: 151
func TestEventsComeOutInOrderOfTime(t *testing.T) {
	each(t, func(t *testing.T, r *rig, settle func()) {
		r.append("g", "s", at(2*time.Second, "c"), at(time.Second, "b"))
		settle()
		r.append("g", "s", at(0, "a"), at(time.Second, "b2"), at(3*time.Second, "d"))
		settle()
		if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s", FromHead: true}).Events); got != "a b b2 c d" {
			t.Errorf("got %q", got)
		}
		r.append("g", "s", at(4*time.Second, "e"))
		if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s", Limit: 2}).Events); got != "d e" {
			t.Errorf("the newest two are %q", got)
		}
		if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s", Start: t0.Add(time.Second), End: t0.Add(3 * time.Second)}).Events); got != "b b2 c" {
			t.Errorf("the range holds %q", got)
		}
	})
}

// checklist: 151
func TestPagingReachesEveryEventOnceInBothDirections(t *testing.T) {
	each(t, func(t *testing.T, r *rig, settle func()) {
		var want []string
		for i := range 95 {
			m := fmt.Sprintf("m%03d", i)
			want = append(want, m)
			r.append("g", "s", at(time.Duration(i/3)*time.Millisecond, m))
			if i%20 == 19 {
				settle()
			}
		}
		var got []string
		q := observe.GetQuery{Group: "g", Stream: "s", FromHead: true, Limit: 10}
		for {
			p := r.get(q)
			if len(p.Events) == 0 {
				if p.Forward != q.Token {
					t.Errorf("the token at the end changes from %s to %s", q.Token, p.Forward)
				}
				break
			}
			got = append(got, messages(p.Events))
			q.Token = p.Forward
		}
		if g := strings.Join(got, " "); g != strings.Join(want, " ") {
			t.Errorf("forward: got %s", g)
		}
		r.append("g", "s", at(time.Hour, "late"))
		p := r.get(q)
		if messages(p.Events) != "late" {
			t.Errorf("the end's token does not find a later event: %q", messages(p.Events))
		}
		got = nil
		q = observe.GetQuery{Group: "g", Stream: "s", Limit: 10}
		for {
			p := r.get(q)
			if len(p.Events) == 0 {
				if p.Backward != q.Token {
					t.Errorf("the token at the head changes")
				}
				back := r.get(observe.GetQuery{Group: "g", Stream: "s", Limit: 2, Token: p.Forward})
				if messages(back.Events) != "m000 m001" {
					t.Errorf("turning at the head finds %q", messages(back.Events))
				}
				break
			}
			got = append([]string{messages(p.Events)}, got...)
			q.Token = p.Backward
		}
		if g := strings.Join(got, " "); g != strings.Join(append(want, "late"), " ") {
			t.Errorf("backward: got %s", g)
		}
	})
}

// checklist: 151
func TestFilterInterleavesStreamsByTime(t *testing.T) {
	each(t, func(t *testing.T, r *rig, settle func()) {
		r.append("g", "instance/a", at(1*time.Second, "ERROR one"), at(4*time.Second, "ok"), at(5*time.Second, "ERROR five"))
		r.append("g", "instance/b", at(2*time.Second, "ERROR two"), at(3*time.Second, "ERROR three"))
		r.append("g", "events", at(2*time.Second, "ERROR event"))
		settle()
		got, _ := r.filter(observe.FilterQuery{Group: "g", Prefix: "instance/", Pattern: "ERROR"})
		if got != "instance/a:ERROR one instance/b:ERROR two instance/b:ERROR three instance/a:ERROR five" {
			t.Errorf("got %s", got)
		}
		got, _ = r.filter(observe.FilterQuery{Group: "g", Streams: []string{"events", "instance/a"}, Start: t0.Add(2 * time.Second), End: t0.Add(4 * time.Second)})
		if got != "events:ERROR event instance/a:ok" {
			t.Errorf("got %s", got)
		}
		var all []string
		q := observe.FilterQuery{Group: "g", Limit: 1}
		for {
			page, next := r.filter(q)
			all = append(all, page)
			if next == "" {
				break
			}
			q.Token = next
			r.append("g", "events", at(0, "earlier")) // stable: what is added behind the reader does not move it
		}
		if got := strings.Join(all, " "); got != "instance/a:ERROR one instance/b:ERROR two events:ERROR event instance/b:ERROR three instance/a:ok instance/a:ERROR five" {
			t.Errorf("pages: %s", got)
		}
	})
}

func TestAllStreamsAndAllPagesAgainstAModel(t *testing.T) {
	each(t, func(t *testing.T, r *rig, settle func()) {
		rnd := rand.New(rand.NewPCG(1, 2))
		total := 0
		for round := range 6 {
			for s := range 5 {
				var events []observe.Event
				for i := range rnd.IntN(400) {
					events = append(events, at(time.Duration(rnd.IntN(1000))*time.Millisecond, fmt.Sprintf("%d-%d-%d %s", round, s, i, strings.Repeat("x", rnd.IntN(3000)))))
				}
				total += len(events)
				r.append("g", fmt.Sprint("s", s), events...)
			}
			settle()
		}
		seen := map[string]bool{}
		last := ""
		q := observe.FilterQuery{Group: "g", Limit: 500}
		for {
			events, next, err := r.Filter(t.Context(), scope, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if seen[e.ID] || e.ID <= last {
					t.Fatalf("event %s twice or out of order", e.ID)
				}
				seen[e.ID], last = true, e.ID
			}
			if next == "" {
				break
			}
			q.Token = next
		}
		if len(seen) != total {
			t.Errorf("found %d of %d events", len(seen), total)
		}
	})
}

func TestLongLineIsSplit(t *testing.T) {
	r := open(t)
	long := strings.Repeat("ü", observe.MaxEventBytes)
	r.append("g", "s", at(0, long))
	p := r.get(observe.GetQuery{Group: "g", Stream: "s", FromHead: true})
	joined := ""
	for _, e := range p.Events {
		if len(e.Message) > observe.MaxEventBytes {
			t.Errorf("an event has %d bytes", len(e.Message))
		}
		joined += e.Message
	}
	if joined != long {
		t.Errorf("the parts have %d bytes of %d", len(joined), len(long))
	}
	r.append("g", "binary", at(0, "a\xffb"))
	if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "binary"}).Events); got != "a\uFFFDb" {
		t.Errorf("got %q", got)
	}
}

func TestGroups(t *testing.T) {
	r := open(t)
	ctx := t.Context()
	for _, name := range []string{"/aws/apprunner/b", "/aws/apprunner/a", "other"} {
		if err := r.CreateGroup(ctx, scope, name); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, r.CreateGroup(ctx, scope, "other"), observe.CodeAlreadyExists)
	wantCode(t, r.CreateGroup(ctx, scope, "no spaces"), observe.CodeInvalidParameter)
	groups, next, err := r.DescribeGroups(ctx, scope, observe.GroupsQuery{Prefix: "/aws/", Limit: 1})
	if err != nil || len(groups) != 1 || groups[0].Name != "/aws/apprunner/a" || next == "" {
		t.Fatalf("first page: %v %q %v", groups, next, err)
	}
	groups, next, err = r.DescribeGroups(ctx, scope, observe.GroupsQuery{Prefix: "/aws/", Limit: 1, Token: next})
	if err != nil || len(groups) != 1 || groups[0].Name != "/aws/apprunner/b" || next != "" {
		t.Fatalf("second page: %v %q %v", groups, next, err)
	}
	groups, _, err = r.DescribeGroups(ctx, scope, observe.GroupsQuery{Pattern: "RUNNER/B"})
	if err != nil || len(groups) != 1 || groups[0].ARN != "arn:aws:logs:us-east-1:123456789012:log-group:/aws/apprunner/b:*" {
		t.Fatalf("pattern: %v %v", groups, err)
	}
	groups, _, err = r.DescribeGroups(ctx, apprunner.Scope{Account: "999999999999", Region: "us-east-1"}, observe.GroupsQuery{})
	if err != nil || len(groups) != 0 {
		t.Fatalf("another account sees %v %v", groups, err)
	}
	_, _, err = r.DescribeGroups(ctx, scope, observe.GroupsQuery{Token: "nonsense"})
	wantCode(t, err, observe.CodeInvalidParameter)
	if err := r.DeleteGroup(ctx, scope, "other"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.DeleteGroup(ctx, scope, "other"), apprunner.CodeNotFound)
	_, err = r.GetEvents(ctx, scope, observe.GetQuery{Group: "other", Stream: "s"})
	wantCode(t, err, apprunner.CodeNotFound)
}

func TestStreams(t *testing.T) {
	each(t, func(t *testing.T, r *rig, settle func()) {
		ctx := t.Context()
		r.append("g", "instance/a", at(3*time.Second, "xyz"))
		r.append("g", "instance/b", at(time.Second, "x"), at(2*time.Second, "y"))
		wantCode(t, r.CreateStream(ctx, scope, "g", "instance/a"), observe.CodeAlreadyExists)
		wantCode(t, r.CreateStream(ctx, scope, "missing", "s"), apprunner.CodeNotFound)
		if err := r.CreateStream(ctx, scope, "g", "empty"); err != nil {
			t.Fatal(err)
		}
		settle()
		var names []string
		q := observe.StreamsQuery{Group: "g", ByLastEvent: true, Descending: true, Limit: 1}
		for {
			streams, next, err := r.DescribeStreams(ctx, scope, q)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, streams[0].Name)
			if q.Token = next; next == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != "instance/a instance/b empty" {
			t.Errorf("by last event: %s", got)
		}
		streams, _, err := r.DescribeStreams(ctx, scope, observe.StreamsQuery{Group: "g", Prefix: "instance/"})
		if err != nil || len(streams) != 2 {
			t.Fatalf("%v %v", streams, err)
		}
		b := streams[1]
		if !b.FirstEvent.Equal(t0.Add(time.Second)) || !b.LastEvent.Equal(t0.Add(2*time.Second)) || b.LastIngestion.IsZero() || b.StoredBytes != 2*27 {
			t.Errorf("got %+v", b)
		}
		groups, _, err := r.DescribeGroups(ctx, scope, observe.GroupsQuery{})
		if err != nil || groups[0].StoredBytes != 2*27+29 {
			t.Errorf("the group stores %d bytes, %v", groups[0].StoredBytes, err)
		}
		_, _, err = r.DescribeStreams(ctx, scope, observe.StreamsQuery{Group: "g", Prefix: "i", ByLastEvent: true})
		wantCode(t, err, observe.CodeInvalidParameter)
	})
}

func TestDeletedStreamIsMadeAgainEmpty(t *testing.T) {
	each(t, func(t *testing.T, r *rig, settle func()) {
		r.append("g", "s", at(0, "old"))
		settle()
		r.append("g", "s", at(0, "old too"))
		if err := r.DeleteStream(t.Context(), scope, "g", "s"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, r.DeleteStream(t.Context(), scope, "g", "s"), apprunner.CodeNotFound)
		settle()
		_, err := r.GetEvents(t.Context(), scope, observe.GetQuery{Group: "g", Stream: "s"})
		wantCode(t, err, apprunner.CodeNotFound)
		r.append("g", "s", at(0, "new"))
		settle()
		if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s"}).Events); got != "new" {
			t.Errorf("got %q", got)
		}
		if err := r.DeleteGroup(t.Context(), scope, "g"); err != nil {
			t.Fatal(err)
		}
		settle()
		r.append("g", "s", at(0, "newest"))
		if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s"}).Events); got != "newest" {
			t.Errorf("got %q", got)
		}
	})
}
