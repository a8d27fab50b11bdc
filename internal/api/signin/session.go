package signin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"slipway.dev/slipway/internal/iam"
)

// session is what the cookie of a browser holds: temporary credentials and whose they are. Nobody needs to believe it: the
// credentials prove themselves at each call.
type session struct {
	KeyID, Secret, Token string
	ARN, UserName        string
	ExpiresAt            time.Time
}

const cookieName = "slipway_session"

// setSession gives the browser a session, or takes it away when the credentials have ended.
func setSession(w http.ResponseWriter, r *http.Request, c iam.Credentials) {
	text, err := json.Marshal(session{c.AccessKeyID, c.Secret, c.Token, c.Principal.ARN, c.Principal.UserName, c.ExpiresAt})
	if err != nil {
		text = nil
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: base64.RawURLEncoding.EncodeToString(text), Path: "/console/", Expires: c.ExpiresAt,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
}

// sessionOf reads the session of a request; there is none when it has ended.
func sessionOf(r *http.Request, now time.Time) (s session, there bool) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return s, false
	}
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(text, &s) != nil {
		return session{}, false
	}
	return s, s.KeyID != "" && now.Before(s.ExpiresAt)
}

// accessKey is a key of the person who has signed in.
type accessKey struct {
	ID      string `xml:"AccessKeyId"`
	Secret  string `xml:"SecretAccessKey"`
	Status  string
	Created string `xml:"CreateDate"`
}

func (h *Handler) accessKeys(r *http.Request, s session) ([]accessKey, error) {
	var out struct {
		Keys []accessKey `xml:"ListAccessKeysResult>AccessKeyMetadata>member"`
	}
	return out.Keys, h.call(r, s, "ListAccessKeys", &out)
}

func (h *Handler) newAccessKey(r *http.Request, s session) (accessKey, error) {
	var out struct {
		Key accessKey `xml:"CreateAccessKeyResult>AccessKey"`
	}
	err := h.call(r, s, "CreateAccessKey", &out)
	return out.Key, err
}

// call calls an action of IAM as the person who has signed in, in the way of any client.
func (h *Handler) call(r *http.Request, s session, action string, out any) error {
	body := url.Values{"Action": {action}, "Version": {"2010-05-08"}, "UserName": {s.UserName}}.Encode()
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, h.Endpoint+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	cred := aws.Credentials{AccessKeyID: s.KeyID, SecretAccessKey: s.Secret, SessionToken: s.Token}
	if err := v4.NewSigner().SignHTTP(r.Context(), cred, req, hex.EncodeToString(sum[:]), "iam", "us-east-1", h.Now()); err != nil {
		return fmt.Errorf("sign a call: %w", err)
	}
	req.RemoteAddr, req.TLS, req.RequestURI = r.RemoteAddr, r.TLS, req.URL.RequestURI()
	req.Header.Set("User-Agent", r.UserAgent())
	var answer reply
	h.API.ServeHTTP(&answer, req)
	if answer.status == http.StatusOK {
		return xml.Unmarshal(answer.body.Bytes(), out)
	}
	var fault struct {
		Message string `xml:"Error>Message"`
	}
	if xml.Unmarshal(answer.body.Bytes(), &fault) != nil || fault.Message == "" {
		fault.Message = http.StatusText(answer.status)
	}
	return errors.New(fault.Message)
}

// reply takes the answer to a call inside the process.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *reply) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *reply) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *reply) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
