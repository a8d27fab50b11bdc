package server

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/network"
)

// endpointDomain is above the names of all endpoints (adjacent §8).
const endpointDomain = "vpce.amazonaws.com"

// insideNames are the names that resolve inside a VPC alone, by VPC and name: custom domains, and the API's where an endpoint has it.
type insideNames map[string]map[string][]netip.Addr

// place makes a name resolve inside a VPC.
func (i insideNames) place(vpcID, name string, at []netip.Addr) {
	if i[vpcID] == nil {
		i[vpcID] = map[string][]netip.Addr{}
	}
	i[vpcID][name] = at
}

// placeEndpoints adds the names of endpoints.
func placeEndpoints(nodes map[string]domain.Node, l network.Layout) {
	for _, vpc := range l.VPCs {
		for _, e := range vpc.Endpoints {
			for _, name := range e.Names() {
				nodes[name.Host] = domain.Node{Addresses: addressesIn(e, name.Zone)}
			}
		}
	}
}

// addressesIn are the addresses of an endpoint, in one zone or in all.
func addressesIn(e network.Endpoint, zone string) (list []netip.Addr) {
	for _, i := range e.Interfaces {
		if zone == "" || i.Zone == zone {
			list = append(list, i.Address)
		}
	}
	return list
}

// placePrivate gives the names of private services the addresses of the endpoints that they answer at, everywhere (§20.2), and their
// custom domains inside the VPC of the endpoint; elsewhere those follow from the records that their owners have made.
func placePrivate(nodes map[string]domain.Node, l network.Layout, conns []apprunner.VPCIngressConnection, custom map[string][]string) insideNames {
	inside := insideNames{}
	for _, c := range conns {
		if c.Status != apprunner.IngressAvailable {
			continue
		}
		at := addressesAt(l, c.EndpointID)
		if _, there := nodes[c.DomainName]; !there || len(at) == 0 {
			continue
		}
		nodes[c.DomainName] = domain.Node{Addresses: at}
		for _, name := range custom[c.ServiceARN] {
			inside.place(c.VPCID, name, at)
		}
	}
	placeAPI(inside, l)
	return inside
}

// placeAPI makes the public names of APIs lead to the endpoints that have them by private DNS (§20.3).
func placeAPI(inside insideNames, l network.Layout) {
	for _, vpc := range l.VPCs {
		for _, e := range vpc.Endpoints {
			if name := network.PrivateName(e.Scope.Region, e.Service); e.PrivateDNS && name != "" && e.State == network.EndpointAvailable {
				inside.place(vpc.ID, name, addressesIn(e, ""))
			}
		}
	}
}

// addressesAt are the addresses of an endpoint.
func addressesAt(l network.Layout, endpointID string) []netip.Addr {
	for _, vpc := range l.VPCs {
		for _, e := range vpc.Endpoints {
			if e.ID == endpointID {
				return addressesIn(e, "")
			}
		}
	}
	return nil
}

// find looks a name of a VPC up, in lower case without a trailing dot; a wildcard stands for one label.
func (i insideNames) find(vpcID, name string) (at []netip.Addr, known bool) {
	if at, known = i[vpcID][name]; !known {
		_, parent, _ := strings.Cut(name, ".")
		at, known = i[vpcID]["*."+parent]
	}
	return at, known
}

// Answer is the reply to a question inside a VPC: about custom domains that are served there, the API's name, the names of services, and
// those of endpoints. false: the world is to be asked.
func (n *names) Answer(ctx context.Context, vpcID string, q *dns.Msg) (*dns.Msg, bool) {
	if len(q.Question) == 1 && (q.Question[0].Qtype == dns.TypeA || q.Question[0].Qtype == dns.TypeAAAA) {
		name := strings.TrimSuffix(dns.CanonicalName(q.Question[0].Name), ".")
		if at, known := n.inside.Load().find(vpcID, name); known {
			return domain.AddressReply(q, at), true
		}
	}
	r, own := n.server.Answer(ctx, q)
	if own && r.Rcode == dns.RcodeNameError && dns.IsSubDomain(endpointDomain+".", dns.CanonicalName(q.Question[0].Name)) {
		return nil, false // AWS has endpoints as well
	}
	return r, own
}
