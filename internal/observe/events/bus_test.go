package events

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// receiver is a web hook that notes what it gets.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []received
	with func(n int, r received) int // the status it answers the n-th request with, from 0
}

type received struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T, with func(int, received) int) *receiver {
	t.Helper()
	r := &receiver{with: with}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		one := received{req.Header, string(body)}
		r.mu.Lock()
		n := len(r.got)
		r.got = append(r.got, one)
		r.mu.Unlock()
		status := http.StatusNoContent
		if r.with != nil {
			status = r.with(n, one)
		}
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// numbers are the numbers n in the details of what came, in order.
func (r *receiver) numbers(t *testing.T) (list []int) {
	t.Helper()
	for _, one := range r.all() {
		var e struct{ Detail struct{ N int } }
		if err := json.Unmarshal([]byte(one.body), &e); err != nil {
			t.Fatalf("%s: %v", one.body, err)
		}
		list = append(list, e.Detail.N)
	}
	return list
}

// eventually waits for a while until something holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}

// house is a database with a bus over it.
type house struct {
	*Bus
	t    *testing.T
	db   *store.DB
	logs *observe.Logs
	text *lockedBuffer
	conf Config
	stop func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	topic  = "arn:aws:sns:us-east-1:123456789012:topic"
	lambda = "arn:aws:lambda:us-east-1:123456789012:function:f"
	other  = "arn:aws:batch:us-east-1:123456789012:job-queue/q"
)

// newHouse has web hooks for topic and lambda.
func newHouse(t *testing.T, urls ...string) *house {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := observe.Open(t.Context(), observe.Config{Dir: t.TempDir(), DB: db})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, logs: logs, text: &lockedBuffer{}, stop: func() {}}
	t.Cleanup(func() { h.stop(); logs.Close(); db.Close() })
	endpoints := map[string]Endpoint{}
	for i, u := range urls {
		endpoints[[]string{topic, lambda}[i]] = Endpoint{URL: u, Secret: []byte("whsec_" + base64.StdEncoding.EncodeToString([]byte("secret")))}
	}
	h.conf = Config{
		DB: db, Logs: logs, Endpoints: endpoints, Random: func() float64 { return 0.999 }, Now: time.Now, Log: slog.New(slog.NewTextHandler(h.text, nil)),
		Managed: func(_ *store.Tx, sc apprunner.Scope) ([]Rule, error) {
			return []Rule{{Scope: sc, Name: ManagedPrefix + "-x", Pattern: `{"source":["aws.ecr"]}`, Enabled: true, ManagedBy: "apprunner.amazonaws.com"}}, nil
		},
	}
	h.restart()
	return h
}

// restart begins with another bus over the same database.
func (h *house) restart() {
	h.t.Helper()
	h.stop()
	bus, err := Open(h.t.Context(), h.conf)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Bus = bus
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := bus.Run(ctx); err != nil {
			h.t.Error(err)
		}
	}()
	h.stop = func() { cancel(); <-done }
}

func (h *house) rule(name, pattern string, targets ...Target) {
	h.t.Helper()
	if err := h.PutRule(h.t.Context(), Rule{Scope: scope, Name: name, Pattern: pattern, Enabled: true}); err != nil {
		h.t.Fatal(err)
	}
	if err := h.PutTargets(h.t.Context(), scope, name, targets); err != nil {
		h.t.Fatal(err)
	}
}

// emit puts events with the numbers from up to to on the bus, each in a transaction of its own.
func (h *house) emit(source string, from, to int) {
	h.t.Helper()
	for n := from; n < to; n++ {
		e := observe.BusEvent{Scope: scope, Time: t0, Source: source, DetailType: "T", Detail: map[string]any{"N": n}}
		if err := h.db.Update(h.t.Context(), func(tx *store.Tx) error { return observe.EmitEvent(tx, e) }); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) stats() Stats {
	h.t.Helper()
	s, err := h.Stats(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// outbox counts the events that are kept.
func (h *house) outbox() (n int) {
	h.t.Helper()
	err := h.db.View(h.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Get(`SELECT count(*) FROM events`, nil, &n)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// checklist: 164
func TestMatchingEventsAndNoOthersArriveInOrder(t *testing.T) {
	hook := newReceiver(t, nil)
	h := newHouse(t, hook.URL)
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	for n := range 100 {
		h.emit("aws.other", 1000+n, 1001+n)
		h.emit("aws.apprunner", n, n+1)
	}
	eventually(t, "100 deliveries", func() bool { return h.stats().Delivered == 100 && h.stats().Waiting == 0 })
	if got := hook.numbers(t); !slices.Equal(got, upTo(100)) {
		t.Errorf("%v", got)
	}
	eventually(t, "the outbox is trimmed", func() bool { return h.outbox() == 1 })
	one := hook.all()[0]
	mac := hmac.New(sha256.New, []byte("secret"))
	fmt.Fprintf(mac, "%s.%s.%s", one.header.Get("Webhook-Id"), one.header.Get("Webhook-Timestamp"), one.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); one.header.Get("Webhook-Signature") != want || one.header.Get("Slipway-Rule") != RuleARN(scope, "r") {
		t.Errorf("%v", one.header)
	}
	if !strings.HasPrefix(one.body, `{"version":"0","id":"`) || !strings.HasSuffix(one.body, `"detail-type":"T","source":"aws.apprunner","account":"123456789012","time":"2026-03-01T12:00:00Z","region":"us-east-1","resources":[],"detail":{"N":0}}`) {
		t.Error(one.body)
	}
}

// Every event arrives although the process ends all the time; none is overtaken by a later one at its first arrival.
func TestNothingIsLostWhenTheProcessEnds(t *testing.T) {
	hook := newReceiver(t, func(n int, _ received) int {
		time.Sleep(time.Millisecond)
		return http.StatusOK
	})
	h := newHouse(t, hook.URL)
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	for n := 0; n < 200; n += 10 {
		h.emit("aws.apprunner", n, n+10)
		h.restart()
	}
	eventually(t, "all deliveries", func() bool { return len(hook.all()) >= 200 && h.stats().Waiting == 0 })
	seen := map[int]bool{}
	var first []int
	for _, n := range hook.numbers(t) {
		if !seen[n] {
			first = append(first, n)
		}
		seen[n] = true
	}
	if !slices.Equal(first, upTo(200)) {
		t.Errorf("%v", first)
	}
}

func TestASlowTargetHoldsNoOther(t *testing.T) {
	over := make(chan struct{})
	slow := newReceiver(t, func(int, received) int { <-over; return http.StatusOK })
	quick := newReceiver(t, nil)
	h := newHouse(t, slow.URL, quick.URL)
	t.Cleanup(func() { close(over) })
	for n := range 20 { // more queues for the slow one than may be under way to it
		h.rule(fmt.Sprint("slow", n), `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	}
	h.rule("quick", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: lambda})
	h.emit("aws.apprunner", 0, 20)
	eventually(t, "the quick target has all", func() bool { return len(quick.all()) == 20 })
	if n := len(slow.all()); n > hookAtOnce {
		t.Errorf("%d requests to one web hook at once", n)
	}
}

func TestAFailureIsTriedAgainInOrder(t *testing.T) {
	hook := newReceiver(t, func(n int, _ received) int {
		if n < 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	h := newHouse(t, hook.URL)
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	h.emit("aws.apprunner", 0, 3)
	eventually(t, "the deliveries", func() bool { return h.stats().Delivered == 3 })
	if got := hook.numbers(t); !slices.Equal(got, []int{0, 0, 0, 1, 2}) {
		t.Errorf("%v", got)
	}
	ids := map[string]bool{}
	for _, one := range hook.all() {
		ids[one.header.Get("Webhook-Id")] = true
	}
	if s := h.stats(); s.Retried != 2 || s.GivenUp != 0 || len(ids) != 3 {
		t.Errorf("%+v, ids %v", s, ids)
	}
	if !strings.Contains(h.text.String(), "could not be delivered yet") || !strings.Contains(h.text.String(), "503 Service Unavailable") {
		t.Error(h.text.String())
	}
}

// One event that a target cannot take does not hold the others up, and goes where dead letters go.
func TestAPoisonedEvent(t *testing.T) {
	hook := newReceiver(t, func(_ int, r received) int {
		if strings.Contains(r.body, `{"N":0}`) {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	h := newHouse(t, hook.URL)
	if err := h.logs.CreateGroup(t.Context(), scope, "/dead"); err != nil {
		t.Fatal(err)
	}
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic, DeadLetter: "arn:aws:logs:us-east-1:123456789012:log-group:/dead", InputPath: "$"})
	h.emit("aws.apprunner", 0, 3)
	eventually(t, "the deliveries", func() bool { return h.stats().Delivered == 3 && h.stats().Waiting == 0 })
	if got := hook.numbers(t); !slices.Equal(got, upTo(3)) || h.stats().GivenUp != 1 {
		t.Errorf("%v, %+v", got, h.stats())
	}
	page, err := h.logs.GetEvents(t.Context(), scope, observe.GetQuery{Group: "/dead", Stream: "r/a", FromHead: true})
	if err != nil || len(page.Events) != 1 || !strings.Contains(page.Events[0].Message, `"detail":{"N":0}`) {
		t.Errorf("%+v %v", page, err)
	}
	if !strings.Contains(h.text.String(), "is given up") {
		t.Error(h.text.String())
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	hook := newReceiver(t, func(int, received) int { return http.StatusTemporaryRedirect })
	h := newHouse(t, hook.URL)
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	h.emit("aws.apprunner", 0, 1)
	eventually(t, "it is given up", func() bool { return h.stats().GivenUp == 1 })
	if n := len(hook.all()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestLogGroups(t *testing.T) {
	h := newHouse(t)
	const group = "/aws/events/apprunner"
	h.rule("r", `{"source":["aws.apprunner"]}`,
		Target{ID: "all", ARN: "arn:aws:logs:us-east-1:123456789012:log-group:" + group + ":*"},
		Target{ID: "part", ARN: "arn:aws:logs:us-east-1:123456789012:log-group:" + group, Transform: &Transform{Paths: map[string]string{"n": "$.detail.N"}, Template: `"number <n>"`}})
	h.emit("aws.apprunner", 0, 1) // there is no such group yet
	eventually(t, "both are given up", func() bool { return h.stats().GivenUp == 2 })
	if err := h.logs.CreateGroup(t.Context(), scope, group); err != nil {
		t.Fatal(err)
	}
	h.emit("aws.apprunner", 7, 9)
	eventually(t, "the deliveries", func() bool { return h.stats().Delivered == 4 })
	page, err := h.logs.GetEvents(t.Context(), scope, observe.GetQuery{Group: group, Stream: "r/part", FromHead: true})
	if err != nil || len(page.Events) != 2 || page.Events[0].Message != `"number 7"` || page.Events[1].Message != `"number 8"` {
		t.Errorf("%+v %v", page, err)
	}
}

func TestTargetsThatAreNotServed(t *testing.T) {
	hook := newReceiver(t, nil)
	h := newHouse(t, hook.URL)
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: other, Rest: json.RawMessage(`{"BatchParameters":{"JobName":"j"}}`)}, Target{ID: "b", ARN: topic})
	if !strings.Contains(h.text.String(), "nothing is sent to it") {
		t.Error(h.text.String())
	}
	h.emit("aws.apprunner", 0, 2)
	eventually(t, "the other target has all", func() bool { return h.stats().Delivered == 2 })
	if s := h.stats(); s.Unserved != 2 || s.Matched != 2 || s.Waiting != 0 || strings.Count(h.text.String(), "nothing is sent to its target") != 1 {
		t.Errorf("%+v %s", s, h.text)
	}
	r, err := h.Rule(t.Context(), scope, "r")
	if err != nil || len(r.Targets) != 2 || string(r.Targets[0].Rest) != `{"BatchParameters":{"JobName":"j"}}` {
		t.Errorf("%+v %v", r, err)
	}
}

func TestDisabledAndForeignRules(t *testing.T) {
	hook := newReceiver(t, nil)
	h := newHouse(t, hook.URL)
	h.rule("off", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	if err := h.Enable(t.Context(), scope, "off", false); err != nil {
		t.Fatal(err)
	}
	foreign := apprunner.Scope{Account: "999999999999", Region: "us-east-1"}
	if err := h.PutRule(t.Context(), Rule{Scope: foreign, Name: "r", Pattern: `{"source":["aws.apprunner","my.app"]}`, Enabled: true}); err != nil {
		t.Fatal(err)
	}
	if err := h.PutTargets(t.Context(), foreign, "r", []Target{{ID: "a", ARN: topic}}); err != nil {
		t.Fatal(err)
	}
	h.emit("aws.apprunner", 0, 1)
	// A rule of another account sends nothing to what is this account's.
	if made, err := h.PutEvents(t.Context(), foreign, []Entry{{Source: "my.app", DetailType: "T", Detail: `{"N":9}`}}); err != nil || made[0].Code != "" {
		t.Fatal(made, err)
	}
	eventually(t, "the event of the other account", func() bool { return h.stats().Unserved == 1 })
	h.rule("on", `{"source":["aws.last"]}`, Target{ID: "a", ARN: topic})
	h.emit("aws.last", 5, 6)
	eventually(t, "the last event", func() bool { return h.stats().Delivered == 1 })
	if got := hook.numbers(t); !slices.Equal(got, []int{5}) {
		t.Errorf("%v", got)
	}
}

// Targets taken away get nothing more; what waited for them is forgotten.
func TestRemovedTargets(t *testing.T) {
	hook := newReceiver(t, func(int, received) int { return http.StatusServiceUnavailable })
	h := newHouse(t, hook.URL)
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	h.emit("aws.apprunner", 0, 3)
	eventually(t, "a failure", func() bool { return h.stats().Retried > 0 })
	unknown, err := h.RemoveTargets(t.Context(), scope, "r", []string{"a", "b"})
	if err != nil || !slices.Equal(unknown, []string{"b"}) {
		t.Error(unknown, err)
	}
	if n := h.stats().Waiting; n != 0 {
		t.Errorf("%d wait", n)
	}
	if err := h.Prune(t.Context()); err != nil || h.outbox() != 1 {
		t.Error(err, h.outbox())
	}
	if err := h.DeleteRule(t.Context(), scope, "r"); err != nil {
		t.Error(err)
	}
}

func TestTooManyWait(t *testing.T) {
	hook := newReceiver(t, func(int, received) int { return http.StatusServiceUnavailable })
	h := newHouse(t, hook.URL)
	h.rule("r", `{"source":["aws.apprunner"]}`, Target{ID: "a", ARN: topic})
	const most, more = 100, 30
	h.conf.MaxWaiting = most
	h.restart()
	err := h.db.Update(t.Context(), func(tx *store.Tx) error {
		for n := range most + more {
			if err := observe.EmitEvent(tx, observe.BusEvent{Scope: scope, Time: t0, Source: "aws.apprunner", DetailType: "T", Detail: map[string]any{"N": n}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the oldest are dropped", func() bool { return h.stats().GivenUp == more })
	if s := h.stats(); s.Waiting != most || !strings.Contains(h.text.String(), "too many wait") {
		t.Errorf("%+v", s)
	}
}
