package edge

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"time"
)

// WebSockets over HTTP/2 (RFC 8441). A client opens one by an extended CONNECT on a stream of the connection it has; the instance is asked
// for the usual upgrade of HTTP/1.1, and agrees by 101, of which the client is told as 200. From then on DATA and bytes are the same.
// Nothing of what the client sends goes to the instance before that: behind a request that was not an upgrade to the instance, it would be
// the next request.

// upgrade is the wish of a client to go on in another protocol.
type upgrade struct {
	key  []byte         // Sec-WebSocket-Key: over HTTP/2 clients have none
	pass func() outcome // the instance has agreed: passes bytes on until the end
}

// becomeSocket makes a request of an extended CONNECT. What ends here, or is said by the edge, does not pass.
func (st *h2Stream) becomeSocket() {
	r := &st.req
	if !strings.EqualFold(st.pseudo.protocol, "websocket") && st.fault == nil {
		st.fault = failProtocol
	}
	r.method, r.chunked, r.expect = bytesOf(http.MethodGet), false, false
	for i := range r.fields {
		fd := &r.fields[i]
		if fd.kind == kindExpect || foldEqual(fd.name, "sec-websocket-key") || foldEqual(fd.name, "sec-websocket-accept") {
			fd.kind = kindHop
		}
	}
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	st.upgrade = &upgrade{key: base64.StdEncoding.AppendEncode(nil, nonce[:]), pass: st.passSocket}
}

// appendTo appends the fields that ask for the upgrade.
func (u *upgrade) appendTo(b []byte) []byte {
	b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-Websocket-Key: "...)
	return append(append(b, u.key...), "\r\n"...)
}

// agreed tells whether an answer agrees to the upgrade that was asked for (RFC 6455 §4.1).
func (u *upgrade) agreed(a *head) bool {
	sum := sha1.Sum(append(u.key[:len(u.key):len(u.key)], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	return a.status == http.StatusSwitchingProtocols && foldEqual(a.value("upgrade"), "websocket") &&
		string(a.value("sec-websocket-accept")) == base64.StdEncoding.EncodeToString(sum[:])
}

// passUpgrade passes an answer on that is 101, or that a client would take for that.
func (x *call) passUpgrade() outcome {
	if !x.upgrade.agreed(&x.ans) {
		return x.fail(failNoSwitch)
	}
	return x.upgrade.pass()
}

// passSocket passes bytes on in both directions until either side ends.
func (st *h2Stream) passSocket() outcome {
	st.ans.socketHead()
	t := st.s.newTunnel(st.conn, st.backend, st.route.IdleTimeout)
	defer st.drop()
	defer t.Close()
	st.due = forever
	st.ease(hasteNone)
	st.clk.enter(phaseWait, 0, st.conn)
	st.status = http.StatusSwitchingProtocols
	if !st.write(nil, false) {
		return closeNow
	}
	fed := make(chan struct{})
	go func() { defer close(fed); st.feedSocket(t) }()
	if st.drainSocket(t) && st.write(nil, true) {
		st.awaitGoodbye(fed)
		return keepOpen
	}
	st.abortRead()
	t.Close()
	<-fed
	return closeNow
}

// socketHead makes the head that the client of a WebSocket gets.
func (h *head) socketHead() {
	h.status = http.StatusOK
	for i := range h.fields {
		if fd := &h.fields[i]; fd.kind == kindContentLength || foldEqual(fd.name, "sec-websocket-accept") {
			fd.kind = kindHop
		}
	}
}

// drainSocket passes on what the instance sends; true when it has said all.
func (st *h2Stream) drainSocket(t *tunnel) bool {
	for {
		if st.ur < st.uw {
			if !st.write(st.up[st.ur:st.uw], false) {
				return false
			}
			st.sent += int64(st.uw - st.ur)
		}
		n, err := t.Read(st.up)
		st.ur, st.uw = 0, n
		if n == 0 {
			return err == io.EOF
		}
	}
}

// feedSocket passes on what the client sends. When the instance takes no more, the rest is read and thrown away.
func (st *h2Stream) feedSocket(t *tunnel) {
	taken := true
	for {
		done, err := st.nextInput()
		if err != nil {
			return
		}
		if taken && len(st.piece) > 0 {
			_, err := t.Write(st.piece)
			taken = err == nil
		}
		if done {
			_ = t.CloseWrite() // fails where the other side has gone, which it says itself
			return
		}
	}
}

// awaitGoodbye waits for the client to end its direction too, but not for long.
func (st *h2Stream) awaitGoodbye(fed <-chan struct{}) {
	st.conn.SetWriteDeadline(time.Now().Add(st.s.limits.Linger))
	st.c.mu.Lock()
	st.bodyBy = st.s.now() + st.s.limits.Linger
	st.c.mu.Unlock()
	<-fed
}
