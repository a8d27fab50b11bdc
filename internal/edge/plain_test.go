package edge

import (
	"io"
	"net"
	"strings"
	"testing"
)

// TestPlainHTTPAtTheHTTPSPort: who forgets the s is told; what is neither TLS nor HTTP gets nothing.
func TestPlainHTTPAtTheHTTPSPort(t *testing.T) {
	h := newHouse(t, nil)
	h.publish(nil)
	say := func(text string) string {
		c, err := net.Dial("tcp", h.https.Addr().String())
		check(t, err)
		defer c.Close()
		_, err = io.WriteString(c, text)
		check(t, err)
		b, _ := io.ReadAll(c)
		return string(b)
	}
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: " + appHost + "\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: " + appHost + "\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000),
	} {
		got := say(request)
		if !strings.HasPrefix(got, "HTTP/1.1 400 Bad Request\r\n") || !strings.Contains(got, "plain HTTP request was sent to the HTTPS port; use https://") {
			t.Errorf("%.20q is answered by %q", request, got)
		}
	}
	if got := say("SSH-2.0-OpenSSH_9.9\r\n"); strings.Contains(got, "HTTP") {
		t.Errorf("no HTTP is answered by %q", got)
	}
}
