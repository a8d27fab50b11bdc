package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// front3 is the front for HTTP/3: the one on net/http behind quic-go, for it is rare enough not to need a path of its own.
type front3 struct {
	edge   *Server
	socket *quicSocket // nil: there is none
	keys   quicKeys
	server *http3.Server
	busy   atomic.Int64  // requests in flight
	over   chan struct{} // closed when nothing is served any more
}

// newFront3 prepares the front for an edge that takes over from another one, or from none.
func newFront3(s *Server, elder quicHome) (*front3, error) {
	f := &front3{edge: s, over: make(chan struct{})}
	if s.cfg.HTTP3 == nil {
		return f, nil
	}
	udp, ok := s.cfg.HTTP3.(*net.UDPConn)
	if !ok {
		return f, fmt.Errorf("edge: HTTP3 is a %T; it has to be a UDP socket", s.cfg.HTTP3)
	}
	l := &s.limits
	f.server = &http3.Server{
		Handler: f, MaxHeaderBytes: l.HeadBytes, IdleTimeout: l.ClientIdle, Logger: s.cfg.Log,
		ConnContext: func(ctx context.Context, _ *quic.Conn) context.Context {
			return context.WithValue(ctx, http.ServerContextKey, s.std.server) // else httputil ends what broke off as if it were complete
		},
	}
	var err error
	if f.keys, err = loadQUICKeys(s.cfg.StateDir); err != nil {
		return f, err
	}
	f.socket, err = newQUICSocket(udp, elder)
	return f, err
}

// listen begins to take connections.
func (f *front3) listen() (*quic.Transport, *quic.EarlyListener, error) {
	l := &f.edge.limits
	t := &quic.Transport{
		Conn: f.socket, ConnectionIDGenerator: f.socket.mark, StatelessResetKey: &f.keys.reset, TokenGeneratorKey: &f.keys.token,
	}
	listener, err := t.ListenEarly(http3.ConfigureTLSConfig(f.edge.tlsConfig), &quic.Config{
		HandshakeIdleTimeout: l.Handshake / 2, // twice that for all of it
		MaxIdleTimeout:       l.ClientStall, KeepAlivePeriod: l.ClientStall / 2,
		MaxIncomingStreams:         int64(l.StreamsPerConn),
		MaxStreamReceiveWindow:     streamWindow,
		MaxConnectionReceiveWindow: connWindow,
	})
	return t, listener, err
}

// ServeHTTP serves one request.
func (f *front3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.busy.Add(1)
	defer f.busy.Add(-1)
	f.settleBody(w, r)
	f.edge.std.ServeHTTP(w, r)
}

// settleBody finds out whether there is a body where there usually is none: unlike those of the other protocols, the head of HTTP/3 does not
// tell, and a request with a body is not sent again.
func (f *front3) settleBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength >= 0 || !idempotent(r.Method) || r.Method == http.MethodPut {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(f.edge.limits.BodyRead))
	first := make([]byte, 1)
	n, err := r.Body.Read(first)
	if n == 0 && err == io.EOF {
		r.Body, r.ContentLength = http.NoBody, 0
		return
	}
	r.Body = &rejoined{Reader: io.MultiReader(bytes.NewReader(first[:n]), r.Body), Closer: r.Body}
}

// run serves from when the elder edge leaves the socket until draining has ended.
func (f *front3) run() {
	defer close(f.over)
	if f.socket == nil {
		return
	}
	defer f.socket.Close()
	s := f.edge
	if !s.awaitElder() {
		return
	}
	transport, listener, err := f.listen()
	if err != nil {
		s.cfg.Log.Error("HTTP/3 is not served", "error", err)
		return
	}
	defer transport.Close()
	done := make(chan error, 1)
	go func() { done <- f.server.ServeListener(listener) }()
	select {
	case err := <-done:
		s.cfg.Log.Error("HTTP/3 is not served any more", "error", err)
		return
	case <-s.stopAccept:
	}
	f.drain(listener)
	<-done
}

// drain lets requests in flight finish, as those of other protocols. Clients are told to go. Without a younger edge that passes packets
// on, what arrives is for this one as long as it reads.
func (f *front3) drain(listener *quic.EarlyListener) {
	s, patience := f.edge, f.edge.limits.Drain
	s.kin.mu.Lock()
	younger, passes := s.kin.younger != nil, s.kin.youngerPasses
	s.kin.mu.Unlock()
	switch {
	case passes:
		f.socket.give()
	case younger: // it reads the same socket, and what it gets of ours is lost
		patience = s.limits.DrainIdle
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	listener.Close()
	go func() {
		f.calm(ctx)
		cancel()
	}()
	f.server.Shutdown(ctx)
	f.server.Close()
}

// calm returns when no request has been in flight for so long that clients have got their answers.
func (f *front3) calm(ctx context.Context) {
	tick := time.NewTicker(f.edge.limits.DrainIdle / 10)
	defer tick.Stop()
	for quiet := 0; quiet < 10; quiet++ {
		if f.busy.Load() > 0 {
			quiet = -1
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// awaitElder returns true when no elder edge reads the UDP socket any more, false when this one drains before.
func (s *Server) awaitElder() bool {
	for !s.draining.Load() {
		seen := s.hub.current()
		s.kin.mu.Lock()
		reads := s.kin.elder != nil && s.kin.elderPasses && !s.kin.last.Draining
		s.kin.mu.Unlock()
		if !reads {
			return true
		}
		s.hub.await(s.routing.base, seen)
	}
	return false
}

// altSvcLine is the header line that tells clients of HTTP/3 (RFC 7838); empty when it is not served.
func (c *Config) altSvcLine() string {
	if c.HTTP3 == nil {
		return ""
	}
	port := c.HTTPSPort
	if port == 0 {
		port = 443
	}
	return `Alt-Svc: h3=":` + strconv.Itoa(port) + `"; ma=` + strconv.Itoa(int(altSvcAge/time.Second)) + "\r\n"
}

// altSvcAt is the line for the answers on a connection: at the endpoints of VPCs nobody listens for QUIC.
func (s *Server) altSvcAt(cc *clientConn) string {
	if cc.endpoint != "" {
		return ""
	}
	return s.altSvc
}

// altSvcAge is how long clients may try HTTP/3 first: an hour, so that switching it off is noticed soon. They fall back anyway.
const altSvcAge = time.Hour
