package edge

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conns knows every open client connection, whichever way it is served.
type conns struct {
	mu   sync.Mutex
	open map[*clientConn]struct{}
	from map[netip.Addr]int // how many of them are from where; see origin
	// empty is closed when the last one went, once somebody waits for that.
	empty chan struct{}
}

// clientConn is an accepted connection. Closing it, from wherever, takes it off the books once.
type clientConn struct {
	net.Conn
	direct *direct // nil: it is no socket
	books  *conns
	closed atomic.Bool
	tls    uint16 // version, once agreed on; 0 without TLS
	origin netip.Addr
	// endpoint is the interface endpoint that it came in at; "" for the public front door. Set before anything is served.
	endpoint string
	of       atomic.Pointer[service] // of the first request
	h1       atomic.Pointer[h1Conn]  // while served by the own HTTP/1.1 path
	h2       atomic.Pointer[h2Conn]  // while served by the own HTTP/2 front
}

// add books nc; nil when there are too many, at all or from the same place.
func (c *conns) add(nc net.Conn, l *Limits) *clientConn {
	cc := &clientConn{Conn: nc, books: c, origin: origin(nc.RemoteAddr())}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			cc.direct = newDirect(raw)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open, c.from = map[*clientConn]struct{}{}, map[netip.Addr]int{}
	}
	if len(c.open) >= l.Conns || c.from[cc.origin] >= l.ConnsPerAddress {
		return nil
	}
	c.open[cc] = struct{}{}
	c.from[cc.origin]++
	return cc
}

// Read reads from the connection.
func (cc *clientConn) Read(p []byte) (int, error) {
	if cc.direct == nil {
		return cc.Conn.Read(p)
	}
	return cc.direct.Read(p)
}

// Write writes to the connection.
func (cc *clientConn) Write(p []byte) (int, error) {
	if cc.direct == nil {
		return cc.Conn.Write(p)
	}
	return cc.direct.Write(p)
}

// origin is where a connection comes from, as far as one party may be behind it: an address, or a /64 of IPv6.
func origin(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	if ip.Is6() {
		net64, _ := ip.WithZone("").Prefix(64)
		return net64.Addr()
	}
	return ip
}

// remove takes cc off the books; under the lock.
func (c *conns) remove(cc *clientConn) {
	delete(c.open, cc)
	if c.from[cc.origin]--; c.from[cc.origin] <= 0 {
		delete(c.from, cc.origin)
	}
	if s := cc.of.Load(); s != nil {
		s.conns.Add(-1)
	}
}

// belongTo books the connection at the service of its first request; false when that has too many.
func (cc *clientConn) belongTo(s *service) bool {
	if cc.of.Load() != nil {
		return true
	}
	c := cc.books
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, open := c.open[cc]; !open || cc.of.Load() != nil {
		return true
	}
	if s.conns.Add(1) > int64(s.limits.ConnsPerService) {
		s.conns.Add(-1)
		return false
	}
	cc.of.Store(s)
	return true
}

// Close closes the connection.
func (cc *clientConn) Close() error {
	if cc.closed.Swap(true) {
		return net.ErrClosed
	}
	err := cc.Conn.Close()
	c := cc.books
	c.mu.Lock()
	c.remove(cc)
	if len(c.open) == 0 && c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
	c.mu.Unlock()
	return err
}

// CloseWrite ends the sending side, so that the client sees the end of the answer before the connection goes.
func (cc *clientConn) CloseWrite() error {
	if half, ok := cc.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return cc.Close()
}

// gone tells whether the client has closed its side. A client that only half-closes counts as gone, as with net/http.
func (cc *clientConn) gone() bool {
	sc, ok := cc.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p, 0)
		closed = err == nil && n > 0 && p[0].Revents != 0
	})
	return err != nil || closed
}

func (c *conns) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// drained returns a channel that is closed when no connection is open.
func (c *conns) drained() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := make(chan struct{})
	if len(c.open) == 0 {
		close(done)
		return done
	}
	if c.empty == nil {
		c.empty = done
	}
	return c.empty
}

// all returns the open connections.
func (c *conns) all() []*clientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*clientConn, 0, len(c.open))
	for cc := range c.open {
		out = append(out, cc)
	}
	return out
}

// watch looks at the times of every connection that is not net/http's. drainingSince is 0 while the edge is not draining.
func (c *conns) watch(now, drainingSince time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for cc := range c.open {
		if h1 := cc.h1.Load(); h1 != nil {
			h1.watch(now, drainingSince)
		} else if h2 := cc.h2.Load(); h2 != nil {
			h2.watch(now, drainingSince)
		}
	}
}
