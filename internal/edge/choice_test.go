package edge

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// named is an application that answers its name, with the status it is told.
func named(t testing.TB, name string, status *atomic.Int64) *httptest.Server {
	return app(t, func(w http.ResponseWriter, r *http.Request) {
		if status != nil {
			w.WriteHeader(int(status.Load()))
		}
		fmt.Fprint(w, name)
	})
}

// tally asks n times and counts who answered.
func tally(t *testing.T, c *http.Client, n int) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		_, body := get(t, c, "/")
		got[body]++
	}
	return got
}

// TestCanaryShare: of a hundred requests the new version gets as many as its weight, in both protocols, and all of them when the old one
// is gone, as none when the new one is.
func TestCanaryShare(t *testing.T) {
	h := newHouse(t, nil)
	before, after := target("old", named(t, "old", nil), Active), target("new", named(t, "new", nil), Active)
	after.Canary = true
	weigh := func(r *Route) { r.CanaryWeight = 10 }
	h.publish(weigh, before, after)
	h.await("new", Healthy)
	both(t, h, func(t *testing.T, c *http.Client) {
		if got := tally(t, c, 200); got["new"] != 20 || got["old"] != 180 {
			t.Errorf("of 200 requests: %v; want 20 for the new version", got)
		}
	})
	h.publish(weigh, after)
	if got := tally(t, h.browser(false), 20); got["new"] != 20 {
		t.Errorf("without the old version: %v", got)
	}
	h.publish(weigh, before)
	if got := tally(t, h.browser(false), 20); got["old"] != 20 {
		t.Errorf("without the new version: %v", got)
	}
}

// TestCanaryShareOfAReserve: the weight holds where the old version stands in reserve, and over the requests of clients that stay where
// they are.
func TestCanaryShareOfAReserve(t *testing.T) {
	h, room := cold(t)
	old, after := room.app(t, "old", Reserve), room.app(t, "new", Active)
	after.Canary = true
	weigh := func(r *Route) { r.CanaryWeight, r.Sticky = 10, true }
	h.publish(weigh, old)
	h.becomes("old", isFrozen)
	h.publish(weigh, old, after)
	c := h.browser(true)
	if got := tally(t, c, 100); got["new"] != 10 || got["old"] != 90 {
		t.Errorf("of 100 requests: %v; want 10 for the new version", got)
	}
	jar, err := cookiejar.New(nil)
	check(t, err)
	stays := *c
	stays.Jar = jar
	for body := ""; body != "new"; _, body = get(t, &stays, "/") {
		jar.SetCookies(&url.URL{Scheme: "https", Host: appHost, Path: "/"}, []*http.Cookie{{Name: stickyCookie, Value: "nobody's", Path: "/"}})
	}
	if got := tally(t, &stays, 10); got["new"] != 10 {
		t.Fatalf("the client does not stay: %v", got)
	}
	if got := tally(t, c, 90); got["old"] < 89 {
		t.Errorf("after 10 requests of a client that stays, of 90 others: %v; want none for the new version", got)
	}
}

// TestBadInstanceStandsAside: an instance whose health check succeeds while its answers fail gets no more than a few requests, and its
// share again when it does well. When all of them fail nobody is refused for it.
func TestBadInstanceStandsAside(t *testing.T) {
	h := newHouse(t, nil)
	var first, second atomic.Int64
	first.Store(500)
	second.Store(200)
	h.publish(nil, target("a", named(t, "a", &first), Active), target("b", named(t, "b", &second), Active))
	c := h.browser(false)
	if got := tally(t, c, 100); got["a"] > badInRow+1 {
		t.Errorf("the bad instance got %v", got)
	}
	if st := h.edge.Status().Targets["a"]; st.Bad == 0 || st.AsideUntil.IsZero() || st.Health != Healthy {
		t.Errorf("status %+v", st)
	}
	second.Store(503)
	for range 20 {
		if resp, body := get(t, c, "/"); body != "a" && body != "b" {
			t.Fatalf("with both bad: %d %q; want their own answers", resp.StatusCode, body)
		}
	}
}

// TestSticky: a client stays at its instance, whichever protocol it speaks, WebSocket included; when the instance is gone it gets
// another one and stays there.
func TestSticky(t *testing.T) {
	h := newHouse(t, nil)
	a, b := target("a", named(t, "a", nil), Active), target("b", named(t, "b", nil), Active)
	stick := func(r *Route) { r.Sticky = true }
	h.publish(stick, a, b)
	both(t, h, func(t *testing.T, c *http.Client) {
		resp, body := get(t, c, "/")
		set := resp.Cookies()
		if len(set) != 1 || set[0].Name != stickyCookie || !set[0].Secure || !set[0].HttpOnly || set[0].SameSite != http.SameSiteLaxMode {
			t.Fatalf("cookies %v", set)
		}
		if strings.Contains(set[0].Value, body) {
			t.Errorf("the cookie tells the instance: %v", set[0].Value)
		}
		jar, err := cookiejar.New(nil)
		check(t, err)
		stays := *c
		stays.Jar = jar
		_, home := get(t, &stays, "/")
		if got := tally(t, &stays, 30); got[home] != 30 {
			t.Errorf("at home at %s and answered by %v", home, got)
		}
		if resp, _ := get(t, &stays, "/"); len(resp.Cookies()) != 0 {
			t.Errorf("the cookie is set again: %v", resp.Cookies())
		}
		left := a
		if home == "a" {
			left = b
		}
		h.publish(stick, left)
		if got := tally(t, &stays, 5); got[left.InstanceID] != 5 {
			t.Errorf("after the instance went: %v", got)
		}
		h.publish(stick, a, b)
		h.await("a", Healthy)
		h.await("b", Healthy)
		if got := tally(t, &stays, 30); got[left.InstanceID] != 30 {
			t.Errorf("after the move: %v", got)
		}
	})
	h.publish(nil, a, b)
	if resp, _ := get(t, h.browser(false), "/"); len(resp.Cookies()) != 0 {
		t.Errorf("cookies without the setting: %v", resp.Cookies())
	}
}

func TestStickyUpgrade(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if ws, err := websocket.Accept(w, r, nil); err == nil {
			ws.Close(websocket.StatusNormalClosure, "")
		}
	})
	h.publish(func(r *Route) { r.Sticky = true }, target("a", s, Active))
	conn, resp, err := websocket.Dial(t.Context(), "wss://"+appHost+"/", &websocket.DialOptions{HTTPClient: h.browser(false)})
	check(t, err)
	defer conn.CloseNow()
	if set := resp.Cookies(); len(set) != 1 || set[0].Name != stickyCookie {
		t.Errorf("an upgrade sets %v", set)
	}
}

// TestRetryWaitsForAPlace: requests that a dead instance refuses wait for a place at one that is full, and are not given to the dead one
// because it has places left.
func TestRetryWaitsForAPlace(t *testing.T) {
	h := newHouse(t, nil)
	dead := app(t, func(http.ResponseWriter, *http.Request) {})
	slow := app(t, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(20 * time.Millisecond)
		fmt.Fprint(w, "slow")
	})
	h.publish(func(r *Route) { r.MaxConcurrency, r.Health.Interval = 1, time.Hour }, target("dead", dead, Active), target("slow", slow, Active))
	dead.Close()
	both(t, h, func(t *testing.T, c *http.Client) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				resp, err := c.Post("https://"+appHost+"/", "text/plain", strings.NewReader("!"))
				if err != nil {
					t.Error(err)
					return
				}
				if body := read(t, resp); body != "slow" {
					t.Errorf("got %d %q", resp.StatusCode, body)
				}
			})
		}
		wg.Wait()
	})
}
