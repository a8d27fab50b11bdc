package oci_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/instancetest"
	"slipway.dev/slipway/internal/instance/oci"
)

// The world beyond this machine, in tests: a second network namespace with a public and two private addresses.
const (
	hostAddress   = "203.0.113.1" // this machine's own
	worldPublic   = "203.0.113.2"
	worldPrivate  = "10.99.0.2"
	worldAllowed  = "10.98.0.2"
	worldMetadata = "169.254.169.254"
)

// world makes the namespace, with a listener on port 80 of each of its addresses, and the default route to it. It returns the
// addresses from which connections came.
func world(t *testing.T) (callers <-chan string, beyond netns.NsHandle) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := netns.Get()
	must(t, err)
	defer home.Close()
	beyond, err = netns.New()
	must(t, err)
	t.Cleanup(func() { beyond.Close() })
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	must(t, netns.Set(home))
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "uplink"}, PeerName: "downlink", PeerNamespace: netlink.NsFd(beyond)}))
	uplink, err := netlink.LinkByName("uplink")
	must(t, err)
	t.Cleanup(func() { _ = netlink.LinkDel(uplink) })
	address(t, uplink, hostAddress+"/24")
	must(t, netlink.LinkSetUp(uplink))

	must(t, netns.Set(beyond))
	defer func() { must(t, netns.Set(home)) }()
	downlink, err := netlink.LinkByName("downlink")
	must(t, err)
	must(t, netlink.LinkSetUp(downlink))
	address(t, downlink, worldPublic+"/24")
	seen := make(chan string, 100)
	for _, a := range []string{worldPrivate, worldAllowed, worldMetadata} {
		address(t, downlink, a+"/32")
	}
	for _, a := range []string{worldPublic, worldPrivate, worldAllowed, worldMetadata} {
		l, err := net.Listen("tcp", a+":80")
		must(t, err)
		t.Cleanup(func() { l.Close() })
		go answer(l, seen)
	}
	must(t, netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(hostAddress)})) // the world could find instances
	must(t, netns.Set(home))
	must(t, netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(worldPublic)}))
	return seen, beyond
}

func address(t *testing.T, link netlink.Link, cidr string) {
	t.Helper()
	a, err := netlink.ParseAddr(cidr)
	must(t, err)
	must(t, netlink.AddrAdd(link, a))
}

func answer(l net.Listener, callers chan<- string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		callers <- netip.MustParseAddrPort(conn.RemoteAddr().String()).Addr().String()
		conn.Close()
	}
}

// What an instance reaches, and what it does not.
func TestReach(t *testing.T) {
	needRoot(t)
	callers, _ := world(t)
	c := config(t, t.TempDir())
	c.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("10.98.0.0/16")}
	d := open(t, c)
	b := instancetest.Bench{T: t, Driver: d}
	control, err := net.Listen("tcp", "0.0.0.0:7700")
	must(t, err)
	defer control.Close()
	go answer(control, make(chan string, 100))

	begin := func(e instance.Egress) instance.Instance {
		spec := b.Spec("serve", "8080")
		spec.Rootfs, spec.Egress = rootfs(t), e
		i := b.Begin(spec)
		b.Get(i, "/") // the host reaches every instance
		return i
	}
	public, build, other := begin(instance.EgressPublic), begin(instance.EgressBuild), begin(instance.EgressPublic)
	for _, test := range []struct {
		from  instance.Instance
		what  string
		addr  string
		reach bool
	}{
		{public, "the internet", worldPublic + ":80", true},
		{public, "a private network", worldPrivate + ":80", false},
		{public, "a private network the operator allowed", worldAllowed + ":80", true},
		{public, "the metadata service", worldMetadata + ":80", false},
		{public, "the control plane by the gateway's address", d.Gateway() + ":7700", false},
		{public, "the control plane by the host's address", hostAddress + ":7700", false},
		{public, "another instance", other.Address.String() + ":8080", false},
		{public, "itself", public.Address.String() + ":8080", true},
		{public, "the host's loopback", "127.0.0.1:7700", false},
		{build, "the internet", worldPublic + ":80", true},
		{build, "a private network", worldPrivate + ":80", true},
		{build, "the metadata service", worldMetadata + ":80", false},
		{build, "the control plane by the host's address", hostAddress + ":7700", false},
		{build, "another instance", other.Address.String() + ":8080", false},
	} {
		got := b.Get(test.from, "/dial?addr="+test.addr)
		if (got == "connected") != test.reach {
			t.Errorf("%s instance to %s (%s): %s", name(test.from, build), test.what, test.addr, got)
		}
	}
	for range len(callers) {
		if from := <-callers; from != hostAddress {
			t.Errorf("the world sees a connection from %s", from)
		}
	}
	if _, err := instancetest.Request(t.Context(), build.Address, "/"); err != nil {
		t.Error(err)
	}
}

func name(i, build instance.Instance) string {
	if i.ID == build.ID {
		return "build"
	}
	return "public"
}

// The world does not reach instances, though the host forwards packets and the world knows the way.
func TestNotReachedFromOutside(t *testing.T) {
	needRoot(t)
	_, beyond := world(t)
	d := open(t, config(t, t.TempDir()))
	b := instancetest.Bench{T: t, Driver: d}
	spec := b.Spec("serve", "8080")
	spec.Rootfs = rootfs(t)
	i := b.Begin(spec)
	b.Get(i, "/")
	host, err := net.Listen("tcp", hostAddress+":7701")
	must(t, err)
	defer host.Close()
	dial := func(addr string) error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		home, err := netns.Get()
		must(t, err)
		defer home.Close()
		must(t, netns.Set(beyond))
		defer func() { must(t, netns.Set(home)) }()
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}
	must(t, dial(hostAddress+":7701"))
	if err := dial(i.Address.String() + ":8080"); err == nil {
		t.Error("the world reaches an instance")
	}
}

func TestNamesResolve(t *testing.T) {
	needRoot(t)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg).SetReply(q)
		if q.Question[0].Name == "db.example." && q.Question[0].Qtype == dns.TypeA {
			reply.Answer = append(reply.Answer, &dns.A{Hdr: dns.RR_Header{Name: "db.example.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.ParseIP("192.0.2.7")})
		}
		_ = w.WriteMsg(reply)
	})
	for _, network := range []string{"udp", "tcp"} {
		ready := make(chan struct{})
		server := &dns.Server{Addr: "127.0.0.1:53", Net: network, Handler: handler, NotifyStartedFunc: func() { close(ready) }}
		go func() { _ = server.ListenAndServe() }()
		<-ready
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	dir := t.TempDir()
	c := config(t, dir)
	c.ResolvConf = filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(c.ResolvConf, []byte("# none reachable but the last\nnameserver 127.0.0.9\nnameserver 127.0.0.1\n"), 0o644))
	d := open(t, c)
	served := make(chan error, 1)
	ctx, stop := cancelable(t)
	go func() { served <- d.Run(ctx) }()
	b := instancetest.Bench{T: t, Driver: d}
	spec := b.Spec("serve", "8080")
	spec.Rootfs = rootfs(t)
	i := b.Begin(spec)
	if got := b.Get(i, "/lookup?host=db.example"); got != "192.0.2.7" {
		t.Errorf("db.example is %q", got)
	}
	message := new(dns.Msg).SetQuestion("db.example.", dns.TypeA)
	client := dns.Client{Net: "tcp"}
	reply, _, err := client.ExchangeContext(ctx, message, d.Gateway()+":53")
	if err != nil || len(reply.Answer) != 1 {
		t.Errorf("by TCP: %v, %v", reply, err)
	}
	stop()
	must(t, <-served)
}

func TestProbe(t *testing.T) {
	needRoot(t)
	for _, f := range oci.Probe(t.Context(), oci.Config{Dir: t.TempDir()}) {
		t.Logf("%-40s %-5v %s", f.Name, f.OK, f.Detail)
		if !f.OK && f.Degrades == "" {
			t.Errorf("%s: %s", f.Name, f.Detail)
		}
	}
}
