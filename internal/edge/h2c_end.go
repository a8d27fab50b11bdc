package edge

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/http2"
)

// How answers of instances that speak HTTP/2 end before they are complete. gRPC clients learn the reason from the status in the trailers
// and decide by it whether to try again; a stream that is reset looks like a fault of the server to them.

// grpcUnavailable is the end of a gRPC stream whose instance is gone: UNAVAILABLE, which clients try again on.
const grpcUnavailable = "0\r\nGrpc-Status: 14\r\nGrpc-Message: the instance ended; connect again\r\n\r\n"

// breakOff notes why an answer ended early, and ends a gRPC stream in its own words when its instance, or its time there, is over.
func (x *h2cExchange) breakOff(resp *http.Response, err error) {
	if err == io.EOF {
		return
	}
	s, reset := errors.AsType[http2.StreamError](err)
	x.withdrew = reset && s.Code == http2.ErrCodeCancel && !x.sentAway.Load()
	lost := !reset && x.ctx.Err() == nil
	if (lost || x.sentAway.Load()) && resp.ContentLength < 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/grpc") {
		_, _ = x.down.Write([]byte(grpcUnavailable)) // its error: nobody listens any more
	}
}

// sendAway ends the answer of an instance whose time is over, and the stream there. It returns false when it was done before, or cannot
// be.
func (c *upstreamConn) sendAway() bool {
	if c == nil {
		return false
	}
	x, ok := c.wire.(*h2cExchange)
	if !ok || x.sentAway.Swap(true) {
		return false
	}
	x.cancel()
	return true
}

// cancelled tells whether the instance took its answer back, after the answer has ended.
func (c *upstreamConn) cancelled() bool {
	if c == nil {
		return false
	}
	x, ok := c.wire.(*h2cExchange)
	return ok && x.withdrew
}
