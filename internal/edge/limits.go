package edge

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/apprunner/spell"
)

// Limits is the one table of what a client, an instance or a queue may cost. Zero members take the values of [DefaultLimits].
type Limits struct {
	// Handshake is how long a TLS handshake may take.
	Handshake time.Duration
	// HeadRead is how long a request head may take from its first byte; then 408.
	HeadRead time.Duration
	// HeadBytes is the most a request or response head may measure; then 431, or 502 for an instance.
	HeadBytes int
	// TargetBytes is the most a request target (path and query) may measure; then 414.
	TargetBytes int
	// Headers is the most header lines a head may have; then 431, or 502 for an instance.
	Headers int
	// ClientIdle is how long a connection may lie between two requests.
	ClientIdle time.Duration
	// Park is how long a connection lies so before it gives up its goroutine and its buffers; the next request takes some microseconds
	// longer then.
	Park time.Duration
	// ClientStall is how long a client may neither send a byte of a body nor take one of an answer; then the request ends.
	ClientStall time.Duration
	// BodyRead is how long a request body of up to 64 KB, which is read before an instance is asked, may take in all; then 408. Larger
	// ones count against the time of the request.
	BodyRead time.Duration
	// BodyRate is the fewest bytes a second of a larger request body while an instance waits for it and has not begun to answer; then 408.
	BodyRate int
	// BodyGrace is how long such a body may be slower, in all; what comes faster makes up for it.
	BodyGrace time.Duration
	// Linger is how long the rest of an unwanted request body is read, so that the client sees the answer and not a reset.
	Linger time.Duration
	// Connect is how long an instance may take to accept a connection.
	Connect time.Duration
	// UpstreamIdle is how long an unused connection to an instance is kept. Below the 5 s after which Node.js and uvicorn
	// close theirs, so that we are first.
	UpstreamIdle time.Duration
	// UpstreamIdleConns is the most unused connections kept to one instance.
	UpstreamIdleConns int
	// QueueWait is how long a request waits for a place when all instances are full; then 429 (§12.2). When it is set it goes before
	// what the route says.
	QueueWait time.Duration
	// QueueLength is the most requests of one service that wait; beyond it, 429 at once. When it is set it goes before what the route
	// says.
	QueueLength int
	// Conns is the most connections of clients at a time; beyond it new ones are closed at once. 0 is three quarters of the files that the
	// process may open, for each may need a connection to an instance.
	Conns int
	// ConnsPerAddress is the most of them from one address, or one /64 of IPv6; beyond it they are closed at once.
	ConnsPerAddress int
	// ConnsPerService is the most of them whose first request was for one service; then 503.
	ConnsPerService int
	// StreamsPerConn is the most HTTP/2 streams of one connection at a time.
	StreamsPerConn int
	// StreamResets is how many streams of one connection may be thrown away at once, by the client or for its faults; a tenth of it
	// every second from then on. Beyond it the connection ends.
	StreamResets int
	// ControlFrames bounds in the same way the HTTP/2 frames that carry no request or body: PING, SETTINGS, PRIORITY, empty DATA.
	// Requests and bodies earn a connection more of them.
	ControlFrames int
	// TunnelDrain is how long a tunnel (WebSocket) or a stream may go on at a draining instance. More than the 120 s after which the
	// instance is told to stop (§9) and the 30 s that it has for that: it may close them in its own words, this is for what is open
	// still.
	TunnelDrain time.Duration
	// Drain is how long requests in flight may take to finish when the edge ends.
	Drain time.Duration
	// DrainIdle is how long a draining edge waits for a last request on an idle connection before it closes it.
	DrainIdle time.Duration
	// Tick is how often the limits are looked at; it is their precision.
	Tick time.Duration

	// What was asked for goes before what is found fit for a service.
	askedWait   time.Duration
	askedLength int
}

// row is one limit of the table.
type row struct {
	name  string
	field func(*Limits) any // *int or *time.Duration
	value any               // the default
}

// rows is the table of limits: how each is called in settings, and its default.
func rows() []row {
	return []row{
		{"handshake", func(l *Limits) any { return &l.Handshake }, 10 * time.Second},
		{"head-read", func(l *Limits) any { return &l.HeadRead }, 15 * time.Second},
		{"head-bytes", func(l *Limits) any { return &l.HeadBytes }, 64 << 10},
		{"target-bytes", func(l *Limits) any { return &l.TargetBytes }, 16 << 10},
		{"headers", func(l *Limits) any { return &l.Headers }, 128},
		{"client-idle", func(l *Limits) any { return &l.ClientIdle }, 75 * time.Second},
		{"park", func(l *Limits) any { return &l.Park }, time.Second},
		{"client-stall", func(l *Limits) any { return &l.ClientStall }, 30 * time.Second},
		{"body-read", func(l *Limits) any { return &l.BodyRead }, 60 * time.Second},
		{"body-rate", func(l *Limits) any { return &l.BodyRate }, 500},
		{"body-grace", func(l *Limits) any { return &l.BodyGrace }, 20 * time.Second},
		{"linger", func(l *Limits) any { return &l.Linger }, time.Second},
		{"connect", func(l *Limits) any { return &l.Connect }, 3 * time.Second},
		{"upstream-idle", func(l *Limits) any { return &l.UpstreamIdle }, 4 * time.Second},
		{"upstream-idle-conns", func(l *Limits) any { return &l.UpstreamIdleConns }, 256},
		{"queue-wait", func(l *Limits) any { return &l.QueueWait }, 10 * time.Second},
		{"queue-length", func(l *Limits) any { return &l.QueueLength }, 1000},
		{"conns", func(l *Limits) any { return &l.Conns }, 0},
		{"conns-per-address", func(l *Limits) any { return &l.ConnsPerAddress }, 16384},
		{"conns-per-service", func(l *Limits) any { return &l.ConnsPerService }, 65536},
		{"streams-per-conn", func(l *Limits) any { return &l.StreamsPerConn }, 250},
		{"stream-resets", func(l *Limits) any { return &l.StreamResets }, 500},
		{"control-frames", func(l *Limits) any { return &l.ControlFrames }, 2000},
		{"tunnel-drain", func(l *Limits) any { return &l.TunnelDrain }, 155 * time.Second},
		{"drain", func(l *Limits) any { return &l.Drain }, 120 * time.Second},
		{"drain-idle", func(l *Limits) any { return &l.DrainIdle }, time.Second},
		{"tick", func(l *Limits) any { return &l.Tick }, 200 * time.Millisecond},
	}
}

// DefaultLimits returns the limits of an edge that was given none.
func DefaultLimits() Limits { return Limits{}.withDefaults() }

// withDefaults fills what was left zero.
func (l Limits) withDefaults() Limits {
	l.askedWait, l.askedLength = l.QueueWait, l.QueueLength
	for _, r := range rows() {
		switch v := r.field(&l).(type) {
		case *int:
			fill(v, r.value.(int))
		case *time.Duration:
			fill(v, r.value.(time.Duration))
		}
	}
	fill(&l.Conns, mostConns())
	return l
}

// mostConns is how many connections of clients the files allow that the process may open.
func mostConns() int {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		return 1 << 16
	}
	return int(min(files.Cur, 1<<22) / 4 * 3)
}

// ParseLimits reads limits in the form "head-bytes=32768 client-idle=30s", names and values as in the table of docs/limits.md. Those
// not named stay zero, for the default. A value that is no positive number, or no time of at least a millisecond, is refused.
func ParseLimits(text string) (Limits, error) {
	var l Limits
	for pair := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(pair, "=")
		if err := l.set(name, value); err != nil {
			return Limits{}, err
		}
	}
	return l, nil
}

func (l *Limits) set(name, value string) error {
	for _, r := range rows() {
		if r.name != name {
			continue
		}
		var err error
		ok := false
		switch v := r.field(l).(type) {
		case *int:
			*v, err = strconv.Atoi(value)
			ok = *v > 0
		case *time.Duration:
			*v, err = time.ParseDuration(value)
			ok = *v >= time.Millisecond
		}
		if err != nil || !ok {
			return fmt.Errorf("limit %s: %q is not allowed, it must be %s; its default is %v", name, value, r.form(), r.value)
		}
		return nil
	}
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	if meant := spell.Nearest(name, names); meant != "" {
		return fmt.Errorf("%q is no limit; did you mean %s?", name, meant)
	}
	return fmt.Errorf("%q is no limit; docs/limits.md lists them", name)
}

// form is what a value may be.
func (r row) form() string {
	if _, number := r.value.(int); number {
		return "a whole number from 1"
	}
	return "a time from 1ms, such as 30s"
}

// fill sets v to d when it is not positive.
func fill[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
