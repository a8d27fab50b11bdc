package edge

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// chatApp echoes messages; told so by the first one, it closes with the code and reason that follow.
func chatApp(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(8 << 20)
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if string(message) == "bye" {
				c.Close(websocket.StatusCode(4321), "as you wish")
				return
			}
			if c.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	}
}

func dialChat(ctx context.Context, t *testing.T, client *http.Client) (*websocket.Conn, *http.Response) {
	t.Helper()
	c, resp, err := websocket.Dial(ctx, "wss://"+appHost+"/chat", &websocket.DialOptions{
		HTTPClient: client, Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover,
	})
	check(t, err)
	t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(8 << 20)
	return c, resp
}

func TestWebSocket(t *testing.T) {
	h := newHouse(t, nil)
	h.publish(func(r *Route) { r.RequestTimeout = 300 * time.Millisecond }, target("i1", app(t, chatApp(t)), Active))
	bothSockets(t, h, func(t *testing.T, client *http.Client) {
		ctx := within(t, 20*time.Second)
		c, resp := dialChat(ctx, t, client)
		if c.Subprotocol() != "chat" || !strings.Contains(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
			t.Errorf("agreed on %q, %q", c.Subprotocol(), resp.Header.Get("Sec-WebSocket-Extensions"))
		}
		for _, size := range []int{0, 1, 125, 126, 65535, 65536, 5 << 20} {
			message := bytes.Repeat([]byte("ab"), size/2+1)[:size]
			check(t, c.Write(ctx, websocket.MessageBinary, message))
			kind, got, err := c.Read(ctx)
			if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, message) {
				t.Fatalf("%d bytes: %v, %d bytes, %v", size, kind, len(got), err)
			}
		}
		w, err := c.Writer(ctx, websocket.MessageText) // every write is a fragment
		check(t, err)
		for range 50 {
			_, err := w.Write([]byte("fragment "))
			check(t, err)
		}
		check(t, w.Close())
		if kind, got, err := c.Read(ctx); err != nil || kind != websocket.MessageText || string(got) != strings.Repeat("fragment ", 50) {
			t.Errorf("fragments: %v, %q, %v", kind, got, err)
		}
		ctx2 := c.CloseRead(ctx) // reads pongs
		for range 3 {
			<-time.After(150 * time.Millisecond) // longer than a request may take, in all
			check(t, c.Ping(ctx2))
		}
	})
}

func TestWebSocketCloses(t *testing.T) {
	h := newHouse(t, nil)
	h.publish(nil, target("i1", app(t, chatApp(t)), Active))
	bothSockets(t, h, func(t *testing.T, client *http.Client) {
		ctx := within(t, 10*time.Second)
		c, _ := dialChat(ctx, t, client)
		check(t, c.Write(ctx, websocket.MessageText, []byte("bye")))
		_, _, err := c.Read(ctx)
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != 4321 || closed.Reason != "as you wish" {
			t.Errorf("the application's close came as %v", err)
		}
		c, _ = dialChat(ctx, t, client)
		if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("the client's close was answered by %v", err)
		}
		c, _ = dialChat(ctx, t, client)
		c.CloseNow()
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 0 })
		awaitIdle(t, h)
	})
}

func TestWebSocketRefused(t *testing.T) {
	h := newHouse(t, nil)
	h.publish(func(r *Route) { r.NoUpgrade = true }, target("i1", app(t, chatApp(t)), Active))
	bothSockets(t, h, func(t *testing.T, client *http.Client) {
		_, resp, err := websocket.Dial(within(t, 10*time.Second), "wss://"+appHost+"/", &websocket.DialOptions{HTTPClient: client})
		if err == nil || resp == nil || resp.StatusCode != 403 {
			t.Errorf("%v, %v", resp, err)
		}
	})
}
