package events

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestPausesGrow(t *testing.T) {
	if a, b := pauseAfter(1, 0), pauseAfter(1, 0.999); a != time.Second || b > 501*time.Millisecond || b < 500*time.Millisecond {
		t.Errorf("the first pause is %s to %s", b, a)
	}
	var whole time.Duration
	tries := 0
	for last := time.Duration(0); whole < 24*time.Hour; tries++ {
		p := pauseAfter(tries+1, 0.5)
		if p < last || p > longestPause {
			t.Fatalf("pause %d is %s after %s", tries+1, p, last)
		}
		last, whole = p, whole+p
	}
	if tries < 150 || tries > 220 {
		t.Errorf("%d tries in a day; EventBridge makes 185", tries)
	}
	if p := pauseAfter(1_000_000, 0); p != longestPause {
		t.Errorf("after a million failures %s", p)
	}
}

func TestNextTry(t *testing.T) {
	zero, five := 0, 5
	busy := failure{err: errors.New("busy"), after: 3 * time.Minute}
	for name, c := range map[string]struct {
		target   Target
		attempts int
		why      error
		after    time.Duration // since the event came
		want     time.Duration // from then on; 0: given up
	}{
		"at first":                  {Target{}, 1, errors.New("x"), 0, time.Second},
		"later":                     {Target{}, 3, errors.New("x"), time.Minute, 4 * time.Second},
		"as the target asks":        {Target{}, 1, busy, 0, 3 * time.Minute},
		"refused for good":          {Target{}, 1, failure{err: errors.New("x"), final: true}, 0, 0},
		"no tries":                  {Target{Tries: &zero}, 1, errors.New("x"), 0, 0},
		"the last try":              {Target{Tries: &five}, 5, errors.New("x"), 0, 16 * time.Second},
		"after the last try":        {Target{Tries: &five}, 6, errors.New("x"), 0, 0},
		"all 185":                   {Target{}, 186, errors.New("x"), 0, 0},
		"a day later":               {Target{}, 2, errors.New("x"), 24 * time.Hour, 0},
		"at the end of its time":    {Target{MaxAge: 60}, 8, errors.New("x"), 50 * time.Second, 10 * time.Second},
		"past the end of its time":  {Target{MaxAge: 60}, 2, errors.New("x"), 60 * time.Second, 0},
		"asked for too long a wait": {Target{}, 1, failure{err: errors.New("x"), after: 5 * time.Hour}, 0, longestPause},
	} {
		now := t0.Add(c.after)
		next := nextTry(c.target, t0, c.attempts, c.why, now, 0)
		if got := next.Sub(now); c.want == 0 != next.IsZero() || c.want != 0 && got != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got, next, c.want)
		}
	}
}

func TestWhatIsTriedNext(t *testing.T) {
	const lastTried = 3
	due, later, muchLater := t0.Add(-time.Second), t0.Add(time.Second), t0.Add(time.Minute)
	for name, c := range map[string]struct {
		w     waiting
		rest  time.Time
		seq   int64
		again time.Time
	}{
		"nothing":                                {waiting{}, time.Time{}, 0, time.Time{}},
		"the oldest":                             {waiting{head: item{5, due}}, time.Time{}, 5, t0},
		"the target is left alone":               {waiting{head: item{5, due}}, later, 0, later},
		"the oldest holds the others":            {waiting{head: item{5, later}}, time.Time{}, 0, later},
		"one put aside is due":                   {waiting{head: item{5, later}, aside: item{2, due}}, time.Time{}, 2, t0},
		"both are due":                           {waiting{head: item{5, due}, aside: item{2, due}}, time.Time{}, 2, t0},
		"one put aside is not due":               {waiting{head: item{5, due}, aside: item{2, later}}, time.Time{}, 5, t0},
		"nothing is due, that aside comes first": {waiting{head: item{5, muchLater}, aside: item{2, later}}, time.Time{}, 0, later},
		"nothing is due, the oldest comes first": {waiting{head: item{5, later}, aside: item{2, muchLater}}, time.Time{}, 0, later},
		"only one aside":                         {waiting{aside: item{2, later}}, time.Time{}, 0, later},
		"one put aside that has just failed":     {waiting{head: item{5, due}, aside: item{lastTried, due}}, time.Time{}, 5, t0},
		"only one that has just failed":          {waiting{aside: item{lastTried, due}}, time.Time{}, lastTried, t0},
	} {
		if seq, again := choose(c.w, c.rest, t0, lastTried); seq != c.seq || !again.Equal(c.again) {
			t.Errorf("%s: %d, %s", name, seq, again)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, t0.Add(time.Minute).Format(http.TimeFormat): time.Minute} {
		if got := retryAfter(text, t0); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestAddressesOfWebHooks(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://hooks.example.com/x?a=b": true, "https://u:p@10.0.0.1/": true, "http://127.0.0.1:9/": true, "http://[::1]/": true, "http://localhost/": true,
		"http://example.com/": false, "http://localhost.example.com/": false, "ftp://localhost/": false, "/x": false, "https://": false, "https://a/#b": false,
	} {
		if err := (Endpoint{URL: url}).Check(); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := (Endpoint{URL: "http://example.com/", Plain: true}).Check(); err != nil {
		t.Error(err)
	}
}
