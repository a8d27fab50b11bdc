package edge

import (
	"io"
	"sync"
	"sync/atomic"
)

// replay keeps the beginning of a request body, so that the request can be sent again.
type replay struct {
	mu   sync.Mutex
	src  io.Reader
	kept []byte
	err  error       // how src ended
	gone atomic.Bool // more than smallBody was read, or there is no more need: nothing is kept
}

// replayable tells whether a new reader would see the whole body.
func (p *replay) replayable() bool { return !p.gone.Load() }

// forget keeps nothing from now on.
func (p *replay) forget() { p.gone.Store(true) }

// replayReader reads the body from its beginning.
type replayReader struct {
	from *replay
	at   int // what of kept was read
}

// Read reads what another reader was given before, then what comes. A reader that was given up may still wait in here: what it
// gets is kept for the next one.
func (r *replayReader) Read(b []byte) (int, error) {
	p := r.from
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.at < len(p.kept) {
		n := copy(b, p.kept[r.at:])
		r.at += n
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.src.Read(b)
	p.err = err
	if len(p.kept)+n > smallBody {
		p.gone.Store(true)
	}
	if !p.gone.Load() {
		p.kept = append(p.kept, b[:n]...)
		r.at += n
	}
	return n, err
}

// Close does nothing: the next reader goes on.
func (r *replayReader) Close() error { return nil }
