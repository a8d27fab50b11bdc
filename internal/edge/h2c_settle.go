package edge

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
)

// How many requests at a time an instance takes is in the SETTINGS that begin what it sends (RFC 9113 §3.4). Before they came, net/http
// assumes a hundred, and reservations beyond what the instance takes then wait for each other. So a new connection is used when its
// SETTINGS are known.

// settling watches the beginning of what an instance sends on a new HTTP/2 connection.
type settling struct {
	net.Conn
	head  [frameHeader]byte
	got   int // bytes that were read so far
	known atomic.Bool
	done  chan struct{} // closed when the SETTINGS were taken in, or nothing comes
}

// settlingKey is the key of a context for the place that is told of the connection that was made.
type settlingKey struct{}

// dialSettling makes a connection whose settling is left with who asked for it.
func dialSettling(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		asked, _ := ctx.Value(settlingKey{}).(**settling)
		if err != nil || asked == nil {
			return c, err
		}
		*asked = &settling{Conn: c, done: make(chan struct{})}
		return *asked, nil
	}
}

// Read reads. Who reads again has taken in what it read before.
func (c *settling) Read(b []byte) (int, error) {
	if c.known.Load() {
		return c.Conn.Read(b)
	}
	if c.complete() {
		c.over()
	}
	n, err := c.Conn.Read(b)
	if c.got < len(c.head) {
		copy(c.head[c.got:], b[:n])
	}
	c.got += n
	if err != nil {
		c.over()
	}
	return n, err
}

// complete tells whether the first frame was read.
func (c *settling) complete() bool {
	length, _ := parseFrameHeader(c.head[:])
	return c.got >= len(c.head) && c.got >= len(c.head)+length
}

// over ends the wait.
func (c *settling) over() {
	if !c.known.Swap(true) {
		close(c.done)
	}
}

// Close closes the connection.
func (c *settling) Close() error {
	c.over()
	return c.Conn.Close()
}

// wait waits until the SETTINGS are known. An instance that does not send them in time is met by the time limits of requests.
func (c *settling) wait(ctx context.Context) {
	select {
	case <-c.done:
	case <-ctx.Done():
	}
}

// older tells whether the instance answered in HTTP/1.1.
func (c *settling) older() bool {
	select {
	case <-c.done:
		return bytes.HasPrefix(c.head[:], []byte("HTTP/1."))
	default:
		return false
	}
}
