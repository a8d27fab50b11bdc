package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// tagging changes one setting of a service.
func tagging(t *testing.T, s rig.Service, key, value string) {
	t.Helper()
	_, err := s.House.Apps.TagResource(t.Context(), &apprunner.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{{Key: &key, Value: &value}}})
	if err != nil {
		t.Fatal(err)
	}
}

// untagging takes settings away.
func untagging(t *testing.T, s rig.Service, keys ...string) {
	t.Helper()
	if _, err := s.House.Apps.UntagResource(t.Context(), &apprunner.UntagResourceInput{ResourceArn: s.ServiceArn, TagKeys: keys}); err != nil {
		t.Fatal(err)
	}
}

// tries begins to deploy another version, and waits until some of the requests of a load get it.
func tries(t *testing.T, s rig.Service, load *rig.Load, tag string, env map[string]string) (operation string) {
	t.Helper()
	out, err := s.House.Apps.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn, SourceConfiguration: rig.ImageSource("app", tag, env)})
	if err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if r := load.Report(); versions(r)["v2"] > 0 || r.Failed > 0 {
			return aws.ToString(out.OperationId)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the new version gets no requests; the service's logs:\n%s", s.Story())
	return ""
}

// versions counts answers by the version that gave them.
func versions(r rig.Report) map[string]int {
	m := map[string]int{}
	for body, n := range r.Bodies {
		version, _, _ := strings.Cut(strings.TrimPrefix(body, "hello "), " ")
		m[version] += n
	}
	return m
}

// share waits until so many of a hundred requests get the new version, over a few hundred: it takes a moment until a change counts.
func share(t *testing.T, load *rig.Load, percent int) {
	t.Helper()
	const enough = 300
	before := versions(load.Report())
	fresh, all := 0, 0
	for range 4000 {
		now := versions(load.Report())
		fresh, all = now["v2"]-before["v2"], now["v1"]+now["v2"]-before["v1"]-before["v2"]
		if got := 100 * fresh / max(all, 1); all >= enough && got >= percent-2 && got <= percent+2 {
			return
		}
		if all >= enough {
			before = now
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d of %d requests got the new version, want %d of a hundred", fresh, all, percent)
}

// TestCanaryInContainers: the new version gets its share of the requests and no more, nothing else can be done to the service
// meanwhile, and the trial ends well when its tag is taken away.
func TestCanaryInContainers(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "canary", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, tagged("slipway:canary", "20 1h"))
	load := s.Load(rig.Pressure{Path: "/", Rate: 80})
	tries(t, s, load, "v2", nil)
	share(t, load, 20)
	tagging(t, s, "slipway:canary", "50 1h")
	share(t, load, 50)
	busy(t, s)
	untagging(t, s, "slipway:canary")
	h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/", "hello v2")
	load.Stop().Unharmed(t)
	if d := s.Deployment(""); !strings.Contains(d, "gets 20 of 100 requests for 1h0m0s") || !strings.Contains(d, "the tag slipway:canary is gone") {
		t.Errorf("the deployment's log:\n%s", d)
	}
}

// busy checks that a service refuses other operations while one is at work (§7).
func busy(t *testing.T, s rig.Service) {
	t.Helper()
	ctx, apps := t.Context(), s.House.Apps
	_, update := apps.UpdateService(ctx, &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn})
	_, pause := apps.PauseService(ctx, &apprunner.PauseServiceInput{ServiceArn: s.ServiceArn})
	_, remove := apps.DeleteService(ctx, &apprunner.DeleteServiceInput{ServiceArn: s.ServiceArn})
	_, deploy := apps.StartDeployment(ctx, &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
	for action, err := range map[string]error{"update": update, "pause": pause, "delete": remove} {
		if rig.Code(err) != "InvalidStateException" {
			t.Errorf("%s during the trial: %v", action, err)
		}
	}
	if rig.Code(deploy) != "InvalidRequestException" {
		t.Errorf("another deployment during the trial: %v", deploy)
	}
}

// TestCanaryTakenBack: a new version that answers badly is taken back. No request fails but the few of its share; the settings are
// those of the old one again. A good version is taken back when somebody says so.
func TestCanaryTakenBack(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "canary-fails", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, tagged("slipway:canary", "20 1h"))
	load := s.Load(rig.Pressure{Path: "/", Rate: 80})
	tries(t, s, load, "v2", map[string]string{"HELLO_STATUS": "500"})
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	report := load.Stop()
	t.Log(report)
	if report.Failed < 3 || report.Failed > 20 || report.Failed*4 > report.Sent {
		t.Errorf("%d of %d requests failed, want a few", report.Failed, report.Sent)
	}
	for _, f := range report.Failures {
		if !strings.Contains(f.Err.Error(), "status 500: hello v2") {
			t.Errorf("not a failure of the new version: %v", f)
		}
	}
	if ops := s.Operations(t); ops[0] != "UPDATE_SERVICE ROLLBACK_SUCCEEDED" {
		t.Errorf("operations %v", ops)
	}
	if env := s.SourceConfiguration.ImageRepository.ImageConfiguration.RuntimeEnvironmentVariables; len(env) != 0 {
		t.Errorf("the variables of the failed version stay: %v", env)
	}
	if events := s.Events(); !strings.Contains(events, "requests failed") {
		t.Errorf("the events do not say why:\n%s", events)
	}

	load = s.Load(rig.Pressure{Path: "/", Rate: 80})
	tries(t, s, load, "v2", nil)
	tagging(t, s, "slipway:canary", "abort")
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	load.Stop().Unharmed(t)
	s.Says(t, "/", "hello v1")
	if events := s.Events(); !strings.Contains(events, "the tag slipway:canary says abort") {
		t.Errorf("the events do not say why:\n%s", events)
	}
}

// TestCanarySurvivesKills: neither a control plane nor an edge that dies in the middle of a trial ends it, changes the share or costs a
// request.
func TestCanarySurvivesKills(t *testing.T) {
	t.Parallel()
	h := quick(t)
	h.PushApp(t, "app", "v2", "v2")
	s := h.Create(t, "canary-killed", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, tagged("slipway:canary", "25 1h"))
	load := s.Load(rig.Pressure{Path: "/", Rate: 80, Forgive: true})
	operation := tries(t, s, load, "v2", nil)
	for _, role := range []string{"control", "edge"} {
		h.Reborn(t, role, h.Kill(t, role))
		share(t, load, 25)
	}
	untagging(t, s, "slipway:canary")
	h.Await(t, s.ARN(), types.ServiceStatusRunning)
	load.Stop().Unharmed(t)
	s.Says(t, "/", "hello v2")
	if d := s.Deployment(operation); !strings.Contains(d, "attempt 2") {
		t.Errorf("the deployment's log:\n%s", d)
	}
	h.NoOrphans(t)
}
