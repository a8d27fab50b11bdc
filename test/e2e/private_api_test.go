package e2e

import (
	"strings"
	"testing"

	"slipway.dev/slipway/test/rig"
)

// apiStory is a VPC with an endpoint for the App Runner API, and no way out.
type apiStory struct {
	house
	vpc rig.VPC
}

// calls runs the stock AWS CLI inside the VPC, as somebody who knows nothing of this installation but whom to trust, and wants its output
// to hold a text; "" for a call that succeeds.
func (a *apiStory) calls(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, good := a.called(t, want, args...); !good {
		t.Errorf("inside the VPC aws %s: %s\nwant %q", strings.Join(args, " "), out, want)
	}
}

func (a *apiStory) called(t *testing.T, want string, args ...string) (out string, good bool) {
	t.Helper()
	out, code := a.vpc.Exec(t, append([]string{
		"env", "-u", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE=" + a.Env["SLIPWAY_CA"], "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_DEFAULT_REGION=" + a.Env["AWS_REGION"],
		"AWS_ACCESS_KEY_ID=" + a.Env["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY=" + a.Env["AWS_SECRET_ACCESS_KEY"],
		"aws", "--cli-connect-timeout", "3", "--output", "json",
	}, args...)...)
	if want == "" {
		return out, code == 0
	}
	return out, strings.Contains(out, want)
}

// becomes waits until a call inside the VPC ends as wanted.
func (a *apiStory) becomes(t *testing.T, what, want string, args ...string) {
	t.Helper()
	var out string
	eventually(t, what, func() (good bool) {
		out, good = a.called(t, want, args...)
		return good
	})
	if t.Failed() {
		t.Fatalf("the last answer: %s", out)
	}
}

// modify changes the endpoint.
func (a *apiStory) modify(t *testing.T, args ...string) {
	t.Helper()
	a.must(t, nil, append([]string{"ec2", "modify-vpc-endpoint", "--vpc-endpoint-id", a.vpc.EndpointID}, args...)...)
}

// The public name of the API, and one that only the endpoint has.
var listServices = []string{"apprunner", "list-services"}

func (a *apiStory) listAt(host string) []string {
	return append([]string{"--endpoint-url", "https://" + host}, listServices...)
}

// onlyLooking is the policy that the developer guide gives as an example.
const onlyLooking = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":["apprunner:List*","apprunner:Describe*"],"Resource":"*"}]}`

const unreachable = "Could not connect to the endpoint URL"

// TestAPIEndpoint is the story of an endpoint for the App Runner API, with the stock AWS CLI inside a VPC that leads nowhere.
//
// checklist: 186, 187, 188, 189
func TestAPIEndpoint(t *testing.T) {
	t.Parallel()
	h := rig.Own(t)
	a := &apiStory{house: house{h}, vpc: h.NewAPIVPC(t, "10.42.0.0/16", "--policy-document", onlyLooking)}
	for _, part := range []struct {
		name string
		run  func(*apiStory, *testing.T)
	}{
		{"reached by its names", (*apiStory).reached},
		{"recorded", (*apiStory).recorded},
		{"one API and no other", (*apiStory).alone},
		{"a policy", (*apiStory).policy},
		{"conditions of callers", (*apiStory).conditions},
		{"killed control", (*apiStory).killed},
		{"security groups", (*apiStory).groups},
		{"private DNS", (*apiStory).privateDNS},
		{"other subnets", (*apiStory).subnets},
		{"deleted", (*apiStory).deleted},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(a, t) }) {
			return
		}
	}
}

func (a *apiStory) reached(t *testing.T) {
	a.becomes(t, "the public name of the API leads to the endpoint", "", listServices...)
	a.calls(t, "", a.listAt(a.vpc.Regional)...)
	a.calls(t, "", a.listAt(a.vpc.ZoneName)...)
	a.calls(t, "SSL validation failed", a.listAt(a.vpc.Addresses[0].String())...)
	a.calls(t, unreachable, "--endpoint-url", a.Env["AWS_ENDPOINT_URL"], "apprunner", "list-services")
}

// recorded: the record of a call tells which way it came.
func (a *apiStory) recorded(t *testing.T) {
	eventually(t, "a call through the endpoint is recorded with it", func() bool {
		out, err := a.AWS("cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=ListServices")
		return err == nil && strings.Contains(out, `\"vpcEndpointId\":\"`+a.vpc.EndpointID+`\"`) && strings.Contains(out, `\"sourceIPAddress\":\"10.42.2.`)
	})
}

// alone: neither other APIs, nor the registry, nor the console.
func (a *apiStory) alone(t *testing.T) {
	at := []string{"--endpoint-url", "https://" + a.vpc.Regional}
	a.calls(t, "not served here", append(at, "iam", "list-users")...)
	a.calls(t, "not served here", append(at, "ecr", "describe-repositories")...)
	a.calls(t, "Credential should be scoped to a valid region", append(at, "--region", "eu-west-1", "apprunner", "list-services")...)
	for _, path := range []string{"/console/", "/v2/", "/healthz", "/metrics", "/git/"} {
		if status, text := a.vpc.Curl(t, "https://"+a.vpc.Regional+path); status != "403" || !strings.Contains(text, "MissingAuthenticationToken") {
			t.Errorf("%s answers %s", path, text)
		}
	}
}

// policy: what it does not let through is refused at the endpoint, whoever calls, and nowhere else.
func (a *apiStory) policy(t *testing.T) {
	create := []string{"apprunner", "create-auto-scaling-configuration", "--auto-scaling-configuration-name"}
	const refused = "because no VPC endpoint policy allows the apprunner:CreateAutoScalingConfiguration action"
	a.calls(t, refused, append(create, "through")...)
	a.must(t, nil, append(create, "around")...)
	a.modify(t, "--reset-policy")
	a.calls(t, "", append(create, "without")...)
	a.modify(t, "--policy-document", onlyLooking)
	a.calls(t, refused, append(create, "again")...)
	a.calls(t, "", listServices...)
	a.modify(t, "--reset-policy")
}

// conditions: policies of callers may ask for the endpoint, which gives nothing by itself.
func (a *apiStory) conditions(t *testing.T) {
	a.must(t, nil, "iam", "create-user", "--user-name", "insider")
	var made struct {
		AccessKey struct{ AccessKeyId, SecretAccessKey string }
	}
	a.must(t, &made, "iam", "create-access-key", "--user-name", "insider")
	key := []string{"AWS_ACCESS_KEY_ID=" + made.AccessKey.AccessKeyId, "AWS_SECRET_ACCESS_KEY=" + made.AccessKey.SecretAccessKey}
	call := append(append([]string{"env"}, key...), "AWS_CA_BUNDLE="+a.Env["SLIPWAY_CA"], "AWS_PAGER=", "AWS_DEFAULT_REGION="+a.Env["AWS_REGION"], "aws", "apprunner", "list-services", "--endpoint-url", "https://"+a.vpc.Regional)
	if out, code := a.vpc.Exec(t, call...); code == 0 || !strings.Contains(out, "AccessDenied") {
		t.Errorf("the endpoint gives permissions: %s", out)
	}
	a.must(t, nil, "iam", "put-user-policy", "--user-name", "insider", "--policy-name", "inside", "--policy-document", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"apprunner:List*","Resource":"*",
		"Condition":{"StringEquals":{"aws:SourceVpce":"`+a.vpc.EndpointID+`","aws:SourceVpc":"`+a.vpc.ID+`"},"IpAddress":{"aws:VpcSourceIp":"10.42.2.0/24"}}}}`)
	if out, code := a.vpc.Exec(t, call...); code != 0 {
		t.Errorf("through the endpoint: %s", out)
	}
	if out, err := a.AWSWith(key, "apprunner", "list-services"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("around the endpoint: %s, %v", out, err)
	}
}

// killed: control finds its endpoints again, and so does its successor.
func (a *apiStory) killed(t *testing.T) {
	a.Reborn(t, "control", a.Kill(t, "control"))
	a.becomes(t, "the API answers at the endpoint again", "", listServices...)
	if out, err := a.Slipway("upgrade", "--data-dir", a.Dir, "--binary", copied(t)); err != nil {
		t.Fatal(err, out)
	}
	a.becomes(t, "the API answers at the endpoint after an upgrade", "", listServices...)
}

func (a *apiStory) groups(t *testing.T) {
	a.vpc.Allow(t, "revoke-security-group-ingress", "10.42.0.0/16")
	a.becomes(t, "nobody is let in", "onnect", append([]string{"--cli-connect-timeout", "1"}, listServices...)...)
	other := a.AWSText(t, "GroupId", "ec2", "create-security-group", "--vpc-id", a.vpc.ID, "--group-name", "another", "--description", "d")
	a.must(t, nil, "ec2", "authorize-security-group-ingress", "--group-id", other, "--protocol", "tcp", "--port", "443", "--cidr", "10.42.2.0/24")
	a.modify(t, "--add-security-group-ids", other)
	a.becomes(t, "who is let in by another group is", "", listServices...)
}

func (a *apiStory) privateDNS(t *testing.T) {
	a.modify(t, "--no-private-dns-enabled")
	a.becomes(t, "the public name leads nowhere", unreachable, listServices...)
	a.calls(t, "", a.listAt(a.vpc.Regional)...)
	a.modify(t, "--private-dns-enabled")
	a.becomes(t, "the public name leads to the endpoint again", "", listServices...)
}

// subnets: the endpoint moves to the third subnet alone.
func (a *apiStory) subnets(t *testing.T) {
	v := a.vpc
	a.modify(t, "--add-subnet-ids", v.Subnets[2], "--remove-subnet-ids", v.Subnets[0], v.Subnets[1])
	out := a.AWSText(t, "VpcEndpoints[0].DnsEntries[1].DnsName", "ec2", "describe-vpc-endpoints", "--vpc-endpoint-ids", v.EndpointID)
	if !strings.Contains(out, v.EndpointID+"-") || !strings.Contains(out, a.Env["AWS_REGION"]+"c.") {
		t.Errorf("the endpoint has the name %s", out)
	}
	a.becomes(t, "the API answers in the third subnet", "", a.listAt(out)...)
	a.becomes(t, "the public name leads to the third subnet", "", listServices...)
	if status, text := v.Curl(t, "https://"+v.Regional+"/", "--connect-to", "::"+v.Addresses[0].String()+":443", "--connect-timeout", "2"); status != "000" {
		t.Errorf("at its former address the endpoint answers %s", text)
	}
}

func (a *apiStory) deleted(t *testing.T) {
	a.must(t, nil, "ec2", "delete-vpc-endpoints", "--vpc-endpoint-ids", a.vpc.EndpointID)
	eventually(t, "the endpoint is deleted", func() bool {
		return a.AWSText(t, "VpcEndpoints[0].State", "ec2", "describe-vpc-endpoints", "--vpc-endpoint-ids", a.vpc.EndpointID) == "deleted"
	})
	a.becomes(t, "the public name leads nowhere", unreachable, listServices...)
}
