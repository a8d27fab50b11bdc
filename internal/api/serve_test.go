package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/wire"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

var scope = apprunner.Scope{Account: account, Region: region}

// serve puts services behind a listener with everything of the front door but signatures: who calls is root of the account. It
// keeps the handlers' tests apart from those of the frame.
func serve(t *testing.T, services ...*api.Service) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		prefix, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		for _, s := range services {
			if s.API.TargetPrefix == prefix {
				send(w, answer(r, s, name))
				return
			}
		}
		http.Error(w, "no such service", http.StatusNotFound)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func send(w http.ResponseWriter, res wire.Response) {
	w.Header().Set("Content-Type", res.ContentType)
	w.WriteHeader(res.Status)
	_, _ = w.Write(res.Body)
}

func answer(r *http.Request, s *api.Service, name string) wire.Response {
	op, act := s.API.Operation(name), s.Actions[name]
	if op == nil || act.Do == nil {
		return s.API.EncodeError(http.StatusNotFound, "UnknownOperationException", name+" is not implemented here", "id")
	}
	call := api.Call{Principal: iam.Principal{Type: iam.TypeRoot, Account: account, ARN: iam.RootARN(account)}, Scope: scope, UserAgent: r.UserAgent()}
	out, err := carryOut(r, s, op, act, call)
	if err == nil {
		return s.API.Encode(op, out, "id")
	}
	code := apprunner.CodeOf(err)
	var invalid *wire.ValidationError
	if errors.As(err, &invalid) {
		code = s.Constraint
	}
	return s.API.EncodeError(0, string(code), err.Error(), "id")
}

func carryOut(r *http.Request, s *api.Service, op *wire.Operation, act api.Action, call api.Call) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in, err := s.API.Decode(op, wire.Request{Body: body})
	if err != nil {
		return nil, err
	}
	if _, err := act.Permissions(r.Context(), call, in); err != nil {
		return nil, err
	}
	if err := s.API.Validate(op, in); err != nil {
		return nil, err
	}
	return act.Do(r.Context(), call, in)
}

func config(url string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}
}

// post sends a raw request and returns status and body.
func post(t *testing.T, url, target, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", target)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
