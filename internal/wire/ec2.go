package wire

import (
	"net/http"
	"reflect"
	"unicode"
	"unicode/utf8"
)

// ec2Codec is ec2Query: the query protocol as EC2 spoke it before the others did. Entries of lists stand directly below their list,
// names begin with a capital letter in requests, and answers have no element around their result.
type ec2Codec struct{}

func (ec2Codec) decode(s *Service, op *Operation, r Request, in reflect.Value) error {
	reader := queryReader{s: s, ec2: true}
	return reader.request(r, in, &s.Shapes[op.Input])
}

// encode writes an answer. An operation without output answers that it has been done, as EC2 does though its model does not say so.
func (ec2Codec) encode(s *Service, op *Operation, out reflect.Value, requestID string) Response {
	w := xmlWriter{s: s}
	w.root(op.Name + "Response")
	w.text("requestId", requestID)
	if op.Output != None {
		w.members(out, &s.Shapes[op.Output])
	} else {
		w.text("return", "true")
	}
	w.close(op.Name + "Response")
	return Response{Status: http.StatusOK, ContentType: xmlType, Body: w.buf.Bytes()}
}

func (ec2Codec) encodeError(s *Service, status int, code, message, requestID string) Response {
	w := xmlWriter{s: s}
	w.open("Response")
	w.open("Errors")
	w.open("Error")
	w.text("Code", code)
	w.text("Message", message)
	w.close("Error")
	w.close("Errors")
	w.text("RequestID", requestID)
	w.close("Response")
	return Response{Status: status, ContentType: xmlType, Body: w.buf.Bytes()}
}

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
