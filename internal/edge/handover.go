package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// A younger edge takes over from an elder one in steps that leave the elder in charge until the younger has proved that it works:
// it introduces itself and is given the table and what is known of the targets; from then on a table that either of them gets is
// passed on to the other. It asks the targets itself, says that it is ready, and accepts connections when it is told to. The elder is
// then told to drain. Until it has ended, its requests in flight show in the status of the younger one too, so that nobody stops an
// instance it still has a request at.

// Handover is what an elder edge gives to its successor.
type Handover struct {
	Table  Table
	Status Status
	// Ledgers are where the requests that are in flight at other edges are counted.
	Ledgers []string
	// QUIC is where packets of HTTP/3 for connections of the elder edge are passed on to.
	QUIC quicHome
}

// How long the other edge is waited for, and how long the first checks may take.
const (
	peerPatience = 2 * time.Second
	warmPatience = 3 * time.Second
)

// kin is the other edges this one knows.
type kin struct {
	mu      sync.Mutex
	elder   *Client // nil: none, or it has ended
	younger *Client
	last    Status // of the elder, as last seen: what it counted stays counted
	// Whether packets of HTTP/3 are passed on: the younger edge does so, the elder one takes them.
	youngerPasses, elderPasses bool
}

// introduction is how a younger edge says where it is reached, and where it counts its requests in flight.
type introduction struct {
	Socket, Ledger string
	PassesQUIC     bool
}

// welcomeYounger notes the successor and hands it what it needs. Nothing is published between the two.
func (s *Server) welcomeYounger(w http.ResponseWriter, r *http.Request) {
	var in introduction
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil || in.Socket == "" {
		http.Error(w, "an introduction names the socket of the younger edge", http.StatusBadRequest)
		return
	}
	s.publishing.Lock()
	s.kin.mu.Lock()
	younger := NewClient(in.Socket)
	s.kin.younger, s.kin.youngerPasses = younger, in.PassesQUIC
	s.kin.mu.Unlock()
	s.routing.icebox.await()
	h := Handover{Table: s.routing.current.Load().table, Status: s.Status(), Ledgers: s.routing.ledgers(), QUIC: s.h3.socket.home()}
	s.publishing.Unlock()
	s.meet(in.Ledger, func() { s.lose(younger) })
	s.addElder(r.Context(), &h.Status)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(h)
}

// inherit takes over from the elder edge: its table, its judgement on every target, its counters.
func (s *Server) inherit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, peerPatience)
	defer cancel()
	elder := NewClient(s.cfg.Elder)
	h, err := elder.introduce(ctx, introduction{s.cfg.Socket, s.routing.ledger.path(), s.cfg.HTTP3 != nil})
	if err != nil {
		return fmt.Errorf("take over from the elder edge: %w", err)
	}
	s.kin.elder, s.kin.last, s.kin.elderPasses = elder, h.Status, h.QUIC.Inbox != ""
	if s.h3, err = newFront3(s, h.QUIC); err != nil {
		return err
	}
	if err := s.routing.apply(h.Table, true); err != nil {
		return fmt.Errorf("the table of the elder edge: %w", err)
	}
	now := time.Now()
	s.routing.eachBackend(func(b *backend) {
		if known, ok := h.Status.Targets[b.id]; ok && known.Health != b.judge.health {
			b.judge = newJudge(now, known.Health)
		}
	})
	for _, path := range h.Ledgers {
		s.meet(path, func() {}) // that the elder edge has ended shows at its socket
	}
	return nil
}

// meet counts what another edge has in flight from now on. One of another version may show none: then both give out all places.
func (s *Server) meet(ledger string, gone func()) {
	if ledger == "" {
		return
	}
	if err := s.routing.meet(ledger, gone); err != nil {
		s.cfg.Log.Warn("instances may get more requests at a time than they should, until the other edge has ended", "error", err)
	}
}

// lose forgets a younger edge that ended before this one: this one is alone again.
func (s *Server) lose(younger *Client) {
	s.kin.mu.Lock()
	if s.kin.younger == younger {
		s.kin.younger, s.kin.youngerPasses = nil, false
	}
	s.kin.mu.Unlock()
	s.hub.changed()
}

// alone tells whether no other edge may have requests at the targets of this one.
func (s *Server) alone() bool {
	s.kin.mu.Lock()
	defer s.kin.mu.Unlock()
	return !s.draining.Load() && s.kin.elder == nil && s.kin.younger == nil
}

// introduce makes this edge known to an elder edge.
func (c *Client) introduce(ctx context.Context, self introduction) (Handover, error) {
	var h Handover
	body, err := json.Marshal(self)
	if err != nil {
		return h, err
	}
	return h, c.call(ctx, http.MethodPost, "/successor", body, &h)
}

// warm waits until the targets that the elder edge finds healthy have been asked once. A younger edge that reaches none of them is
// not fit to take over.
func (s *Server) warm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, warmPatience)
	defer cancel()
	s.kin.mu.Lock()
	believed := s.kin.last.Targets
	s.kin.mu.Unlock()
	var asked, failed, open int
	var why string
	for {
		seen := s.hub.current()
		asked, failed, open, why = s.firstChecks(believed)
		if open == 0 || ctx.Err() != nil {
			break
		}
		short, stop := context.WithTimeout(ctx, 50*time.Millisecond) // a success that changes nothing is not announced
		s.hub.await(short, seen)
		stop()
	}
	if asked > 0 && asked == failed {
		return fmt.Errorf("none of the %d instances that the elder edge finds healthy answers this one: %s", asked, why)
	}
	return nil
}

// firstChecks counts the targets believed healthy at the hand-over: those asked by now, those of them that failed, and those not
// asked yet.
func (s *Server) firstChecks(believed map[string]TargetStatus) (asked, failed, open int, why string) {
	s.routing.eachBackend(func(b *backend) {
		if b.phase != Active || believed[b.id].Health != Healthy {
			return
		}
		switch {
		case b.judge.lastCheck.IsZero():
			open++
		case b.judge.lastError != "":
			asked, failed, why = asked+1, failed+1, b.judge.lastError
		default:
			asked++
		}
	})
	return asked, failed, open, why
}

// passOn gives a table to the other edges: from is who it came from, "elder", "younger" or nobody.
func (s *Server) passOn(ctx context.Context, t Table, from string) {
	s.kin.mu.Lock()
	elder, younger := s.kin.elder, s.kin.younger
	s.kin.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, peerPatience)
	defer cancel()
	if elder != nil && from != fromElder {
		if err := elder.pass(ctx, t, fromYounger); err != nil && !ended(err) {
			s.cfg.Log.Warn("the elder edge, which is draining, took no table", "error", err)
		}
	}
	if younger == nil || from == fromYounger {
		return
	}
	if err := younger.pass(ctx, t, fromElder); err != nil {
		s.cfg.Log.Warn("the younger edge took no table; it is left alone from now on", "error", err)
		s.lose(younger)
	}
}

// Who a passed table comes from, as seen by who gets it.
const (
	fromElder   = "elder"
	fromYounger = "younger"
)

// pass publishes t as coming from another edge.
func (c *Client) pass(ctx context.Context, t Table, from string) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPut, "/table?from="+from, body, nil)
}

// receive switches to a table that another edge passed on, unless this one has a newer one.
func (s *Server) receive(t Table) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if t.Version <= s.routing.current.Load().table.Version {
		return nil
	}
	if err := s.routing.apply(t, false); err != nil {
		return &rejectedTable{err}
	}
	return nil // who got it from control has saved it
}

// addElder adds what the elder edge still has in flight, and what it has counted, to a status of this one.
func (s *Server) addElder(ctx context.Context, st *Status) {
	s.kin.mu.Lock()
	elder := s.kin.elder
	s.kin.mu.Unlock()
	if elder != nil {
		ctx, cancel := context.WithTimeout(ctx, peerPatience)
		now, err := elder.Status(ctx)
		cancel()
		s.heard(elder, now, err)
	}
	s.kin.mu.Lock()
	defer s.kin.mu.Unlock()
	st.add(s.kin.last)
}

// heard keeps what the elder edge answered. When nobody listens there any more, it has ended, and with it its requests.
func (s *Server) heard(elder *Client, st Status, err error) {
	s.kin.mu.Lock()
	defer s.kin.mu.Unlock()
	switch {
	case s.kin.elder != elder: // it has taken leave meanwhile
	case err == nil:
		s.kin.last = st
	case ended(err):
		s.kin.elder = nil
		s.kin.last.settle()
	}
}

// ended tells whether a call to another edge failed because that is no more.
func ended(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT)
}

// followElder announces what changes at the elder edge to those who watch this one, until it has ended.
func (s *Server) followElder(ctx context.Context) {
	var seen uint64
	for ctx.Err() == nil {
		s.kin.mu.Lock()
		elder := s.kin.elder
		s.kin.mu.Unlock()
		if elder == nil {
			return
		}
		st, err := elder.Wait(ctx, seen)
		s.heard(elder, st, err)
		if seen = st.Version; err != nil {
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			<-short.Done()
			cancel()
		}
		s.hub.changed()
	}
}

// farewell leaves what was counted here to the younger edge.
func (s *Server) farewell() {
	s.kin.mu.Lock()
	younger := s.kin.younger
	s.kin.mu.Unlock()
	if younger == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), peerPatience)
	defer cancel()
	st := s.Status()
	s.addElder(ctx, &st)
	body, err := json.Marshal(st)
	if err == nil {
		err = younger.call(ctx, http.MethodPost, "/farewell", body, nil)
	}
	if err != nil {
		s.cfg.Log.Warn("what this edge counted last is lost", "error", err)
	}
}

// takeFarewell takes the last figures of the elder edge.
func (s *Server) takeFarewell(w http.ResponseWriter, r *http.Request) {
	var st Status
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTableBytes)).Decode(&st); err != nil {
		http.Error(w, "the status is not valid JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	st.settle()
	s.kin.mu.Lock()
	s.kin.elder, s.kin.last = nil, st
	s.kin.mu.Unlock()
	s.hub.changed()
}

// settle drops what has no meaning once an edge has ended; what it counted stays.
func (st *Status) settle() {
	st.Targets, st.Connections = nil, 0
	for arn, c := range st.Services {
		c.InFlight, c.Waiting = 0, 0
		st.Services[arn] = c
	}
}

// add adds the figures of an elder edge: requests in flight and connections, and the counters of services that are still there or
// still busy there.
func (st *Status) add(elder Status) {
	st.Connections += elder.Connections
	for id, theirs := range elder.Targets {
		if theirs.InFlight == 0 {
			continue
		}
		ours, known := st.Targets[id]
		if !known {
			ours = theirs
			ours.Phase, ours.InFlight = Draining, 0
		}
		ours.InFlight += theirs.InFlight
		st.Targets[id] = ours
	}
	for arn, theirs := range elder.Services {
		if ours, known := st.Services[arn]; known || theirs.InFlight > 0 {
			st.Services[arn] = ours.plus(theirs)
		}
	}
}

// plus is the sum of the figures of two edges.
func (c Counters) plus(d Counters) Counters {
	c.Requests += d.Requests
	c.Status2xx, c.Status3xx, c.Status4xx, c.Status5xx = c.Status2xx+d.Status2xx, c.Status3xx+d.Status3xx, c.Status4xx+d.Status4xx, c.Status5xx+d.Status5xx
	c.InFlight, c.Waiting = c.InFlight+d.InFlight, c.Waiting+d.Waiting
	c.Rejected, c.Retries = c.Rejected+d.Rejected, c.Retries+d.Retries
	c.Refused, c.Unlogged = c.Refused+d.Refused, c.Unlogged+d.Unlogged
	c.BytesIn, c.BytesOut = c.BytesIn+d.BytesIn, c.BytesOut+d.BytesOut
	buckets := make([]uint64, max(len(c.LatencyBuckets), len(d.LatencyBuckets)))
	for i, n := range c.LatencyBuckets {
		buckets[i] += n
	}
	for i, n := range d.LatencyBuckets {
		buckets[i] += n
	}
	c.LatencyBuckets, c.Spread = buckets, c.Spread.plus(d.Spread)
	c.LatencySum, c.Busy = c.LatencySum+d.LatencySum, c.Busy+d.Busy
	return c
}
