package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// Protocol is how a service puts its shapes on the wire.
type Protocol uint8

// The protocols there are codecs for.
const (
	JSON10 Protocol = iota + 1
	JSON11
	Query
	EC2
	// CBOR is Smithy RPC v2: the operation stands in the path, bodies are CBOR.
	CBOR
)

// Form tells whether requests are forms that name their Action, and answers XML.
func (p Protocol) Form() bool { return p == Query || p == EC2 }

// Limits of a request; what passes one is refused as a serialisation error.
const (
	// MaxBody is the largest body in bytes. The largest legitimate ones are layer parts of a registry upload (20 MiB in base64).
	MaxBody = 32 << 20
	// maxDepth is how deep values may nest.
	maxDepth = 64
	// maxElements is how many values one request may hold in all its lists, maps and structures.
	maxElements = 200_000
)

// Service is one AWS API: what wiregen makes of a model. It is read-only.
type Service struct {
	// Name is the model's directory, such as "apprunner"; Version the API version.
	Name, Version string
	// SigningName is the service in the credential scope of a signature.
	SigningName string
	Protocol    Protocol
	// Also are further protocols it speaks, see [Service.In].
	Also []Protocol
	// QueryCompatible says that clients of other protocols are told the error codes of the query protocol too.
	QueryCompatible bool
	// TargetPrefix precedes the operation in X-Amz-Target (JSON protocols), and stands in the path (CBOR).
	TargetPrefix string
	// Namespace is the XML namespace of answers (query and EC2 protocols).
	Namespace string
	// ErrorMessage is how error bodies spell the message member in JSON protocols: "Message" or "message".
	ErrorMessage string

	Shapes     []Shape
	Operations []Operation // sorted by name
	Errors     []Error     // sorted by code
}

// Operation is one action of a service.
type Operation struct {
	Name          string
	Input, Output Ref
	// NewInput and NewOutput make an empty *T of the Go struct; they are nil where there is no input or output.
	NewInput, NewOutput func() any
	// Errors are the codes the model lists for this operation, sorted.
	Errors []string
	// Paginated operations hand out their results in pages.
	Paginated bool
	// ResultWrapper is the element around the output in the query protocol.
	ResultWrapper string
	// Optional are prefixes of member paths below which a required member may be absent, because the specification says so
	// where the model does not.
	Optional []string
}

// Error is one error of a service: the code on the wire and the HTTP status that goes with it.
type Error struct {
	Code   string
	Status int
	// Query is the code in the query protocol where that is another one.
	Query string
}

// Speaks tells whether the service has a protocol.
func (s *Service) Speaks(p Protocol) bool { return s.Protocol == p || slices.Contains(s.Also, p) }

// In is the service as it is spoken to in one of its protocols.
func (s *Service) In(p Protocol) *Service {
	if p == s.Protocol || !s.Speaks(p) {
		return s
	}
	c := *s
	c.Protocol = p
	return &c
}

// Operation returns the operation of that name, or nil.
func (s *Service) Operation(name string) *Operation {
	i, ok := slices.BinarySearchFunc(s.Operations, name, func(o Operation, n string) int { return strings.Compare(o.Name, n) })
	if !ok {
		return nil
	}
	return &s.Operations[i]
}

// Status returns the HTTP status of one of the service's own error codes, or 0 for a code that is not its own.
func (s *Service) Status(code string) int { return s.error(code).Status }

// QueryCode is how the query protocol spells one of the service's own error codes; others stay as they are.
func (s *Service) QueryCode(code string) string { return orElse(s.error(code).Query, code) }

func (s *Service) error(code string) Error {
	i, ok := slices.BinarySearchFunc(s.Errors, code, func(e Error, c string) int { return strings.Compare(e.Code, c) })
	if !ok {
		return Error{}
	}
	return s.Errors[i]
}

// Lists tells whether the model lists the error code for the operation.
func (o *Operation) Lists(code string) bool {
	_, ok := slices.BinarySearch(o.Errors, code)
	return ok
}

// Request is what the codecs read of an HTTP request whose body was read already.
type Request struct {
	// RawQuery is the query string of the URL, undecoded.
	RawQuery string
	Body     []byte
}

// Response is an answer, ready to be sent.
type Response struct {
	Status      int
	ContentType string // "": without a body
	Body        []byte
}

// codec reads requests and writes answers in one protocol.
type codec interface {
	decode(s *Service, op *Operation, r Request, in reflect.Value) error
	encode(s *Service, op *Operation, out reflect.Value, requestID string) Response
	encodeError(s *Service, status int, code, message, requestID string) Response
}

func (s *Service) codec() codec {
	switch s.Protocol {
	case JSON10:
		return jsonCodec{contentType: "application/x-amz-json-1.0", namespaced: true}
	case JSON11:
		return jsonCodec{contentType: "application/x-amz-json-1.1"}
	case Query:
		return queryCodec{}
	case EC2:
		return ec2Codec{}
	case CBOR:
		return cborCodec{}
	}
	panic(fmt.Sprintf("wire: service %s has protocol %d, for which there is no codec", s.Name, s.Protocol))
}

// Decode reads a request of the operation: a pointer to a new value of its input struct (*struct{} where it has none). Constraints are not checked here. The error is a
// *SerializationError.
func (s *Service) Decode(op *Operation, r Request) (any, error) {
	if len(r.Body) > MaxBody {
		return nil, &SerializationError{Problem: fmt.Sprintf("the request body has %d bytes, more than the %d that are allowed", len(r.Body), MaxBody)}
	}
	if op.Input == None {
		return new(struct{}), nil
	}
	in := op.NewInput()
	if err := s.codec().decode(s, op, r, reflect.ValueOf(in).Elem()); err != nil {
		return nil, err
	}
	return in, nil
}

// Encode writes the answer of the operation. out is a pointer to its output struct; nil, where the operation has an output, is
// an empty one.
func (s *Service) Encode(op *Operation, out any, requestID string) Response {
	var v reflect.Value
	if op.Output != None {
		if out == nil {
			out = op.NewOutput()
		}
		v = reflect.ValueOf(out).Elem()
	}
	return s.codec().encode(s, op, v, requestID)
}

// EncodeError writes an error answer. A status of 0 takes the one of the service's table, 400 where that has none.
func (s *Service) EncodeError(status int, code, message, requestID string) Response {
	if status == 0 {
		status = s.Status(code)
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	return s.codec().encodeError(s, status, code, message, requestID)
}

// SerializationError is a request that cannot be read: broken syntax, or a member of the wrong type.
type SerializationError struct {
	// Path is the member, as the request spells it; empty for the request as a whole.
	Path string
	// Problem says what is wrong, without the value.
	Problem string
}

// Error names the member and the problem.
func (e *SerializationError) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}
