package iam_test

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
)

const (
	instanceID  = "0123456789abcdef0123456789abcdef"
	serviceARN  = "arn:aws:apprunner:us-east-1:123456789012:service/web/0123456789abcdef0123456789abcdef"
	instanceARN = "arn:aws:iam::123456789012:role/app"
	tasksTrust  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole",
		"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`
)

// endpoint serves credentials to instances on a loopback address.
func endpoint(t *testing.T, d *iam.Directory) (*iam.InstanceEndpoint, string) {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	e := must[*iam.InstanceEndpoint](t)(iam.NewInstanceEndpoint(iam.InstanceEndpointConfig{Directory: d, URL: srv.URL + "/v1/credentials"}))
	handler = e
	return e, srv.URL
}

// provider is the SDK as an application in an instance configures it: by its environment alone.
func provider(t *testing.T, env []string) aws.CredentialsProvider {
	t.Helper()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	return must[aws.Config](t)(awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRetryMaxAttempts(1))).Credentials
}

func instanceRole(t *testing.T, d *iam.Directory) {
	t.Helper()
	must[iam.Role](t)(d.CreateRole(t.Context(), iam.Role{Account: account, Name: "app", Trust: tasksTrust}))
	ok(t, d.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityRole, Name: "app"}, "p",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"apprunner:DescribeService","Resource":"*"}}`))
}

func verifyAt(t *testing.T, d *iam.Directory, cred aws.Credentials, at time.Time) (iam.Principal, error) {
	t.Helper()
	p, _, err := d.Verify(t.Context(), received(t, signed(t, cred, "{}", at), []byte("{}")), sha256.Sum256([]byte("{}")))
	return p, err
}

// checklist: 208
func TestInstanceCredentialsThroughTheSDK(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	c.us.Store(time.Now().UnixMicro()) // the SDK's own clock says when credentials have expired
	d := open(t, dir, c)
	instanceRole(t, d)
	e, _ := endpoint(t, d)
	env := must[[]string](t)(e.Register(t.Context(), instanceID, serviceARN, instanceARN))
	cred := must[aws.Credentials](t)(provider(t, env).Retrieve(t.Context()))
	if life := cred.Expires.Sub(c.Now()); !cred.CanExpire || life < 50*time.Minute || life > time.Hour {
		t.Errorf("credentials for %v", life)
	}
	p, err := verifyAt(t, d, cred, c.Now())
	ok(t, err)
	if p.ARN != "arn:aws:sts::123456789012:assumed-role/app/"+instanceID || p.PolicyARN() != instanceARN {
		t.Errorf("principal %+v", p)
	}
	ok(t, d.Authorize(t.Context(), p, describe))
	wantCode(t, d.Authorize(t.Context(), p, iam.Request{Action: "apprunner:DeleteService", Resource: "*"}), apprunner.CodeAccessDenied)

	// Another process with the same database and key goes on where the first one stopped.
	again := open(t, dir, c)
	e2, _ := endpoint(t, again)
	env2 := must[[]string](t)(e2.Register(t.Context(), instanceID, serviceARN, instanceARN))
	if env2[1] != env[1] {
		t.Error("the token of an instance changed")
	}
	_, err = verifyAt(t, again, cred, c.Now())
	ok(t, err)

	// Each fetch gives credentials that live longer, and the old ones end.
	c.Advance(45 * time.Minute)
	fresh := must[aws.Credentials](t)(provider(t, env2).Retrieve(t.Context()))
	if !fresh.Expires.After(cred.Expires) {
		t.Error("the second fetch gave credentials that end no later")
	}
	c.Advance(20 * time.Minute)
	_, err = verifyAt(t, again, cred, c.Now())
	wantCode(t, err, apprunner.CodeExpiredToken)
	_, err = verifyAt(t, again, fresh, c.Now())
	ok(t, err)

	// With the instance everything ends: its token, its credentials, and what was handed out on them.
	handle := must[iam.Principal](t)(again.PrincipalOf(t.Context(), p.Handle()))
	ok(t, e2.Keep(t.Context(), []string{instanceID}))
	_, err = verifyAt(t, again, fresh, c.Now())
	ok(t, err)
	ok(t, e2.Forget(t.Context(), instanceID))
	_, err = verifyAt(t, again, fresh, c.Now())
	wantCode(t, err, apprunner.CodeExpiredToken)
	wantCode(t, again.Authorize(t.Context(), handle, describe), apprunner.CodeAccessDenied)
	if _, err := provider(t, env2).Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("credentials of an instance that is gone: %v", err)
	}
	ok(t, e2.Forget(t.Context(), instanceID))
}

// What an application assumes with the credentials of its instance ends with the instance, too.
func TestRolesAssumedInAnInstanceEndWithIt(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	c.us.Store(time.Now().UnixMicro())
	d := open(t, dir, c)
	instanceRole(t, d)
	ok(t, d.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityRole, Name: "app"}, "more",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`))
	must[iam.Role](t)(d.CreateRole(t.Context(), iam.Role{
		Account: account, Name: "further", MaxSession: 12 * time.Hour,
		Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + instanceARN + `"},"Action":"sts:AssumeRole"}}`,
	}))
	e, _ := endpoint(t, d)
	env := must[[]string](t)(e.Register(t.Context(), instanceID, serviceARN, instanceARN))
	p, err := verifyAt(t, d, must[aws.Credentials](t)(provider(t, env).Retrieve(t.Context())), c.Now())
	ok(t, err)
	ask := iam.AssumeRoleInput{RoleARN: "arn:aws:iam::" + account + ":role/further", SessionName: "work", Duration: 2 * time.Hour}
	_, err = d.AssumeRole(t.Context(), p, ask)
	wantCode(t, err, iam.CodeValidationError) // an hour at most, by way of another role
	ask.Duration = time.Hour
	made := must[iam.Credentials](t)(d.AssumeRole(t.Context(), p, ask))
	cred := aws.Credentials{AccessKeyID: made.AccessKeyID, SecretAccessKey: made.Secret, SessionToken: made.Token}
	_, err = verifyAt(t, d, cred, c.Now())
	ok(t, err)
	ok(t, e.Forget(t.Context(), instanceID))
	_, err = verifyAt(t, d, cred, c.Now())
	wantCode(t, err, apprunner.CodeExpiredToken)
}

func TestInstanceEndpointRefuses(t *testing.T) {
	d, _ := newDirectory(t)
	instanceRole(t, d)
	e, url := endpoint(t, d)
	env := must[[]string](t)(e.Register(t.Context(), instanceID, serviceARN, instanceARN))
	_, token, _ := strings.Cut(env[1], "=")
	other := must[[]string](t)(e.Register(t.Context(), "another", serviceARN, "arn:aws:iam::123456789012:role/nobody"))
	_, untrusted, _ := strings.Cut(other[1], "=")
	cases := []struct {
		name, method, token string
		status              int
		want                string
	}{
		{"no token", http.MethodGet, "", 401, "UnrecognizedClientException"},
		{"half a token", http.MethodGet, instanceID, 401, "UnrecognizedClientException"},
		{"a token of another id", http.MethodGet, "another" + strings.TrimPrefix(token, instanceID), 401, "UnrecognizedClientException"},
		{"a role that may not be assumed", http.MethodGet, untrusted, 403, "tasks.apprunner.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/nobody"},
		{"another method", http.MethodPost, token, 405, "GET"},
		{"the token", http.MethodGet, token, 200, `"RoleArn":"arn:aws:iam::123456789012:role/app"`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			r := must[*http.Request](t)(http.NewRequestWithContext(context.Background(), tc.method, url+"/v1/credentials", nil))
			r.Header.Set("Authorization", tc.token)
			res := must[*http.Response](t)(http.DefaultClient.Do(r))
			defer res.Body.Close()
			body := must[[]byte](t)(io.ReadAll(res.Body))
			if res.StatusCode != tc.status || !strings.Contains(string(body), tc.want) || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %s, want %d %s", res.StatusCode, body, tc.status, tc.want)
			}
		})
	}
	// A role that stops trusting the service ends the next fetch, not an open session.
	ok(t, d.UpdateAssumeRolePolicy(t.Context(), account, "app", strings.ReplaceAll(tasksTrust, "tasks.", "build.")))
	if _, err := provider(t, env).Retrieve(t.Context()); err == nil {
		t.Error("credentials of a role that trusts tasks no more")
	}
	// What a crash left behind goes with the sweep.
	ok(t, e.Keep(t.Context(), []string{"another"}))
	if _, err := provider(t, env).Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("after the sweep: %v", err)
	}
}
