package wire

import (
	"encoding/base64"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// jsonCodec is awsJson1.0 and awsJson1.1.
type jsonCodec struct {
	contentType string
	// namespaced error types carry the name space of the service before the code (§1.3).
	namespaced bool
}

func (jsonCodec) decode(s *Service, op *Operation, r Request, in reflect.Value) error {
	reader := jsonReader{s: s, data: r.Body}
	return reader.document(in, &s.Shapes[op.Input])
}

func (c jsonCodec) encode(s *Service, op *Operation, out reflect.Value, _ string) Response {
	body := []byte("{}")
	if op.Output != None {
		body = s.appendJSON(nil, out, &s.Shapes[op.Output])
	}
	return Response{Status: http.StatusOK, ContentType: c.contentType, Body: body}
}

func (c jsonCodec) encodeError(s *Service, status int, code, message, _ string) Response {
	if c.namespaced {
		code = "com.amazonaws." + s.Name + "#" + code
	}
	b := append([]byte(nil), `{"__type":`...)
	b = appendString(b, code)
	b = append(b, ',')
	b = appendString(b, s.ErrorMessage)
	b = append(b, ':')
	b = appendString(b, message)
	return Response{Status: status, ContentType: c.contentType, Body: append(b, '}')}
}

// appendJSON writes a value. Absent members are left out, but for required lists and maps, which are sent empty (§1.2).
func (s *Service) appendJSON(b []byte, v reflect.Value, sh *Shape) []byte {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.Kind {
	case Structure:
		return s.appendObject(b, v, sh)
	case List:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = s.appendJSON(b, v.Index(i), &s.Shapes[sh.Value])
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = s.appendJSON(b, v.MapIndex(reflect.ValueOf(k)), &s.Shapes[sh.Value])
		}
		return append(b, '}')
	default:
		return appendScalar(b, v, sh)
	}
}

func (s *Service) appendObject(b []byte, v reflect.Value, sh *Shape) []byte {
	b = append(b, '{')
	first := true
	for i := range sh.Members {
		m := &sh.Members[i]
		f, kind := v.Field(i), s.Shapes[m.Shape].Kind
		if f.IsNil() && !(m.Required && (kind == List || kind == Map)) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, m.Name), ':')
		b = s.appendJSON(b, f, &s.Shapes[m.Shape])
	}
	return append(b, '}')
}

func appendScalar(b []byte, v reflect.Value, sh *Shape) []byte {
	switch sh.Kind {
	case String:
		return appendString(b, v.String())
	case Boolean:
		return strconv.AppendBool(b, v.Bool())
	case Integer, Long:
		return strconv.AppendInt(b, v.Int(), 10)
	case Timestamp:
		return appendEpoch(b, v.Interface().(time.Time))
	case Blob:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	default:
		return appendFloat(b, v.Float())
	}
}

func appendFloat(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// appendEpoch writes seconds since the epoch with up to three decimals (§1.2).
func appendEpoch(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		b, ms = append(b, '-'), -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	frac := ms % 1000
	if frac == 0 {
		return b
	}
	b = append(b, '.', byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

func sortedKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}

// appendString writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
