package edge

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// This file makes trace ids for services with tracing on (§19, §23). What a client sent passes as it is: one of the two headers is
// enough for the application's SDK to go on with.

// wall is the time of the clock at a time since the edge started.
func (s *Server) wall(since time.Duration) time.Time { return s.started.Add(since) }

// appendTrace appends a new trace id as X-Ray and as W3C write it, one and the same.
func appendTrace(b []byte, now time.Time) []byte {
	var raw [56]byte
	random := appendRequestID(appendRequestID(raw[:0]))
	seconds := uint32(now.Unix())
	begin := hex.EncodeToString([]byte{byte(seconds >> 24), byte(seconds >> 16), byte(seconds >> 8), byte(seconds)})
	rest, parent := random[:24], random[32:48]
	b = append(append(append(b, "X-Amzn-Trace-Id: Root=1-"...), begin...), '-')
	b = append(b, rest...)
	b = append(append(append(b, "\r\nTraceparent: 00-"...), begin...), rest...)
	b = append(append(append(b, '-'), parent...), "-01\r\n"...)
	return b
}

// trace does the same for a request that goes by net/http.
func (x *exchange) trace(h http.Header, now time.Time) {
	if !x.claim.route.Trace || h["X-Amzn-Trace-Id"] != nil || h["Traceparent"] != nil {
		return
	}
	for line := range strings.SplitSeq(strings.TrimSpace(string(appendTrace(nil, now))), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
}
