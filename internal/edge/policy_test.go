package edge

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// pair is a user with a password, as the table carries them.
func pair(t testing.TB, user, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	check(t, err)
	return user + ":" + string(hash)
}

// onlyFrom lets the networks in.
func onlyFrom(networks ...string) func(*Route) {
	return func(r *Route) {
		for _, n := range networks {
			r.AllowIPs = append(r.AllowIPs, netip.MustParsePrefix(n))
		}
	}
}

// fetch sends a GET with the credential, unless that is empty.
func fetch(t *testing.T, c *http.Client, credential string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+appHost+"/", nil)
	check(t, err)
	if user, password, ok := strings.Cut(credential, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	check(t, err)
	return resp
}

func TestAddressesOutsideTheListAreRefused(t *testing.T) {
	var asked atomic.Int32
	s := app(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	h := newHouse(t, nil)
	h.publish(onlyFrom("192.0.2.0/24", "2001:db8::/32"), target("i1", s, Active))
	before := asked.Load() // health checks of kind TCP send nothing
	both(t, h, func(t *testing.T, c *http.Client) {
		for _, header := range [][]string{nil, {"X-Forwarded-For", "192.0.2.1"}, {"Connection", "Upgrade", "Upgrade", "websocket"}} {
			if c.Transport.(*http.Transport).ForceAttemptHTTP2 && len(header) == 4 {
				continue
			}
			resp := fetch(t, c, "", header...)
			if body := read(t, resp); resp.StatusCode != 403 || !strings.Contains(body, "from your address") {
				t.Errorf("%v: %d %s", header, resp.StatusCode, body)
			}
		}
	})
	if asked.Load() != before {
		t.Error("a refused request reached the application")
	}
	h.publish(onlyFrom("192.0.2.0/24", "127.0.0.0/8"), target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		if resp := fetch(t, c, ""); resp.StatusCode != 200 {
			t.Errorf("%d from an address of the list", resp.StatusCode)
		}
	})
}

func TestBasicAuthAsksForAPassword(t *testing.T) {
	var seen atomic.Value // the credentials that reached the application
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
				conn.Close()
			}
			return
		}
		seen.Store(r.Header.Get("Authorization"))
	})
	h := newHouse(t, nil)
	users := []string{pair(t, "ann", "right one"), pair(t, "bob", "other:one")}
	h.publish(func(r *Route) { r.BasicAuth = users }, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		for credential, want := range map[string]int{
			"": 401, "ann:right one": 200, "bob:other:one": 200, "ann:other:one": 401, "ann:": 401, ":right one": 401, "eve:right one": 401,
		} {
			resp := fetch(t, c, credential)
			read(t, resp)
			if resp.StatusCode != want || want == 401 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%q: %d %v", credential, resp.StatusCode, resp.Header)
			}
		}
		for _, value := range []string{"Basic", "Basic !!!", "Bearer abc", "Basic " + strings.Repeat("A", 2000)} {
			if resp := fetch(t, c, "", "Authorization", value); resp.StatusCode != 401 {
				t.Errorf("%q: %d", value, resp.StatusCode)
			}
		}
	})
	if got, _ := seen.Load().(string); !strings.HasPrefix(got, "Basic ") {
		t.Errorf("the application saw %q", got)
	}
	for credential, want := range map[string]string{"": "HTTP/1.1 401 ", base64.StdEncoding.EncodeToString([]byte("ann:right one")): "HTTP/1.1 101 "} {
		conn := dialPlain(t, h)
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\n%sConnection: Upgrade\r\nUpgrade: echo\r\nAuthorization: Basic %s\r\n\r\n", ownHost, credential)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Errorf("upgrade with %q: %q, %v", credential, got, err)
		}
	}
}

// A password costs a bcrypt once, also over a new table; a changed table forgets it.
func TestPasswordsAreCheckedOnce(t *testing.T) {
	users := []string{pair(t, "ann", "right one")}
	p := newPolicy(&Route{BasicAuth: users}, nil)
	checks := 0
	p.logins.match = func(hash, password []byte) error { checks++; return bcrypt.CompareHashAndPassword(hash, password) }
	p.logins.match([]byte(users[0][4:]), []byte("right one"))
	checks = 0
	credential := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:right one"))
	from := netip.MustParseAddr("192.0.2.1")
	for range 100 {
		if f := p.logins.admit(from, credential, time.Second); f != nil {
			t.Fatal(f)
		}
		p = newPolicy(&Route{BasicAuth: users}, p)
	}
	if checks != 1 {
		t.Errorf("%d checks", checks)
	}
	changed := newPolicy(&Route{BasicAuth: []string{pair(t, "ann", "new one")}}, p)
	if f := changed.logins.admit(from, credential, time.Second); f != failLogin {
		t.Errorf("the old password after a change: %v", f)
	}
	if newPolicy(&Route{}, p) != nil {
		t.Error("a route without settings has a policy")
	}
}

// Guessing is slowed by network: ten tries, then ten a minute. Who knows a password passes all the same, and others are not bothered.
func TestGuessingIsSlowed(t *testing.T) {
	l := newLogins([]string{pair(t, "ann", "right one")})
	right, wrong := "Basic "+base64.StdEncoding.EncodeToString([]byte("ann:right one")), "Basic "+base64.StdEncoding.EncodeToString([]byte("ann:wrong"))
	guesser, same, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:0:1::1")
	if f := l.admit(same, right, time.Second); f != nil {
		t.Fatal(f)
	}
	for n := range triesBurst {
		if f := l.admit(guesser, wrong, time.Second); f != failLogin {
			t.Fatalf("try %d: %v", n, f)
		}
	}
	for _, c := range []struct {
		from  netip.Addr
		value string
		after time.Duration
		want  *failure
	}{
		{guesser, wrong, 0, failTries},
		{same, wrong, 0, failTries},
		{same, right, 0, nil},
		{other, wrong, 0, failLogin},
		{guesser, "", 0, failLogin},
		{guesser, wrong, triesEvery, failLogin},
		{guesser, wrong, triesEvery, failTries},
		{guesser, wrong, 3 * triesEvery, failLogin},
	} {
		if f := l.admit(c.from, c.value, time.Second+c.after); f != c.want {
			t.Errorf("%s after %v: %v, want %v", c.from, c.after, f, c.want)
		}
	}
	for n := range 2 * maxTried {
		l.failed(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), time.Second)
	}
	if len(l.tries.until) > maxTried {
		t.Errorf("%d networks are remembered", len(l.tries.until))
	}
}

func onlyLoopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// Counters only grow, whatever tables come, and those of a policy are among them.
func TestCountersGrowOverTables(t *testing.T) {
	s := app(t, func(http.ResponseWriter, *http.Request) {})
	h := newHouse(t, nil)
	c := h.browser(false)
	var before Counters
	for n, adjust := range []func(*Route){nil, onlyFrom("192.0.2.0/24"), onlyFrom("127.0.0.0/8"), func(r *Route) { r.Serving = ServingPaused }, nil} {
		targets := []Target{target("i1", s, Active)}
		if n == 2 {
			targets = append(targets, target("i2", s, Active)) // another set of instances
		}
		h.publish(adjust, targets...)
		read(t, fetch(t, c, ""))
		want := uint64(n + 1)
		awaitCounters(t, h, func(now Counters) bool { return now.Requests >= want })
		now := h.edge.Status().Services[appARN]
		if now.Requests != want || now.Status2xx < before.Status2xx || now.Status4xx < before.Status4xx || now.Status5xx < before.Status5xx || now.Refused < before.Refused || now.Busy < before.Busy {
			t.Errorf("table %d: %+v after %+v", n, now, before)
		}
		before = now
	}
	if before.Refused != 1 || before.Status2xx != 3 || before.Status4xx != 1 || before.Status5xx != 1 {
		t.Errorf("%+v", before)
	}
}
