package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority is a CA made for one test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{t, cert, key, pool}
}

func (a *authority) issue(hosts ...string) Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(a.t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	check(a.t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	check(a.t, err)
	return Certificate{
		Hosts:   hosts,
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	appHost = "abc.us-east-1.apprunner.test"
	appARN  = "arn:aws:apprunner:us-east-1:123456789012:service/app/0123"
)

// house is an edge with everything around it.
type house struct {
	t       testing.TB
	ca      *authority
	edge    *Server
	client  *Client
	socket  string
	https   net.Listener
	http    net.Listener
	plain   net.Listener
	dir     string
	stop    func() // drains and waits
	version uint64
	cert    Certificate
}

// newHouse starts an edge on ports of its own; adjust may change its configuration.
func newHouse(t testing.TB, adjust func(*Config)) *house {
	t.Helper()
	h := &house{t: t, ca: newAuthority(t), dir: t.TempDir(), https: listen(t), http: listen(t), plain: listen(t)}
	h.cert = h.ca.issue("*.us-east-1.apprunner.test")
	h.socket = filepath.Join(h.dir, "edge.sock")
	h.edge, h.stop = h.start(h.https, h.http, h.plain, adjust)
	t.Cleanup(h.stop)
	return h
}

// start runs an edge on the listeners given.
func (h *house) start(https, plainHTTP, plain net.Listener, adjust func(*Config)) (*Server, func()) {
	h.t.Helper()
	control, err := ListenControl(h.socket)
	check(h.t, err)
	cfg := Config{HTTPS: https, HTTP: plainHTTP, Plain: plain, Control: control, StateDir: h.dir, Limits: Limits{
		Drain: 5 * time.Second, DrainIdle: 100 * time.Millisecond, Tick: 10 * time.Millisecond,
	}}
	if adjust != nil {
		adjust(&cfg)
	}
	s, err := New(cfg)
	check(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	h.client = NewClient(h.socket)
	return s, func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				h.t.Errorf("Run: %v", err)
			}
			done <- nil
		case <-time.After(20 * time.Second):
			h.t.Error("edge did not drain")
		}
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	return l
}

// publish routes appHost to the targets and waits until every active one is judged.
func (h *house) publish(adjust func(*Route), targets ...Target) {
	h.t.Helper()
	route := Route{
		ServiceARN: appARN, ServiceName: "app", Hosts: []string{appHost}, Targets: targets,
		Health: HealthCheck{Interval: 50 * time.Millisecond, Timeout: time.Second, UnhealthyThreshold: 2},
	}
	if adjust != nil {
		adjust(&route)
	}
	h.version++
	check(h.t, h.client.Publish(context.Background(), Table{Version: h.version, Routes: []Route{route}, Certificates: []Certificate{h.cert}}))
	for _, t := range targets {
		if t.Phase == Active {
			h.await(t.InstanceID, Healthy)
		}
	}
}

// await waits on the status until the target's health is as wanted.
func (h *house) await(instance string, want Health) TargetStatus {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	st, err := h.client.Status(ctx)
	for err == nil && st.Targets[instance].Health != want {
		st, err = h.client.Wait(ctx, st.Version)
	}
	if err != nil {
		h.t.Fatalf("%s never became %s: %v (%+v)", instance, want, err, st.Targets[instance])
	}
	return st.Targets[instance]
}

// browser is an HTTPS client of the edge that finds every name there.
func (h *house) browser(http2 bool) *http.Client {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, h.https.Addr().String())
		},
		TLSClientConfig: &tls.Config{RootCAs: h.ca.pool}, ForceAttemptHTTP2: http2, MaxIdleConnsPerHost: 100,
	}
	h.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// both runs f over HTTP/1.1 and HTTP/2.
func both(t *testing.T, h *house, f func(t *testing.T, c *http.Client)) {
	t.Run("http1", func(t *testing.T) { f(t, h.browser(false)) })
	t.Run("http2", func(t *testing.T) { f(t, h.browser(true)) })
}

// app starts a backend.
func app(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

func target(id string, s *httptest.Server, phase Phase) Target {
	return Target{InstanceID: id, Address: s.Listener.Addr().String(), Phase: phase}
}

// get requests a path of appHost and returns the answer with its body read.
func get(t testing.TB, c *http.Client, path string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get("https://" + appHost + path)
	check(t, err)
	return resp, read(t, resp)
}

func read(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(t, err)
	return string(b)
}

// checklist: 52, 53
func TestRequestReachesTheApplication(t *testing.T) {
	h := newHouse(t, nil)
	var got atomic.Pointer[http.Request]
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Clone(context.Background()))
		w.Header().Set("Connection", "X-Secret")
		w.Header().Set("X-Secret", "1")
		w.Header().Set("X-Open", "2")
		w.WriteHeader(201)
		io.WriteString(w, "hello")
	})
	h.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		req, _ := http.NewRequest("GET", "https://"+appHost+"/a%2Fb/../c?x=1;y=%zz&&", nil)
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		req.Header.Set("X-Forwarded-Proto", "http")
		req.Header.Set("X-Request-Id", "mine-1")
		req.Header.Set("Keep-Alive", "300")
		req.Header.Set("Te", "trailers")
		req.Header.Set("Proxy-Authorization", "secret")
		req.Header["User-Agent"] = []string{""}
		resp, err := c.Do(req)
		check(t, err)
		if body := read(t, resp); resp.StatusCode != 201 || body != "hello" {
			t.Fatalf("got %d %q", resp.StatusCode, body)
		}
		if resp.Header.Get("X-Secret") != "" || resp.Header.Get("X-Open") != "2" {
			t.Errorf("answer headers %v", resp.Header)
		}
		r := got.Load()
		if r.Host != appHost || r.RequestURI != "/a%2Fb/../c?x=1;y=%zz&&" {
			t.Errorf("application saw %s %s", r.Host, r.RequestURI)
		}
		for name, want := range map[string]string{
			"X-Forwarded-For": "203.0.113.9, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Request-Id": "mine-1",
			"Keep-Alive": "", "Proxy-Authorization": "", "Upgrade": "", "User-Agent": "",
		} {
			if v := strings.Join(r.Header.Values(name), "|"); v != want {
				t.Errorf("application saw %s: %q, want %q", name, v, want)
			}
		}
	})
}

func TestFrontDoorAnswersItself(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/break" {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/big" {
			w.Header().Set("X-Big", strings.Repeat("x", 300<<10))
		}
	})
	gone := listen(t)
	gone.Close()
	cases := []struct {
		name   string
		adjust func(*Route)
		target []Target
		host   string
		path   string
		status int
		cause  string
	}{
		{"unknown host", nil, nil, "nobody.us-east-1.apprunner.test", "/", 404, "no service answers"},
		{"paused", func(r *Route) { r.Serving = ServingPaused }, []Target{target("i1", s, Active)}, appHost, "/", 503, "service is paused"},
		{"no running version", func(r *Route) { r.Serving = ServingNone }, nil, appHost, "/", 503, "no running version"},
		{"only standby targets", nil, []Target{target("i1", s, Standby)}, appHost, "/", 503, "no healthy instance"},
		{"instance breaks the connection", nil, []Target{target("i1", s, Active)}, appHost, "/break", 502, "closed the connection"},
		{"instance answers with a huge head", nil, []Target{target("i1", s, Active)}, appHost, "/big", 502, "the head of the instance's answer is too large"},
	}
	for _, c := range cases {
		h.publish(c.adjust, c.target...)
		both(t, h, func(t *testing.T, client *http.Client) {
			req, _ := http.NewRequest("POST", "https://"+c.host+c.path, nil)
			resp, err := client.Do(req)
			check(t, err)
			if body := read(t, resp); resp.StatusCode != c.status || !strings.Contains(body, c.cause) {
				t.Errorf("%s: got %d %q, want %d %q", c.name, resp.StatusCode, body, c.status, c.cause)
			}
			req.Header.Set("Accept", "application/json")
			resp, err = client.Do(req)
			check(t, err)
			if body := read(t, resp); !strings.HasPrefix(body, `{"code":"`) || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: not JSON: %q", c.name, body)
			}
		})
	}
}

func TestPlainHTTPRedirects(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.HTTPSPort = 8443 })
	h.publish(nil)
	do := func(method, host, path string) *http.Response {
		req, _ := http.NewRequest(method, "http://"+h.http.Addr().String()+path, nil)
		req.Host = host
		resp, err := h.browser(false).Transport.(*http.Transport).Clone(), error(nil)
		resp.DialContext = nil
		out, err := resp.RoundTrip(req)
		check(t, err)
		read(t, out)
		resp.CloseIdleConnections()
		return out
	}
	for _, c := range []struct {
		method, host, path string
		status             int
		location           string
	}{
		{"GET", appHost, "/a?b=c%20d", 301, "https://" + appHost + ":8443/a?b=c%20d"},
		{"HEAD", appHost + ":8080", "//x/", 301, "https://" + appHost + ":8443//x/"},
		{"POST", appHost, "/", 308, "https://" + appHost + ":8443/"},
		{"GET", "nobody.test", "/", 404, ""},
	} {
		resp := do(c.method, c.host, c.path)
		if resp.StatusCode != c.status || resp.Header.Get("Location") != c.location {
			t.Errorf("%s %s%s: %d %q", c.method, c.host, c.path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}
