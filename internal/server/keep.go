package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	restartFirst = 50 * time.Millisecond
	restartMost  = 5 * time.Second
	// childGrace is how long a role may take to end after SIGTERM.
	childGrace = 15 * time.Second
)

// role is a part of Slipway that the supervisor keeps alive, as one process or, while a new one takes over, two.
type role struct {
	name    string
	sockets []string
	asks    chan ask
	binary  string   // what its next process runs; "" is the supervisor's own program
	adopted *process // runs already when the supervisor begins
}

// ask is something done to the process of a role by whoever keeps it, so that nobody starts another one meanwhile. It gets the present
// process and returns the one to be kept from then on.
type ask func(now *process) *process

// do has f done to the process of the role; false when nobody keeps it any more.
func (r *role) do(ctx context.Context, f ask) bool {
	done := make(chan struct{})
	select {
	case r.asks <- func(now *process) *process { defer close(done); return f(now) }:
		<-done
		return true
	case <-ctx.Done():
		return false
	}
}

// keep runs a role and starts it again when it ends.
func (s *supervisor) keep(ctx context.Context, r *role) error {
	wait := restartFirst
	p, err := r.adopted, error(nil)
	for {
		if p == nil {
			if p, err = s.start(r); err != nil {
				s.log.Error("a part of Slipway cannot be started; it is tried again", "role", r.name, "err", err)
			}
		}
		p = s.attend(ctx, r, p, wait)
		if ctx.Err() != nil {
			if p != nil {
				s.finish(p, childGrace)
			}
			return nil
		}
		if p == nil || !p.over() {
			continue
		}
		lived := time.Since(p.started)
		s.log.Error("a part of Slipway ended and is started again", "role", r.name, "err", p.failure(), "after", lived.Round(time.Millisecond))
		s.finish(p, childGrace)
		p = s.attend(ctx, r, nil, wait)
		wait = nextPause(wait, lived)
	}
}

// attend waits for the end of a process, or for a while when there is none, and does what is asked meanwhile. It returns the process
// to be kept.
func (s *supervisor) attend(ctx context.Context, r *role, p *process, wait time.Duration) *process {
	var over chan struct{}
	var passed <-chan time.Time
	if p != nil {
		over = p.done
	} else {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-ctx.Done():
	case <-over:
	case <-passed:
	case f := <-r.asks:
		return f(p)
	}
	return p
}

// nextPause is how long a role is left alone when it ends the next time: twice as long as this time, less for the time that it lived,
// so that one that cannot start slows down and one that served is back at once.
func nextPause(last, lived time.Duration) time.Duration {
	return min(max(2*last-lived/4, restartFirst), restartMost)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// start starts a process of a role that nobody has at present.
func (s *supervisor) start(r *role) (*process, error) {
	p, err := s.spawn(r, r.binary)
	if err == nil && r == s.edge {
		go s.nameWhenReady(p)
	}
	return p, err
}

// spawn starts a process with the sockets of a role.
func (s *supervisor) spawn(r *role, binary string, env ...string) (*process, error) {
	files, fds := s.socks.inherit(r.sockets...)
	return spawn(r.name, binary, s.c.DataDir, files, append(env, fds)...)
}

// finish ends a process and takes away what it left.
func (s *supervisor) finish(p *process, grace time.Duration) {
	p.end(grace)
	if p.role == s.edge.name {
		os.Remove(s.c.edgeFile(p.pid, "sock"))
		os.Remove(s.c.edgeFile(p.pid, "lock"))
	}
}

func (s *supervisor) nameWhenReady(p *process) {
	select {
	case <-p.done:
	case <-p.ready:
		if err := s.nameEdge(p.pid); err != nil {
			s.log.Error("control does not find the edge", "err", err)
		}
	}
}

// nameEdge lets control find the edge that serves: the socket's name leads to that one's own socket.
func (s *supervisor) nameEdge(pid int) error {
	path := s.c.edgeSocket()
	temp := path + ".new"
	os.Remove(temp)
	err := os.Symlink(filepath.Base(s.c.edgeFile(pid, "sock")), temp)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return fmt.Errorf("name the edge: %w", err)
	}
	return nil
}
