package wire

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The syntax of JSON: what stands between the values.

// members calls fn for every member of the object that begins here; fn consumes the value.
func (r *jsonReader) members(fn func(name string) error) error {
	if err := r.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		c := r.peek()
		if c == '}' && first {
			break
		}
		if c != '"' {
			return r.syntax()
		}
		if err := r.count(); err != nil {
			return err
		}
		name, err := r.str()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.syntax()
		}
		r.pos++
		if err := fn(name); err != nil {
			return err
		}
		if more, err := r.next('}'); err != nil {
			return err
		} else if !more {
			break
		}
	}
	r.pos++
	r.depth--
	return nil
}

// items calls fn for every element of the array that begins here; fn consumes it.
func (r *jsonReader) items(fn func(n int) error) error {
	if err := r.enter(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if r.peek() == ']' && n == 0 {
			break
		}
		if err := r.count(); err != nil {
			return err
		}
		if err := fn(n); err != nil {
			return err
		}
		if more, err := r.next(']'); err != nil {
			return err
		} else if !more {
			break
		}
	}
	r.pos++
	r.depth--
	return nil
}

// next consumes a comma and reports true, or stops before the closing byte and reports false.
func (r *jsonReader) next(end byte) (bool, error) {
	switch r.peek() {
	case ',':
		r.pos++
		return true, nil
	case end:
		return false, nil
	}
	return false, r.syntax()
}

// skip consumes a value nobody asked for; it still has to be JSON.
func (r *jsonReader) skip() error {
	switch c := r.peek(); {
	case c == '{':
		return r.members(func(string) error { return r.skip() })
	case c == '[':
		return r.items(func(int) error { return r.skip() })
	case c == '"':
		_, err := r.str()
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := r.numberToken()
		return err
	case c == 't' && r.literal("true"), c == 'f' && r.literal("false"), c == 'n' && r.literal("null"):
		return nil
	}
	return r.syntax()
}

// numberToken consumes a number and returns its text.
func (r *jsonReader) numberToken() (string, error) {
	start := r.pos
	if r.at('-') {
		r.pos++
	}
	switch {
	case r.at('0'):
		r.pos++
	case !r.digits():
		return "", r.syntax()
	}
	if r.at('.') {
		r.pos++
		if !r.digits() {
			return "", r.syntax()
		}
	}
	if r.at('e') || r.at('E') {
		r.pos++
		if r.at('+') || r.at('-') {
			r.pos++
		}
		if !r.digits() {
			return "", r.syntax()
		}
	}
	return string(r.data[start:r.pos]), nil
}

func (r *jsonReader) at(c byte) bool { return r.pos < len(r.data) && r.data[r.pos] == c }

func (r *jsonReader) digits() bool {
	start := r.pos
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
		r.pos++
	}
	return r.pos > start
}

// str consumes the string that begins here. Bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD, so that
// everything behind the door is valid text.
func (r *jsonReader) str() (string, error) {
	r.pos++
	start := r.pos
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '"':
			s := string(r.data[start:r.pos])
			r.pos++
			return strings.ToValidUTF8(s, "\uFFFD"), nil
		case c == '\\':
			return r.escaped(append([]byte(nil), r.data[start:r.pos]...))
		case c < 0x20:
			return "", r.syntax()
		}
		r.pos++
	}
	return "", r.syntax()
}

// escaped goes on with a string in which an escape was met; buf is what came before.
func (r *jsonReader) escaped(buf []byte) (string, error) {
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		switch {
		case c == '"':
			r.pos++
			return strings.ToValidUTF8(string(buf), "\uFFFD"), nil
		case c < 0x20:
			return "", r.syntax()
		case c != '\\':
			buf = append(buf, c)
			r.pos++
			continue
		}
		ch, ok := r.escape()
		if !ok {
			return "", r.syntax()
		}
		buf = utf8.AppendRune(buf, ch)
	}
	return "", r.syntax()
}

func (r *jsonReader) escape() (rune, bool) {
	if r.pos+1 >= len(r.data) {
		r.pos = len(r.data)
		return 0, false
	}
	c := r.data[r.pos+1]
	if c == 'u' {
		return r.unicodeEscape()
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return 0, false
	}
	r.pos += 2
	return rune("\"\\/\b\f\n\r\t"[i]), true
}

func (r *jsonReader) unicodeEscape() (rune, bool) {
	a, ok := r.hex4()
	if !ok {
		return 0, false
	}
	r.pos += 6
	if !utf16.IsSurrogate(a) {
		return a, true
	}
	b, ok := r.hex4()
	if !ok {
		return utf8.RuneError, true
	}
	pair := utf16.DecodeRune(a, b)
	if pair != utf8.RuneError {
		r.pos += 6
	}
	return pair, true
}

// hex4 looks at a \uXXXX that may stand here.
func (r *jsonReader) hex4() (rune, bool) {
	if r.pos+6 > len(r.data) || r.data[r.pos] != '\\' || r.data[r.pos+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(r.data[r.pos+2:r.pos+6]), 16, 32)
	return rune(n), err == nil
}
