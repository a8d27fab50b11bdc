package metrics

import (
	"encoding/binary"
	"errors"
	"math"
)

// Point is what is known of the values of a metric in some span of time. The zero Point knows of none.
type Point struct {
	Count, Sum, Min, Max float64

	// cells is the sketch. Where all values are the same it is left out.
	cells []cell
	// blind points were given as sums by a client: how their values are spread is not known.
	blind bool
}

// Value is the point of one value.
func Value(v float64) Point { return Point{Count: 1, Sum: v, Min: v, Max: v} }

// Values is the point of values that occur so often; both slices are of the same length.
func Values(values, counts []float64) (p Point) {
	for i, v := range values {
		if counts[i] > 0 {
			p = p.extend(v, counts[i])
		}
	}
	if p.Min != p.Max {
		p.cells = sketchOf(values, counts)
	}
	return p
}

// extend counts a value in everything but the sketch.
func (p Point) extend(v, n float64) Point {
	if p.Count == 0 {
		p.Min, p.Max = v, v
	}
	p.Count, p.Sum, p.Min, p.Max = p.Count+n, p.Sum+v*n, min(p.Min, v), max(p.Max, v)
	return p
}

// Sums is the point of values of which only these figures are known.
func Sums(count, sum, least, most float64) Point {
	return Point{Count: count, Sum: sum, Min: least, Max: most, blind: least != most}
}

// WithSum is the point with a sum that is known better than from its buckets. The mean stays between the extremes.
func (p Point) WithSum(sum float64) Point {
	if p.Count == 0 {
		return p
	}
	p.cells, p.Sum = p.spread(), sum
	p.Min, p.Max = min(p.Min, sum/p.Count), max(p.Max, sum/p.Count)
	return p
}

// spread is the sketch, also where it need not be kept.
func (p Point) spread() []cell {
	if p.cells == nil && p.Count > 0 && !p.blind {
		return []cell{{bucketOf(p.Min), p.Count}}
	}
	return p.cells
}

// Plus is the point of the values of both.
func (p Point) Plus(q Point) Point {
	switch {
	case p.Count == 0:
		return q
	case q.Count == 0:
		return p
	}
	sum := Point{Count: p.Count + q.Count, Sum: p.Sum + q.Sum, Min: min(p.Min, q.Min), Max: max(p.Max, q.Max), blind: p.blind || q.blind}
	if !sum.blind && sum.Min != sum.Max {
		sum.cells = merge(p.spread(), q.spread())
	}
	return sum
}

// Percentile is the value below or at which so many percent of the values are (nearest rank, at most 1.6 % off); false where the spread of
// the values is not known.
func (p Point) Percentile(percent float64) (float64, bool) {
	if p.Count == 0 || p.blind {
		return 0, false
	}
	rank, seen := percent/100*p.Count, 0.0
	for _, c := range p.spread() {
		if seen += c.n; seen >= rank && seen > 0 {
			return min(max(middle(c.bucket), p.Min), p.Max), true
		}
	}
	return p.Max, true
}

// The forms of a point in the database.
const (
	formSame  = iota // count and the one value
	formBlind        // count, sum, extremes
	formCells        // the same, and the sketch
)

// append writes a point.
func (p Point) append(b []byte) []byte {
	switch {
	case p.Min == p.Max && p.Sum == p.Count*p.Min:
		return appendNumber(appendNumber(append(b, formSame), p.Count), p.Min)
	case p.blind:
		return p.appendFigures(append(b, formBlind))
	}
	b = p.appendFigures(append(b, formCells))
	cells := p.spread()
	b = binary.AppendUvarint(b, uint64(len(cells)))
	last := int32(0)
	for _, c := range cells {
		b = appendNumber(binary.AppendVarint(b, int64(c.bucket-last)), c.n)
		last = c.bucket
	}
	return b
}

func (p Point) appendFigures(b []byte) []byte {
	for _, f := range [...]float64{p.Count, p.Sum, p.Min, p.Max} {
		b = appendNumber(b, f)
	}
	return b
}

// appendNumber writes a float; whole numbers, the most common ones, are short.
func appendNumber(b []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1<<52 {
		return binary.AppendVarint(b, int64(f)<<1)
	}
	return binary.BigEndian.AppendUint64(binary.AppendVarint(b, 1), math.Float64bits(f))
}

var errDamaged = errors.New("the points of a minute are damaged")

// reader reads what append and appendNumber wrote. After the first fault it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() { r.b, r.err = nil, errDamaged }

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) number() float64 {
	v := r.varint()
	switch {
	case v&1 == 0:
		return float64(v >> 1)
	case len(r.b) < 8:
		r.fail()
		return 0
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(r.b))
	r.b = r.b[8:]
	return f
}

func (r *reader) point() (p Point) {
	if len(r.b) == 0 {
		r.fail()
		return p
	}
	form := r.b[0]
	r.b = r.b[1:]
	if form == formSame {
		p.Count, p.Min = r.number(), r.number()
		p.Max, p.Sum = p.Min, p.Count*p.Min
		return p
	}
	p.Count, p.Sum, p.Min, p.Max = r.number(), r.number(), r.number(), r.number()
	if p.blind = form == formBlind; !p.blind {
		r.cells(&p)
	}
	return p
}

func (r *reader) cells(p *Point) {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(len(r.b)) {
		r.fail()
		return
	}
	r.b = r.b[size:]
	p.cells = make([]cell, n)
	last := int64(0)
	for i := range p.cells {
		last += r.varint()
		p.cells[i] = cell{int32(last), r.number()}
	}
}
