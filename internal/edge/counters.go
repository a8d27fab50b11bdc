package edge

import (
	"sync/atomic"
	"time"
)

// counters are the figures of one service, written on every request without a lock. The padding keeps the line that every
// core writes to apart from what stands beside the struct.
type counters struct {
	_         [64]byte
	requests  atomic.Uint64
	classes   [6]atomic.Uint64 // by the first digit of the status
	rejected  atomic.Uint64
	retries   atomic.Uint64
	refused   atomic.Uint64
	unlogged  atomic.Uint64
	bytesIn   atomic.Uint64
	bytesOut  atomic.Uint64
	latency   atomic.Int64
	histogram [len(LatencyBounds) + 1]atomic.Uint64
	spread    atomic.Pointer[latencies]
	_         [64]byte
}

// done counts one request that ended: its status (0 when the client got none), its time and the bytes of its bodies.
func (c *counters) done(status int, took time.Duration, in, out int64) {
	c.requests.Add(1)
	if class := status / 100; class > 0 && class < len(c.classes) {
		c.classes[class].Add(1)
	}
	if in > 0 {
		c.bytesIn.Add(uint64(in))
	}
	if out > 0 {
		c.bytesOut.Add(uint64(out))
	}
	c.latency.Add(int64(took))
	c.histogram[bucketOf(took)].Add(1)
	c.note(took)
}

// bucketOf returns the index of the histogram bucket a time falls into.
func bucketOf(took time.Duration) int {
	for i, bound := range LatencyBounds {
		if took <= bound {
			return i
		}
	}
	return len(LatencyBounds)
}

// read copies the figures; InFlight, Waiting and Busy are the service's to add.
func (c *counters) read() Counters {
	out := Counters{
		Requests:       c.requests.Load(),
		Status2xx:      c.classes[2].Load() + c.classes[1].Load(),
		Status3xx:      c.classes[3].Load(),
		Status4xx:      c.classes[4].Load(),
		Status5xx:      c.classes[5].Load(),
		Rejected:       c.rejected.Load(),
		Retries:        c.retries.Load(),
		Refused:        c.refused.Load(),
		Unlogged:       c.unlogged.Load(),
		BytesIn:        c.bytesIn.Load(),
		BytesOut:       c.bytesOut.Load(),
		LatencySum:     time.Duration(c.latency.Load()),
		Spread:         c.readSpread(),
		LatencyBuckets: make([]uint64, len(c.histogram)),
	}
	for i := range c.histogram {
		out.LatencyBuckets[i] = c.histogram[i].Load()
	}
	return out
}
