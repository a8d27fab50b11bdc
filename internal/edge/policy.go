package edge

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"slipway.dev/slipway/internal/edge/waf"
)

// policy is what the owner of a service put in front of it and what is written down about its requests. A service without any of it has
// none (nil), and its requests pay one look at a pointer. Health checks never pass a policy: they go to the instance directly.
type policy struct {
	allow  []netip.Prefix // none allows all
	acl    *acl           // nil: none
	logins *logins        // nil: nobody is asked who he is
	log    accessFormat
}

// newPolicy is the policy of a route; nil for none. What old learnt about clients lives on where its settings did not change.
func newPolicy(r *Route, old *policy) *policy {
	p := &policy{allow: r.AllowIPs, log: parseAccessFormat(r.AccessLog)}
	if r.WebACL != nil {
		p.acl = newACL(r, old)
	}
	if len(r.BasicAuth) > 0 {
		p.logins = newLogins(r.BasicAuth)
		if old != nil && old.logins != nil && slices.Equal(old.logins.pairs, r.BasicAuth) {
			p.logins = old.logins
		}
	}
	if len(p.allow) == 0 && p.acl == nil && p.logins == nil && p.log == logNothing {
		return nil
	}
	return p
}

// visitor is a request as a policy sees it, whichever front it came through.
type visitor interface {
	// address is where the request comes from; never what a header says.
	address() netip.Addr
	// authorization is the value of the Authorization field, valid during the call only.
	authorization() string
	// show is the request as a web ACL sees it, with as many bytes of the body as asked for where there are that many. impatient waits
	// for no body of a gRPC call.
	show(body int, impatient bool) (*waf.Request, *failure)
	// judged takes what the web ACL said.
	judged(a *acl, v waf.Verdict, r *waf.Request, f *failure)
}

var failAddress = &failure{status: 403, code: "AddressNotAllowed", cause: "this service does not accept requests from your address"}

// admit tells why a request does not pass; nil when it does. now is the time since the edge started.
func (p *policy) admit(v visitor, now time.Duration) *failure {
	from := v.address()
	if !p.allows(from) {
		return failAddress
	}
	if p.acl != nil {
		verdict, request, f := p.acl.judge(v, now)
		v.judged(p.acl, verdict, request, f)
		if f != nil {
			return f
		}
	}
	if p.logins != nil {
		return p.logins.admit(from, v.authorization(), now)
	}
	return nil
}

// allows tells whether an address is in one of the networks. An IPv4 address is the same however it is written.
func (p *policy) allows(a netip.Addr) bool {
	if len(p.allow) == 0 {
		return true
	}
	for _, n := range p.allow {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// clientAddress reads the address of a client as a connection tells it.
func clientAddress(ip string) netip.Addr {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

func (x *call) address() netip.Addr { return clientAddress(x.ip) }

func (x *call) authorization() string { return text(x.req.value("authorization")) }

// value is the value of the first field with a name, which is given in lower case.
func (h *head) value(name string) []byte {
	for i := range h.fields {
		if fd := &h.fields[i]; foldEqual(fd.name, name) {
			return fd.value
		}
	}
	return nil
}

// passPolicy tells why the policy refuses the request; nil when it passes.
func (x *call) passPolicy(p *policy) *failure {
	if p.log != logNothing {
		x.beginAccess(p.log)
	}
	return p.admit(x, x.s.now())
}

// judged notes the fields for the application, and tells the log of the ACL.
func (x *call) judged(a *acl, v waf.Verdict, r *waf.Request, f *failure) {
	x.inserted = v.Insert
	a.log(x.s.access, x.service, v, r, f, string(x.requestID()), x.protocol)
}

// stdVisit is a request that came through net/http.
type stdVisit struct {
	*http.Request
	x *exchange
	s *Server
}

func (v stdVisit) judged(a *acl, verdict waf.Verdict, r *waf.Request, f *failure) {
	for _, field := range verdict.Insert {
		v.Header.Set(field.Name, field.Value)
	}
	a.log(v.s.access, v.x.service, verdict, r, f, v.x.id, v.Proto)
}

func (v stdVisit) address() netip.Addr {
	ip, _, _ := net.SplitHostPort(v.RemoteAddr)
	return clientAddress(ip)
}

func (v stdVisit) authorization() string { return v.Header.Get("Authorization") }
