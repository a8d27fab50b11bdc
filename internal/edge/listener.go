package edge

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// FileListener returns the listening socket that was inherited as file descriptor fd. The socket stays open in every other
// process that holds it: closing the listener ends only this process's part.
func FileListener(fd uintptr, name string) (net.Listener, error) {
	f := os.NewFile(fd, name)
	if f == nil {
		return nil, fmt.Errorf("inherit listener %s: descriptor %d is not open", name, fd)
	}
	defer f.Close() // net.FileListener works on a duplicate
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("inherit listener %s: %w", name, err)
	}
	return l, nil
}

// acceptAll hands every connection of l to serve until l is closed. Want of descriptors or memory is waited out.
func (s *Server) acceptAll(l net.Listener, serve func(*clientConn)) error {
	wait := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err == nil {
			wait = 0
			if cc := s.conns.add(nc, &s.limits); cc != nil {
				go serve(cc)
			} else {
				nc.Close()
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.cfg.Log.Warn("cannot accept a connection", "listener", l.Addr().String(), "error", err, "retry_in", wait)
		select {
		case <-time.After(wait):
		case <-s.stopAccept:
			return nil
		}
	}
}

// handover is a listener whose connections come from elsewhere in this process.
type handover struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), done: make(chan struct{})}
}

// give passes c to who accepts; when nobody will, c is closed.
func (h *handover) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		c.Close()
	}
}

// Accept waits for the next connection given.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr is of no meaning.
func (h *handover) Addr() net.Addr { return &net.UnixAddr{Name: "handover", Net: "unix"} }
