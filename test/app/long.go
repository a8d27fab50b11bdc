package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// mostMessage is the largest WebSocket message that is taken.
const mostMessage = 16 << 20

// socket echoes what it is told, until either side closes. An application that is told to stop closes what is open, as good ones do,
// when CLOSE_SOCKETS is set.
func (a *app) socket(w http.ResponseWriter, q query) error {
	c, err := websocket.Accept(w, q.Request, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return nil // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(mostMessage)
	if number("CLOSE_SOCKETS") > 0 {
		defer context.AfterFunc(a.stopping, func() { c.Close(websocket.StatusGoingAway, "told to stop") })()
	}
	for {
		kind, message, err := c.Read(context.WithoutCancel(q.Context()))
		if err != nil {
			return nil // it ended
		}
		if code, reason, bye := farewell(string(message)); bye {
			return c.Close(code, reason)
		}
		if string(message) == "who" {
			message = []byte(whoAmI())
		}
		if err := c.Write(context.WithoutCancel(q.Context()), kind, message); err != nil {
			return nil
		}
	}
}

// farewell reads "close CODE REASON".
func farewell(message string) (code websocket.StatusCode, reason string, ok bool) {
	rest, ok := strings.CutPrefix(message, "close ")
	number, reason, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	return websocket.StatusCode(n), reason, ok && err == nil
}

// events tells the time for as long as the client listens.
func (a *app) events(w http.ResponseWriter, q query) error {
	every, err := time.ParseDuration(q.text("every"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(w, "id: %d\ndata: %s\n\n", n, whoAmI()); err != nil {
			return nil // nobody listens any more
		}
		if err := out.Flush(); err != nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-q.Context().Done():
			return nil
		}
	}
}

// echo sends the body back while it comes.
func echo(w http.ResponseWriter, q query) error {
	out := http.NewResponseController(w)
	if err := out.EnableFullDuplex(); err != nil && q.ProtoMajor == 1 {
		return err
	}
	w.Header().Set("Trailer", "X-Sum")
	w.Header().Set("Content-Type", "application/octet-stream")
	buf, sum := make([]byte, 32<<10), 0
	for {
		n, err := q.Body.Read(buf)
		sum += n
		if _, werr := w.Write(buf[:n]); werr != nil {
			return nil // nobody listens any more
		}
		if ferr := out.Flush(); ferr != nil {
			return nil
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(http.ErrAbortHandler) // an echo that ends well would be a lie
		}
	}
	w.Header().Set("X-Sum", strconv.Itoa(sum))
	return nil
}

// manyBytes answers with zeros.
func manyBytes(w http.ResponseWriter, q query) error {
	w.Header().Set("Content-Length", strconv.Itoa(q.number("mib")<<20))
	w.Header().Set("Content-Type", "application/octet-stream")
	buf := make([]byte, 64<<10)
	for range q.number("mib") * 16 {
		if _, err := w.Write(buf); err != nil {
			return nil // nobody listens any more
		}
	}
	return nil
}
