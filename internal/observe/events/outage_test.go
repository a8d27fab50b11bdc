package events

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// noLogs is for tests without log groups.
type noLogs struct{}

func (noLogs) CreateStream(context.Context, apprunner.Scope, string, string) error {
	return errors.New("no log groups here")
}

func (noLogs) PutEvents(context.Context, apprunner.Scope, string, string, []observe.Event) (observe.Rejected, error) {
	return observe.Rejected{}, errors.New("no log groups here")
}

// target is a web hook in the process itself, so that its time can be the test's.
type target struct {
	mu      sync.Mutex
	refuses func(n int) bool
	tries   map[int]int
	got     []int
}

func (r *target) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var e struct{ Detail struct{ N int } }
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries[e.Detail.N]++
	if r.refuses(e.Detail.N) {
		return nil, errors.New("connection refused")
	}
	r.got = append(r.got, e.Detail.N)
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: http.NoBody, Header: http.Header{}}, nil
}

// withTarget runs a test in a time of its own, with a bus that has events 0 to n-1 for a target.
func withTarget(t *testing.T, n int, refuses func(int) bool, test func(b *Bus, r *target)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		r := &target{refuses: refuses, tries: map[int]int{}}
		b, err := Open(t.Context(), Config{
			DB: db, Logs: noLogs{}, Endpoints: map[string]Endpoint{topic: {URL: "https://hooks.example.com/"}}, Transport: r,
			Random: func() float64 { return 0.5 }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{Bus: b, t: t, db: db}
		h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
		h.emit("aws.apprunner", 0, n)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if err := b.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		test(b, r)
		cancel()
		group.Wait()
	})
}

// A target that was away for hours gets what waited for it soon after it is back, in the order of the events but for the one that found out.
func TestAfterAnOutage(t *testing.T) {
	down := true
	withTarget(t, 60, func(int) bool { return down }, func(_ *Bus, r *target) {
		time.Sleep(6 * time.Hour)
		r.mu.Lock()
		down = false
		r.mu.Unlock()
		time.Sleep(longestPause + time.Minute)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.got) != 60 {
			t.Fatalf("%d of 60 events: %v", len(r.got), r.got)
		}
		if rest := r.got[1:]; !slices.IsSorted(rest) {
			t.Errorf("%v", r.got)
		}
		tries := 0
		for _, n := range r.tries {
			tries += n
		}
		if tries > 60+60 {
			t.Errorf("%d tries in six hours", tries)
		}
	})
}

// An event that the target cannot take holds the others up for seconds, and is given up after a day.
func TestAnEventThatAlwaysFails(t *testing.T) {
	withTarget(t, 10, func(n int) bool { return n == 3 }, func(b *Bus, r *target) {
		time.Sleep(time.Minute)
		r.mu.Lock()
		if want := []int{0, 1, 2, 4, 5, 6, 7, 8, 9}; !slices.Equal(r.got, want) {
			t.Errorf("%v", r.got)
		}
		r.mu.Unlock()
		time.Sleep(25 * time.Hour)
		s, err := b.Stats(context.Background()) // the test's own belongs to another time
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := r.tries[3]; err != nil || s.GivenUp != 1 || s.Waiting != 0 || n < 150 || n > 186 {
			t.Errorf("%d tries, %+v, %v", n, s, err)
		}
	})
}
