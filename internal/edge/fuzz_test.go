package edge

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

// FuzzRequestHead: what the own parser accepts, net/http accepts too and understands in the same way; and what is composed for the
// application is accepted again.
func FuzzRequestHead(f *testing.F) {
	for _, raw := range smuggling {
		f.Add([]byte(raw))
	}
	for _, raw := range plainRequests {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		end, _, fail := scanHead(raw, 0, true)
		var h head
		if end == 0 || fail != nil || h.parseRequest(raw[:end], 100) != nil {
			return
		}
		if bytes.HasPrefix(raw, []byte("PRI ")) {
			return // net/http knows that method only with its preface
		}
		compareRequest(t, &h, raw[:end])
		again := append([]byte(nil), string(h.method)+" "+string(h.target)+" HTTP/1.1\r\n"...)
		again = append(h.appendFields(again, passRequest), "\r\n"...)
		var second head
		if fail := second.parseRequest(again, 100); fail != nil && !h.chunked {
			t.Errorf("%q was composed as %q, which is refused: %v", raw[:end], again, fail)
		}
		if !bytes.Equal(second.host, h.host) || second.length != h.length {
			t.Errorf("%q was composed as %q", raw[:end], again)
		}
	})
}

// compareRequest compares with what net/http reads.
func compareRequest(t *testing.T, h *head, raw []byte) {
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		// net/url is stricter with hosts in targets; those requests go to net/http, which refuses them itself.
		if h.minor == 1 && h.target[0] == '/' {
			t.Errorf("accepted %q, net/http says %v", raw, err)
		}
		return
	}
	if h.target[0] == '/' && (req.Method != string(h.method) || req.RequestURI != string(h.target) || req.Host != string(h.host)) {
		t.Errorf("%q: %s %s %s, net/http %s %s %s", raw, h.method, h.target, h.host, req.Method, req.RequestURI, req.Host)
	}
	if chunked := len(req.TransferEncoding) > 0; chunked != h.chunked {
		t.Errorf("%q: chunked %v, net/http %v", raw, h.chunked, chunked)
	}
	if !h.chunked && max(h.length, 0) != req.ContentLength {
		t.Errorf("%q: length %d, net/http %d", raw, h.length, req.ContentLength)
	}
	for i := range h.fields {
		fd := &h.fields[i]
		if fd.kind == kindPass && !contains(req.Header.Values(string(fd.name)), string(fd.value)) && !strings.EqualFold(string(fd.name), "trailer") {
			t.Errorf("%q: field %q %q is unknown to net/http: %v", raw, fd.name, fd.value, req.Header)
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// FuzzAnswerHead: what the own parser accepts of an application, net/http accepts too, with the same status and length.
func FuzzAnswerHead(f *testing.F) {
	for _, raw := range answers {
		f.Add([]byte(raw[:min(len(raw), 500)]))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		end, _, fail := scanHead(raw, 0, false)
		var h head
		if end == 0 || fail != nil || h.parseAnswer(raw[:end], 100) != nil {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw[:end])), &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("accepted %q, net/http says %v", raw[:end], err)
		}
		if resp.StatusCode != h.status {
			t.Errorf("%q: %d, net/http %d", raw[:end], h.status, resp.StatusCode)
		}
		bodiless := h.status < 200 || h.status == 204 || h.status == 304
		if !bodiless && h.minor == 1 && !h.chunked && h.length >= 0 && h.length != resp.ContentLength {
			t.Errorf("%q: length %d, net/http %d", raw[:end], h.length, resp.ContentLength)
		}
	})
}

// FuzzChunks: a body the scanner accepts has the payload net/http reads, and the same end however it is cut into pieces.
func FuzzChunks(f *testing.F) {
	for _, raw := range []string{"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\nrest", "a\r\n0123456789\r\n0\r\nA: b\r\n\r\n", "1;x\r\na\r\n0\r\n\r\n", "ffffffffffffffff\r\n"} {
		f.Add([]byte(raw), 3, true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, cut int, request bool) {
		whole := chunkScanner{request: request}
		n, done, fail := whole.scan(raw)
		pieces := chunkScanner{request: request}
		m, pdone := 0, false
		var pfail *failure
		step := max(1, cut%17)
		for at := 0; at < len(raw) && !pdone && pfail == nil; at += step {
			var k int
			k, pdone, pfail = pieces.scan(raw[at:min(at+step, len(raw))])
			m += k
		}
		if n != m || done != pdone || fail != pfail || whole.payload != pieces.payload {
			t.Fatalf("%q: whole %d %v %v, in pieces of %d: %d %v %v", raw, n, done, fail, step, m, pdone, pfail)
		}
		if !done {
			return
		}
		body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(raw[:n])))
		if err != nil || int64(len(body)) != whole.payload {
			t.Errorf("%q: payload %d, net/http %d, %v", raw[:n], whole.payload, len(body), err)
		}
	})
}
