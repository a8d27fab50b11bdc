package e2e

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// received is what the application saw of a request.
type received struct {
	Method, Host, URI, Proto, Body, Remote string
	TLS                                    bool
	Header                                 http.Header
}

// TestFrontDoor: HTTPS by the installation's authority, plain HTTP redirected, headers as §19, unknown hosts refused.
//
// checklist: 52, 53, 181, 184
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "front-door", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)

	curl := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "curl", append([]string{"-sS", "--max-time", "20"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	https := []string{"--cacert", h.Env["SLIPWAY_CA"], "--connect-to", "::" + h.Env["SLIPWAY_HTTPS"]}
	for _, version := range []string{"--http1.1", "--http2"} {
		if out := curl(append(https, version, "https://"+s.Host()+"/")...); !strings.HasPrefix(out, "hello v1") {
			t.Errorf("curl %s: %s", version, out)
		}
	}
	// Plain HTTP never reaches the application.
	for method, code := range map[string]string{"GET": "301", "POST": "308"} {
		out := curl("-X", method, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "--connect-to", "::"+h.Env["SLIPWAY_HTTP"], "http://"+s.Host()+"/a/b?c=d")
		_, port, _ := strings.Cut(h.Env["SLIPWAY_HTTPS"], ":")
		if out != code+" https://"+s.Host()+":"+port+"/a/b?c=d" && out != code+" https://"+s.Host()+"/a/b?c=d" {
			t.Errorf("plain %s: %s", method, out)
		}
	}
	if out := curl(append(https, "-o", "/dev/null", "-w", "%{http_code}", "https://nobodyhere.us-east-1.apprunner.localhost/")...); out != "404" {
		t.Errorf("an unknown host answers %s", out)
	}
	if out, err := exec.CommandContext(t.Context(), "curl", "-sS", "--connect-to", "::"+h.Env["SLIPWAY_HTTPS"], "https://"+s.Host()+"/").CombinedOutput(); err == nil {
		t.Errorf("a client without the authority trusts the service: %s", out)
	}
	if _, err := tls.Dial("tcp", h.Env["SLIPWAY_HTTPS"], &tls.Config{ServerName: s.Host(), InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	watched{s}.seesHeaders(t)
}

// seesHeaders checks what arrives at the application.
func (s watched) seesHeaders(t *testing.T) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+s.Host()+"/request?q=%20x&q=1", strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "Connection": "X-Private", "X-Private": "1", "X-Own": "kept", "Te": "trailers",
	} {
		req.Header.Set(k, v)
	}
	res, err := s.House.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got received
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if got.Method != http.MethodPut || got.Host != s.Host() || got.URI != "/request?q=%20x&q=1" || got.Body != "the body" || got.TLS || got.Proto != "HTTP/1.1" {
		t.Errorf("the application saw %s", b)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "203.0.113.9, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Own": "kept", "X-Private": "", "Connection": "",
	} {
		if v := strings.Join(got.Header[name], ", "); v != want {
			t.Errorf("header %s arrived as %q, want %q", name, v, want)
		}
	}
}

// TestBrokenAnswers: what the front door says when an instance breaks a connection.
func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "breaks", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	if status, _, err := s.Get("/status?code=418"); status != http.StatusTeapot {
		t.Errorf("the application's own status became %d, %v", status, err)
	}
	if status, _, err := s.Get("/exit?code=0"); status != http.StatusBadGateway {
		t.Errorf("an instance that ended in a request gives %d, %v; want 502", status, err)
	}
	watched{s}.becomes(t, "hello v1") // checklist: 106
}

// TestPausedService: what works and what is refused while a service is paused; delete works.
//
// checklist: 129, 133, 134
func TestPausedService(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "paused", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}
	})
	s.Pause(t)
	s.Gone(t)
	if status, _, err := s.Get("/"); status != http.StatusServiceUnavailable {
		t.Errorf("a paused service answers %d, %v", status, err)
	}
	ctx := t.Context()
	again, err := h.Apps.PauseService(ctx, &apprunner.PauseServiceInput{ServiceArn: s.ServiceArn})
	if err != nil || again.OperationId != nil || again.Service.Status != types.ServiceStatusPaused {
		t.Errorf("pausing twice: %+v, %v", again, err)
	}
	_, updateErr := h.Apps.UpdateService(ctx, &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn, InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("1024")}})
	_, deployErr := h.Apps.StartDeployment(ctx, &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
	if rig.Code(updateErr) != "InvalidStateException" || rig.Code(deployErr) != "InvalidRequestException" {
		t.Errorf("a paused service: update %v, deployment %v", updateErr, deployErr)
	}
	if _, err := h.Apps.TagResource(ctx, &apprunner.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{{Key: aws.String("stage"), Value: aws.String("test")}}}); err != nil {
		t.Error(err)
	}
	if _, err := h.Apps.UntagResource(ctx, &apprunner.UntagResourceInput{ResourceArn: s.ServiceArn, TagKeys: []string{"team", "never-there"}}); err != nil {
		t.Error(err)
	}
	tags, err := h.Apps.ListTagsForResource(ctx, &apprunner.ListTagsForResourceInput{ResourceArn: s.ServiceArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "stage" || *tags.Tags[0].Value != "test" {
		t.Errorf("tags %s, %v", asJSON(t, tags), err)
	}
	list, err := h.Apps.ListServices(ctx, &apprunner.ListServicesInput{})
	if err != nil || !strings.Contains(asJSON(t, list), s.ARN()) {
		t.Errorf("list-services lacks the paused service, %v", err)
	}
	if ops := strings.Join(s.Operations(t), ", "); ops != "PAUSE_SERVICE SUCCEEDED, CREATE_SERVICE SUCCEEDED" { // checklist: 144
		t.Errorf("operations: %s", ops)
	}
	h.Remove(t, s.ARN())
	if s = h.Await(t, s.ARN(), types.ServiceStatusDeleted); s.DeletedAt == nil {
		t.Error("a deleted service has no DeletedAt")
	}
	if _, err := h.Apps.DeleteService(ctx, &apprunner.DeleteServiceInput{ServiceArn: s.ServiceArn}); rig.Code(err) != "ResourceNotFoundException" {
		t.Errorf("deleting twice: %v", err)
	}
}
