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
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "listed", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "services", user(t, h, "bea", mayAll), map[string]any{"service": "listed", "host": s.Host(), "arn": s.ARN(), "port": port(h)})
}

// The dashboard of a service shows what it is, deploys, pauses, resumes and deletes it, and follows what happens.
//
// checklist: 61, 83, 136, 142
func TestAServiceIsLookedAfter(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	// It takes its time to start and to stop, so that what is in progress can be seen.
	slow := map[string]string{"START_DELAY": "4s", "STOP_DELAY": "4s"}
	s := h.Create(t, "watched", rig.ImageSource("app", "v1", slow), types.ServiceStatusRunning, rig.Small)
	play(t, h, "dashboard", user(t, h, "cem", mayAll), map[string]any{"service": "watched", "arn": s.ARN(), "host": s.Host(), "port": port(h)})
}

// port is where applications of the house answer HTTPS.
func port(h *rig.House) string {
	_, p, _ := strings.Cut(h.Env["SLIPWAY_HTTPS"], ":")
	return p
}

// The logs of a service are shown, filtered and downloaded, single streams and all as one; operations lead to their logs.
//
// checklist: 145, 152, 153
func TestLogsAreRead(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "telling", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	s.Says(t, "/print?text=printed+by+one", "")
	one := instance(t, s)
	operation := s.Deploy(t)
	s.Says(t, "/print?text=printed+by+two", "")
	s.Printed(t, "printed by two")
	play(t, h, "logs", user(t, h, "pia", mayAll), map[string]any{"service": "telling", "arn": s.ARN(), "operation": operation, "instance": one})
}

// instance is the only instance that has printed anything.
func instance(t *testing.T, s rig.Service) string {
	t.Helper()
	s.Printed(t, "printed by one")
	all, err := s.Application()
	ok(t, err)
	for stream, lines := range all {
		if len(lines) > 0 {
			return strings.TrimPrefix(stream, "instance/")
		}
	}
	t.Fatalf("no instance has printed: %v", all)
	return ""
}

// Who may only look is told why a deployment is refused.
func TestARefusalIsShown(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "shown", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "readonly", user(t, h, "rio", mayRead), map[string]any{"arn": s.ARN()})
}

// Everything can be reached and done without a mouse.
func TestTheKeyboardIsEnough(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	h.Create(t, "typed", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	play(t, h, "keyboard", user(t, h, "sam", mayAll), map[string]any{"service": "typed"})
}
