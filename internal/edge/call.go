package edge

import (
	"sync"
	"time"
	"unsafe"

	"slipway.dev/slipway/internal/edge/waf"
)

// call is one request on its way to an instance, and the answer to it, whichever protocol the client speaks. The files call*.go hold
// what all protocols share: the place at an instance, the connection to it, trying again, the time limits and the accounts.
type call struct {
	s      *Server
	clock  *clock
	client client
	ip     string // of the client

	req, ans head
	out      []byte       // what is written next: the request; over HTTP/1.1, later the beginning of the answer
	up       []byte       // what came from the instance
	ur, uw   int          // and is not used yet: up[ur:uw]
	large    *largeBuffer // lent for a long answer: up is in it
	usual    []byte       // and what up was before
	id       [32]byte

	service *service
	route   *Route
	backend *backend
	conn    *upstreamConn

	start, due time.Duration
	status     int
	failure    *failure
	sent       int64 // body bytes to the client
	body       requestBody
	protocol   string
	tls        uint16        // version; 0 without TLS
	entry      *accessRecord // for the access log; nil where none is kept
	inserted   []waf.Field   // for the instance, by the web ACL
	upgrade    *upgrade      // nil for most requests
}

// client is the side of a call that depends on the protocol of the client.
type client interface {
	bodySource
	// waitEnd is closed when the client does not wait for a place any more; nil when that cannot be told.
	waitEnd() <-chan struct{}
	// refuse answers with a failure.
	refuse(f *failure) outcome
	// passInterim passes the 1xx answer in ans on; false when the client is gone.
	passInterim() bool
	// pass passes the final answer on, whose head is in ans and whose body begins in up.
	pass() outcome
	// peekBody shows the first n bytes of the request's body, or all of it where it is shorter, and whether there is more.
	peekBody(n int) (body []byte, more bool, f *failure)
}

// bodySource is where the body of a request comes from.
type bodySource interface {
	// appendBody appends what is there of the body, as the instance gets it.
	appendBody(b []byte) ([]byte, *failure)
	// copyBody sends the rest; it runs on a goroutine of its own.
	copyBody(to *upstreamConn) error
	// abortRead makes copyBody return soon.
	abortRead()
	// ease asks for no more haste of who sends the body than that.
	ease(to haste)
}

// outcome says what becomes of the client's connection, or of its stream.
type outcome uint8

const (
	closeNow outcome = iota
	closeAfter
	keepOpen
	toStd
)

// answerBuffer is the size of the buffer answers pass through.
const answerBuffer = 16 << 10

// longAnswer is the size of the buffer that long answers pass through: with fewer system calls, and only while they do.
const longAnswer = 64 << 10

type largeBuffer [longAnswer]byte

var largeBuffers = sync.Pool{New: func() any { return new(largeBuffer) }}

// widen lends x a large buffer; what is in up is lost.
func (x *call) widen() {
	if x.large == nil {
		x.large = largeBuffers.Get().(*largeBuffer)
		x.usual, x.up = x.up, x.large[:]
	}
}

// narrow gives the large buffer back.
func (x *call) narrow() {
	if x.large == nil {
		return
	}
	if x.backend != nil {
		x.backend.verbose.Store(x.sent > answerBuffer)
	}
	largeBuffers.Put(x.large)
	x.up, x.large, x.usual = x.usual, nil, nil
}

// makeBuffers gives a new call its memory.
func (x *call) makeBuffers() {
	x.out, x.up = make([]byte, 0, answerBuffer), make([]byte, answerBuffer)
}

// empty leaves nothing in x but its memory.
func (x *call) empty() {
	x.narrow()
	req, ans := x.req, x.ans
	req.reset()
	ans.reset()
	out, up := x.out[:0], x.up
	if cap(out) > 2*smallBody {
		out = make([]byte, 0, answerBuffer)
	}
	*x = call{req: req, ans: ans, out: out, up: up}
}

// text views bytes as a string without copying. The bytes stay as they are for as long as the string is used.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// find finds the service that is meant, and books the connection there.
func (x *call) find(cc *clientConn) *failure {
	x.service = x.s.routing.lookupAt(cc.endpoint, text(x.req.host))
	switch {
	case x.service == nil:
		return failUnknownHost
	case !cc.belongTo(x.service):
		return failConns
	}
	return nil
}

// forward claims a place, asks an instance and passes its answer on, unless the policy of the service refuses the request.
func (x *call) forward() outcome {
	if p := x.service.policy.Load(); p != nil {
		if f := x.passPolicy(p); f != nil {
			x.service.counters.refused.Add(1)
			return x.client.refuse(f)
		}
	}
	if x.upgrade != nil && x.service.currentRoute().refusesUpgrades() {
		return x.client.refuse(failNoUpgrade)
	}
	cl := x.service.claim(x.client, x.wanted())
	if cl.failure != nil {
		if cl.failure == failBusy {
			x.service.counters.rejected.Add(1)
		}
		return x.client.refuse(cl.failure)
	}
	x.backend, x.route = cl.backend, cl.route
	defer func() { x.service.release(x.backend, scoreOf(x.status)) }()
	x.due = x.start + x.route.RequestTimeout
	if f := x.compose(); f != nil {
		return x.client.refuse(f)
	}
	if f := x.timedSend(); f != nil {
		return x.fail(f)
	}
	return x.answer()
}

// compose writes the request for the instance into out (§19): the client's header without what ends here, X-Forwarded-For with the
// client appended, X-Forwarded-Proto, a request id, and as much of the body as is there.
func (x *call) compose() *failure {
	r, b := &x.req, x.out[:0]
	b = append(b, r.method...)
	b = append(b, ' ')
	b = append(b, r.target...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = r.appendFields(b, passRequest)
	b = append(b, "X-Forwarded-For: "...)
	if r.forwarded > 0 {
		for i := range r.fields {
			if r.fields[i].kind == kindForwardedFor {
				b = append(b, r.fields[i].value...)
				b = append(b, ", "...)
			}
		}
	}
	b = append(b, x.ip...)
	b = append(b, "\r\nX-Forwarded-Proto: https\r\nX-Request-Id: "...)
	b = append(b, x.requestID()...)
	b = append(b, "\r\n"...)
	b = x.appendInserted(b)
	if x.route.Trace && !r.traced {
		b = appendTrace(b, x.s.wall(x.start))
	}
	if r.trailersOK {
		b = append(b, "Te: trailers\r\n"...)
	}
	if r.chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if x.upgrade != nil {
		b = x.upgrade.appendTo(b)
	}
	b = append(b, "\r\n"...)
	b, f := x.client.appendBody(b)
	x.out = b
	return f
}

// requestID returns the client's id or a new one.
func (x *call) requestID() []byte {
	if x.req.requestID == nil {
		x.req.requestID = appendRequestID(x.id[:0])
	}
	return x.req.requestID
}

// account counts the finished request and tells the access log.
func (x *call) account() {
	if x.service == nil && x.status == 0 {
		return // handed over, or the client went away
	}
	s := x.s
	took := s.now() - x.start
	if x.service != nil {
		x.service.counters.done(x.status, took, x.body.received, x.sent)
		if p := x.service.policy.Load(); p != nil && p.log != logNothing {
			x.logAccess(p.log, took)
		}
	}
}
