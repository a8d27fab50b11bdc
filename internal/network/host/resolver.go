package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"slipway.dev/slipway/internal/hostnet"
)

// names answers what this installation itself knows.
type names interface {
	// Answer is the reply to a question inside a VPC; false when the name is not one of this installation's.
	Answer(ctx context.Context, vpcID string, q *dns.Msg) (*dns.Msg, bool)
}

const (
	dnsPort    = 53
	atOnce     = 256             // questions in flight in one VPC; more are dropped and asked again
	forwarding = 3 * time.Second // for one of the host's resolvers to answer
	lingering  = time.Second     // for questions under way when a resolver ends
)

// resolver answers questions for names inside one VPC, at its base address plus two: the names of this installation, and those of the
// world where the VPC has a way out.
type resolver struct {
	vpc     string
	in      hostnet.Identity // where it listens
	at      netip.Addr
	wayOut  atomic.Bool
	names   names
	servers func() []netip.AddrPort // the host's resolvers, in the order in which they are asked
	log     *slog.Logger

	slots  chan struct{}
	udp    *dns.Server
	tcp    *dns.Server
	ending sync.WaitGroup
}

// listen opens the resolver's sockets inside the namespace and answers until close.
func (r *resolver) listen(namespace string) error {
	at := netip.AddrPortFrom(r.at, dnsPort).String()
	var (
		p net.PacketConn
		l net.Listener
	)
	err := hostnet.Inside(namespace, func() (err error) {
		if p, err = (&net.ListenConfig{}).ListenPacket(context.Background(), "udp", at); err != nil {
			return err
		}
		if l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", at); err != nil {
			return errors.Join(err, p.Close())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listen for DNS in %s: %w", r.vpc, err)
	}
	r.slots = make(chan struct{}, atOnce)
	r.udp, r.tcp = &dns.Server{PacketConn: p, Handler: r}, &dns.Server{Listener: l, Handler: r}
	for _, s := range []*dns.Server{r.udp, r.tcp} {
		started := make(chan struct{})
		s.NotifyStartedFunc = sync.OnceFunc(func() { close(started) })
		r.ending.Go(func() {
			if err := s.ActivateAndServe(); err != nil {
				r.log.Debug("a VPC's resolver ended", "vpc_id", r.vpc, "error", err)
			}
			s.NotifyStartedFunc() // one that has not begun cannot be stopped
		})
		<-started
	}
	return nil
}

func (r *resolver) close() {
	ctx, cancel := context.WithTimeout(context.Background(), lingering)
	defer cancel()
	for _, s := range []*dns.Server{r.udp, r.tcp} {
		_ = s.ShutdownContext(ctx) // it fails for one that ended by itself
	}
	r.ending.Wait()
}

// ServeDNS answers one question.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*forwarding)
	defer cancel()
	answer := r.answer(ctx, q)
	if _, udp := w.LocalAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		answer.Truncate(size)
	}
	if err := w.WriteMsg(answer); err != nil {
		r.log.Debug("answer a DNS query", "vpc_id", r.vpc, "error", err)
	}
}

// answer is the reply to a question. Names of the world are refused where nothing leads out.
func (r *resolver) answer(ctx context.Context, q *dns.Msg) *dns.Msg {
	own, known := r.names.Answer(ctx, r.vpc, q)
	switch {
	case known:
	case isNobody(q):
		own = new(dns.Msg).SetRcode(q, dns.RcodeNameError)
	case r.wayOut.Load():
		own = r.forward(ctx, q)
	default:
		own = new(dns.Msg).SetRcode(q, dns.RcodeRefused)
	}
	own.RecursionAvailable = true
	return own
}

func isNobody(q *dns.Msg) bool {
	return len(q.Question) == 1 && dns.IsSubDomain(nobody, q.Question[0].Name)
}

// forward puts a question to the host's resolvers, one after the other.
func (r *resolver) forward(ctx context.Context, q *dns.Msg) *dns.Msg {
	for _, server := range r.servers() {
		for _, network := range []string{"udp", "tcp"} {
			c := &dns.Client{Net: network, Timeout: forwarding}
			answer, _, err := c.ExchangeContext(ctx, q, server.String())
			if err == nil && !answer.Truncated {
				return answer
			}
			if err != nil {
				r.log.Debug("a name server does not answer", "server", server, "error", err)
				break
			}
		}
	}
	return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
}
