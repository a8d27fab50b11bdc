package edge

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A client of HTTP/1.0 takes an interim answer for the final one (RFC 9110 §15.2).
func TestOldClientsGetNoInterimAnswers(t *testing.T) {
	h := newHouse(t, nil)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		body, _ := io.ReadAll(r.Body) // which sends 100
		fmt.Fprintf(w, "got %s", body)
	})
	h.publish(nil, target("i1", s, Active))
	got := exchangeRaw(t, h, "POST / HTTP/1.0\r\n"+ownHost+"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")
	if strings.Count(got, "HTTP/1.0 ") != 1 || !strings.HasPrefix(got, "HTTP/1.0 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\ngot abc") {
		t.Errorf("got %q", got)
	}
}

// What the own fronts refuse is refused of a target with a host too.
func TestUnfitAbsoluteTargets(t *testing.T) {
	h := newHouse(t, nil)
	s := newSpy(t)
	h.publish(nil, Target{InstanceID: "i1", Address: s.address, Phase: Active})
	for target, want := range map[string]string{
		"http://" + appHost + "/x":                             "200",
		"HTTPS://" + appHost + "?x":                            "200",
		"http://user:pw@" + appHost + "/":                      "400",
		"http://user@" + appHost + "/":                         "400",
		"ftp://" + appHost + "/":                               "400",
		"http:///x":                                            "400",
		"http:x":                                               "400",
		"http://" + appHost + "/%zz":                           "400",
		"http://" + appHost + "\\@x/":                          "400",
		"http://" + appHost + "/" + strings.Repeat("a", 17000): "414",
	} {
		if got := exchangeRaw(t, h, "GET "+target+" HTTP/1.1\r\n"+ownHost+"Connection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%.60s: got %.100q, want %s", target, got, want)
		}
		if n := len(s.take()); n > 0 != (want == "200") {
			t.Errorf("%.60s: %d requests reached the application", target, n)
		}
	}
}

// The limits of the own fronts hold over HTTP/3.
func TestUnfitRequestsOverHTTP3(t *testing.T) {
	h, c := http3House(t, func(c *Config) { c.Limits.TargetBytes, c.Limits.Headers = 1000, 30 })
	s := newSpy(t)
	h.publish(nil, Target{InstanceID: "i1", Address: s.address, Phase: Active})
	for name, ask := range map[string]struct {
		path   string
		fields int
		want   int
	}{
		"long":        {"/" + strings.Repeat("a", 999), 0, 200},
		"too long":    {"/" + strings.Repeat("a", 1000), 0, 414},
		"fragment":    {"/a#b", 0, 400},
		"many fields": {"/", 30, 431},
	} {
		req, _ := http.NewRequest("GET", "https://"+appHost+"/", nil)
		req.URL.Opaque = "//" + appHost + ask.path
		for i := range ask.fields {
			req.Header.Set(fmt.Sprint("X-", i), "x")
		}
		resp, err := c.Do(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != ask.want {
			t.Errorf("%s: got %d, want %d", name, resp.StatusCode, ask.want)
		}
		if n := len(s.take()); n > 0 != (ask.want == 200) {
			t.Errorf("%s: %d requests reached the application", name, n)
		}
	}
}
