package main

import (
	"math/bits"
	"time"
)

// subBuckets is how many buckets there are between a value and its double: what is read is less than 1 % too high.
const subBuckets = 128

// histogram counts durations in buckets that grow with the value, as HdrHistogram does: recording costs the same whatever the
// range, and the far tail is kept as exactly as the middle. It is not safe for concurrent use.
type histogram struct {
	counts [(64 - 7 + 1) * subBuckets]uint32
	total  int
}

func (h *histogram) record(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.total++
}

// add takes over what another one has counted.
func (h *histogram) add(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
}

// quantile is the smallest duration that the share q (0-1) of all does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	want := max(int(q*float64(h.total)+0.999999), 1)
	seen := 0
	for i, n := range h.counts {
		if seen += int(n); n > 0 && seen >= want {
			return time.Duration(highestIn(i))
		}
	}
	return 0
}

func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - 8 // v>>shift is in [128, 256)
	return shift*subBuckets + int(v>>shift)
}

func highestIn(bucket int) uint64 {
	if bucket < 2*subBuckets {
		return uint64(bucket)
	}
	shift := bucket/subBuckets - 1
	return uint64(bucket%subBuckets+subBuckets+1)<<shift - 1
}
