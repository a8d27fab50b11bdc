package caller

import (
	"errors"
	"io"
	"net/http"
	"syscall"
)

// passing tells whether a failure may be over at the next attempt. What may have been done already is only asked for again when that
// changes nothing.
func passing(err error, idempotent bool) bool {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.passing(idempotent)
	}
	return idempotent && broken(err)
}

// broken tells a connection that ended before the answer did. That nobody listens does not pass: the supervisor holds the address for as
// long as there is an installation.
func broken(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

func (e *Error) passing(idempotent bool) bool {
	switch {
	case e.Code == "ThrottlingException", e.Code == "Throttling", e.Code == "TooManyRequestsException", e.Status == http.StatusTooManyRequests,
		e.Status == http.StatusServiceUnavailable:
		return true
	}
	return idempotent && e.Status >= http.StatusInternalServerError
}
