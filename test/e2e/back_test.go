package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestBackAfterDown: `up` after `down` is done when requests are served: those to applications that are still being started wait for them.
func TestBackAfterDown(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--stop-grace", "2s")
	h.PushApp(t, "app", "v1", "v1")
	var all []rig.Service
	for n := range 4 {
		all = append(all, h.Create(t, fmt.Sprint("back", n), rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small))
	}
	if err := h.Down(); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	var asked sync.WaitGroup
	for _, s := range all {
		asked.Go(func() {
			if status, body, err := s.Get("/"); err != nil || status != http.StatusOK || !strings.Contains(body, "hello v1") {
				t.Errorf("%s answers %d %q, %v", s.Host(), status, body, err)
			}
		})
	}
	asked.Wait()
}
