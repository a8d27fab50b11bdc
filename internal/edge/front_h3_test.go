package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/ipv4"
)

// http3House is an edge that serves HTTP/3, and a client of it.
func http3House(t *testing.T, adjust func(*Config)) (*house, *http.Client) {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	h := newHouse(t, func(c *Config) {
		c.HTTP3, c.HTTPSPort = udp, 8443
		if adjust != nil {
			adjust(c)
		}
	})
	return h, http3Client(t, h, udp.LocalAddr().String())
}

func http3Client(t *testing.T, h *house, address string) *http.Client {
	tr := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.ca.pool},
		Dial: func(ctx context.Context, _ string, tc *tls.Config, qc *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, address, tc, qc)
		},
	}
	t.Cleanup(func() { tr.Close() })
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func TestHTTP3(t *testing.T) {
	h, c := http3House(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s %s %s %d", r.Method, r.RequestURI, r.Host, r.Header.Get("X-Forwarded-For"), len(body))
		w.Header().Set("X-Sum", "1")
	})
	h.publish(nil, target("i1", s, Active))
	for _, size := range []int{0, 10, 1 << 20} {
		resp, err := c.Post("https://"+appHost+"/a%2Fb?c", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		check(t, err)
		want := fmt.Sprintf("POST /a%%2Fb?c %s 127.0.0.1 %d", appHost, size)
		if body := read(t, resp); resp.ProtoMajor != 3 || body != want || resp.Trailer.Get("X-Sum") != "1" {
			t.Errorf("%s %q, trailer %v; want %q", resp.Proto, body, resp.Trailer, want)
		}
	}
	if resp, err := c.Get("https://nobody.us-east-1.apprunner.test/"); err != nil || resp.StatusCode != 404 {
		t.Errorf("unknown host: %v, %v", resp, err)
	}
	h.publish(func(r *Route) { r.Serving = ServingPaused }, target("i1", s, Active))
	if resp, err := c.Get("https://" + appHost + "/"); err != nil || resp.StatusCode != 503 {
		t.Errorf("paused: %v, %v", resp, err)
	}
}

func TestHTTP3IsAnnouncedWhereItIsServed(t *testing.T) {
	h, _ := http3House(t, nil)
	off := newHouse(t, nil)
	s := app(t, func(http.ResponseWriter, *http.Request) {})
	h.publish(nil, target("i1", s, Active))
	off.publish(nil, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		if resp, _ := get(t, c, "/"); resp.Header.Get("Alt-Svc") != `h3=":8443"; ma=3600` {
			t.Errorf("got %q", resp.Header.Get("Alt-Svc"))
		}
	})
	both(t, off, func(t *testing.T, c *http.Client) {
		if resp, _ := get(t, c, "/"); resp.Header["Alt-Svc"] != nil {
			t.Errorf("got %q", resp.Header["Alt-Svc"])
		}
	})
}

func TestHTTP3StreamsEventsAndGoes(t *testing.T) {
	h, c := http3House(t, nil)
	handler, tell := eventApp(t)
	s := app(t, handler)
	h.publish(func(r *Route) { r.RequestTimeout = 200 * time.Millisecond }, target("i1", s, Active))
	resp, err := c.Get("https://" + appHost + "/?type=text/event-stream")
	check(t, err)
	r := bufio.NewReader(resp.Body)
	for range 3 {
		<-time.After(200 * time.Millisecond)
		tell("x")
		if line, err := r.ReadString('\n'); line != "data: x\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	h.stop() // waits for nobody longer than Drain
	if _, err := io.ReadAll(r); err == nil {
		t.Error("the stream ended as if it were complete")
	}
}

// TestHTTP3HandOver: requests over HTTP/3 that are in flight at the elder edge are finished there, uploads and downloads, while new
// connections are the younger edge's.
func TestHTTP3HandOver(t *testing.T) {
	h, c := http3House(t, nil)
	begun, hold := make(chan struct{}, 2), make(chan struct{})
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			begun <- struct{}{}
			<-hold
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err, strings.Repeat("x", 1<<20))
	})
	h.publish(nil, target("i1", s, Active))
	ask := func(c *http.Client, path string) string {
		resp, err := c.Post("https://"+appHost+path, "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.Proto, " ", len(b), " ", err)
	}
	const want = "HTTP/3.0 1048589 <nil>"
	if got := ask(c, "/"); got != want {
		t.Fatalf("before: %s", got)
	}
	held := make(chan string, 1)
	go func() { held <- ask(c, "/hold") }()
	<-begun
	young, control, _ := h.follower(t)
	check(t, control.Accept(t.Context()))
	other := http3Client(t, h, h.edge.cfg.HTTP3.LocalAddr().String())
	if got := ask(other, "/"); got != want || h.edge.Status().Services[appARN].Requests != 2 {
		t.Errorf("while both serve, of which the elder one reads the socket: %s, and it has had %d requests", got, h.edge.Status().Services[appARN].Requests)
	}
	check(t, h.client.Drain(t.Context()))
	for !h.edge.h3.socket.given.Load() {
		time.Sleep(time.Millisecond)
	}
	third := http3Client(t, h, h.edge.cfg.HTTP3.LocalAddr().String())
	if got := ask(third, "/"); got != want || young.Status().Services[appARN].Requests != 1 {
		t.Errorf("at the younger edge: %s; it has had %d requests", got, young.Status().Services[appARN].Requests)
	}
	time.Sleep(3 * h.edge.limits.DrainIdle) // longer than idle connections are waited for
	close(hold)
	if got := <-held; got != want {
		t.Errorf("in flight: %s", got)
	}
	h.stop()
}

// TestHTTP3AfterAKill: a client whose edge was killed learns from the next one, which has the same keys, that its connection is gone.
func TestHTTP3AfterAKill(t *testing.T) {
	s := app(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "here") })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	defer udp.Close()
	h := &house{t: t, ca: newAuthority(t), dir: t.TempDir()}
	check(t, saveTable(h.dir, Table{Version: 1, Certificates: []Certificate{h.ca.issue(appHost)}, Routes: []Route{{
		ServiceARN: appARN, Hosts: []string{appHost}, Targets: []Target{target("i1", s, Active)},
	}}}))
	c := http3Client(t, h, udp.LocalAddr().String())
	kill := edgeProcess(t, h, udp.(*net.UDPConn))
	if _, body := get(t, c, "/"); body != "here" {
		t.Fatalf("got %q", body)
	}
	kill()
	edgeProcess(t, h, udp.(*net.UDPConn))
	// The request that the news meets may fail, for nobody knows what became of it. Without the news it would time out, as would the next.
	for tries := range 3 {
		resp, err := c.Get("https://" + appHost + "/")
		if err == nil {
			resp.Body.Close()
			return
		}
		if ne, ok := errors.AsType[net.Error](err); tries == 2 || ok && ne.Timeout() {
			t.Fatal(err)
		}
	}
}

// edgeProcess runs an edge on a UDP socket until it is killed.
func edgeProcess(t *testing.T, h *house, udp *net.UDPConn) (kill func()) {
	t.Helper()
	f, err := udp.File()
	check(t, err)
	defer f.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EDGE_TEST_ROLE=edge", "EDGE_TEST_HTTP3=1", "EDGE_TEST_STATE="+h.dir, "EDGE_TEST_PLAIN=127.0.0.1:0", "EDGE_TEST_HTTPS=127.0.0.1:0")
	cmd.ExtraFiles, cmd.Stderr = []*os.File{f}, os.Stderr
	check(t, cmd.Start())
	var once sync.Once
	kill = func() { once.Do(func() { cmd.Process.Kill(); cmd.Wait() }) }
	t.Cleanup(kill)
	return kill
}

func TestQUICKeysAreKept(t *testing.T) {
	dir := t.TempDir()
	first, err := loadQUICKeys(dir)
	check(t, err)
	again, err := loadQUICKeys(dir)
	check(t, err)
	other, err := loadQUICKeys(t.TempDir())
	check(t, err)
	if first != again || first == other || first.token == (quicKeys{}).token {
		t.Error("the keys of an installation are its own, and stay")
	}
	info, err := os.Stat(filepath.Join(dir, quicKeysName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	check(t, os.WriteFile(filepath.Join(dir, quicKeysName), []byte("short"), 0o600))
	if made, err := loadQUICKeys(dir); err != nil || made == first {
		t.Errorf("a damaged file: %v", err)
	}
}

// Packets for a connection of an edge that is no more are this one's to answer; those for one that lives are passed on.
func TestPacketsOfAnElderEdge(t *testing.T) {
	home, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@edge-test-" + t.Name() + strconv.Itoa(os.Getpid()), Net: "unixgram"})
	check(t, err)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	young, err := newQUICSocket(udp.(*net.UDPConn), quicHome{Inbox: home.LocalAddr().String(), Generation: 7})
	check(t, err)
	defer young.Close()
	id, err := newQUICMark(7).GenerateConnectionID()
	check(t, err)
	packet := append(append([]byte{0x40}, id.Bytes()...), make([]byte, 30)...)
	kept := func() int {
		return young.own([]ipv4.Message{{Buffers: [][]byte{packet}, N: len(packet), Addr: udp.LocalAddr()}})
	}
	if kept() != 0 {
		t.Error("kept from an edge that lives")
	}
	check(t, home.Close())
	if kept() != 1 {
		t.Error("sent to an edge that has ended")
	}
	young.elder = nil
	if kept() != 1 {
		t.Error("sent to nobody")
	}
}

func TestQUICMark(t *testing.T) {
	elder, younger := newQUICMark(255), newQUICMark(0)
	id, err := elder.GenerateConnectionID()
	check(t, err)
	short := append([]byte{0x40}, append(id.Bytes(), "payload"...)...)
	long := append([]byte{0xe0, 0, 0, 0, 1, quicIDLength}, append(id.Bytes(), "payload"...)...)
	foreign := append([]byte{0xc0, 0, 0, 0, 1, 20}, append(id.Bytes(), make([]byte, 40)...)...)
	for name, c := range map[string]struct {
		packet []byte
		theirs bool
	}{
		"short": {short, true}, "long": {long, true}, "an id of another length": {foreign, false}, "empty": {nil, false},
		"cut": {short[:5], false}, "cut long": {long[:8], false}, "no mark": {append([]byte{0x40}, make([]byte, 30)...), false},
	} {
		if got := younger.elsewhere(c.packet); got != c.theirs {
			t.Errorf("%s: elsewhere %t", name, got)
		}
		if elder.elsewhere(c.packet) {
			t.Errorf("%s: its own edge passes it on", name)
		}
	}
}
