package edge

import "time"

// Status is what the edge knows at one moment.
type Status struct {
	// Version changes whenever a table was switched to, a target's health changed or a target vanished, and at most ten times a
	// second for every service whose requests wait in line. It is the value to wait on ([Client.Wait]); it is never the same in two edge processes.
	Version uint64
	// Partial marks an answer to [Client.News] that holds only the services, and their targets, that have changed.
	Partial bool `json:",omitempty"`
	// TableVersion is the [Table.Version] of the table in use, 0 before the first. A publisher that finds an older one than
	// it published (after an edge restart) publishes again.
	TableVersion uint64
	// Draining tells that this edge accepts no new connections and ends soon.
	Draining bool
	// Targets holds, by instance id, every target of the table, and those gone from it that still have requests in flight.
	Targets map[string]TargetStatus
	// Services holds the counters of every service by ARN.
	Services map[string]Counters
	// Connections is the number of open client connections.
	Connections int
	StartedAt   time.Time
}

// Health is the judgement on a target.
type Health string

// The values of [Health].
const (
	Unknown   Health = "unknown"   // not yet judged: neither threshold was reached
	Healthy   Health = "healthy"   // HealthyThreshold successes in a row
	Unhealthy Health = "unhealthy" // UnhealthyThreshold failures in a row
)

// TargetStatus is what the edge knows of one target.
type TargetStatus struct {
	ServiceARN string
	Address    string
	Phase      Phase
	Health     Health
	// Suspicious tells that a request could not reach the target after the last successful check.
	Suspicious bool
	// Successes and Failures count the checks in a row that came out that way; one of them is 0.
	Successes, Failures int
	// LastError says what came back at the last failed check ("connection refused", "no answer within 2 s", "HTTP 500");
	// empty after a success.
	LastError string
	LastCheck time.Time
	// HealthySince is when the target became healthy; zero while it is not.
	HealthySince time.Time
	InFlight     int
	// Roused tells that the table has it in reserve, but it takes part in the traffic because it was needed.
	Roused bool
	// Frozen tells that its processes stand still, or may do so; it is not checked then.
	Frozen bool
	// Requests counts those that ended, Bad those of them that ended with a 5xx answer, a broken one or none in time.
	Requests, Bad uint64
	// AsideUntil is when others stop being preferred because too many requests in a row ended badly; a past time means nothing.
	AsideUntil time.Time
}

// Counters are the figures of one service since the edge started; all but InFlight and Waiting only grow.
type Counters struct {
	Requests             uint64
	Status2xx, Status3xx uint64
	Status4xx, Status5xx uint64
	InFlight             int
	Waiting              int    // requests that wait for a place at an instance
	Rejected             uint64 // 429 given because everything was full (counted in Status4xx too)
	Retries              uint64 // requests sent to another instance after the first broke
	Refused              uint64 // requests refused by an address list, a password or a web ACL (counted by their status too)
	Unlogged             uint64 // lines of the access log that were dropped, because too many were waiting
	BytesIn, BytesOut    uint64 // bodies, from and to clients
	LatencyBuckets       []uint64
	Spread               Spread `json:",omitempty"` // the same, finer
	LatencySum           time.Duration
	// Busy is the time integral of the requests in flight and waiting: the difference of two samples divided by the time
	// between them is the mean concurrency, however short the requests are.
	Busy time.Duration
}

// LatencyBounds are the upper bounds of [Counters.LatencyBuckets]; the last bucket has none.
var LatencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, 60 * time.Second,
}

// Histogram returns the latencies as prometheus.MustNewConstHistogram takes them: the count, the sum in seconds, and the cumulative
// count for each upper bound in seconds.
func (c Counters) Histogram() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(LatencyBounds))
	for i, n := range c.LatencyBuckets {
		count += n
		if i < len(LatencyBounds) {
			buckets[LatencyBounds[i].Seconds()] = count
		}
	}
	return count, c.LatencySum.Seconds(), buckets
}
