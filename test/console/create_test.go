package console

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waf "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"slipway.dev/slipway/test/rig"
)

// public stands in for public.ecr.aws.
var public = httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))

// config is that of clients of the house in a region.
func config(h *rig.House, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(h.Env["AWS_ENDPOINT_URL"]),
		Credentials: credentials.NewStaticCredentialsProvider(h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"], ""),
	}
}

// made finds the service that a story created, and deletes it when the test ends.
func made(t *testing.T, h *rig.House, region, called string) rig.Service {
	t.Helper()
	there := *h
	there.Apps = apprunner.NewFromConfig(config(h, region))
	list, err := there.Apps.ListServices(t.Context(), &apprunner.ListServicesInput{})
	ok(t, err)
	for _, s := range list.ServiceSummaryList {
		if *s.ServiceName == called {
			t.Cleanup(func() { there.Remove(t, *s.ServiceArn) })
			found, err := there.Describe(*s.ServiceArn)
			ok(t, err)
			return found
		}
	}
	t.Fatalf("there is no service %s", called)
	return rig.Service{}
}

// firewall makes a web ACL that lets everything pass.
func firewall(t *testing.T, h *rig.House, called string) string {
	t.Helper()
	acls := wafv2.NewFromConfig(config(h, "us-east-1"))
	out, err := acls.CreateWebACL(t.Context(), &wafv2.CreateWebACLInput{
		Name: &called, Scope: waf.ScopeRegional, DefaultAction: &waf.DefaultAction{Allow: &waf.AllowAction{}},
		VisibilityConfig: &waf.VisibilityConfig{MetricName: &called},
	})
	ok(t, err)
	return *out.Summary.ARN
}

// encryptionKey makes a key with an alias.
func encryptionKey(t *testing.T, h *rig.House, alias string) (arn string) {
	t.Helper()
	out, err := h.AWS("kms", "create-key", "--query", "KeyMetadata.Arn")
	ok(t, err)
	arn = strings.Trim(out, "\" \n")
	_, err = h.AWS("kms", "create-alias", "--alias-name", alias, "--target-key-id", arn)
	ok(t, err)
	return arn
}

// A service is created from an image of the built-in registry, step by step, with all that the wizard asks for; what is wrong is told where
// it was typed; the dashboard follows it until it runs, and the default domain answers.
//
// checklist: 69, 70, 72, 74, 75, 97, 113, 225
func TestAServiceIsCreatedFromAnImage(t *testing.T) {
	h := theHouse(t)
	acl, key := firewall(t, h, "pass-all"), encryptionKey(t, h, "alias/shop")
	play(t, h, "create_image", user(t, h, "dora", mayAll), map[string]any{
		"image": rig.Identifier("app", "v1"), "service": "from-image", "scaling": "small-steps", "acl": "pass-all", "alias": "alias/shop", "key": key,
	})
	s := made(t, h, "us-east-1", "from-image")
	if e := s.EncryptionConfiguration; e == nil || *e.KmsKey != key {
		t.Errorf("the copies are encrypted with %+v, want %s", e, key)
	}
	s.Says(t, "/env", `"COLOUR=blue"`)
	if c := s.HealthCheckConfiguration; *c.Interval != 10 || *c.Timeout != 5 || *c.HealthyThreshold != 1 || *c.UnhealthyThreshold != 5 || *c.Path != "/health" {
		t.Errorf("health check %+v", c)
	}
	if a := s.AutoScalingConfigurationSummary; *a.AutoScalingConfigurationName != "small-steps" || a.AutoScalingConfigurationRevision != 1 {
		t.Errorf("auto scaling %s %d", *a.AutoScalingConfigurationName, a.AutoScalingConfigurationRevision)
	}
	if !*s.SourceConfiguration.AutoDeploymentsEnabled || !s.NetworkConfiguration.IngressConfiguration.IsPubliclyAccessible {
		t.Error("the service is not deployed automatically, or not public")
	}
	checkRole(t, h, *s.SourceConfiguration.AuthenticationConfiguration.AccessRoleArn)
	checkTags(t, h, *s.ServiceArn)
	front, err := wafv2.NewFromConfig(config(h, "us-east-1")).GetWebACLForResource(t.Context(), &wafv2.GetWebACLForResourceInput{ResourceArn: s.ServiceArn})
	if ok(t, err); front.WebACL == nil || *front.WebACL.ARN != acl {
		t.Errorf("in front of the service is %+v", front.WebACL)
	}
}

// checkRole holds the role that the wizard made against what App Runner needs.
func checkRole(t *testing.T, h *rig.House, arn string) {
	t.Helper()
	called := arn[strings.LastIndexByte(arn, '/')+1:]
	ids := iam.NewFromConfig(config(h, "us-east-1"))
	role, err := ids.GetRole(t.Context(), &iam.GetRoleInput{RoleName: &called})
	ok(t, err)
	trust, err := url.QueryUnescape(*role.Role.AssumeRolePolicyDocument)
	if ok(t, err); called != "AppRunnerECRAccessRole2" || !strings.Contains(trust, `"build.apprunner.amazonaws.com"`) {
		t.Errorf("the role %s trusts %s", arn, trust)
	}
	list, err := ids.ListAttachedRolePolicies(t.Context(), &iam.ListAttachedRolePoliciesInput{RoleName: &called})
	if ok(t, err); len(list.AttachedPolicies) != 1 || *list.AttachedPolicies[0].PolicyName != "AWSAppRunnerServicePolicyForECRAccess" {
		t.Errorf("the role has %+v", list.AttachedPolicies)
	}
}

func checkTags(t *testing.T, h *rig.House, arn string) {
	t.Helper()
	out, err := h.Apps.ListTagsForResource(t.Context(), &apprunner.ListTagsForResourceInput{ResourceArn: &arn})
	ok(t, err)
	got := map[string]string{}
	for _, tag := range out.Tags {
		got[*tag.Key] = *tag.Value
	}
	if len(got) != 3 || got["team"] != "shop" || got["slipway:sticky"] != "on" || got["slipway:request-timeout"] != "90s" {
		t.Errorf("tags %v", got)
	}
}

// What only the API can refuse is told at the field it is about, and can be corrected there; the keyboard is enough.
//
// checklist: 75
func TestWhatTheAPIRefusesIsToldAtItsField(t *testing.T) {
	h := theHouse(t)
	h.Begin(t, "taken-name", rig.ImageSource("app", "v1", nil), rig.Small)
	play(t, h, "create_refused", user(t, h, "emil", mayAll), map[string]any{"image": rig.Identifier("app", "v1"), "taken": "taken-name"})
}

// A link from the page of a public image opens the wizard filled in; the region is changed, the port entered, and the service created.
//
// checklist: 34
func TestALinkOpensTheWizardFilledIn(t *testing.T) {
	h := theHouse(t)
	img, err := rig.Image("v1")
	ok(t, err)
	ref, err := name.ParseReference(public.Listener.Addr().String() + "/demo/hello:v1")
	ok(t, err)
	ok(t, remote.Write(ref, img))
	play(t, h, "create_link", user(t, h, "frida", mayAll), map[string]any{"image": "public.ecr.aws/demo/hello:v1", "service": "from-link"})
	s := made(t, h, "eu-west-1", "from-link")
	s.Says(t, "/env", `"PORT=9090"`)
}

// A service is created from a private repository: the wizard makes the connection, takes its credential, and asks for the build; with
// a configuration file it does not. The repository is built until the default domain answers.
//
// checklist: 68, 73, 102
func TestAServiceIsCreatedFromARepository(t *testing.T) {
	h := theHouse(t)
	const token = "ghp_0123456789abcdefghij"
	g := rig.NewGit(t, map[string]string{"server.py": server})
	t.Cleanup(func() { noConnection(t, h, "hub-wizard") })
	play(t, h, "create_code", user(t, h, "gerd", mayAll), map[string]any{
		"connection": "hub-wizard", "token": token, "repository": rig.Provider(t, g, token) + "/private.git", "service": "from-code",
	})
	s := made(t, h, "us-east-1", "from-code")
	s.Says(t, "/", "built")
	if c := s.SourceConfiguration.AuthenticationConfiguration; c == nil || !strings.Contains(aws.ToString(c.ConnectionArn), "/hub-wizard/") {
		t.Errorf("the service has the authentication %+v", c)
	}
}

// noConnection deletes a connection that nothing uses any more.
func noConnection(t *testing.T, h *rig.House, called string) {
	t.Helper()
	ctx := context.Background() // the test's own has ended
	list, err := h.Apps.ListConnections(ctx, &apprunner.ListConnectionsInput{ConnectionName: &called})
	ok(t, err)
	for _, c := range list.ConnectionSummaryList {
		_, err := h.Apps.DeleteConnection(ctx, &apprunner.DeleteConnectionInput{ConnectionArn: c.ConnectionArn})
		ok(t, err)
	}
}

// server answers with what its build left.
const server = `import os
from http.server import HTTPServer, SimpleHTTPRequestHandler

class Built(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(open("built.txt", "rb").read())

HTTPServer(("", int(os.environ["PORT"])), Built).serve_forever()
`

// The configuration of a service is shown in sections, each of which is edited and saved; what cannot be changed is not offered. Who may only
// read is told what is missing.
//
// checklist: 92
func TestAConfigurationIsEdited(t *testing.T) {
	h := theHouse(t)
	s := h.Create(t, "reshaped", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	told := map[string]any{"arn": s.ARN(), "image": rig.Identifier("app", "v1")}
	play(t, h, "configuration_denied", user(t, h, "hugo", mayRead), told)
	play(t, h, "configuration", user(t, h, "hanna", mayAll), told)
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/env", `"START_DELAY=8s"`)
	if *s.InstanceConfiguration.Memory != "1024" || *s.HealthCheckConfiguration.Timeout != 3 || !*s.SourceConfiguration.AutoDeploymentsEnabled {
		t.Errorf("the service has %+v, %+v", s.InstanceConfiguration, s.HealthCheckConfiguration)
	}
}

// What the configuration file of a repository says is hidden, until the settings are taken over into the service.
//
// checklist: 73, 92
func TestWhatAFileSaysIsNotEdited(t *testing.T) {
	h := theHouse(t)
	g := rig.NewGit(t, map[string]string{
		"server.py":      server,
		"apprunner.yaml": "version: 1.0\nruntime: python311\nbuild:\n  commands:\n    build:\n      - echo from the file > built.txt\nrun:\n  command: python3 server.py\n",
	})
	s := h.Create(t, "by-file", rig.CodeSource(g.URL(), nil), types.ServiceStatusRunning, rig.Small)
	s.Says(t, "/", "from the file")
	play(t, h, "configuration_file", user(t, h, "jule", mayAll), map[string]any{"arn": s.ARN()})
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/", "from the console")
}
