package caller_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
	"slipway.dev/slipway/internal/wire/apprunner"
)

// answers is a server that gives its answers one after the other and notes what was asked.
type answers struct {
	list  []string // "<status> <body>"; "" breaks the connection
	asked []*http.Request
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked = append(a.asked, r)
	answer := a.list[min(len(a.asked), len(a.list))-1]
	if answer == "" {
		panic(http.ErrAbortHandler)
	}
	status, body, _ := strings.Cut(answer, " ")
	var code int
	_, _ = fmt.Sscan(status, &code)
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body))
}

func serve(t *testing.T, list ...string) (*answers, *caller.Client) {
	t.Helper()
	a := &answers{list: list}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return a, &caller.Client{Endpoint: srv.URL + "/", Region: "us-east-1", Keys: caller.Always(caller.Keys{ID: "AKIDEXAMPLE", Secret: "secret", Token: "token"})}
}

func pause(c *caller.Client) (*apprunner.PauseServiceResponse, error) {
	return caller.Call[apprunner.PauseServiceResponse](context.Background(), c, &apprunner.API, "PauseService", &apprunner.PauseServiceRequest{ServiceArn: new("arn")})
}

func list(c *caller.Client) (*apprunner.ListServicesResponse, error) {
	return caller.Call[apprunner.ListServicesResponse](context.Background(), c, &apprunner.API, "ListServices", nil)
}

func TestCall(t *testing.T) {
	a, c := serve(t, `200 {"OperationId":"op-1","New":[1]}`)
	out, err := pause(c)
	if err != nil || *out.OperationId != "op-1" {
		t.Fatalf("%+v, %v", out, err)
	}
	r := a.asked[0]
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	for name, want := range map[string]string{
		"X-Amz-Target": "AppRunner.PauseService", "Content-Type": "application/x-amz-json-1.0", "X-Amz-Security-Token": "token",
		"Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
	} {
		if got := r.Header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	for answer, want := range map[string]string{
		`400 {"__type":"com.amazonaws.apprunner#InvalidStateException","Message":"It is paused."}`: "It is paused. (InvalidStateException)",
		`404 {"__type":"ResourceNotFoundException","message":"No such service."}`:                  "No such service. (ResourceNotFoundException)",
		`413 {}`:       "Request Entity Too Large (HTTP status 413)",
		`502 <html>no`: "Bad Gateway (HTTP status 502)",
	} {
		a, c := serve(t, answer)
		_, err := pause(c)
		var refusal *caller.Error
		if !errors.As(err, &refusal) || err.Error() != want || len(a.asked) != 1 {
			t.Errorf("%s: %v, asked %d times", answer, err, len(a.asked))
		}
	}
}

// TestAttempts: a call that changes something is made once, unless it was refused for the moment only.
func TestAttempts(t *testing.T) {
	const later = `400 {"__type":"ThrottlingException","Message":"Rate exceeded"}`
	for _, tc := range []struct {
		answers          []string
		listing, pausing int
	}{
		{[]string{`200 {}`}, 1, 1},
		{[]string{`400 {"__type":"InvalidRequestException"}`}, 1, 1},
		{[]string{later, later, `200 {}`}, 3, 3},
		{[]string{later}, 3, 3},
		{[]string{`500 {"__type":"InternalServiceErrorException"}`, `200 {}`}, 2, 1},
		{[]string{``, `200 {}`}, 2, 1},
	} {
		a, c := serve(t, tc.answers...)
		_, listErr := list(c)
		b, d := serve(t, tc.answers...)
		_, pauseErr := pause(d)
		if len(a.asked) != tc.listing || len(b.asked) != tc.pausing {
			t.Errorf("%q: listed %d times (%v), paused %d times (%v)", tc.answers, len(a.asked), listErr, len(b.asked), pauseErr)
		}
		if wants := slices.Contains(tc.answers[:min(tc.listing, len(tc.answers))], `200 {}`); (listErr == nil) != wants {
			t.Errorf("%q: %v", tc.answers, listErr)
		}
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	a, c := serve(t, `503 {}`)
	ctx, cancel := context.WithCancel(context.Background())
	c.Keys = func(context.Context) (caller.Keys, error) {
		cancel()
		return caller.Keys{ID: "a", Secret: "b"}, nil
	}
	if _, err := caller.Call[apprunner.ListServicesResponse](ctx, c, &apprunner.API, "ListServices", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, asked %d times", err, len(a.asked))
	}
}
