package apprunner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/apprunner"
)

func p[T any](v T) *T { return &v }

func codePatch() *apprunner.SourcePatch {
	return &apprunner.SourcePatch{Code: &apprunner.CodePatch{
		URL: p("https://example.com/app.git"), Branch: p("main"),
		Configuration: &apprunner.CodeConfigurationPatch{
			Source: p(apprunner.ConfigurationFromAPI),
			Values: &apprunner.CodeValuesPatch{Runtime: p(apprunner.Runtime("PYTHON_311")), StartCommand: p("python3 server.py")},
		},
	}}
}

func imagePatch(id string) *apprunner.SourcePatch {
	return &apprunner.SourcePatch{
		Image:         &apprunner.ImagePatch{Identifier: &id, Type: p(apprunner.ImageECR)},
		AccessRoleARN: p("arn:aws:iam::123456789012:role/access"),
	}
}

func mustApply(t *testing.T, s apprunner.Settings, patch apprunner.ServicePatch) apprunner.Settings {
	t.Helper()
	got, err := s.Apply(patch)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// checklist: 93
func TestCreationFillsDefaults(t *testing.T) {
	got := mustApply(t, apprunner.DefaultSettings(), apprunner.ServicePatch{Source: codePatch()})
	want := apprunner.HealthCheckConfiguration{Protocol: "TCP", Path: "/", Interval: 5, Timeout: 2, HealthyThreshold: 1, UnhealthyThreshold: 5}
	if diff := cmp.Diff(want, got.HealthCheck); diff != "" {
		t.Errorf("health check (-want +got):\n%s", diff)
	}
	if got.Instance.CPU != 1024 || got.Instance.Memory != 2048 {
		t.Errorf("size %+v; want 1 vCPU and 2 GB", got.Instance)
	}
	if c := got.Source.Code; c.SourceDirectory != "/" || c.Configuration.Values.Port != 8080 {
		t.Errorf("code %+v; want source directory / and port 8080", c)
	}
	if !got.Network.Public || got.Network.Egress != "DEFAULT" || got.Network.IPAddressType != "IPV4" {
		t.Errorf("network %+v", got.Network)
	}
}

// checklist: 85, 96
func TestUpdateKeepsWhatIsAbsent(t *testing.T) {
	before := mustApply(t, apprunner.DefaultSettings(), apprunner.ServicePatch{
		Source:   codePatch(),
		Instance: &apprunner.InstancePatch{CPU: p("1 vCPU"), Memory: p("2 GB"), RoleARN: p("arn:aws:iam::123456789012:role/instance")},
	})
	after := mustApply(t, before, apprunner.ServicePatch{
		Instance:    &apprunner.InstancePatch{Memory: p("4 GB")},
		HealthCheck: &apprunner.HealthCheckPatch{Interval: p(10)},
		Source:      &apprunner.SourcePatch{Code: &apprunner.CodePatch{Branch: p("next")}},
	})
	want := before
	want.Instance.Memory = 4096
	want.HealthCheck.Interval = 10
	code := *before.Source.Code
	code.Branch = "next"
	want.Source.Code = &code
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("after the update (-want +got):\n%s", diff)
	}
	if before.Source.Code.Branch != "main" {
		t.Error("applying a patch changed the settings it was applied to")
	}
}

func TestMapsAreReplacedAsAWhole(t *testing.T) {
	src := imagePatch("123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1")
	src.Image.Env = map[string]string{"A": "1", "B": "2"}
	before := mustApply(t, apprunner.DefaultSettings(), apprunner.ServicePatch{Source: src})
	kept := mustApply(t, before, apprunner.ServicePatch{Source: &apprunner.SourcePatch{Image: &apprunner.ImagePatch{Port: p("9000")}}})
	if len(kept.Source.Image.Env) != 2 || kept.Source.Image.Port != 9000 {
		t.Errorf("an absent map must stay: %+v", kept.Source.Image)
	}
	changed := mustApply(t, before, apprunner.ServicePatch{Source: &apprunner.SourcePatch{Image: &apprunner.ImagePatch{Env: map[string]string{"C": "3"}}}})
	if diff := cmp.Diff(map[string]string{"C": "3"}, changed.Source.Image.Env); diff != "" {
		t.Error(diff)
	}
	cleared := mustApply(t, before, apprunner.ServicePatch{Source: &apprunner.SourcePatch{Image: &apprunner.ImagePatch{Env: map[string]string{}}}})
	if len(cleared.Source.Image.Env) != 0 {
		t.Errorf("an empty map must clear: %v", cleared.Source.Image.Env)
	}
}

// checklist: 86
func TestSourceTypeIsFixed(t *testing.T) {
	code := mustApply(t, apprunner.DefaultSettings(), apprunner.ServicePatch{Source: codePatch()})
	if _, err := code.Apply(apprunner.ServicePatch{Source: imagePatch("123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1")}); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
		t.Errorf("code to image: %v", err)
	}
	image := mustApply(t, apprunner.DefaultSettings(), apprunner.ServicePatch{Source: imagePatch("123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1")})
	if _, err := image.Apply(apprunner.ServicePatch{Source: codePatch()}); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
		t.Errorf("image to code: %v", err)
	}
}

// checklist: 88
func TestRepositorySourceDropsValues(t *testing.T) {
	api := mustApply(t, apprunner.DefaultSettings(), apprunner.ServicePatch{Source: codePatch()})
	repo := mustApply(t, api, apprunner.ServicePatch{Source: &apprunner.SourcePatch{Code: &apprunner.CodePatch{
		Configuration: &apprunner.CodeConfigurationPatch{Source: p(apprunner.ConfigurationFromRepository), Values: codePatch().Code.Configuration.Values},
	}}})
	if repo.Source.Code.Configuration.Values != nil {
		t.Errorf("values must be ignored: %+v", repo.Source.Code.Configuration.Values)
	}
}

func TestRefusedSettings(t *testing.T) {
	with := func(change func(*apprunner.ServicePatch)) apprunner.ServicePatch {
		patch := apprunner.ServicePatch{Source: codePatch()}
		change(&patch)
		return patch
	}
	for name, tc := range map[string]struct {
		patch apprunner.ServicePatch
		want  string // must be named in the message
	}{
		"no source":    {with(func(s *apprunner.ServicePatch) { s.Source = &apprunner.SourcePatch{} }), "sourceConfiguration"},
		"both sources": {with(func(s *apprunner.ServicePatch) { s.Source.Image = &apprunner.ImagePatch{} }), "exactly one"},
		"unknown runtime": {with(func(s *apprunner.ServicePatch) {
			s.Source.Code.Configuration.Values.Runtime = p(apprunner.Runtime("PYTHON_9"))
		}), "PYTHON_311"},
		"no start command": {with(func(s *apprunner.ServicePatch) { s.Source.Code.Configuration.Values.StartCommand = nil }), "startCommand"},
		"no branch":        {with(func(s *apprunner.ServicePatch) { s.Source.Code.Branch = nil }), "sourceCodeVersion"},
		"credentials":      {with(func(s *apprunner.ServicePatch) { s.Source.Code.URL = p("https://me:pw@example.com/a.git") }), "credentials"},
		"parent directory": {with(func(s *apprunner.ServicePatch) { s.Source.Code.SourceDirectory = p("/a/../..") }), "sourceDirectory"},
		"port text":        {with(func(s *apprunner.ServicePatch) { s.Source.Code.Configuration.Values.Port = p("http") }), "65535"},
		"port zero":        {with(func(s *apprunner.ServicePatch) { s.Source.Code.Configuration.Values.Port = p("0") }), "65535"},
		"PORT set": {with(func(s *apprunner.ServicePatch) {
			s.Source.Code.Configuration.Values.Env = map[string]string{"PORT": "1"}
		}), "PORT"},
		"reserved prefix": {with(func(s *apprunner.ServicePatch) {
			s.Source.Code.Configuration.Values.Env = map[string]string{"AWSAPPRUNNER_X": "1"}
		}), "AWSAPPRUNNER"},
		"size pair": {with(func(s *apprunner.ServicePatch) {
			s.Instance = &apprunner.InstancePatch{CPU: p("256"), Memory: p("4 GB")}
		}), "memory"},
		"one of the pair":     {with(func(s *apprunner.ServicePatch) { s.Instance = &apprunner.InstancePatch{CPU: p("4 vCPU")} }), "8192"},
		"interval<timeout":    {with(func(s *apprunner.ServicePatch) { s.HealthCheck = &apprunner.HealthCheckPatch{Interval: p(1)} }), "interval"},
		"VPC, no connector":   {with(func(s *apprunner.ServicePatch) { s.Network = &apprunner.NetworkPatch{Egress: p(apprunner.EgressVPC)} }), "vpcConnectorArn"},
		"access role on code": {with(func(s *apprunner.ServicePatch) { s.Source.AccessRoleARN = p("arn:aws:iam::123456789012:role/x") }), "accessRoleArn"},
		"secrets, no role": {with(func(s *apprunner.ServicePatch) {
			s.Source.Code.Configuration.Values.Secrets = map[string]string{"S": "name"}
		}), "instanceRoleArn"},
		"a secret in the place of its reference": {with(func(s *apprunner.ServicePatch) {
			s.Source.Code.Configuration.Values.Secrets = map[string]string{"S": "not a reference"}
		}), "runtimeEnvironmentSecrets holds for S a reference that is neither an ARN nor a parameter name"},
		"tracing ARN, off": {with(func(s *apprunner.ServicePatch) {
			s.Observability = &apprunner.ObservabilityPatch{Enabled: p(false), ARN: p("arn:x")}
		}), "observabilityEnabled"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := apprunner.DefaultSettings().Apply(tc.patch)
			if apprunner.CodeOf(err) != apprunner.CodeInvalidRequest || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v; want InvalidRequestException that names %q", err, tc.want)
			}
			if err != nil && len(err.Error()) > 600 {
				t.Errorf("the message has %d characters; the model allows 600", len(err.Error()))
			}
		})
	}
}

func TestSizes(t *testing.T) {
	allowed := map[string][]string{
		"0.25 vCPU": {"0.5 GB", "1 GB"}, "0.5 vCPU": {"1 GB"}, "1 vCPU": {"2 GB", "3 GB", "4 GB"}, "2 vCPU": {"4 GB", "6 GB"}, "4 vCPU": {"8 GB", "10 GB", "12 GB"},
	}
	for _, cpu := range []string{"0.25 vCPU", "0.5 vCPU", "1 vCPU", "2 vCPU", "4 vCPU"} {
		for _, mem := range []string{"0.5 GB", "1 GB", "2 GB", "3 GB", "4 GB", "6 GB", "8 GB", "10 GB", "12 GB"} {
			_, err := apprunner.DefaultSettings().Apply(apprunner.ServicePatch{Source: codePatch(), Instance: &apprunner.InstancePatch{CPU: &cpu, Memory: &mem}})
			if want := slices.Contains(allowed[cpu], mem); (err == nil) != want {
				t.Errorf("%s with %s: %v; allowed: %v", cpu, mem, err, want)
			}
		}
	}
}

func TestWorkFor(t *testing.T) {
	base := mustApply(t, apprunner.DefaultSettings(), apprunner.ServicePatch{Source: codePatch()})
	for name, tc := range map[string]struct {
		patch  apprunner.ServicePatch
		status apprunner.ServiceStatus
		want   apprunner.Work
	}{
		"nothing":              {apprunner.ServicePatch{}, apprunner.StatusRunning, apprunner.WorkNothing},
		"equal values":         {apprunner.ServicePatch{Source: codePatch()}, apprunner.StatusRunning, apprunner.WorkNothing},
		"nothing, failed":      {apprunner.ServicePatch{}, apprunner.StatusCreateFailed, apprunner.WorkRebuild},
		"size":                 {apprunner.ServicePatch{Instance: &apprunner.InstancePatch{Memory: p("4 GB")}}, apprunner.StatusRunning, apprunner.WorkRestart},
		"health check":         {apprunner.ServicePatch{HealthCheck: &apprunner.HealthCheckPatch{Interval: p(9)}}, apprunner.StatusRunning, apprunner.WorkRestart},
		"branch":               {apprunner.ServicePatch{Source: &apprunner.SourcePatch{Code: &apprunner.CodePatch{Branch: p("b")}}}, apprunner.StatusRunning, apprunner.WorkRebuild},
		"only auto deployment": {apprunner.ServicePatch{Source: &apprunner.SourcePatch{AutoDeployments: p(true)}}, apprunner.StatusRunning, apprunner.WorkNothing},
		"only the front door":  {apprunner.ServicePatch{Network: &apprunner.NetworkPatch{Public: p(false)}}, apprunner.StatusRunning, apprunner.WorkNothing},
	} {
		t.Run(name, func(t *testing.T) {
			after := mustApply(t, base, tc.patch)
			if tc.patch.Source != nil && tc.patch.Source.AutoDeployments != nil {
				after.Source.AutoDeployments = true
			}
			if got := apprunner.WorkFor(tc.patch, tc.status, base, after); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestTags(t *testing.T) {
	if err := apprunner.CheckTags([]apprunner.Tag{{Key: "a", Value: ""}, {Key: "A", Value: "x"}}); err != nil {
		t.Error(err)
	}
	for name, tags := range map[string][]apprunner.Tag{
		"reserved": {{Key: "aws:x"}}, "twice": {{Key: "a"}, {Key: "a"}}, "no key": {{Value: "v"}},
		"long key": {{Key: strings.Repeat("k", 129)}}, "long value": {{Key: "k", Value: strings.Repeat("v", 257)}}, "too many": make([]apprunner.Tag, 51),
	} {
		if err := apprunner.CheckTags(tags); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
