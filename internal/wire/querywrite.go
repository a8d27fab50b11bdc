package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"time"
)

// queryCodec is awsQuery: form in, XML out.
type queryCodec struct{}

const xmlType = "text/xml"

func (queryCodec) encode(s *Service, op *Operation, out reflect.Value, requestID string) Response {
	w := xmlWriter{s: s}
	w.root(op.Name + "Response")
	if op.Output != None {
		w.open(op.ResultWrapper)
		w.members(out, &s.Shapes[op.Output])
		w.close(op.ResultWrapper)
	}
	w.open("ResponseMetadata")
	w.text("RequestId", requestID)
	w.close("ResponseMetadata")
	w.close(op.Name + "Response")
	return Response{Status: http.StatusOK, ContentType: xmlType, Body: w.buf.Bytes()}
}

func (queryCodec) encodeError(s *Service, status int, code, message, requestID string) Response {
	fault := "Sender"
	if status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	w := xmlWriter{s: s}
	w.root("ErrorResponse")
	w.open("Error")
	w.text("Type", fault)
	w.text("Code", code)
	w.text("Message", message)
	w.close("Error")
	w.text("RequestId", requestID)
	w.close("ErrorResponse")
	return Response{Status: status, ContentType: xmlType, Body: w.buf.Bytes()}
}

// xmlWriter writes values as XML elements along their shapes.
type xmlWriter struct {
	s   *Service
	buf bytes.Buffer
}

// root opens the outermost element, in the name space of the service.
func (w *xmlWriter) root(name string) {
	if w.s.Namespace == "" {
		w.open(name)
		return
	}
	w.open(name + ` xmlns="` + w.s.Namespace + `"`)
}

func (w *xmlWriter) open(name string)  { w.buf.WriteString("<" + name + ">") }
func (w *xmlWriter) close(name string) { w.buf.WriteString("</" + name + ">") }

// text writes a leaf. Characters that XML cannot carry become U+FFFD.
func (w *xmlWriter) text(name, s string) {
	w.open(name)
	_ = xml.EscapeText(&w.buf, []byte(s)) // a bytes.Buffer takes all
	w.close(name)
}

// members writes the present members of a structure; required lists and maps are written empty.
func (w *xmlWriter) members(v reflect.Value, sh *Shape) {
	for i := range sh.Members {
		m := &sh.Members[i]
		f, ms := v.Field(i), &w.s.Shapes[m.Shape]
		if f.IsNil() && !(m.Required && (ms.Kind == List || ms.Kind == Map)) {
			continue
		}
		w.value(m.wireName(), f, ms)
	}
}

func (w *xmlWriter) value(name string, v reflect.Value, sh *Shape) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.Kind {
	case Structure:
		w.open(name)
		w.members(v, sh)
		w.close(name)
	case List, Map:
		item := name
		if !sh.Flattened {
			w.open(name)
			defer w.close(name)
			item = orElse(sh.Item, sh.entry())
		}
		if sh.Kind == Map {
			w.mapping(item, v, sh)
			return
		}
		for i := range v.Len() {
			w.value(item, v.Index(i), &w.s.Shapes[sh.Value])
		}
	default:
		w.text(name, scalarText(v, sh))
	}
}

// entry is the standard name of the elements of a list or map.
func (sh *Shape) entry() string {
	if sh.Kind == Map {
		return "entry"
	}
	return "member"
}

func (w *xmlWriter) mapping(item string, v reflect.Value, sh *Shape) {
	for _, k := range sortedKeys(v) {
		w.open(item)
		w.text(orElse(sh.ItemKey, "key"), k)
		w.value(orElse(sh.ItemValue, "value"), v.MapIndex(reflect.ValueOf(k)), &w.s.Shapes[sh.Value])
		w.close(item)
	}
}

func scalarText(v reflect.Value, sh *Shape) string {
	switch sh.Kind {
	case String:
		return v.String()
	case Boolean:
		return strconv.FormatBool(v.Bool())
	case Integer, Long:
		return strconv.FormatInt(v.Int(), 10)
	case Timestamp:
		return v.Interface().(time.Time).UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.999Z")
	case Blob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	}
	f := v.Float()
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
