package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/wire"
)

// identities tells who sends a request and what the sender may do.
type identities interface {
	Verify(ctx context.Context, r *http.Request, payload [32]byte) (iam.Principal, iam.Scope, error)
	Authorize(ctx context.Context, p iam.Principal, q iam.Request) error
}

// Config is what a Server needs. Services and Identities are required.
type Config struct {
	Services   []*Service
	Identities identities
	// Audit keeps the records of calls; nil keeps none.
	Audit auditor
	// Begin returns a context under which the first transaction that commits also begins the record of the call, and a function
	// that tells whether one did. Nil: records are written after the action.
	Begin func(ctx context.Context, record func() observe.AuditRecord) (context.Context, func() bool)
	// Throttle refuses calls that come too fast; what it returns is the answer, usually with CodeThrottling. Nil refuses none.
	Throttle func(p iam.Principal, service, operation string, now time.Time) error
	// Account is the account under which calls are recorded whose sender is not known.
	Account string
	Log     *slog.Logger
	Now     func() time.Time // default time.Now
	// ReadTimeout is how long a client may take to send a body, default 30 s, and as much more as the body's size needs on a slow
	// line; Timeout is how long an action may take, default 60 s.
	ReadTimeout, Timeout time.Duration
}

const (
	defaultReadTimeout = 30 * time.Second
	defaultTimeout     = 60 * time.Second

	// slowest is the line in bytes a second on which a body must still get through.
	slowest = 128 << 10

	// defaultMaxBody is the largest request body in bytes where a service does not set its own limit.
	defaultMaxBody = 1 << 20
)

// Server serves AWS APIs. It is an http.Handler.
type Server struct {
	Config
	bySigningName map[string]*Service
	byTarget      map[string]*Service
	byVersion     map[string]*Service
}

// New checks the configuration and builds the tables by which services are recognised.
func New(c Config) (*Server, error) {
	if len(c.Services) == 0 || c.Identities == nil {
		return nil, errors.New("api: Services and Identities are required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = defaultReadTimeout
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	s := &Server{Config: c}
	return s, s.index()
}

// exchange is one request on its way through the checks. What is not known yet is zero.
type exchange struct {
	http      *http.Request
	id        string
	entrance  *Entrance // nil: the call came in at no endpoint
	service   *Service
	claimed   string // the operation's name as the client wrote it
	claims    claim  // how it was written
	sent      []byte // the body as it was sent and signed
	body      []byte // the body, no longer compressed
	operation *wire.Operation
	call      Call
	eventID   string      // of the audit record
	begun     func() bool // whether the action's transaction holds the record already
	input     any
	output    any
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{http: r, id: apprunner.NewUUID(), entrance: entranceOf(r.Context())}
	err := s.guard(r.Context(), w, x)
	fault := s.fault(x, err)
	s.record(r.Context(), x, fault)
	s.reply(w, x, fault)
}

// guard turns a panic of an action into an error, so that it is answered and logged like one.
func (s *Server) guard(ctx context.Context, w http.ResponseWriter, x *exchange) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.run(ctx, w, x)
}

// run takes a request through the checks in the order of §1.3: signature, operation, shape, IAM, constraints, action.
func (s *Server) run(ctx context.Context, w http.ResponseWriter, x *exchange) error {
	if err := s.read(w, x); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	if err := s.verify(ctx, x); err != nil {
		return err
	}
	action, err := s.find(x)
	if err != nil {
		return err
	}
	if s.Throttle != nil {
		if err := s.Throttle(x.call.Principal, x.service.API.Name, x.operation.Name, s.Now()); err != nil {
			return err
		}
	}
	if x.input, err = x.api().Decode(x.operation, x.request()); err != nil {
		return apprunner.Errorf(apprunner.CodeSerialization, "%w", err)
	}
	if err := s.authorize(ctx, x, action); err != nil {
		return err
	}
	if err := x.service.API.Validate(x.operation, x.input); err != nil {
		if x.service.Refuse != nil {
			return x.service.Refuse(err)
		}
		return apprunner.Errorf(x.service.Constraint, "%w", err)
	}
	x.output, err = action.Do(s.begin(ctx, x), x.call, x.input)
	return err
}

// read recognises the service, whose protocol every answer from here on speaks, and reads the body.
func (s *Server) read(w http.ResponseWriter, x *exchange) error {
	s.recognise(x, nil)
	limit := int64(defaultMaxBody)
	if x.service != nil {
		limit = max(limit, x.service.MaxBody)
	}
	deadline := http.NewResponseController(w)
	patience := s.ReadTimeout + time.Duration(min(limit, max(0, x.http.ContentLength))/slowest)*time.Second
	_ = deadline.SetReadDeadline(time.Now().Add(patience)) // the clock of the network; recorders in tests have none
	body, err := readAll(http.MaxBytesReader(w, x.http.Body, limit), x.http.ContentLength, limit)
	_ = deadline.SetReadDeadline(time.Time{})
	x.sent, x.body = body, body
	if err == nil && x.http.Header.Get("Content-Encoding") == "gzip" {
		x.body, err = unzip(body, limit)
	}
	s.recognise(x, x.body)
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return apprunner.Errorf(codeTooLarge, "The request body is larger than the %d bytes that are allowed.", tooLarge.Limit)
	}
	if err != nil {
		return apprunner.Errorf(apprunner.CodeSerialization, "The request body could not be read: %w", err)
	}
	return nil
}

// unzip undoes what clients do to large bodies of requests that they may compress. What is in it has the same limit as one that is not.
func unzip(body []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("it is not gzip: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is not gzip: %w", err)
	case int64(len(plain)) > limit:
		return nil, &http.MaxBytesError{Limit: limit}
	}
	return plain, nil
}

// readAll reads a body into a buffer of the announced size, if that is within the limit.
func readAll(r io.Reader, announced, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if announced > 0 && announced <= limit {
		b.Grow(int(announced) + bytes.MinRead)
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

func (x *exchange) request() wire.Request {
	return wire.Request{RawQuery: x.http.URL.RawQuery, Body: x.body}
}

// globalRegion is where calls are made that name no region.
const globalRegion = "us-east-1"

var regionForm = pattern.Of(`^[a-z][a-z0-9-]{0,30}[a-z0-9]$`)

// unsigned tells whether a request has no signature and asks for an action that needs none.
func (x *exchange) unsigned() bool {
	return x.service != nil && x.service.Actions[x.claimed].Unsigned && x.http.Header.Get("Authorization") == "" && !x.http.URL.Query().Has("X-Amz-Signature")
}

// verify finds out who sends the request, and holds what the signature is for against what is asked.
func (s *Server) verify(ctx context.Context, x *exchange) error {
	if x.unsigned() {
		x.call = Call{
			Scope: apprunner.Scope{Region: globalRegion}, RequestID: x.id, UserAgent: x.http.UserAgent(), SourceIP: sourceIP(x.http), Secure: x.http.TLS != nil,
			bearer: new(observe.AuditIdentity),
		}
		return nil
	}
	p, scope, err := s.Identities.Verify(ctx, x.http, sha256.Sum256(x.sent))
	if err != nil {
		return err
	}
	x.call = Call{
		Principal: p, Scope: apprunner.Scope{Account: p.Account, Region: scope.Region}, RequestID: x.id,
		UserAgent: x.http.UserAgent(), SourceIP: sourceIP(x.http), Secure: x.http.TLS != nil, entrance: x.entrance,
	}
	if x.service == nil {
		return apprunner.Errorf(apprunner.CodeUnknownOperation, "The AWS API %s is not served here.", clip(scope.Service, 64))
	}
	if scope.Service != x.service.API.SigningName {
		return apprunner.Errorf(apprunner.CodeInvalidSignature, "Credential should be scoped to correct service: '%s'.", x.service.API.SigningName)
	}
	if !regionForm.MatchString(scope.Region) || x.entrance != nil && scope.Region != x.entrance.Region {
		return apprunner.Errorf(apprunner.CodeInvalidSignature, "Credential should be scoped to a valid region.")
	}
	return nil
}

// find looks the operation up.
func (s *Server) find(x *exchange) (Action, error) {
	name := x.claimed
	if name == "" {
		return Action{}, apprunner.Errorf(apprunner.CodeUnknownOperation, "The request names no operation.")
	}
	x.operation = x.service.API.Operation(name)
	action, served := x.service.Actions[name]
	if x.operation == nil || !served {
		return Action{}, apprunner.Errorf(apprunner.CodeUnknownOperation, "The operation %s of %s is not implemented here.", clip(name, 128), x.service.API.SigningName)
	}
	return action, nil
}

// authorize asks the policies all that the action says it needs.
func (s *Server) authorize(ctx context.Context, x *exchange, a Action) error {
	questions, err := a.Permissions(ctx, x.call, x.input)
	if err != nil {
		return err
	}
	for _, q := range questions {
		q.Context = x.call.context(q.Context)
		x.entrance.limit(&q)
		if err := s.Identities.Authorize(ctx, x.call.Principal, q); err != nil {
			return err
		}
	}
	return nil
}

// reply writes the answer.
func (s *Server) reply(w http.ResponseWriter, x *exchange, f *fault) {
	var answer wire.Response
	if f == nil {
		answer = x.api().Encode(x.operation, x.output, x.id)
	} else {
		answer = x.api().EncodeError(f.status, f.code, f.message, x.id)
	}
	h := w.Header()
	h.Set("x-amzn-RequestId", x.id)
	if answer.ContentType != "" {
		h.Set("Content-Type", answer.ContentType)
	}
	if x.api().Protocol == wire.CBOR {
		h.Set("Smithy-Protocol", smithyCBOR)
	}
	if f != nil && f.query != "" {
		h.Set("x-amzn-query-error", f.query)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(answer.Status)
	if _, err := w.Write(answer.Body); err != nil {
		s.Log.Debug("the client went away before its answer", "request_id", x.id, "error", err)
	}
}
