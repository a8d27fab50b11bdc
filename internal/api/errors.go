package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
)

// fault is an error as it goes out.
type fault struct {
	status  int
	code    string
	message string
	query   string // the header for clients that knew the service by the query protocol; "" for none
}

// codeTooLarge answers a body over the limit.
const codeTooLarge apprunner.Code = "RequestEntityTooLarge"

// maxMessage is the longest message of an error (§1.3).
const maxMessage = 600

// statuses are those of the errors that any operation of any service may answer with (§1.3). The codes of a service's own model
// carry their status in its table.
var statuses = map[apprunner.Code]int{
	apprunner.CodeAccessDenied:     http.StatusForbidden,
	apprunner.CodeUnrecognizedKey:  http.StatusForbidden,
	apprunner.CodeInvalidSignature: http.StatusForbidden,
	apprunner.CodeExpiredToken:     http.StatusForbidden,
	apprunner.CodeIncomplete:       http.StatusForbidden,
	apprunner.CodeMissingAuth:      http.StatusForbidden,
	apprunner.CodeUnknownOperation: http.StatusNotFound,
	apprunner.CodeSerialization:    http.StatusBadRequest,
	apprunner.CodeThrottling:       http.StatusBadRequest,
	apprunner.CodeUnavailable:      http.StatusServiceUnavailable,
	codeTooLarge:                   http.StatusRequestEntityTooLarge,
}

// spelling is how an API answers with a common error: its own code, and its own status unless that is 0.
type spelling struct {
	code   string
	status int
}

// queryCodes is how the query services spell the common errors.
var queryCodes = map[apprunner.Code]spelling{
	apprunner.CodeAccessDenied:     {code: "AccessDenied"},
	apprunner.CodeUnrecognizedKey:  {code: "InvalidClientTokenId"},
	apprunner.CodeInvalidSignature: {code: "SignatureDoesNotMatch"},
	apprunner.CodeExpiredToken:     {code: "ExpiredToken"},
	apprunner.CodeIncomplete:       {code: "IncompleteSignature"},
	apprunner.CodeMissingAuth:      {code: "MissingAuthenticationToken"},
	apprunner.CodeUnknownOperation: {code: "InvalidAction", status: http.StatusBadRequest},
	apprunner.CodeSerialization:    {code: "MalformedInput"},
	apprunner.CodeThrottling:       {code: "Throttling"},
}

// spelt is the table for an exchange; nil where codes are sent as they are.
func (x *exchange) spelt() map[apprunner.Code]spelling {
	switch {
	case x.service != nil && x.service.Codes != nil:
		return x.service.Codes
	case x.api().Protocol.Form():
		return queryCodes
	}
	return nil
}

// declares tells whether the operation's own model has an error code, whatever it means elsewhere.
func (x *exchange) declares(code string) bool {
	return x.operation != nil && slices.Contains(x.operation.Errors, code)
}

// fault turns an error into what the client is told; nil stays nil. An error that is not made for clients is logged with the
// request id and answered without detail.
func (s *Server) fault(x *exchange, err error) *fault {
	if err == nil {
		return nil
	}
	var known *apprunner.Error
	if !errors.As(err, &known) || known.Code == apprunner.CodeInternal || known.Code == "" {
		return s.internal(x, err)
	}
	f := &fault{code: string(known.Code), message: shorten(known.Error())}
	f.status = statuses[known.Code]
	if f.status == 0 {
		f.status = x.api().Status(f.code)
	}
	if f.status == 0 {
		f.status = http.StatusBadRequest
	}
	x.spell(f, known.Code)
	return f
}

// spell gives an error the code by which the protocol, or the API, knows it.
func (x *exchange) spell(f *fault, common apprunner.Code) {
	api := x.api()
	if api.QueryCompatible {
		x.spellBoth(f, common)
		return
	}
	spelt, ok := x.spelt()[common]
	switch {
	case !ok:
	case x.declares(f.code):
		f.status = api.Status(f.code)
	default:
		f.code = spelt.code
	}
	if spelt.status != 0 {
		f.status = spelt.status
	}
}

// spellBoth is spell for an API that has another code for an error in the query protocol: clients of the others are told that one in a
// header (trait awsQueryCompatible).
func (x *exchange) spellBoth(f *fault, common apprunner.Code) {
	query := x.api().QueryCode(f.code)
	if spelt, ok := queryCodes[common]; ok && !x.declares(f.code) {
		query = spelt.code
	}
	if x.api().Protocol.Form() {
		f.code = query
		return
	}
	side := "Sender"
	if f.status >= http.StatusInternalServerError {
		side = "Receiver"
	}
	f.query = query + ";" + side
}

func (s *Server) internal(x *exchange, err error) *fault {
	attrs := []any{"request_id", x.id, "service", x.api().Name, "operation", clip(x.claimed, 128), "error", err}
	switch {
	case x.http.Context().Err() != nil:
		s.Log.Debug("the client went away", attrs...)
	case errors.Is(err, context.DeadlineExceeded):
		s.Log.Warn("an API call took too long", attrs...)
		return &fault{status: http.StatusServiceUnavailable, code: string(apprunner.CodeUnavailable), message: "The request took too long; try again."}
	default:
		s.Log.Error("an API call failed", attrs...)
	}
	code := apprunner.CodeInternal
	if x.service != nil && x.service.Internal != "" {
		code = x.service.Internal
	}
	f := &fault{
		status: http.StatusInternalServerError, code: string(code),
		message: "An internal error occurred. The server's log tells more under request id " + x.id + ".",
	}
	if x.api().QueryCompatible {
		x.spellBoth(f, code)
	}
	return f
}

// shorten cuts a message to the characters that may be sent.
func shorten(s string) string {
	if utf8.RuneCountInString(s) <= maxMessage {
		return s
	}
	return string([]rune(s)[:maxMessage-1]) + "…"
}
