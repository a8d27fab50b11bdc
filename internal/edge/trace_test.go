package edge

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTraceIDs(t *testing.T) {
	allFronts(t, func(*Config) {}, func(t *testing.T, h *house, c *http.Client) {
		seen := make(chan http.Header, 1)
		s := app(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
		ask := func(name, value string) http.Header {
			req, _ := http.NewRequest("GET", "https://"+appHost+"/", nil)
			if name != "" {
				req.Header.Set(name, value)
			}
			resp, err := c.Do(req)
			check(t, err)
			read(t, resp)
			return <-seen
		}
		h.publish(nil, target("i1", s, Active))
		if got := ask("", ""); got["X-Amzn-Trace-Id"] != nil || got["Traceparent"] != nil {
			t.Errorf("made without being asked: %v", got)
		}
		h.publish(func(r *Route) { r.Trace = true }, target("i1", s, Active))
		got, again := ask("", ""), ask("", "")
		xray := regexp.MustCompile(`^Root=1-([0-9a-f]{8})-([0-9a-f]{24})$`).FindStringSubmatch(got.Get("X-Amzn-Trace-Id"))
		w3c := regexp.MustCompile(`^00-([0-9a-f]{32})-[0-9a-f]{16}-01$`).FindStringSubmatch(got.Get("Traceparent"))
		if xray == nil || w3c == nil || xray[1]+xray[2] != w3c[1] {
			t.Errorf("made %q and %q", got.Get("X-Amzn-Trace-Id"), got.Get("Traceparent"))
		}
		if got.Get("Traceparent") == again.Get("Traceparent") {
			t.Error("two requests have one id")
		}
		if got := ask("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793"); got.Get("Traceparent") != "" || !strings.HasSuffix(got.Get("X-Amzn-Trace-Id"), "2793") {
			t.Errorf("passed as %v", got)
		}
		if got := ask("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"); got.Get("X-Amzn-Trace-Id") != "" || !strings.HasSuffix(got.Get("Traceparent"), "3331-00") {
			t.Errorf("passed as %v", got)
		}
	})
}

func TestTraceIDHoldsItsTime(t *testing.T) {
	if got := string(appendTrace(nil, time.Unix(0x5759e988, 0))); !strings.HasPrefix(got, "X-Amzn-Trace-Id: Root=1-5759e988-") {
		t.Errorf("got %q", got)
	}
}
