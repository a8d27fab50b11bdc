package edge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// load sends requests from several clients until n were answered, calling at(i) after every i-th answer, and returns what failed.
func load(h *house, n int, at func(i int)) (failed []string) {
	var mu sync.Mutex
	var count atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		c := h.browser(worker%4 == 3)
		wg.Go(func() {
			for {
				i := int(count.Add(1))
				if i > n {
					return
				}
				method, body := "GET", io.Reader(nil)
				if i%5 == 0 {
					method, body = "POST", strings.NewReader("payload")
				}
				req, _ := http.NewRequest(method, "https://"+appHost+"/", body)
				resp, err := c.Do(req)
				var text []byte
				if err == nil {
					text, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if err != nil || resp.StatusCode != 200 {
					mu.Lock()
					failed = append(failed, fmt.Sprint(i, " ", method, " ", err, " ", string(text)))
					mu.Unlock()
				}
				at(i)
			}
		})
	}
	wg.Wait()
	return failed
}

func report(t *testing.T, failed []string) {
	t.Helper()
	if len(failed) > 0 {
		t.Errorf("%d requests failed, among them %s", len(failed), failed[:min(3, len(failed))])
	}
}

func TestBlueGreenSwitchesWithoutAFailedRequest(t *testing.T) {
	h := newHouse(t, nil)
	generation := func(g int) []Target {
		var out []Target
		for i := range 2 {
			name := fmt.Sprintf("g%d-%d", g, i)
			s := app(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				io.WriteString(w, name)
			})
			out = append(out, target(name, s, Standby))
		}
		return out
	}
	phase := func(ts []Target, p Phase) []Target {
		out := append([]Target(nil), ts...)
		for i := range out {
			out[i].Phase = p
		}
		return out
	}
	blue := generation(0)
	h.publish(nil, phase(blue, Active)...)
	var switching sync.Mutex
	failed := load(h, 10000, func(i int) {
		if i%2500 != 0 || i == 10000 {
			return
		}
		switching.Lock()
		defer switching.Unlock()
		green := generation(i)
		h.publish(nil, append(phase(blue, Active), green...)...)
		for _, g := range green {
			h.await(g.InstanceID, Healthy)
		}
		h.publish(nil, append(phase(blue, Draining), phase(green, Active)...)...)
		h.publish(nil, phase(green, Active)...)
		blue = green
	})
	report(t, failed)
	awaitCounters(t, h, func(c Counters) bool { return c.Requests >= 10000 })
	st := h.edge.Status()
	if c := st.Services[appARN]; c.Requests != 10000 || c.Status2xx != 10000 {
		t.Errorf("counters %+v", c)
	}
	awaitIdle(t, h)
	if st = h.edge.Status(); len(st.Targets) != 2 {
		t.Errorf("drained targets are still there: %v", st.Targets)
	}
}

func TestRequestsInFlightFinishOnDrainingTargets(t *testing.T) {
	h := newHouse(t, nil)
	end := make(chan struct{})
	old := app(t, func(w http.ResponseWriter, r *http.Request) { <-end; io.WriteString(w, "old") })
	fresh := app(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "new") })
	h.publish(nil, target("old", old, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		h.publish(nil, target("old", old, Active))
		answer := make(chan string, 1)
		go func() {
			_, body := get(t, c, "/")
			answer <- body
		}()
		awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 1 })
		h.publish(nil, target("old", old, Active), target("new", fresh, Standby))
		h.await("new", Healthy)
		h.publish(nil, target("new", fresh, Active)) // the old one is not even named any more
		if st := h.edge.Status().Targets["old"]; st.InFlight != 1 || st.Phase != Draining {
			t.Errorf("old target %+v", st)
		}
		if _, body := get(t, c, "/"); body != "new" {
			t.Errorf("got %q", body)
		}
		end <- struct{}{}
		if got := <-answer; got != "old" {
			t.Errorf("in flight: got %q", got)
		}
		awaitIdle(t, h)
		if _, there := h.edge.Status().Targets["old"]; there {
			t.Error("finished target is still in the status")
		}
	})
}

// dup returns a second listener on the same socket, as another process would have it.
func dup(t *testing.T, l net.Listener) net.Listener {
	t.Helper()
	f, err := l.(*net.TCPListener).File()
	check(t, err)
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	check(t, err)
	out, err := FileListener(uintptr(fd), "dup")
	check(t, err)
	return out
}

func TestTwoGenerationsOverlapWithoutAFailedRequest(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); io.WriteString(w, "ok") })
	h.publish(nil, target("i1", s, Active))
	first, stopFirst := h.edge, h.stop
	https, plain, plainHTTP := dup(t, h.https), dup(t, h.plain), dup(t, h.http)
	drained := make(chan struct{})
	var once sync.Once
	failed := load(h, 6000, func(i int) {
		if i >= 2000 {
			once.Do(func() {
				second, stopSecond := h.start(https, plainHTTP, plain, nil)
				t.Cleanup(stopSecond)
				h.edge = second
				first.BeginDrain()
				go func() { stopFirst(); close(drained) }()
			})
		}
	})
	report(t, failed)
	<-drained
	if first.Status().Connections != 0 {
		t.Error("the first edge holds connections")
	}
	awaitCounters(t, h, func(c Counters) bool { return c.Requests+first.Status().Services[appARN].Requests >= 6000 })
	served := h.edge.Status().Services[appARN].Requests + first.Status().Services[appARN].Requests
	if n := h.edge.Status().Services[appARN].Requests; n == 0 || served != 6000 {
		t.Errorf("the second edge served %d of %d", n, served)
	}
	st, err := h.client.Status(context.Background())
	check(t, err)
	if st.Draining || !st.StartedAt.Equal(h.edge.started) {
		t.Error("the control socket does not lead to the second edge")
	}
}

func TestRestartServesWithoutControl(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
	h.publish(nil, target("i1", s, Active), target("i2", s, Standby))
	version := h.edge.Status().Version
	https, plain, plainHTTP := dup(t, h.https), dup(t, h.plain), dup(t, h.http)
	h.stop()
	info, err := os.Stat(filepath.Join(h.dir, snapshotName))
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("table on disk has mode %v: it holds private keys", info.Mode())
	}
	// The checks of this edge never end, so it can only believe the table.
	second, stop := h.start(https, plainHTTP, plain, nil)
	t.Cleanup(stop)
	h.edge = second
	if resp, body := get(t, h.browser(false), "/"); resp.StatusCode != 200 || body != "ok" {
		t.Fatalf("got %d %q", resp.StatusCode, body)
	}
	st := second.Status()
	if st.TableVersion != h.version || st.Version == version {
		t.Errorf("status %+v", st)
	}
	// What is saved half or not at all is no reason not to start.
	check(t, os.WriteFile(filepath.Join(h.dir, snapshotName), []byte("{"), 0o600))
	if _, err := New(Config{HTTPS: https, StateDir: h.dir}); err != nil {
		t.Error(err)
	}
}

func TestTrustedTargetsServeBeforeTheFirstCheck(t *testing.T) {
	r := newRouting(t.Context(), newHub(time.Now()), &Limits{}, func(ctx context.Context, _ string, _ HealthCheck) string {
		<-ctx.Done()
		return "never"
	})
	route := Route{ServiceARN: appARN, Hosts: []string{appHost}, Targets: []Target{{InstanceID: "i1", Address: "127.0.0.1:1", Phase: Active}, {InstanceID: "i2", Address: "127.0.0.1:2", Phase: Standby}}}
	check(t, r.apply(Table{Routes: []Route{route}}, true))
	if c := r.lookup(appHost).claim(contextEnd{t.Context()}, ""); c.backend == nil || c.backend.id != "i1" {
		t.Errorf("claim %+v", c)
	}
	if st := r.status(); st.Targets["i2"].Health != Unknown {
		t.Errorf("a standby target has to be proven: %+v", st.Targets["i2"])
	}
}

func TestRejectedTablesChangeNothing(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {})
	h.publish(nil, target("i1", s, Active))
	good := Route{ServiceARN: "a", Hosts: []string{"a.test"}}
	for name, c := range map[string]struct {
		table Table
		says  string
	}{
		"host twice":       {Table{Routes: []Route{good, {ServiceARN: "b", Hosts: []string{"a.test"}}}}, "host a.test belongs to a already"},
		"service twice":    {Table{Routes: []Route{good, good}}, "two routes"},
		"upper-case host":  {Table{Routes: []Route{{ServiceARN: "a", Hosts: []string{"A.test"}}}}, "lower-case"},
		"bad address":      {Table{Routes: []Route{{ServiceARN: "a", Targets: []Target{{InstanceID: "i", Address: "nowhere", Phase: Active}}}}}, "not ip:port"},
		"bad phase":        {Table{Routes: []Route{{ServiceARN: "a", Targets: []Target{{InstanceID: "i", Address: "127.0.0.1:1", Phase: "x"}}}}}, "phase"},
		"bad certificate":  {Table{Certificates: []Certificate{{Hosts: []string{"a.test"}, CertPEM: []byte("x")}}}, "a.test"},
		"unknown protocol": {Table{Routes: []Route{{ServiceARN: "a", Health: HealthCheck{Protocol: "UDP"}}}}, "protocol"},
	} {
		err := h.client.Publish(context.Background(), c.table)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if resp, _ := get(t, h.browser(false), "/"); resp.StatusCode != 200 {
		t.Errorf("after rejected tables: %d", resp.StatusCode)
	}
	if v := h.edge.Status().TableVersion; v != h.version {
		t.Errorf("table version %d", v)
	}
}

func TestCertificateByServerName(t *testing.T) {
	h := newHouse(t, nil)
	table := Table{Routes: []Route{{ServiceARN: appARN, Hosts: []string{appHost, "shop.example.com"}}}, Certificates: []Certificate{
		h.cert, h.ca.issue("shop.example.com"), h.ca.issue("*.example.com"),
	}}
	check(t, h.client.Publish(context.Background(), table))
	for name, want := range map[string]string{
		"shop.example.com": "shop.example.com", "Other.Example.com": "*.example.com", appHost: "*.us-east-1.apprunner.test",
		"deep.er.example.com": "*.us-east-1.apprunner.test", "": "*.us-east-1.apprunner.test",
	} {
		conn, err := tls.Dial("tcp", h.https.Addr().String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		check(t, err)
		if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != want {
			t.Errorf("%q was shown %s, want %s", name, got, want)
		}
		conn.Close()
	}
	if _, err := tls.Dial("tcp", h.https.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestDrainOverTheControlSocket(t *testing.T) {
	h := newHouse(t, nil)
	end := make(chan struct{})
	s := app(t, func(w http.ResponseWriter, r *http.Request) { <-end; io.WriteString(w, "finished") })
	h.publish(nil, target("i1", s, Active))
	idle := dialPlain(t, h) // must not hold the drain up
	check(t, h.client.Ready(context.Background()))
	answers := make(chan string, 2)
	for _, http2 := range []bool{false, true} {
		c := h.browser(http2)
		go func() { _, body := get(t, c, "/"); answers <- body }()
	}
	awaitCounters(t, h, func(c Counters) bool { return c.InFlight == 2 })
	check(t, h.client.Drain(context.Background()))
	<-h.edge.stopAccept
	for h.edge.Status().Connections > 3 { // the listener is closed when only the known ones are left
	}
	if n, err := idle.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("idle connection: %d, %v", n, err)
	}
	close(end)
	for range 2 {
		if got := <-answers; got != "finished" {
			t.Errorf("in flight: got %q", got)
		}
	}
	h.stop()
	if _, err := net.Dial("tcp", h.plain.Addr().String()); err == nil {
		t.Error("still accepting")
	}
}

func TestCounters(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(202)
		io.WriteString(w, "answer")
	})
	h.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		resp, err := c.Post("https://"+appHost+"/x?y", "text/plain", strings.NewReader("four"))
		check(t, err)
		read(t, resp)
	})
	h.publish(func(r *Route) { r.Serving = ServingPaused })
	both(t, h, func(t *testing.T, c *http.Client) { get(t, c, "/paused") })
	awaitCounters(t, h, func(c Counters) bool { return c.Requests >= 4 })
	c := h.edge.Status().Services[appARN]
	sum := uint64(0)
	for _, n := range c.LatencyBuckets {
		sum += n
	}
	if c.Requests != 4 || c.Status2xx != 2 || c.Status5xx != 2 || c.BytesIn != 8 || sum != 4 || c.LatencySum <= 0 {
		t.Errorf("counters %+v", c)
	}
}

func TestTablesSurviveTheWayOverTheSocket(t *testing.T) {
	in := Table{
		Version: 7, Routes: []Route{{
			ServiceARN: "a", Hosts: []string{"h"}, NoUpgrade: true, RequestTimeout: time.Second,
			Health: HealthCheck{Protocol: HTTP, Path: "/x"}, Targets: []Target{{InstanceID: "i", Address: "127.0.0.1:1", Phase: Active}},
		}},
		Certificates: []Certificate{{Hosts: []string{"h"}, CertPEM: []byte("c"), KeyPEM: []byte("k")}},
	}
	data, err := json.Marshal(in)
	check(t, err)
	var out Table
	check(t, json.Unmarshal(data, &out))
	if fmt.Sprint(in) != fmt.Sprint(out) {
		t.Errorf("%v became %v", in, out)
	}
}
