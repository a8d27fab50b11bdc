package oci

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/hostnet"
)

const (
	dnsPort     = 53
	dnsPatience = 3 * time.Second // for one server to answer
	dnsAtOnce   = 256             // questions in flight; more are dropped and asked again by the instance
	dnsHeader   = 12              // bytes (RFC 1035, section 4.1.1)
)

// Run answers the instances' questions for names, by passing them to the host's resolvers, and follows changes of those, until
// ctx ends. Instances run on without it and ask the host's resolvers themselves where they can reach them.
func (d *Driver) Run(ctx context.Context) error {
	f := forwarder{
		listen:  netip.AddrPortFrom(gateway(d.net.subnet), dnsPort),
		servers: func() []netip.Addr { return hostnet.Nameservers(d.cfg.ResolvConf) },
		log:     d.cfg.Log,
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { d.followResolvers(ctx) })
	for {
		err := f.run(ctx)
		if err == nil {
			return nil
		}
		// Something else may hold the port on all addresses of this machine, for now or for good.
		d.cfg.Log.Error("instances cannot resolve names through this machine", "address", f.listen, "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Second):
		}
	}
}

// followResolvers lets the firewall know when the host asks other name servers.
func (d *Driver) followResolvers(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !d.net.rules.ask(hostnet.Nameservers(d.cfg.ResolvConf)) {
			continue
		}
		if err := d.net.rules.load(d.byEgress()); err != nil {
			d.cfg.Log.Error("open the firewall to changed name servers", "error", err)
		}
	}
}

// forwarder passes DNS messages between instances and the host's resolvers without looking into them: whatever the host can
// resolve, instances can.
type forwarder struct {
	listen  netip.AddrPort
	servers func() []netip.Addr // asked in this order
	port    uint16              // of the servers; 0 is dnsPort
	log     *slog.Logger
}

func (f *forwarder) run(ctx context.Context) error {
	udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(f.listen))
	if err != nil {
		return fmt.Errorf("listen for DNS: %w", err)
	}
	tcp, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(f.listen))
	if err != nil {
		udp.Close()
		return fmt.Errorf("listen for DNS: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { udp.Close(); tcp.Close() })
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { f.serveUDP(ctx, udp, &group) })
	group.Go(func() { f.serveTCP(ctx, tcp, &group) })
	group.Wait()
	return nil
}

// serveUDP answers questions that come in single packets.
func (f *forwarder) serveUDP(ctx context.Context, conn *net.UDPConn, group *sync.WaitGroup) {
	slots := make(chan struct{}, dnsAtOnce)
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		question := slices.Clone(buf[:n])
		select {
		case slots <- struct{}{}:
			group.Go(func() {
				defer func() { <-slots }()
				if answer := f.ask(ctx, question); answer != nil {
					_, _ = conn.WriteToUDPAddrPort(answer, from)
				}
			})
		default:
		}
	}
}

// ask puts a question to one server after the other and returns the first answer, nil when there is none.
func (f *forwarder) ask(ctx context.Context, question []byte) []byte {
	if len(question) < dnsHeader {
		return nil
	}
	for _, server := range f.upstream() {
		answer, err := exchange(ctx, server, question)
		if err == nil {
			return answer
		}
		if ctx.Err() != nil {
			return nil
		}
		f.log.Debug("name server does not answer", "server", server, "error", err)
	}
	return nil
}

// upstream are the servers to ask, but never this one.
func (f *forwarder) upstream() []netip.AddrPort {
	port := f.port
	if port == 0 {
		port = dnsPort
	}
	var list []netip.AddrPort
	for _, a := range f.servers() {
		if server := netip.AddrPortFrom(a, port); server != f.listen {
			list = append(list, server)
		}
	}
	return list
}

// exchange sends one packet and waits for the one that answers it. The socket takes packets of that server only.
func exchange(ctx context.Context, server netip.AddrPort, question []byte) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", server.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(dnsPatience))
	if _, err := conn.Write(question); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		if n >= dnsHeader && buf[0] == question[0] && buf[1] == question[1] { // the message's id
			return buf[:n], nil
		}
	}
}

// serveTCP joins connections to one of a server's.
func (f *forwarder) serveTCP(ctx context.Context, l *net.TCPListener, group *sync.WaitGroup) {
	slots := make(chan struct{}, dnsAtOnce)
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		select {
		case slots <- struct{}{}:
			group.Go(func() {
				defer func() { <-slots }()
				f.answerTCP(ctx, conn)
			})
		default:
			conn.Close()
		}
	}
}

// answerTCP serves the questions of one connection, each asked on a connection of its own so that a server that closes early
// costs one question.
func (f *forwarder) answerTCP(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for {
		_ = conn.SetDeadline(time.Now().Add(3 * dnsPatience))
		question, err := readMessage(conn)
		if err != nil {
			return
		}
		answer := f.askTCP(ctx, question)
		if answer == nil || writeMessage(conn, answer) != nil {
			return
		}
	}
}

func (f *forwarder) askTCP(ctx context.Context, question []byte) []byte {
	for _, server := range f.upstream() {
		dialer := net.Dialer{Timeout: dnsPatience}
		conn, err := dialer.DialContext(ctx, "tcp", server.String())
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(dnsPatience))
		var answer []byte
		if err = writeMessage(conn, question); err == nil {
			answer, err = readMessage(conn)
		}
		conn.Close()
		if err == nil {
			return answer
		}
	}
	return nil
}

// readMessage reads a message with its length before it (RFC 1035, section 4.2.2).
func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n < dnsHeader {
		return nil, errors.New("DNS message is too short")
	}
	message := make([]byte, n)
	_, err := io.ReadFull(r, message)
	return message, err
}

func writeMessage(w io.Writer, message []byte) error {
	if len(message) > 1<<16-1 {
		return errors.New("DNS message is too long")
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...))
	return err
}
