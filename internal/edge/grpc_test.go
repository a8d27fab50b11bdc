package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// These are the cases of gRPC's own interoperability tests that concern what lies between client and server, with gRPC's own client
// over TLS and its own server behind the edge.

// grpcApp answers as those tests want.
type grpcApp struct {
	testpb.UnimplementedTestServiceServer
	ended chan error // how streams that wait were ended
	calls atomic.Int64
}

func (a *grpcApp) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	a.calls.Add(1)
	in, _ := metadata.FromIncomingContext(ctx)
	grpc.SetHeader(ctx, metadata.Pairs("x-echo", strings.Join(in["x-initial"], ",")))
	grpc.SetTrailer(ctx, metadata.Pairs("x-echo-bin", strings.Join(in["x-trailing-bin"], ",")))
	return &testpb.Empty{}, nil
}

func (a *grpcApp) UnaryCall(_ context.Context, r *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if st := r.GetResponseStatus(); st != nil {
		return nil, status.Error(codes.Code(st.Code), st.Message)
	}
	return &testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, r.ResponseSize)}}, nil
}

func (a *grpcApp) StreamingInputCall(s testpb.TestService_StreamingInputCallServer) error {
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

func (a *grpcApp) StreamingOutputCall(r *testpb.StreamingOutputCallRequest, s testpb.TestService_StreamingOutputCallServer) error {
	for _, p := range r.ResponseParameters {
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, p.Size)}}); err != nil {
			return err
		}
	}
	switch r.GetResponseStatus().GetMessage() {
	case "wait":
		<-s.Context().Done()
		a.ended <- s.Context().Err()
	case "dawdle": // so that the server itself ends the stream at the deadline
		<-s.Context().Done()
		time.Sleep(time.Second)
	}
	return nil
}

func (a *grpcApp) FullDuplexCall(s testpb.TestService_FullDuplexCallServer) error {
	for {
		r, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			a.ended <- err
			return err
		}
		if st := r.GetResponseStatus(); st != nil {
			return status.Error(codes.Code(st.Code), st.Message) // while the client may go on sending
		}
		for _, p := range r.ResponseParameters {
			if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, p.Size)}}); err != nil {
				return err
			}
		}
	}
}

// grpcHouse is an edge with a gRPC application behind it, and a client.
type grpcHouse struct {
	*house
	app    *grpcApp
	server *grpc.Server
	conn   *grpc.ClientConn
	client testpb.TestServiceClient
	target Target
}

func newGRPCHouse(t *testing.T, adjust func(*Config), route func(*Route)) *grpcHouse {
	t.Helper()
	h := &grpcHouse{house: newHouse(t, adjust), app: &grpcApp{ended: make(chan error, 10)}, server: grpc.NewServer()}
	testpb.RegisterTestServiceServer(h.server, h.app)
	healthpb.RegisterHealthServer(h.server, health.NewServer())
	l := listen(t)
	go h.server.Serve(l)
	t.Cleanup(h.server.Stop)
	h.target = Target{InstanceID: "g1", Address: l.Addr().String(), Phase: Active}
	h.publish(func(r *Route) {
		r.H2C = true
		if route != nil {
			route(r)
		}
	}, h.target)
	conn, err := grpc.NewClient("passthrough:///"+appHost, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: h.ca.pool})),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", h.https.Addr().String())
		}))
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	h.conn, h.client = conn, testpb.NewTestServiceClient(conn)
	return h
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func payload(n int) *testpb.Payload { return &testpb.Payload{Body: make([]byte, n)} }

func wants(sizes ...int32) (p []*testpb.ResponseParameters) {
	for _, n := range sizes {
		p = append(p, &testpb.ResponseParameters{Size: n})
	}
	return p
}

func TestGRPCUnary(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	ctx := metadata.AppendToOutgoingContext(within(t, 10*time.Second), "x-initial", "one", "x-trailing-bin", "\x00\xff")
	var head, tail metadata.MD
	if _, err := h.client.EmptyCall(ctx, &testpb.Empty{}, grpc.Header(&head), grpc.Trailer(&tail)); err != nil {
		t.Fatal(err)
	}
	if len(head["x-echo"]) != 1 || head["x-echo"][0] != "one" || len(tail["x-echo-bin"]) != 1 || tail["x-echo-bin"][0] != "\x00\xff" {
		t.Errorf("header %v, trailer %v", head, tail)
	}
	for _, size := range []int{0, 1, 271828, 3 << 20} {
		got, err := h.client.UnaryCall(ctx, &testpb.SimpleRequest{Payload: payload(size), ResponseSize: int32(size) + 1})
		if err != nil || len(got.Payload.Body) != size+1 {
			t.Fatalf("%d bytes: got %d, %v", size, len(got.GetPayload().GetBody()), err)
		}
	}
	if got, err := healthpb.NewHealthClient(h.conn).Check(ctx, &healthpb.HealthCheckRequest{}); err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", got, err)
	}
}

func TestGRPCStatus(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	ctx := within(t, 10*time.Second)
	const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
	_, err := h.client.UnaryCall(ctx, &testpb.SimpleRequest{ResponseStatus: &testpb.EchoStatus{Code: 2, Message: message}})
	if s := status.Convert(err); s.Code() != codes.Unknown || s.Message() != message {
		t.Errorf("got %v", err)
	}
	if _, err := h.client.HalfDuplexCall(ctx); err != nil {
		t.Error(err)
	}
	if _, err := testpb.NewUnimplementedServiceClient(h.conn).UnimplementedCall(ctx, &testpb.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
}

func TestGRPCStreams(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	ctx := within(t, 20*time.Second)
	sizes := []int{27182, 8, 1828, 45904, 500000}
	up, err := h.client.StreamingInputCall(ctx)
	check(t, err)
	for _, n := range sizes {
		check(t, up.Send(&testpb.StreamingInputCallRequest{Payload: payload(n)}))
	}
	if sum, err := up.CloseAndRecv(); err != nil || sum.AggregatedPayloadSize != 27182+8+1828+45904+500000 {
		t.Errorf("client stream: %v, %v", sum, err)
	}
	down, err := h.client.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{ResponseParameters: wants(31415, 9, 2653, 58979, 900000)})
	check(t, err)
	for _, want := range []int{31415, 9, 2653, 58979, 900000} {
		if got, err := down.Recv(); err != nil || len(got.Payload.Body) != want {
			t.Fatalf("server stream: got %d of %d bytes, %v", len(got.GetPayload().GetBody()), want, err)
		}
	}
	if _, err := down.Recv(); err != io.EOF {
		t.Errorf("server stream ended with %v", err)
	}
	both, err := h.client.FullDuplexCall(ctx)
	check(t, err)
	for i, n := range sizes { // each answer is there before the next question
		check(t, both.Send(&testpb.StreamingOutputCallRequest{Payload: payload(n), ResponseParameters: wants(int32(i + 1))}))
		if got, err := both.Recv(); err != nil || len(got.Payload.Body) != i+1 {
			t.Fatalf("ping-pong %d: %v, %v", i, got, err)
		}
	}
	check(t, both.CloseSend())
	if _, err := both.Recv(); err != io.EOF {
		t.Errorf("ping-pong ended with %v", err)
	}
	empty, err := h.client.FullDuplexCall(ctx)
	check(t, err)
	check(t, empty.CloseSend())
	if _, err := empty.Recv(); err != io.EOF {
		t.Errorf("an empty stream ended with %v", err)
	}
}

func TestGRPCServerEndsWhileTheClientSends(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	s, err := h.client.FullDuplexCall(within(t, 10*time.Second))
	check(t, err)
	check(t, s.Send(&testpb.StreamingOutputCallRequest{ResponseStatus: &testpb.EchoStatus{Code: 9, Message: "enough"}}))
	if _, err := s.Recv(); status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "enough" {
		t.Errorf("got %v", err)
	}
}

func TestGRPCDeadlinesAndCancelling(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	waiting := &testpb.StreamingOutputCallRequest{ResponseParameters: wants(5), ResponseStatus: &testpb.EchoStatus{Message: "wait"}}
	s, err := h.client.StreamingOutputCall(within(t, 300*time.Millisecond), waiting)
	check(t, err)
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	h.awaitEnd(t)
	ctx, cancel := context.WithCancel(within(t, 10*time.Second))
	s, err = h.client.StreamingOutputCall(ctx, waiting)
	check(t, err)
	s.Recv()
	cancel()
	if _, err := s.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
	h.awaitEnd(t) // the application learns that nobody listens
	awaitCounters(t, h.house, func(c Counters) bool { return c.InFlight == 0 })
}

func (h *grpcHouse) awaitEnd(t *testing.T) {
	t.Helper()
	select {
	case <-h.app.ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the application was not told")
	}
}

func TestGRPCBackpressure(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	s, err := h.client.StreamingOutputCall(within(t, 20*time.Second), &testpb.StreamingOutputCallRequest{ResponseParameters: wants(make1000(1 << 16)...)})
	check(t, err)
	for i := range 1000 { // 64 MB that nobody may keep
		if _, err := s.Recv(); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

func make1000(n int32) []int32 {
	sizes := make([]int32, 1000)
	for i := range sizes {
		sizes[i] = n
	}
	return sizes
}

func TestGRPCInstanceEnds(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	waiting := &testpb.StreamingOutputCallRequest{ResponseParameters: wants(5), ResponseStatus: &testpb.EchoStatus{Message: "wait"}}
	s, err := h.client.StreamingOutputCall(within(t, 10*time.Second), waiting)
	check(t, err)
	_, err = s.Recv()
	check(t, err)
	h.server.Stop()
	if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("a stream that broke off ended with %v", err)
	}
	if _, err := h.client.EmptyCall(within(t, 10*time.Second), &testpb.Empty{}); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err) // 502 or 503
	}
}

// An instance that closes gracefully sends GOAWAY: what it did not look at goes to another one or over another connection, and no
// call fails, though a POST is not sent twice otherwise.
func TestGRPCGoAwayLosesNothing(t *testing.T) {
	h := newGRPCHouse(t, nil, nil)
	l := listen(t)
	second := grpc.NewServer(grpc.MaxConcurrentStreams(2))
	testpb.RegisterTestServiceServer(second, h.app)
	go second.Serve(l)
	defer second.Stop()
	other := Target{InstanceID: "g2", Address: l.Addr().String(), Phase: Active}
	h.publish(func(r *Route) { r.H2C = true }, h.target, other)
	ctx := within(t, 20*time.Second)
	failed := make(chan error, 8)
	stop := make(chan struct{})
	for range cap(failed) {
		go func() {
			for {
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
				if _, err := h.client.EmptyCall(ctx, &testpb.Empty{}); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	awaitCalls := func(n int64) {
		for until := h.app.calls.Load() + n; h.app.calls.Load() < until && ctx.Err() == nil; {
			<-time.After(time.Millisecond)
		}
	}
	awaitCalls(200)
	h.server.GracefulStop()
	awaitCalls(200)
	close(stop)
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// lateListener lets what a server says first wait.
type lateListener struct{ net.Listener }

func (l lateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &lateConn{Conn: c}, err
}

type lateConn struct {
	net.Conn
	once sync.Once
}

func (c *lateConn) Write(b []byte) (int, error) {
	c.once.Do(func() { time.Sleep(300 * time.Millisecond) })
	return c.Conn.Write(b)
}

// Room on a connection is given away when it is known how much there is: of an instance that takes one request at a time on each, and
// says so late, everybody gets a connection, and nobody waits for those who wait for them.
func TestH2CFewStreams(t *testing.T) {
	l := listen(t)
	few := grpc.NewServer(grpc.MaxConcurrentStreams(1))
	testpb.RegisterTestServiceServer(few, &grpcApp{})
	go few.Serve(lateListener{l})
	defer few.Stop()
	ctx, pool, transport := within(t, time.Minute), &h2cPool{}, h2cTransport(&Limits{Connect: time.Minute, HeadBytes: 64 << 10})
	defer pool.close()
	var reserved, ended sync.WaitGroup
	reserved.Add(8)
	for range 8 {
		ended.Go(func() {
			c, err := pool.reserve(ctx, transport, l.Addr().String())
			reserved.Done()
			if err != nil {
				t.Error(err)
				return
			}
			reserved.Wait() // everybody has room before anybody asks
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://few/grpc.testing.TestService/EmptyCall", strings.NewReader("\x00\x00\x00\x00\x00"))
			r.Header.Set("Content-Type", "application/grpc")
			resp, err := c.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	ended.Wait()
}

// Plain HTTP clients reach such an application too, health checks ask it in its own protocol, and one that does not speak it is named.
func TestH2CForEveryClient(t *testing.T) {
	h := newHouse(t, nil)
	s := h2cApp(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			http.Error(w, "HTTP/2 only", http.StatusUpgradeRequired)
			return
		}
		w.Header().Set("Trailer", "X-Sum")
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/early" {
			w.Header().Set("Link", "</style.css>")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Write(body)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", r.Header.Get("X-Forwarded-For"))
	})
	h.publish(func(r *Route) {
		r.H2C, r.Health.Protocol = true, HTTP
	}, Target{InstanceID: "i1", Address: s, Phase: Active})
	both(t, h, func(t *testing.T, c *http.Client) {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, path := range []string{"/", "/early"} {
				req, _ := http.NewRequest(method, "https://"+appHost+path, strings.NewReader(strings.Repeat("x", 100_000)))
				resp, err := c.Do(req)
				check(t, err)
				want := 100_000
				if method == "HEAD" {
					want = 0
				}
				if body := read(t, resp); resp.StatusCode != 200 || len(body) != want {
					t.Errorf("%s %s: %d, %d bytes", method, path, resp.StatusCode, len(body))
				}
				if method != "HEAD" && resp.Trailer.Get("X-Sum") != "127.0.0.1" {
					t.Errorf("%s %s: trailer %v", method, path, resp.Trailer)
				}
			}
		}
	})
	old := app(t, func(http.ResponseWriter, *http.Request) {})
	h.publish(func(r *Route) { r.H2C = true }, target("old", old, Active))
	if resp, body := get(t, h.browser(true), "/"); resp.StatusCode != 502 || !strings.Contains(body, "protocol=h2c") {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

// h2cApp starts an application that speaks HTTP/2 without TLS and nothing else.
func h2cApp(t testing.TB, handler http.HandlerFunc) (address string) {
	l := listen(t)
	only := &http.Protocols{}
	only.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: handler, Protocols: only}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}
