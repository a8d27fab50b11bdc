package edge

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/edge/waf"
)

// acl is the web ACL in front of a service (§25).
type acl struct {
	source *webacl.Resolved
	engine *waf.Engine // nil: it could not be compiled, and nothing passes
	// impatient lets streams of gRPC be judged by what is there of their body, which may wait for the answer.
	impatient bool
}

// newACL compiles the ACL of a route; what old has counted lives on when it is the same.
func newACL(r *Route, old *policy) *acl {
	if old != nil && old.acl != nil && old.acl.impatient == r.H2C && reflect.DeepEqual(old.acl.source, r.WebACL) {
		return old.acl
	}
	engine, err := waf.Compile(*r.WebACL)
	if err != nil {
		engine = nil
	}
	return &acl{source: r.WebACL, engine: engine, impatient: r.H2C}
}

var (
	failACL    = &failure{status: 403, code: "Forbidden", cause: "the request is blocked by the web ACL of this service"}
	failEngine = &failure{status: 403, code: "Forbidden", cause: "the web ACL of this service cannot be evaluated, so no request passes"}
)

// judge tells why the ACL refuses a request, and which fields the application gets. An engine that fails blocks (§25).
func (a *acl) judge(v visitor, now time.Duration) (verdict waf.Verdict, r *waf.Request, f *failure) {
	if a.engine == nil {
		return waf.Verdict{Block: true}, nil, failEngine
	}
	r, f = v.show(a.engine.BodyBytes(), a.impatient)
	if f != nil {
		return waf.Verdict{Block: true}, r, f
	}
	defer func() {
		if recover() != nil {
			verdict, f = waf.Verdict{Block: true}, failEngine
		}
	}()
	if verdict = a.engine.Judge(r, now); verdict.Block {
		return verdict, r, blocked(verdict.Response)
	}
	return verdict, r, nil
}

// blocked is the answer to a blocked request.
func blocked(r *waf.Response) *failure {
	if r == nil {
		return failACL
	}
	f := &failure{status: r.Status, code: failACL.code, cause: failACL.cause, body: &content{kind: r.ContentType, text: r.Body}}
	if r.Body == "" {
		f.body.kind = "text/plain; charset=utf-8"
	}
	for _, field := range r.Fields {
		f.header = append(f.header, [2]string{field.Name, field.Value})
	}
	return f
}

// show is the request as an ACL sees it, with the first bytes of its body where those are asked for.
func (x *call) show(body int, impatient bool) (*waf.Request, *failure) {
	r := &waf.Request{IP: x.address(), Method: text(x.req.method), Fields: make([]waf.Field, len(x.req.fields))}
	r.Path, r.Query, _ = strings.Cut(text(x.req.target), "?")
	for i := range x.req.fields {
		fd := &x.req.fields[i]
		r.Fields[i] = waf.Field{Name: text(fd.name), Value: text(fd.value)}
		if waf.Inserted(r.Fields[i].Name) {
			fd.kind = kindHop
		}
	}
	if body == 0 || !x.req.chunked && x.req.length <= 0 {
		return r, nil
	}
	if impatient && strings.HasPrefix(text(x.req.value("content-type")), "application/grpc") {
		body = 0
	} else if x.req.expect {
		if f := x.encourage(); f != nil {
			return r, f
		}
	}
	var f *failure
	r.Body, r.Truncated, f = x.client.peekBody(body)
	return r, f
}

// encourage tells the client to go on with its body, in place of the instance: it is looked at first.
func (x *call) encourage() *failure {
	x.ans.reset()
	x.ans.status, x.ans.statusText = http.StatusContinue, []byte("100 Continue")
	if !x.client.passInterim() {
		return failGone
	}
	x.req.expect = false
	for i := range x.req.fields {
		if x.req.fields[i].kind == kindExpect {
			x.req.fields[i].kind = kindHop
		}
	}
	return nil
}

// appendInserted appends the fields that the ACL gives the application.
func (x *call) appendInserted(b []byte) []byte {
	for _, f := range x.inserted {
		b = append(b, f.Name...)
		b = append(b, ": "...)
		b = append(b, f.Value...)
		b = append(b, "\r\n"...)
	}
	return b
}

// peekBody waits until the first n bytes of the body are in the buffer, or all of it.
func (x *h1Exchange) peekBody(n int) (body []byte, more bool, f *failure) {
	c := x.c
	if x.req.chunked {
		return x.peekChunks(n)
	}
	want := int(min(int64(n), x.req.length))
	if f := c.readBody(want); f != nil {
		return nil, false, f
	}
	x.body.streaming = int64(c.w-c.r) < x.req.length
	return c.in[c.r : c.r+want], x.req.length > int64(n), nil
}

// peekChunks does so with a chunked body. What the chunks cost besides is bounded too.
func (x *h1Exchange) peekChunks(n int) (body []byte, more bool, f *failure) {
	c := x.c
	chunks := chunkScanner{request: true}
	by := c.s.now() + c.s.limits.BodyRead
	for at := 0; ; {
		var used int
		var done bool
		body, used, done, f = chunks.payloadOf(body, c.in[c.r+at:c.w])
		at += used
		switch {
		case f != nil:
			return nil, false, f
		case done:
			x.body.streaming = false
			return body[:min(n, len(body))], len(body) > n, nil
		case len(body) > n || at > 8*n+initialBuffer:
			return body[:min(n, len(body))], true, nil
		}
		if f := c.readBodyBy(c.w-c.r+1, by); f != nil {
			return nil, false, f
		}
	}
}

// payloadOf appends the payload of a piece of a chunked body to dst.
func (c *chunkScanner) payloadOf(dst, b []byte) (body []byte, used int, done bool, f *failure) {
	for used < len(b) && c.state != chunkDone {
		if c.state != chunkData {
			if f := c.step(b[used]); f != nil {
				return dst, used, false, f
			}
			used++
			continue
		}
		data := b[used:min(len(b), used+int(min(c.left, 1<<30)))]
		n, _, f := c.scan(data)
		if f != nil {
			return dst, used, false, f
		}
		dst, used = append(dst, data[:n]...), used+n
	}
	return dst, used, c.state == chunkDone, nil
}

// peekBody waits until the first n bytes of the body are there, or all of it.
func (st *h2Stream) peekBody(n int) (body []byte, more bool, f *failure) {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.bodyBy = st.s.now() + st.s.limits.BodyRead
	defer st.onTime()
	for len(st.in) < n && !st.recvClosed {
		if err := st.bodyOver(); err != nil {
			return nil, false, failSlowBody // or nobody is there to be told
		}
		st.awaitBody()
	}
	return bytes.Clone(st.in[:min(n, len(st.in))]), len(st.in) > n || !st.recvClosed, nil
}

// show is the same for a request that came through net/http.
func (v stdVisit) show(body int, _ bool) (*waf.Request, *failure) {
	r := &waf.Request{IP: v.address(), Method: v.Method, Fields: []waf.Field{{Name: "Host", Value: v.Host}}}
	r.Path, r.Query, _ = strings.Cut(requestTarget(v.Request), "?")
	for name, values := range v.Header {
		for _, value := range values {
			r.Fields = append(r.Fields, waf.Field{Name: name, Value: value})
		}
		if waf.Inserted(name) {
			v.Header.Del(name)
		}
	}
	if body == 0 || v.ContentLength == 0 {
		return r, nil
	}
	head, err := io.ReadAll(io.LimitReader(v.Body, int64(body)+1))
	if err != nil {
		if f := v.x.body.failed(); f != nil {
			return r, f
		}
		return r, failBody
	}
	v.Body = &rejoined{Reader: io.MultiReader(bytes.NewReader(head), v.Body), Closer: v.Body}
	r.Body, r.Truncated = head[:min(body, len(head))], len(head) > body
	return r, nil
}

// rejoined is a body of which the beginning was read already.
type rejoined struct {
	io.Reader
	io.Closer
}
