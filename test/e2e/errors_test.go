package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// failure is a creation that cannot succeed and what its logs have to say about it.
type failure struct {
	name   string
	source func(t *testing.T) *types.SourceConfiguration
	change func(*apprunner.CreateServiceInput)
	says   []string // in the deployment log and, as the cause, in the events log
	lines  []string // in the deployment log only
}

// app is an image service of the test application.
func app(env map[string]string) func(*testing.T) *types.SourceConfiguration {
	return func(*testing.T) *types.SourceConfiguration { return rig.ImageSource("app", "v1", env) }
}

// python is a code service of a repository with these files, built by the command.
func python(build string, files map[string]string) func(*testing.T) *types.SourceConfiguration {
	return func(t *testing.T) *types.SourceConfiguration {
		return rig.CodeSource(rig.NewGit(t, files).URL(), &types.CodeConfigurationValues{
			Runtime: types.RuntimePython311, BuildCommand: &build, StartCommand: aws.String("python3 server.py"),
		})
	}
}

// file is a code service whose apprunner.yaml has that content.
func file(content string) func(*testing.T) *types.SourceConfiguration {
	return func(t *testing.T) *types.SourceConfiguration {
		return rig.CodeSource(rig.NewGit(t, map[string]string{"apprunner.yaml": content}).URL(), nil)
	}
}

func httpCheck(in *apprunner.CreateServiceInput) {
	rig.Small(in)
	in.HealthCheckConfiguration = &types.HealthCheckConfiguration{
		Protocol: types.HealthCheckProtocolHttp, Path: aws.String("/health"), Interval: aws.Int32(1), Timeout: aws.Int32(1),
	}
}

var failures = []failure{
	{
		name: "wrong-port", source: app(map[string]string{"LISTEN": "0.0.0.0:9999"}), change: rig.Small,
		says: []string{"nothing listens on port 8080", "9999"},
	},
	{
		name: "loopback-only", source: app(map[string]string{"LISTEN": "127.0.0.1:8080"}), change: rig.Small,
		says: []string{"127.0.0.1:8080 only", "0.0.0.0:8080"},
	},
	{
		name: "no-port-at-all", source: app(map[string]string{"LISTEN": "none"}), change: rig.Small,
		says: []string{"opened no port at all", startTimeout},
	},
	{
		name: "exit-before-ready", source: app(map[string]string{"PRINT_LINES": "40", "EXIT_CODE": "3"}), change: rig.Small,
		says:  []string{"ended before it was ready", "exited with code 3"},
		lines: []string{"Last 20 line(s)", "line 22 of the start", "line 40 of the start", "about to end"},
	},
	{
		name: "out-of-memory", source: app(map[string]string{"EAT_MIB": "900"}), change: rig.Small,
		says: []string{"out of memory", "512 MiB"},
	},
	{
		name: "unhealthy", source: app(map[string]string{"HEALTH_STATUS": "500"}), change: httpCheck,
		says: []string{"health check failed", "500"},
	},
	{
		name: "slow-health", source: app(nil), change: func(in *apprunner.CreateServiceInput) {
			httpCheck(in)
			in.HealthCheckConfiguration.Path = aws.String("/slow?ms=60000")
		},
		says: []string{"health check failed", "no answer within 1 s"},
	},
	{
		name: "disk-full", source: app(map[string]string{"FILL_MIB": "3300"}), change: rig.Small, // checklist: 55
		says: []string{"ended before it was ready", "exited with code 1", "no space left on device"},
	},
	{
		name: "other-architecture", source: foreign, change: rig.Small, // checklist: 36
		says: []string{"s390x", "amd64"},
	},
	{
		name: "no-such-image", source: func(*testing.T) *types.SourceConfiguration { return rig.ImageSource("app", "never-pushed", nil) }, change: rig.Small,
		says: []string{"app:never-pushed"},
	},
	{
		name: "build-fails", source: python("echo working on it && exit 7", nil), change: rig.Small,
		says: []string{"build command", "echo working on it && exit 7", "exit code 7"}, lines: []string{"[Build] working on it"},
	},
	{
		name: "missing-branch", source: func(t *testing.T) *types.SourceConfiguration {
			src := python("true", map[string]string{"server.py": ""})(t)
			src.CodeRepository.SourceCodeVersion.Value = aws.String("release")
			return src
		},
		change: rig.Small, says: []string{"release", "main"},
	},
	{
		name: "repository-unreachable", source: func(*testing.T) *types.SourceConfiguration {
			return rig.CodeSource("http://127.0.0.1:1/team/app.git", &types.CodeConfigurationValues{Runtime: types.RuntimePython311, StartCommand: aws.String("python3 x.py")})
		},
		change: rig.Small, says: []string{"http://127.0.0.1:1/team/app.git"},
	},
	{
		name: "no-file", source: func(t *testing.T) *types.SourceConfiguration {
			return rig.CodeSource(rig.NewGit(t, map[string]string{"README": "x"}).URL(), nil)
		},
		change: rig.Small, says: []string{"apprunner.yaml"},
	},
	{
		name: "bad-file", change: rig.Small, // checklist: 173
		source: file("version: 1.0\nruntime: cobol\nbuild:\n  commands:\n    build:\n      - true\nrun:\n  command: ./x\n  network:\n    port: 99999\n"),
		says:   []string{"apprunner.yaml:2:", "cobol", "python311, ", "apprunner.yaml:10:", "run.network.port", "99999", "1 to 65535"},
	},
	{
		name: "incomplete-file", change: rig.Small, // checklist: 173, 174, 176
		source: file("build:\n  commands:\n    pre-build:\n      - true\nrun:\n  network:\n    port: 80\n"),
		says:   []string{"version is missing", "runtime is missing", "build.commands.build is missing", "run.command is missing"},
	},
}

// foreign is an image for a machine of another kind.
func foreign(t *testing.T) *types.SourceConfiguration {
	img, err := rig.ImageFor("v1", "s390x")
	if err != nil {
		t.Fatal(err)
	}
	h := theHouse(t)
	h.Push(t, "app", "foreign", img)
	return rig.ImageSource("app", "foreign", nil)
}

// TestFailures: a creation that cannot succeed ends in CREATE_FAILED with the reason in the deployment log and in the events log,
// and leaves no container, control group, mount, interface or process.
//
// checklist: 36, 55, 65, 66, 173, 174, 176
func TestFailures(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := h.Create(t, "fails-"+f.name, f.source(t), types.ServiceStatusCreateFailed, f.change)
			deployment, events := s.Deployment(""), s.Events()
			for _, want := range append(f.says, f.lines...) {
				if !strings.Contains(deployment, want) {
					t.Errorf("the deployment log lacks %q:\n%s", want, deployment)
				}
			}
			for _, want := range append(f.says, "Service creation failed. For details, see service logs.", "Service status is set to CREATE_FAILED.") {
				if !strings.Contains(events, want) {
					t.Errorf("the events log lacks %q:\n%s", want, events)
				}
			}
			if ops := s.Operations(t); len(ops) != 1 || ops[0] != "CREATE_SERVICE FAILED" {
				t.Errorf("operations %v", ops)
			}
			if status, _, err := s.Get("/"); status != http.StatusServiceUnavailable && status != http.StatusNotFound {
				t.Errorf("a service that was never there answers %d, %v", status, err)
			}
			s.Gone(t)
		})
	}
}

// TestFailedUpdateRollsBack: while a bad version is tried and after, the old one serves; the old settings are shown again.
//
// checklist: 85
func TestFailedUpdateRollsBack(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "rolls-back", rig.ImageSource("app", "v1", map[string]string{"MOOD": "good"}), types.ServiceStatusRunning, httpCheck)
	before := s.Instances(t, "active")
	load := s.Load(rig.Pressure{Path: "/", Rate: 20})
	s = s.Update(t, &apprunner.UpdateServiceInput{
		SourceConfiguration:   rig.ImageSource("app", "v2", map[string]string{"EXIT_CODE": "9"}),
		InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("1024")},
	}, types.ServiceStatusRunning)
	load.Stop().Unharmed(t)
	if ops := s.Operations(t); ops[0] != "UPDATE_SERVICE ROLLBACK_SUCCEEDED" {
		t.Errorf("operations %v", ops)
	}
	image := s.SourceConfiguration.ImageRepository
	if *image.ImageIdentifier != rig.Identifier("app", "v1") || fmt.Sprint(image.ImageConfiguration.RuntimeEnvironmentVariables) != "map[MOOD:good]" || *s.InstanceConfiguration.Memory != "512" {
		t.Errorf("after the rollback the service shows %s", asJSON(t, s.Service))
	}
	if after := s.Instances(t, "active"); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("instances %v serve, before it were %v", after, before)
	}
	s.Says(t, "/", "hello v1")
	if events := s.Events(); !strings.Contains(events, "Service update failed. For details, see service logs.") || !strings.Contains(events, "exited with code 9") {
		t.Errorf("events:\n%s", events)
	}
	h.NoOrphans(t)

	// A deployment whose instances do not become healthy goes the same way.
	img, err := rig.Image("broken")
	if err != nil {
		t.Fatal(err)
	}
	h.Push(t, "app", "moving", img)
	s = s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("app", "moving", nil)}, types.ServiceStatusRunning)
	s.Says(t, "/", "hello broken")
	foreign, err := rig.ImageFor("x", "s390x")
	if err != nil {
		t.Fatal(err)
	}
	h.Push(t, "app", "moving", foreign)
	s.Deploy(t)
	if ops := s.Operations(t); ops[0] != "START_DEPLOYMENT FAILED" { // nothing was started yet (§5.2)
		t.Errorf("operations %v", ops)
	}
	s.Says(t, "/", "hello broken")
}

// TestCreateFailedIsRebuilt: an update of a service that was never there builds it, with the changes it brings; a failing one leaves
// it CREATE_FAILED with the new settings.
func TestCreateFailedIsRebuilt(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "second-try", rig.ImageSource("app", "v1", map[string]string{"EXIT_CODE": "1"}), types.ServiceStatusCreateFailed, rig.Small)
	s = s.Update(t, &apprunner.UpdateServiceInput{}, types.ServiceStatusCreateFailed)
	s = s.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("app", "v2", map[string]string{})}, types.ServiceStatusRunning)
	s.Says(t, "/", "hello v2")
	if ops := strings.Join(s.Operations(t), ", "); ops != "UPDATE_SERVICE SUCCEEDED, UPDATE_SERVICE FAILED, CREATE_SERVICE FAILED" {
		t.Errorf("operations: %s", ops)
	}
	if _, err := h.Apps.CreateService(t.Context(), &apprunner.CreateServiceInput{ServiceName: aws.String("second-try"), SourceConfiguration: rig.ImageSource("app", "v1", nil)}); rig.Code(err) != "InvalidRequestException" {
		t.Errorf("a second service of the same name: %v", err)
	}
}
