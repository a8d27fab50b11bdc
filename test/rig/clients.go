package rig

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// TLS trusts the installation's authority.
func (h *House) TLS() *tls.Config { return &tls.Config{RootCAs: h.roots} }

// dial connects to where applications are served, whatever the address.
func (h *House) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", h.Env["SLIPWAY_HTTPS"])
}

// Raw is a TLS connection to the front door for a service, on which tests say what no client would.
func (s Service) Raw(t testing.TB) *tls.Conn {
	t.Helper()
	plain, err := s.House.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	conf := s.House.TLS()
	conf.ServerName = s.Host()
	conn := tls.Client(plain, conf)
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Socket opens a WebSocket. It is closed when the test ends.
func (s Service) Socket(t testing.TB, path string) (*websocket.Conn, *http.Response) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := s.House.Client()
	client.Timeout = 0 // it lives as long as the test wants
	c, res, err := websocket.Dial(ctx, "wss://"+s.Host()+path, &websocket.DialOptions{
		HTTPClient: client, Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(32 << 20)
	return c, res
}

// Channel is a gRPC connection to a service. It is closed when the test ends.
func (s Service) Channel(t testing.TB, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append([]grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(s.House.TLS())),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.House.dial(ctx) }),
	}, opts...)
	conn, err := grpc.NewClient("passthrough:///"+s.Host(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// HTTP3 is a client that speaks HTTP/3 to any host name through the edge.
func (h *House) HTTP3(t testing.TB) *http.Client {
	t.Helper()
	transport := &http3.Transport{
		TLSClientConfig: h.TLS(),
		Dial: func(ctx context.Context, _ string, tc *tls.Config, qc *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, h.Env["SLIPWAY_HTTPS"], tc, qc)
		},
	}
	t.Cleanup(func() { transport.Close() })
	return &http.Client{Transport: transport, Timeout: 60 * time.Second}
}
