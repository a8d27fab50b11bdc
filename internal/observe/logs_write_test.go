package observe_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
)

func TestPutEvents(t *testing.T) {
	r := open(t)
	ctx := t.Context()
	put := func(events ...observe.Event) (observe.Rejected, error) {
		return r.PutEvents(ctx, scope, "g", "s", events)
	}
	_, err := put(at(0, "x"))
	wantCode(t, err, apprunner.CodeNotFound)
	r.append("g", "other")
	_, err = put(at(0, "x"))
	wantCode(t, err, apprunner.CodeNotFound)
	if err := errors.Join(r.CreateStream(ctx, scope, "g", "s"), r.PutRetention(ctx, scope, "g", 7)); err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for name, batch := range map[string][]observe.Event{
		"empty":      nil,
		"no message": {at(0, "")},
		"unordered":  {at(time.Second, "b"), at(0, "a")},
		"too long":   {at(0, strings.Repeat("x", 256<<10))},
		"span":       {at(-25*time.Hour, "a"), at(0, "b")},
	} {
		if _, err := put(batch...); apprunner.CodeOf(err) != observe.CodeInvalidParameter {
			t.Errorf("%s: %v", name, err)
		}
	}
	big := make([]observe.Event, 5)
	for i := range big {
		big[i] = at(0, strings.Repeat("x", 250<<10))
	}
	_, err = put(big...)
	wantCode(t, err, observe.CodeInvalidParameter)

	for _, c := range []struct {
		name   string
		events []observe.Event
		want   observe.Rejected
	}{
		{"kept", []observe.Event{at(0, "kept")}, observe.Rejected{TooOldEnd: -1, ExpiredEnd: -1, TooNewStart: -1}},
		{"too old", []observe.Event{at(-15*day, "x"), at(-15*day, "y")}, observe.Rejected{TooOldEnd: 2, ExpiredEnd: -1, TooNewStart: -1}},
		{"expired", []observe.Event{at(-7*day-time.Hour, "x"), at(-6*day-12*time.Hour, "kept2")}, observe.Rejected{TooOldEnd: -1, ExpiredEnd: 1, TooNewStart: -1}},
		{"too new", []observe.Event{at(time.Hour, "kept3"), at(3*time.Hour, "x")}, observe.Rejected{TooOldEnd: -1, ExpiredEnd: -1, TooNewStart: 1}},
	} {
		if got, err := put(c.events...); err != nil || got != c.want {
			t.Errorf("%s: %+v %v", c.name, got, err)
		}
	}
	if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s", FromHead: true}).Events); got != "kept2 kept kept3" {
		t.Errorf("kept %q", got)
	}
}

// checklist: 151
func TestRetention(t *testing.T) {
	r := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wantCode(t, r.PutRetention(ctx, scope, "g", 1), apprunner.CodeNotFound)
	r.append("g", "s", at(0, "old"))
	if err := r.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.PutRetention(ctx, scope, "g", 2), observe.CodeInvalidParameter)
	if err := r.PutRetention(ctx, scope, "g", 1); err != nil {
		t.Fatal(err)
	}
	r.clock.add(25 * time.Hour)
	if p := r.get(observe.GetQuery{Group: "g", Stream: "s"}); len(p.Events) != 0 {
		t.Errorf("an expired event is shown")
	}
	cancel()
	segments := func() []string {
		files, err := filepath.Glob(filepath.Join(r.dir, "logs", "segments", "*", "*.seg"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	if len(segments()) != 1 {
		t.Fatalf("segments: %v", segments())
	}
	if err := r.EnforceRetention(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(segments()) != 0 {
		t.Errorf("the expired segment is still there")
	}
	r.append("g", "s", at(25*time.Hour, "new"))
	if err := r.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteRetention(t.Context(), scope, "g"); err != nil {
		t.Fatal(err)
	}
	if got := messages(r.get(observe.GetQuery{Group: "g", Stream: "s"}).Events); got != "new" {
		t.Errorf("got %q", got)
	}
}

func TestFollow(t *testing.T) {
	r := open(t)
	r.append("g", "a", at(0, "before"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got := make(chan string)
	done := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		var once sync.Once
		done <- r.Follow(ctx, scope, observe.FollowQuery{Group: "g", Pattern: "-skip"}, func(e observe.StreamEvent) error {
			once.Do(func() { close(started) })
			if e.Message == "probe" {
				return nil
			}
			select {
			case got <- e.Stream + ":" + e.Message:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	for running := false; !running; { // until the follower has seen a first event it may not have begun
		r.append("g", "a", at(0, "probe"))
		select {
		case <-started:
			running = true
		default:
		}
	}
	for i := range 50 {
		r.append("g", fmt.Sprint("s", i), at(0, "skip this"), at(-time.Duration(i)*time.Second, fmt.Sprint("m", i)))
		if i%10 == 0 { // a slow reader still gets what has left memory
			if err := r.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 50 {
		want := fmt.Sprintf("s%d:m%d", i, i)
		if m := <-got; m != want {
			t.Fatalf("got %s, want %s", m, want)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// checklist: 150
func TestManyStreamsKeepNoFilesOpen(t *testing.T) {
	r := open(t)
	const streams = 2000
	before := openFiles(t)
	var wg sync.WaitGroup
	for w := range 20 {
		wg.Go(func() {
			for i := w; i < streams; i += 20 {
				if err := r.Append(t.Context(), scope, "g", fmt.Sprintf("instance/%04d", i), []observe.Event{at(time.Duration(i)*time.Millisecond, fmt.Sprint(i))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := r.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, _, err := r.Filter(t.Context(), scope, observe.FilterQuery{Group: "g"})
	if err != nil || len(events) != streams {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if after := openFiles(t); after > before+8 {
		t.Errorf("%d files were open before, %d are after", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
