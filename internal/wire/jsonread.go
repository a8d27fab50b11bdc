package wire

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// jsonReader reads one JSON document into a value along its shape. Member names are case-sensitive, unknown members are
// checked for syntax and dropped, null counts as absent, and no type is coerced into another (§1.1).
type jsonReader struct {
	s        *Service
	data     []byte
	pos      int
	depth    int
	elements int
	path     []string
}

func (r *jsonReader) fail(format string, args ...any) error {
	return &SerializationError{Path: strings.Join(r.path, "."), Problem: fmt.Sprintf(format, args...)}
}

func (r *jsonReader) syntax() error {
	if r.pos >= len(r.data) {
		return r.fail("the JSON document ends too early")
	}
	return r.fail("invalid JSON at byte %d", r.pos)
}

// document reads the whole of data into the structure v.
func (r *jsonReader) document(v reflect.Value, sh *Shape) error {
	if r.peek() == 0 && r.pos >= len(r.data) {
		return nil // an empty body counts as {}
	}
	if r.data[r.pos] != '{' {
		return r.wrongType(sh)
	}
	if err := r.value(v, sh); err != nil {
		return err
	}
	if r.peek(); r.pos < len(r.data) {
		return r.fail("data after the end of the JSON document at byte %d", r.pos)
	}
	return nil
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *jsonReader) peek() byte {
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// literal consumes a fixed word.
func (r *jsonReader) literal(word string) bool {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(word)) {
		return false
	}
	r.pos += len(word)
	return true
}

func (r *jsonReader) null() bool { return r.peek() == 'n' && r.literal("null") }

// enter counts a level and an element on the way into a list, map or structure.
func (r *jsonReader) enter() error {
	if r.depth++; r.depth > maxDepth {
		return r.fail("values nest deeper than %d levels", maxDepth)
	}
	r.pos++
	return nil
}

func (r *jsonReader) count() error {
	if r.elements++; r.elements > maxElements {
		return r.fail("the request holds more than %d values", maxElements)
	}
	return nil
}

func (r *jsonReader) value(v reflect.Value, sh *Shape) error {
	if v.Kind() == reflect.Pointer {
		n := reflect.New(v.Type().Elem())
		if err := r.value(n.Elem(), sh); err != nil {
			return err
		}
		v.Set(n)
		return nil
	}
	switch sh.Kind {
	case Structure:
		return r.structure(v, sh)
	case List:
		return r.list(v, sh)
	case Map:
		return r.mapping(v, sh)
	default:
		return r.scalar(v, sh)
	}
}

func (r *jsonReader) scalar(v reflect.Value, sh *Shape) error {
	c := r.peek()
	switch sh.Kind {
	case Boolean:
		switch {
		case c == 't' && r.literal("true"):
			v.SetBool(true)
			return nil
		case c == 'f' && r.literal("false"):
			v.SetBool(false)
			return nil
		}
	case String, Blob:
		if c == '"' {
			return r.text(v, sh)
		}
	case Float, Double:
		if c == '"' {
			return r.namedFloat(v)
		}
		fallthrough
	case Integer, Long, Timestamp:
		if c == '-' || c >= '0' && c <= '9' {
			return r.number(v, sh)
		}
	}
	return r.wrongType(sh)
}

func (r *jsonReader) text(v reflect.Value, sh *Shape) error {
	s, err := r.str()
	if err != nil {
		return err
	}
	if sh.Kind == String {
		v.SetString(s)
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return r.fail("is not base64")
	}
	v.SetBytes(b)
	return nil
}

// namedFloat reads the three numbers that JSON cannot write.
func (r *jsonReader) namedFloat(v reflect.Value) error {
	s, err := r.str()
	if err != nil {
		return err
	}
	switch s {
	case "NaN":
		v.SetFloat(math.NaN())
	case "Infinity":
		v.SetFloat(math.Inf(1))
	case "-Infinity":
		v.SetFloat(math.Inf(-1))
	default:
		return r.fail("expected a number, got a string")
	}
	return nil
}

func (r *jsonReader) number(v reflect.Value, sh *Shape) error {
	tok, err := r.numberToken()
	if err != nil {
		return err
	}
	switch sh.Kind {
	case Integer, Long:
		n, err := strconv.ParseInt(tok, 10, 64)
		if err != nil || v.OverflowInt(n) {
			return r.fail("expected a whole number of %d bits, got %s", v.Type().Bits(), clip(tok))
		}
		v.SetInt(n)
	case Timestamp:
		t, ok := epoch(tok)
		if !ok {
			return r.fail("expected seconds since the epoch, got %s", clip(tok))
		}
		v.Set(reflect.ValueOf(t))
	default:
		f, err := strconv.ParseFloat(tok, 64)
		if err != nil {
			return r.fail("expected a number, got %s", clip(tok))
		}
		v.SetFloat(f)
	}
	return nil
}

// epoch reads seconds since the epoch; times are kept to the millisecond, as AWS keeps them.
func epoch(tok string) (time.Time, bool) {
	if n, err := strconv.ParseInt(tok, 10, 64); err == nil {
		return time.Unix(n, 0).UTC(), n >= minEpoch && n <= maxEpoch
	}
	f, err := strconv.ParseFloat(tok, 64)
	if err != nil || !(f >= minEpoch && f <= maxEpoch) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
}

// The years 1 to 9999, outside which times have no common text form.
const (
	minEpoch = -62135596800
	maxEpoch = 253402300799
)

func (r *jsonReader) structure(v reflect.Value, sh *Shape) error {
	if r.peek() != '{' {
		return r.wrongType(sh)
	}
	return r.members(func(name string) error {
		for i := range sh.Members {
			m := &sh.Members[i]
			if m.Name != name {
				continue
			}
			r.path = append(r.path, name)
			if !r.null() {
				if err := r.value(v.Field(i), &r.s.Shapes[m.Shape]); err != nil {
					return err
				}
			}
			r.path = r.path[:len(r.path)-1]
			return nil
		}
		return r.skip()
	})
}

func (r *jsonReader) mapping(v reflect.Value, sh *Shape) error {
	if r.peek() != '{' {
		return r.wrongType(sh)
	}
	out := reflect.MakeMap(v.Type())
	elem := &r.s.Shapes[sh.Value]
	hidden := r.s.Shapes[sh.Key].Sensitive
	err := r.members(func(name string) error {
		if r.null() {
			return nil
		}
		if !hidden {
			r.path = append(r.path, clip(name))
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := r.value(e, elem); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name), e)
		if !hidden {
			r.path = r.path[:len(r.path)-1]
		}
		return nil
	})
	v.Set(out)
	return err
}

func (r *jsonReader) list(v reflect.Value, sh *Shape) error {
	if r.peek() != '[' {
		return r.wrongType(sh)
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	elem := &r.s.Shapes[sh.Value]
	return r.items(func(n int) error {
		r.path = append(r.path, strconv.Itoa(n))
		if r.null() {
			return r.fail("an element of a list must not be null")
		}
		v.Grow(1)
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		if err := r.value(v.Index(n), elem); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
		return nil
	})
}

// wrongType says what was expected and what stands here instead.
func (r *jsonReader) wrongType(sh *Shape) error {
	got := "nothing"
	switch c := r.peek(); {
	case c == '{':
		got = "an object"
	case c == '[':
		got = "an array"
	case c == '"':
		got = "a string"
	case c == '-' || c >= '0' && c <= '9':
		got = "a number"
	case c == 't', c == 'f':
		got = "a boolean"
	case c == 'n':
		got = "null"
	default:
		return r.syntax()
	}
	return r.fail("expected %s, got %s", sh.Kind.jsonType(), got)
}

func (k Kind) jsonType() string {
	switch k {
	case Structure, Map:
		return "an object"
	case List:
		return "an array"
	case Boolean:
		return "a boolean"
	case String, Blob:
		return "a string"
	}
	return "a number"
}

// clip shortens a value for a message.
func clip(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
