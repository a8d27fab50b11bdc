package events

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Endpoint is a web hook: where events for an ARN go.
type Endpoint struct {
	// URL is https, or http to this very machine; http to others only with Plain. A user and a password in it are sent as such.
	URL    string
	Plain  bool
	Secret []byte // signs what is sent; none: it is not signed
}

// Check tells what is wrong with the address.
func (e Endpoint) Check() error {
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("it is no https:// or http:// URL")
	case u.Scheme == "http" && !e.Plain && !onThisMachine(u.Hostname()):
		return errors.New("plain http goes to this machine only, unless the setting event-http allows it")
	}
	return nil
}

func onThisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

const (
	// hookTimeout is how long a web hook may take to answer.
	hookTimeout = 10 * time.Second
	// hookAtOnce is how many deliveries to one URL may be under way.
	hookAtOnce = 8
	// maxAnswer is how much of an answer is read, so that the connection can be used again.
	maxAnswer = 64 << 10
)

// webhook sends events to a URL.
type webhook struct {
	url    string
	secret []byte
	client *http.Client
	slots  chan struct{} // shared by all that send to the URL
	now    func() time.Time
}

func newWebhook(e Endpoint, transport http.RoundTripper, now func() time.Time, slots chan struct{}) (*webhook, error) {
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("events: the address of a web hook: %w", err)
	}
	secret, err := secretOf(e.Secret)
	if err != nil {
		return nil, err
	}
	return &webhook{
		url: e.URL, secret: secret, slots: slots, now: now,
		client: &http.Client{Transport: transport, Timeout: hookTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the operator named this URL, and no other
		}},
	}, nil
}

// secretOf reads a secret. One that begins with whsec_ is base64 behind that, as Standard Webhooks has it.
func secretOf(text []byte) ([]byte, error) {
	encoded, is := bytes.CutPrefix(text, []byte("whsec_"))
	if !is {
		return text, nil
	}
	secret, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return nil, errors.New("events: the secret of a web hook begins with whsec_, but what follows is not base64")
	}
	return secret, nil
}

// message is what a web hook gets.
type message struct {
	id      string // the same at every try
	body    []byte
	headers map[string]string
}

// messageID names a delivery, so that receivers notice one that comes twice: the event, and what it was chosen by.
func messageID(eventID string, l laneKey) string {
	sum := sha256.Sum256([]byte(RuleARN(l.Scope, l.rule) + "\x00" + l.target + "\x00" + strconv.FormatBool(l.dead)))
	return eventID + "-" + hex.EncodeToString(sum[:4])
}

// send posts a message. It is signed as Standard Webhooks describes: HMAC-SHA256 over id, time and body.
func (w *webhook) send(ctx context.Context, m message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(m.body))
	if err != nil {
		return failure{err: err, final: true}
	}
	at := strconv.FormatInt(w.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Slipway-Events")
	req.Header.Set("Webhook-Id", m.id)
	req.Header.Set("Webhook-Timestamp", at)
	for name, value := range m.headers {
		req.Header.Set(name, value)
	}
	if len(w.secret) > 0 {
		mac := hmac.New(sha256.New, w.secret)
		fmt.Fprintf(mac, "%s.%s.", m.id, at)
		mac.Write(m.body)
		req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	res, err := w.client.Do(req)
	if err != nil {
		return failure{err: withoutURL(err)}
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // what it says beside the status does not matter
	return judge(res, w.now())
}

// withoutURL is the cause of a failed request: the URL may hold a password.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// judge tells from an answer whether a message arrived, and if not, whether another try may help (EventBridge, API destinations).
func judge(res *http.Response, now time.Time) error {
	switch s := res.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s == http.StatusUnauthorized, s == http.StatusProxyAuthRequired, s == http.StatusRequestTimeout, s == http.StatusConflict,
		s == http.StatusTooEarly, s == http.StatusTooManyRequests, s >= 500:
		return failure{err: fmt.Errorf("it answered %s", res.Status), after: retryAfter(res.Header.Get("Retry-After"), now)}
	default:
		return failure{err: fmt.Errorf("it answered %s", res.Status), final: true}
	}
}

// retryAfter reads how long a server wants to be left alone: seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
