package edge

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

// Streams of events and gRPC streams live as long as both sides want, like tunnels: the time limit of requests (§19) ends with the
// head of their answer, and so does the demand that the client goes on sending. Each holds its place at the instance, ends when
// nothing comes of it for longer than the route allows, and when its instance has been draining for too long.

// longLived is what no time limit of requests binds.
type longLived interface {
	// over tells whether it has to end.
	over(now, drain time.Duration) bool
	// cut ends it. It neither blocks nor asks longLives.
	cut()
}

// longLives knows all that are open.
type longLives struct {
	mu   sync.Mutex
	open map[longLived]struct{}
}

func (ls *longLives) add(l longLived) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.open == nil {
		ls.open = map[longLived]struct{}{}
	}
	ls.open[l] = struct{}{}
}

func (ls *longLives) remove(l longLived) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.open, l)
}

// watch ends those that have to end.
func (ls *longLives) watch(now, drain time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := range ls.open {
		if l.over(now, drain) {
			l.cut()
		}
	}
}

// forever is a time that does not come.
const forever = time.Duration(1 << 62)

// endless tells by its Content-Type whether an answer is a stream.
func endless(contentType []byte) bool {
	kind, _, _ := bytes.Cut(contentType, []byte{';'})
	kind = bytes.TrimSpace(kind)
	const grpc = len("application/grpc")
	return foldEqual(kind, "text/event-stream") ||
		len(kind) >= grpc && foldEqual(kind[:grpc], "application/grpc") && (len(kind) == grpc || kind[grpc] == '+')
}

// passAnswer passes the final answer on.
func (x *call) passAnswer() outcome {
	if !x.ans.endless {
		if x.body.streaming {
			x.client.ease(hasteStall)
		}
		return x.client.pass()
	}
	x.due = forever
	x.client.ease(hasteNone)
	x.s.longLives.add(x)
	defer x.s.longLives.remove(x)
	return x.client.pass()
}

// over tells whether the instance has been draining for too long; that nothing comes is watched by the clock.
func (x *call) over(_, drain time.Duration) bool {
	since, draining := x.backend.drainingFor()
	return draining && since > drain
}

// cut ends the answer: in its own words where there are any, where it is if that does not end it.
func (x *call) cut() {
	x.clock.mu.Lock()
	defer x.clock.mu.Unlock()
	if !x.clock.up.sendAway() {
		x.clock.expire(failTimeout)
	}
}

// streamBody puts the same around the body of an answer that net/http passes on.
func (f *stdFront) streamBody(resp *http.Response, x *exchange) {
	if endless([]byte(resp.Header.Get("Content-Type"))) {
		x.timer.Stop()
		resp.Body = f.edge.openTunnel(readOnly{resp.Body}, x)
	}
}

// readOnly is a body as one side of a tunnel.
type readOnly struct{ io.ReadCloser }

// Write fails: there is no way back.
func (readOnly) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
