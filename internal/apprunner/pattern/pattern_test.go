package pattern_test

import (
	"slices"
	"sync"
	"testing"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

var release = pattern.Of(`^v([0-9]+)\.([0-9]+)$`)

func TestPattern(t *testing.T) {
	var g sync.WaitGroup
	for range 4 {
		g.Go(func() {
			if !release.MatchString("v1.22") || release.MatchString("1.22") {
				t.Error("v1.22 is a release, 1.22 is none")
			}
			if m := release.FindStringSubmatch("v1.22"); !slices.Equal(m, []string{"v1.22", "1", "22"}) {
				t.Errorf("%q", m)
			}
		})
	}
	g.Wait()
}
