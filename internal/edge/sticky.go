package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// stickyCookie is the name of the cookie that keeps a client at its instance (tag slipway:sticky).
const stickyCookie = "slipway-instance"

// stickyField is the Set-Cookie value for an instance, and the value of the cookie alone: opaque, the same in every edge, and gone
// with the browser's session.
func stickyField(instanceID string) (field, value string) {
	sum := sha256.Sum256([]byte("sticky " + instanceID))
	value = hex.EncodeToString(sum[:8])
	return stickyCookie + "=" + value + "; Path=/; Secure; HttpOnly; SameSite=Lax", value
}

// stickyValue finds our cookie in the Cookie fields of a request; nil when there is none. HTTP/2 may spread cookies over fields.
func (h *head) stickyValue() []byte {
	for i := range h.fields {
		fd := &h.fields[i]
		if len(fd.name) != len("cookie") || !foldEqual(fd.name, "cookie") {
			continue
		}
		for rest := fd.value; len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte(";"))
			name, value, _ := bytes.Cut(bytes.TrimSpace(pair), []byte("="))
			if string(name) == stickyCookie {
				return value
			}
		}
	}
	return nil
}

// wanted is the value of the sticky cookie the client sent, where the service keeps clients at their instance.
func (x *call) wanted() string {
	if !x.service.sticky.Load() {
		return ""
	}
	return text(x.req.stickyValue())
}

// setsCookie tells whether the answer gives the client another instance to stay at than the request named.
func (x *call) setsCookie() bool {
	return x.failure == nil && x.route != nil && x.route.Sticky && x.backend != nil && string(x.req.stickyValue()) != x.backend.stickyValue
}

// wantedStd is [call.wanted] for a request that came through net/http.
func wantedStd(s *service, r *http.Request) string {
	if !s.sticky.Load() {
		return ""
	}
	c, err := r.Cookie(stickyCookie)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(c.Value)
}

// stickStd names the instance in the answer unless the request did.
func (x *exchange) stickStd(h http.Header, r *http.Request) {
	if b := x.claim.backend; x.claim.route.Sticky && b != nil && wantedStd(x.service, r) != b.stickyValue {
		h.Add("Set-Cookie", b.stickyField)
	}
}
