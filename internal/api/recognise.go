package api

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/wire"
)

// index builds the tables by which services are recognised, and refuses services that could not be told apart.
func (s *Server) index() error {
	s.bySigningName, s.byTarget, s.byVersion = map[string]*Service{}, map[string]*Service{}, map[string]*Service{}
	add := func(table map[string]*Service, key string, svc *Service) error {
		if other, taken := table[key]; taken && key != "" {
			return fmt.Errorf("api: %s and %s are both recognised by %q", other.API.Name, svc.API.Name, key)
		}
		table[key] = svc
		return nil
	}
	for _, svc := range s.Services {
		if err := add(s.bySigningName, svc.API.SigningName, svc); err != nil {
			return err
		}
		for _, p := range append([]wire.Protocol{svc.API.Protocol}, svc.API.Also...) {
			table, key := s.byTarget, svc.API.TargetPrefix
			if p.Form() {
				table, key = s.byVersion, svc.API.Version
			}
			if table[key] == svc {
				continue
			}
			if err := add(table, key, svc); err != nil {
				return err
			}
		}
		if svc.OlderTarget != "" {
			if err := add(s.byTarget, svc.OlderTarget, svc); err != nil {
				return err
			}
		}
		for name := range svc.Actions {
			if svc.API.Operation(name) == nil {
				return fmt.Errorf("api: %s has no operation %s", svc.API.Name, name)
			}
		}
	}
	return nil
}

// claim is what a request says it is for.
type claim struct {
	protocol        wire.Protocol // JSON11 stands for any JSON, Query for any form
	prefix, version string        // which name the service: the prefix of a target, the version of an API
	operation       string
}

// claimOf reads what a request says it is for; body is nil before it has been read.
func claimOf(r *http.Request, body []byte) (c claim) {
	if r.Header.Get("Smithy-Protocol") == smithyCBOR {
		c.protocol = wire.CBOR
		c.prefix, c.operation = smithyPath(r.URL.Path)
		return c
	}
	if c.prefix, c.operation, _ = cutLast(r.Header.Get("X-Amz-Target"), "."); c.prefix != "" {
		c.protocol = wire.JSON11
		return c
	}
	if c.operation, c.version = wire.Action(wire.Request{RawQuery: r.URL.RawQuery, Body: body}); c.operation != "" {
		c.protocol = wire.Query
	}
	return c
}

// smithyCBOR is what requests and answers in Smithy RPC v2 with CBOR say in the header smithy-protocol.
const smithyCBOR = "rpc-v2-cbor"

// smithyPath takes …/service/<service>/operation/<operation> apart.
func smithyPath(path string) (service, operation string) {
	before, operation, found := strings.Cut(path, "/operation/")
	if _, name, is := cutLast(before, "/service/"); is && found {
		return name, operation
	}
	return "", ""
}

// recognise finds the service and the operation a request is for: by the signing name of its credential scope first, then by
// target or API version (adjacent §1). It is called before the body is read, to know the limit, and again with it.
func (s *Server) recognise(x *exchange, body []byte) {
	c := claimOf(x.http, body)
	x.claims = c
	if scope, ok := iam.ClaimedScope(x.http); ok {
		x.service = s.bySigningName[scope.Service]
	}
	switch {
	case x.service != nil:
	case c.prefix != "":
		x.service = s.byTarget[c.prefix]
	case c.version != "":
		x.service = s.byVersion[c.version]
	}
	if !x.entrance.admits(x.service) {
		x.service = nil
	}
	x.claimed = ""
	if x.service != nil && x.service.answersTo(c) {
		x.claimed = c.operation
	}
}

// answersTo tells whether a claim is one to this service, in a protocol that it speaks.
func (s *Service) answersTo(c claim) bool {
	if _, speaks := s.protocol(c); !speaks && c.protocol != 0 {
		return false
	}
	if c.protocol == wire.Query {
		return c.version == "" || c.version == s.API.Version
	}
	return c.prefix == s.API.TargetPrefix || c.prefix != "" && c.prefix == s.OlderTarget
}

// protocol is how the service is spoken to by a request; its own, and false, where it does not speak as the request does.
func (s *Service) protocol(c claim) (p wire.Protocol, speaks bool) {
	for _, p := range append([]wire.Protocol{s.API.Protocol}, s.API.Also...) {
		if p == c.protocol || c.protocol == wire.Query && p.Form() || c.protocol == wire.JSON11 && p == wire.JSON10 {
			return p, true
		}
	}
	return s.API.Protocol, false
}

// api is the description whose protocol answers speak; where no service is recognised, one that fits the form of the request.
func (x *exchange) api() *wire.Service {
	switch {
	case x.service != nil:
		p, _ := x.service.protocol(x.claims)
		return x.service.API.In(p)
	case x.claims.protocol == wire.Query:
		return &wire.Service{Name: "unknown", Protocol: wire.Query}
	case x.claims.protocol == wire.CBOR:
		return &wire.Service{Name: "unknown", Protocol: wire.CBOR, ErrorMessage: "message"}
	default:
		return &wire.Service{Name: "unknown", Protocol: wire.JSON11, ErrorMessage: "message"}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// sourceIP is the address a request came from. Forwarding headers are not read: anyone can write them, and policies trust this.
func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// clip shortens a client's text to n bytes.
func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}
