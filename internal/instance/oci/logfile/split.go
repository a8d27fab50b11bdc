package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
)

// idle is how long an unterminated line (a prompt, a progress bar) waits for its end before it is written as it is.
const idle = 200 * time.Millisecond

// Source is a pipe that an application writes one of its streams to.
type Source struct {
	Pipe   *os.File
	Stream instance.Stream

	line  []byte    // the beginning of a line whose end has not come
	since time.Time // when that came
}

// Copier copies what is written to pipes into a log, in the order in which it was written as far as the kernel tells: of pipes that were
// written to while nobody read, which one was first.
type Copier struct {
	w    *Writer
	poll *os.File // an epoll instance, which the runtime's own poller waits for
	open map[int32]*Source
}

// NewCopier makes a copier of pipes, which stay the caller's to close after [Copier.Run].
func NewCopier(w *Writer, sources ...*Source) (*Copier, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch output pipes: %w", err)
	}
	err = unix.SetNonblock(fd, true) // or the file would not be polled
	c := &Copier{w: w, poll: os.NewFile(uintptr(fd), "epoll"), open: map[int32]*Source{}}
	for _, s := range sources {
		err = errors.Join(err, s.control(func(pipe int) error {
			c.open[int32(pipe)] = s
			return unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, pipe, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(pipe)})
		}))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch output pipes: %w", err), c.poll.Close())
	}
	return c, nil
}

// control works on the descriptor of the pipe.
func (s *Source) control(f func(fd int) error) error {
	raw, err := s.Pipe.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	return errors.Join(raw.Control(func(fd uintptr) { failed = f(int(fd)) }), failed)
}

// Close makes Run return before the pipes are at their end.
func (c *Copier) Close() error { return c.poll.Close() }

// Run copies until all pipes are at their end, and writes every line as one record of its stream. Lines longer than
// instance.MaxLogLineBytes are split.
func (c *Copier) Run() {
	raw, err := c.poll.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, len(c.open))
	chunk := make([]byte, 8<<10)
	for len(c.open) > 0 {
		_ = c.poll.SetReadDeadline(c.deadline())
		n := 0
		err := raw.Read(func(poll uintptr) bool {
			n, _ = unix.EpollWait(int(poll), events, 0)
			return n > 0
		})
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		for _, e := range events[:max(n, 0)] {
			c.take(e.Fd, chunk)
		}
		c.flush(time.Now().Add(-idle), true)
	}
	c.flush(time.Now(), false)
}

// deadline is when the oldest unterminated line is written as it is; zero when there is none.
func (c *Copier) deadline() (next time.Time) {
	for _, s := range c.open {
		if due := s.since.Add(idle); len(s.line) > 0 && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// mostAtOnce is how much is read of one pipe before the others have their turn: as much as a pipe holds.
const mostAtOnce = 64 << 10

// take reads what a pipe holds.
func (c *Copier) take(fd int32, chunk []byte) {
	s := c.open[fd]
	for got := 0; s != nil && got < mostAtOnce; {
		n, err := unix.Read(int(fd), chunk)
		if n > 0 {
			got += n
			now := time.Now()
			s.line, s.since = c.w.lineUp(now, s.Stream, s.line, chunk[:n]), now
			continue
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			if len(s.line) > 0 {
				c.w.Write(time.Now(), s.Stream, s.line, false)
			}
			s.line = nil
			delete(c.open, fd)
			_ = s.control(func(pipe int) error { // it would be ready for ever
				return c.control(func(poll int) error { return unix.EpollCtl(poll, unix.EPOLL_CTL_DEL, pipe, nil) })
			})
		}
		return
	}
}

// control works on the epoll instance.
func (c *Copier) control(f func(poll int) error) error {
	raw, err := c.poll.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	return errors.Join(raw.Control(func(poll uintptr) { failed = f(int(poll)) }), failed)
}

// flush writes the unterminated lines that came before a moment.
func (c *Copier) flush(before time.Time, partial bool) {
	for _, s := range c.open {
		if len(s.line) > 0 && !s.since.After(before) {
			c.w.Write(time.Now(), s.Stream, s.line, partial)
			s.line = nil
		}
	}
}

// lineUp writes the whole lines of rest and data and returns what remains, always less than a longest line.
func (w *Writer) lineUp(now time.Time, stream instance.Stream, rest, data []byte) []byte {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			rest = append(rest, data...)
			data = nil
		} else {
			rest = append(rest, data[:end]...)
			data = data[end+1:]
		}
		for len(rest) > maxLine {
			w.Write(now, stream, rest[:maxLine], true)
			rest = rest[maxLine:]
		}
		if end >= 0 {
			w.Write(now, stream, bytes.TrimSuffix(rest, []byte("\r")), false)
			rest = rest[:0]
			if cap(rest) > 64<<10 {
				rest = nil
			}
		}
	}
	return rest
}
