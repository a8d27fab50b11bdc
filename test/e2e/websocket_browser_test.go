package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestWebSocketsOfABrowser: Chromium opens its WebSockets over the HTTP/2 connection that the page came on, several at a time, and they
// are closed cleanly by the application; the access log tells of them.
//
// checklist: 53
func TestWebSocketsOfABrowser(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	const browser = "/usr/bin/chromium"
	packages, err := filepath.Abs("../../console/package.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, needed := range []string{browser, filepath.Join(filepath.Dir(packages), "node_modules", "playwright-core")} {
		if _, err := os.Stat(needed); err != nil {
			t.Skip("Chromium and the console's packages are needed: deploy/browser.sh and make build install them")
		}
	}
	s := h.Create(t, "browsed", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, tagged("slipway:access-log", "json"))
	story, err := json.Marshal(map[string]string{"chromium": browser, "packages": packages, "host": s.Host(), "address": h.Env["SLIPWAY_HTTPS"]})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // without a connection, as when it was just dropped, a browser opens one of HTTP/1.1 for a WebSocket
		browse(t, string(story))
		for range 20 {
			if loggedSockets(t, s) >= 3 {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	t.Errorf("the access log tells of %d WebSockets over HTTP/2, want 3", loggedSockets(t, s))
}

// browse has a browser play the story of the WebSockets.
func browse(t *testing.T, story string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "testdata/socket_story.mjs")
	cmd.Env = append(os.Environ(), "STORY="+story)
	out, err := cmd.CombinedOutput()
	const one = "chat large small 4321 as you wish true\n"
	if err != nil || string(out) != one+one+one+"refused\n" {
		t.Fatalf("%v\n%s", err, out)
	}
}

// loggedSockets counts the WebSockets over HTTP/2 in the access log.
func loggedSockets(t *testing.T, s rig.Service) (n int) {
	t.Helper()
	lines, err := s.Stream("application", "access")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if strings.Contains(l, `"path":"/long/socket","status":101,`) && strings.Contains(l, `"protocol":"HTTP/2.0"`) {
			n++
		}
	}
	return n
}
