package edge

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// §16.2: the more specific name wins, and a wildcard covers one label.
//
// checklist: 121, 122
func TestWildcardHosts(t *testing.T) {
	r := newRouting(t.Context(), newHub(time.Now()), &Limits{}, nil)
	err := r.apply(Table{Version: 1, Routes: []Route{
		{ServiceARN: "wild", Hosts: []string{"*.example.com"}}, {ServiceARN: "login", Hosts: []string{"login.example.com"}}, {ServiceARN: "root", Hosts: []string{"example.com"}},
	}}, false)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"example.com": "root", "login.example.com": "login", "LOGIN.example.com:8443": "login", "other.example.com": "wild", "Other.Example.com.": "wild",
		"a.b.example.com": "", "a.login.example.com": "", ".example.com": "", "*.example.com": "wild", "example.org": "", "com": "", "": "",
	} {
		got := ""
		if s := r.lookup(host); s != nil {
			got = s.arn
		}
		if got != want {
			t.Errorf("%q is routed to %q, want %q", host, got, want)
		}
	}
}

// Challenges are answered for the name they are for, before it is routed, and to nobody else.
func TestChallengesOfAuthorities(t *testing.T) {
	f := &stdFront{edge: &Server{routing: newRouting(t.Context(), newHub(time.Now()), &Limits{}, nil)}}
	if err := f.edge.routing.apply(Table{Version: 1, Challenges: []Challenge{{Host: "new.example.com", Token: "token", Answer: "token.thumb"}}}, false); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"http://new.example.com/.well-known/acme-challenge/token":   "token.thumb",
		"http://NEW.example.com/.well-known/acme-challenge/token":   "token.thumb",
		"http://new.example.com/.well-known/acme-challenge/":        "",
		"http://new.example.com/.well-known/acme-challenge/other":   "",
		"http://other.example.com/.well-known/acme-challenge/token": "",
	} {
		w := httptest.NewRecorder()
		f.redirectToHTTPS(w, httptest.NewRequest(http.MethodGet, url, nil))
		body, err := io.ReadAll(w.Result().Body)
		if err != nil || (w.Code == http.StatusOK) != (want != "") || want != "" && string(body) != want {
			t.Errorf("%s: %d %q, %v", url, w.Code, body, err)
		}
	}
	hello := &tls.ClientHelloInfo{ServerName: "new.example.com", SupportedProtos: []string{protoACME}}
	conf, err := f.edge.routing.tlsConfig().GetConfigForClient(hello)
	if err != nil || conf == nil {
		t.Fatal(err)
	}
	if _, err := conf.GetCertificate(hello); err == nil {
		t.Error("a challenge without a certificate is answered in the handshake")
	}
	both := &tls.ClientHelloInfo{SupportedProtos: []string{protoACME, "h2"}, SupportedVersions: []uint16{tls.VersionTLS13}}
	if conf, err := f.edge.routing.tlsConfig().GetConfigForClient(both); conf != nil || err != nil {
		t.Error("a client that speaks other protocols too gets the configuration for challenges")
	}
}

// modernServer answers 404 over TLS as clients of the edge meet it, with a certificate for an RSA key.
func modernServer(t *testing.T, protocols []string) *httptest.Server {
	t.Helper()
	donor := httptest.NewTLSServer(nil)
	donor.Close()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = ModernTLS(protocols, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &donor.TLS.Certificates[0], nil })
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// scanned is a client's way to ask.
type scanned struct {
	min, max uint16
	suites   []uint16
}

// Every version and suite that crypto/tls can speak is asked for; only the modern ones are agreed on.
func TestTLSScan(t *testing.T) {
	srv := modernServer(t, []string{"h2", "http/1.1"})
	agree := func(s scanned) (tls.ConnectionState, error) {
		c, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{
			InsecureSkipVerify: true, MinVersion: s.min, MaxVersion: s.max, CipherSuites: s.suites, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		})
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer c.Close()
		return c.ConnectionState(), nil
	}
	all := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	modern := map[uint16]bool{}
	for _, id := range modernSuites {
		modern[id] = true
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} {
		for _, suite := range all {
			st, err := agree(scanned{version, version, []uint16{suite.ID}})
			// The test server's key is RSA: suites for other keys cannot be agreed on here.
			want := version == tls.VersionTLS12 && modern[suite.ID] && strings.Contains(suite.Name, "RSA")
			if (err == nil) != want || err == nil && st.CipherSuite != suite.ID {
				t.Errorf("%s with %s: agreed on %s, %v", tls.VersionName(version), suite.Name, tls.CipherSuiteName(st.CipherSuite), err)
			}
		}
	}
	if st, err := agree(scanned{tls.VersionTLS13, tls.VersionTLS13, nil}); err != nil || st.Version != tls.VersionTLS13 {
		t.Errorf("TLS 1.3: %v", err)
	}
}

// Sessions are resumed in TLS 1.3 only.
func TestSessionTickets(t *testing.T) {
	srv := modernServer(t, []string{"http/1.1"})
	for version, want := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
		tr := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1),
		}}
		resumed := false
		for range 3 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			resumed = res.TLS.DidResume
		}
		if resumed != want {
			t.Errorf("%s: resumed %v", tls.VersionName(version), resumed)
		}
	}
}

// A ticket opens a session until its key has had its time.
func TestTicketKeysChange(t *testing.T) {
	donor := httptest.NewTLSServer(nil)
	donor.Close()
	conf, keys, now := &tls.Config{Certificates: donor.TLS.Certificates}, new(ticketKeys), time.Now()
	keys.turn(conf, now)
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Listener = tls.NewListener(srv.Listener, conf)
	srv.Start()
	defer srv.Close()
	client := &tls.Config{InsecureSkipVerify: true}
	resumed := func(cache tls.ClientSessionCache) bool {
		t.Helper()
		c := client.Clone()
		c.ClientSessionCache = cache
		conn, err := tls.Dial("tcp", srv.Listener.Addr().String(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn) // the ticket comes with the answer
		return conn.ConnectionState().DidResume
	}
	first := &oneTicket{}
	if resumed(first) {
		t.Fatal("resumed without a ticket")
	}
	first.closed = true // this ticket is the one that is shown from now on
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{time.Hour, true}, {ticketTurn, true}, {2*ticketTurn - time.Minute, true}, {2 * ticketTurn, false}, {10 * ticketTurn, false}} {
		keys.turn(conf, now.Add(c.after))
		if got := resumed(first); got != c.want {
			t.Errorf("after %s: resumed %v", c.after, got)
		}
	}
	late := &oneTicket{}
	resumed(late)
	late.closed = true
	keys.turn(conf, now.Add(13*ticketTurn))
	if resumed(late) {
		t.Error("a key that nobody replaced for days still opens tickets")
	}
}

// oneTicket remembers tickets until it is closed.
type oneTicket struct {
	state  *tls.ClientSessionState
	closed bool
}

func (o *oneTicket) Get(string) (*tls.ClientSessionState, bool) { return o.state, o.state != nil }

func (o *oneTicket) Put(_ string, s *tls.ClientSessionState) {
	if !o.closed {
		o.state = s
	}
}
