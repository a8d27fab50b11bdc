package edge

import (
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// parker is a connection that can be parked: it gives up its goroutine and its buffers until resume, which may be called once, at any
// time and under any lock but its own.
type parker interface{ resume() }

// inBuffers lends what connections read requests into. Parked connections give theirs back: hpack.Decoder holds on to the one it read last,
// so letting go of it would not be enough.
var inBuffers = sync.Pool{New: func() any { return new([initialBuffer]byte) }}

func lendIn() []byte { return inBuffers.Get().(*[initialBuffer]byte)[:] }

// returnIn takes a buffer back, unless it has grown.
func returnIn(b []byte) {
	if len(b) == initialBuffer {
		inBuffers.Put((*[initialBuffer]byte)(b))
	}
}

// lot is where idle connections wait without a goroutine, whose stack would be most of what they cost. The kernel tells when one has
// something to say.
type lot struct {
	poll *os.File // an epoll instance, which the runtime's own poller waits for

	mu     sync.Mutex
	parked map[int32]parker // by file descriptor
	seen   int              // how many were parked when tidy last looked
	tidied int              // and when it last gave memory back
}

// newLot makes a lot; without one, which only happens when files have run out, connections keep their goroutines.
func newLot() (*lot, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll instance: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the file would not be polled
		unix.Close(fd)
		return nil, fmt.Errorf("make an epoll instance: %w", err)
	}
	return &lot{poll: os.NewFile(uintptr(fd), "epoll"), parked: map[int32]parker{}}, nil
}

// control works on the epoll instance.
func (l *lot) control(op int, fd int32, events uint32) error {
	raw, err := l.poll.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(poll uintptr) {
		failed = unix.EpollCtl(int(poll), op, int(fd), &unix.EpollEvent{Events: events, Fd: fd})
	})
	if err == nil {
		err = failed
	}
	return err
}

// park waits for conn to say something on behalf of p; false when that cannot be.
func (l *lot) park(conn net.Conn, p parker) (fd int32, ok bool) {
	sc, ok := conn.(syscall.Conn)
	if !ok || l == nil {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err = raw.Control(func(n uintptr) {
		fd = int32(n)
		err := l.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLONESHOT)
		if ok = err == nil; ok {
			l.parked[fd] = p
		}
	})
	return fd, ok && err == nil
}

// wake resumes what is parked as fd, unless somebody else did.
func (l *lot) wake(fd int32) {
	l.mu.Lock()
	p := l.parked[fd]
	if p != nil {
		delete(l.parked, fd)
		_ = l.control(unix.EPOLL_CTL_DEL, fd, 0) // fails when the connection is closed already, which takes it out too
	}
	l.mu.Unlock()
	if p != nil {
		p.resume()
	}
}

// run resumes connections that have something to say, until close.
func (l *lot) run() {
	raw, err := l.poll.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, 128)
	for err == nil {
		n := 0
		err = raw.Read(func(poll uintptr) bool {
			n, _ = unix.EpollWait(int(poll), events, 0)
			return n > 0
		})
		for _, e := range events[:max(n, 0)] {
			l.wake(e.Fd)
		}
	}
}

// close ends run.
func (l *lot) close() { l.poll.Close() }

// worthTidying is how many connections must be parked before their buffers are worth a collection.
const worthTidying = 500

// tidy gives memory back to the system when more connections than the last time have parked and no others follow: what they left behind
// would else lie until the next collection, which an edge with nothing to do does not begin.
func (l *lot) tidy() {
	l.mu.Lock()
	n := len(l.parked)
	due := n == l.seen && n >= worthTidying && n > l.tidied+l.tidied/16
	if l.seen = n; due || n < l.tidied/2 {
		l.tidied = n
	}
	l.mu.Unlock()
	if due {
		go debug.FreeOSMemory()
	}
}
