package waf

import (
	"bytes"
	"cmp"
	"crypto/md5" //nolint:gosec // a transformation that rules may ask for, not a protection
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"path"
	"slices"
	"strconv"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// transformation changes a part of a request before it is looked at. It may change the slice it was given only by returning another.
type transformation func([]byte) []byte

// transformations joins those of a rule, in the order of their priorities; nil when there is nothing to do.
func transformations(list []webacl.Transformation) (transformation, error) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b webacl.Transformation) int { return cmp.Compare(a.Priority, b.Priority) })
	var steps []transformation
	for _, t := range list {
		step, known := transformers[t.Type]
		if !known {
			return nil, fmt.Errorf("text transformation %s is not known", t.Type)
		}
		if step != nil {
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		return nil, nil
	}
	return func(b []byte) []byte {
		for _, step := range steps {
			b = step(b)
		}
		return b
	}, nil
}

// transformers are the transformations by the API's name for them.
var transformers = map[string]transformation{
	"NONE":                 nil,
	"COMPRESS_WHITE_SPACE": compressSpace,
	"HTML_ENTITY_DECODE":   func(b []byte) []byte { return []byte(html.UnescapeString(string(b))) },
	"LOWERCASE":            lowered,
	"UPPERCASE":            bytes.ToUpper,
	"CMD_LINE":             commandLine,
	"URL_DECODE":           urlDecode,
	"URL_DECODE_UNI":       func(b []byte) []byte { return unescape(b, '%', "u", true) },
	"BASE64_DECODE":        func(b []byte) []byte { return base64Decode(b, false) },
	"BASE64_DECODE_EXT":    func(b []byte) []byte { return base64Decode(b, true) },
	"HEX_DECODE":           hexDecode,
	"MD5":                  func(b []byte) []byte { sum := md5.Sum(b); return sum[:] }, //nolint:gosec // see above
	"SHA256":               func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] },
	"REPLACE_COMMENTS":     replaceComments,
	"REMOVE_COMMENTS_CHAR": removeCommentChars,
	"ESCAPE_SEQ_DECODE":    escapeDecode,
	"SQL_HEX_DECODE":       sqlHexDecode,
	"CSS_DECODE":           cssDecode,
	"JS_DECODE":            func(b []byte) []byte { return unescape(b, '\\', "ux", false) },
	"NORMALIZE_PATH":       normalizePath,
	"NORMALIZE_PATH_WIN":   func(b []byte) []byte { return normalizePath(bytes.ReplaceAll(b, []byte{'\\'}, []byte{'/'})) },
	"REMOVE_NULLS":         func(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0}, nil) },
	"REPLACE_NULLS":        func(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0}, []byte{' '}) },
	"UTF8_TO_UNICODE":      utf8ToUnicode,
	"REMOVE_WHITESPACE":    removeSpace,
	"TRIM":                 func(b []byte) []byte { return bytes.Trim(b, spaces) },
	"TRIM_LEFT":            func(b []byte) []byte { return bytes.TrimLeft(b, spaces) },
	"TRIM_RIGHT":           func(b []byte) []byte { return bytes.TrimRight(b, spaces) },
}

const spaces = " \t\n\r\f\v"

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' || c == 0xa0 }

// lowered changes ASCII letters only: a text need not be UTF-8.
func lowered(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

func compressSpace(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if !isSpace(c) {
			out = append(out, c)
		} else if len(out) == 0 || out[len(out)-1] != ' ' {
			out = append(out, ' ')
		}
	}
	return out
}

func removeSpace(b []byte) []byte {
	return slices.DeleteFunc(bytes.Clone(b), isSpace)
}

// commandLine undoes what hides commands of a shell: quotes, carets and backslashes go, commas and semicolons are blanks, blanks are one,
// those before a slash or a bracket go, and letters are small.
func commandLine(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c == '\\' || c == '"' || c == '\'' || c == '^':
		case isSpace(c) || c == ',' || c == ';':
			if len(out) == 0 || out[len(out)-1] != ' ' {
				out = append(out, ' ')
			}
		default:
			if (c == '/' || c == '(') && len(out) > 0 && out[len(out)-1] == ' ' {
				out = out[:len(out)-1]
			}
			out = append(out, c)
		}
	}
	return lowered(out)
}

// urlDecode decodes %XX, and + as a blank. What is no such sequence stays.
func urlDecode(b []byte) []byte { return unescape(b, '%', "", true) }

// unescape decodes what begins with mark: two hexadecimal digits after it or after one of the letters, and four after "u". A code above
// a byte becomes its low byte, as full-width letters are read by lenient programs. plus makes + a blank.
func unescape(b []byte, mark byte, letters string, plus bool) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '+' && plus {
			c = ' '
		}
		if c != mark {
			out = append(out, c)
			continue
		}
		value, used := escaped(b[i+1:], letters)
		if used == 0 {
			out = append(out, c)
			continue
		}
		out = append(out, value)
		i += used
	}
	return out
}

// escaped reads what follows the mark of an escape.
func escaped(b []byte, letters string) (value byte, used int) {
	if len(b) > 0 && bytes.IndexByte([]byte(letters), b[0]|0x20) >= 0 {
		digits := 2
		if b[0]|0x20 == 'u' {
			digits = 4
		}
		if v, ok := hexNumber(b[1:], digits); ok {
			return byte(v), 1 + digits
		}
	}
	if letters == "ux" { // a backslash alone takes itself off
		if len(b) > 0 {
			return simpleEscape(b[0]), 1
		}
		return 0, 0
	}
	if v, ok := hexNumber(b, 2); ok {
		return byte(v), 2
	}
	return 0, 0
}

func hexNumber(b []byte, digits int) (uint64, bool) {
	if len(b) < digits {
		return 0, false
	}
	v, err := strconv.ParseUint(string(b[:digits]), 16, 32)
	return v, err == nil && b[0] != '+' && b[0] != '-' && b[0] != '_'
}

// simpleEscape is what a backslash makes of a letter.
func simpleEscape(c byte) byte {
	if i := bytes.IndexByte([]byte("abfnrtv"), c); i >= 0 {
		return "\a\b\f\n\r\t\v"[i]
	}
	return c
}

// escapeDecode decodes the escapes of ANSI C: letters, \xHH and \OOO.
func escapeDecode(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		rest := b[i+1:]
		if v, ok := hexNumber(rest[1:], 2); ok && rest[0]|0x20 == 'x' {
			out = append(out, byte(v))
			i += 3
			continue
		}
		n := 0
		for n < 3 && n < len(rest) && '0' <= rest[n] && rest[n] <= '7' {
			n++
		}
		if n == 0 {
			out = append(out, simpleEscape(rest[0]))
			i++
			continue
		}
		v, _ := strconv.ParseUint(string(rest[:n]), 8, 32) // digits only
		out = append(out, byte(v))
		i += n
	}
	return out
}

// base64Decode decodes, up to the first byte that is no part of it; with lenient, over such bytes.
func base64Decode(b []byte, lenient bool) []byte {
	text := make([]byte, 0, len(b))
	for _, c := range b {
		switch {
		case c == '-':
			c = '+'
		case c == '_':
			c = '/'
		}
		if wordChar(c) || c == '+' || c == '/' {
			text = append(text, c)
		} else if !lenient {
			break
		}
	}
	if len(text)%4 == 1 {
		text = text[:len(text)-1]
	}
	out, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return b
	}
	return out
}

func hexDecode(b []byte) []byte {
	out := make([]byte, len(b)/2)
	if n, err := hex.Decode(out, b[:len(b)/2*2]); err != nil {
		return append(out[:n], b[2*n:]...)
	}
	return out
}

// sqlHexDecode decodes 0x4142 to AB.
func sqlHexDecode(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] == '0' && i+3 < len(b) && b[i+1]|0x20 == 'x' {
			n := i + 2
			for n+1 < len(b) {
				v, ok := hexNumber(b[n:], 2)
				if !ok {
					break
				}
				out = append(out, byte(v))
				n += 2
			}
			if n > i+2 {
				i = n
				continue
			}
		}
		out = append(out, b[i])
		i++
	}
	return out
}

// replaceComments puts a blank in the place of /* … */; one without an end reaches to the end of the text.
func replaceComments(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for {
		before, after, found := bytes.Cut(b, []byte("/*"))
		out = append(out, before...)
		if !found {
			return out
		}
		out = append(out, ' ')
		if _, b, found = bytes.Cut(after, []byte("*/")); !found {
			return out
		}
	}
}

func removeCommentChars(b []byte) []byte {
	for _, mark := range [...]string{"/*", "*/", "--", "#"} {
		b = bytes.ReplaceAll(b, []byte(mark), nil)
	}
	return b
}

// cssDecode decodes the escapes of CSS: a backslash and up to six hexadecimal digits, or a character that stands for itself.
func cssDecode(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		n := 0
		for n < 6 && i+1+n < len(b) && isHex(b[i+1+n]) {
			n++
		}
		if n == 0 {
			i++
			if b[i] != '\n' {
				out = append(out, b[i])
			}
			continue
		}
		v, _ := strconv.ParseUint(string(b[i+1:i+1+n]), 16, 32) // digits only
		out = append(out, byte(v))
		i += n
		if i+1 < len(b) && isSpace(b[i+1]) {
			i++
		}
	}
	return out
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// normalizePath resolves . and .. and repeated slashes.
func normalizePath(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	out := path.Clean(string(b))
	if b[len(b)-1] == '/' && out != "/" {
		out += "/"
	}
	return []byte(out)
}

// utf8ToUnicode writes what is not ASCII as %uXXXX.
func utf8ToUnicode(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r < utf8.RuneSelf || r == utf8.RuneError {
			out = append(out, b[:n]...)
		} else {
			out = fmt.Appendf(out, "%%u%04x", r)
		}
		b = b[n:]
	}
	return out
}
