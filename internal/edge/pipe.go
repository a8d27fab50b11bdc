package edge

import (
	"io"
	"os"
	"sync"
	"time"
)

// pipe carries bytes from one goroutine to another within this process. Unlike [io.Pipe] it holds some, as a socket does: who
// writes waits only while as much as limit is there already.
type pipe struct {
	mu      sync.Mutex
	cond    sync.Cond
	limit   int
	buf     []byte
	r       int  // buf[r:] is not read yet
	ended   bool // nothing will be written any more
	broken  bool // nothing will be read any more
	expired bool // the deadline of a side that waits is over
}

func newPipe(limit int) *pipe {
	p := &pipe{limit: limit}
	p.cond.L = &p.mu
	return p
}

// Read waits for bytes. After [pipe.end] and the last of them it returns io.EOF.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.r == len(p.buf) {
		switch {
		case p.broken:
			return 0, io.ErrClosedPipe
		case p.ended:
			return 0, io.EOF
		case p.expired:
			return 0, os.ErrDeadlineExceeded
		}
		p.cond.Wait()
	}
	n := copy(b, p.buf[p.r:])
	p.r += n
	if p.r == len(p.buf) {
		p.buf, p.r = p.buf[:0], 0
	}
	p.cond.Broadcast()
	return n, nil
}

// Write waits until there is room and takes all of b, or none.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.broken || p.ended:
			return 0, io.ErrClosedPipe
		case p.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p.buf)-p.r < p.limit:
			p.buf = append(p.buf, b...)
			p.cond.Broadcast()
			return len(b), nil
		}
		p.cond.Wait()
	}
}

// end says that nothing more will be written.
func (p *pipe) end() { p.set(&p.ended) }

// cut says that nothing more will be read, and nothing need be written.
func (p *pipe) cut() { p.set(&p.broken) }

func (p *pipe) set(state *bool) {
	p.mu.Lock()
	*state = true
	p.mu.Unlock()
	p.cond.Broadcast()
}

// setDeadline ends what waits when t is in the past, and lets wait again otherwise: nothing in this package sets a deadline ahead
// on a connection to an instance, for [clock] watches the time.
func (p *pipe) setDeadline(t time.Time) {
	p.mu.Lock()
	p.expired = !t.IsZero() && !t.After(time.Now())
	p.mu.Unlock()
	p.cond.Broadcast()
}
