//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestTrafficOfFrozenServices: a service that may be frozen as a whole is asked in all the ways that people ask: one request every now and
// then, just when it freezes, and many at once out of nowhere. Nobody waits for long and nobody is turned away.
//
// checklist: 104, 106
func TestTrafficOfFrozenServices(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "trickle", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		limits(t, h, "three", 5, 3, 3), tagged("slipway:min-active", "0"))
	ids := s.Instances(t, "active")
	s.AwaitFrozen(t, 3)
	for range 3 { // out of nowhere
		s.Load(rig.Pressure{Path: "/slow?ms=50", Rate: 400, Count: 60}).Wait().Unharmed(t)
		s.AwaitFrozen(t, 3)
	}
	// An instance is frozen a second after its last request: these come around that moment.
	for pause := 900 * time.Millisecond; pause <= 1200*time.Millisecond; pause += 25 * time.Millisecond {
		s.Says(t, "/", "hello v1")
		time.Sleep(pause)
	}
	s.AwaitFrozen(t, 3)

	// A WebSocket keeps its instance awake, the others not.
	c, _ := s.Socket(t, "/long/socket")
	who := says(t, c, "who")
	s.AwaitFrozen(t, 2)
	time.Sleep(3 * time.Second)
	if again := says(t, c, "who"); again != who {
		t.Errorf("the WebSocket went from %q to %q", who, again)
	}
	s.AwaitFrozen(t, 2)
	if err := c.CloseNow(); err != nil {
		t.Error(err)
	}
	s.AwaitFrozen(t, 3)
	if now := s.Instances(t, "active"); !slices.Equal(now, ids) {
		t.Errorf("instances %v became %v", ids, now)
	}

	// One that is killed while it is frozen is replaced, or answers for by another.
	kill(t, h, ids[0])
	s.Load(rig.Pressure{Path: "/slow?ms=50", Rate: 200, Count: 40}).Wait().Unharmed(t)
	h.NoOrphans(t)
}

// TestAroundZero: requests come at the very moment at which the last instance goes, and many at once while there is none. One instance
// is started for them, or as many as they need.
//
// checklist: 104
func TestAroundZero(t *testing.T) {
	t.Parallel()
	h := quick(t)
	s := h.Create(t, "comes-and-goes", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		limits(t, h, "some", 5, 1, 4), tagged("slipway:scale-to-zero", "on"))
	for pause := 1600 * time.Millisecond; pause <= 3*time.Second; pause += 200 * time.Millisecond {
		s.Says(t, "/", "hello v1")
		time.Sleep(pause)
	}
	s.Gone(t)
	s.Load(rig.Pressure{Path: "/slow?ms=200", Rate: 400, Count: 40}).Wait().Unharmed(t)
	if n := len(s.Instances(t, "active")); n < 2 || n > 4 {
		t.Errorf("%d instances for 40 requests at a time, of 5 each", n)
	}
	s.Gone(t)

	// A WebSocket is a request in flight: nothing goes while it is open.
	c, _ := s.Socket(t, "/long/socket")
	who := says(t, c, "who")
	time.Sleep(4 * time.Second)
	if again := says(t, c, "who"); again != who {
		t.Errorf("the WebSocket went from %q to %q", who, again)
	}
	if err := c.CloseNow(); err != nil {
		t.Error(err)
	}
	s.Gone(t)
	h.NoOrphans(t)
}
