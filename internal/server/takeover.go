package server

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"slipway.dev/slipway/internal/edge"
)

const (
	// startPatience is how long a new process may take until it is ready.
	startPatience = 20 * time.Second
	// controlPatience is the same for control, which may have records to migrate.
	controlPatience = 2 * time.Minute
	// trial is how long a new process is watched before it is trusted, and again before the former one is let go.
	trial = 500 * time.Millisecond
	// retirement is how long an edge may take to finish what it has: what it is allowed itself, and a little more.
	retirement = 135 * time.Second
	// elderVariable tells an edge which one it takes over from, by that one's control socket.
	elderVariable = "SLIPWAY_ELDER"
)

// replaceEdge lets a new edge of a program take over from the present one, which serves until the new one has proved itself and then
// finishes what it has. An error leaves the present one in charge.
func (s *supervisor) replaceEdge(ctx context.Context, binary string) error {
	err := errEnding
	s.edge.do(ctx, func(now *process) *process {
		if now == nil {
			err = errors.New("the edge is not running at this moment")
			return now
		}
		var young *process
		if young, err = s.succeed(ctx, now, binary); err != nil {
			return now
		}
		s.edge.binary = binary
		s.retire(now)
		return young
	})
	return err
}

var errEnding = errors.New("the installation is ending")

// succeed starts an edge beside the present one and hands over to it. The new one is ended when anything is wrong with it.
func (s *supervisor) succeed(ctx context.Context, now *process, binary string) (*process, error) {
	young, err := s.spawn(s.edge, binary, elderVariable+"="+s.c.edgeFile(now.pid, "sock"))
	if err != nil {
		return nil, err
	}
	if err := s.handOver(ctx, young); err != nil {
		s.finish(young, time.Second)
		return nil, errors.Join(err, s.nameEdge(now.pid))
	}
	return young, nil
}

func (s *supervisor) handOver(ctx context.Context, young *process) error {
	if err := young.awaitReady(ctx, startPatience); err != nil {
		return err
	}
	if err := young.lives(ctx, trial); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := edge.NewClient(s.c.edgeFile(young.pid, "sock")).Accept(short); err != nil {
		return fmt.Errorf("the new edge does not accept connections: %w", err)
	}
	if err := s.nameEdge(young.pid); err != nil {
		return err
	}
	return young.lives(ctx, trial)
}

// retire lets an edge finish what it has.
func (s *supervisor) retire(p *process) {
	s.mu.Lock()
	s.retiring[p] = true
	s.mu.Unlock()
	s.retired.Go(func() {
		p.signal(syscall.SIGTERM)
		timer := time.NewTimer(retirement)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
		case <-s.ending:
		}
		s.finish(p, childGrace)
		s.mu.Lock()
		delete(s.retiring, p)
		s.mu.Unlock()
	})
}

// replaceControl ends the present control and starts that of another program; callers of the API wait meanwhile. When the new one
// does not come to serve, the former program is started again.
func (s *supervisor) replaceControl(ctx context.Context, binary string) error {
	err := errEnding
	s.control.do(ctx, func(now *process) *process {
		if now != nil {
			s.finish(now, childGrace)
		}
		var young *process
		if young, err = s.tryControl(ctx, binary); err == nil {
			s.control.binary = binary
		}
		return young
	})
	return err
}

// tryControl starts the control of a program and returns it when it serves.
func (s *supervisor) tryControl(ctx context.Context, binary string) (*process, error) {
	p, err := s.spawn(s.control, binary)
	if err != nil {
		return nil, err
	}
	if err = p.awaitReady(ctx, controlPatience); err == nil {
		err = s.awaitServing(ctx, p)
	}
	if err == nil {
		err = p.lives(ctx, trial)
	}
	if err != nil {
		s.finish(p, childGrace)
		return nil, err
	}
	return p, nil
}

// awaitServing waits until requests are served with a new control.
func (s *supervisor) awaitServing(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for !s.c.serves(ctx) {
		if p.over() {
			return fmt.Errorf("the new control ended at once: %w", p.failure())
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the new control did not serve within %s", startPatience)
		}
		pause(ctx, 20*time.Millisecond)
	}
	return nil
}
