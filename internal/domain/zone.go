package domain

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// names tells which names below <region>.<suffix> are in use. Names are in lower case without a trailing dot. The answer must come from
// memory: everybody on the network may ask.
type names interface {
	NameExists(ctx context.Context, name string) bool
}

// How long resolvers keep answers, in seconds. Short, because services come and go and their address may move.
const (
	addressTTL  = 60
	negativeTTL = 30
	zoneTTL     = 3600
)

// zone is what the nameserver is authoritative for.
type zone struct {
	apex      string // "apprunner.localhost."
	region    string // "us-east-1.apprunner.localhost."
	ns        string // the server's own name
	addresses []netip.Addr
	serial    uint32
	names     names
}

func newZone(suffix, region string, addresses []netip.Addr, serial uint32, n names) zone {
	apex := dns.CanonicalName(suffix)
	return zone{apex: apex, region: dns.CanonicalName(region + "." + apex), ns: "ns1." + apex, addresses: addresses, serial: serial, names: n}
}

// contains tells whether a canonical name is in the zone.
func (z zone) contains(name string) bool { return dns.IsSubDomain(z.apex, name) }

// exists tells whether a canonical name in the zone is there, if only because something is below it.
func (z zone) exists(ctx context.Context, name string) bool {
	switch {
	case name == z.apex || name == z.ns || dns.IsSubDomain(name, z.region):
		return true
	case !dns.IsSubDomain(z.region, name) || strings.Contains(name, `\`):
		return false // a name with escapes is no host name
	}
	return z.names.NameExists(ctx, strings.TrimSuffix(name, "."))
}

// hosted tells whether a canonical name carries the addresses.
func (z zone) hosted(name string) bool {
	return name == z.ns || name != z.region && dns.IsSubDomain(z.region, name)
}

// records gives the records of an existing name; owner is the name as the client spelled it.
func (z zone) records(name, owner string, qtype uint16) []dns.RR {
	switch {
	case qtype == dns.TypeANY:
		// RFC 8482: a small answer to a question that is only asked to get a large one.
		return []dns.RR{&dns.HINFO{Hdr: header(owner, dns.TypeHINFO, zoneTTL), Cpu: "RFC8482"}}
	case name == z.apex && qtype == dns.TypeSOA:
		return []dns.RR{z.soa(owner, zoneTTL)}
	case name == z.apex && qtype == dns.TypeNS:
		return []dns.RR{&dns.NS{Hdr: header(owner, dns.TypeNS, zoneTTL), Ns: z.ns}}
	case z.hosted(name):
		return z.address(owner, qtype)
	}
	return nil
}

func (z zone) address(owner string, qtype uint16) []dns.RR {
	var rrs []dns.RR
	for _, a := range z.addresses {
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
	if !z.exists(ctx, name) {
		r.Rcode = dns.RcodeNameError
	} else if r.Answer = z.records(name, question.Name, question.Qtype); len(r.Answer) > 0 {
		if question.Qtype == dns.TypeNS {
			r.Extra = append(z.address(z.ns, dns.TypeA), z.address(z.ns, dns.TypeAAAA)...)
		}
		return r
	}
	r.Ns = []dns.RR{z.soa(z.apex, negativeTTL)}
	return r
}
