package metrics

import (
	"cmp"
	"math"
	"slices"
)

// A sketch counts values by bucket. A bucket is 1/32 of the power of two below it wide, so its middle is at most 1.6 % away from any value in
// it. Two sketches are merged by adding their counts, which loses nothing. The buckets are those that the edge counts latencies by.

// sketchShift leaves the exponent and five bits of the mantissa of a float.
const sketchShift = 52 - 5

// cell is one bucket that has values. Negative ones have negative numbers, so that buckets and values have the same order.
type cell struct {
	bucket int32
	n      float64
}

func bucketOf(v float64) int32 {
	b := int32(math.Float64bits(math.Abs(v)) >> sketchShift)
	if v < 0 {
		return -b
	}
	return b
}

// middle is what stands for the values of a bucket.
func middle(bucket int32) float64 {
	switch {
	case bucket < 0:
		return -middle(-bucket)
	case bucket == 0:
		return 0 // zero, and what is next to it
	}
	low := math.Float64frombits(uint64(bucket) << sketchShift)
	return low + (math.Float64frombits(uint64(bucket+1)<<sketchShift)-low)/2
}

// merge adds the counts of two sketches.
func merge(a, b []cell) []cell {
	out := make([]cell, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := cmp.Compare(a[0].bucket, b[0].bucket); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, cell{a[0].bucket, a[0].n + b[0].n})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// sketchOf counts values that come with how often they occur.
func sketchOf(values, counts []float64) []cell {
	cells := make([]cell, len(values))
	for i, v := range values {
		cells[i] = cell{bucketOf(v), counts[i]}
	}
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.bucket, b.bucket) })
	out := cells[:0]
	for _, c := range cells {
		if n := len(out); n > 0 && out[n-1].bucket == c.bucket {
			out[n-1].n += c.n
			continue
		}
		out = append(out, c)
	}
	return out
}
