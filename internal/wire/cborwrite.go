package wire

import (
	"encoding/binary"
	"math"
	"net/http"
	"reflect"
	"time"
)

// cborCodec is Smithy RPC v2 with CBOR: the operation stands in the path, requests and answers are CBOR maps.
type cborCodec struct{}

const cborType = "application/cbor"

func (cborCodec) decode(s *Service, op *Operation, r Request, in reflect.Value) error {
	reader := cborReader{s: s, data: r.Body}
	return reader.document(in, &s.Shapes[op.Input])
}

// encode writes an answer; that of an operation without output has no body and no type.
func (cborCodec) encode(s *Service, op *Operation, out reflect.Value, _ string) Response {
	if op.Output == None {
		return Response{Status: http.StatusOK}
	}
	return Response{Status: http.StatusOK, ContentType: cborType, Body: s.appendCBOR(nil, out, &s.Shapes[op.Output])}
}

func (cborCodec) encodeError(s *Service, status int, code, message, _ string) Response {
	b := appendHead(nil, cborMap, 2)
	b = appendCBORText(b, "__type")
	b = appendCBORText(b, "com.amazonaws."+s.Name+"#"+code)
	b = appendCBORText(b, s.ErrorMessage)
	b = appendCBORText(b, message)
	return Response{Status: status, ContentType: cborType, Body: b}
}

// appendHead writes the head of an item in its shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

func appendCBORText(b []byte, s string) []byte {
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

// appendCBOR writes a value. Absent members are left out, but for required lists and maps, which are sent empty.
func (s *Service) appendCBOR(b []byte, v reflect.Value, sh *Shape) []byte {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.Kind {
	case Structure:
		return s.appendCBORMap(b, v, sh)
	case List:
		b = appendHead(b, cborArray, uint64(v.Len()))
		for i := range v.Len() {
			b = s.appendCBOR(b, v.Index(i), &s.Shapes[sh.Value])
		}
		return b
	case Map:
		b = appendHead(b, cborMap, uint64(v.Len()))
		for _, k := range sortedKeys(v) {
			b = s.appendCBOR(appendCBORText(b, k), v.MapIndex(reflect.ValueOf(k)), &s.Shapes[sh.Value])
		}
		return b
	default:
		return appendCBORScalar(b, v, sh)
	}
}

func (s *Service) appendCBORMap(b []byte, v reflect.Value, sh *Shape) []byte {
	sent := func(i int) bool {
		m := &sh.Members[i]
		kind := s.Shapes[m.Shape].Kind
		return !v.Field(i).IsNil() || m.Required && (kind == List || kind == Map)
	}
	n := uint64(0)
	for i := range sh.Members {
		if sent(i) {
			n++
		}
	}
	b = appendHead(b, cborMap, n)
	for i := range sh.Members {
		if m := &sh.Members[i]; sent(i) {
			b = s.appendCBOR(appendCBORText(b, m.Name), v.Field(i), &s.Shapes[m.Shape])
		}
	}
	return b
}

func appendCBORScalar(b []byte, v reflect.Value, sh *Shape) []byte {
	switch sh.Kind {
	case String:
		return appendCBORText(b, v.String())
	case Blob:
		return append(appendHead(b, cborBytes, uint64(v.Len())), v.Bytes()...)
	case Boolean:
		if v.Bool() {
			return append(b, cborSimple<<5|cborTrue)
		}
		return append(b, cborSimple<<5|cborFalse)
	case Integer, Long:
		if n := v.Int(); n < 0 {
			return appendHead(b, cborNegative, uint64(-1-n))
		}
		return appendHead(b, cborUint, uint64(v.Int()))
	case Timestamp:
		b = appendHead(b, cborTag, cborEpochTag)
		return appendCBORFloat(b, seconds(v.Interface().(time.Time)))
	default:
		return appendCBORFloat(b, v.Float())
	}
}

// seconds are those since the epoch, to the millisecond. Clients cut off what is behind the milliseconds, so a fraction is never too small.
func seconds(t time.Time) float64 {
	f := float64(t.UnixMilli()) / 1000
	if f == math.Trunc(f) {
		return f
	}
	return math.Nextafter(f, math.Inf(1))
}

func appendCBORFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborSimple<<5|cborFloat64), math.Float64bits(f))
}
