package domain

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A flood in the name of one network gets little, half of it invitations to come over TCP, and costs others nothing.
func TestAnswersAreLimitedByNetwork(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := limiter{rate: 10}
	count := map[verdict]int{}
	for i := range 100 {
		count[l.judge(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), now)]++
	}
	if count[answerIt] != 10 || count[truncateIt] != 45 || count[dropIt] != 45 {
		t.Errorf("%v", count)
	}
	for _, other := range []string{"192.0.3.1", "::ffff:192.0.4.1", "2001:db8::1"} {
		if v := l.judge(netip.MustParseAddr(other), now); v != answerIt {
			t.Errorf("%s: %v", other, v)
		}
	}
	if v := l.judge(netip.MustParseAddr("192.0.2.1"), now.Add(time.Second)); v != answerIt {
		t.Errorf("a second later: %v", v)
	}
	for i := range 3 * maxNetworks {
		l.judge(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now.Add(time.Second))
		l.judge(netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 1}), now.Add(time.Second))
	}
	if len(l.counts) > maxNetworks+1 {
		t.Errorf("%d networks are watched", len(l.counts))
	}
}

// Over the wire: above the rate a client is sent to TCP, where it is answered.
func TestFloodsAreSentToTCP(t *testing.T) {
	addr := serveDNS(t, "192.0.2.10")
	const name = "abc.us-east-1.apprunner.localhost"
	truncated := false
	for range 2*defaultRate + 10 {
		q := new(dns.Msg).SetQuestion(name+".", dns.TypeA)
		r, _, err := (&dns.Client{Timeout: 50 * time.Millisecond}).ExchangeContext(t.Context(), q, addr)
		if truncated = err == nil && r.Truncated && len(r.Answer) == 0; truncated {
			break
		}
	}
	if !truncated {
		t.Error("the flood was answered in full")
	}
	if r := ask(t, "tcp", addr, name, dns.TypeA); len(r.Answer) != 1 {
		t.Errorf("over TCP: %s", summary(r))
	}
}

// Whatever comes as a query, the reply can be sent, fits its way, and is no lever against somebody else.
func FuzzNameserver(f *testing.F) {
	for _, name := range []string{"abc.us-east-1.apprunner.localhost.", "apprunner.localhost.", "example.com.", "_1.abc.acm-validations.apprunner.localhost.", "inside.us-east-1.apprunner.localhost.", "vpce-1.us-east-1.vpce.test."} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeANY, dns.TypeSOA, dns.TypeCAA, dns.TypeAXFR} {
			q := new(dns.Msg).SetQuestion(name, qtype)
			q.SetEdns0(4096, true)
			raw, err := q.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw, false)
		}
	}
	d := directory()
	d.SetChallenge("_1.abc.acm-validations.apprunner.localhost", "0123456789012345678901234567890123456789012")
	n := &Nameserver{zones: zonesOf(NameserverConfig{
		Suffix: "apprunner.localhost", Also: []string{"vpce.test"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, Names: d, Issuers: []string{"ca.example"},
	}, 1)}
	f.Fuzz(func(t *testing.T, raw []byte, stream bool) {
		q := new(dns.Msg)
		if q.Unpack(raw) != nil {
			t.Skip() // the library answers it with FORMERR
		}
		r := n.reply(context.Background(), q, stream)
		out, err := r.Pack()
		if err != nil {
			t.Fatalf("%v\n%v", err, q)
		}
		if !stream && len(out) > udpSize {
			t.Fatalf("%d bytes over UDP", len(out))
		}
		if len(out) > len(raw)+300 {
			t.Fatalf("%d bytes for %d", len(out), len(raw))
		}
		if r.Id != q.Id || !r.Response {
			t.Fatalf("no reply: %v", r)
		}
	})
}
