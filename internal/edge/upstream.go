package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// upstreamPool keeps the unused connections to one instance, the youngest on top, so that a quiet service lets its spare
// connections grow old and go.
type upstreamPool struct {
	mu     sync.Mutex
	idle   []*upstreamConn
	limit  int
	closed bool
	h2c    h2cPool // instead, when the instance speaks HTTP/2
}

// wire is what a connection to an instance has to be able to do.
type wire interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// tcpWire is a TCP connection to an instance.
type tcpWire struct {
	*net.TCPConn
	direct *direct
}

// Read reads from the connection.
func (w tcpWire) Read(p []byte) (int, error) { return w.direct.Read(p) }

// Write writes to the connection.
func (w tcpWire) Write(p []byte) (int, error) { return w.direct.Write(p) }

// upstreamConn is a connection to an instance.
type upstreamConn struct {
	wire
	idleSince time.Duration // since the edge started

	raw   syscall.RawConn       // nil: good for one request only
	look  func(fd uintptr) bool // bound once, so that looking allocates nothing
	quiet bool                  // the result: open, and nothing to read
	byte  [1]byte
}

// CloseWrite tells the instance that nothing more comes.
func (c *upstreamConn) CloseWrite() error {
	if half, ok := c.wire.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// newUpstreamConn prepares a fresh connection.
func newUpstreamConn(nc *net.TCPConn) (*upstreamConn, error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &upstreamConn{wire: tcpWire{nc, newDirect(raw)}, raw: raw}
	c.look = func(fd uintptr) bool {
		// The call never blocks, so the scheduler need not know; unix.Recvfrom would allocate an address.
		_, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&c.byte[0])), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		c.quiet = errno == unix.EAGAIN
		return true
	}
	return c, nil
}

// stale tells whether the instance has closed the connection, or sent something nobody asked for.
func (c *upstreamConn) stale() bool {
	return c.raw.Read(c.look) != nil || !c.quiet
}

// get returns an unused connection, or nil. Each is looked at first: the instance may have closed it, and bytes it sent after its
// answer would be taken for the answer to somebody else's request.
func (p *upstreamPool) get() *upstreamConn {
	for {
		c := p.pop()
		if c == nil || !c.stale() {
			return c
		}
		c.Close()
	}
}

func (p *upstreamPool) pop() *upstreamConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return c
}

// put keeps c for the next request, or closes it when there are enough.
func (p *upstreamPool) put(c *upstreamConn, now time.Duration) {
	c.idleSince = now
	p.mu.Lock()
	if p.closed || len(p.idle) >= p.limit || c.raw == nil {
		p.mu.Unlock()
		c.Close()
		return
	}
	p.idle = append(p.idle, c)
	p.mu.Unlock()
}

// reap closes what has been unused since before cutoff.
func (p *upstreamPool) reap(cutoff time.Duration) {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && p.idle[n].idleSince < cutoff {
		n++
	}
	old := append([]*upstreamConn(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	p.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

// close closes what is unused and keeps nothing from now on.
func (p *upstreamPool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
	p.h2c.close()
}

// reach opens a connection to the instance of x by the protocol it speaks.
func (x *call) reach() (*upstreamConn, error) {
	if x.route.H2C {
		return x.s.openH2C(x.backend)
	}
	return x.backend.dial(context.Background(), x.s.limits.Connect)
}

// dial connects to the instance.
func (b *backend) dial(ctx context.Context, timeout time.Duration) (*upstreamConn, error) {
	d := net.Dialer{Timeout: timeout}
	nc, err := d.DialContext(ctx, "tcp", b.address)
	if err != nil {
		return nil, err
	}
	return newUpstreamConn(nc.(*net.TCPConn))
}
