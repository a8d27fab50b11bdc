package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// upgraded opens a tunnel to the echoing application.
func upgraded(t *testing.T, h *house) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn := dialPlain(t, h)
	fmt.Fprintf(conn, "GET /chat HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", appHost)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	check(t, err)
	if resp.StatusCode != 101 {
		t.Fatalf("got %d", resp.StatusCode)
	}
	return conn, r
}

func TestTunnelEndsWhenItsInstanceHasDrained(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.TunnelDrain = 500 * time.Millisecond })
	echo := Target{InstanceID: "i1", Address: echoApp(t), Phase: Active}
	h.publish(nil, echo)
	conn, r := upgraded(t, h)
	echo.Phase = Draining
	h.publish(nil, echo)
	io.WriteString(conn, "still here\n")
	if got, err := r.ReadString('\n'); got != "still here\n" {
		t.Errorf("a draining instance keeps its tunnels for a while: got %q, %v", got, err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("got %q", rest)
	}
	awaitIdle(t, h)
}

func TestSilentStreamsEnd(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		for range 4 { // each is in time, all together are not
			io.WriteString(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			select {
			case <-time.After(60 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		<-r.Context().Done()
	})
	idle := func(r *Route) { r.IdleTimeout = 200 * time.Millisecond }
	h.publish(idle, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		resp, err := c.Get("https://" + appHost + "/")
		check(t, err)
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err == nil || len(body) != 36 {
			t.Errorf("got %q, %v", body, err)
		}
	})
	h.publish(idle, Target{InstanceID: "i2", Address: echoApp(t), Phase: Active})
	_, r := upgraded(t, h)
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("got %q", rest)
	}
	awaitIdle(t, h)
}
