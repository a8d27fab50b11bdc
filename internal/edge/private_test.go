package edge

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

// The parts of the tests of private listeners.
const (
	endpointA = "vpce-0000000000000000a"
	endpointB = "vpce-0000000000000000b"
	otherHost = "other.us-east-1.apprunner.test"
)

var (
	addressA = netip.MustParseAddr("127.0.0.10")
	addressB = netip.MustParseAddr("127.0.0.11")
)

// namespace makes a network namespace with nothing but its loopback, as long as the test lives.
func namespace(t *testing.T, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	check(t, os.WriteFile(path, nil, 0o600))
	check(t, hostnet.OnOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_migrate_req", []byte("1"), 0); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			return err
		}
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	}))
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) }) // the test may have done it
}

// visitor is a client inside a namespace that finds every name at an address.
func visitorIn(t *testing.T, h *house, ns string, to netip.Addr, http2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (conn net.Conn, err error) {
			_, port, _ := net.SplitHostPort(addr)
			err = hostnet.Inside(ns, func() error {
				conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(to.String(), port))
				return err
			})
			return conn, err
		},
		TLSClientConfig: &tls.Config{RootCAs: h.ca.pool}, ForceAttemptHTTP2: http2, DisableKeepAlives: true,
	}
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// privateTable joins the app to one endpoint and another service, without instances, to a second one.
func (h *house) privateTable(ns, app string) Table {
	h.version++
	return Table{
		Version: h.version, Certificates: []Certificate{h.cert},
		Routes: []Route{
			{ServiceARN: appARN, Hosts: []string{appHost}, Endpoint: endpointA, Targets: []Target{{InstanceID: "i1", Address: app, Phase: Active}}},
			{ServiceARN: appARN + "2", Hosts: []string{otherHost}, Endpoint: endpointB},
		},
		Private: []PrivateListener{
			{EndpointID: endpointA, Namespace: ns, Address: addressA}, {EndpointID: endpointB, Namespace: ns, Address: addressB},
		},
	}
}

// eventually asks until the app answers.
func eventually(t *testing.T, c *http.Client) {
	t.Helper()
	var last error
	for range 100 {
		resp, err := c.Get("https://" + appHost + "/")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the private service never answered:", last)
}

// checklist: 216, 219, 233
func TestPrivateServices(t *testing.T) {
	h, _ := http3House(t, nil)
	ns := filepath.Join(h.dir, "vpc")
	namespace(t, ns)
	backend := app(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Host+" "+r.Header.Get("X-Forwarded-For"))
	})
	check(t, h.client.Publish(t.Context(), h.privateTable(ns, backend.Listener.Addr().String())))
	h.await("i1", Healthy)
	eventually(t, visitorIn(t, h, ns, addressA, false))

	for _, http2 := range []bool{false, true} {
		inside := visitorIn(t, h, ns, addressA, http2)
		resp, body := get(t, inside, "/")
		if resp.StatusCode != 200 || !strings.HasPrefix(body, appHost+" 127.0.0.") || (resp.ProtoMajor == 2) != http2 {
			t.Errorf("inside: %s %s %q", resp.Proto, resp.Status, body)
		}
		if alt := resp.Header["Alt-Svc"]; alt != nil {
			t.Errorf("inside, where nobody listens for it, HTTP/3 is announced: %v", alt)
		}
		// Host of another service, with the server name of the one that is joined.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+appHost+"/", nil)
		check(t, err)
		req.Host = otherHost
		if resp, err = inside.Do(req); err != nil || resp.StatusCode != 404 {
			t.Errorf("the Host of a service of another endpoint: %v %v", resp, err)
		}
		if resp != nil {
			resp.Body.Close()
		}
		// Server names that are not joined there.
		for _, name := range []string{otherHost, endpointA + "-abc.requests.apprunner.us-east-1.vpce.amazonaws.com", addressA.String()} {
			if resp, err := inside.Get("https://" + name + "/"); err == nil || !strings.Contains(err.Error(), "tls: internal error") {
				t.Errorf("server name %s: %v %v", name, resp, err)
			}
		}
		if resp, err := h.browser(http2).Get("https://" + appHost + "/"); err != nil || resp.StatusCode != 404 {
			t.Errorf("from outside: %v %v", resp, err)
		}
		if resp, err := visitorIn(t, h, ns, addressB, http2).Get("https://" + appHost + "/"); err == nil {
			t.Errorf("at another endpoint: %v", resp.Status)
		}
	}
	resp, err := visitorIn(t, h, ns, addressA, false).Get("http://" + appHost + "/a?b")
	check(t, err)
	defer resp.Body.Close()
	if got := resp.Header.Get("Location"); got != "https://"+appHost+"/a?b" {
		t.Errorf("plain HTTP leads to %q", got)
	}
}

func TestPrivateListenersComeBack(t *testing.T) {
	h := newHouse(t, nil)
	ns := filepath.Join(h.dir, "vpc")
	backend := app(t, func(http.ResponseWriter, *http.Request) {})
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	check(t, h.client.Publish(t.Context(), h.privateTable(ns, backend.Listener.Addr().String()))) // before there is a namespace
	namespace(t, ns)
	inside := visitorIn(t, h, ns, addressA, false)
	eventually(t, inside)

	check(t, unix.Unmount(ns, unix.MNT_DETACH)) // as after the machine has started anew
	namespace(t, ns)
	eventually(t, inside)

	h.stop()
	_, stop := h.start(listen(t), listen(t), listen(t), nil) // from the table on disk
	defer stop()
	eventually(t, inside)
}

// TestPrivateHandover: clients inside a VPC do not notice that one edge takes over from another.
func TestPrivateHandover(t *testing.T) {
	h := newHouse(t, nil)
	ns := filepath.Join(h.dir, "vpc")
	namespace(t, ns)
	backend := app(t, func(http.ResponseWriter, *http.Request) {})
	check(t, h.client.Publish(t.Context(), h.privateTable(ns, backend.Listener.Addr().String())))
	h.await("i1", Healthy)
	inside := visitorIn(t, h, ns, addressA, false)
	eventually(t, inside)

	var failed, fine atomic.Int64
	var asking sync.WaitGroup
	enough := make(chan struct{})
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				resp, err := inside.Get("https://" + appHost + "/")
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("during the hand-over: %v %v", resp, err)
					failed.Add(1)
				} else {
					resp.Body.Close()
					fine.Add(1)
				}
			}
		})
	}
	some := func() {
		for was := fine.Load() + failed.Load(); fine.Load()+failed.Load() < was+50; {
			time.Sleep(time.Millisecond)
		}
	}
	some()
	_, control, _ := h.follower(t)
	some()
	check(t, control.Accept(t.Context()))
	some()
	h.stop()
	some()
	close(enough)
	asking.Wait()
}

func TestPrivateListenersAreChecked(t *testing.T) {
	h := newHouse(t, nil)
	good := PrivateListener{EndpointID: endpointA, Namespace: "/run/vpc", Address: addressA}
	for fault, list := range map[string][]PrivateListener{
		"has no EndpointID":        {{Namespace: good.Namespace, Address: addressA}},
		"is not an absolute path":  {{EndpointID: endpointA, Namespace: "vpc", Address: addressA}},
		"not that of an interface": {{EndpointID: endpointA, Namespace: good.Namespace}},
		"is named twice":           {good, {EndpointID: endpointB, Namespace: good.Namespace, Address: addressA}},
	} {
		if err := h.client.Publish(t.Context(), Table{Version: 1, Private: list}); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", fault, err)
		}
	}
}
