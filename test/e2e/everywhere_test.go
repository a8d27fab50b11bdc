package e2e

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/miekg/dns"
	"github.com/vishvananda/netlink"

	"slipway.dev/slipway/test/rig"
)

// TestListeningOnAllAddresses: an installation that listens on all addresses goes on serving its API over TLS when the machine gets
// addresses that it had not at the start, and names no address to the world that only instances see.
//
// checklist: 4
func TestListeningOnAllAddresses(t *testing.T) {
	t.Parallel()
	theHouse(t)
	publish(t, "everywhere/app", "v1", "v1")
	own := rig.Own(t, "--api-addr", "0.0.0.0:0", "--https-addr", "0.0.0.0:0", "--mirrors", "public.ecr.aws="+public.Listener.Addr().String(), "--stop-grace", "5s")
	h := house{own}
	s := h.Create(t, "everywhere", &types.SourceConfiguration{ImageRepository: &types.ImageRepository{
		ImageIdentifier: aws.String("public.ecr.aws/everywhere/app:v1"), ImageRepositoryType: types.ImageRepositoryTypeEcrPublic,
	}}, types.ServiceStatusRunning, rig.Small)
	s.Says(t, "/", "hello v1")
	another(t)
	h.must(t, nil, "apprunner", "describe-service", "--service-arn", s.ARN())

	m := new(dns.Msg)
	m.SetQuestion(s.Host()+".", dns.TypeA)
	answer, _, err := new(dns.Client).Exchange(m, h.Env["SLIPWAY_DNS"])
	if err != nil || len(answer.Answer) == 0 && !onlyLoopback(t) {
		t.Fatal(answer, err)
	}
	pool := netip.MustParsePrefix("10.213.0.0/18")
	for _, r := range answer.Answer {
		if a, ok := r.(*dns.A); ok {
			if ip, _ := netip.AddrFromSlice(a.A.To4()); pool.Contains(ip) {
				t.Errorf("the name of the service leads to %s, which only instances see", ip)
			}
		}
	}
}

// another gives the machine one more address for the time of the test.
func another(t *testing.T) {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := netlink.ParseAddr("198.51.100.77/32")
	if err == nil {
		err = netlink.AddrAdd(lo, addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netlink.AddrDel(lo, addr); err != nil {
			t.Error(err)
		}
	})
}

// onlyLoopback tells whether the machine has no address that others could reach.
func onlyLoopback(t *testing.T) bool {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() && !strings.HasPrefix(p.Addr().String(), "10.213.") && p.Addr().String() != "198.51.100.77" {
			return false
		}
	}
	return true
}
