package edge

import (
	"net/http"
	"strings"
	"testing"
)

// TestLargeAnswerHeadIsNamed: whichever way an answer comes, its client is told the same when its head is too large.
func TestLargeAnswerHeadIsNamed(t *testing.T) {
	h := newHouse(t, nil)
	large := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Big", strings.Repeat("x", 300<<10)) }
	ask := func(c *http.Client, upgrade string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, "https://"+appHost+"/", nil)
		check(t, err)
		if upgrade != "" {
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", upgrade)
		}
		resp, err := c.Do(req)
		check(t, err)
		if body := read(t, resp); resp.StatusCode != failBigAnswer.status || !strings.Contains(body, failBigAnswer.cause) {
			t.Errorf("got %d %q", resp.StatusCode, body)
		}
	}
	h.publish(nil, target("h1", app(t, large), Active))
	ask(h.browser(false), "")
	ask(h.browser(false), "websocket") // by way of net/http
	h.publish(func(r *Route) { r.H2C = true }, Target{InstanceID: "h2", Address: h2cApp(t, large), Phase: Active})
	both(t, h, func(_ *testing.T, c *http.Client) { ask(c, "") })
}
