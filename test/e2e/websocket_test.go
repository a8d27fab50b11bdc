package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/coder/websocket"

	"slipway.dev/slipway/test/rig"
)

// lasting is an installation where what is drained gets two seconds.
func lasting(t *testing.T) *rig.House {
	t.Helper()
	h := rig.Own(t, "--quiet-time", "2s", "--stop-grace", "5s", "--drain-timeout", "2s", "--start-timeout", "60s")
	h.PushApp(t, "app", "v1", "v1")
	return h
}

// says sends a message and returns the next one that comes.
func says(t *testing.T, c *websocket.Conn, message string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
	_, got, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestWebSockets: messages of all sizes in whole and in fragments, both kinds, compressed, pings; closes with code and reason from both
// sides; the time of a request does not bind them, the idle time does; a service may refuse them.
//
// checklist: 53
func TestWebSockets(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "sockets", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, tagged("slipway:request-timeout", "4s"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, res := s.Socket(t, "/long/socket")
	began := time.Now()
	if c.Subprotocol() != "chat" || !strings.Contains(res.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		t.Errorf("agreed on %q, %q", c.Subprotocol(), res.Header.Get("Sec-WebSocket-Extensions"))
	}
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 10 << 20} {
		for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
			message := bytes.Repeat([]byte("ab"), size/2+1)[:size]
			if err := c.Write(ctx, kind, message); err != nil {
				t.Fatal(err)
			}
			if got, back, err := c.Read(ctx); err != nil || got != kind || !bytes.Equal(back, message) {
				t.Fatalf("%d bytes came back as %v, %d bytes, %v", size, got, len(back), err)
			}
		}
	}
	fragments(ctx, t, c)
	<-time.After(time.Until(began.Add(5 * time.Second))) // longer than a request may take
	if got := says(t, c, "still there?"); got != "still there?" {
		t.Errorf("%q", got)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("close 4321 as you wish")); err != nil {
		t.Fatal(err)
	}
	var closed websocket.CloseError
	if _, _, err := c.Read(ctx); !errors.As(err, &closed) || closed.Code != 4321 || closed.Reason != "as you wish" {
		t.Errorf("the application's close came as %v", err)
	}
	c, _ = s.Socket(t, "/long/socket")
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("the client's close was answered by %v", err)
	}

	c, _ = s.Socket(t, "/long/socket")
	says(t, c, "x")
	if err := c.CloseNow(); err != nil { // the client vanishes
		t.Error(err)
	}
	idle(t, s)

	tagging(t, s, "slipway:idle-timeout", "1s")
	for range 100 { // the table follows
		c, _ = s.Socket(t, "/long/socket")
		short, stop := context.WithTimeout(ctx, 2500*time.Millisecond)
		_, _, err := c.Read(short)
		quiet := short.Err() != nil
		stop()
		if !quiet {
			if code := websocket.CloseStatus(err); code != -1 {
				t.Errorf("an idle WebSocket was closed with %d", code)
			}
			break
		}
	}
	tagging(t, s, "slipway:websockets", "off")
	refused(t, s)
}

// fragments sends a message in many frames, and pings between.
func fragments(ctx context.Context, t *testing.T, c *websocket.Conn) {
	t.Helper()
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		_, b, err := c.Read(ctx)
		got <- fmt.Sprint(string(b), err)
	}()
	for range 50 {
		if _, err := w.Write([]byte("fragment ")); err != nil {
			t.Fatal(err)
		}
		if err := c.Ping(ctx); err != nil { // between the frames of a message
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != strings.Repeat("fragment ", 50)+"<nil>" {
		t.Errorf("fragments came back as %.200s", text)
	}
}

// idle waits until nothing of a service is in flight.
func idle(t *testing.T, s rig.Service) {
	t.Helper()
	n := -1
	for range 200 {
		var err error
		if n, err = s.House.InFlight(s.ARN()); err == nil && n == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d requests are in flight", n)
}

// refused waits until a service takes no WebSockets.
func refused(t *testing.T, s rig.Service) {
	t.Helper()
	status := 0
	for range 100 {
		_, res, err := websocket.Dial(t.Context(), "wss://"+s.Host()+"/long/socket", &websocket.DialOptions{HTTPClient: s.House.HTTP})
		if res != nil {
			status = res.StatusCode
		}
		if err != nil && status == http.StatusForbidden {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("a WebSocket is answered %d", status)
}

// TestSocketsThroughChanges: a deployment, and scaling in, let open WebSockets and event streams go on at their instance until the drain
// ends; then the application is told to stop and closes them as it likes. Those who connect again are at the new one.
//
// checklist: 82
func TestSocketsThroughChanges(t *testing.T) {
	t.Parallel()
	h := lasting(t)
	s := h.Create(t, "open-long", rig.ImageSource("app", "v1", map[string]string{"CLOSE_SOCKETS": "1"}), types.ServiceStatusRunning, rig.Small,
		limits(t, h, "just-one", 10, 1, 2))
	c, _ := s.Socket(t, "/long/socket")
	old := says(t, c, "who")
	events := listens(t, s)
	if got := events.next(t); got != old {
		t.Errorf("events come from %q, the WebSocket is at %q", got, old)
	}
	deployed := make(chan struct{})
	go func() { defer close(deployed); s.Deploy(t) }()
	if code := goesOn(t, c, old); code != websocket.StatusGoingAway {
		t.Errorf("the WebSocket ended with %d, want that of the application", code)
	}
	<-deployed
	events.ends(t, old)
	c, _ = s.Socket(t, "/long/socket")
	if at := says(t, c, "who"); at == old {
		t.Error("who connects again is at the old instance")
	}
	if got := listens(t, s).next(t); got == old {
		t.Error("events come from the old instance")
	}

	// Without the application's help they end with the instance.
	s = h.Create(t, "open-rude", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	c, _ = s.Socket(t, "/long/socket")
	old = says(t, c, "who")
	s.Deploy(t)
	if code := goesOn(t, c, old); code != -1 {
		t.Errorf("the WebSocket ended with %d", code)
	}
	h.NoOrphans(t)
}

// goesOn talks over a WebSocket until it ends, and returns its code.
func goesOn(t *testing.T, c *websocket.Conn, at string) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		err := c.Write(ctx, websocket.MessageText, []byte("who"))
		var got []byte
		if err == nil {
			_, got, err = c.Read(ctx)
		}
		if ctx.Err() != nil {
			t.Fatal("the WebSocket does not end")
		}
		if err != nil {
			return websocket.CloseStatus(err)
		}
		if string(got) != at {
			t.Fatalf("the WebSocket went from %q to %q", at, got)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stream is a client of server-sent events.
type stream struct{ lines *bufio.Scanner }

// listens opens a stream of events, over HTTP/2 as browsers do.
func listens(t *testing.T, s rig.Service) *stream {
	t.Helper()
	c := s.House.Client()
	c.Timeout = 0
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	res, err := c.Get("https://" + s.Host() + "/long/events?every=50ms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.ProtoMajor != 2 {
		t.Fatalf("%s %s %v", res.Proto, res.Status, res.Header)
	}
	return &stream{bufio.NewScanner(res.Body)}
}

// next is the data of the next event.
func (s *stream) next(t *testing.T) string {
	t.Helper()
	for s.lines.Scan() {
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
			return data
		}
	}
	t.Fatalf("the stream ended: %v", s.lines.Err())
	return ""
}

// ends reads to the end of a stream, all of whose events come from one instance..
func (s *stream) ends(t *testing.T, from string) {
	t.Helper()
	for s.lines.Scan() {
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok && data != from {
			t.Fatalf("an event comes from %q, the first one came from %q", data, from)
		}
	}
}
