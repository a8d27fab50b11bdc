package observe

import (
	"context"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// The limits of one PutEvents call, and of the times its events may have (CloudWatch Logs, PutLogEvents).
const (
	maxPutEvents = 10000
	maxPutBytes  = 1 << 20
	maxPutSpan   = 24 * time.Hour
	oldestPut    = 14 * 24 * time.Hour
	newestPut    = 2 * time.Hour
)

// Rejected tells which events of a batch were not stored because of their times, as indexes into the batch. -1 means none.
type Rejected struct {
	TooOldEnd   int // events before this one are older than 14 days
	ExpiredEnd  int // events before this one are older than the group's retention
	TooNewStart int // this and the following events are more than 2 hours ahead
}

// Any tells whether an event was rejected.
func (r Rejected) Any() bool { return r.TooOldEnd >= 0 || r.ExpiredEnd >= 0 || r.TooNewStart >= 0 }

// PutEvents stores a client's batch in a stream that exists. The events must be in the order of time. Events that are too
// old or too new are left out and reported.
func (l *Logs) PutEvents(ctx context.Context, scope apprunner.Scope, group, stream string, events []Event) (Rejected, error) {
	none := Rejected{-1, -1, -1}
	if err := checkBatch(events); err != nil {
		return none, err
	}
	g, err := l.group(ctx, scope, group)
	if err != nil {
		return none, err
	}
	rejected, from, to := g.reject(events, l.now())
	st, err := l.acquire(ctx, streamKey{scope.Account, scope.Region, group, stream}, false)
	if err != nil {
		return none, err
	}
	defer l.release(st)
	if err := l.store(st, l.entries(events[from:to])); err != nil {
		if err == errForgotten {
			return none, noStream(group, stream)
		}
		return none, fmt.Errorf("put log events: %w", err)
	}
	return rejected, l.relieve(ctx)
}

func checkBatch(events []Event) error {
	if len(events) == 0 || len(events) > maxPutEvents {
		return invalidf("The batch has %d log events; allowed are 1 to %d.", len(events), maxPutEvents)
	}
	bytes := 0
	for i, e := range events {
		switch {
		case e.Message == "":
			return invalidf("Log event message at position %d is empty; it must have at least 1 character.", i)
		case len(e.Message) > MaxEventBytes:
			return invalidf("Log event too large: %d bytes exceeds limit of %d", len(e.Message)+eventOverhead, MaxEventBytes+eventOverhead)
		case i > 0 && e.Time.Before(events[i-1].Time):
			return invalidf("Log events in a single PutLogEvents request must be in chronological order.")
		}
		bytes += len(e.Message) + eventOverhead
	}
	if bytes > maxPutBytes {
		return invalidf("Upload too large: %d bytes exceeds limit of %d", bytes, maxPutBytes)
	}
	if events[len(events)-1].Time.Sub(events[0].Time) > maxPutSpan {
		return invalidf("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// reject finds the part of a batch, from ≤ i < to, that is kept.
func (g groupRow) reject(events []Event, now time.Time) (r Rejected, from, to int) {
	r, to = Rejected{-1, -1, -1}, len(events)
	oldest := g.oldest(now)
	for i, e := range events {
		switch {
		case e.Time.Before(now.Add(-oldestPut)):
			r.TooOldEnd, from = i+1, i+1
		case e.Time.UnixMicro() < oldest:
			r.ExpiredEnd, from = i+1, i+1
		case e.Time.After(now.Add(newestPut)):
			r.TooNewStart, to = i, i
			return r, min(from, to), to
		}
	}
	return r, from, to
}
