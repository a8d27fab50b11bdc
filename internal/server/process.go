package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one run of a role, as its parent, the supervisor, sees it.
type process struct {
	role    string
	pid     int
	started time.Time
	ready   chan struct{} // closed when it has said that it is ready
	done    chan struct{} // closed when it has ended

	mu     sync.Mutex
	reason string // why it ended, in its own words
	err    error  // how it ended
}

// spawn starts a program in a role. binary is its path; "" is the program this process runs, even when its file has been replaced.
func spawn(role, binary, dataDir string, files []*os.File, env ...string) (*process, error) {
	if binary == "" {
		binary = "/proc/self/exe"
	}
	from, to, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	defer to.Close()
	cmd := exec.Command(binary, role, "--data-dir", dataDir) //nolint:noctx // ended by end, with the time it needs
	cmd.Args[0] = "slipway"
	cmd.ExtraFiles = append(files[:len(files):len(files)], to)
	cmd.Env = append(os.Environ(), append(env, reportVariable+"="+strconv.Itoa(2+len(cmd.ExtraFiles)))...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	// Ctrl-C reaches the whole foreground group; only the supervisor may decide what it means. A supervisor that is killed
	// leaves its roles serving; the next one ends them before it starts its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		from.Close()
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	p := newProcess(role, cmd.Process.Pid)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		p.listen(from)
	}()
	go func() {
		err := cmd.Wait()
		select {
		case <-heard:
		case <-time.After(time.Second): // something it started holds its end of the pipe
		}
		from.Close()
		p.ended(err)
	}()
	return p, nil
}

// adopt takes up a child that an earlier program of this same process has started.
func adopt(role string, pid int) (*process, error) {
	child, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("take up %s (process %d): %w", role, pid, err)
	}
	p := newProcess(role, pid)
	close(p.ready)
	go func() {
		state, err := child.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		p.ended(err)
	}()
	return p, nil
}

func newProcess(role string, pid int) *process {
	return &process{role: role, pid: pid, started: time.Now(), ready: make(chan struct{}), done: make(chan struct{})}
}

// listen takes what the process reports.
func (p *process) listen(from *os.File) {
	lines := bufio.NewScanner(from)
	for ready := false; lines.Scan(); {
		word, text, _ := strings.Cut(lines.Text(), " ")
		switch {
		case word == reportReady && !ready:
			ready = true
			close(p.ready)
		case word == reportFailed:
			p.mu.Lock()
			p.reason = text
			p.mu.Unlock()
		}
	}
}

func (p *process) ended(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.done)
}

// failure tells how a process ended that should not have.
func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.reason != "":
		return errors.New(p.reason)
	case p.err != nil:
		return p.err
	}
	return errors.New("it ended without saying why")
}

// awaitReady waits until the process is ready, at most for patience.
func (p *process) awaitReady(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ready:
		return nil
	case <-p.done:
		return fmt.Errorf("the new %s ended before it was ready: %w", p.role, p.failure())
	case <-timer.C:
		return fmt.Errorf("the new %s was not ready within %s", p.role, patience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lives watches the process for a while and tells when it ends.
func (p *process) lives(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.done:
		return fmt.Errorf("the new %s ended at once: %w", p.role, p.failure())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end ends the process: politely first, and for good when that takes longer than grace.
func (p *process) end(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return
	case <-timer.C:
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal sends a signal unless the process has ended: its number may be another's by then.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(p.pid, sig) // it may be ending now
	}
}

// over tells whether the process has ended.
func (p *process) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
