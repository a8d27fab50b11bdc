package signin

import (
	_ "embed"
	"io"
	"net/http"
	"strings"
	"time"

	"slipway.dev/slipway/internal/iam"
)

//go:embed signin.css
var styleSheet string

// formPage is what the page with the form shows.
type formPage struct {
	Attempt                     attempt // what was entered; passwords are not shown again
	AsRoot                      bool
	NeedsCode, NeedsNewPassword bool // the second step
	Failure                     string
}

// Second tells whether name and password are settled.
func (p formPage) Second() bool { return p.Attempt.Ticket != "" && (p.NeedsCode || p.NeedsNewPassword) }

// form shows the empty form.
func (h *Handler) form(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := formPage{AsRoot: q.Get("as") == "root", Attempt: attempt{Account: q.Get("account")}}
	if p.Attempt.Account == "" {
		p.Attempt.Account = h.Account
	}
	h.show(w, http.StatusOK, p)
}

func (h *Handler) show(w http.ResponseWriter, status int, p formPage) {
	h.render(w, status, p.html())
}

func (h *Handler) render(w http.ResponseWriter, status int, html string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, html); err != nil {
		h.Log.Debug("a browser went away before its page", "error", err)
	}
}

func style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeContent(w, r, "signin.css", time.Time{}, strings.NewReader(styleSheet))
}

// sessionPage is what somebody sees who has signed in.
type sessionPage struct {
	ARN, UserName string // no user name: root
	Until         string
	Lines         string // shell lines for command line tools
	Keys          []accessKey
	NewKey        *accessKey // just made; shown this once
	Failure       string
}

// csv is the new key as the file that other tools import, in the form of an address.
func (p sessionPage) csv() string {
	text := "Access key ID,Secret access key\r\n" + p.NewKey.ID + "," + p.NewKey.Secret + "\r\n"
	return "data:text/csv;charset=utf-8," + strings.NewReplacer("%", "%25", " ", "%20", "\r", "%0D", "\n", "%0A", "+", "%2B", "#", "%23").Replace(text)
}

// mayMakeKey tells whether the user has room for another key.
func (p sessionPage) mayMakeKey() bool { return p.UserName != "" && len(p.Keys) < maxKeys }

// maxKeys is how many keys a user may have.
const maxKeys = 2

// session shows the credentials of the browser's session.
func (h *Handler) session(w http.ResponseWriter, r *http.Request) {
	h.showSession(w, r, http.StatusOK, nil, "")
}

func (h *Handler) showSession(w http.ResponseWriter, r *http.Request, status int, made *accessKey, failure string) {
	s, there := sessionOf(r, h.Now())
	if !there {
		http.Redirect(w, r, "/console/signin", http.StatusSeeOther)
		return
	}
	p := sessionPage{ARN: s.ARN, UserName: s.UserName, Until: s.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST"), Lines: h.shellLines(s), NewKey: made, Failure: failure}
	if p.UserName != "" {
		var err error
		if p.Keys, err = h.accessKeys(r, s); err != nil && p.Failure == "" {
			p.Failure = "Your access keys cannot be listed: " + err.Error()
		}
	}
	h.render(w, status, p.html())
}

// shellLines make command line tools use the session.
func (h *Handler) shellLines(s session) string {
	var b strings.Builder
	for _, kv := range [][2]string{
		{"AWS_ENDPOINT_URL", h.Endpoint},
		{"AWS_ACCESS_KEY_ID", s.KeyID},
		{"AWS_SECRET_ACCESS_KEY", s.Secret},
		{"AWS_SESSION_TOKEN", s.Token},
		{"AWS_REGION", h.Region},
		{"AWS_DEFAULT_REGION", h.Region},
		{"AWS_CA_BUNDLE", h.CAFile},
	} {
		if kv[1] != "" {
			b.WriteString("export " + kv[0] + "='" + kv[1] + "'\n")
		}
	}
	return b.String()
}

// createKey makes an access key for the user who has signed in. A page that was left open does not make a second one by mistake:
// the form says how many keys there were when it was shown.
func (h *Handler) createKey(w http.ResponseWriter, r *http.Request) {
	s, there := sessionOf(r, h.Now())
	if !there {
		http.Redirect(w, r, "/console/signin", http.StatusSeeOther)
		return
	}
	keys, err := h.accessKeys(r, s)
	if err == nil && r.PostFormValue("After") != lastKey(keys) {
		h.showSession(w, r, http.StatusConflict, nil, "Your keys have changed since this page was shown. Look at them, and try again if you need another one.")
		return
	}
	var made accessKey
	if err == nil {
		made, err = h.newAccessKey(r, s)
	}
	if err != nil {
		h.showSession(w, r, http.StatusForbidden, nil, "No key was made: "+err.Error())
		return
	}
	h.showSession(w, r, http.StatusOK, &made, "")
}

// lastKey is what a form knows the keys by.
func lastKey(keys []accessKey) string {
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return strings.Join(ids, " ")
}

// signOut forgets the session of the browser. Its credentials end by themselves.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	setSession(w, r, iam.Credentials{ExpiresAt: time.Unix(0, 0)})
	http.Redirect(w, r, "/console/signin", http.StatusSeeOther)
}
