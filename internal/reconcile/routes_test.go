package reconcile

import (
	"slices"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// A private service is known at the endpoint that it is joined to, under all its names, and nowhere without one; a public one is known at the
// public front door.
//
// checklist: 216
func TestWhereServicesAreKnown(t *testing.T) {
	svc := apprunner.Service{Scope: apprunner.Scope{Account: "123456789012", Region: "us-east-1"}, Name: "web", ID: "0123456789abcdef0123456789abcdef", URL: "web.test"}
	all := []string{"web.test", "shop.test"}
	for _, c := range []struct {
		public   bool
		status   apprunner.VPCIngressStatus // "": no ingress connection
		hosts    []string
		endpoint string
	}{
		{true, "", all, ""},
		{true, apprunner.IngressAvailable, all, ""},
		{false, "", nil, ""},
		{false, apprunner.IngressAvailable, all, "vpce-1"},
		{false, apprunner.IngressPendingCreation, all, "vpce-1"},
		{false, apprunner.IngressPendingUpdate, all, "vpce-1"},
		{false, apprunner.IngressFailedDeletion, all, "vpce-1"},
		{false, apprunner.IngressFailedCreation, nil, ""},
		{false, apprunner.IngressFailedUpdate, nil, ""},
		{false, apprunner.IngressPendingDeletion, nil, ""},
		{false, apprunner.IngressDeleted, nil, ""},
	} {
		svc.Network.Public = c.public
		s := state{services: []apprunner.Service{svc}, domains: map[string][]string{svc.ARN(): {"shop.test"}}}
		if c.status != "" {
			s.joined = endpointsOf([]apprunner.VPCIngressConnection{{ServiceARN: svc.ARN(), EndpointID: "vpce-1", Status: c.status}})
		}
		if r := routes(s)[0]; !slices.Equal(r.Hosts, c.hosts) || r.Endpoint != c.endpoint {
			t.Errorf("public %v, ingress connection %q: %q at %q, want %q at %q", c.public, c.status, r.Hosts, r.Endpoint, c.hosts, c.endpoint)
		}
	}
}
