package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestDefaults: what a service has that says nothing.
//
// checklist: 93, 103
func TestDefaults(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "defaults", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning)
	hc, size, scaling := s.HealthCheckConfiguration, s.InstanceConfiguration, s.AutoScalingConfigurationSummary
	if hc.Protocol != types.HealthCheckProtocolTcp || *hc.Path != "/" || *hc.Interval != 5 || *hc.Timeout != 2 || *hc.HealthyThreshold != 1 || *hc.UnhealthyThreshold != 5 {
		t.Errorf("health check %s", asJSON(t, hc))
	}
	if *size.Cpu != "1024" || *size.Memory != "2048" || *scaling.AutoScalingConfigurationName != "DefaultConfiguration" || *s.SourceConfiguration.ImageRepository.ImageConfiguration.Port != "8080" {
		t.Errorf("the service shows %s", asJSON(t, s.Service))
	}
	s.Says(t, "/env", `"PORT=8080"`)
}

// TestUpdates: each part of a service's settings changes on its own and takes effect; an update without new settings only says so.
//
// checklist: 54, 57, 85, 86, 91, 96
func TestUpdates(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "updates", rig.ImageSource("app", "v1", map[string]string{"MOOD": "good"}), types.ServiceStatusRunning, rig.Small)
	first := s.Instances(t, "active")

	// The size: new instances, the same image; what the old ones wrote is gone.
	keep(t, s, "/tmp/marker")
	s = s.Update(t, &apprunner.UpdateServiceInput{InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("1 GB")}}, types.ServiceStatusRunning)
	if *s.InstanceConfiguration.Memory != "1024" || *s.InstanceConfiguration.Cpu != "256" {
		t.Errorf("the size is %s", asJSON(t, s.InstanceConfiguration))
	}
	lacks(t, s, "/tmp/marker")
	if now := s.Instances(t, "active"); len(now) != 1 || now[0] == first[0] {
		t.Errorf("instances %v, before the update %v", now, first)
	}

	// One member of the health check; the others stay.
	s = s.Update(t, &apprunner.UpdateServiceInput{HealthCheckConfiguration: &types.HealthCheckConfiguration{Protocol: types.HealthCheckProtocolHttp, Path: aws.String("/health")}}, types.ServiceStatusRunning)
	s = s.Update(t, &apprunner.UpdateServiceInput{HealthCheckConfiguration: &types.HealthCheckConfiguration{Interval: aws.Int32(3)}}, types.ServiceStatusRunning)
	if hc := s.HealthCheckConfiguration; *hc.Interval != 3 || *hc.Path != "/health" || hc.Protocol != types.HealthCheckProtocolHttp || *hc.Timeout != 2 {
		t.Errorf("health check %s", asJSON(t, hc))
	}

	// Port and variables.
	src := rig.ImageSource("app", "v1", map[string]string{"MOOD": "better"})
	src.ImageRepository.ImageConfiguration.Port = aws.String("7070")
	s = s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: src}, types.ServiceStatusRunning)
	env := s.Says(t, "/env", `"PORT=7070"`)
	if !strings.Contains(env, `"MOOD=better"`) {
		t.Errorf("environment %s", env)
	}

	// The auto scaling configuration, by its full name.
	arn := "arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/DefaultConfiguration/1/00000000000000000000000000000001"
	s = s.Update(t, &apprunner.UpdateServiceInput{AutoScalingConfigurationArn: &arn}, types.ServiceStatusRunning)
	if *s.AutoScalingConfigurationSummary.AutoScalingConfigurationArn != arn {
		t.Errorf("auto scaling %s", asJSON(t, s.AutoScalingConfigurationSummary))
	}
	before := s.Instances(t, "active")
	s = s.Update(t, &apprunner.UpdateServiceInput{}, types.ServiceStatusRunning)
	if now := s.Instances(t, "active"); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("an update without changes replaced the instances %v by %v", before, now)
	}
	if _, err := h.Apps.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn, SourceConfiguration: rig.CodeSource("file:///x", nil)}); rig.Code(err) != "InvalidRequestException" {
		t.Errorf("an image service became a code service: %v", err)
	}
	if events := s.Events(); strings.Count(events, "Service update completed successfully. New configuration is deployed.") < 4 ||
		strings.Count(events, "Service update completed successfully. New application and configuration is deployed.") != 1 {
		t.Errorf("events:\n%s", events) // checklist: 163
	}
	h.NoOrphans(t)
}

// keep lets the application write a file.
func keep(t *testing.T, s rig.Service, path string) {
	t.Helper()
	if status, body, err := request(t, s, http.MethodPut, "/file?path="+path, "kept"); status != http.StatusOK {
		t.Fatalf("write %s: %d %s, %v", path, status, body, err)
	}
	s.Says(t, "/file?path="+path, "kept")
}

func lacks(t *testing.T, s rig.Service, path string) {
	t.Helper()
	if status, body, err := s.Get("/file?path=" + path); status != http.StatusNotFound {
		t.Errorf("%s answers %d %s, %v; want it gone", path, status, body, err)
	}
}

// TestNothingIsKept: what an application writes is gone after pause and resume, after a deployment, and with its instance.
//
// checklist: 54, 106, 130
func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "stateless", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	host := s.Host()
	keep(t, s, "/tmp/marker")
	s.Pause(t)
	s.Resume(t)
	lacks(t, s, "/tmp/marker")
	keep(t, s, "/tmp/marker")
	s.Deploy(t)
	lacks(t, s, "/tmp/marker")
	keep(t, s, "/tmp/marker")
	if _, _, err := s.Get("/exit?code=1"); err != nil {
		t.Error(err)
	}
	watched{s}.becomes(t, "hello v1")
	lacks(t, s, "/tmp/marker")
	if s.Host() != host {
		t.Errorf("the domain changed from %s to %s", host, s.Host())
	}
}

// request sends a request with a body.
func request(t *testing.T, s rig.Service, method, path, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.Host()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.House.HTTP.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}
