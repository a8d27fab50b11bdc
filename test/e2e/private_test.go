package e2e

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestPrivateService: who asks from outside finds no service that is not publicly accessible, made so or updated to be so; without a word
// about it a service is public.
//
// checklist: 216
func TestPrivateService(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "inside-only", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.NetworkConfiguration = reach(false)
	})
	answers := func(s rig.Service, want int) {
		t.Helper()
		var status int
		var body string
		var err error
		for range 50 { // names follow a little later than the operation's end
			if status, body, err = s.Get("/"); err == nil && status == want {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("https://%s answers %d %q, %v; want %d", s.Host(), status, body, err, want)
	}
	answers(s, 404)
	answers(s.Update(t, &apprunner.UpdateServiceInput{NetworkConfiguration: reach(true)}, types.ServiceStatusRunning), 200)
	answers(s.Update(t, &apprunner.UpdateServiceInput{NetworkConfiguration: reach(false)}, types.ServiceStatusRunning), 404)
	open := h.Create(t, "open-to-all", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	answers(open, 200)
}
