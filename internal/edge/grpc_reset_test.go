package edge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// TestGRPCServerKeepsTheDeadline: a server that gives up at the client's deadline cancels the stream, and the client is told that and
// not that something broke.
func TestGRPCServerKeepsTheDeadline(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	message, err := proto.Marshal(&testpb.StreamingOutputCallRequest{ResponseParameters: wants(5), ResponseStatus: &testpb.EchoStatus{Message: "dawdle"}})
	check(t, err)
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+appHost+"/grpc.testing.TestService/StreamingOutputCall", bytes.NewReader(frame))
	check(t, err)
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Grpc-Timeout": {"100m"}}
	resp, err := h.browser(true).Do(req)
	check(t, err)
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	if s, ok := errors.AsType[http2.StreamError](err); !ok || s.Code != http2.ErrCodeCancel {
		t.Errorf("got %v, want CANCEL", err)
	}
}

// TestGRPCStreamsEndWithTheirInstance: a stream that stayed too long at an instance that is let go ends with a status that clients try
// again on, and the instance is told.
func TestGRPCStreamsEndWithTheirInstance(t *testing.T) {
	h := newGRPCHouse(t, func(c *Config) { c.Limits.TunnelDrain = 100 * time.Millisecond }, nil)
	s, err := h.client.StreamingOutputCall(within(t, 10*time.Second), &testpb.StreamingOutputCallRequest{
		ResponseParameters: wants(5), ResponseStatus: &testpb.EchoStatus{Message: "wait"},
	})
	check(t, err)
	_, err = s.Recv()
	check(t, err)
	h.target.Phase = Draining
	h.publish(func(r *Route) { r.H2C = true }, h.target)
	if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	select {
	case <-h.app.ended:
	case <-time.After(10 * time.Second):
		t.Error("the instance goes on")
	}
	awaitCounters(t, h.house, func(c Counters) bool { return c.InFlight == 0 })
}

// TestGRPCWithoutItsTag: who forgot the tag is told so.
func TestGRPCWithoutItsTag(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	h.publish(nil, h.target)
	_, err := h.client.EmptyCall(within(t, 10*time.Second), &testpb.Empty{})
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "slipway:protocol=h2c") {
		t.Errorf("got %v", err)
	}
	resp, err := h.browser(false).Get("https://" + appHost + "/")
	check(t, err)
	if body := read(t, resp); resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "slipway:protocol=h2c") {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}
