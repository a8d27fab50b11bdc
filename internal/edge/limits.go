package edge

import "time"

// Limits is the one table of what a client, an instance or a queue may cost. Zero members take the values of [DefaultLimits].
type Limits struct {
	// Handshake is how long a TLS handshake may take.
	Handshake time.Duration
	// HeadRead is how long a request head may take from its first byte; then 408.
	HeadRead time.Duration
	// HeadBytes is the most a request or response head may measure; then 431, or 502 for an instance.
	HeadBytes int
	// Headers is the most header lines a head may have; then 431, or 502 for an instance.
	Headers int
	// ClientIdle is how long a connection may lie between two requests.
	ClientIdle time.Duration
	// ClientStall is how long a client may neither send a byte of a body nor take one of an answer; then the request ends.
	ClientStall time.Duration
	// Linger is how long the rest of an unwanted request body is read, so that the client sees the answer and not a reset.
	Linger time.Duration
	// Connect is how long an instance may take to accept a connection.
	Connect time.Duration
	// UpstreamIdle is how long an unused connection to an instance is kept. Below the 5 s after which Node.js and uvicorn
	// close theirs, so that we are first.
	UpstreamIdle time.Duration
	// UpstreamIdleConns is the most unused connections kept to one instance.
	UpstreamIdleConns int
	// QueueWait is how long a request waits for a place when all instances are full; then 429 (§12.2).
	QueueWait time.Duration
	// QueueLength is the most requests of one service that wait; beyond it, 429 at once.
	QueueLength int
	// StreamsPerConn is the most HTTP/2 streams of one connection at a time.
	StreamsPerConn int
	// StreamResets is how many streams of one connection may be thrown away at once, by the client or for its faults; a tenth of it
	// every second from then on. Beyond it the connection ends.
	StreamResets int
	// ControlFrames bounds in the same way the HTTP/2 frames that carry no request or body: PING, SETTINGS, PRIORITY, empty DATA.
	// Requests and bodies earn a connection more of them.
	ControlFrames int
	// TunnelDrain is how long a tunnel (WebSocket) may go on at a draining instance: less than the 120 s after which the instance
	// is stopped (§9).
	TunnelDrain time.Duration
	// Drain is how long requests in flight may take to finish when the edge ends.
	Drain time.Duration
	// DrainIdle is how long a draining edge waits for a last request on an idle connection before it closes it.
	DrainIdle time.Duration
	// Tick is how often the limits are looked at; it is their precision.
	Tick time.Duration
}

// DefaultLimits returns the limits of an edge that was given none.
func DefaultLimits() Limits {
	return Limits{
		Handshake:         10 * time.Second,
		HeadRead:          15 * time.Second,
		HeadBytes:         64 << 10,
		Headers:           128,
		ClientIdle:        75 * time.Second,
		ClientStall:       30 * time.Second,
		Linger:            time.Second,
		Connect:           3 * time.Second,
		UpstreamIdle:      4 * time.Second,
		UpstreamIdleConns: 256,
		QueueWait:         10 * time.Second,
		QueueLength:       1000,
		StreamsPerConn:    250,
		StreamResets:      500,
		ControlFrames:     2000,
		TunnelDrain:       110 * time.Second,
		Drain:             120 * time.Second,
		DrainIdle:         time.Second,
		Tick:              200 * time.Millisecond,
	}
}

// withDefaults fills what was left zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	fill(&l.Handshake, d.Handshake)
	fill(&l.HeadRead, d.HeadRead)
	fill(&l.HeadBytes, d.HeadBytes)
	fill(&l.Headers, d.Headers)
	fill(&l.ClientIdle, d.ClientIdle)
	fill(&l.ClientStall, d.ClientStall)
	fill(&l.Linger, d.Linger)
	fill(&l.Connect, d.Connect)
	fill(&l.UpstreamIdle, d.UpstreamIdle)
	fill(&l.UpstreamIdleConns, d.UpstreamIdleConns)
	fill(&l.QueueWait, d.QueueWait)
	fill(&l.QueueLength, d.QueueLength)
	fill(&l.StreamsPerConn, d.StreamsPerConn)
	fill(&l.StreamResets, d.StreamResets)
	fill(&l.ControlFrames, d.ControlFrames)
	fill(&l.TunnelDrain, d.TunnelDrain)
	fill(&l.Drain, d.Drain)
	fill(&l.DrainIdle, d.DrainIdle)
	fill(&l.Tick, d.Tick)
	return l
}

// fill sets v to d when it is not positive.
func fill[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
