package domain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// NameserverConfig is what a Nameserver needs.
type NameserverConfig struct {
	Suffix    string       // of all default domains, for example apprunner.localhost
	Also      []string     // other domains whose names are among Names
	Addresses []netip.Addr // of the front door as clients reach it, and of the server itself; A and AAAA records
	Alias     string       // a name that hosts are aliases of, in place of the addresses; "": none
	Issuers   []string     // who may issue certificates for names of the zone (CAA); none: everybody
	Names     names
	Rate      int // answers a second over UDP to one network (/24, /56); 0: 200

	// The open sockets; at least one. They are closed when Run ends.
	Packet []net.PacketConn
	Stream []net.Listener

	Log *slog.Logger
}

// Nameserver answers DNS queries for the suffix, with authority and for nothing else: it does not recurse, transfer, or give answers that
// are much larger than the question.
type Nameserver struct {
	zones   []zone // that of the suffix first
	cfg     NameserverConfig
	servers []*dns.Server
	limiter limiter
}

const (
	udpSize     = 1232 // what passes every path unfragmented (DNS flag day 2020)
	maxStreams  = 256
	streamRead  = 5 * time.Second
	streamIdle  = 10 * time.Second
	stopTimeout = 2 * time.Second
)

// ListenDNS opens UDP and TCP at one address; port 0 gives both the same free port.
func ListenDNS(ctx context.Context, addr string) (net.PacketConn, net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for DNS: %w", err)
	}
	var lc net.ListenConfig
	for attempt := 0; ; attempt++ {
		l, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, nil, fmt.Errorf("listen for DNS: %w", err)
		}
		got := l.Addr().(*net.TCPAddr).Port
		p, err := lc.ListenPacket(ctx, "udp", net.JoinHostPort(host, strconv.Itoa(got)))
		if err == nil {
			return p, l, nil
		}
		err = errors.Join(fmt.Errorf("listen for DNS: %w", err), l.Close())
		if port != "0" || attempt == 10 {
			return nil, nil, err
		}
	}
}

// NewNameserver checks the configuration. It answers nothing until Run.
func NewNameserver(cfg NameserverConfig) (*Nameserver, error) {
	if len(cfg.Packet)+len(cfg.Stream) == 0 || cfg.Names == nil || len(cfg.Addresses) == 0 {
		return nil, errors.New("domain: NameserverConfig needs Packet or Stream, Names and Addresses")
	}
	if !validHost(cfg.Suffix) || cfg.Alias != "" && !validHost(strings.TrimSuffix(cfg.Alias, ".")) {
		return nil, fmt.Errorf("domain: %q or %q is not a domain", cfg.Suffix, cfg.Alias)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Rate == 0 {
		cfg.Rate = defaultRate
	}
	return &Nameserver{cfg: cfg, zones: zonesOf(cfg, uint32(time.Now().Unix())), limiter: limiter{rate: cfg.Rate}}, nil
}

// Run answers until ctx ends or a socket fails.
func (n *Nameserver) Run(ctx context.Context) error {
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { n.handle(ctx, w, q) })
	failed := make(chan error, len(n.cfg.Packet)+len(n.cfg.Stream))
	var running, ready sync.WaitGroup
	serve := func(s *dns.Server) {
		s.Handler, s.NotifyStartedFunc = handler, sync.OnceFunc(ready.Done)
		ready.Add(1)
		n.servers = append(n.servers, s)
		running.Go(func() {
			err := s.ActivateAndServe()
			failed <- err
			if err != nil {
				s.NotifyStartedFunc()
			}
		})
	}
	for _, p := range n.cfg.Packet {
		serve(&dns.Server{PacketConn: p, UDPSize: dns.DefaultMsgSize})
	}
	for _, l := range n.cfg.Stream {
		serve(&dns.Server{Listener: newLimited(l, maxStreams), ReadTimeout: streamRead, WriteTimeout: streamRead, IdleTimeout: func() time.Duration { return streamIdle }})
	}
	ready.Wait() // a server that has not begun cannot be stopped
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	n.stop()
	running.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve DNS: %w", err)
	}
	return nil
}

func (n *Nameserver) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for _, s := range n.servers {
		_ = s.ShutdownContext(ctx) // it fails for one that ended by itself
	}
}

// handle answers one query.
func (n *Nameserver) handle(ctx context.Context, w dns.ResponseWriter, q *dns.Msg) {
	_, stream := w.LocalAddr().(*net.TCPAddr)
	var r *dns.Msg
	switch n.judge(w, stream) {
	case answerIt:
		r = n.reply(ctx, q, stream)
	case truncateIt:
		r = new(dns.Msg).SetReply(q)
		r.Truncated = true
	case dropIt:
		return
	}
	if err := w.WriteMsg(r); err != nil {
		n.cfg.Log.Debug("answer a DNS query", "error", err)
	}
}

// judge lets every query over TCP through: its sender is who they say.
func (n *Nameserver) judge(w dns.ResponseWriter, stream bool) verdict {
	from, err := netip.ParseAddrPort(w.RemoteAddr().String())
	if stream || err != nil {
		return answerIt
	}
	return n.limiter.judge(from.Addr(), time.Now())
}

// reply is the whole answer to a query, no larger than the way it goes takes.
func (n *Nameserver) reply(ctx context.Context, q *dns.Msg, stream bool) *dns.Msg {
	r := n.zoneOf(q).answer(ctx, q)
	size := dns.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = max(size, min(int(opt.UDPSize()), udpSize))
		r.SetEdns0(udpSize, false)
		if opt.Version() != 0 {
			r.Answer, r.Ns, r.Extra = nil, nil, r.Extra[len(r.Extra)-1:]
			r.Rcode = dns.RcodeBadVers
		}
	}
	if stream {
		size = dns.MaxMsgSize
	}
	r.Truncate(size)
	r.Compress = true
	return r
}

// zoneOf is the zone that a query is about; that of the suffix, which refuses, for others.
func (n *Nameserver) zoneOf(q *dns.Msg) zone {
	if len(q.Question) == 1 {
		name := dns.CanonicalName(q.Question[0].Name)
		for _, z := range n.zones {
			if z.contains(name) {
				return z
			}
		}
	}
	return n.zones[0]
}

// Answer is the reply to a query about a name of its zones, however long; false for a query about another one.
func (n *Nameserver) Answer(ctx context.Context, q *dns.Msg) (*dns.Msg, bool) {
	z := n.zoneOf(q)
	if len(q.Question) != 1 || !z.contains(dns.CanonicalName(q.Question[0].Name)) {
		return nil, false
	}
	return z.answer(ctx, q), true
}

// limited is a listener that accepts no more than so many connections at a time; others wait in the kernel.
type limited struct {
	net.Listener
	gate   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimited(l net.Listener, n int) *limited {
	return &limited{Listener: l, gate: make(chan struct{}, n), closed: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.gate <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.gate
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.gate })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
