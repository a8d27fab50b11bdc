package e2e

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"slipway.dev/slipway/test/rig"
)

// speaks makes a service of the gRPC application.
func speaks(t *testing.T, h *rig.House, name string, more ...string) rig.Service {
	t.Helper()
	img, err := rig.Program("test/app/rpc")
	if err != nil {
		t.Fatal(err)
	}
	h.Repository(t, "rpc")
	h.Push(t, "rpc", "v1", img)
	return h.Create(t, name, rig.ImageSource("rpc", "v1", nil), types.ServiceStatusRunning, rig.Small, tagged(append(more, "slipway:protocol", "h2c")...))
}

// TestGRPC: the cases of gRPC's own interoperability tests that concern what lies between client and server, with a container and
// gRPC's own client.
func TestGRPC(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := speaks(t, h.House, "speaks-grpc")
	c := testpb.NewTestServiceClient(s.Channel(t, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(32<<20))))
	for name, test := range map[string]func(*testing.T, testpb.TestServiceClient, rig.Service){
		"metadata": grpcMetadata, "statuses": grpcStatuses, "large messages": grpcLarge, "streams": grpcStreams,
		"cancellation": grpcCancel, "deadline": grpcDeadline,
	} {
		t.Run(name, func(t *testing.T) { test(t, c, s) })
	}
}

// soon bounds a case.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func grpcMetadata(t *testing.T, c testpb.TestServiceClient, _ rig.Service) {
	ctx := metadata.AppendToOutgoingContext(soon(t), "x-grpc-test-echo-initial", "one", "x-grpc-test-echo-trailing-bin", "\x00\xff\xab")
	var head, tail metadata.MD
	if _, err := c.EmptyCall(ctx, &testpb.Empty{}, grpc.Header(&head), grpc.Trailer(&tail)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(head["x-grpc-test-echo-initial"], "|"); got != "one" {
		t.Errorf("header %q", got)
	}
	if got := strings.Join(tail["x-grpc-test-echo-trailing-bin"], "|"); got != "\x00\xff\xab" {
		t.Errorf("trailer %q", got)
	}
}

func grpcStatuses(t *testing.T, c testpb.TestServiceClient, _ rig.Service) {
	const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
	want := &testpb.EchoStatus{Code: int32(codes.Unknown), Message: special}
	_, err := c.UnaryCall(soon(t), &testpb.SimpleRequest{ResponseStatus: want})
	if st := status.Convert(err); st.Code() != codes.Unknown || st.Message() != special {
		t.Errorf("a call ended with %v", err)
	}
	both, err := c.FullDuplexCall(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := both.Send(&testpb.StreamingOutputCallRequest{ResponseStatus: want}); err != nil {
		t.Fatal(err)
	}
	if _, err := both.Recv(); status.Code(err) != codes.Unknown || status.Convert(err).Message() != special {
		t.Errorf("a stream ended with %v", err)
	}
	if _, err := c.UnimplementedCall(soon(t), &testpb.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a method that is not there: %v", err)
	}
}

func grpcLarge(t *testing.T, c testpb.TestServiceClient, _ rig.Service) {
	const large = 16 << 20
	r, err := c.UnaryCall(soon(t), &testpb.SimpleRequest{ResponseSize: large, Payload: &testpb.Payload{Body: make([]byte, large)}})
	if err != nil || len(r.GetPayload().GetBody()) != large {
		t.Errorf("%d bytes, %v", len(r.GetPayload().GetBody()), err)
	}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			r, err := c.UnaryCall(soon(t), &testpb.SimpleRequest{ResponseSize: 314159, Payload: &testpb.Payload{Body: make([]byte, 271828)}})
			if err != nil || len(r.GetPayload().GetBody()) != 314159 {
				t.Errorf("%d bytes, %v", len(r.GetPayload().GetBody()), err)
			}
		})
	}
	wg.Wait()
}

func grpcStreams(t *testing.T, c testpb.TestServiceClient, _ rig.Service) {
	up, err := c.StreamingInputCall(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int32{27182, 8, 1828, 45904}
	for _, n := range sizes {
		if err := up.Send(&testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, n)}}); err != nil {
			t.Fatal(err)
		}
	}
	if sum, err := up.CloseAndRecv(); err != nil || sum.AggregatedPayloadSize != 74922 {
		t.Errorf("client stream: %v, %v", sum, err)
	}
	both, err := c.FullDuplexCall(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range sizes { // one after the other: nothing may wait for more
		ask := &testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: n}}, Payload: &testpb.Payload{Body: make([]byte, n)}}
		if err := both.Send(ask); err != nil {
			t.Fatal(err)
		}
		if got, err := both.Recv(); err != nil || len(got.Payload.Body) != int(n) {
			t.Fatalf("ping-pong of %d bytes: %v", n, err)
		}
	}
	if err := both.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := both.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
}

// endlessly asks for a stream that goes on.
func endlessly(ctx context.Context, t *testing.T, c testpb.TestServiceClient) testpb.TestService_StreamingOutputCallClient {
	t.Helper()
	down, err := c.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{
		ResponseParameters: []*testpb.ResponseParameters{{Size: 31415}}, ResponseStatus: &testpb.EchoStatus{Message: "every 50ms"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := down.Recv(); err != nil || len(got.Payload.Body) != 31415 {
		t.Fatalf("the stream begins with %v", err)
	}
	return down
}

// TestGRPCLongStreams: the time of a request does not bind streams.
func TestGRPCLongStreams(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := speaks(t, h.House, "streams-grpc", "slipway:request-timeout", "4s")
	c := testpb.NewTestServiceClient(s.Channel(t))
	down, began := endlessly(soon(t), t, c), time.Now()
	for time.Since(began) < 5500*time.Millisecond {
		if _, err := down.Recv(); err != nil {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
	}
}

func grpcCancel(t *testing.T, c testpb.TestServiceClient, s rig.Service) {
	ctx, cancel := context.WithCancel(soon(t))
	down := endlessly(ctx, t, c)
	cancel()
	for err := error(nil); ; _, err = down.Recv() {
		if err != nil {
			if status.Code(err) != codes.Canceled {
				t.Errorf("a cancelled stream ended with %v", err)
			}
			break
		}
	}
	s.Printed(t, "a stream ended: context canceled")
}

func grpcDeadline(t *testing.T, c testpb.TestServiceClient, _ rig.Service) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	down, err := c.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{ResponseStatus: &testpb.EchoStatus{Message: "every 50ms"}})
	for err == nil {
		_, err = down.Recv()
	}
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a stream past its deadline ended with %v", err)
	}
}

// TestGRPCThroughADeployment: calls go on without a failure; a stream goes on at the old instance until that is stopped, and ends in a
// way that clients try again on.
//
// checklist: 82
func TestGRPCThroughADeployment(t *testing.T) {
	t.Parallel()
	h := lasting(t)
	s := speaks(t, h, "grpc-moves")
	c := testpb.NewTestServiceClient(s.Channel(t))
	down := endlessly(soon(t), t, c)
	who := func() (string, error) {
		var head metadata.MD
		_, err := c.EmptyCall(soon(t), &testpb.Empty{}, grpc.Header(&head))
		return strings.Join(head["x-who"], "|"), err
	}
	stop, done := make(chan struct{}), make(chan map[string]int)
	go func() {
		seen := map[string]int{}
		for {
			select {
			case <-stop:
				done <- seen
				return
			case <-time.After(10 * time.Millisecond):
			}
			answer, err := who()
			if err != nil {
				t.Errorf("a call: %v", err)
			}
			seen[answer]++
		}
	}()
	s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("rpc", "v1", map[string]string{"VERSION": "2"})}, types.ServiceStatusRunning)
	var err error
	for err == nil {
		_, err = down.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the stream at the old instance ended with %v", err)
	}
	close(stop)
	if seen := <-done; len(seen) != 2 {
		t.Errorf("answers: %v", seen)
	}
	if now, err := who(); err != nil || !strings.HasPrefix(now, "2 ") {
		t.Errorf("afterwards %q, %v", now, err)
	}
	h.NoOrphans(t)
}
