package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	iamsdk "github.com/aws/aws-sdk-go-v2/service/iam"
	stssdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/api"
)

// passage is a door with a second way to it, through an interface endpoint whose policy tests change.
type passage struct {
	*door
	url    string
	policy atomic.Pointer[string]
}

func newPassage(t *testing.T) *passage {
	t.Helper()
	var conf api.Config
	p := &passage{door: newDoor(t, func(c *api.Config) { conf = *c })}
	handler := good[*api.Server](t)(api.New(conf))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := api.Entrance{EndpointID: "vpce-0a", VPCID: "vpc-0a", Region: region, Service: "apprunner", Policy: *p.policy.Load()}
		handler.ServeHTTP(w, r.WithContext(api.Through(r.Context(), e)))
	}))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	p.lets(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`)
	return p
}

func (p *passage) lets(statement string) {
	p.policy.Store(aws.String(`{"Statement":[` + statement + `]}`))
}

// inside is what a caller has who uses the endpoint.
func (p *passage) inside(e *endpoint) aws.Config {
	through := *e
	through.url = p.url
	return through.config()
}

// A call through an endpoint needs the endpoint's policy and the caller's own; a refusal in either wins, and calls that come in
// elsewhere never meet the policy.
//
// checklist: 188, 189
func TestEndpointPolicy(t *testing.T) {
	p := newPassage(t)
	ctx, service := t.Context(), p.service(t, "books")
	around, root := sdk.NewFromConfig(p.config()), sdk.NewFromConfig(p.inside(p.endpoint))
	dave := p.user(t, "dave")
	through := sdk.NewFromConfig(p.inside(dave))
	list := func(c *sdk.Client) error {
		_, err := c.ListServices(ctx, &sdk.ListServicesInput{})
		return err
	}
	remove := func(c *sdk.Client) error {
		_, err := c.DeleteService(ctx, &sdk.DeleteServiceInput{ServiceArn: service})
		return err
	}
	p.door.with(t, "dave", `{"Effect":"Allow","Action":"apprunner:DeleteService","Resource":"*"}`)
	answered(t, list(through), denied) // a policy that allows everything gives nothing
	answered(t, remove(through), badState)

	p.lets(`{"Effect":"Allow","Principal":"*","Action":["apprunner:List*","apprunner:Describe*"],"Resource":"*"}`)
	ok(t, list(root))
	_, err := root.DescribeService(ctx, &sdk.DescribeServiceInput{ServiceArn: service})
	ok(t, err)
	answered(t, list(through), denied)
	for _, c := range []*sdk.Client{root, through} {
		err := remove(c)
		answered(t, err, denied)
		if !strings.Contains(err.Error(), "because no VPC endpoint policy allows the apprunner:DeleteService action") {
			t.Errorf("the refusal does not say why: %v", err)
		}
	}
	answered(t, remove(around), badState)
	answered(t, remove(sdk.NewFromConfig(dave.config())), badState)

	p.lets(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
		{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::` + account + `:user/dave"},"Action":"apprunner:Delete*","Resource":"*"}`)
	if err := remove(through); err == nil || !strings.Contains(err.Error(), "with an explicit deny in a VPC endpoint policy") {
		t.Errorf("%v", err)
	}
	answered(t, remove(root), badState)
	p.door.with(t, "dave", `{"Effect":"Deny","Action":"apprunner:List*","Resource":"*"}`)
	answered(t, list(through), denied)
}

// What an action needs of other services is no matter of the endpoint's policy.
func TestEndpointPolicyAndRoles(t *testing.T) {
	p := newPassage(t)
	p.lets(`{"Effect":"Allow","Principal":"*","Action":"apprunner:*","Resource":"*"}`)
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	role, err := iamsdk.NewFromConfig(p.config()).CreateRole(t.Context(), &iamsdk.CreateRoleInput{RoleName: aws.String("work"), AssumeRolePolicyDocument: &trust})
	ok(t, err)
	_, err = sdk.NewFromConfig(p.inside(p.endpoint)).CreateService(t.Context(), &sdk.CreateServiceInput{
		ServiceName: aws.String("books"), SourceConfiguration: imageSource(),
		InstanceConfiguration: &types.InstanceConfiguration{InstanceRoleArn: role.Role.Arn},
	})
	ok(t, err)
}

// Policies of callers see which way a call came: the keys about it are there for calls through an endpoint, and the caller's address has
// another key than elsewhere.
func TestConditionsOnEndpoints(t *testing.T) {
	p := newPassage(t)
	erin := p.user(t, "erin")
	list := func(c aws.Config) error {
		_, err := sdk.NewFromConfig(c).ListServices(t.Context(), &sdk.ListServicesInput{})
		return err
	}
	for _, tc := range []struct {
		condition       string
		inside, outside bool
	}{
		{`"StringEquals":{"aws:SourceVpce":"vpce-0a"}`, true, false},
		{`"StringEquals":{"aws:SourceVpce":"vpce-0b"}`, false, false},
		{`"StringEquals":{"aws:SourceVpc":"vpc-0a"}`, true, false},
		{`"StringNotEquals":{"aws:SourceVpc":"vpc-0a"}`, false, true},
		{`"IpAddress":{"aws:VpcSourceIp":"127.0.0.0/8"}`, true, false},
		{`"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}`, false, true},
	} {
		p.door.with(t, "erin", `{"Effect":"Allow","Action":"apprunner:List*","Resource":"*","Condition":{`+tc.condition+`}}`)
		if err := list(p.inside(erin)); (err == nil) != tc.inside {
			t.Errorf("%s: through the endpoint: %v", tc.condition, err)
		}
		if err := list(erin.config()); (err == nil) != tc.outside {
			t.Errorf("%s: around the endpoint: %v", tc.condition, err)
		}
	}
}

// The record of a call names the endpoint it came in at.
func TestEndpointInTheRecord(t *testing.T) {
	p := newPassage(t)
	for _, c := range []struct {
		config aws.Config
		want   bool
	}{{p.config(), false}, {p.inside(p.endpoint), true}} {
		_, err := sdk.NewFromConfig(c.config).ListServices(t.Context(), &sdk.ListServicesInput{})
		ok(t, err)
		if r, text := p.last(t); strings.Contains(text, `"vpcEndpointId":"vpce-0a"`) != c.want || r.EventName != "ListServices" {
			t.Errorf("%s", text)
		}
	}
}

// One API of one region answers at an endpoint.
func TestEndpointServesOneAPI(t *testing.T) {
	p := newPassage(t)
	inside := p.inside(p.endpoint)
	_, err := iamsdk.NewFromConfig(inside).ListUsers(t.Context(), &iamsdk.ListUsersInput{})
	if err == nil || !strings.Contains(err.Error(), "not served here") {
		t.Errorf("IAM: %v", err)
	}
	_, err = stssdk.NewFromConfig(inside).GetCallerIdentity(t.Context(), &stssdk.GetCallerIdentityInput{})
	if err == nil || !strings.Contains(err.Error(), "not served here") {
		t.Errorf("STS: %v", err)
	}
	web := stssdk.NewFromConfig(aws.Config{Region: region, BaseEndpoint: &p.url, RetryMaxAttempts: 1, Credentials: aws.AnonymousCredentials{}})
	_, err = web.AssumeRoleWithWebIdentity(t.Context(), &stssdk.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/r"), RoleSessionName: aws.String("session"), WebIdentityToken: aws.String("token"),
	})
	if err == nil || !strings.Contains(err.Error(), "MissingAuthenticationToken") {
		t.Errorf("an unsigned call of STS: %v", err)
	}
	inside.Region = "eu-west-1"
	_, err = sdk.NewFromConfig(inside).ListServices(t.Context(), &sdk.ListServicesInput{})
	if err == nil || !strings.Contains(err.Error(), "valid region") {
		t.Errorf("another region: %v", err)
	}
}
