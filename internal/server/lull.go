package server

import (
	"context"
	"runtime/metrics"
	"time"
)

const (
	lullEvery = 5 * time.Second
	// worthGiving is how many bytes must have been allocated since the last lull for what is left of them to be worth a collection.
	worthGiving = 2 << 20
	// work is what allocates so many bytes between two looks; quiet is what allocates fewer than these, or than an eighth of the work
	// before up to what supervising many instances takes: more is requests that would have to wait.
	work, quiet, supervision = 512 << 10, 128 << 10, 4 << 20
)

// lull tells when little goes on in a process after much did. A process with nothing to do begins no collection that would give back what
// work left, for minutes.
type lull struct {
	before uint64 // bytes allocated so far, at the last look
	since  uint64 // and at the last lull
	peak   uint64 // most bytes between two looks since the last lull
}

// begins decides from the bytes allocated so far.
func (l *lull) begins(allocated uint64) bool {
	rate := allocated - l.before
	l.before = allocated
	l.peak = max(l.peak, rate)
	if l.peak < work || rate > max(min(l.peak/8, supervision), quiet) || allocated-l.since < worthGiving {
		return false
	}
	l.peak, l.since = 0, allocated
	return true
}

// atLulls calls rest whenever one begins, until ctx ends.
func atLulls(ctx context.Context, rest func()) {
	var l lull
	for {
		sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(sample)
		if sample[0].Value.Kind() == metrics.KindUint64 && l.begins(sample[0].Value.Uint64()) {
			rest()
		}
		if pause(ctx, lullEvery); ctx.Err() != nil {
			return
		}
	}
}
