package edge

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// eventApp tells something every time it is asked to to, as an endless answer of the type in the query.
func eventApp(t *testing.T) (app http.HandlerFunc, tell func(event string)) {
	next := make(chan string)
	tell = func(event string) {
		t.Helper()
		select {
		case next <- event:
		case <-time.After(5 * time.Second):
			t.Fatal("nobody listens any more")
		}
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		for {
			select {
			case event := <-next:
				fmt.Fprintf(w, "data: %s\n", event)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}, tell
}

// allFronts runs f over the own fronts and over net/http.
func allFronts(t *testing.T, adjust func(*Config), f func(t *testing.T, h *house, c *http.Client)) {
	t.Run("own", func(t *testing.T) {
		h := newHouse(t, adjust)
		both(t, h, func(t *testing.T, c *http.Client) { f(t, h, c) })
	})
	t.Run("std", func(t *testing.T) {
		h := newHouse(t, func(c *Config) { adjust(c); c.StdHTTP2 = true })
		f(t, h, h.browser(true))
	})
}

func TestEventsOutliveTheTimeOfRequests(t *testing.T) {
	allFronts(t, func(*Config) {}, func(t *testing.T, h *house, c *http.Client) {
		handler, tell := eventApp(t)
		s := app(t, handler)
		const limit = 200 * time.Millisecond
		h.publish(func(r *Route) { r.RequestTimeout = limit }, target("i1", s, Active))
		resp, err := c.Get("https://" + appHost + "/?type=text/event-stream%3Bcharset=utf-8")
		check(t, err)
		defer resp.Body.Close()
		r := bufio.NewReader(resp.Body)
		for i := range 4 {
			<-time.After(limit)
			tell(fmt.Sprint(i))
			if line, err := r.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("event %d: %q, %v", i, line, err)
			}
		}
		if n := h.edge.Status().Services[appARN].InFlight; n != 1 {
			t.Errorf("an open stream counts as %d requests", n)
		}
		plain, err := c.Get("https://" + appHost + "/?type=text/plain")
		check(t, err)
		if _, err := io.ReadAll(plain.Body); err == nil {
			t.Error("any other answer is cut")
		}
	})
}

func TestEventsEndWithTheirInstance(t *testing.T) {
	allFronts(t, func(c *Config) { c.Limits.TunnelDrain = 500 * time.Millisecond }, func(t *testing.T, h *house, c *http.Client) {
		handler, tell := eventApp(t)
		i1 := target("i1", app(t, handler), Active)
		h.publish(nil, i1)
		resp, err := c.Get("https://" + appHost + "/?type=text/event-stream")
		check(t, err)
		defer resp.Body.Close()
		i1.Phase = Draining
		h.publish(nil, i1)
		tell("still here")
		r := bufio.NewReader(resp.Body)
		if line, err := r.ReadString('\n'); line != "data: still here\n" {
			t.Errorf("got %q, %v", line, err)
		}
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			t.Errorf("got %q", rest)
		}
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 0 })
	})
}

func TestSilentEventsEndWhenTheRouteSaysSo(t *testing.T) {
	allFronts(t, func(*Config) {}, func(t *testing.T, h *house, c *http.Client) {
		handler, _ := eventApp(t)
		h.publish(func(r *Route) { r.IdleTimeout = 100 * time.Millisecond }, target("i1", app(t, handler), Active))
		resp, err := c.Get("https://" + appHost + "/?type=text/event-stream")
		check(t, err)
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("cut silently")
		}
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 0 })
	})
}

func TestEndless(t *testing.T) {
	for kind, want := range map[string]bool{
		"text/event-stream": true, "Text/Event-Stream ; charset=utf-8": true, "application/grpc": true, "application/grpc+proto": true,
		"application/grpc-web": false, "text/plain": false, "": false, "application/json": false, "text/event-streams": false,
	} {
		if got := endless([]byte(kind)); got != want {
			t.Errorf("%q: %v", kind, got)
		}
	}
}

// A stream whose client has nothing to say for a while is none that stalls.
func TestGRPCStreamMayBeSilent(t *testing.T) {
	const stall = 200 * time.Millisecond
	h := newGRPCHouse(t, func(c *Config) { c.Limits.ClientStall = stall }, func(r *Route) { r.RequestTimeout = stall })
	s, err := h.client.FullDuplexCall(within(t, 10*time.Second))
	check(t, err)
	for i := range 3 {
		check(t, s.Send(&testpb.StreamingOutputCallRequest{ResponseParameters: wants(int32(i + 1))}))
		if got, err := s.Recv(); err != nil || len(got.Payload.Body) != i+1 {
			t.Fatalf("message %d: %v, %v", i, got, err)
		}
		<-time.After(3 * stall)
	}
}

// The body of a POST answered by events may stop and go on.
func TestClientMayBeSilentDuringEvents(t *testing.T) {
	const stall = 200 * time.Millisecond
	h := newHouse(t, func(c *Config) { c.Limits.ClientStall = stall })
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).EnableFullDuplex()
		w.(http.Flusher).Flush()
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "data: %s\n", body)
	})
	h.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		r, w := io.Pipe()
		go func() {
			io.WriteString(w, "one ")
			<-time.After(3 * stall)
			io.WriteString(w, "two")
			w.Close()
		}()
		req, _ := http.NewRequest("POST", "https://"+appHost+"/", r)
		resp, err := c.Do(req)
		check(t, err)
		if body := read(t, resp); !strings.Contains(body, "one two") {
			t.Errorf("got %q", body)
		}
	})
}
