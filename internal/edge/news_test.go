package edge

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestNews: who knows a status gets only what changed, and then knows what the whole status says.
func TestNews(t *testing.T) {
	h := newHouse(t, nil)
	good := named(t, "good", nil)
	var routes []Route
	for n := range 3 {
		routes = append(routes, Route{
			ServiceARN: fmt.Sprint(appARN, n), Hosts: []string{fmt.Sprint("s", n, ".us-east-1.apprunner.test")},
			Health:  HealthCheck{Interval: time.Hour, Timeout: time.Second},
			Targets: []Target{{InstanceID: fmt.Sprint("i", n), Address: good.Listener.Addr().String(), Phase: Active}},
		})
	}
	h.version++
	check(t, h.client.Publish(t.Context(), Table{Version: h.version, Routes: routes, Certificates: []Certificate{h.cert}}))
	for n := range routes {
		h.await(fmt.Sprint("i", n), Healthy)
	}
	known, err := h.client.Status(t.Context())
	check(t, err)
	good.Close()
	resp, err := h.browser(false).Get("https://" + routes[1].Hosts[0] + "/")
	check(t, err)
	read(t, resp)
	if resp.StatusCode != http.StatusBadGateway {
		t.Fatalf("status %d", resp.StatusCode)
	}
	part, ok := h.edge.news(known.Version)
	if !ok || len(part.Services) != 1 || len(part.Targets) != 1 || !part.Targets["i1"].Suspicious {
		t.Errorf("the news of one service: %v %+v", ok, part)
	}
	now, err := h.client.News(t.Context(), known)
	check(t, err)
	if len(now.Services) != 3 || len(now.Targets) != 3 || !now.Targets["i1"].Suspicious || now.Partial || now.Services[appARN+"1"].Status5xx != 1 {
		t.Errorf("with the news: %+v", now)
	}
	check(t, h.client.Publish(t.Context(), Table{Version: h.version + 1, Routes: routes[:1], Certificates: []Certificate{h.cert}}))
	if now, err = h.client.News(t.Context(), now); err != nil || len(now.Services) != 1 || now.TableVersion != h.version+1 {
		t.Errorf("after another table: %v %+v", err, now)
	}
}
