package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The major types of CBOR (RFC 8949, section 3.1).
const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

// The simple values and floats of major type 7, by the low five bits of their first byte.
const (
	cborFalse     = 20
	cborTrue      = 21
	cborNull      = 22
	cborUndefined = 23
	cborFloat16   = 25
	cborFloat32   = 26
	cborFloat64   = 27
	cborOpen      = 31 // a length that is not told, and the end of what has one

	cborEpochTag = 1
)

// cborReader reads one CBOR document into a value along its shape. Unknown members are checked for syntax and dropped, null and undefined
// count as absent. Numbers may come in any form that holds them exactly; no other type is coerced.
type cborReader struct {
	s        *Service
	data     []byte
	pos      int
	depth    int
	elements int
	path     []string
}

// item is the head of a data item: its major type, the low bits of its first byte and the number that follows.
type item struct {
	major, info byte
	n           uint64
}

func (i item) absent() bool {
	return i.major == cborSimple && (i.info == cborNull || i.info == cborUndefined)
}
func (i item) open() bool { return i.info == cborOpen }

func (r *cborReader) fail(format string, args ...any) error {
	return &SerializationError{Path: strings.Join(r.path, "."), Problem: fmt.Sprintf(format, args...)}
}

func (r *cborReader) syntax() error {
	if r.pos >= len(r.data) {
		return r.fail("the CBOR document ends too early")
	}
	return r.fail("invalid CBOR at byte %d", r.pos)
}

// document reads the whole of data into the structure v. An empty body counts as an empty map.
func (r *cborReader) document(v reflect.Value, sh *Shape) error {
	if len(r.data) == 0 {
		return nil
	}
	head, err := r.head()
	if err != nil {
		return err
	}
	if err := r.value(head, v, sh); err != nil {
		return err
	}
	if r.pos < len(r.data) {
		return r.fail("data after the end of the CBOR document at byte %d", r.pos)
	}
	return nil
}

// head consumes the head of an item. Lengths of strings are held against what is left.
func (r *cborReader) head() (item, error) {
	if r.pos >= len(r.data) {
		return item{}, r.syntax()
	}
	if r.elements++; r.elements > maxElements {
		return item{}, r.fail("the request holds more than %d values", maxElements)
	}
	first := r.data[r.pos]
	i := item{major: first >> 5, info: first & 31}
	switch size := 0; {
	case i.info < 24:
		r.pos++
		i.n = uint64(i.info)
		return i, nil
	case i.info <= 27:
		size = 1 << (i.info - 24)
		if len(r.data)-r.pos <= size {
			r.pos = len(r.data)
			return item{}, r.syntax()
		}
		var wide [8]byte
		copy(wide[8-size:], r.data[r.pos+1:])
		i.n = binary.BigEndian.Uint64(wide[:])
		r.pos += 1 + size
		return i, nil
	case i.open() && i.major != cborUint && i.major != cborNegative && i.major != cborTag:
		r.pos++
		return i, nil
	}
	return item{}, r.syntax()
}

// end consumes the end of an item of untold length, if it stands here.
func (r *cborReader) end() bool {
	if r.pos < len(r.data) && r.data[r.pos] == cborSimple<<5|cborOpen {
		r.pos++
		return true
	}
	return false
}

// bytes consumes the content of a string, which may come in parts.
func (r *cborReader) bytes(i item) ([]byte, error) {
	if !i.open() {
		if i.n > uint64(len(r.data)-r.pos) {
			r.pos = len(r.data)
			return nil, r.syntax()
		}
		b := r.data[r.pos : r.pos+int(i.n)]
		r.pos += int(i.n)
		return b, nil
	}
	var all []byte
	for !r.end() {
		part, err := r.head()
		if err != nil {
			return nil, err
		}
		if part.major != i.major || part.open() {
			return nil, r.syntax()
		}
		b, err := r.bytes(part)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// each calls fn for every entry of an array or map; fn consumes it.
func (r *cborReader) each(i item, fn func(n int) error) error {
	if r.depth++; r.depth > maxDepth {
		return r.fail("values nest deeper than %d levels", maxDepth)
	}
	for n := 0; ; n++ {
		if i.open() && r.end() || !i.open() && uint64(n) == i.n {
			break
		}
		if err := fn(n); err != nil {
			return err
		}
	}
	r.depth--
	return nil
}

func (r *cborReader) value(i item, v reflect.Value, sh *Shape) error {
	if v.Kind() == reflect.Pointer {
		n := reflect.New(v.Type().Elem())
		if err := r.value(i, n.Elem(), sh); err != nil {
			return err
		}
		v.Set(n)
		return nil
	}
	switch {
	case sh.Kind == Structure && i.major == cborMap:
		return r.structure(i, v, sh)
	case sh.Kind == Map && i.major == cborMap:
		return r.mapping(i, v, sh)
	case sh.Kind == List && i.major == cborArray:
		return r.list(i, v, sh)
	case sh.Kind == String && i.major == cborText:
		b, err := r.bytes(i)
		v.SetString(strings.ToValidUTF8(string(b), "\uFFFD"))
		return err
	case sh.Kind == Blob && i.major == cborBytes:
		b, err := r.bytes(i)
		v.SetBytes(append([]byte{}, b...))
		return err
	case sh.Kind == Boolean && i.major == cborSimple && (i.info == cborTrue || i.info == cborFalse):
		v.SetBool(i.info == cborTrue)
		return nil
	case sh.Kind == Timestamp && i.major == cborTag && i.n == cborEpochTag:
		return r.time(v)
	}
	return r.number(i, v, sh)
}

// number reads what must be a number, or says what it is instead.
func (r *cborReader) number(i item, v reflect.Value, sh *Shape) error {
	switch sh.Kind {
	case Integer, Long:
		n, ok := i.whole()
		if !ok || v.OverflowInt(n) {
			return r.fail("expected a whole number of %d bits", v.Type().Bits())
		}
		v.SetInt(n)
		return nil
	case Float, Double:
		if f, ok := i.float(); ok {
			v.SetFloat(f)
			return nil
		}
	}
	return r.fail("expected %s, got CBOR of major type %d", sh.Kind.cborType(), i.major)
}

func (k Kind) cborType() string {
	switch k {
	case Timestamp:
		return "a time (tag 1)"
	case Structure, Map:
		return "a map"
	case Blob:
		return "a byte string"
	}
	return k.jsonType()
}

// whole is the number of an item, if it is a whole one of 64 bits.
func (i item) whole() (int64, bool) {
	switch {
	case i.major == cborUint && i.n <= math.MaxInt64:
		return int64(i.n), true
	case i.major == cborNegative && i.n <= math.MaxInt64:
		return -1 - int64(i.n), true
	}
	f, ok := i.float()
	if i.major != cborSimple || !ok || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// float is the number of an item. Whole numbers beyond 2⁵³ are rounded.
func (i item) float() (float64, bool) {
	switch i.major {
	case cborUint:
		return float64(i.n), true
	case cborNegative:
		return -1 - float64(i.n), true
	case cborSimple:
		switch i.info {
		case cborFloat16:
			return half(uint16(i.n)), true
		case cborFloat32:
			return float64(math.Float32frombits(uint32(i.n))), true
		case cborFloat64:
			return math.Float64frombits(i.n), true
		}
	}
	return 0, false
}

// half reads a float of 16 bits (RFC 8949, appendix D).
func half(bits uint16) float64 {
	exponent, mantissa := int(bits>>10&31), float64(bits&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(mantissa, -24)
	case 31:
		if f = math.Inf(1); mantissa != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mantissa+1024, exponent-25)
	}
	if bits>>15 == 1 {
		return -f
	}
	return f
}

// time reads the number behind the tag of a time.
func (r *cborReader) time(v reflect.Value) error {
	i, err := r.head()
	if err != nil {
		return err
	}
	f, ok := i.float()
	if !ok || !(f >= minEpoch && f <= maxEpoch) {
		return r.fail("expected seconds since the epoch behind tag 1")
	}
	v.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(f * 1000))).UTC()))
	return nil
}

// members calls fn for every entry of a map, with its key and the head of its value; absent values are skipped.
func (r *cborReader) members(i item, fn func(name string, head item) error) error {
	return r.each(i, func(int) error {
		head, err := r.head()
		if err != nil {
			return err
		}
		if head.major != cborText {
			return r.fail("the key of a map must be text")
		}
		name, err := r.bytes(head)
		if err != nil {
			return err
		}
		if !utf8.Valid(name) {
			return r.fail("the key of a map is not valid UTF-8")
		}
		value, err := r.head()
		if err != nil || value.absent() {
			return err
		}
		return fn(string(name), value)
	})
}

func (r *cborReader) structure(i item, v reflect.Value, sh *Shape) error {
	return r.members(i, func(name string, head item) error {
		for n := range sh.Members {
			m := &sh.Members[n]
			if m.Name != name {
				continue
			}
			r.path = append(r.path, name)
			if err := r.value(head, v.Field(n), &r.s.Shapes[m.Shape]); err != nil {
				return err
			}
			r.path = r.path[:len(r.path)-1]
			return nil
		}
		return r.skip(head)
	})
}

func (r *cborReader) mapping(i item, v reflect.Value, sh *Shape) error {
	out := reflect.MakeMap(v.Type())
	err := r.members(i, func(name string, head item) error {
		r.path = append(r.path, clip(name))
		e := reflect.New(v.Type().Elem()).Elem()
		if err := r.value(head, e, &r.s.Shapes[sh.Value]); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name), e)
		r.path = r.path[:len(r.path)-1]
		return nil
	})
	v.Set(out)
	return err
}

func (r *cborReader) list(i item, v reflect.Value, sh *Shape) error {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	return r.each(i, func(n int) error {
		r.path = append(r.path, strconv.Itoa(n))
		head, err := r.head()
		if err != nil {
			return err
		}
		if head.absent() {
			return r.fail("an element of a list must not be null")
		}
		v.Grow(1)
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		if err := r.value(head, v.Index(n), &r.s.Shapes[sh.Value]); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
		return nil
	})
}

// skip consumes the rest of an item that nobody asked for.
func (r *cborReader) skip(i item) error {
	next := func(int) error {
		head, err := r.head()
		if err != nil {
			return err
		}
		return r.skip(head)
	}
	switch i.major {
	case cborBytes, cborText:
		_, err := r.bytes(i)
		return err
	case cborArray:
		return r.each(i, next)
	case cborMap:
		return r.members(i, func(_ string, head item) error { return r.skip(head) })
	case cborTag:
		return r.each(item{n: 1}, next)
	case cborSimple:
		if i.open() {
			return r.syntax()
		}
	}
	return nil
}
