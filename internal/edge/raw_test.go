package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// exchangeRaw sends bytes as they are and returns everything that comes back until the edge closes.
func exchangeRaw(t testing.TB, h *house, raw string) string {
	t.Helper()
	conn := dialPlain(t, h)
	io.WriteString(conn, raw)
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%q: %v", raw, err)
	}
	return string(got)
}

// spy is an application that notes each request as it understood it, and answers 200.
type spy struct {
	address string
	mu      sync.Mutex
	seen    []string
}

func newSpy(t testing.TB) *spy {
	s := &spy{}
	srv := app(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, describeRequest(r, body, err))
		s.mu.Unlock()
		io.WriteString(w, "ok")
	})
	s.address = srv.Listener.Addr().String()
	return s
}

func (s *spy) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.seen
	s.seen = nil
	return out
}

// describeRequest writes a request down, without what differs by nature.
func describeRequest(r *http.Request, body []byte, err error) string {
	var lines []string
	for name, values := range r.Header {
		if name != "X-Request-Id" {
			lines = append(lines, name+": "+strings.Join(values, " | "))
		}
	}
	sort.Strings(lines)
	return fmt.Sprintf("%s %s %s len %d te %v trailer %v body %q %v\n%s", r.Method, r.Host, r.RequestURI, r.ContentLength, r.TransferEncoding, r.Trailer, body, err, strings.Join(lines, "\n"))
}

const ownHost = "Host: " + appHost + "\r\n"

// smuggling are requests that two programs may read differently: every one is refused, and nothing of it reaches an application.
var smuggling = map[string]string{
	"length and chunked":           "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunked and length":           "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
	"two lengths":                  "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	"same length twice":            "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
	"length list":                  "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 1, 1\r\n\r\na",
	"signed length":                "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: +1\r\n\r\na",
	"negative length":              "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: -1\r\n\r\na",
	"hexadecimal length":           "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 0x1\r\n\r\na",
	"length with a blank in it":    "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 1 0\r\n\r\n0123456789",
	"huge length":                  "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 99999999999999999999\r\n\r\na",
	"empty length":                 "POST / HTTP/1.1\r\n" + ownHost + "Content-Length:\r\n\r\na",
	"blank before colon":           "POST / HTTP/1.1\r\n" + ownHost + "Content-Length : 1\r\n\r\na",
	"tab before colon":             "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
	"unknown coding":               "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"coding list":                  "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"identity":                     "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: identity\r\n\r\n",
	"chunked twice":                "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunked and identity":         "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"coding after a vertical tab":  "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
	"chunked in HTTP/1.0":          "POST / HTTP/1.0\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"bare LF after request line":   "GET / HTTP/1.1\n" + ownHost + "\r\n",
	"bare LF after a field":        "GET / HTTP/1.1\r\n" + ownHost + "A: b\nC: d\r\n\r\n",
	"bare LF at the end":           "GET / HTTP/1.1\r\n" + ownHost + "\n",
	"bare LF only":                 "GET / HTTP/1.1\nHost: " + appHost + "\n\n",
	"bare CR in a value":           "GET / HTTP/1.1\r\n" + ownHost + "A: b\rC: d\r\n\r\n",
	"bare CR in the request line":  "GET /\r HTTP/1.1\r\n" + ownHost + "\r\n",
	"folded line":                  "GET / HTTP/1.1\r\n" + ownHost + "A: b\r\n c\r\n\r\n",
	"folded first line":            "GET / HTTP/1.1\r\n " + ownHost + ownHost + "\r\n",
	"NUL in a value":               "GET / HTTP/1.1\r\n" + ownHost + "A: b\x00c\r\n\r\n",
	"NUL in a name":                "GET / HTTP/1.1\r\n" + ownHost + "A\x00: b\r\n\r\n",
	"NUL in the target":            "GET /\x00 HTTP/1.1\r\n" + ownHost + "\r\n",
	"control in a value":           "GET / HTTP/1.1\r\n" + ownHost + "A: \x7f\r\n\r\n",
	"name of nothing":              "GET / HTTP/1.1\r\n" + ownHost + ": b\r\n\r\n",
	"line without colon":           "GET / HTTP/1.1\r\n" + ownHost + "nonsense\r\n\r\n",
	"name with a bracket":          "GET / HTTP/1.1\r\n" + ownHost + "A(b): c\r\n\r\n",
	"non-ASCII name":               "GET / HTTP/1.1\r\n" + ownHost + "\xc5\xbf: c\r\n\r\n",
	"no host":                      "GET / HTTP/1.1\r\nA: b\r\n\r\n",
	"two hosts":                    "GET / HTTP/1.1\r\n" + ownHost + "Host: other.test\r\n\r\n",
	"same host twice":              "GET / HTTP/1.1\r\n" + ownHost + ownHost + "\r\n",
	"empty host":                   "GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"host with a path":             "GET / HTTP/1.1\r\nHost: " + appHost + "/x\r\n\r\n",
	"host with a user":             "GET / HTTP/1.1\r\nHost: a@" + appHost + "\r\n\r\n",
	"host with a comma":            "GET / HTTP/1.1\r\nHost: " + appHost + ", b\r\n\r\n",
	"two blanks before the target": "GET  / HTTP/1.1\r\n" + ownHost + "\r\n",
	"blank in the target":          "GET /a b HTTP/1.1\r\n" + ownHost + "\r\n",
	"blank at the end":             "GET / HTTP/1.1 \r\n" + ownHost + "\r\n",
	"fragment":                     "GET /a#b HTTP/1.1\r\n" + ownHost + "\r\n",
	"target without a slash":       "GET a HTTP/1.1\r\n" + ownHost + "\r\n",
	"star without OPTIONS":         "GET * HTTP/1.1\r\n" + ownHost + "\r\n",
	"broken escape":                "GET /%2 HTTP/1.1\r\n" + ownHost + "\r\n",
	"escape that is none":          "GET /%zz HTTP/1.1\r\n" + ownHost + "\r\n",
	"leading empty line":           "\r\nGET / HTTP/1.1\r\n" + ownHost + "\r\n",
	"lower-case protocol":          "GET / http/1.1\r\n" + ownHost + "\r\n",
	"no version":                   "GET /\r\n" + ownHost + "\r\n",
	"method with a bracket":        "G(T / HTTP/1.1\r\n" + ownHost + "\r\n",
	"chunk size with sign":         "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
	"chunk size with 0x":           "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
	"chunk size with blank":        "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
	"chunk size of nothing":        "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n",
	"chunk size too large":         "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n",
	"chunk extension":              "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n",
	"chunk extension with bare LF": "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1;\na\r\n0\r\n\r\n",
	"chunk size ends in LF":        "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
	"chunk data ends in LF":        "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
	"chunk data too long":          "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
	"last chunk ends in LF":        "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\n\n",
	"body ends in LF":              "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\n",
	"length as trailer":            "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
	"host as trailer":              "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\nhOST: x\r\n\r\n",
	"client address as trailer":    "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
	"folded trailer":               "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n",
	"NUL in a trailer":             "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: \x00\r\n\r\n",
	"quoted coding":                "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
	"coding with a parameter":      "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
	"coding of nothing":            "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding:\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"coding with a comma":          "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
	"chunked after identity":       "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
	"coding on a folded line":      "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
	"coding after a bare CR":       "POST / HTTP/1.1\r\n" + ownHost + "A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"coding after a form feed":     "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\x0c\r\n\r\n0\r\n\r\n",
	"length after NUL":             "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 1\x00\r\n\r\na",
	"length with an underline":     "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 1_0\r\n\r\n0123456789",
	"length with a point":          "POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 1.0\r\n\r\na",
	"length and coding in a case":  "POST / HTTP/1.1\r\n" + ownHost + "cOntent-lEngth: 4\r\ntRANSFER-eNCODING: CHUNKED\r\n\r\n0\r\n\r\n",
	"negative chunk":               "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
	"chunk size with an underline": "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1_0\r\na\r\n0\r\n\r\n",
	"chunk size after a blank":     "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n",
	"chunk size ends in CR":        "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1\ra\r\n0\r\n\r\n",
	"chunk size ends in two CR":    "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n1\r\r\na\r\n0\r\n\r\n",
	"coding as trailer":            "POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
	"too many Connection options":  "GET / HTTP/1.1\r\n" + ownHost + "Connection: " + strings.Repeat("a,", 50) + "a\r\n\r\n",
}

func TestAmbiguousRequestsAreRefused(t *testing.T) {
	h := newHouse(t, nil)
	s := newSpy(t)
	h.publish(nil, Target{InstanceID: "i1", Address: s.address, Phase: Active})
	for name, raw := range smuggling {
		got := exchangeRaw(t, h, raw+"GET /smuggled HTTP/1.1\r\n"+ownHost+"\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "Connection: close\r\n") || strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("%s: got %q", name, got)
		}
		if seen := s.take(); len(seen) > 0 {
			t.Errorf("%s: reached the application: %q", name, seen)
		}
	}
	for name, c := range map[string]struct{ raw, status string }{
		"HTTP/2 preface":      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
		"unknown expectation": {"GET / HTTP/1.1\r\n" + ownHost + "Expect: magic\r\n\r\n", "417"},
		"CONNECT":             {"CONNECT x:443 HTTP/1.1\r\n" + ownHost + "\r\n", "405"},
		"huge head":           {"GET / HTTP/1.1\r\n" + ownHost + "A: " + strings.Repeat("x", 70<<10), "431"},
		"many fields":         {"GET / HTTP/1.1\r\n" + ownHost + strings.Repeat("A: b\r\n", 200) + "\r\n", "431"},
	} {
		if got := exchangeRaw(t, h, c.raw); !strings.HasPrefix(got, "HTTP/1.1 "+c.status+" ") {
			t.Errorf("%s: got %q", name, got)
		}
	}
	awaitIdle(t, h)
}

// twins are two edges with the same table: one on the own path, one on net/http.
func twins(t testing.TB, targets ...Target) (own, oracle *house) {
	own, oracle = newHouse(t, nil), newHouse(t, nil)
	oracle.edge.stdOnly = true
	own.publish(nil, targets...)
	oracle.publish(nil, targets...)
	return own, oracle
}

// plainRequests are understood by everybody, in the same way.
var plainRequests = []string{
	"GET / HTTP/1.1\r\n" + ownHost + "\r\n",
	"GET /a//b/../c%2f%41?x=%zz&y=/?&&;z HTTP/1.1\r\n" + ownHost + "\r\n",
	"GET //double HTTP/1.1\r\n" + ownHost + "\r\n",
	"GET /? HTTP/1.1\r\n" + ownHost + "\r\n",
	"GET /\xc3\xa9\"<>^`{|} HTTP/1.1\r\n" + ownHost + "\r\n",
	"GET / HTTP/1.1\r\nhOsT:" + appHost + ":8443  \r\nA:b\r\nA: c\r\nEmpty:\r\nTabs:\t\tx \ty\t\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: " + strings.ToUpper(appHost) + "\r\nAccept-Encoding: gzip\r\nUser-Agent: \xe9\r\n\r\n",
	"HEAD /x HTTP/1.1\r\n" + ownHost + "Connection: keep-alive\r\nKeep-Alive: 3\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\n" + ownHost + "\r\n",
	"OPTIONS /x HTTP/1.1\r\n" + ownHost + "\r\n",
	"PROPFIND /x HTTP/1.1\r\n" + ownHost + "Depth: 1\r\n\r\n",
	"DELETE / HTTP/1.1\r\n" + ownHost + "Connection: close, X-Mine\r\nX-Mine: 1\r\nX-Other: 2\r\n\r\n",
	"GET / HTTP/1.1\r\n" + ownHost + "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For: 3.3.3.3\r\nX-Forwarded-Proto: http\r\nForwarded: for=x\r\nX-Forwarded-Host: h\r\n\r\n",
	"GET / HTTP/1.1\r\n" + ownHost + "Te: trailers, deflate\r\nProxy-Authorization: a\r\nProxy-Connection: b\r\nTrailer: X\r\n\r\n",
	"GET / HTTP/1.1\r\n" + ownHost + "Te: deflate\r\nCookie: a=b; c=d\r\nCookie: e=f\r\nVia: 1.1 x\r\n\r\n",
	"POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 0\r\n\r\n",
	"POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 3\r\n\r\nabc",
	"GET / HTTP/1.1\r\n" + ownHost + "Content-Length: 3\r\n\r\nabc",
	"POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n000\r\nX-Sum: 7\r\n\r\n",
	"POST / HTTP/1.1\r\n" + ownHost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\n" + ownHost + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000),
	"GET http://" + appHost + "/absolute?x HTTP/1.1\r\nHost: other.test\r\n\r\n",
	"GET /old HTTP/1.0\r\n" + ownHost + "\r\n",
	"GET /old HTTP/1.0\r\n" + ownHost + "Connection: keep-alive\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n",
}

func TestOwnPathAgreesWithNetHTTPOnRequests(t *testing.T) {
	s := newSpy(t)
	own, oracle := twins(t, Target{InstanceID: "i1", Address: s.address, Phase: Active})
	for _, raw := range plainRequests {
		gotOwn := firstAnswer(t, own, raw)
		seenOwn := fmt.Sprint(s.take())
		gotOracle := firstAnswer(t, oracle, raw)
		seenOracle := fmt.Sprint(s.take())
		// net/http announces trailers by a field of its own making.
		if strings.Contains(raw, "Trailer: X\r\n") {
			seenOwn = strings.Replace(seenOwn, "\nTrailer: X", "", 1)
		}
		if seenOwn != seenOracle {
			t.Errorf("%.200q\nreached the application as %s\nby net/http as %s", raw, seenOwn, seenOracle)
		}
		if gotOwn != gotOracle {
			t.Errorf("%.200q\nwas answered %q, by net/http %q", raw, gotOwn, gotOracle)
		}
	}
}

// firstAnswer sends bytes as they are and returns status and body of the first answer.
func firstAnswer(t testing.TB, h *house, raw string) string {
	t.Helper()
	conn := dialPlain(t, h)
	defer conn.Close()
	io.WriteString(conn, raw)
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.Status, " ", read(t, resp))
}

// parrot is an application that answers every request with the same bytes and closes.
func parrot(t testing.TB) (address string, say func(raw string)) {
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var answer string
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(5 * time.Second))
				r := bufio.NewReader(conn)
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				io.WriteString(conn, answer)
			}()
		}
	}()
	return l.Addr().String(), func(raw string) { mu.Lock(); answer = raw; mu.Unlock() }
}

var answers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 299 Any reason: at all \xe9\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.0 200 OK\r\n\r\nuntil the end",
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
	"HTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\nContent-Length: 2\nA:b\n\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=\"x\"\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than was said",
	"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\ntoo little",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nEtag: x\r\nContent-Length: 10\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nDate: yesterday\r\nServer: x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: a\r\nUpgrade: h2c\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nA\r\n\r\nok",
	"HTTP/2 200 OK\r\n\r\nok",
	"HTTP/1.1 2000 OK\r\n\r\nok",
	"HTTP/1.1 OK\r\n\r\nok",
	"nonsense",
	"",
	"HTTP/1.1 200 OK\r\nContent-Le",
	"HTTP/1.1 200 OK\r\nBig: " + strings.Repeat("x", 80<<10) + "\r\n\r\n",
	"HTTP/1.1 200 OK\r\nBig: " + strings.Repeat("x", 40<<10) + "\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000),
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + strings.Repeat("x", 100000) + "\r\n0\r\n\r\n",
	"HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat("x", 100000),
}

func TestOwnPathAgreesWithNetHTTPOnAnswers(t *testing.T) {
	address, say := parrot(t)
	own, oracle := twins(t, Target{InstanceID: "i1", Address: address, Phase: Active})
	for _, raw := range answers {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			say(raw)
			request := method + " / HTTP/1.1\r\n" + ownHost + "Connection: close\r\n\r\n"
			a := describeAnswer(exchangeRaw(t, own, request), method)
			b := describeAnswer(exchangeRaw(t, oracle, request), method)
			for try := 0; a != b && try < 3; try++ { // net/http takes an answer that comes with the end for a failure now and then
				b = describeAnswer(exchangeRaw(t, oracle, request), method)
			}
			if a != b {
				t.Errorf("%s of %.200q\nwas answered %.300s\nby net/http %.300s", method, raw, a, b)
			}
		}
	}
	awaitIdle(t, own)
}

// describeAnswer writes down what a client understands, without what differs by nature: the Date that the edge may add, the id
// and the words of its own answers, and how the body is framed.
func describeAnswer(raw, method string) string {
	r := bufio.NewReader(strings.NewReader(raw))
	var out bytes.Buffer
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return "unreadable: " + raw
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil && len(body) == 0 {
			return "unreadable: " // whether a head gets out before the fault of the body is seen is a matter of time
		}
		if resp.StatusCode == 502 {
			return "502"
		}
		var lines []string
		for name, values := range resp.Header {
			if name != "Date" && name != "Content-Length" && name != "Trailer" && name != "Connection" {
				lines = append(lines, name+": "+strings.Join(values, " | "))
			}
		}
		sort.Strings(lines)
		fmt.Fprintf(&out, "%d %v body %q cut %v trailer %v; ", resp.StatusCode, lines, body, err != nil, resp.Trailer)
		if resp.StatusCode >= 200 {
			return out.String()
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	address, say := parrot(t)
	h := newHouse(t, nil)
	h.publish(nil, Target{InstanceID: "i1", Address: address, Phase: Active})
	for name, raw := range map[string]string{
		"blank in a name":        "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\nok",
		"folded line":            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
		"upgrade nobody wanted":  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"more than one length":   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
		"coding nobody knows":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\nok",
		"interim without an end": strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100),
		"head too large":         "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 70<<10),
		"too many fields":        "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 300) + "\r\n",
		"control in the reason":  "HTTP/1.1 200 O\x00K\r\n\r\n",
	} {
		say(raw)
		got := exchangeRaw(t, h, "GET / HTTP/1.1\r\n"+ownHost+"Connection: close\r\n\r\n")
		if i := strings.LastIndex(got, "HTTP/1.1 "); i < 0 || !strings.HasPrefix(got[i:], "HTTP/1.1 502 ") {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestBytesAfterAnAnswerReachNobodyElse(t *testing.T) {
	h := newHouse(t, nil)
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	sent := make(chan bool, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(req.URL.Path), req.URL.Path)
					<-time.After(5 * time.Millisecond)
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
					sent <- true
				}
			}()
		}
	}()
	h.publish(nil, Target{InstanceID: "i1", Address: l.Addr().String(), Phase: Active})
	c := h.browser(false)
	for i := range 20 {
		path := fmt.Sprintf("/%d", i)
		if _, body := get(t, c, path); body != path {
			t.Fatalf("asked for %s, got %q", path, body)
		}
		<-sent
	}
}
