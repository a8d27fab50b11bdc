package edge

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// tunnel is the connection to an instance after an upgrade (WebSocket). It holds its place at the instance, and no time limit of
// requests binds it; but it ends when nothing has passed for longer than the route allows, and when its instance has been draining
// for too long.
type tunnel struct {
	io.ReadWriteCloser
	s       *Server
	backend *backend
	idle    time.Duration // 0: may be silent for ever
	passed  atomic.Int64  // when something last did, since the edge started
}

// openTunnel puts a tunnel around the connection to the instance of x.
func (s *Server) openTunnel(conn io.ReadWriteCloser, x *exchange) *tunnel {
	return s.newTunnel(conn, x.claim.backend, x.claim.route.IdleTimeout)
}

// newTunnel puts a tunnel around a connection to b; idle is how long it may be silent, 0 for ever.
func (s *Server) newTunnel(conn io.ReadWriteCloser, b *backend, idle time.Duration) *tunnel {
	t := &tunnel{ReadWriteCloser: conn, s: s, backend: b, idle: idle}
	t.passed.Store(int64(s.now()))
	s.longLives.add(t)
	return t
}

// Read reads from the instance.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p)
	t.passed.Store(int64(t.s.now()))
	return n, err
}

// Write writes to the instance.
func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Write(p)
	t.passed.Store(int64(t.s.now()))
	return n, err
}

// Close ends the tunnel, which ends its client's connection too.
func (t *tunnel) Close() error {
	t.s.longLives.remove(t)
	return t.ReadWriteCloser.Close()
}

// CloseWrite ends one direction.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// over tells whether the tunnel has to end.
func (t *tunnel) over(now, drain time.Duration) bool {
	if t.idle > 0 && now-time.Duration(t.passed.Load()) > t.idle {
		return true
	}
	since, draining := t.backend.drainingFor()
	return draining && since > drain
}

// cut ends both connections: who copies between them closes the tunnel.
func (t *tunnel) cut() { t.ReadWriteCloser.Close() }

// drainingFor tells whether and for how long the backend has been draining.
func (b *backend) drainingFor() (time.Duration, bool) {
	b.service.mu.Lock()
	defer b.service.mu.Unlock()
	if b.phase != Draining || b.drainedAt.IsZero() {
		return 0, false
	}
	return time.Since(b.drainedAt), true
}
