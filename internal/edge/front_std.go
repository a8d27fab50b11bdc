//lint:file-ignore SA1019 net/http cannot yet serve an HTTP/2 connection whose TLS handshake somebody else has done

package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// stdFront is the front door on net/http: HTTP/2, upgrades, redirects and what the own HTTP/1.1 path hands over.
type stdFront struct {
	edge     *Server
	server   *http.Server // of HTTP/1 connections handed over: one request each, so that every request passes the own parser
	over2    *http.Server // of HTTP/2 connections
	redirect *http.Server
	h2       *http2.Server
	listener *handover // HTTP/1 connections handed over by the own path
	plain    *handover // connections to be redirected
	proxy    *httputil.ReverseProxy
	upstream *http.Transport
}

func newStdFront(s *Server) (*stdFront, error) {
	f := &stdFront{edge: s, listener: newHandover(), plain: newHandover()}
	errLog := slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug)
	server := func() *http.Server {
		return &http.Server{
			Handler: f, ReadHeaderTimeout: s.limits.HeadRead, IdleTimeout: s.limits.ClientIdle,
			MaxHeaderBytes: s.limits.HeadBytes, ErrorLog: errLog, DisableGeneralOptionsHandler: true,
		}
	}
	f.server, f.over2 = server(), server()
	f.server.SetKeepAlivesEnabled(false)
	f.server.ConnContext = withTLSVersion
	f.h2 = &http2.Server{
		MaxConcurrentStreams: uint32(s.limits.StreamsPerConn), IdleTimeout: s.limits.ClientIdle,
		ReadIdleTimeout: s.limits.ClientStall, WriteByteTimeout: s.limits.ClientStall,
	}
	if err := http2.ConfigureServer(f.over2, f.h2); err != nil {
		return nil, err
	}
	f.redirect = &http.Server{
		Handler: http.HandlerFunc(f.redirectToHTTPS), ReadHeaderTimeout: s.limits.HeadRead, ReadTimeout: s.limits.HeadRead,
		WriteTimeout: s.limits.ClientStall, IdleTimeout: s.limits.HeadRead, MaxHeaderBytes: s.limits.HeadBytes, ErrorLog: errLog, ConnContext: withEndpoint,
	}
	f.upstream = &http.Transport{
		DialContext:        (&net.Dialer{Timeout: s.limits.Connect}).DialContext,
		DisableCompression: true, MaxIdleConnsPerHost: s.limits.UpstreamIdleConns, IdleConnTimeout: s.limits.UpstreamIdle,
		MaxResponseHeaderBytes: int64(s.limits.HeadBytes), ExpectContinueTimeout: s.limits.Linger,
	}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: f, FlushInterval: -1, ErrorLog: errLog,
		ModifyResponse: f.modifyResponse, ErrorHandler: f.proxyFailed,
	}
	return f, nil
}

// run serves until close.
func (f *stdFront) run() {
	done := make(chan struct{})
	go func() { defer close(done); f.redirect.Serve(f.plain) }()
	f.server.Serve(f.listener)
	<-done
}

// beginDrain sends GOAWAY on HTTP/2 connections and closes idle ones of HTTP/1. It returns at once.
func (f *stdFront) beginDrain() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.over2.Shutdown(ctx)
	f.redirect.Shutdown(ctx)
}

// close ends run and what is still open.
func (f *stdFront) close() {
	f.listener.Close()
	f.plain.Close()
	f.server.Close()
	f.over2.Close()
	f.redirect.Close()
	f.upstream.CloseIdleConnections()
	f.edge.h2c.CloseIdleConnections()
}

func (f *stdFront) serveRedirect(cc *clientConn) { f.plain.give(cc) }

func (f *stdFront) serveHTTP2(conn *tls.Conn) {
	f.h2.ServeConn(conn, &http2.ServeConnOpts{Context: withEndpoint(context.Background(), conn), BaseConfig: f.over2, Handler: f})
	conn.Close()
}

// redirectToHTTPS answers plain HTTP: same host, path and query; 301 for GET and HEAD, 308 otherwise (§19). Challenges of certificate
// authorities are answered here.
func (f *stdFront) redirectToHTTPS(w http.ResponseWriter, r *http.Request) {
	if f.edge.routing.answerChallenge(w, r) {
		return
	}
	if f.edge.routing.lookupAt(endpointIn(r.Context()), r.Host) == nil {
		writeFailure(w, r, failUnknownHost, "")
		return
	}
	status := http.StatusPermanentRedirect
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		status = http.StatusMovedPermanently
	}
	w.Header().Set("Location", "https://"+f.edge.secureHost(r)+requestTarget(r))
	w.WriteHeader(status)
}

// secureHost is the host of a request with the port that HTTPS is reached at.
func (s *Server) secureHost(r *http.Request) string {
	name := hostName(r.Host)
	if s.cfg.HTTPSPort == 0 || s.cfg.HTTPSPort == securePort || endpointIn(r.Context()) != "" {
		return name
	}
	return name + ":" + strconv.Itoa(s.cfg.HTTPSPort)
}

// requestTarget is the path and query as the client wrote them.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// exchange is the state of one request on its way through net/http.
type exchange struct {
	service *service
	claim   claim
	failure *failure
	timer   *time.Timer
	body    *countedBody
	until   *deadlines
	id      string
	status  int // of the instance's answer; 0 while there is none
	// upstream is how long the instance took to begin its answer.
	upstream time.Duration
}

// tlsVersionKey leads to the TLS version of a connection, where net/http cannot see it.
type tlsVersionKey struct{}

// withTLSVersion notes the TLS version of a connection handed over, and the endpoint it came in at.
func withTLSVersion(ctx context.Context, c net.Conn) context.Context {
	ctx = withEndpoint(ctx, c)
	if p, ok := c.(*prefixConn); ok {
		c = p.Conn
	}
	if secure, ok := c.(*tls.Conn); ok {
		return context.WithValue(ctx, tlsVersionKey{}, secure.ConnectionState().Version)
	}
	return ctx
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// ServeHTTP routes one request.
func (f *stdFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	until := &deadlines{control: http.NewResponseController(w)}
	defer until.end()
	rec := &recorder{ResponseWriter: w, deadlines: until, stall: f.edge.limits.ClientStall, noInterim: !r.ProtoAtLeast(1, 1)}
	x := &exchange{id: requestID(r.Header.Get("X-Request-Id")), until: until}
	x.body = &countedBody{ReadCloser: &trailing{r.Body, &r.Trailer}, deadlines: until, limits: &f.edge.limits}
	defer func() {
		// The proxy panics to cut a connection whose answer has begun; that request is counted like every other.
		f.edge.finish(x, r, rec, start)
	}()
	if x.failure = f.admit(r, x); x.failure != nil {
		writeFailure(rec, r, x.failure, x.id)
		return
	}
	f.forward(rec, r, x)
}

// admit finds the service of a request, and tells why the request goes no further; nil when it does.
func (f *stdFront) admit(r *http.Request, x *exchange) *failure {
	if unfit := f.judge(r); unfit != nil {
		return unfit
	}
	if x.service = f.edge.routing.lookupAt(endpointIn(r.Context()), r.Host); x.service == nil {
		return failUnknownHost
	}
	if r.ContentLength != 0 {
		r.Body = x.body
	}
	p := x.service.policy.Load()
	if p == nil {
		return nil
	}
	refused := p.admit(stdVisit{r, x, f.edge}, f.edge.now())
	if refused != nil {
		x.service.counters.refused.Add(1)
	}
	return refused
}

// judge refuses what the own fronts refuse and net/http or quic-go do not.
func (f *stdFront) judge(r *http.Request) *failure {
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	switch u := r.URL; {
	case len(r.RequestURI) > f.edge.limits.TargetBytes:
		return failTarget
	case fields > f.edge.limits.Headers:
		return failHeadSize
	case u.User != nil || u.Scheme != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https"):
		return badTarget
	case !validHost([]byte(r.Host)):
		return badHost
	}
	h := head{method: []byte(r.Method), target: []byte(r.RequestURI)}
	return h.judgeTarget()
}

// forward claims an instance and carries the request there and the answer back.
func (f *stdFront) forward(w http.ResponseWriter, r *http.Request, x *exchange) {
	if refused := upgradeFailure(r, x.service.currentRoute()); refused != nil {
		x.failure = refused
		writeFailure(w, r, refused, x.id)
		return
	}
	x.claim = x.service.claim(contextEnd{r.Context()}, wantedStd(x.service, r))
	if x.claim.failure != nil {
		x.failure = x.claim.failure
		writeFailure(w, r, x.failure, x.id)
		return
	}
	defer func() { x.service.release(x.claim.backend, x.score()) }()
	if x.claim.route.H2C && endless([]byte(r.Header.Get("Content-Type"))) {
		x.body.ease()
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), exchangeKey{}, x))
	defer cancel(nil)
	x.timer = time.AfterFunc(x.claim.route.RequestTimeout, func() {
		cancel(failTimeout)
		x.until.write(longAgo) // who takes the answer slowly does not hold its place
	})
	defer x.timer.Stop()
	f.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// contextEnd lets a context end a wait for a place.
type contextEnd struct{ ctx context.Context } //nolint:containedctx // lives as long as the call it is passed to

func (e contextEnd) waitEnd() <-chan struct{} { return e.ctx.Done() }

// upgradeFailure tells why an upgrade is refused, if it is one and is.
func upgradeFailure(r *http.Request, route *Route) *failure {
	upgrade := r.Header.Get("Upgrade")
	switch {
	case r.Method == http.MethodConnect:
		return failMethod
	case upgrade == "":
		return nil
	case strings.Contains(strings.ToLower(upgrade), "h2c") || r.Header.Get("HTTP2-Settings") != "":
		return failH2C
	case route.refusesUpgrades():
		return failNoUpgrade
	}
	return nil
}

// refusesUpgrades tells whether the service takes no WebSockets; it does not when there is no service any more.
func (r *Route) refusesUpgrades() bool { return r != nil && (r.NoUpgrade || r.H2C) }

// rewrite makes the request for the instance (§19): Host kept, X-Forwarded-For appended, X-Forwarded-Proto https.
func rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	pr.Out.URL = &url.URL{Scheme: "http", Host: x.claim.backend.address, RawQuery: pr.In.URL.RawQuery, ForceQuery: pr.In.URL.ForceQuery}
	pr.Out.URL.Path, pr.Out.URL.RawPath = pr.In.URL.Path, pr.In.URL.RawPath
	if path, _, _ := strings.Cut(pr.In.RequestURI, "?"); strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		pr.Out.URL.Opaque = path // as the client wrote it, byte for byte
	}
	pr.Out.Trailer = pr.In.Trailer // filled when the body has been read, so it must be the same map
	h := pr.Out.Header
	client, _, _ := net.SplitHostPort(pr.In.RemoteAddr)
	if prior := pr.In.Header["X-Forwarded-For"]; len(prior) > 0 {
		client = strings.Join(prior, ", ") + ", " + client
	}
	h.Set("X-Forwarded-For", client)
	h.Set("X-Forwarded-Proto", "https")
	h.Set("X-Request-Id", x.id)
	for name := range h {
		if strings.Contains(name, "_") && kindOf([]byte(name)) == kindHop {
			delete(h, name)
		}
	}
	x.trace(h, time.Now())
	for _, name := range [...]string{"Forwarded", "X-Forwarded-Host"} {
		if v := pr.In.Header[name]; v != nil {
			h[name] = v
		}
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil // none of net/http's
	}
}

// modifyResponse runs before an answer is passed on. After an upgrade the request is over: what follows is a tunnel, which is
// not bound by the request's time.
func (f *stdFront) modifyResponse(resp *http.Response) error {
	x := exchangeOf(resp.Request.Context())
	if !validAnswer(resp) {
		return failBadAnswer
	}
	x.status = resp.StatusCode
	x.body.ease()
	x.stickStd(resp.Header, resp.Request)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		if resp.ContentLength < 0 {
			resp.Body = &trailing{resp.Body, &resp.Trailer}
		}
		f.streamBody(resp, x)
		return nil
	}
	x.timer.Stop()
	if conn, ok := resp.Body.(io.ReadWriteCloser); ok {
		resp.Body = f.edge.openTunnel(conn, x)
	}
	return nil
}

// validAnswer refuses what net/http takes from an instance and nobody else has to.
func validAnswer(resp *http.Response) bool {
	for name := range resp.Header {
		for i := range len(name) {
			if class[name[i]]&token == 0 {
				return false
			}
		}
	}
	return resp.StatusCode >= 100
}

// RoundTrip sends the request to the claimed instance, and once to another one when the first broke before it answered and
// nothing is lost by asking again.
func (f *stdFront) RoundTrip(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r.Context())
	asked := f.edge.now()
	resp, err := f.transport(x).RoundTrip(r)
	x.upstream = f.edge.now() - asked
	if err == nil || r.Context().Err() != nil {
		return resp, err
	}
	fail := failureOf(err)
	if fail == failBadAnswer {
		return nil, fail
	}
	if fail == failRefused {
		x.service.suspect(x.claim.backend)
	}
	if x.body.touched || (fail != failRefused && !idempotent(r.Method)) {
		return nil, fail
	}
	other := x.service.claimOther(contextEnd{r.Context()}, x.claim.backend)
	if other == nil {
		return nil, fail
	}
	x.service.counters.retries.Add(1)
	x.service.release(x.claim.backend, scoreBad)
	x.claim.backend = other
	again := r.Clone(r.Context())
	again.URL.Host = other.address
	resp, err = f.transport(x).RoundTrip(again)
	if err != nil && r.Context().Err() == nil {
		err = failureOf(err)
	}
	return resp, err
}

// transport returns what reaches the instance of x.
func (f *stdFront) transport(x *exchange) http.RoundTripper {
	if x.claim.route.H2C {
		return f.edge.h2c
	}
	return f.upstream
}

// idempotent tells whether a request may be sent twice (RFC 9110 §9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// failureOf turns an error of the way to the instance into what the client is told.
func failureOf(err error) *failure {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return failRefused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return failBroken
	case strings.Contains(err.Error(), "server closed idle connection"):
		return failBroken
	case strings.Contains(err.Error(), "server response headers exceeded"), strings.Contains(err.Error(), "response header list larger"):
		return failBigAnswer
	}
	return failBadAnswer
}

// proxyFailed answers when no instance did.
func (f *stdFront) proxyFailed(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r.Context())
	cause := context.Cause(r.Context())
	switch {
	case cause == failTimeout:
		x.failure = failTimeout
	case x.body.failed() == failSlowBody: // which ends the context too
		x.failure = failSlowBody
	case cause != nil:
		panic(http.ErrAbortHandler) // the client went away: nobody reads an answer
	case x.body.failed() != nil:
		x.failure = failBody
	case !errors.As(err, &x.failure):
		x.failure = failBroken
	}
	writeFailure(w, r, x.failure, x.id)
}

// writeFailure answers with f.
func writeFailure(w http.ResponseWriter, r *http.Request, f *failure, id string) {
	kind, text := f.content(wantsJSON(r.Header.Get("Accept")), id)
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	if id != "" {
		h.Set("X-Request-Id", id)
	}
	for _, fd := range f.header {
		h.Set(fd[0], fd[1])
	}
	w.WriteHeader(f.status)
	io.WriteString(w, text)
}

// finish counts a request and tells the access log.
func (s *Server) finish(x *exchange, r *http.Request, w *recorder, start time.Time) {
	took := time.Since(start)
	if x.service != nil {
		x.service.counters.done(w.status, took, x.body.received(), w.n)
		if x.failure == failBusy {
			x.service.counters.rejected.Add(1)
		}
		if p := x.service.policy.Load(); p != nil && p.log != logNothing {
			x.logAccess(s, p.log, r, w, start)
		}
	}
}
