package host

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

// kept is a VPC with one subnet and one endpoint, and a keeper that shows it until the test ends.
type kept struct {
	*network.Network
	host     *Host
	keeper   *Keeper
	db       *store.DB
	vpc      network.VPC
	subnet   network.Subnet
	endpoint network.Endpoint
	gone     atomic.Bool           // whoever runs commands
	shut     atomic.Pointer[error] // why nobody answers at new endpoints; nil: somebody does
	upstream netip.AddrPort
	stop     func()
}

// Answer knows one name.
func (k *kept) Answer(_ context.Context, vpcID string, q *dns.Msg) (*dns.Msg, bool) {
	if q.Question[0].Name != "own.test." {
		return nil, false
	}
	a := &dns.TXT{Hdr: dns.RR_Header{Name: "own.test.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{vpcID}}
	r := new(dns.Msg).SetReply(q)
	r.Answer = []dns.RR{a}
	return r, true
}

// Tend opens nothing. While the doors are shut nobody answers at new endpoints.
func (k *kept) Tend(_ context.Context, l network.Layout) map[string]error {
	silent, fault := map[string]error{}, k.shut.Load()
	for _, p := range l.VPCs {
		for _, e := range p.Endpoints {
			if fault != nil && e.State != network.EndpointAvailable {
				silent[e.ID] = *fault
			}
		}
	}
	return silent
}

// Close has nothing to do.
func (k *kept) Close() {}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keep(t *testing.T) *kept {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	dir := t.TempDir()
	k := &kept{host: New(filepath.Join(dir, "vpc"))}
	var err error
	k.db, err = store.Open(t.Context(), filepath.Join(dir, "slipway.db"))
	check(t, err)
	t.Cleanup(func() { k.db.Close() })
	k.Network, err = network.Open(t.Context(), network.Config{DB: k.db, Hosted: true})
	check(t, err)
	k.vpc, err = k.CreateVPC(t.Context(), scope, network.VPCInput{CIDR: "10.30.0.0/16"})
	check(t, err)
	k.subnet, err = k.CreateSubnet(t.Context(), scope, network.SubnetInput{VPCID: k.vpc.ID, CIDR: "10.30.0.0/24"})
	check(t, err)
	k.endpoint, err = k.CreateEndpoint(t.Context(), scope, network.EndpointInput{
		VPCID: k.vpc.ID, ServiceName: network.ServiceName(scope.Region, network.ServiceRequests), Subnets: []string{k.subnet.ID},
	})
	check(t, err)
	k.run(t)
	t.Cleanup(func() {
		k.stop()
		if err := k.host.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// run starts a keeper as a start of control does.
func (k *kept) run(t *testing.T) {
	t.Helper()
	keeper, err := NewKeeper(KeeperConfig{
		Host: New(k.host.spaces.dir), Records: k.Network, Changed: k.db.Changed, Names: k, Doors: k, Alive: func(string) bool { return !k.gone.Load() },
		Servers: func() []netip.AddrPort { return []netip.AddrPort{k.upstream} }, Log: slog.New(slog.DiscardHandler),
	})
	check(t, err)
	k.keeper = keeper
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- keeper.Run(ctx) }()
	k.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// until waits for a condition that changes of the records bring about.
func (k *kept) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatal("never came true: ", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (k *kept) state(t *testing.T, want network.EndpointState) {
	t.Helper()
	k.until(t, "the endpoint is "+string(want), func() bool {
		e, err := k.Endpoint(t.Context(), scope, k.endpoint.ID)
		check(t, err)
		return e.State == want
	})
}

// place is where a new command runs.
func (k *kept) place(t *testing.T) Place {
	t.Helper()
	i, err := k.AttachCommand(t.Context(), k.subnet.ID, nil, "1/1")
	check(t, err)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	check(t, k.keeper.Await(short, i.ID))
	l, err := k.Layout(t.Context())
	check(t, err)
	at := slices.IndexFunc(l.VPCs, func(p network.Plan) bool { return p.ID == k.vpc.ID })
	return k.host.Place(l.VPCs[at], i)
}

// resolves asks the VPC's resolver for a text from a place.
func (k *kept) resolves(t *testing.T, name, protocol string) string {
	t.Helper()
	p := k.place(t)
	var answer *dns.Msg
	check(t, from(t, p, func() (err error) {
		c := &dns.Client{Net: protocol, Timeout: 5 * time.Second}
		answer, _, err = c.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion(name, dns.TypeTXT), netip.AddrPortFrom(p.Resolver, dnsPort).String())
		return err
	}))
	check(t, k.DetachCommand(t.Context(), p.InterfaceID))
	if !answer.RecursionAvailable {
		t.Error("the resolver does not say that it resolves")
	}
	text := dns.RcodeToString[answer.Rcode]
	for _, rr := range answer.Answer {
		text += " " + rr.(*dns.TXT).Txt[0]
	}
	return text
}

// A VPC's resolver knows the names of the installation, and those of the world where the VPC has a way out.
func TestResolverOfAVPC(t *testing.T) {
	k := keep(t)
	k.state(t, network.EndpointAvailable)
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	world := &dns.Server{PacketConn: p, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		r := new(dns.Msg).SetReply(q)
		r.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"world"}}}
		_ = w.WriteMsg(r)
	})}
	go func() { _ = world.ActivateAndServe() }()
	t.Cleanup(func() { _ = world.Shutdown() })
	k.upstream = netip.MustParseAddrPort(p.LocalAddr().String())

	for _, protocol := range []string{"udp", "tcp"} {
		if got := k.resolves(t, "own.test.", protocol); got != "NOERROR "+k.vpc.ID {
			t.Errorf("over %s an own name is answered by %s", protocol, got)
		}
	}
	if got := k.resolves(t, "example.com.", "udp"); got != "REFUSED" {
		t.Errorf("a name of the world, where nothing leads out, is answered by %s", got)
	}
	g, err := k.CreateInternetGateway(t.Context(), scope, nil)
	check(t, err)
	check(t, k.AttachInternetGateway(t.Context(), scope, g.ID, k.vpc.ID))
	k.until(t, "names of the world resolve", func() bool { return k.resolves(t, "example.com.", "udp") == "NOERROR world" })
}

// An endpoint is available when somebody answers there, and not before.
func TestKeeperAsksForAnAnswer(t *testing.T) {
	k, fault := keep(t), errors.New("nobody is at home")
	k.state(t, network.EndpointAvailable)
	k.shut.Store(&fault)
	var err error
	k.endpoint, err = k.CreateEndpoint(t.Context(), scope, network.EndpointInput{
		VPCID: k.vpc.ID, ServiceName: network.ServiceName(scope.Region, network.ServiceRequests), Subnets: []string{k.subnet.ID},
	})
	check(t, err)
	k.state(t, network.EndpointFailed)
	if e, err := k.Endpoint(t.Context(), scope, k.endpoint.ID); err != nil || e.Reason != fault.Error() {
		t.Errorf("the endpoint failed because %q, %v", e.Reason, err)
	}
	k.shut.Store(nil)
	k.db.Wake()
	k.state(t, network.EndpointAvailable)
}

func TestKeeperSettlesAndFindsAgain(t *testing.T) {
	k := keep(t)
	k.state(t, network.EndpointAvailable)
	p := k.place(t)
	k.stop()
	k.run(t) // as after a kill: what was shown stays, and what a command left behind goes
	if got := k.resolves(t, "own.test.", "udp"); got != "NOERROR "+k.vpc.ID {
		t.Errorf("after a new start an own name is answered by %s", got)
	}
	k.gone.Store(true)
	k.db.Wake()
	k.until(t, "the interface of a command that vanished is free", func() bool {
		list, err := k.Commands(t.Context())
		check(t, err)
		return len(list) == 0
	})
	kept, err := k.DeleteEndpoints(t.Context(), scope, []string{k.endpoint.ID})
	check(t, err)
	if len(kept) > 0 {
		t.Fatal(kept)
	}
	k.state(t, network.EndpointDeleted)
	away := func() bool {
		_, err := os.Stat(p.Namespace)
		return os.IsNotExist(err)
	}
	if !away() {
		t.Error("the namespace is still there")
	}
	k.gone.Store(false)
	if got := k.resolves(t, "own.test.", "udp"); got != "NOERROR "+k.vpc.ID {
		t.Errorf("for a command in a VPC without endpoints an own name is answered by %s", got)
	}
	k.until(t, "the namespace goes with the command", away)
}
