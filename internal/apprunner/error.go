package apprunner

import (
	"errors"
	"fmt"
	"strings"
)

// Code is an error code as the AWS APIs spell it (§1.3).
type Code string

// The codes every App Runner operation draws from (§1.3). Rooms behind other AWS APIs use that API's own codes.
const (
	CodeInvalidRequest   Code = "InvalidRequestException"
	CodeInvalidState     Code = "InvalidStateException"
	CodeNotFound         Code = "ResourceNotFoundException"
	CodeQuotaExceeded    Code = "ServiceQuotaExceededException"
	CodeInternal         Code = "InternalServiceErrorException"
	CodeAccessDenied     Code = "AccessDeniedException"
	CodeUnrecognizedKey  Code = "UnrecognizedClientException"
	CodeInvalidSignature Code = "InvalidSignatureException"
	CodeExpiredToken     Code = "ExpiredTokenException"
	CodeIncomplete       Code = "IncompleteSignature"
	CodeMissingAuth      Code = "MissingAuthenticationTokenException"
	CodeUnknownOperation Code = "UnknownOperationException"
	CodeSerialization    Code = "SerializationException"
	CodeThrottling       Code = "ThrottlingException"
	CodeUnavailable      Code = "ServiceUnavailable"
)

// Error is the one error type that crosses rooms: a code for the client, a message a person can act on, an optional hint for
// the next step, and the cause, which stays inside.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Err     error
}

// Error returns the message and, where there is one, the hint.
func (e *Error) Error() string {
	switch {
	case e.Hint == "":
		return e.Message
	case strings.HasSuffix(e.Message, "."):
		return e.Message + " " + e.Hint
	}
	return e.Message + ". " + e.Hint
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error; a %w verb keeps the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WithHint returns a copy of e that tells the next step.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// CodeOf returns the code of the first Error in err's chain, or CodeInternal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
