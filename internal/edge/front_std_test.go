package edge

import (
	"bufio"
	"fmt"
	"io"
	"net"
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

// everyWay is a client of each front: HTTP/1.1, HTTP/2, HTTP/3, and a target with a host, which goes through net/http.
func everyWay(t *testing.T, h *house, over3 *http.Client, f func(t *testing.T, c *http.Client)) {
	through := h.browser(false)
	through.Transport = absolute{through.Transport.(*http.Transport)}
	for name, c := range map[string]*http.Client{"http1": h.browser(false), "http2": h.browser(true), "http3": over3, "absolute": through} {
		t.Run(name, func(t *testing.T) { f(t, c) })
	}
}

// says is an application that gives one answer, byte for byte, and closes.
func says(t *testing.T, answer string) Target {
	return socketApp(t, func(*http.Request) string { return answer }, func(*http.Request, net.Conn, *bufio.Reader) {})
}

// An answer that breaks off never looks complete.
func TestAnswersThatBreakOff(t *testing.T) {
	h, over3 := http3House(t, nil)
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n",
	} {
		h.publish(nil, says(t, answer))
		everyWay(t, h, over3, func(t *testing.T, c *http.Client) {
			resp, err := c.Get("https://" + appHost + "/")
			if err != nil {
				return // nothing of it had been passed on
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%q came as %d %q", answer, resp.StatusCode, body)
			}
		})
	}
}

func TestInvalidAnswersEveryWay(t *testing.T) {
	h, over3 := http3House(t, nil)
	for _, answer := range []string{
		"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nbad name: a\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	} {
		h.publish(nil, says(t, answer))
		everyWay(t, h, over3, func(t *testing.T, c *http.Client) {
			if resp, body := get(t, c, "/"); resp.StatusCode != 502 {
				t.Errorf("%q came as %d %q", answer, resp.StatusCode, body)
			}
		})
	}
	awaitIdle(t, h)
}

// Trailers that would say who sent a message or where it ends pass neither way.
func TestForbiddenTrailersEndHere(t *testing.T) {
	h := newHouse(t, nil)
	seen := make(chan http.Header, 1)
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		seen <- r.Trailer
	})
	h.publish(nil, target("i1", s, Active))
	exchangeRaw(t, h, "POST http://"+appHost+"/ HTTP/1.1\r\n"+ownHost+"Trailer: X-Forwarded-For, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"1\r\na\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\nX-Sum: 1\r\n\r\n")
	if got := <-seen; len(got["X-Forwarded-For"]) > 0 || got.Get("X-Sum") != "1" {
		t.Errorf("the application got %v", got)
	}
	h.publish(nil, says(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n"))
	got := exchangeRaw(t, h, "GET http://"+appHost+"/ HTTP/1.1\r\n"+ownHost+"\r\n")
	if strings.Contains(got, "Set-Cookie") || !strings.Contains(got, "X-Sum: 1\r\n") {
		t.Errorf("the client got %q", got)
	}
}

// A kept connection that the instance has closed costs no request that may be sent again, whichever way it came.
func TestClosedConnectionsEveryWay(t *testing.T) {
	h, over3 := http3House(t, nil)
	h.publish(nil, socketApp(t, func(*http.Request) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	}, func(_ *http.Request, _ net.Conn, r *bufio.Reader) {
		r.ReadByte() // of the next request, to which there is no answer
	}))
	everyWay(t, h, over3, func(t *testing.T, c *http.Client) {
		for _, method := range []string{"GET", "HEAD", "DELETE", "GET"} {
			req, _ := http.NewRequest(method, "https://"+appHost+"/", nil)
			resp, err := c.Do(req)
			check(t, err)
			if read(t, resp); resp.StatusCode != 200 {
				t.Errorf("%s: got %d", method, resp.StatusCode)
			}
		}
	})
}

// A request of HTTP/3 that has a body where there usually is none keeps it.
func TestBodiesOfGetsOverHTTP3(t *testing.T) {
	h, c := http3House(t, nil)
	s := newSpy(t)
	h.publish(nil, Target{InstanceID: "i1", Address: s.address, Phase: Active})
	for _, body := range []string{"", "a", strings.Repeat("x", 100_000)} {
		req, _ := http.NewRequest("GET", "https://"+appHost+"/", struct{ io.Reader }{strings.NewReader(body)})
		resp, err := c.Do(req)
		check(t, err)
		read(t, resp)
		if seen := s.take(); len(seen) != 1 || !strings.Contains(seen[0], fmt.Sprintf("body %q", body)) {
			t.Errorf("the application saw %.200q", seen)
		}
	}
}
