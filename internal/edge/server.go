package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// Config is what an edge is made of. At least one of the listeners must be given.
type Config struct {
	// HTTPS serves the services.
	HTTPS net.Listener
	// HTTP redirects to https (§19).
	HTTP net.Listener
	// HTTP3 is the UDP socket of the same port as HTTPS and serves HTTP/3; nil serves none, and tells no client of it.
	HTTP3 net.PacketConn
	// Plain serves the services without TLS: for measurements, and behind something that has ended TLS already. Applications
	// are told X-Forwarded-Proto: https all the same.
	Plain net.Listener
	// Control is the control socket, from [ListenControl] or inherited.
	Control net.Listener
	// Elder is the control socket of an edge to take over from; empty: of none. Then Run accepts no connection before it is told to
	// over the control socket, which must be given.
	Elder string
	// Socket is the path of Control, for an edge that takes over.
	Socket string
	// Ready, when set, is called by Run as soon as this edge serves, or could serve if it were told to accept.
	Ready func()
	// HTTPSPort is the port clients reach HTTPS at, for redirects; 0 means 443.
	HTTPSPort int
	// StateDir keeps the table over restarts; empty keeps nothing.
	StateDir string
	Limits   Limits
	// StdHTTP2 serves HTTP/2 by golang.org/x/net/http2 instead of the own front: several times slower, and the oracle of its tests.
	StdHTTP2 bool
	// AccessDir is where lines about requests wait to be collected ([Collect]); empty writes none.
	AccessDir string
	// Freezer freezes targets in reserve and thaws them; nil: they run on.
	Freezer freezer
	Log     *slog.Logger
}

// Server is one edge.
type Server struct {
	cfg     Config
	limits  Limits
	hub     *hub
	routing *routing
	conns   conns
	started time.Time

	tlsConfig *tls.Config
	std       *stdFront
	control   *http.Server
	access    *spool // nil: no access logs
	crew      crew
	longLives longLives
	lot       *lot // nil: idle connections are not parked
	kin       kin
	h3        *front3

	h2c     *http.Transport // makes connections to instances that speak only HTTP/2
	stdOnly bool            // plain connections go to net/http at once: the oracle of the tests

	publishing sync.Mutex
	draining   atomic.Bool
	// drainingSince is when draining began, since started; 0 before.
	drainingSince atomic.Int64
	altSvc        string                 // header line of all answers over TLS at the public front door; "" for none
	date          atomic.Pointer[string] // the Date header line of this second
	drainOnce     sync.Once
	acceptOnce    sync.Once
	accept        chan struct{} // closed when connections are to be accepted
	stopAccept    chan struct{} // closed when draining begins
	cancel        context.CancelFunc
}

// New makes an edge and loads the table it was routing by before; it serves nothing until [Server.Run].
func New(cfg Config) (*Server, error) {
	if cfg.HTTPS == nil && cfg.HTTP == nil && cfg.Plain == nil {
		return nil, errors.New("edge: no listener given")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		cfg: cfg, limits: cfg.Limits.withDefaults(), hub: newHub(now), started: now,
		accept: make(chan struct{}), stopAccept: make(chan struct{}), cancel: cancel,
	}
	s.date.Store(dateLine(now))
	s.altSvc = cfg.altSvcLine()
	s.access = newSpool(cfg.AccessDir, cfg.Log)
	s.crew.now = s.now
	var err error
	s.routing = newRouting(ctx, s.hub, &s.limits, newProber().ask)
	if s.routing.ledger, err = newLedger(); err != nil {
		cfg.Log.Warn("while two edges serve, instances may get more requests at a time than they should", "error", err)
	}
	s.routing.icebox = &icebox{freezer: cfg.Freezer, alone: s.alone, base: ctx, log: cfg.Log}
	s.tlsConfig = s.routing.tlsConfig()
	if s.std, err = newStdFront(s); err != nil {
		cancel()
		return nil, err
	}
	s.h2c = h2cTransport(&s.limits)
	if s.lot, err = newLot(); err != nil {
		cfg.Log.Warn("idle connections will take more memory", "error", err)
	}
	if cfg.Elder != "" {
		if err := s.inherit(ctx); err != nil {
			cancel()
			return nil, err
		}
		return s, nil
	}
	if s.h3, err = newFront3(s, quicHome{}); err != nil {
		cancel()
		return nil, err
	}
	s.Accept()
	s.restore()
	return s, nil
}

// Accept lets Run accept connections. It may be called repeatedly.
func (s *Server) Accept() { s.acceptOnce.Do(func() { close(s.accept) }) }

// restore takes up the table on disk. One that cannot be used is no reason not to serve: control publishes a new one.
func (s *Server) restore() {
	if s.cfg.StateDir == "" {
		return
	}
	t, found, err := loadTable(s.cfg.StateDir)
	if err == nil && found {
		err = s.routing.apply(t, true)
	}
	if err != nil {
		s.cfg.Log.Error("cannot use the saved routing table; waiting for control to publish one", "error", err)
	}
}

// Run serves until ctx ends or a drain was asked for over the control socket, then drains: it stops accepting, lets requests in
// flight finish up to Limits.Drain, and returns nil. Listeners are closed by then.
func (s *Server) Run(ctx context.Context) error {
	defer s.cancel()
	stop := context.AfterFunc(ctx, s.BeginDrain)
	defer stop()
	var accepting, serving sync.WaitGroup
	serving.Go(s.std.run)
	if s.lot != nil {
		serving.Go(s.lot.run)
	}
	if s.cfg.Control != nil {
		s.control = &http.Server{Handler: s.controlHandler(), ReadHeaderTimeout: 10 * time.Second}
		serving.Go(func() { s.control.Serve(s.cfg.Control) })
	}
	ticking, stopTicks := context.WithCancel(context.WithoutCancel(ctx))
	serving.Go(func() { s.tick(ticking) })
	if s.access != nil {
		serving.Go(func() { s.access.run(ticking) })
	}

	err := s.begin(ctx)
	if err == nil {
		serving.Go(func() { s.followElder(ticking) })
		serving.Go(s.h3.run)
		s.acceptEach(&accepting)
	} else {
		close(s.h3.over)
	}
	s.BeginDrain()
	err = errors.Join(err, s.drain(&accepting))
	stopTicks()
	s.cancel()
	s.std.close()
	if s.lot != nil {
		s.lot.close()
	}
	serving.Wait()
	s.routing.checks.Wait()
	s.routing.closePools()
	s.routing.ledger.close()
	s.crew.trim(1<<63 - 1)
	return err
}

// begin returns when connections are to be accepted, or when draining began before that.
func (s *Server) begin(ctx context.Context) error {
	if s.cfg.Elder != "" {
		if err := s.warm(ctx); err != nil {
			return err
		}
	}
	if s.cfg.Ready != nil {
		s.cfg.Ready()
	}
	select {
	case <-s.accept:
	case <-s.stopAccept:
	}
	return nil
}

// acceptEach accepts connections until draining begins.
func (s *Server) acceptEach(accepting *sync.WaitGroup) {
	if s.draining.Load() {
		return
	}
	s.each(func(l net.Listener, serve func(*clientConn)) {
		accepting.Go(func() { s.acceptAll(l, serve) })
	})
	accepting.Go(func() { s.keepDoors(accepting) })
	<-s.stopAccept
}

// each calls f for every listener of clients with what serves its connections.
func (s *Server) each(f func(net.Listener, func(*clientConn))) {
	if s.cfg.HTTPS != nil {
		f(s.cfg.HTTPS, s.serveTLS)
	}
	if s.cfg.HTTP != nil {
		f(s.cfg.HTTP, s.std.serveRedirect)
	}
	if s.cfg.Plain != nil {
		f(s.cfg.Plain, s.servePlain)
	}
}

// BeginDrain makes Run end gracefully. It returns at once and may be called repeatedly.
func (s *Server) BeginDrain() {
	s.drainOnce.Do(func() {
		s.drainingSince.Store(max(int64(s.now()), 1))
		s.draining.Store(true)
		close(s.stopAccept)
		s.hub.changed()
	})
}

// drain finishes what is in flight. Other processes may hold the listening sockets too and go on accepting.
func (s *Server) drain(accepting *sync.WaitGroup) error {
	s.each(func(l net.Listener, _ func(*clientConn)) { l.Close() })
	accepting.Wait()
	s.std.beginDrain()
	deadline := time.NewTimer(s.limits.Drain)
	defer deadline.Stop()
	var err error
	select {
	case <-s.conns.drained():
	case <-deadline.C:
		open := s.conns.all()
		err = fmt.Errorf("edge: %d connections were cut: not finished within %s", len(open), s.limits.Drain)
		for _, c := range open {
			c.Close()
		}
	}
	<-s.h3.over // it has as much time
	s.closeControl()
	return err
}

// closeControl tells a younger edge what was counted here, and ends the control socket.
func (s *Server) closeControl() {
	if s.control == nil {
		return
	}
	s.farewell()
	s.hub.changed()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.control.Shutdown(ctx) != nil {
		s.control.Close()
	}
}

// serveTLS makes the handshake and serves by the protocol agreed on.
func (s *Server) serveTLS(cc *clientConn) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limits.Handshake)
	conn := tls.Server(cc, s.tlsConfig)
	err := conn.HandshakeContext(ctx)
	cancel()
	if err != nil {
		s.answerPlain(cc, err)
		cc.Close()
		return
	}
	state := conn.ConnectionState()
	cc.tls = state.Version
	if state.NegotiatedProtocol == protoACME {
		conn.Close() // the handshake was all there is to it
		return
	}
	if state.NegotiatedProtocol == http2.NextProtoTLS {
		if s.cfg.StdHTTP2 {
			s.std.serveHTTP2(conn)
		} else {
			s.serveH2(cc, conn)
		}
		return
	}
	s.serveH1(cc, conn)
}

// servePlain serves HTTP/1.1 without TLS.
func (s *Server) servePlain(cc *clientConn) {
	if s.stdOnly {
		s.std.listener.give(cc)
		return
	}
	s.serveH1(cc, cc)
}

// tick looks at the limits that need no precision.
func (s *Server) tick(ctx context.Context) {
	ticker := time.NewTicker(s.limits.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case wall := <-ticker.C:
			now := s.now()
			s.date.Store(dateLine(wall))
			s.conns.watch(now, time.Duration(s.drainingSince.Load()))
			s.routing.reap(now - s.limits.UpstreamIdle)
			s.crew.trim(now - crewIdle)
			s.longLives.watch(now, s.limits.TunnelDrain)
			if s.lot != nil {
				s.lot.tidy()
			}
		}
	}
}
