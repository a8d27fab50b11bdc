package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// answerPlain tells a client that speaks HTTP without TLS, where TLS is spoken, what is wrong. handshake is how the handshake failed.
func (s *Server) answerPlain(cc *clientConn, handshake error) {
	plain, ok := errors.AsType[tls.RecordHeaderError](handshake)
	if !ok || plain.Conn == nil || !looksLikeHTTP(plain.RecordHeader) {
		return
	}
	kind, text := failPlain.content(false, "")
	cc.SetDeadline(time.Now().Add(s.limits.Linger))
	_, err := fmt.Fprintf(cc, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n%s",
		failPlain.status, http.StatusText(failPlain.status), kind, len(text), *s.date.Load(), text)
	if err == nil && cc.CloseWrite() == nil {
		io.CopyN(io.Discard, cc, int64(s.limits.HeadBytes)) // what is not read would be answered by a reset that overtakes the answer
	}
}

// looksLikeHTTP tells whether a connection begins with the method of a request.
func looksLikeHTTP(begin [5]byte) bool {
	return slices.Contains([]string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET", "TRACE", "CONNE"}, string(begin[:]))
}
