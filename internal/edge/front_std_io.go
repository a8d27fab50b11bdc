package edge

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// The bodies of requests and answers that pass through net/http, and how long they may take. Deadlines that cannot be set, as on pipes in
// tests, are no fault.

// deadlines are those of one request, for as long as it is served. Reading its body may go on beyond that for a moment.
type deadlines struct {
	control *http.ResponseController
	mu      sync.Mutex
	over    bool
}

func (d *deadlines) read(t time.Time)  { d.set(d.control.SetReadDeadline, t) }
func (d *deadlines) write(t time.Time) { d.set(d.control.SetWriteDeadline, t) }

func (d *deadlines) set(f func(time.Time) error, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.over {
		_ = f(t)
	}
}

// end leaves the connection alone from now on.
func (d *deadlines) end() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
}

// trailing is a body behind which no field comes that may not.
type trailing struct {
	io.ReadCloser
	trailer *http.Header
}

func (b *trailing) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		for name := range *b.trailer {
			if forbiddenTrailer([]byte(strings.ToLower(name))) {
				delete(*b.trailer, name)
			}
		}
	}
	return n, err
}

// countedBody tells whether and how much was read of a request's body: what was read cannot be sent again. It comes at a pace.
type countedBody struct {
	io.ReadCloser
	deadlines *deadlines
	limits    *Limits
	pace      pace
	touched   bool

	mu   sync.Mutex
	n    int64
	easy bool  // the instance has begun to answer
	err  error // why the client's body could not be read to its end
}

// Close does nothing: a retry may need the body yet, and net/http closes it when the request is over.
func (b *countedBody) Close() error { return nil }

func (b *countedBody) Read(p []byte) (int, error) {
	b.touched = true
	asked := time.Now()
	b.arm(asked)
	n, err := b.ReadCloser.Read(p)
	b.pace.took(time.Since(asked), n, b.limits)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n += int64(n)
	if err == io.EOF {
		b.deadlines.read(time.Time{})
	} else if err != nil {
		b.err = err
	}
	return n, err
}

// arm gives a read its time.
func (b *countedBody) arm(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.easy {
		b.deadlines.read(now.Add(b.pace.left(hastePace, b.limits)))
	}
}

// ease lets the rest of the body take its time: until the request's is over.
func (b *countedBody) ease() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.easy = true
	b.deadlines.read(time.Time{})
}

// failed is what the client is told when its body could not be read; nil when it could.
func (b *countedBody) failed() *failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err == nil:
		return nil
	case errors.Is(b.err, os.ErrDeadlineExceeded):
		return failSlowBody
	}
	return failBody
}

// received is how many bytes of the body have come.
func (b *countedBody) received() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// recorder notes what was answered. Who takes nothing of an answer for too long does not get the rest.
type recorder struct {
	http.ResponseWriter
	deadlines *deadlines
	stall     time.Duration
	noInterim bool // the client knows no 1xx: it speaks HTTP/1.0
	status    int
	n         int64
}

func (w *recorder) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
		if h := w.Header(); h["Content-Type"] == nil {
			h["Content-Type"] = nil // an answer without one is passed on without one, not with net/http's guess
		}
	}
	if status < 200 && w.noInterim {
		return
	}
	w.arm()
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.arm()
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// arm gives a write its time.
func (w *recorder) arm() { w.deadlines.write(time.Now().Add(w.stall)) }

// Unwrap lets http.ResponseController reach Flush and Hijack.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
