package edge

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// newH3Server makes the front for HTTP/3 out of the one on net/http: rare enough not to need a path of its own.
func newH3Server(s *Server) *http3.Server {
	l := &s.limits
	return &http3.Server{
		Handler: s.std, TLSConfig: http3.ConfigureTLSConfig(s.tlsConfig), MaxHeaderBytes: l.HeadBytes, IdleTimeout: l.ClientIdle,
		QUICConfig: &quic.Config{
			HandshakeIdleTimeout: l.Handshake / 2, // twice that for all of it
			MaxIdleTimeout:       l.ClientStall, KeepAlivePeriod: l.ClientStall / 2,
			MaxIncomingStreams:         int64(l.StreamsPerConn),
			MaxStreamReceiveWindow:     streamWindow,
			MaxConnectionReceiveWindow: connWindow,
		},
		Logger: s.cfg.Log,
	}
}

// serveH3 serves HTTP/3 until draining begins. The socket is shared with the edge that takes over, and what arrives at it goes to either,
// so connections are told to go and get only a short time for what is in flight.
func (s *Server) serveH3() {
	if s.cfg.HTTP3 == nil || s.draining.Load() {
		return
	}
	defer s.cfg.HTTP3.Close()
	server := newH3Server(s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(s.cfg.HTTP3) }()
	select {
	case err := <-done:
		if !errors.Is(err, http.ErrServerClosed) {
			s.cfg.Log.Error("HTTP/3 is not served any more", "error", err)
		}
		return
	case <-s.stopAccept:
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.limits.DrainIdle)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
	<-done
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

// altSvcAge is how long clients may try HTTP/3 first: an hour, so that switching it off is noticed soon. They fall back anyway.
const altSvcAge = time.Hour
