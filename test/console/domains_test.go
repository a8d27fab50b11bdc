package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// A domain with its www name is linked; its records are shown, copied and, by the story's owner of the domain, put into DNS; it becomes
// active, and is unlinked again.
//
// checklist: 127
func TestCustomDomains(t *testing.T) {
	needBrowser(t)
	world := rig.NewDNS(t)
	h := rig.Own(t, "--dns-resolver", world.Addr, "--start-timeout", "25s", "--stop-grace", "5s", "--drain-timeout", "20s")
	world.Delegate("apprunner.localhost", h.Env["SLIPWAY_DNS"])
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "web-site", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	owner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := h.Apps.DescribeCustomDomains(r.Context(), &apprunner.DescribeCustomDomainsInput{ServiceArn: s.ServiceArn})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for _, rec := range out.CustomDomains[0].CertificateValidationRecords {
			world.Set(t, *rec.Name+". 60 CNAME "+*rec.Value)
		}
		fmt.Fprintln(w, *out.DNSTarget)
	}))
	t.Cleanup(owner.Close)
	play(t, h, "domains", user(t, h, "dora", mayAll), map[string]any{"service": s.ARN(), "owner": owner.URL})
	out, err := h.Apps.DescribeCustomDomains(t.Context(), &apprunner.DescribeCustomDomainsInput{ServiceArn: s.ServiceArn})
	ok(t, err)
	if len(out.CustomDomains) != 0 {
		t.Errorf("the story left %+v", out.CustomDomains)
	}
}
