package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	apprunnersdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	iamsdk "github.com/aws/aws-sdk-go-v2/service/iam"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
)

// door is the whole front: IAM, STS and App Runner over real rooms, with a clock that tests move and the audit records it kept.
// lateTransport is set after those who use it were made.
type lateTransport struct{ http.RoundTripper }

type door struct {
	idp lateTransport // how providers of identities are reached, for tests that have one
	*endpoint
	dir   *iam.Directory
	inUse []iam.RoleUse
	ahead atomic.Int64 // how far the directory's clock is ahead of the client's, in nanoseconds

	mu      sync.Mutex
	records []observe.AuditRecord
	log     bytes.Buffer
}

func (d *door) Finish(ctx context.Context, r observe.AuditRecord) error {
	return d.Record(ctx, r, false)
}

func (d *door) Record(_ context.Context, r observe.AuditRecord, _ bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = append(d.records, r)
	return nil
}

// last is the newest audit record, as it is written.
func (d *door) last(t *testing.T) (observe.AuditRecord, string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.records) == 0 {
		t.Fatal("no audit record")
	}
	r := d.records[len(d.records)-1]
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(text)
}

func (d *door) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func newDoor(t *testing.T, configure ...func(*api.Config)) *door {
	t.Helper()
	ctx, db, d := context.Background(), openStore(t), &door{}
	dir, err := iam.Open(ctx, iam.Config{
		DB: db, KeyFile: filepath.Join(t.TempDir(), "iam.key"), Transport: &d.idp,
		Now: func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := dir.EnsureRoot(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(d, nil))
	ctl, err := control.New(control.Config{DB: db, Suffix: "apprunner.localhost", Log: log, Roles: dir, StrictRoles: true, SealKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := api.NewTokens([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	appRunner, err := api.NewAppRunner(api.AppRunnerConfig{Control: ctl, Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	own, err := api.NewSlipway(api.AppRunnerConfig{Control: ctl})
	if err != nil {
		t.Fatal(err)
	}
	quotas, err := api.NewQuotas(ctl, tokens)
	if err != nil {
		t.Fatal(err)
	}
	firewall, err := api.NewWAF(ctl, tokens)
	if err != nil {
		t.Fatal(err)
	}
	config := api.Config{Services: []*api.Service{appRunner, own, quotas, firewall}, Identities: dir, Audit: d, Account: account, Log: log}
	inUse := func(context.Context, string, string) ([]iam.RoleUse, error) { return d.inUse, nil }
	identities, err := api.NewIAM(api.IAMConfig{Directory: dir, InUse: inUse})
	if err != nil {
		t.Fatal(err)
	}
	tokenService, err := api.NewSTS(dir)
	if err != nil {
		t.Fatal(err)
	}
	config.Services = append(config.Services, identities, tokenService)
	for _, f := range configure {
		f(&config)
	}
	handler, err := api.New(config)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	d.dir, d.endpoint = dir, &endpoint{url: srv.URL, key: key, db: db}
	return d
}

// user makes a user with a key, and gives the door as it sees it.
func (d *door) user(t *testing.T, name string) *endpoint {
	t.Helper()
	ctx, c := context.Background(), iamsdk.NewFromConfig(d.config())
	if _, err := c.CreateUser(ctx, &iamsdk.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	out, err := c.CreateAccessKey(ctx, &iamsdk.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return &endpoint{url: d.url, db: d.db, key: iam.AccessKey{ID: *out.AccessKey.AccessKeyId, Secret: *out.AccessKey.SecretAccessKey}}
}

// refused wants an API error with this code and HTTP status, as the SDK types it.
func refused(t *testing.T, err error, code string, status int) {
	t.Helper()
	var ae smithy.APIError
	var re interface{ HTTPStatusCode() int }
	if !errors.As(err, &ae) || !errors.As(err, &re) {
		t.Fatalf("error %v, want %s", err, code)
	}
	if ae.ErrorCode() != code || re.HTTPStatusCode() != status {
		t.Fatalf("%d %s: %s, want %d %s", re.HTTPStatusCode(), ae.ErrorCode(), ae.ErrorMessage(), status, code)
	}
}

func imageSource() *types.SourceConfiguration {
	return &types.SourceConfiguration{ImageRepository: &types.ImageRepository{
		ImageIdentifier: aws.String("public.ecr.aws/a/b:1"), ImageRepositoryType: types.ImageRepositoryTypeEcrPublic,
		ImageConfiguration: &types.ImageConfiguration{},
	}}
}

func TestCallerIdentityThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	alice := d.user(t, "alice")
	for want, e := range map[string]*endpoint{"arn:aws:iam::123456789012:root": d.endpoint, "arn:aws:iam::123456789012:user/alice": alice} {
		out, err := stssdk.NewFromConfig(e.config()).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
		if err != nil {
			t.Fatal(err)
		}
		if *out.Arn != want || *out.Account != account || *out.UserId == "" {
			t.Errorf("identity %s %s %s, want %s", *out.Arn, *out.Account, *out.UserId, want)
		}
	}
}

// checklist: 4
func TestRefusedSignatures(t *testing.T) {
	d := newDoor(t)
	bob := d.user(t, "bob")
	if err := d.dir.SetAccessKeyActive(t.Context(), account, "bob", bob.key.ID, false); err != nil {
		t.Fatal(err)
	}
	wrong, unknown := *d.endpoint, *d.endpoint
	wrong.key.Secret = strings.Repeat("x", 40)
	unknown.key.ID = "AKIAAAAAAAAAAAAAAAAA"
	cases := []struct {
		name        string
		e           *endpoint
		ahead       time.Duration
		json, query string
	}{
		{"wrong secret", &wrong, 0, "InvalidSignatureException", "SignatureDoesNotMatch"},
		{"unknown key", &unknown, 0, "UnrecognizedClientException", "InvalidClientTokenId"},
		{"inactive key", bob, 0, "UnrecognizedClientException", "InvalidClientTokenId"},
		{"clock behind", d.endpoint, 6 * time.Minute, "InvalidSignatureException", "SignatureDoesNotMatch"},
		{"clock ahead", d.endpoint, -6 * time.Minute, "InvalidSignatureException", "SignatureDoesNotMatch"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			d.ahead.Store(int64(tc.ahead))
			_, err := apprunnersdk.NewFromConfig(tc.e.config()).ListServices(t.Context(), &apprunnersdk.ListServicesInput{})
			refused(t, err, tc.json, http.StatusForbidden)
			_, err = stssdk.NewFromConfig(tc.e.config()).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
			refused(t, err, tc.query, http.StatusForbidden)
		})
	}
}

// checklist: 4
func TestUnsignedRequests(t *testing.T) {
	d := newDoor(t)
	cases := []struct{ name, target, form, auth, code string }{
		{"JSON without signature", "AppRunner.ListServices", "", "", "MissingAuthenticationTokenException"},
		{"JSON with half a signature", "AppRunner.ListServices", "", "AWS4-HMAC-SHA256 Credential=x", "IncompleteSignature"},
		{"query without signature", "", "Action=ListUsers&Version=2010-05-08", "", "<Code>MissingAuthenticationToken</Code>"},
		{"a service nobody knows", "Nobody.Nothing", "", "", "MissingAuthenticationTokenException"},
		{"nothing at all", "", "", "", "MissingAuthenticationTokenException"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url, strings.NewReader(tc.form))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Target", tc.target)
			if tc.auth != "" {
				r.Header.Set("Authorization", tc.auth)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != http.StatusForbidden || !strings.Contains(string(body), tc.code) || len(res.Header.Get("x-amzn-RequestId")) != 36 {
				t.Errorf("%d %v %s", res.StatusCode, res.Header, body)
			}
			r2, _ := d.last(t)
			if r2.UserIdentity.Type != "Unknown" || r2.ErrorCode == "" || r2.RequestID != res.Header.Get("x-amzn-RequestId") || r2.RecipientAccountID != account {
				t.Errorf("recorded as %+v", r2)
			}
		})
	}
}

// checklist: 18, 192, 205, 213
func TestDenyByDefaultThenAllowByPolicy(t *testing.T) {
	d := newDoor(t)
	ctx, root, alice := t.Context(), iamsdk.NewFromConfig(d.config()), d.user(t, "alice")
	runner := apprunnersdk.NewFromConfig(alice.config())

	_, err := runner.ListServices(ctx, &apprunnersdk.ListServicesInput{})
	refused(t, err, "AccessDeniedException", http.StatusForbidden)
	if want := "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: apprunner:ListServices on resource: *"; !strings.Contains(err.Error(), want) {
		t.Errorf("message %q, want %q", err, want)
	}
	arn := "arn:aws:apprunner:us-east-1:123456789012:service/nothing/0123456789abcdef0123456789abcdef"
	_, err = runner.DeleteService(ctx, &apprunnersdk.DeleteServiceInput{ServiceArn: &arn})
	refused(t, err, "AccessDeniedException", http.StatusForbidden)
	_, err = iamsdk.NewFromConfig(alice.config()).CreateAccessKey(ctx, &iamsdk.CreateAccessKeyInput{})
	refused(t, err, "AccessDenied", http.StatusForbidden)

	_, err = root.AttachUserPolicy(ctx, &iamsdk.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AWSAppRunnerReadOnlyAccess")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runner.ListServices(ctx, &apprunnersdk.ListServicesInput{}); err != nil {
		t.Errorf("with AWSAppRunnerReadOnlyAccess: %v", err)
	}
	_, err = runner.DescribeService(ctx, &apprunnersdk.DescribeServiceInput{ServiceArn: &arn})
	refused(t, err, "ResourceNotFoundException", http.StatusBadRequest)
	_, err = runner.DeleteService(ctx, &apprunnersdk.DeleteServiceInput{ServiceArn: &arn})
	refused(t, err, "AccessDeniedException", http.StatusForbidden)

	deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"apprunner:List*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}]}`
	if _, err := root.PutUserPolicy(ctx, &iamsdk.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("no"), PolicyDocument: &deny}); err != nil {
		t.Fatal(err)
	}
	_, err = runner.ListServices(ctx, &apprunnersdk.ListServicesInput{})
	refused(t, err, "AccessDeniedException", http.StatusForbidden)
	if _, err := stssdk.NewFromConfig(alice.config()).GetCallerIdentity(ctx, &stssdk.GetCallerIdentityInput{}); err != nil {
		t.Errorf("GetCallerIdentity must never be refused: %v", err)
	}
}

// checklist: 5
func TestSessionsExpire(t *testing.T) {
	d := newDoor(t)
	out, err := stssdk.NewFromConfig(d.config()).GetSessionToken(t.Context(), &stssdk.GetSessionTokenInput{DurationSeconds: aws.Int32(900)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := d.config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	if _, err := apprunnersdk.NewFromConfig(cfg).ListServices(t.Context(), &apprunnersdk.ListServicesInput{}); err != nil {
		t.Fatal(err)
	}
	d.ahead.Store(int64(16 * time.Minute))
	_, err = apprunnersdk.NewFromConfig(cfg).ListServices(t.Context(), &apprunnersdk.ListServicesInput{})
	refused(t, err, "ExpiredTokenException", http.StatusForbidden)
	_, err = stssdk.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
	refused(t, err, "ExpiredToken", http.StatusForbidden)
}

func TestAssumeRoleThroughTheSDK(t *testing.T) {
	d := newDoor(t)
	ctx, root, alice := t.Context(), iamsdk.NewFromConfig(d.config()), d.user(t, "alice")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/alice"},"Action":"sts:AssumeRole"}]}`
	role, err := root.CreateRole(ctx, &iamsdk.CreateRoleInput{RoleName: aws.String("reader"), AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	_, err = root.AttachRolePolicy(ctx, &iamsdk.AttachRolePolicyInput{RoleName: aws.String("reader"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AWSAppRunnerReadOnlyAccess")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := stssdk.NewFromConfig(alice.config()).AssumeRole(ctx, &stssdk.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("work")})
	if err != nil {
		t.Fatal(err)
	}
	if _, text := d.last(t); strings.Contains(text, *out.Credentials.SecretAccessKey) || strings.Contains(text, *out.Credentials.SessionToken) {
		t.Errorf("the audit record holds the credentials: %s", text)
	}
	cfg := d.config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	if _, err := apprunnersdk.NewFromConfig(cfg).ListServices(ctx, &apprunnersdk.ListServicesInput{}); err != nil {
		t.Fatal(err)
	}
	r, _ := d.last(t)
	if u := r.UserIdentity; u.Type != "AssumedRole" || u.ARN != "arn:aws:sts::123456789012:assumed-role/reader/work" || u.SessionContext.SessionIssuer.UserName != "reader" {
		t.Errorf("recorded as %+v", u)
	}
	_, err = stssdk.NewFromConfig(d.config()).AssumeRole(ctx, &stssdk.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("work")})
	refused(t, err, "AccessDenied", http.StatusForbidden)
}

func TestOrderOfChecks(t *testing.T) {
	d := newDoor(t)
	nobody := d.user(t, "nobody")
	cases := []struct {
		name         string
		e            *endpoint
		scope        string
		target, body string
		status       int
		code         string
	}{
		{"operation before shape", nobody, "apprunner", "AppRunner.Nothing", `[`, 404, "UnknownOperationException"},
		{"an action that is not served", d.endpoint, "apprunner", "AppRunner.MakeCoffee", `{}`, 404, "UnknownOperationException"},
		{"another API's target", d.endpoint, "apprunner", "Logs_20140328.DescribeLogGroups", `{}`, 404, "UnknownOperationException"},
		{"shape before IAM", nobody, "apprunner", "AppRunner.ListServices", `{"MaxResults":"x"}`, 400, "SerializationException"},
		{"no JSON", d.endpoint, "apprunner", "AppRunner.ListServices", `{`, 400, "SerializationException"},
		{"IAM before constraints", nobody, "apprunner", "AppRunner.ListServices", `{"MaxResults":0}`, 403, "AccessDeniedException"},
		{"constraints", d.endpoint, "apprunner", "AppRunner.ListServices", `{"MaxResults":0}`, 400, "InvalidRequestException"},
		{"an empty body", d.endpoint, "apprunner", "AppRunner.ListServices", ``, 200, "ServiceSummaryList"},
		{"scope of another service", d.endpoint, "s3", "AppRunner.ListServices", `{}`, 403, "InvalidSignatureException"},
		{"a service that is not served", d.endpoint, "dynamodb", "DynamoDB_20120810.ListTables", `{}`, 404, "UnknownOperationException"},
		{"a body over the limit", d.endpoint, "sts", "", strings.Repeat(" ", 1<<20+1), 413, "RequestEntityTooLarge"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			status, body := tc.e.post(t, tc.scope, tc.target, tc.body)
			if status != tc.status || !strings.Contains(body, tc.code) {
				t.Errorf("%d %s, want %d %s", status, body, tc.status, tc.code)
			}
		})
	}
	status, body := d.post(t, "iam", "", "Action=UploadServerCertificate&Version=2010-05-08", "Content-Type", "application/x-www-form-urlencoded")
	if status != 400 || !strings.Contains(body, "<Code>InvalidAction</Code>") || !strings.Contains(body, "not implemented here") {
		t.Errorf("unknown query action: %d %s", status, body)
	}
	if status, body = d.post(t, "iam", "", "Action=GetUser&Version=2010-05-08&UserName=no%2Fname", "Content-Type", "application/x-www-form-urlencoded"); status != 400 || !strings.Contains(body, "<Code>ValidationError</Code>") {
		t.Errorf("constraint of a query action: %d %s", status, body)
	}
}

// checklist: 7
func TestRegionsAndAccountsAreApart(t *testing.T) {
	d := newDoor(t)
	ctx := t.Context()
	in := &apprunnersdk.CreateServiceInput{ServiceName: aws.String("web1"), SourceConfiguration: imageSource()}
	made, err := apprunnersdk.NewFromConfig(d.config()).CreateService(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	otherRegion := d.config()
	otherRegion.Region = "eu-west-1"
	key, err := d.dir.EnsureRoot(ctx, "999999999999")
	if err != nil {
		t.Fatal(err)
	}
	otherAccount := (&endpoint{url: d.url, key: key}).config()
	for name, cfg := range map[string]aws.Config{"region": otherRegion, "account": otherAccount} {
		c := apprunnersdk.NewFromConfig(cfg)
		list, err := c.ListServices(ctx, &apprunnersdk.ListServicesInput{})
		if err != nil || len(list.ServiceSummaryList) != 0 {
			t.Errorf("another %s lists %v, %v", name, list, err)
		}
		_, err = c.DescribeService(ctx, &apprunnersdk.DescribeServiceInput{ServiceArn: made.Service.ServiceArn})
		refused(t, err, "ResourceNotFoundException", http.StatusBadRequest)
	}
}

// checklist: 168, 169
func TestAuditRecordsHideSecrets(t *testing.T) {
	d := newDoor(t)
	ctx, c := t.Context(), apprunnersdk.NewFromConfig(d.config())
	source := imageSource()
	source.ImageRepository.ImageConfiguration.RuntimeEnvironmentVariables = map[string]string{"PASSWORD": "hunter2"}
	source.ImageRepository.ImageConfiguration.StartCommand = aws.String("serve --token=hunter2")
	if _, err := c.CreateService(ctx, &apprunnersdk.CreateServiceInput{ServiceName: aws.String("web1"), SourceConfiguration: source}); err != nil {
		t.Fatal(err)
	}
	r, text := d.last(t)
	if strings.Contains(text, "hunter2") || strings.Contains(text, "PASSWORD") {
		t.Errorf("the record tells: %s", text)
	}
	for _, want := range []string{
		`"startCommand":"HIDDEN_DUE_TO_SECURITY_REASONS"`, `"runtimeEnvironmentVariables":"HIDDEN_DUE_TO_SECURITY_REASONS"`, `"serviceName":"web1"`,
		`"eventSource":"apprunner.amazonaws.com"`, `"eventName":"CreateService"`, `"readOnly":false`, `"awsRegion":"us-east-1"`, `"type":"Root"`,
		`"eventType":"AwsApiCall"`, `"recipientAccountId":"123456789012"`, `"sourceIPAddress":"127.0.0.1"`, `"status":"OPERATION_IN_PROGRESS"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the record lacks %s: %s", want, text)
		}
	}
	if _, err := c.ListServices(ctx, &apprunnersdk.ListServicesInput{}); err != nil {
		t.Fatal(err)
	}
	if r, text = d.last(t); !r.ReadOnly || !strings.Contains(text, `"responseElements":null`) {
		t.Errorf("a reading call is recorded as %s", text)
	}
	name := "carol"
	carol := d.user(t, name)
	if _, text = d.last(t); strings.Contains(text, carol.key.Secret) || !strings.Contains(text, `"secretAccessKey":"HIDDEN`) {
		t.Errorf("the record of CreateAccessKey: %s", text)
	}
}

func TestPanicsAndFaultsTellNothing(t *testing.T) {
	d := newDoor(t, func(c *api.Config) {
		broken := *c.Services[0]
		broken.Actions = map[string]api.Action{
			"ListServices": {
				Permissions: func(context.Context, api.Call, any) ([]iam.Request, error) { return nil, nil },
				Do:          func(context.Context, api.Call, any) (any, error) { panic("the password is hunter2") },
			},
			"ListConnections": {
				Permissions: func(context.Context, api.Call, any) ([]iam.Request, error) { return nil, nil },
				Do:          func(context.Context, api.Call, any) (any, error) { return nil, fmt.Errorf("disk hunter2 is gone") },
			},
		}
		c.Services[0] = &broken
	})
	for _, target := range []string{"AppRunner.ListServices", "AppRunner.ListConnections"} {
		status, body := d.post(t, "apprunner", target, "{}")
		if status != 500 || !strings.Contains(body, "#InternalServiceErrorException") || strings.Contains(body, "hunter2") {
			t.Errorf("%s: %d %s", target, status, body)
		}
		r, _ := d.last(t)
		d.mu.Lock()
		log := d.log.String()
		d.mu.Unlock()
		if !strings.Contains(log, r.RequestID) || !strings.Contains(log, "hunter2") || !strings.Contains(body, r.RequestID) {
			t.Errorf("%s: log %s", target, log)
		}
	}
}

func TestThrottling(t *testing.T) {
	d := newDoor(t, func(c *api.Config) {
		c.Throttle = func(p iam.Principal, service, operation string, _ time.Time) error {
			if service == "sts" {
				return nil
			}
			return apprunner.Errorf(apprunner.CodeThrottling, "Rate exceeded for %s by %s", operation, p.ARN)
		}
	})
	_, err := apprunnersdk.NewFromConfig(d.config()).ListServices(t.Context(), &apprunnersdk.ListServicesInput{})
	refused(t, err, "ThrottlingException", http.StatusBadRequest)
	_, err = iamsdk.NewFromConfig(d.config()).ListUsers(t.Context(), &iamsdk.ListUsersInput{})
	refused(t, err, "Throttling", http.StatusBadRequest)
	if _, err := stssdk.NewFromConfig(d.config()).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{}); err != nil {
		t.Error(err)
	}
}
