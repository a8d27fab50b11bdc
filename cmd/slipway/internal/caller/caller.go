package caller

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"slipway.dev/slipway/internal/wire"
)

// Keys are what requests are signed with. Token is of temporary keys only.
type Keys struct {
	ID, Secret, Token string
}

// Client calls one installation. All but HTTP is required.
type Client struct {
	Endpoint string // such as http://127.0.0.1:8080
	Region   string
	Keys     func(context.Context) (Keys, error) // asked before each request
	HTTP     *http.Client                        // default http.DefaultClient
}

// Error is the refusal of a call by the server.
type Error struct {
	Code, Message string // as in the API's reference; Message may be empty
	Status        int    // of the HTTP answer
}

// Error is the message with its code.
func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s (HTTP status %d)", e.Code, e.Status)
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Code)
}

// maxAnswer is the most of an answer that is read, in bytes; pages of log events are the largest, with 1 MiB of text.
const maxAnswer = 32 << 20

// Call makes a call and returns its answer; Out is the operation's output struct, or struct{} where it has none, and in points to its input
// struct. The error is an *Error when the server refused.
//
// What is refused for the moment only is tried again, and so is a call that only looks when its connection broke.
func Call[Out any](ctx context.Context, c *Client, s *wire.Service, operation string, in any) (*Out, error) {
	op := s.Operation(operation)
	kind, body := s.EncodeRequest(op, in)
	r := request{service: s.SigningName, target: s.TargetPrefix + "." + operation, kind: kind, body: body}
	answer, err := c.persist(ctx, r, looks(operation))
	if err != nil {
		return nil, err
	}
	out, err := s.DecodeAnswer(op, answer)
	if err != nil {
		return nil, fmt.Errorf("the answer to %s cannot be read: %w", operation, err)
	}
	return out.(*Out), nil
}

// looks tells whether an operation changes nothing, by its name, as AWS names operations.
func looks(operation string) bool {
	for _, verb := range []string{"Describe", "List", "Get", "Filter"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

// request is a call, not yet signed.
type request struct {
	service, target, kind string
	body                  []byte
}

// pauses are the waits between the attempts of a call.
func pauses() []time.Duration { return []time.Duration{100 * time.Millisecond, 500 * time.Millisecond} }

func (c *Client) persist(ctx context.Context, r request, idempotent bool) ([]byte, error) {
	for _, pause := range pauses() {
		answer, err := c.once(ctx, r)
		if !passing(err, idempotent) || ctx.Err() != nil {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
	return c.once(ctx, r)
}

func (c *Client) once(ctx context.Context, r request) ([]byte, error) {
	req, err := c.signed(ctx, r)
	if err != nil {
		return nil, err
	}
	res, err := c.client().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer to %s: %w", r.target, err)
	}
	if res.StatusCode == http.StatusOK {
		return answer, nil
	}
	refusal := &Error{Status: res.StatusCode}
	if refusal.Code, refusal.Message = wire.DecodeError(answer); refusal.Code == "" {
		refusal.Code = http.StatusText(res.StatusCode)
	}
	return nil, refusal
}

func (c *Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return http.DefaultClient
}

func (c *Client) signed(ctx context.Context, r request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Endpoint, "/")+"/", bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("the address of the API: %w", err)
	}
	req.Header.Set("Content-Type", r.kind)
	req.Header.Set("X-Amz-Target", r.target)
	req.Header.Set("User-Agent", "slipway")
	keys, err := c.Keys(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(r.body)
	cred := aws.Credentials{AccessKeyID: keys.ID, SecretAccessKey: keys.Secret, SessionToken: keys.Token}
	return req, v4.NewSigner().SignHTTP(ctx, cred, req, hex.EncodeToString(sum[:]), r.service, c.Region, time.Now())
}
