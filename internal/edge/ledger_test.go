package edge

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gauge counts the requests that an application has at a time, and keeps the most.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() {
	n := g.now.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
}

func (g *gauge) leave() { g.now.Add(-1) }

// TestTwoEdgesShareTheConcurrency: an instance never has more requests than its MaxConcurrency, whichever edges they come over, and a
// request in line at one edge gets the place that another edge gives back.
func TestTwoEdgesShareTheConcurrency(t *testing.T) {
	h := newHouse(t, nil)
	var g gauge
	hold := make(chan struct{})
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		g.enter()
		defer g.leave()
		if r.URL.Path == "/hold" {
			<-hold
		}
		io.WriteString(w, "ok")
	})
	three := func(r *Route) { r.MaxConcurrency = 3 }
	h.publish(three, target("i1", s, Active))
	var held sync.WaitGroup
	for range 3 {
		held.Go(func() { get(t, h.browser(false), "/hold") })
	}
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 3 })
	young, control, _ := h.follower(t)
	check(t, control.Accept(t.Context()))
	plain := &http.Client{Transport: dialing(young.cfg.Plain.Addr().String()), Timeout: 20 * time.Second}
	check(t, h.client.Drain(t.Context())) // from here on connections are the younger edge's
	var asked sync.WaitGroup
	for range 20 {
		asked.Go(func() {
			for range 5 {
				resp, err := plain.Get("http://" + appHost + "/")
				if err != nil {
					t.Error(err)
					return
				}
				if body := read(t, resp); resp.StatusCode != 200 {
					t.Errorf("status %d: %s", resp.StatusCode, body)
				}
			}
		})
	}
	await(t, "requests wait at the younger edge", func() bool { return young.Status().Services[appARN].Waiting >= 17 })
	if n := g.most.Load(); n != 3 {
		t.Errorf("the instance had %d requests at a time; want 3", n)
	}
	close(hold)
	held.Wait()
	asked.Wait()
	if n := g.most.Load(); n != 3 {
		t.Errorf("the instance had %d requests at a time; want 3", n)
	}
	h.stop()
	await(t, "the elder edge is counted no more", func() bool {
		young.routing.mu.Lock()
		defer young.routing.mu.Unlock()
		return len(young.routing.peers) == 0
	})
}

// dialing is a transport that finds everything at one address, by a connection for each request.
func dialing(address string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}, DisableKeepAlives: true}
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

// TestTwoEdgesAtOnce: with both edges at work there is no moment at which an instance has more than its share.
func TestTwoEdgesAtOnce(t *testing.T) {
	h := newHouse(t, nil)
	var g gauge
	s := app(t, func(w http.ResponseWriter, _ *http.Request) {
		g.enter()
		defer g.leave()
		time.Sleep(time.Millisecond)
		io.WriteString(w, "ok")
	})
	h.publish(func(r *Route) { r.MaxConcurrency = 2 }, target("i1", s, Active))
	young, control, _ := h.follower(t)
	check(t, control.Accept(t.Context()))
	c := &http.Client{Transport: dialing(h.plain.Addr().String()), Timeout: 20 * time.Second}
	var asked sync.WaitGroup
	for range 16 {
		asked.Go(func() {
			for range 30 {
				resp, err := c.Get("http://" + appHost + "/")
				if err != nil {
					t.Error(err)
					return
				}
				if body := read(t, resp); body != "ok" {
					t.Errorf("%d %s", resp.StatusCode, body)
				}
			}
		})
	}
	asked.Wait()
	elder, younger := h.edge.Status().Services[appARN].Requests, young.Status().Services[appARN].Requests
	if n := g.most.Load(); n > 2 || elder == 0 || younger == 0 {
		t.Errorf("the instance had %d requests at a time; the edges served %d and %d", n, elder, younger)
	}
}

// TestLedgerOfADeadEdge: what an edge had in flight when it was killed counts no more.
func TestLedgerOfADeadEdge(t *testing.T) {
	if os.Getenv("LEDGER_TEST") != "" {
		l, err := newLedger()
		check(t, err)
		b := &backend{id: "i1", address: "127.0.0.1:1", entry: nil}
		b.entry = l.enter(b)
		b.count(7)
		io.WriteString(os.Stdout, "at "+l.path()+"\n")
		time.Sleep(time.Minute)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLedgerOfADeadEdge$")
	cmd.Env = append(os.Environ(), "LEDGER_TEST=1")
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	line := make([]byte, 100)
	n, err := out.Read(line)
	check(t, err)
	p, err := openPeer(strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "at ")))
	check(t, err)
	p.read()
	b := &backend{id: "i1", address: "127.0.0.1:1"}
	if count := p.of[b.key()]; count == nil || count.Load() != 7 {
		t.Fatalf("the other edge shows %v", p.of)
	}
	if p.over() {
		t.Fatal("an edge that lives counts as over")
	}
	check(t, cmd.Process.Kill())
	await(t, "the dead edge counts as over", p.over)
}

// TestLedgerEntries: entries are used again, and one that finds no place costs nothing but its count.
func TestLedgerEntries(t *testing.T) {
	l, err := newLedger()
	check(t, err)
	defer l.close()
	p, err := openPeer(l.path())
	check(t, err)
	a, b := &backend{id: "a"}, &backend{id: "b"}
	a.entry = l.enter(a)
	a.count(3)
	l.strike(a.entry)
	b.entry = l.enter(b)
	p.read()
	if p.of[a.key()] != nil || p.of[b.key()] == nil || p.of[b.key()].Load() != 0 {
		t.Errorf("after a was struck out and b entered: %v", p.of)
	}
	l.words[wordUsed].Store(ledgerEntries)
	c := &backend{id: "c"}
	if c.entry = l.enter(c); c.entry != nil {
		t.Error("a full ledger has a place")
	}
	c.count(1)
	if _, err := openPeer(os.Args[0]); err == nil {
		t.Error("any file is a ledger")
	}
}
