package edge

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
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
	if conf, err := f.edge.routing.tlsConfig().GetConfigForClient(&tls.ClientHelloInfo{SupportedProtos: []string{protoACME, "h2"}}); conf != nil || err != nil {
		t.Error("a client that speaks other protocols too gets the configuration for challenges")
	}
}
