package wire

import (
	"encoding/json"
	"reflect"
	"strings"
)

// The other end: what a client of a JSON service writes and reads. Nobody here is a client of the other protocols.

// EncodeRequest writes the body of a request and its content type. in is a pointer to the operation's input struct; nil is an empty one.
func (s *Service) EncodeRequest(op *Operation, in any) (contentType string, body []byte) {
	body = []byte("{}")
	if op.Input != None && in != nil {
		body = s.appendJSON(nil, reflect.ValueOf(in).Elem(), &s.Shapes[op.Input])
	}
	return s.codec().(jsonCodec).contentType, body
}

// DecodeAnswer reads an answer: a pointer to a new value of the operation's output struct (*struct{} where it has none). The error
// is a *SerializationError.
func (s *Service) DecodeAnswer(op *Operation, body []byte) (any, error) {
	if op.Output == None {
		return new(struct{}), nil
	}
	out := op.NewOutput()
	r := jsonReader{s: s, data: body}
	if err := r.document(reflect.ValueOf(out).Elem(), &s.Shapes[op.Output]); err != nil {
		return nil, err
	}
	return out, nil
}

// DecodeError reads an error answer: its code without the name space, and its message. Both are empty when body is none.
func DecodeError(body []byte) (code, message string) {
	var fault struct {
		Type    string `json:"__type"`
		Message string // or message
	}
	if json.Unmarshal(body, &fault) != nil {
		return "", ""
	}
	return fault.Type[strings.LastIndexByte(fault.Type, '#')+1:], fault.Message
}
