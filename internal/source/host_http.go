package source

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

const (
	uploadPack  = "upload-pack"  // somebody fetches
	receivePack = "receive-pack" // somebody pushes

	// maxWants bounds what a fetching client says it wants and has.
	maxWants = 64 << 20
	// hostTimeout bounds one request of a git client.
	hostTimeout = time.Hour
	// slowestDrain is how long a slow client may take for the last 64 KiB after git has ended.
	slowestDrain = time.Minute
	// maxLeftOver is how much of a request that git did not read is taken off the wire; the connection of a longer one ends.
	maxLeftOver = 1 << 20
)

// ServeHTTP serves /git/<name>.git over git's smart HTTP protocol. It talks to upload-pack and receive-pack directly, not through git's
// CGI program, so that they run under the same confinement as everything else and stream both ways.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

// httpError is an answer other than success; git clients show the text of it to people.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

// errAnswered says that the answer had begun before something failed.
var errAnswered = errors.New("the answer was cut off")

func (h *Host) fail(w http.ResponseWriter, r *http.Request, err error) {
	var answer *httpError
	switch {
	case errors.Is(err, errAnswered):
		h.cfg.Log.Warn("git request failed", "path", r.URL.Path, "error", err)
		return
	case !errors.As(err, &answer):
		h.cfg.Log.Error("git request failed", "path", r.URL.Path, "error", err)
		answer = &httpError{http.StatusInternalServerError, "The server could not do that; its log tells why."}
	}
	if answer.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Slipway git"`)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.text+"\n")
}

func (h *Host) serve(w http.ResponseWriter, r *http.Request) error {
	name, action, err := splitPath(r.URL.Path)
	if err != nil {
		return err
	}
	if err := h.authenticate(r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), hostTimeout)
	defer cancel()
	switch {
	case action == "info/refs" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		return h.advertise(ctx, w, r, name)
	case action == "git-upload-pack" && r.Method == http.MethodPost:
		return h.rpc(ctx, w, r, name, uploadPack)
	case action == "git-receive-pack" && r.Method == http.MethodPost:
		return h.rpc(ctx, w, r, name, receivePack)
	}
	return &httpError{http.StatusNotFound, "This address is for git clients: git clone " + h.URL(name)}
}

func splitPath(p string) (name, action string, err error) {
	rest, _ := strings.CutPrefix(p, "/git/")
	name, action, _ = strings.Cut(rest, "/")
	name = strings.TrimSuffix(name, ".git")
	if err := checkName(name); err != nil {
		return "", "", &httpError{http.StatusNotFound, err.Error()}
	}
	return name, action, nil
}

func (h *Host) authenticate(r *http.Request) error {
	user, password, ok := r.BasicAuth()
	if !ok {
		return &httpError{http.StatusUnauthorized, "Give an access key id as user name and its secret as password."}
	}
	if err := h.cfg.Authenticate(r.Context(), user, password); err != nil {
		if apprunner.CodeOf(err) == apprunner.CodeInternal {
			h.cfg.Log.Warn("git access refused", "error", err)
		}
		return &httpError{http.StatusUnauthorized, "The access key id or its secret is wrong."}
	}
	return nil
}

// admit checks that the service may be used on the repository.
func (h *Host) admit(name, service string) error {
	if service == receivePack && h.exists(name) && h.full(name) {
		return &httpError{http.StatusForbidden, fmt.Sprintf("The repository %s has reached its limit of %d bytes. Remove it or raise the limit.", name, h.cfg.MaxRepository)}
	}
	if service == uploadPack && !h.exists(name) {
		return &httpError{http.StatusNotFound, fmt.Sprintf("There is no repository %s yet; the first push makes it.", name)}
	}
	return nil
}

// advertise answers the first question of every client: which references are there.
func (h *Host) advertise(ctx context.Context, w http.ResponseWriter, r *http.Request, name string) error {
	service, ok := strings.CutPrefix(r.URL.Query().Get("service"), "git-")
	if !ok || service != uploadPack && service != receivePack {
		return &httpError{http.StatusForbidden, "Only git's smart HTTP protocol is served. Use git 1.6.6 or newer."}
	}
	if err := h.admit(name, service); err != nil {
		return err
	}
	dir := h.dir(name)
	if !h.exists(name) {
		dir = filepath.Join(h.cfg.Dir, emptyRepositoryName)
	}
	out := newAnswer(w, "application/x-git-"+service+"-advertisement")
	protocol := protocolOf(r, service)
	if protocol != "version=2" {
		line := "# service=git-" + service + "\n"
		fmt.Fprintf(&out.prefix, "%04x%s0000", len(line)+4, line)
	}
	return out.end(h.cfg.Git.run(ctx, job{
		args: []string{service, "--stateless-rpc", "--advertise-refs", dir}, env: []string{"GIT_PROTOCOL=" + protocol},
		stdout: out, confinement: confinement{read: []string{dir}},
	}))
}

// protocolOf is the wire protocol the client asks for; pushes know only the first.
func protocolOf(r *http.Request, service string) string {
	for v := range strings.SplitSeq(r.Header.Get("Git-Protocol"), ":") {
		if service == uploadPack && v == "version=2" {
			return v
		}
	}
	return "version=0"
}

// rpc runs one exchange of a fetch or a push.
func (h *Host) rpc(ctx context.Context, w http.ResponseWriter, r *http.Request, name, service string) error {
	if r.Header.Get("Content-Type") != "application/x-git-"+service+"-request" {
		return &httpError{http.StatusUnsupportedMediaType, "This address is for git clients."}
	}
	if err := h.admit(name, service); err != nil {
		return err
	}
	limit := int64(maxWants)
	if service == receivePack {
		limit = h.cfg.MaxPush + maxWants
	}
	body, err := requestBody(r, limit)
	if err != nil {
		return err
	}
	out := newAnswer(w, "application/x-git-"+service+"-result")
	j := job{
		args: []string{service, "--stateless-rpc", h.dir(name)}, env: []string{"GIT_PROTOCOL=" + protocolOf(r, service)}, stdin: body, stdout: out, drain: slowestDrain,
		confinement: confinement{read: []string{h.dir(name)}},
	}
	run := func(j job) error { return h.exchange(ctx, w, r, j) }
	if service == uploadPack {
		return out.end(run(j))
	}
	return h.receive(ctx, name, j, out, run)
}

// exchange runs git while the request still comes in and the answer already goes out.
func (h *Host) exchange(ctx context.Context, w http.ResponseWriter, r *http.Request, j job) error {
	rc := http.NewResponseController(w)
	// Not every server can do these; without them only very slow or chatty transfers suffer.
	_, _, _ = rc.EnableFullDuplex(), rc.SetReadDeadline(time.Now().Add(hostTimeout)), rc.SetWriteDeadline(time.Now().Add(hostTimeout))
	err := h.cfg.Git.run(ctx, j)
	// What git did not want is read here: in full duplex net/http panics over a body that it has to finish itself after the handler.
	_ = rc.SetReadDeadline(time.Now().Add(slowestDrain))
	_, _ = io.CopyN(io.Discard, r.Body, maxLeftOver)
	return err
}

// receive runs a push and tells of the branches it moved. Every branch move is told exactly once, also when pushes run at the same time.
func (h *Host) receive(ctx context.Context, name string, j job, out *answer, run func(job) error) error {
	if err := h.Create(name); err != nil {
		return err
	}
	heads, err := h.tracked(name)
	if err != nil {
		return err
	}
	dir := h.dir(name)
	j.env = append(j.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=receive.maxInputSize", "GIT_CONFIG_VALUE_0="+strconv.FormatInt(h.cfg.MaxPush, 10))
	j.write = []string{dir}
	ran := run(j)
	// A push that failed half-way may still have moved something.
	moved, err := heads.diff(dir)
	if err == nil {
		err = pointHead(dir, moved)
	}
	h.announce(ctx, name, moved)
	if ended := out.end(ran); ended != nil {
		return ended
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errAnswered, err)
	}
	return nil
}

func (h *Host) announce(ctx context.Context, name string, moved []Push) {
	for _, p := range moved {
		p.Repository, p.URL = name, h.URL(name)
		h.cfg.Log.Info("push", slog.String("repository", name), slog.String("branch", p.Branch), slog.String("commit", p.New))
		if h.cfg.OnPush != nil {
			h.cfg.OnPush(context.WithoutCancel(ctx), p) // a pusher who hangs up does not undo the push
		}
	}
}

// requestBody unpacks what clients compress, up to a limit.
func requestBody(r *http.Request, limit int64) (io.Reader, error) {
	var body io.Reader = r.Body
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, &httpError{http.StatusBadRequest, "The request body is not gzip."}
		}
		body = z
	default:
		return nil, &httpError{http.StatusUnsupportedMediaType, "The content encoding is not supported."}
	}
	return io.LimitReader(body, limit), nil
}

// answer passes the output of git on as it comes. Headers go out with the first byte, so that a failure before it can be said properly.
type answer struct {
	w       http.ResponseWriter
	kind    string
	prefix  strings.Builder
	started bool
}

func newAnswer(w http.ResponseWriter, kind string) *answer { return &answer{w: w, kind: kind} }

func (a *answer) Write(p []byte) (int, error) {
	if err := a.start(); err != nil {
		return 0, err
	}
	n, err := a.w.Write(p)
	if err != nil {
		return n, err
	}
	// A server that cannot flush delivers at the end.
	if err := http.NewResponseController(a.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return n, err
	}
	return n, nil
}

func (a *answer) start() error {
	if a.started {
		return nil
	}
	a.started = true
	a.w.Header().Set("Content-Type", a.kind)
	a.w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	_, err := io.WriteString(a.w, a.prefix.String())
	return err
}

// end finishes the answer after git ended. Git reports most failures inside its own protocol and exits non-zero besides; then the
// client has been told.
func (a *answer) end(err error) error {
	switch {
	case err == nil:
		return a.start()
	case a.started:
		return fmt.Errorf("%w: %w", errAnswered, err)
	}
	return err
}
