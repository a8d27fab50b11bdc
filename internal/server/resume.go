package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// resumeVariable carries over what a supervisor that becomes another program holds (a [baton]), or asks a program whether it could
// take over.
const (
	resumeVariable = "SLIPWAY_RESUME"
	resumeCheck    = "check"
)

// baton is what the next program of a supervisor takes up: open descriptors and children.
type baton struct {
	Lock          int
	Sockets       map[string]int
	Edge, Control int   // process ids
	Retiring      []int // of edges that finish what they have
	Run           Running
}

// printSettled tells the program that asks what this one makes of its arguments.
func printSettled(c Config) error {
	b, err := json.Marshal(c)
	if err == nil {
		_, err = os.Stdout.Write(b)
	}
	return err
}

// carryOn makes this process run another program, which keeps the lock, the sockets and the roles. It returns only when that failed.
func (s *supervisor) carryOn(ctx context.Context, binary string, over func()) error {
	err := errEnding
	// Both keepers stand still meanwhile: nothing is started that the next program would not know of.
	s.edge.do(ctx, func(front *process) *process {
		s.control.do(ctx, func(back *process) *process {
			err = s.become(binary, front, back, over)
			return back
		})
		return front
	})
	return err
}

func (s *supervisor) become(binary string, front, back *process, over func()) error {
	if front == nil || front.over() || back == nil || back.over() {
		return errors.New("the new edge or the new control ended at once")
	}
	b := s.baton(binary, front.pid, back.pid)
	text, err := json.Marshal(b)
	if err == nil {
		err = keepOpen(b.descriptors(), true)
	}
	if err != nil {
		return fmt.Errorf("replace the supervisor: %w", err)
	}
	over()
	err = syscall.Exec(binary, append([]string{binary}, os.Args[1:]...), append(os.Environ(), resumeVariable+"="+string(text)))
	return errors.Join(fmt.Errorf("replace the supervisor: %w", err), keepOpen(b.descriptors(), false))
}

// baton gathers what the next program takes up.
func (s *supervisor) baton(binary string, front, back int) baton {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := baton{Lock: int(s.lock.Fd()), Sockets: map[string]int{}, Edge: front, Control: back, Run: s.run}
	b.Run.Upgrades++
	b.Run.Upgrade = Outcome{At: time.Now().UTC(), Binary: binary}
	for name, f := range s.socks.files {
		b.Sockets[name] = int(f.Fd())
	}
	for p := range s.retiring {
		b.Retiring = append(b.Retiring, p.pid)
	}
	return b
}

func (b baton) descriptors() []int {
	fds := []int{b.Lock}
	for _, fd := range b.Sockets {
		fds = append(fds, fd)
	}
	return fds
}

// keepOpen lets descriptors survive the change of the program, or not.
func keepOpen(fds []int, keep bool) error {
	flag := unix.FD_CLOEXEC
	if keep {
		flag = 0
	}
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flag); err != nil {
			return fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	return nil
}

// resume takes up what the former program of this process held; nil when there was none.
func (v Supervision) resume() (*supervisor, error) {
	text := os.Getenv(resumeVariable)
	if text == "" {
		return nil, nil
	}
	if err := os.Unsetenv(resumeVariable); err != nil {
		return nil, err
	}
	var b baton
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return nil, fmt.Errorf("take over from the former program: %w", err)
	}
	if err := keepOpen(b.descriptors(), false); err != nil {
		return nil, fmt.Errorf("take over from the former program: %w", err)
	}
	socks := &sockets{addrs: b.Run.Addresses, files: map[string]*os.File{}}
	for name, fd := range b.Sockets {
		socks.files[name] = os.NewFile(uintptr(fd), name)
	}
	b.Run.PID, b.Run.Version = os.Getpid(), v.Version
	s := v.supervisor(os.NewFile(uintptr(b.Lock), "lock"), socks, b.Run)
	return s, s.adopt(b)
}

// adopt takes up the children.
func (s *supervisor) adopt(b baton) (err error) {
	if s.edge.adopted, err = adopt(s.edge.name, b.Edge); err != nil {
		return err
	}
	if s.control.adopted, err = adopt(s.control.name, b.Control); err != nil {
		return err
	}
	for _, pid := range b.Retiring {
		p, err := adopt(s.edge.name, pid)
		if err != nil {
			return err
		}
		s.retire(p)
	}
	return nil
}
