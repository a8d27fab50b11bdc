package alarms

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

// world is alarms over real metrics, at a time that the test sets.
type world struct {
	*Alarms
	t    *testing.T
	db   *store.DB
	data *metrics.Metrics
	now  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, db: db, now: t0.Add(10 * time.Second)}
	now := func() time.Time { return w.now }
	w.must(observe.PrepareEvents(t.Context(), db))
	w.data, err = metrics.Open(t.Context(), metrics.Config{DB: db, Retention: time.Hour, Now: now})
	w.must(err)
	w.Alarms, err = Open(t.Context(), Config{DB: db, Metrics: w.data, Now: now, Log: slog.New(slog.DiscardHandler)})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

var series = metrics.Series{Scope: scope, Namespace: "Shop"}

// put puts a value into the minute that ended minutes ago; 1 is the last complete one.
func (w *world) put(ago int, v float64) {
	w.t.Helper()
	w.must(w.data.Put(context.Background(), []metrics.Entry{{
		Series: series, Minute: w.now.Truncate(time.Minute).Add(-time.Duration(ago) * time.Minute),
		Additions: []metrics.Addition{{Metric: metrics.Metric{Name: "Errors", Unit: "Count"}, Point: metrics.Value(v)}},
	}}))
}

func errorsAlarm(name string) Alarm {
	return Alarm{
		Scope: scope, Name: name, Plain: true, ActionsEnabled: true,
		Queries:   []metrics.Query{{ID: "m1", Stat: &metrics.Stat{Series: series, Metric: "Errors", Period: time.Minute, Statistic: "Sum"}}},
		Condition: Condition{Operator: "GreaterThanThreshold", Threshold: 5, Periods: 2, ToAlarm: 2},
		Actions:   map[State][]string{InAlarm: {"arn:aws:sns:us-east-1:123456789012:pager"}, OK: {"arn:aws:sns:us-east-1:123456789012:calm"}},
	}
}

// events are those in the outbox: the states that they tell of, and where they go.
func (w *world) events() (list []string) {
	w.t.Helper()
	w.must(w.db.View(context.Background(), func(tx *store.Tx) error {
		return tx.Each(`SELECT detail, targets FROM events WHERE source = 'aws.cloudwatch' ORDER BY seq`, nil, func(row store.Row) error {
			var detail, targets string
			if err := row.Scan(&detail, &targets); err != nil {
				return err
			}
			var d struct {
				AlarmName            string
				State, PreviousState struct{ Value, Reason string }
			}
			if err := json.Unmarshal([]byte(detail), &d); err != nil {
				return err
			}
			list = append(list, fmt.Sprintf("%s %s->%s %s", d.AlarmName, d.PreviousState.Value, d.State.Value, targets[strings.LastIndex(targets, ":")+1:]))
			return nil
		})
	}))
	return list
}

// An alarm goes through its states as values come and go, and each change is told once, to the actions of the new state.
//
// checklist: 158
func TestAlarmThroughItsStates(t *testing.T) {
	w := newWorld(t)
	w.must(w.Put(t.Context(), errorsAlarm("errors")))
	steps := []struct {
		values []float64 // of the minutes before
		want   State
	}{{nil, Insufficient}, {[]float64{9}, Insufficient}, {[]float64{9}, InAlarm}, {[]float64{9}, InAlarm}, {[]float64{1}, OK}, {nil, OK}}
	for i, step := range steps {
		for _, v := range step.values {
			w.put(1, v)
		}
		w.must(w.Evaluate(t.Context()))
		w.must(w.Evaluate(t.Context())) // as often as one likes
		a, err := w.Get(t.Context(), scope, "errors")
		w.must(err)
		if a.State != step.want {
			t.Errorf("step %d: %s (%s), want %s", i, a.State, a.Reason, step.want)
		}
		w.now = w.now.Add(time.Minute)
	}
	if got := w.events(); !slices.Equal(got, []string{"errors INSUFFICIENT_DATA->ALARM pager", "errors ALARM->OK calm"}) {
		t.Errorf("%q", got)
	}
	history, err := w.History(t.Context(), scope, HistoryFilter{Alarm: "errors"})
	w.must(err)
	var got []string
	for _, h := range history {
		got = append(got, h.Kind+" "+h.Summary)
	}
	want := []string{
		`ConfigurationUpdate Alarm "errors" created`, "StateUpdate Alarm updated from INSUFFICIENT_DATA to ALARM",
		"Action Sent the change of state to arn:aws:sns:us-east-1:123456789012:pager", "StateUpdate Alarm updated from ALARM to OK",
		"Action Sent the change of state to arn:aws:sns:us-east-1:123456789012:calm",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// What goes on in the running minute decides nothing.
func TestRunningMinute(t *testing.T) {
	w := newWorld(t)
	a := errorsAlarm("errors")
	a.Periods, a.ToAlarm = 1, 1
	w.must(w.Put(t.Context(), a))
	w.put(0, 9)
	w.must(w.Evaluate(t.Context()))
	if got := w.events(); len(got) > 0 {
		t.Errorf("%q", got)
	}
	w.now = w.now.Add(time.Minute)
	w.must(w.Evaluate(t.Context()))
	if got := w.events(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// An alarm that is made while its metric breaches alarms without waiting for another minute; Run does it by itself.
func TestNewAlarmIsLookedAt(t *testing.T) {
	w := newWorld(t)
	w.put(1, 9)
	w.put(2, 9)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	w.must(w.Put(t.Context(), errorsAlarm("errors")))
	for end := time.Now().Add(20 * time.Second); len(w.events()) == 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	cancel()
	w.must(<-done)
	if got := w.events(); !slices.Equal(got, []string{"errors INSUFFICIENT_DATA->ALARM pager"}) {
		t.Errorf("%q", got)
	}
}

func TestSetState(t *testing.T) {
	w := newWorld(t)
	w.must(w.Put(t.Context(), errorsAlarm("a")))
	w.must(w.Enable(t.Context(), scope, []string{"a", "not there"}, false))
	w.must(w.SetState(t.Context(), scope, "a", InAlarm, "a test", `{"by":"hand"}`))
	w.must(w.Enable(t.Context(), scope, []string{"a"}, true))
	w.must(w.SetState(t.Context(), scope, "a", OK, "a test", ""))
	w.must(w.SetState(t.Context(), scope, "a", OK, "the same state", ""))
	if got := w.events(); !slices.Equal(got, []string{"a INSUFFICIENT_DATA->ALARM ", "a ALARM->OK calm"}) {
		t.Errorf("without actions the bus hears of it all the same: %q", got)
	}
	w.must(w.Put(t.Context(), errorsAlarm("a")))
	if a, err := w.Get(t.Context(), scope, "a"); err != nil || a.State != OK || a.Reason != "the same state" {
		t.Errorf("other settings keep the state: %+v, %v", a, err)
	}
	if err := w.SetState(t.Context(), scope, "a", OK, "x", "{"); apprunner.CodeOf(err) != CodeInvalidFormat {
		t.Error(err)
	}
	if err := w.SetState(t.Context(), scope, "b", OK, "x", ""); apprunner.CodeOf(err) != CodeNotFound {
		t.Error(err)
	}
	if err := w.Delete(t.Context(), scope, []string{"a", "b"}); apprunner.CodeOf(err) != CodeNotFound {
		t.Error(err)
	}
	if list, err := w.List(t.Context(), scope); err != nil || len(list) != 1 {
		t.Errorf("all or none are deleted: %v, %v", list, err)
	}
	w.must(w.Delete(t.Context(), scope, []string{"a", "a"}))
}

// An alarm may watch metric math.
func TestAlarmOnExpression(t *testing.T) {
	w := newWorld(t)
	a := errorsAlarm("rate")
	a.Plain = false
	a.Queries[0].Hidden = true
	a.Queries = append(a.Queries, metrics.Query{ID: "twice", Expression: "FILL(m1, 0) * 2"})
	w.must(w.Put(t.Context(), a))
	w.put(1, 3)
	w.put(2, 3)
	w.must(w.Evaluate(t.Context()))
	if got := w.events(); len(got) != 1 || a.Period() != time.Minute {
		t.Errorf("%q, %v", got, a.Period())
	}
}

func TestWrongAlarms(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Alarm){
		"no such operator":       func(a *Alarm) { a.Operator = "GreaterThanUpperThreshold" },
		"no periods":             func(a *Alarm) { a.Periods = 0 },
		"too many to alarm":      func(a *Alarm) { a.ToAlarm = 3 },
		"too long":               func(a *Alarm) { a.Periods = 10081; a.ToAlarm = 1 },
		"no such treatment":      func(a *Alarm) { a.TreatMissing = "guess" },
		"an action that is none": func(a *Alarm) { a.Actions = map[State][]string{OK: {"https://example.com"}} },
		"an action with a space": func(a *Alarm) { a.Actions = map[State][]string{OK: {"arn:aws:sns:us-east-1:1:a b"}} },
		"two that return data":   func(a *Alarm) { a.Queries = append(a.Queries, metrics.Query{ID: "e", Expression: "m1"}) },
		"a number": func(a *Alarm) {
			a.Queries[0].Hidden = true
			a.Queries = append(a.Queries, metrics.Query{ID: "e", Expression: "SUM(m1)"})
		},
	} {
		a := errorsAlarm("wrong")
		change(&a)
		if err := w.Put(t.Context(), a); err == nil || apprunner.CodeOf(err) == apprunner.CodeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}
