package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// coldRoom is a freezer for targets of tests: while one is frozen its application does not answer.
type coldRoom struct {
	mu      sync.Mutex
	frozen  map[string]bool
	thaws   map[string]int
	refuses bool
	changed chan struct{} // closed at every change
}

func newColdRoom() *coldRoom {
	return &coldRoom{frozen: map[string]bool{}, thaws: map[string]int{}, changed: make(chan struct{})}
}

func (c *coldRoom) Freeze(_ context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuses {
		return errors.New("it does not stand still")
	}
	c.frozen[id] = true
	c.tell()
	return nil
}

func (c *coldRoom) Thaw(_ context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen[id] = false
	c.thaws[id]++
	c.tell()
	return nil
}

func (c *coldRoom) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// pass returns when the instance is not frozen.
func (c *coldRoom) pass(ctx context.Context, id string) {
	for {
		c.mu.Lock()
		frozen, changed := c.frozen[id], c.changed
		c.mu.Unlock()
		if !frozen {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (c *coldRoom) thawed(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.thaws[id]
}

// app starts an instance that lives in the room.
func (c *coldRoom) app(t *testing.T, id string, phase Phase) Target {
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		c.pass(r.Context(), id)
		if d, err := time.ParseDuration(r.URL.Query().Get("take")); err == nil {
			time.Sleep(d)
		}
		c.pass(r.Context(), id)
		fmt.Fprint(w, id)
	})
	return Target{InstanceID: id, Address: strings.TrimPrefix(s.URL, "http://"), Phase: phase}
}

// cold is an edge whose targets can be frozen.
func cold(t *testing.T) (*house, *coldRoom) {
	room := newColdRoom()
	return newHouse(t, func(c *Config) { c.Freezer = room }), room
}

// becomes waits until the status of a target is as wanted.
func (h *house) becomes(id string, want func(TargetStatus) bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	st, err := h.client.Status(ctx)
	for err == nil && !want(st.Targets[id]) {
		st, err = h.client.Wait(ctx, st.Version)
	}
	if err != nil {
		h.t.Fatalf("%s: %v; it is %+v", id, err, st.Targets[id])
	}
}

func isFrozen(s TargetStatus) bool { return s.Frozen && s.Phase == Reserve }
func isUp(s TargetStatus) bool     { return !s.Frozen && s.Phase == Active }

// gets asks the service once; the answer is the instance's id.
func (h *house) gets(c *http.Client, query string) string {
	h.t.Helper()
	res, err := c.Get("https://" + appHost + "/?" + query)
	if err != nil {
		h.t.Error(err)
		return ""
	}
	defer res.Body.Close()
	body := read(h.t, res)
	if res.StatusCode != http.StatusOK {
		h.t.Errorf("status %d: %s", res.StatusCode, body)
	}
	return body
}

func one(r *Route) { r.MaxConcurrency = 1 }

// TestReserveServesWhenNeeded: a target in reserve is frozen, gets nothing while another one has a place, and is thawed when none
// has. It stays in use until a table says otherwise.
//
// checklist: 106
func TestReserveServesWhenNeeded(t *testing.T) {
	h, room := cold(t)
	a, b := room.app(t, "a", Active), room.app(t, "b", Reserve)
	h.publish(one, a, b)
	h.becomes("b", isFrozen)
	c := h.browser(true)
	for range 3 {
		if got := h.gets(c, ""); got != "a" {
			t.Errorf("%q answers while a has a place", got)
		}
	}
	busy := make(chan string)
	go func() { busy <- h.gets(c, "take=2s") }()
	for h.edge.Status().Targets["a"].InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := h.gets(c, ""); got != "b" {
		t.Errorf("while a is full %q answers", got)
	}
	h.publish(one, a, b) // the same again
	h.becomes("b", isUp)
	if got := h.gets(c, ""); got != "b" {
		t.Errorf("while a is full %q answers", got)
	}
	if got := <-busy; got != "a" {
		t.Errorf("%q answered the long request", got)
	}
	b.Phase = Active
	h.publish(one, a, b)
	b.Phase = Reserve
	h.publish(one, a, b)
	h.becomes("b", isFrozen)
}

// TestAllInReserve: a service none of whose instances runs answers at once.
func TestAllInReserve(t *testing.T) {
	h, room := cold(t)
	h.publish(nil, room.app(t, "a", Reserve), room.app(t, "b", Reserve))
	h.becomes("a", isFrozen)
	h.becomes("b", isFrozen)
	if got := h.gets(h.browser(false), ""); got != "a" && got != "b" {
		t.Errorf("%q answers", got)
	}
	up := 0
	for _, s := range h.edge.Status().Targets {
		if isUp(s) {
			up++
		}
	}
	if up != 1 {
		t.Errorf("one request woke %d instances", up)
	}
}

// TestReserveFinishesRequests: a target is not frozen while a request is in flight on it.
func TestReserveFinishesRequests(t *testing.T) {
	h, room := cold(t)
	b := room.app(t, "b", Active)
	h.publish(nil, b)
	answer := make(chan string)
	go func() { answer <- h.gets(h.browser(false), "take=3s") }()
	for h.edge.Status().Targets["b"].InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	b.Phase = Reserve
	h.publish(nil, b, room.app(t, "a", Active))
	select {
	case got := <-answer:
		if got != "b" {
			t.Errorf("answer %q", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the instance was frozen while it worked on a request")
	}
	h.becomes("b", isFrozen)
}

// TestFrozenDrains: a frozen target is thawed before it is stopped, so that it can hear that it is.
func TestFrozenDrains(t *testing.T) {
	h, room := cold(t)
	b := room.app(t, "b", Reserve)
	h.publish(nil, b, room.app(t, "a", Active))
	h.becomes("b", isFrozen)
	b.Phase = Draining
	h.publish(nil, b, room.app(t, "a", Active))
	h.becomes("b", func(s TargetStatus) bool { return s.Phase == Draining && !s.Frozen })
	room.pass(t.Context(), "b")
}

// TestFrozenOutlivesTheEdge: an edge that finds frozen targets thaws them before it uses them, whatever its table says.
func TestFrozenOutlivesTheEdge(t *testing.T) {
	for _, phase := range []Phase{Reserve, Active} {
		h, room := cold(t)
		h.publish(nil, room.app(t, "a", phase))
		h.stop()
		check(t, room.Freeze(t.Context(), "a"))
		h.https, h.http, h.plain = listen(t), listen(t), listen(t)
		h.edge, h.stop = h.start(h.https, h.http, h.plain, func(c *Config) { c.Freezer = room })
		t.Cleanup(h.stop)
		if got := h.gets(h.browser(false), ""); got != "a" {
			t.Errorf("%s: %q answers", phase, got)
		}
	}
}

// TestReserveTakesOver: a request whose instance is gone is answered by one of the reserve.
func TestReserveTakesOver(t *testing.T) {
	h, room := cold(t)
	gone := app(t, func(http.ResponseWriter, *http.Request) {})
	a := Target{InstanceID: "a", Address: strings.TrimPrefix(gone.URL, "http://"), Phase: Active}
	h.publish(func(r *Route) { r.Health.Interval = time.Minute }, a, room.app(t, "b", Reserve))
	h.becomes("b", isFrozen)
	gone.Close()
	if got := h.gets(h.browser(false), ""); got != "b" {
		t.Errorf("%q answers", got)
	}
}

// TestUnfreezable: what cannot be frozen runs on.
func TestUnfreezable(t *testing.T) {
	h, room := cold(t)
	room.refuses = true
	h.publish(nil, room.app(t, "a", Reserve))
	before := room.thawed("a")
	h.becomes("a", func(TargetStatus) bool { return room.thawed("a") > before })
	h.becomes("a", func(s TargetStatus) bool { return !s.Frozen })
	if got := h.gets(h.browser(false), ""); got != "a" {
		t.Errorf("%q answers", got)
	}
}

// TestReserveUnderLoad: whatever tables say while requests come, none of them meets a frozen instance.
func TestReserveUnderLoad(t *testing.T) {
	h, room := cold(t)
	a, b := room.app(t, "a", Active), room.app(t, "b", Active)
	h.publish(one, a, b)
	c := h.browser(true)
	var stop atomic.Bool
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				h.gets(c, "take=3ms")
			}
		})
	}
	for n := range 100 {
		phases := []Phase{Active, Reserve}
		a.Phase, b.Phase = phases[n%2], phases[n/2%2]
		h.version++
		check(t, h.client.Publish(t.Context(), Table{Version: h.version, Certificates: []Certificate{h.cert}, Routes: []Route{
			{ServiceARN: appARN, Hosts: []string{appHost}, MaxConcurrency: 1, Targets: []Target{a, b}},
		}}))
		s := h.edge.routing.services[appARN]
		for _, id := range []string{"a", "b"} { // without the wait for a calm moment
			s.mu.Lock()
			target := s.backends[id]
			s.mu.Unlock()
			if target.nap != nil {
				s.freeze(target)
			}
		}
	}
	stop.Store(true)
	clients.Wait()
	for id, s := range h.edge.Status().Targets {
		if s.InFlight != 0 {
			t.Errorf("%s has %d requests in flight in the end", id, s.InFlight)
		}
	}
}
