package console

import (
	"testing"
)

// A user signs in, is told when something is wrong, finds the way around, and signs out.
//
// checklist: 14
func TestAUserSignsIn(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	play(t, h, "signin", user(t, h, "ana", mayAll), nil)
}
