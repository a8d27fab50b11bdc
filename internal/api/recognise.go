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
		table, key := s.byTarget, svc.API.TargetPrefix
		if svc.API.Protocol.Form() {
			table, key = s.byVersion, svc.API.Version
		}
		if err := add(table, key, svc); err != nil {
			return err
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

// recognise finds the service and the operation a request is for: by the signing name of its credential scope first, then by
// target or API version (adjacent §1). It is called before the body is read, to know the limit, and again with it.
func (s *Server) recognise(x *exchange, body []byte) {
	prefix, operation, _ := cutLast(x.http.Header.Get("X-Amz-Target"), ".")
	action, version := "", ""
	if prefix == "" {
		action, version = wire.Action(wire.Request{RawQuery: x.http.URL.RawQuery, Body: body})
	}
	x.form = action != ""
	if scope, ok := iam.ClaimedScope(x.http); ok {
		x.service = s.bySigningName[scope.Service]
	}
	switch {
	case x.service != nil:
	case prefix != "":
		x.service = s.byTarget[prefix]
	case version != "":
		x.service = s.byVersion[version]
	}
	if !x.entrance.admits(x.service) {
		x.service = nil
	}
	x.claimed = ""
	switch {
	case x.service == nil:
	case x.service.API.Protocol.Form():
		if version == "" || version == x.service.API.Version {
			x.claimed = action
		}
	case prefix == x.service.API.TargetPrefix, prefix != "" && prefix == x.service.OlderTarget:
		x.claimed = operation
	}
}

// api is the description whose protocol answers speak; where no service is recognised, one that fits the form of the request.
func (x *exchange) api() *wire.Service {
	switch {
	case x.service != nil:
		return x.service.API
	case x.form:
		return &wire.Service{Name: "unknown", Protocol: wire.Query}
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
