package instancetest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"slipway.dev/slipway/internal/instance"
)

// fakeInstance is one goroutine of a World that acts as a process.
type fakeInstance struct {
	spec  instance.Spec
	kill  context.CancelFunc
	ctx   context.Context //nolint:containedctx // the process's life
	term  chan struct{}
	ended chan struct{} // closed when exit is set
	gate  *gate
	log   *fakeLog

	mu        sync.Mutex
	info      instance.Instance
	told      bool
	eaten     int
	listeners []net.Listener
}

func newFakeInstance(spec instance.Spec, address netip.Addr, n int) *fakeInstance {
	ctx, cancel := context.WithCancel(context.Background())
	return &fakeInstance{
		spec: spec, ctx: ctx, kill: cancel, term: make(chan struct{}), ended: make(chan struct{}), gate: newGate(), log: &fakeLog{},
		info: instance.Instance{
			ID: spec.ID, ServiceARN: spec.ServiceARN, DeploymentID: spec.DeploymentID, Address: address, PID: 1000 + n,
			State: instance.Running, StartedAt: time.Now().UTC(),
		},
	}
}

// begin runs the program.
func (i *fakeInstance) begin(program Program) {
	stdout, stderr := &lineWriter{log: i.log, stream: instance.StreamStdout}, &lineWriter{log: i.log, stream: instance.StreamStderr}
	go func() {
		code := program(i.ctx, Process{
			Args: i.spec.Args, Env: i.spec.Env, Stdout: stdout, Stderr: stderr, Terminate: i.term, Listen: i.listen, Eat: i.eat,
		})
		stdout.flush()
		stderr.flush()
		i.end(instance.Exit{Code: code})
	}()
}

// end makes exit the instance's end, unless it ended before.
func (i *fakeInstance) end(exit instance.Exit) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.info.Exit != nil {
		return
	}
	exit.MemoryMiB = i.spec.MemoryMiB
	if exit.At.IsZero() {
		exit.At = time.Now().UTC()
	}
	i.info.State, i.info.Exit, i.info.PID = instance.Exited, &exit, 0
	for _, l := range i.listeners {
		l.Close()
	}
	i.kill()
	close(i.ended)
}

func (i *fakeInstance) terminate() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.told {
		i.told = true
		close(i.term)
	}
}

func (i *fakeInstance) snapshot() instance.Instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	info := i.info
	if info.Exit != nil {
		exit := *info.Exit
		info.Exit = &exit
	}
	return info
}

// eat ends the instance when it has taken more than its limit.
func (i *fakeInstance) eat(mib int) {
	i.mu.Lock()
	i.eaten += mib
	over := i.eaten > i.spec.MemoryMiB
	i.mu.Unlock()
	if over {
		i.end(instance.Exit{Code: 137, Signal: "SIGKILL", OOMKilled: true})
	}
}

func (i *fakeInstance) eatenMiB() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.eaten
}

func (i *fakeInstance) listen(port string) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(i.info.Address.String(), port))
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.info.Exit != nil {
		l.Close()
	}
	i.listeners = append(i.listeners, l)
	return gatedListener{l, i.gate}, nil
}

func (i *fakeInstance) sockets() []netip.AddrPort {
	i.mu.Lock()
	defer i.mu.Unlock()
	var list []netip.AddrPort
	for _, l := range i.listeners {
		if a, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			list = append(list, a)
		}
	}
	return list
}

// gate lets traffic through or holds it: the fake's freezer.
type gate struct {
	mu     sync.Mutex
	cond   *sync.Cond
	closed bool
}

func newGate() *gate {
	g := &gate{}
	g.cond = sync.NewCond(&g.mu)
	return g
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
	g.cond.Broadcast()
}

func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.closed {
		g.cond.Wait()
	}
}

type gatedListener struct {
	net.Listener
	gate *gate
}

func (l gatedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return gatedConn{conn, l.gate}, nil
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.gate.pass()
	return n, err
}

func (c gatedConn) Write(b []byte) (int, error) {
	c.gate.pass()
	return c.Conn.Write(b)
}

// fakeLog keeps records in memory; a cursor's offset counts records.
type fakeLog struct {
	mu      sync.Mutex
	records []instance.LogRecord
	trimmed int64
	stopped bool
}

func (l *fakeLog) add(stream instance.Stream, line string, partial bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, instance.LogRecord{Time: time.Now().UTC(), Stream: stream, Line: line, Partial: partial})
}

func (l *fakeLog) read(from instance.Cursor) ([]instance.LogRecord, instance.Cursor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from.Offset = min(max(from.Offset, l.trimmed), int64(len(l.records)))
	records := append([]instance.LogRecord(nil), l.records[from.Offset:]...)
	return records, instance.Cursor{Offset: from.Offset + int64(len(records))}
}

// stop marks the instance stopped and tells whether nothing is left to read.
func (l *fakeLog) stop() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	return l.trimmed == int64(len(l.records))
}

func (l *fakeLog) isStopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// trim tells whether the instance was stopped and nothing is left to read.
func (l *fakeLog) trim(before instance.Cursor) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trimmed = max(l.trimmed, min(before.Offset, int64(len(l.records))))
	return l.stopped && l.trimmed == int64(len(l.records))
}

// lineWriter splits what a program writes into records.
type lineWriter struct {
	log    *fakeLog
	stream instance.Stream

	mu   sync.Mutex
	rest []byte
}

var _ io.Writer = (*lineWriter)(nil)

func (w *lineWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, b...)
	for {
		line, after, found := bytes.Cut(w.rest, []byte("\n"))
		for len(line) > instance.MaxLogLineBytes {
			w.log.add(w.stream, string(line[:instance.MaxLogLineBytes]), true)
			line = line[instance.MaxLogLineBytes:]
		}
		if !found {
			w.rest = line
			return len(b), nil
		}
		w.log.add(w.stream, string(bytes.TrimSuffix(line, []byte("\r"))), false)
		w.rest = after
	}
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) > 0 {
		w.log.add(w.stream, string(w.rest), false)
		w.rest = nil
	}
}
