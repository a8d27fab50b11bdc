package edge

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// How long requests took, finer than the bounds of a scrape: a bucket is as wide as a 32nd of the power of two below it, in milliseconds,
// so that its middle is at most 1.6 % away from what fell into it. The number of a bucket is cut out of the bits of a float, which costs
// no search.
const (
	spreadShift = 52 - 5               // five bits of the mantissa stay
	spreadFirst = (1023 - 4) << 5      // 1/16 ms, and all that is shorter
	spreadSize  = (17 + 4) << 5        // up to 131 s, and all that is longer
	millisecond = 1 / float64(1000000) // of a nanosecond
)

// latencies counts the requests of one service by the time they took.
type latencies [spreadSize]atomic.Uint64

func spreadBucket(took time.Duration) int {
	at := int(math.Float64bits(max(0, float64(took)*millisecond)) >> spreadShift)
	return min(max(at-spreadFirst, 0), spreadSize-1)
}

// note counts a request. A service without requests has no buckets.
func (c *counters) note(took time.Duration) {
	l := c.spread.Load()
	if l == nil {
		c.spread.CompareAndSwap(nil, new(latencies))
		l = c.spread.Load()
	}
	l[spreadBucket(took)].Add(1)
}

// Spread tells how many requests took how long: their number by bucket, up to the last one that has any. JSON has it packed.
type Spread []uint64

// readSpread copies the counts.
func (c *counters) readSpread() (s Spread) {
	l := c.spread.Load()
	if l == nil {
		return nil
	}
	for i := range l {
		if n := l[i].Load(); n > 0 {
			for len(s) <= i {
				s = append(s, 0)
			}
			s[i] = n
		}
	}
	return s
}

// Milliseconds is the middle of a bucket.
func (Spread) Milliseconds(bucket int) float64 {
	low := math.Float64frombits(uint64(bucket+spreadFirst) << spreadShift)
	return (low + math.Float64frombits(uint64(bucket+1+spreadFirst)<<spreadShift)) / 2
}

// Since is how many requests there were in each bucket since an earlier reading; nil when the counts began anew since then.
func (s Spread) Since(before Spread) Spread {
	if len(before) > len(s) {
		return nil
	}
	d := append(Spread(nil), s...)
	for i, n := range before {
		if d[i] < n {
			return nil
		}
		d[i] -= n
	}
	return d
}

func (s Spread) plus(other Spread) Spread {
	if len(s) < len(other) {
		s, other = other, s
	}
	sum := append(Spread(nil), s...)
	for i, n := range other {
		sum[i] += n
	}
	return sum
}

// MarshalText packs the counts: for each bucket that has any, how many it lies behind the one before, and its count.
func (s Spread) MarshalText() ([]byte, error) {
	var b []byte
	last := 0
	for i, n := range s {
		if n > 0 {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(i-last)), n)
			last = i
		}
	}
	return base64.RawStdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *Spread) UnmarshalText(text []byte) error {
	b, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("spread of latencies: %w", err)
	}
	*s = nil
	for at := uint64(0); len(b) > 0; {
		gap, n := binary.Uvarint(b)
		if n <= 0 || gap >= spreadSize || at+gap >= spreadSize {
			return errors.New("spread of latencies: a bucket is not one")
		}
		count, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return errors.New("spread of latencies: a count is missing")
		}
		at, b = at+gap, b[n+m:]
		for uint64(len(*s)) <= at {
			*s = append(*s, 0)
		}
		(*s)[at] = count
	}
	return nil
}
