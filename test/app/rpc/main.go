// Command rpc is an application that speaks gRPC: the service of gRPC's own interoperability tests, as far as they concern what lies
// between client and server, and the standard health service. EmptyCall tells VERSION and the host name in the header x-who.
//
// A stream that is asked for with the status message "every 100ms" goes on at that pace for ever.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// mostMessage is the largest message that is taken.
const mostMessage = 32 << 20

func main() {
	l, err := net.Listen("tcp", ":"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(mostMessage))
	testpb.RegisterTestServiceServer(server, service{})
	healthpb.RegisterHealthServer(server, health.NewServer())
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(stop, server.GracefulStop)
	if err := server.Serve(l); err != nil {
		log.Fatal(err) //nolint:gocritic // there is nothing left to undo
	}
}

type service struct {
	testpb.UnimplementedTestServiceServer
}

// EmptyCall tells who answers, and sends back the metadata of the interoperability tests.
func (service) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	in, _ := metadata.FromIncomingContext(ctx)
	header := metadata.Pairs("x-who", os.Getenv("VERSION")+" from "+host, "x-grpc-test-echo-initial", strings.Join(in["x-grpc-test-echo-initial"], ","))
	trailer := metadata.Pairs("x-grpc-test-echo-trailing-bin", strings.Join(in["x-grpc-test-echo-trailing-bin"], ","))
	return &testpb.Empty{}, errors.Join(grpc.SetHeader(ctx, header), grpc.SetTrailer(ctx, trailer))
}

// UnaryCall answers with as much as it is asked for, or with a status.
func (service) UnaryCall(_ context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if st := r.GetResponseStatus(); st != nil {
		return nil, status.Error(codes.Code(st.Code), st.Message)
	}
	return &testpb.SimpleResponse{Payload: payload(r.ResponseSize)}, nil
}

// StreamingInputCall sums up what comes.
func (service) StreamingInputCall(s testpb.TestService_StreamingInputCallServer) error {
	sum := int32(0)
	for {
		r, err := s.Recv()
		if err == io.EOF {
			return s.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: sum})
		}
		if err != nil {
			return err
		}
		sum += int32(len(r.Payload.GetBody()))
	}
}

// StreamingOutputCall sends what it is asked for, and then goes on at the pace it is asked for.
func (service) StreamingOutputCall(r *testpb.StreamingOutputCallRequest, s testpb.TestService_StreamingOutputCallServer) error {
	if err := send(s, r); err != nil {
		return err
	}
	pace, on := strings.CutPrefix(r.GetResponseStatus().GetMessage(), "every ")
	every, err := time.ParseDuration(pace)
	if !on || err != nil {
		return nil
	}
	for {
		select {
		case <-time.After(every):
		case <-s.Context().Done():
			log.Printf("a stream ended: %v", s.Context().Err())
			return s.Context().Err()
		}
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: payload(1)}); err != nil {
			return err
		}
	}
}

// FullDuplexCall answers each message with what it asks for, or ends with the status that it asks for.
func (service) FullDuplexCall(s testpb.TestService_FullDuplexCallServer) error {
	for {
		r, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			log.Printf("a stream ended: %v", err)
			return err
		}
		if st := r.GetResponseStatus(); st != nil {
			return status.Error(codes.Code(st.Code), st.Message)
		}
		if err := send(s, r); err != nil {
			return err
		}
	}
}

// sender is a stream of answers.
type sender interface {
	Send(*testpb.StreamingOutputCallResponse) error
}

func send(s sender, r *testpb.StreamingOutputCallRequest) error {
	for _, p := range r.ResponseParameters {
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: payload(p.Size)}); err != nil {
			return err
		}
	}
	return nil
}

func payload(n int32) *testpb.Payload { return &testpb.Payload{Body: make([]byte, n)} }
