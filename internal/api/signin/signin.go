package signin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
)

// people knows who may sign in.
type people interface {
	SignIn(ctx context.Context, in iam.SignInInput) (iam.SignInAnswer, error)
}

// auditor keeps records.
type auditor interface {
	Record(ctx context.Context, r observe.AuditRecord, durable bool) error
}

// Config is what a Handler needs. All but CAFile, Log and Now are required.
type Config struct {
	People people
	Audit  auditor
	// API serves the AWS APIs, which the pages call as the person who has signed in.
	API http.Handler
	// Endpoint is the URL of these APIs for command line tools, and CAFile the authority they must trust, if it is not a public one.
	Endpoint, CAFile string
	Region           string
	// Account is the one the form proposes, and under which attempts are recorded whose account is not known.
	Account string
	Log     *slog.Logger
	Now     func() time.Time // default time.Now
}

const (
	// maxBody is the largest form in bytes.
	maxBody = 16 << 10

	// hashing is how many passwords are checked at once: each takes a processor for a while, and anybody may ask.
	hashing = 2
	// patience is how long an attempt waits for its turn.
	patience = 10 * time.Second
)

// Handler serves the pages below /console/.
type Handler struct {
	Config
	turns chan struct{}
	mux   http.Handler
}

// New checks the configuration.
func New(c Config) (*Handler, error) {
	if c.People == nil || c.Audit == nil || c.API == nil || c.Endpoint == "" || c.Region == "" || c.Account == "" {
		return nil, errors.New("signin: Config is not complete")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{Config: c, turns: make(chan struct{}, hashing)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/signin", h.form)
	mux.HandleFunc("POST /console/signin", h.signIn)
	mux.HandleFunc("GET /console/session", h.session)
	mux.HandleFunc("POST /console/keys", h.createKey)
	mux.HandleFunc("POST /console/signout", h.signOut)
	mux.HandleFunc("GET /console/signin.css", style)
	mux.HandleFunc("GET /console/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/console/session", http.StatusSeeOther)
	})
	h.mux = http.NewCrossOriginProtection().Handler(mux)
	return h, nil
}

// ServeHTTP answers one request. Nothing here may be kept by a cache or shown inside another site.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.mux.ServeHTTP(w, r)
}

// attempt is what a person, or a console, sends to sign in.
type attempt struct {
	Mail, Account, UserName, Password, Ticket, Code, NewPassword string
}

// readAttempt reads a form, or JSON where the request says so.
func readAttempt(r *http.Request) (a attempt, isJSON bool, err error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		return a, true, d.Decode(&a)
	}
	if err := r.ParseForm(); err != nil {
		return a, false, err
	}
	f := r.PostForm
	return attempt{
		Mail: f.Get("Mail"), Account: f.Get("Account"), UserName: f.Get("UserName"), Password: f.Get("Password"),
		Ticket: f.Get("Ticket"), Code: f.Get("Code"), NewPassword: f.Get("NewPassword"),
	}, false, nil
}

// signIn takes one step of a sign-in.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	in, isJSON, err := readAttempt(r)
	if err != nil {
		http.Error(w, "The request cannot be read.", http.StatusBadRequest)
		return
	}
	if !isJSON && r.PostForm.Get("NewPassword") != r.PostForm.Get("Again") {
		h.show(w, http.StatusBadRequest, formPage{Attempt: in, NeedsCode: r.PostForm.Has("Code"), NeedsNewPassword: true, Failure: "The two new passwords differ."})
		return
	}
	answer, err := h.try(r, in)
	if isJSON {
		h.answerJSON(w, answer, err)
		return
	}
	if err == nil && answer.Done() {
		setSession(w, r, answer.Credentials)
		http.Redirect(w, r, "/console/session", http.StatusSeeOther)
		return
	}
	page := formPage{Attempt: in, AsRoot: in.Mail != "", NeedsCode: answer.NeedsCode, NeedsNewPassword: answer.NeedsNewPassword}
	page.Attempt.Ticket = answer.Ticket
	if page.Attempt.Account == "" {
		page.Attempt.Account = h.Account
	}
	status := http.StatusOK
	if err != nil {
		status, page.Failure = refusal(err)
	}
	h.show(w, status, page)
}

// try takes the step when it is its turn, and records how the sign-in ended.
func (h *Handler) try(r *http.Request, in attempt) (iam.SignInAnswer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return iam.SignInAnswer{}, apprunner.Errorf(apprunner.CodeThrottling, "Too many people sign in at this moment. Try again.")
	}
	answer, err := h.People.SignIn(r.Context(), iam.SignInInput(in))
	if err != nil || answer.Done() {
		h.record(r, in, answer, err)
	}
	return answer, err
}

// refusal is how an attempt that failed is answered.
func refusal(err error) (status int, message string) {
	switch apprunner.CodeOf(err) {
	case apprunner.CodeAccessDenied:
		return http.StatusUnauthorized, err.Error()
	case apprunner.CodeThrottling:
		return http.StatusTooManyRequests, err.Error()
	case iam.CodePasswordPolicyViolation:
		return http.StatusBadRequest, err.Error()
	default:
		return http.StatusInternalServerError, "Something went wrong here. Try again."
	}
}

// jsonAnswer is what a console reads. An attempt that needs more is answered 200 with a ticket and without credentials.
type jsonAnswer struct {
	Credentials      *jsonCredentials `json:",omitempty"`
	ARN              string           `json:"Arn,omitempty"`
	NeedsCode        bool             `json:",omitempty"`
	NeedsNewPassword bool             `json:",omitempty"`
	Ticket           string           `json:",omitempty"`
	Code             string           `json:",omitempty"`
	Message          string           `json:",omitempty"`
}

type jsonCredentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

func (h *Handler) answerJSON(w http.ResponseWriter, a iam.SignInAnswer, err error) {
	out := jsonAnswer{NeedsCode: a.NeedsCode, NeedsNewPassword: a.NeedsNewPassword, Ticket: a.Ticket}
	status := http.StatusOK
	switch {
	case err != nil:
		status, out.Message = refusal(err)
		out.Code = string(cmp.Or(apprunner.CodeOf(err), apprunner.CodeInternal))
		if status == http.StatusInternalServerError {
			out.Code = string(apprunner.CodeInternal)
		}
	case a.Done():
		out.Credentials = &jsonCredentials{a.Credentials.AccessKeyID, a.Credentials.Secret, a.Credentials.Token, a.Credentials.ExpiresAt}
		out.ARN = a.Who.ARN
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(out); err != nil {
		h.Log.Debug("a client went away before its answer", "error", err)
	}
}
