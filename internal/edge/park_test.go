package edge

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// awaitParked waits until so many connections are parked.
func awaitParked(t *testing.T, h *house, n int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		h.edge.lot.mu.Lock()
		parked := len(h.edge.lot.parked)
		h.edge.lot.mu.Unlock()
		if parked == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are parked, want %d", parked, n)
		}
		<-time.After(time.Millisecond)
	}
}

func TestParkedConnectionsGoOn(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.Park = 20 * time.Millisecond })
	h.publish(nil, target("i1", app(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Same", "every time") // goes into the encoder's table
		io.Copy(w, r.Body)
	}), Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		base := h.edge.conns.count()
		for i := range 4 {
			resp, err := c.Post("https://"+appHost+"/", "", strings.NewReader(fmt.Sprint("ping ", i)))
			check(t, err)
			if body := read(t, resp); body != fmt.Sprint("ping ", i) || resp.Header.Get("X-Same") != "every time" {
				t.Fatalf("request %d: %q %v", i, body, resp.Header)
			}
			awaitParked(t, h, 1)
		}
		if got := h.edge.conns.count() - base; got != 1 {
			t.Errorf("%d connections were needed", got)
		}
		c.CloseIdleConnections()
		awaitParked(t, h, 0) // the end of a connection wakes it
		for deadline := time.Now().Add(5 * time.Second); h.edge.conns.count() > base && time.Now().Before(deadline); {
			<-time.After(time.Millisecond)
		}
	})
	awaitIdle(t, h)
}

func TestParkedConnectionsEndWhenTheirTimeIsOver(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.Park, c.Limits.ClientIdle = 20*time.Millisecond, time.Second })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) {}), Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		get(t, c, "/")
		awaitParked(t, h, 1)
		awaitIdle(t, h)
		awaitParked(t, h, 0)
	})
}

func TestParkedConnectionsEndWithTheEdge(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.Park = 20 * time.Millisecond })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) {}), Active))
	get(t, h.browser(false), "/")
	get(t, h.browser(true), "/")
	awaitParked(t, h, 2)
	began := time.Now()
	h.stop() // complains when connections had to be cut
	if took := time.Since(began); took > h.edge.limits.Drain {
		t.Errorf("took %v", took)
	}
}

func TestParkedConnectionsHoldNoGoroutine(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.Park = 20 * time.Millisecond })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) {}), Active))
	const clients = 200
	for range clients {
		if got := statusOf(secured(t, h, "127.0.0.1"), "/"); got != 200 {
			t.Fatalf("got %d", got)
		}
	}
	awaitParked(t, h, clients)
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > clients; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines for %d connections", runtime.NumGoroutine(), clients)
		}
		<-time.After(time.Millisecond)
	}
}

// Requests that come in the very moment of parking are served: clients ask at about the time the edge parks them.
func TestParkingLosesNoRequest(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.Park, c.Limits.Tick = 5*time.Millisecond, time.Millisecond })
	h.publish(nil, target("i1", app(t, func(http.ResponseWriter, *http.Request) {}), Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				own := h.browser(c.Transport.(*http.Transport).ForceAttemptHTTP2)
				for i := range 100 {
					resp, err := own.Post("https://"+appHost+"/", "", strings.NewReader("x")) // a POST is not sent twice
					if err != nil {
						t.Errorf("client %d, request %d: %v", n, i, err)
						return
					}
					resp.Body.Close()
					<-time.After(4*time.Millisecond + time.Duration(n*i%40)*50*time.Microsecond)
				}
			})
		}
		all.Wait()
	})
}
