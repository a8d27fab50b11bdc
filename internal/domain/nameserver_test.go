package domain

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// directory holds two services in two regions.
func directory() *Directory {
	d := new(Directory)
	d.Replace(map[string]Node{
		"abc.us-east-1.apprunner.localhost": {Host: true}, "www.abc.us-east-1.apprunner.localhost": {Host: true}, "def.eu-west-1.apprunner.localhost": {Host: true},
		"_1.abc.acm-validations.apprunner.localhost": {},
		"inside.us-east-1.apprunner.localhost":       {Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.10"), netip.MustParseAddr("10.0.1.10")}},
		"vpce-1.us-east-1.vpce.test":                 {Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.10")}},
	})
	return d
}

// serveDNS runs a nameserver and gives its address.
func serveDNS(t *testing.T, addresses ...string) string {
	t.Helper()
	p, l, err := ListenDNS(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var addrs []netip.Addr
	for _, a := range addresses {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	n, err := NewNameserver(NameserverConfig{
		Suffix: "apprunner.localhost", Also: []string{"vpce.test"}, Addresses: addrs, Names: directory(), Issuers: []string{"ca.example"},
		Packet: []net.PacketConn{p}, Stream: []net.Listener{l},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p.LocalAddr().String()
}

func ask(t *testing.T, network, addr, name string, qtype uint16, change ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), qtype)
	for _, c := range change {
		c(q)
	}
	client := &dns.Client{Net: network, Timeout: 5 * time.Second}
	r, _, err := client.ExchangeContext(t.Context(), q, addr)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[qtype], err)
	}
	return r
}

// summary is "RCODE answer-values" of a reply.
func summary(r *dns.Msg) string {
	parts := []string{dns.RcodeToString[r.Rcode]}
	for _, rr := range r.Answer {
		parts = append(parts, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	return strings.Join(parts, " ")
}

func TestNameserverAnswers(t *testing.T) {
	addr := serveDNS(t, "192.0.2.10", "2001:db8::10")
	cases := []struct {
		name  string
		qtype uint16
		want  string
		soa   bool
	}{
		{"abc.us-east-1.apprunner.localhost", dns.TypeA, "NOERROR 192.0.2.10", false},
		{"abc.us-east-1.apprunner.localhost", dns.TypeAAAA, "NOERROR 2001:db8::10", false},
		{"ABC.us-East-1.AppRunner.localhost", dns.TypeA, "NOERROR 192.0.2.10", false},
		{"www.abc.us-east-1.apprunner.localhost", dns.TypeA, "NOERROR 192.0.2.10", false},
		{"inside.us-east-1.apprunner.localhost", dns.TypeA, "NOERROR 10.0.0.10 10.0.1.10", false},
		{"inside.us-east-1.apprunner.localhost", dns.TypeAAAA, "NOERROR", true},
		{"inside.us-east-1.apprunner.localhost", dns.TypeTXT, "NOERROR", true},
		{"vpce-1.us-east-1.vpce.test", dns.TypeA, "NOERROR 10.0.0.10", false},
		{"vpce-2.us-east-1.vpce.test", dns.TypeA, "NXDOMAIN", true},
		{"abc.us-east-1.vpce.test", dns.TypeA, "NXDOMAIN", true},
		{"test", dns.TypeA, "REFUSED", false},
		{"abc.us-east-1.apprunner.localhost", dns.TypeMX, "NOERROR", true},
		{"abc.us-east-1.apprunner.localhost", dns.TypeANY, `NOERROR "RFC8482" ""`, false},
		{"none.us-east-1.apprunner.localhost", dns.TypeA, "NXDOMAIN", true},
		{"none.us-east-1.apprunner.localhost", dns.TypeANY, "NXDOMAIN", true},
		{"abc.eu-west-1.apprunner.localhost", dns.TypeA, "NXDOMAIN", true},
		{"def.eu-west-1.apprunner.localhost", dns.TypeA, "NOERROR 192.0.2.10", false},
		{"eu-west-1.apprunner.localhost", dns.TypeA, "NOERROR", true},
		{"eu-west-2.apprunner.localhost", dns.TypeA, "NXDOMAIN", true},
		{"_1.abc.acm-validations.apprunner.localhost", dns.TypeTXT, "NOERROR", true},
		{"_2.abc.acm-validations.apprunner.localhost", dns.TypeTXT, "NXDOMAIN", true},
		{"apprunner.localhost", dns.TypeCAA, `NOERROR 0 issue "ca.example"`, false},
		{"abc.us-east-1.apprunner.localhost", dns.TypeCAA, "NOERROR", true},
		{"us-east-1.apprunner.localhost", dns.TypeA, "NOERROR", true},
		{"apprunner.localhost", dns.TypeA, "NOERROR", true},
		{"apprunner.localhost", dns.TypeNS, "NOERROR ns1.apprunner.localhost.", false},
		{"ns1.apprunner.localhost", dns.TypeA, "NOERROR 192.0.2.10", false},
		{"example.com", dns.TypeA, "REFUSED", false},
		{"localhost", dns.TypeA, "REFUSED", false},
		{"xapprunner.localhost", dns.TypeA, "REFUSED", false},
		{".", dns.TypeNS, "REFUSED", false},
		{"apprunner.localhost", dns.TypeIXFR, "REFUSED", false},
	}
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range cases {
			r := ask(t, network, addr, c.name, c.qtype)
			if got := summary(r); got != c.want {
				t.Errorf("%s: %s %s: %s, want %s", network, c.name, dns.TypeToString[c.qtype], got, c.want)
			}
			if soa := len(r.Ns) == 1 && r.Ns[0].Header().Rrtype == dns.TypeSOA; soa != c.soa {
				t.Errorf("%s: %s %s: SOA in the authority section: %v", network, c.name, dns.TypeToString[c.qtype], soa)
			}
			if r.RecursionAvailable || r.Authoritative != (r.Rcode != dns.RcodeRefused) {
				t.Errorf("%s %s: flags %+v", c.name, dns.TypeToString[c.qtype], r.MsgHdr)
			}
			if len(r.Answer) > 0 && r.Answer[0].Header().Name != dns.Fqdn(c.name) {
				t.Errorf("the spelling of %s came back as %s", c.name, r.Answer[0].Header().Name)
			}
		}
	}
	soa := ask(t, "udp", addr, "apprunner.localhost", dns.TypeSOA)
	if len(soa.Answer) != 1 || soa.Answer[0].(*dns.SOA).Ns != "ns1.apprunner.localhost." {
		t.Errorf("SOA: %v", soa)
	}
	if ns := ask(t, "udp", addr, "apprunner.localhost", dns.TypeNS); len(ns.Extra) != 2 {
		t.Errorf("glue: %v", ns.Extra)
	}
}

// Where the front door is known by a name, hosts are aliases of it; challenges stay where they are.
func TestHostsMayBeAliases(t *testing.T) {
	d := directory()
	remove := d.SetChallenge("_1.abc.acm-validations.apprunner.localhost.", "proof")
	d.SetChallenge("_acme-challenge.us-east-1.apprunner.localhost", "other")
	z := newZone(NameserverConfig{Suffix: "apprunner.localhost", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Names: d, Alias: "door.example.com"}, 1)
	answer := func(name string, qtype uint16) string {
		return summary(z.answer(t.Context(), new(dns.Msg).SetQuestion(name+".apprunner.localhost.", qtype)))
	}
	for name, want := range map[string]string{
		"abc.us-east-1": "NOERROR door.example.com.", "ns1": "NOERROR 192.0.2.1", "us-east-1": "NOERROR", "x.us-east-1": "NXDOMAIN",
	} {
		if got := answer(name, dns.TypeA); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := answer("abc.us-east-1", dns.TypeCNAME); got != "NOERROR door.example.com." {
		t.Error(got)
	}
	if got := answer("_1.abc.acm-validations", dns.TypeTXT); got != `NOERROR "proof"` {
		t.Error(got)
	}
	if got := answer("_acme-challenge.us-east-1", dns.TypeTXT); got != `NOERROR "other"` {
		t.Error(got)
	}
	remove()
	remove()
	d.Replace(map[string]Node{})
	if got := answer("_1.abc.acm-validations", dns.TypeTXT); got != "NXDOMAIN" {
		t.Error(got)
	}
	if got := answer("_acme-challenge.us-east-1", dns.TypeTXT); got != `NOERROR "other"` {
		t.Errorf("a challenge is lost when the names change: %s", got)
	}
}

func TestNameserverRefusesOddQueries(t *testing.T) {
	addr := serveDNS(t, "192.0.2.10")
	const name = "abc.us-east-1.apprunner.localhost"
	if r := ask(t, "udp", addr, name, dns.TypeA, func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }); r.Rcode != dns.RcodeNotImplemented {
		t.Errorf("update: %s", summary(r))
	}
	if r := ask(t, "udp", addr, name, dns.TypeA, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }); r.Rcode != dns.RcodeNotImplemented {
		t.Errorf("notify: %s", summary(r))
	}
	if r := ask(t, "udp", addr, name, dns.TypeA, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }); r.Rcode != dns.RcodeRefused {
		t.Errorf("class CH: %s", summary(r))
	}
	if r := ask(t, "udp", addr, name, dns.TypeA, func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }); r.Rcode != dns.RcodeFormatError {
		t.Errorf("two questions: %s", summary(r))
	}
	r := ask(t, "udp", addr, name, dns.TypeA, func(m *dns.Msg) { m.SetEdns0(4096, true); m.IsEdns0().SetVersion(1) })
	if r.Rcode != dns.RcodeBadVers || len(r.Answer) > 0 {
		t.Errorf("EDNS version 1: %s", summary(r))
	}
}

func TestLargeAnswersFallBackToTCP(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String())
	}
	addr := serveDNS(t, many...)
	const name = "abc.us-east-1.apprunner.localhost"
	for what, change := range map[string]func(*dns.Msg){"plain": func(*dns.Msg) {}, "EDNS": func(m *dns.Msg) { m.SetEdns0(65535, false) }} {
		r := ask(t, "udp", addr, name, dns.TypeA, change)
		if r.Compress = true; !r.Truncated || r.Len() > udpSize {
			t.Errorf("%s: truncated %v, %d bytes", what, r.Truncated, r.Len())
		}
	}
	if r := ask(t, "tcp", addr, name, dns.TypeA); r.Truncated || len(r.Answer) != 100 {
		t.Errorf("TCP: truncated %v, %d answers", r.Truncated, len(r.Answer))
	}
}

func TestTheServerOutlivesNoise(t *testing.T) {
	addr := serveDNS(t, "192.0.2.10")
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		for _, noise := range []string{"", "x", "\x00\x01", strings.Repeat("\xff", 600), strings.Repeat("\x00", 12)} {
			_, _ = c.Write([]byte(noise))
		}
		c.Close()
	}
	if r := ask(t, "udp", addr, "abc.us-east-1.apprunner.localhost", dns.TypeA); len(r.Answer) != 1 {
		t.Errorf("after noise: %s", summary(r))
	}
}

// Whatever is asked, the reply can be packed, fits, and gives nothing of other zones.
func TestAnswersHoldForAnyQuestion(t *testing.T) {
	z := newZone(NameserverConfig{Suffix: "apprunner.localhost", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Names: directory()}, 1)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`([a-zA-Z0-9*_-]{1,10}\.){0,4}`).Draw(t, "below") + rapid.SampledFrom([]string{
			"", "localhost.", "apprunner.localhost.", "us-east-1.apprunner.localhost.", "abc.us-east-1.apprunner.localhost.", `a\.b.us-east-1.apprunner.localhost.`,
		}).Draw(t, "zone")
		q := new(dns.Msg)
		q.SetQuestion(dns.Fqdn(name), rapid.Uint16().Draw(t, "type"))
		r := z.answer(context.Background(), q)
		if _, err := r.Pack(); err != nil {
			t.Fatal(err)
		}
		if r.Len() > q.Len()+200 {
			t.Fatalf("%d bytes for %d", r.Len(), q.Len())
		}
		if !strings.HasSuffix(dns.CanonicalName(name), "apprunner.localhost.") && r.Rcode != dns.RcodeRefused {
			t.Fatalf("%s: %s", name, summary(r))
		}
	})
}
