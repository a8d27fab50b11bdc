package server

import (
	"crypto/x509"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/network/host"
)

func newTestEntrances(t *testing.T) *entrances {
	t.Helper()
	dir := t.TempDir()
	ca, err := domain.OpenCA(domain.CAConfig{Dir: filepath.Join(dir, "ca"), Permit: []string{"apps.test"}})
	if err != nil {
		t.Fatal(err)
	}
	return (&System{names: &names{ca: ca}, vpcs: host.New(filepath.Join(dir, "vpc")), log: slog.New(slog.DiscardHandler)}).newEntrances()
}

// The certificate of a region's endpoints holds the names of its API and of its endpoints, the authority above it no others, and it is
// replaced in time.
func TestCertificateOfEndpoints(t *testing.T) {
	e, now := newTestEntrances(t), time.Now()
	first, err := e.certificate("eu-west-1", now)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(e.ca.RootPEM())
	for _, der := range first.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if limits := strings.Join(c.PermittedDNSDomains, " "); limits != "apprunner.eu-west-1.amazonaws.com apprunner.eu-west-1.vpce.amazonaws.com" {
			t.Errorf("the intermediate may speak for %s", limits)
		}
		between.AddCert(c)
	}
	for name, want := range map[string]bool{
		"apprunner.eu-west-1.amazonaws.com": true, "vpce-1-a.apprunner.eu-west-1.vpce.amazonaws.com": true,
		"vpce-1-a-eu-west-1a.apprunner.eu-west-1.vpce.amazonaws.com": true, "vpce-1-a.requests.apprunner.eu-west-1.vpce.amazonaws.com": false,
		"iam.amazonaws.com": false, "apprunner.us-east-1.amazonaws.com": false, "apps.test": false,
	} {
		if _, err := first.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: now}); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if again, err := e.certificate("eu-west-1", now.AddDate(0, 0, 50)); err != nil || again != first {
		t.Errorf("after 50 days there is another one, %v", err)
	}
	if again, err := e.certificate("eu-west-1", now.AddDate(0, 0, 70)); err != nil || again == first {
		t.Errorf("after 70 days it is still the same, %v", err)
	}
	if other, err := e.certificate("us-east-1", now); err != nil || other == first {
		t.Errorf("another region has the same one, %v", err)
	}
}

// Where a socket cannot be opened the endpoint is said to be silent; endpoints that are none of the API's business are not looked at.
func TestEntrancesThatCannotBe(t *testing.T) {
	e := newTestEntrances(t)
	end := func(id, service string, state network.EndpointState) network.Endpoint {
		return network.Endpoint{
			Head: network.Head{ID: id, Scope: apprunner.Scope{Region: "us-east-1"}}, Service: service, State: state,
			Interfaces: []network.Interface{{Address: netip.MustParseAddr("10.0.0.10")}},
		}
	}
	silent := e.Tend(t.Context(), network.Layout{VPCs: []network.Plan{{VPC: network.VPC{Head: network.Head{ID: "vpc-1"}}, Endpoints: []network.Endpoint{
		end("vpce-api", network.ServiceAPI, network.EndpointPending), end("vpce-requests", network.ServiceRequests, network.EndpointPending),
		end("vpce-leaves", network.ServiceAPI, network.EndpointDeleting),
	}}}})
	if err := silent["vpce-api"]; err == nil || !strings.Contains(err.Error(), "10.0.0.10") || len(silent) != 1 {
		t.Errorf("%v", silent)
	}
	e.Close()
}
