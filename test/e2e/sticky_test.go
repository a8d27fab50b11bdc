package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// visitor is a browser: it keeps cookies, and remembers which instance it saw last.
type visitor struct {
	service rig.Service
	client  *http.Client
	home    string
}

func visitors(t *testing.T, s rig.Service, n int) []*visitor {
	t.Helper()
	var list []*visitor
	for range n {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := s.House.Client()
		c.Jar = jar
		v := &visitor{service: s, client: c}
		v.home = v.asks(t)
		list = append(list, v)
	}
	return list
}

// asks returns who answered.
func (v *visitor) asks(t *testing.T) string {
	t.Helper()
	res, err := v.client.Get("https://" + v.service.Host() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("a visitor is answered %s %q, %v", res.Status, body, err)
	}
	return string(body)
}

// moved asks all visitors twice: those that have to move do so once, the others stay.
func moved(t *testing.T, list []*visitor, why string, has func(*visitor) bool) {
	t.Helper()
	for n, v := range list {
		at := v.asks(t)
		if (at != v.home) != has(v) {
			t.Errorf("%s: visitor %d was at %q and is at %q", why, n, v.home, at)
		}
		if again := v.asks(t); again != at {
			t.Errorf("%s: visitor %d went from %q on to %q", why, n, at, again)
		}
		v.home = at
	}
}

// homes counts visitors by instance.
func homes(list []*visitor) map[string]int {
	m := map[string]int{}
	for _, v := range list {
		m[v.home]++
	}
	return m
}

// TestStickySessions: visitors stay at their instance while it can take requests, whatever comes and goes beside it, and move once
// when it is gone: through scaling out and in, the death of an instance, a deployment and another edge.
//
// checklist: 105, 106
func TestStickySessions(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--quiet-time", "12s", "--stop-grace", "5s", "--drain-timeout", "20s")
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "sticky", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		limits(t, h, "sticky", 10, 1, 3), tagged("slipway:sticky", "on"))
	first := visitors(t, s, 6)
	load := s.Load(rig.Pressure{Path: "/slow?ms=500", Rate: 60})
	reaches(t, s, 3, 30*time.Second)
	load.Stop().Unharmed(t)
	moved(t, first, "two more instances", func(*visitor) bool { return false })
	all := append(first, visitors(t, s, 12)...)
	if n := len(homes(all)); n != 3 {
		t.Fatalf("new visitors are spread over %d of three instances: %v", n, homes(all))
	}

	lost := all[len(all)-1]
	if res, err := lost.client.Post("https://"+s.Host()+"/exit?code=3", "text/plain", nil); err != nil || res.StatusCode != http.StatusBadGateway {
		t.Errorf("an instance that ends in a request: %v, %v", res, err)
	}
	gone := lost.home
	moved(t, all, "an instance died", func(v *visitor) bool { return v.home == gone })

	reaches(t, s, 1, time.Minute)
	stays := s.Says(t, "/", "hello")
	moved(t, all, "two instances let go", func(v *visitor) bool { return v.home != stays })

	s.Deploy(t)
	moved(t, all, "a deployment", func(*visitor) bool { return true })
	h.Reborn(t, "edge", h.Kill(t, "edge"))
	for _, v := range all {
		v.client.CloseIdleConnections()
	}
	moved(t, all, "another edge", func(*visitor) bool { return false })

	untagging(t, s, "slipway:sticky")
	awaitNoCookie(t, s)
	h.NoOrphans(t)
}

// awaitNoCookie waits until answers carry no cookie of ours any more.
func awaitNoCookie(t *testing.T, s rig.Service) {
	t.Helper()
	for range 100 {
		if _, header, _ := asked(t, s, "/", "", ""); header.Get("Set-Cookie") == "" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("answers carry the cookie still")
}
