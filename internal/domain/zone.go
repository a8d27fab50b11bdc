package domain

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// names tells what is at a name of the zone, given in lower case without a trailing dot. The answer must come from memory: everybody on
// the network may ask.
type names interface {
	Node(ctx context.Context, name string) (Node, bool)
}

// How long resolvers keep answers, in seconds. Short, because services come and go and their address may move; challenges are asked for
// while they are being changed.
const (
	addressTTL   = 60
	negativeTTL  = 30
	zoneTTL      = 3600
	challengeTTL = 1
)

// zone is what the nameserver is authoritative for.
type zone struct {
	apex      string // "apprunner.localhost."
	ns        string // the server's own name
	addresses []netip.Addr
	alias     string   // a name with a trailing dot that hosts are aliases of, in place of addresses
	issuers   []string // who may issue certificates for names of the zone; none: everybody
	serial    uint32
	names     names
}

// contains tells whether a canonical name is in the zone.
func (z zone) contains(name string) bool { return dns.IsSubDomain(z.apex, name) }

// node is what a canonical name of the zone holds; false where there is nothing.
func (z zone) node(ctx context.Context, name string) (Node, bool) {
	plain, ok := wireName(name)
	if !ok {
		return Node{}, false
	}
	n, found := z.names.Node(ctx, plain)
	return n, found || name == z.apex || name == z.ns
}

// records gives the records of an existing name; owner is the name as the client spelled it.
func (z zone) records(name, owner string, n Node, qtype uint16) []dns.RR {
	switch {
	case qtype == dns.TypeANY:
		// RFC 8482: a small answer to a question that is only asked to get a large one.
		return []dns.RR{&dns.HINFO{Hdr: header(owner, dns.TypeHINFO, zoneTTL), Cpu: "RFC8482"}}
	case name == z.apex && qtype == dns.TypeSOA:
		return []dns.RR{z.soa(owner, zoneTTL)}
	case name == z.apex && qtype == dns.TypeNS:
		return []dns.RR{&dns.NS{Hdr: header(owner, dns.TypeNS, zoneTTL), Ns: z.ns}}
	case name == z.apex && qtype == dns.TypeCAA:
		return z.caa(owner)
	case n.Host && z.alias != "":
		return []dns.RR{&dns.CNAME{Hdr: header(owner, dns.TypeCNAME, addressTTL), Target: z.alias}}
	case n.Host || name == z.ns:
		return addressRecords(z.addresses, owner, qtype)
	case len(n.Addresses) > 0 && qtype != dns.TypeTXT:
		return addressRecords(n.Addresses, owner, qtype)
	case qtype == dns.TypeTXT:
		return txt(owner, n.TXT)
	}
	return nil
}

func txt(owner string, values []string) []dns.RR {
	rrs := make([]dns.RR, len(values))
	for i, v := range values {
		rrs[i] = &dns.TXT{Hdr: header(owner, dns.TypeTXT, challengeTTL), Txt: []string{v}}
	}
	return rrs
}

func (z zone) caa(owner string) []dns.RR {
	rrs := make([]dns.RR, len(z.issuers))
	for i, issuer := range z.issuers {
		rrs[i] = &dns.CAA{Hdr: header(owner, dns.TypeCAA, zoneTTL), Tag: "issue", Value: issuer}
	}
	return rrs
}

func addressRecords(addresses []netip.Addr, owner string, qtype uint16) []dns.RR {
	var rrs []dns.RR
	for _, a := range addresses {
		switch {
		case qtype == dns.TypeA && a.Is4():
			rrs = append(rrs, &dns.A{Hdr: header(owner, dns.TypeA, addressTTL), A: a.AsSlice()})
		case qtype == dns.TypeAAAA && a.Is6():
			rrs = append(rrs, &dns.AAAA{Hdr: header(owner, dns.TypeAAAA, addressTTL), AAAA: a.AsSlice()})
		}
	}
	return rrs
}

func (z zone) soa(owner string, ttl uint32) dns.RR {
	return &dns.SOA{
		Hdr: header(owner, dns.TypeSOA, ttl), Ns: z.ns, Mbox: "hostmaster." + z.apex,
		Serial: z.serial, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: negativeTTL,
	}
}

func header(owner string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// answer is the pure part of the server: the reply to one well-formed query.
func (z zone) answer(ctx context.Context, q *dns.Msg) *dns.Msg {
	r := new(dns.Msg)
	r.SetReply(q)
	r.RecursionAvailable = false
	if len(q.Question) != 1 {
		r.Rcode = dns.RcodeFormatError
		return r
	}
	if q.Opcode != dns.OpcodeQuery {
		r.Rcode = dns.RcodeNotImplemented
		return r
	}
	question := q.Question[0]
	name := dns.CanonicalName(question.Name)
	transfer := question.Qtype == dns.TypeAXFR || question.Qtype == dns.TypeIXFR
	if question.Qclass != dns.ClassINET || transfer || !z.contains(name) {
		r.Rcode = dns.RcodeRefused
		return r
	}
	r.Authoritative = true
	n, found := z.node(ctx, name)
	if !found {
		r.Rcode = dns.RcodeNameError
	} else if r.Answer = z.records(name, question.Name, n, question.Qtype); len(r.Answer) > 0 {
		if question.Qtype == dns.TypeNS {
			r.Extra = append(addressRecords(z.addresses, z.ns, dns.TypeA), addressRecords(z.addresses, z.ns, dns.TypeAAAA)...)
		}
		return r
	}
	r.Ns = []dns.RR{z.soa(z.apex, negativeTTL)}
	return r
}

// newZone brings the names of a configuration into the form DNS has them in.
func newZone(c NameserverConfig, serial uint32) zone {
	apex := dns.CanonicalName(c.Suffix)
	z := zone{apex: apex, ns: "ns1." + apex, addresses: c.Addresses, issuers: c.Issuers, serial: serial, names: c.Names}
	if c.Alias != "" {
		z.alias = dns.CanonicalName(c.Alias)
	}
	for i, a := range z.addresses {
		z.addresses[i] = a.Unmap()
	}
	return z
}

// zonesOf are all zones of a configuration, that of the suffix first.
func zonesOf(c NameserverConfig, serial uint32) []zone {
	z := newZone(c, serial)
	list := []zone{z}
	for _, other := range c.Also {
		z.apex = dns.CanonicalName(other)
		list = append(list, z)
	}
	return list
}

// coveredByWildcard tells whether a wildcard such as *.example.com stands for a host: one label more, and only one.
func coveredByWildcard(host, wildcard string) bool {
	parent, is := strings.CutPrefix(wildcard, "*")
	_, rest, _ := strings.Cut(host, ".")
	return is && !strings.HasPrefix(host, "*") && "."+rest == parent
}

// AddressReply is the reply to a question for the addresses of a name that is in no zone here.
func AddressReply(q *dns.Msg, addresses []netip.Addr) *dns.Msg {
	r := new(dns.Msg).SetReply(q)
	r.Answer = addressRecords(addresses, q.Question[0].Name, q.Question[0].Qtype)
	return r
}
