package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// follower starts an edge that takes over from that of h; it accepts when told to.
func (h *house) follower(t *testing.T) (young *Server, client *Client, end <-chan error) {
	t.Helper()
	socket := filepath.Join(h.dir, "younger.sock")
	control, err := ListenControl(socket)
	check(t, err)
	ready := make(chan struct{})
	cfg := h.edge.cfg
	cfg.HTTPS, cfg.HTTP, cfg.Plain = dup(t, h.https), dup(t, h.http), dup(t, h.plain)
	if udp, ok := cfg.HTTP3.(*net.UDPConn); ok {
		f, err := udp.File()
		check(t, err)
		cfg.HTTP3, err = net.FilePacketConn(f)
		check(t, errors.Join(err, f.Close()))
	}
	cfg.Control, cfg.Socket, cfg.Elder, cfg.Ready = control, socket, h.socket, func() { close(ready) }
	young, err = New(cfg)
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended, left := make(chan error, 1), make(chan struct{})
	go func() { defer close(left); ended <- young.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-left })
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
	case <-time.After(10 * time.Second):
		t.Fatal("the younger edge is not ready")
	}
	return young, NewClient(socket), ended
}

// TestHandover: a younger edge knows what the elder one knew, gets the tables the elder one still gets, tells the elder one those it
// gets itself, and counts the elder's requests in flight and its finished ones with its own.
func TestHandover(t *testing.T) {
	h := newHouse(t, nil)
	hold := make(chan struct{})
	good := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-hold
		}
		io.WriteString(w, "good")
	})
	var bad atomic.Bool
	ill := app(t, func(w http.ResponseWriter, _ *http.Request) {
		if bad.Load() {
			w.WriteHeader(500)
		}
	})
	byPath := func(r *Route) { r.Health.Protocol, r.Health.Path = HTTP, "/health" }
	h.publish(byPath, target("good", good, Active), target("ill", ill, Active))
	bad.Store(true)
	h.await("ill", Unhealthy)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	client := h.browser(false)
	held := make(chan string, 1)
	go func() { _, body := get(t, client, "/hold"); held <- body }()
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 })
	young, control, _ := h.follower(t)
	st, err := control.Status(ctx)
	check(t, err)
	if st.TableVersion != h.version || st.Targets["good"].Health != Healthy || st.Targets["ill"].Health != Unhealthy {
		t.Errorf("the younger edge begins with %+v", st)
	}
	if st.Targets["good"].InFlight != 1 || st.Services[appARN].InFlight != 1 {
		t.Errorf("the elder's request in flight does not show: %+v", st)
	}
	if err := control.Ready(ctx); err == nil {
		t.Error("the younger edge says that it accepts connections")
	}

	h.publish(byPath, target("good", good, Active)) // to the elder one
	if v := young.Status().TableVersion; v != h.version {
		t.Errorf("the younger edge has table %d, the elder one %d", v, h.version)
	}
	check(t, control.Accept(ctx))
	check(t, control.Ready(ctx))
	check(t, control.Publish(ctx, Table{Version: h.version + 1, Routes: h.edge.routing.current.Load().table.Routes, Certificates: []Certificate{h.cert}}))
	if v := h.edge.Status().TableVersion; v != h.version+1 {
		t.Errorf("the elder edge has table %d", v)
	}

	check(t, h.client.Drain(ctx))
	before, err := control.Status(ctx)
	check(t, err)
	close(hold)
	if body := <-held; body != "good" {
		t.Errorf("the request in flight got %q", body)
	}
	h.stop()
	for before.Targets["good"].InFlight != 0 || before.Services[appARN].Requests != 1 {
		before, err = control.Wait(ctx, before.Version)
		check(t, err)
	}
	if _, body := get(t, client, "/"); body != "good" {
		t.Errorf("after the hand-over: %q", body)
	}
	for after := before; after.Services[appARN].Requests != 2; { // the elder's one and the younger's one
		after, err = control.Status(ctx)
		check(t, err)
	}
}

// TestUnfitSuccessor: an edge that cannot reach what the elder one reaches does not take over.
func TestUnfitSuccessor(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	h.publish(func(r *Route) { r.Health.Interval = time.Hour }, target("i1", s, Active))
	s.Close() // which the elder edge does not know yet
	socket := filepath.Join(h.dir, "younger.sock")
	control, err := ListenControl(socket)
	check(t, err)
	cfg := h.edge.cfg
	cfg.HTTPS, cfg.HTTP, cfg.Plain = dup(t, h.https), dup(t, h.http), dup(t, h.plain)
	cfg.Control, cfg.Socket, cfg.Elder = control, socket, h.socket
	cfg.Ready = func() { t.Error("it says that it is ready") }
	young, err := New(cfg)
	check(t, err)
	if err := young.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Run: %v", err)
	}
	check(t, h.client.Ready(t.Context()))
	await(t, "the elder edge knows that it is alone again", h.edge.alone)
	cfg.Elder = filepath.Join(h.dir, "nobody.sock")
	if _, err := New(cfg); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without an elder edge: %v", err)
	}
}
