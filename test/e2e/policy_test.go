package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"golang.org/x/crypto/bcrypt"

	"slipway.dev/slipway/test/rig"
)

// asked is one request to a service, with the status of its answer.
func asked(t *testing.T, s rig.Service, path, user, password string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.Host()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := s.House.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// becomes waits until a request is answered with a status.
func becomes(t *testing.T, s rig.Service, path string, want int) {
	t.Helper()
	status := 0
	for range 200 {
		if status, _, _ = asked(t, s, path, "", ""); status == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s is answered %d, want %d", path, status, want)
}

// TestPolicies: tags put an address list, passwords and an access log in front of a service, and take them away, without an operation.
func TestPolicies(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "guarded", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	tag := func(key, value string) {
		_, err := h.Apps.TagResource(t.Context(), &apprunner.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{{Key: &key, Value: &value}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	untag := func(key string) {
		_, err := h.Apps.UntagResource(t.Context(), &apprunner.UntagResourceInput{ResourceArn: s.ServiceArn, TagKeys: []string{key}})
		if err != nil {
			t.Fatal(err)
		}
	}
	tag("slipway:allow-ips", "192.0.2.0/24")
	becomes(t, s, "/", http.StatusForbidden)
	tag("slipway:allow-ips", "192.0.2.0/24 127.0.0.0/8")
	becomes(t, s, "/", http.StatusOK)
	hash, err := bcrypt.GenerateFromPassword([]byte("right one"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	tag("slipway:basic-auth", "ann:"+string(hash))
	becomes(t, s, "/", http.StatusUnauthorized)
	if status, _, _ := asked(t, s, "/", "ann", "right one"); status != http.StatusOK {
		t.Errorf("with the password: %d", status)
	}
	if status, header, _ := asked(t, s, "/", "ann", "wrong"); status != http.StatusUnauthorized || header.Get("WWW-Authenticate") == "" {
		t.Errorf("with another: %d %v", status, header)
	}
	tag("slipway:access-log", "json")
	accessLogged(t, s)
	untag("slipway:basic-auth")
	becomes(t, s, "/", http.StatusOK)
}

// accessLogged asks until the access log tells of it.
func accessLogged(t *testing.T, s rig.Service) {
	t.Helper()
	for range 200 {
		asked(t, s, "/logged?secret=1", "ann", "right one")
		lines, err := s.Stream("application", "access")
		if err == nil && len(lines) > 0 {
			var r struct {
				Path       string `json:"path"`
				Status     int    `json:"status"`
				InstanceID string `json:"instance_id"`
				TLS        string `json:"tls"`
			}
			if err := json.Unmarshal([]byte(lines[0]), &r); err != nil || r.Path != "/logged" || r.InstanceID == "" || r.TLS != "TLSv1.3" || strings.Contains(lines[0], "secret") {
				t.Errorf("%s: %v", lines[0], err)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("no line of the access log")
}

// TestWebACL: a web ACL made and associated with the stock SDK judges the requests of a service, tells about them, and lets go of it.
func TestWebACL(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "behind-an-acl", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	firewall := wafv2.NewFromConfig(aws.Config{
		Region: h.Env["AWS_REGION"], BaseEndpoint: aws.String(h.Env["AWS_ENDPOINT_URL"]),
		Credentials: credentials.NewStaticCredentialsProvider(h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"], ""),
	})
	shown := &waftypes.VisibilityConfig{MetricName: aws.String("m")}
	made, err := firewall.CreateWebACL(t.Context(), &wafv2.CreateWebACLInput{
		Name: aws.String("front"), Scope: waftypes.ScopeRegional, DefaultAction: &waftypes.DefaultAction{Allow: &waftypes.AllowAction{}}, VisibilityConfig: shown,
		CustomResponseBodies: map[string]waftypes.CustomResponseBody{"gone": {Content: aws.String("moved away"), ContentType: waftypes.ResponseContentTypeTextPlain}},
		Rules: []waftypes.Rule{
			{
				Name: aws.String("secret"), Priority: 1, VisibilityConfig: shown,
				Action: &waftypes.RuleAction{Block: &waftypes.BlockAction{CustomResponse: &waftypes.CustomResponse{ResponseCode: aws.Int32(410), CustomResponseBodyKey: aws.String("gone")}}},
				Statement: &waftypes.Statement{ByteMatchStatement: &waftypes.ByteMatchStatement{
					SearchString: []byte("/secret"), PositionalConstraint: waftypes.PositionalConstraintStartsWith, FieldToMatch: &waftypes.FieldToMatch{UriPath: &waftypes.UriPath{}},
					TextTransformations: []waftypes.TextTransformation{{Type: waftypes.TextTransformationTypeUrlDecode}},
				}},
			},
			{
				Name: aws.String("sql"), Priority: 2, VisibilityConfig: shown, OverrideAction: &waftypes.OverrideAction{None: &waftypes.NoneAction{}},
				Statement: &waftypes.Statement{ManagedRuleGroupStatement: &waftypes.ManagedRuleGroupStatement{VendorName: aws.String("AWS"), Name: aws.String("AWSManagedRulesSQLiRuleSet")}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.Summary.ARN
	if _, err := firewall.PutLoggingConfiguration(t.Context(), &wafv2.PutLoggingConfigurationInput{LoggingConfiguration: &waftypes.LoggingConfiguration{
		ResourceArn: arn, LogDestinationConfigs: []string{"arn:aws:logs:" + h.Env["AWS_REGION"] + ":" + strings.Split(*arn, ":")[4] + ":log-group:aws-waf-logs-front"},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := firewall.AssociateWebACL(t.Context(), &wafv2.AssociateWebACLInput{WebACLArn: arn, ResourceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, "/%73ecret", http.StatusGone)
	if _, _, body := asked(t, s, "/secret", "", ""); body != "moved away" {
		t.Errorf("the custom body is %q", body)
	}
	becomes(t, s, "/?id=1%27%20or%20%271%27=%271", http.StatusForbidden)
	becomes(t, s, "/", http.StatusOK)
	told := ""
	for range 200 {
		out, err := h.Logs.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String("aws-waf-logs-front"), LogStreamName: aws.String(h.Env["AWS_REGION"] + "_front_0"),
		})
		if err == nil && len(out.Events) > 2 {
			for _, e := range out.Events {
				told += *e.Message + "\n"
			}
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !strings.Contains(told, `"terminatingRuleId":"secret"`) || !strings.Contains(told, `"httpSourceName":"APPRUNNER"`) {
		t.Errorf("the log of the ACL: %s", told)
	}
	remove := func() error {
		_, err := firewall.DeleteWebACL(t.Context(), &wafv2.DeleteWebACLInput{Name: aws.String("front"), Id: made.Summary.Id, Scope: waftypes.ScopeRegional, LockToken: made.Summary.LockToken})
		return err
	}
	if err := remove(); rig.Code(err) != "WAFAssociatedItemException" {
		t.Errorf("deleting it while it is used: %v", err)
	}
	if _, err := firewall.DisassociateWebACL(t.Context(), &wafv2.DisassociateWebACLInput{ResourceArn: s.ServiceArn}); err != nil {
		t.Fatal(err)
	}
	becomes(t, s, "/?id=1%27%20or%20%271%27=%271", http.StatusOK)
	if err := remove(); err != nil {
		t.Error(err)
	}
}

// TestMetrics: the figures of a service can be scraped.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "measured", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	asked(t, s, "/", "", "")
	resp, err := http.Get(h.Env["AWS_ENDPOINT_URL"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`slipway_requests_total{class="2xx",service="` + s.ARN() + `"`, `slipway_instances{health="healthy",phase="active",service="` + s.ARN() + `"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestAccessLogOutlivesControl: requests that came while control was dead are told once it is back, each of them.
func TestAccessLogOutlivesControl(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--stop-grace", "5s", "--start-timeout", "60s")
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "logged", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.Tags = []types.Tag{{Key: aws.String("slipway:access-log"), Value: aws.String("combined")}}
	})
	pid := h.Kill(t, "control")
	const requests = 50
	for range requests {
		if status, _, _ := asked(t, s, "/while-away", "", ""); status >= 500 {
			t.Errorf("a request without control is answered %d", status)
		}
	}
	h.Reborn(t, "control", pid)
	n := 0
	for range 200 {
		lines, err := s.Stream("application", "access")
		if n = strings.Count(strings.Join(lines, "\n"), "/while-away"); err == nil && n >= requests {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n != requests {
		t.Errorf("%d of %d requests are told", n, requests)
	}
}
