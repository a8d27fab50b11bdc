package console

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// The Services page lists the account's services, finds them, and leads to dashboards and applications.
//
// checklist: 59, 60
func TestServicesAreListed(t *testing.T) {
	h := theHouse(t)
	s := h.Create(t, "listed", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "services", user(t, h, "bea", mayAll), map[string]any{"service": "listed", "host": s.Host(), "arn": s.ARN(), "port": port(h)})
}

// The dashboard of a service shows what it is, deploys, pauses, resumes and deletes it, and follows what happens.
//
// checklist: 61, 83, 136, 142
func TestAServiceIsLookedAfter(t *testing.T) {
	h := theHouse(t)
	s := h.Create(t, "watched", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "dashboard", user(t, h, "cem", mayAll), map[string]any{"service": "watched", "arn": s.ARN(), "host": s.Host(), "port": port(h)})
}

// port is where applications of the house answer HTTPS.
func port(h *rig.House) string {
	_, p, _ := strings.Cut(h.Env["SLIPWAY_HTTPS"], ":")
	return p
}
