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

// Config is what a Handler needs. All but Log and Now are required.
type Config struct {
	People people
	Audit  auditor
	// Endpoint is the URL below which the console is, as records tell it.
	Endpoint string
	Region   string
	// Account is the one under which attempts are recorded whose account is not known.
	Account string
	Log     *slog.Logger
	Now     func() time.Time // default time.Now
}

const (
	// maxBody is the largest attempt in bytes.
	maxBody = 16 << 10

	// hashing is how many passwords are checked at once: each takes a processor for a while, and anybody may ask.
	hashing = 2
	// patience is how long an attempt waits for its turn.
	patience = 10 * time.Second
)

// Handler answers POST /console/signin.
type Handler struct {
	Config
	turns chan struct{}
	steps http.Handler
}

// New checks the configuration.
func New(c Config) (*Handler, error) {
	if c.People == nil || c.Audit == nil || c.Endpoint == "" || c.Region == "" || c.Account == "" {
		return nil, errors.New("signin: Config is not complete")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{Config: c, turns: make(chan struct{}, hashing)}
	h.steps = http.NewCrossOriginProtection().Handler(http.HandlerFunc(h.signIn))
	return h, nil
}

// ServeHTTP takes one step of a sign-in. No cache may keep the answer.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.steps.ServeHTTP(w, r)
}

// attempt is what a person sends to sign in: name and password first, a ticket with what else is needed afterwards.
type attempt struct {
	Mail, Account, UserName, Password, Ticket, Code, NewPassword string
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		http.Error(w, "Send JSON, with Content-Type: application/json.", http.StatusUnsupportedMediaType)
		return
	}
	var in attempt
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		http.Error(w, "The request cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := h.try(r, in)
	h.answer(w, answer, err)
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

// reply is what the console reads. An attempt that needs more is answered 200 with a ticket and without credentials.
type reply struct {
	Credentials      *credentials `json:",omitempty"`
	ARN              string       `json:"Arn,omitempty"`
	NeedsCode        bool         `json:",omitempty"`
	NeedsNewPassword bool         `json:",omitempty"`
	Ticket           string       `json:",omitempty"`
	Code             string       `json:",omitempty"`
	Message          string       `json:",omitempty"`
}

type credentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

func (h *Handler) answer(w http.ResponseWriter, a iam.SignInAnswer, err error) {
	out := reply{NeedsCode: a.NeedsCode, NeedsNewPassword: a.NeedsNewPassword, Ticket: a.Ticket}
	status := http.StatusOK
	switch {
	case err != nil:
		status, out.Message = refusal(err)
		out.Code = string(cmp.Or(apprunner.CodeOf(err), apprunner.CodeInternal))
		if status == http.StatusInternalServerError {
			out.Code = string(apprunner.CodeInternal)
		}
	case a.Done():
		out.Credentials = &credentials{a.Credentials.AccessKeyID, a.Credentials.Secret, a.Credentials.Token, a.Credentials.ExpiresAt}
		out.ARN = a.Who.ARN
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(out); err != nil {
		h.Log.Debug("a client went away before its answer", "error", err)
	}
}
