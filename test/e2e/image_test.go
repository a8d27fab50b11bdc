package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"slipway.dev/slipway/test/rig"
)

// TestImageFromCommandLine: repository, login and service by the AWS CLI, the push by skopeo, which knows nothing of us.
//
// checklist: 1, 2, 28, 57, 63
func TestImageFromCommandLine(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("skopeo is not installed")
	}
	h := theHouse(t)
	img, err := rig.Image("from-skopeo")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if at, err := layout.Write(filepath.Join(dir, "oci"), empty.Index); err != nil {
		t.Fatal(err)
	} else if err := at.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	var made struct {
		Repository struct{ RepositoryUri string }
	}
	h.must(t, &made, "ecr", "create-repository", "--repository-name", "team/shop")
	script := `set -e
aws ecr get-login-password | skopeo login --tls-verify=false --authfile "$DIR/auth" --username AWS --password-stdin "$API"
skopeo copy --quiet --dest-tls-verify=false --authfile "$DIR/auth" "oci:$DIR/oci" "docker://$API/team/shop:1.0"`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env = append(h.Environ(), "DIR="+dir, "API="+h.API())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("push: %v\n%s", err, out)
	}
	s := h.command(t, "shop", map[string]any{
		"AuthenticationConfiguration": map[string]any{"AccessRoleArn": rig.AccessRole},
		"ImageRepository": map[string]any{
			"ImageIdentifier": rig.Identifier("team/shop", "1.0"), "ImageRepositoryType": "ECR",
			"ImageConfiguration": map[string]any{"Port": "9000", "StartCommand": `--greet "two words"`, "RuntimeEnvironmentVariables": map[string]string{"COLOUR": "blue"}},
		},
	}, "--instance-configuration", "Cpu=0.25 vCPU,Memory=0.5 GB")
	s.Says(t, "/", "hello from-skopeo")
	env := s.Says(t, "/env", `"PORT=9000"`)
	for _, want := range []string{`"COLOUR=blue"`, `"FROM_IMAGE=yes"`, `"AWS_REGION=us-east-1"`} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment lacks %s: %s", want, env)
		}
	}
	s.Printed(t, "with --greet two words") // in place of the image's CMD; its ENTRYPOINT stays
	if text := s.Deployment(""); strings.Contains(text, "[Build]") || !strings.Contains(text, "[AppRunner] Pulling image") {
		t.Errorf("the deployment log of an image service:\n%s", text)
	}
	if !*s.SourceConfiguration.AutoDeploymentsEnabled || *s.InstanceConfiguration.Cpu != "256" || *s.InstanceConfiguration.Memory != "512" {
		t.Errorf("the service shows %s", asJSON(t, s.Service))
	}
}

// TestImageNeedsARole: a private image without an access role is refused before anything begins.
//
// checklist: 29
func TestImageNeedsARole(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	src := rig.ImageSource("app", "v1", nil)
	src.AuthenticationConfiguration = nil
	_, err := h.Apps.CreateService(t.Context(), &apprunner.CreateServiceInput{ServiceName: aws.String("no-role"), SourceConfiguration: src})
	if rig.Code(err) != "InvalidRequestException" {
		t.Errorf("answered %v", err)
	}
}

// TestPushDeploysImage: with automatic deployment on, a push of the tag is all it takes; pushes of other tags and of what runs
// already, and pushes while it is off, start nothing.
//
// checklist: 78, 79
func TestPushDeploysImage(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	push := func(tag, version string) {
		t.Helper()
		img, err := rig.Image(version)
		if err != nil {
			t.Fatal(err)
		}
		h.Push(t, "auto", tag, img)
	}
	h.Repository(t, "auto")
	push("live", "one")
	src := rig.ImageSource("auto", "live", nil)
	src.AutoDeploymentsEnabled = aws.Bool(true)
	s := h.Create(t, "auto-image", src, types.ServiceStatusRunning, rig.Small)
	manual := h.Create(t, "manual-image", rig.ImageSource("auto", "live", nil), types.ServiceStatusRunning, rig.Small)

	push("other", "two")
	push("live", "one")
	push("live", "three")
	watched{s}.becomes(t, "hello three")
	if ops := strings.Join(s.Operations(t), ", "); ops != "START_DEPLOYMENT SUCCEEDED, CREATE_SERVICE SUCCEEDED" {
		t.Errorf("operations: %s", ops)
	}
	if ops := manual.Operations(t); len(ops) != 1 {
		t.Errorf("a service without automatic deployment has the operations %v", ops)
	}
	manual.Says(t, "/", "hello one")

	// Switching it on is an update that starts no instances; from then on pushes count.
	manual.Update(t, &apprunner.UpdateServiceInput{SourceConfiguration: &types.SourceConfiguration{AutoDeploymentsEnabled: aws.Bool(true)}}, types.ServiceStatusRunning)
	manual.Says(t, "/", "hello one")
	push("live", "four")
	watched{manual}.becomes(t, "hello four")
	watched{s}.becomes(t, "hello four")
}

// TestPushDuringDeployment: what is pushed while a service is busy is deployed when it is free, once and in its newest version.
func TestPushDuringDeployment(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	push := func(version string) {
		t.Helper()
		img, err := rig.Image(version)
		if err != nil {
			t.Fatal(err)
		}
		h.Push(t, "busy", "live", img)
	}
	h.Repository(t, "busy")
	push("one")
	src := rig.ImageSource("busy", "live", map[string]string{"START_DELAY": "2s"})
	src.AutoDeploymentsEnabled = aws.Bool(true)
	s := h.Begin(t, "busy-image", src, rig.Small)
	push("two")
	push("three")
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	watched{s}.becomes(t, "hello three")
	if ops := s.Operations(t); len(ops) > 2 {
		t.Errorf("operations: %v", ops)
	}
}

// TestStoredCopy: pause and resume need the stored copy of the image only, which outlives the repository's own; the deletion of the
// service lets it go (the store collects what nobody holds, see internal/image).
//
// checklist: 131, 139
func TestStoredCopy(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	img, err := rig.Image("only-here-" + t.Name())
	if err != nil {
		t.Fatal(err)
	}
	h.Repository(t, "passing")
	digest := h.Push(t, "passing", "it", img)
	s := h.Create(t, "passing", rig.ImageSource("passing", "it", nil), types.ServiceStatusRunning, rig.Small)
	if _, err := h.ECR.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{
		RepositoryName: aws.String("passing"), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: &digest}},
	}); err != nil {
		t.Fatal(err)
	}
	s.Pause(t)
	s.Gone(t) // checklist: 129
	s.Resume(t)
	s.Says(t, "/", "hello only-here")
	if owned, err := h.Pins(s.ARN()); err != nil || len(owned) == 0 {
		t.Errorf("a running service holds the images %v, %v", owned, err)
	}
	h.Remove(t, s.ARN())
	if owned, err := h.Pins(s.ARN()); err != nil || len(owned) > 0 {
		t.Errorf("the deleted service still holds the images %v, %v", owned, err)
	}
}

// watched is a service that a push changes.
type watched struct{ rig.Service }

// becomes waits until a service that nobody told to answers with want.
func (s watched) becomes(t *testing.T, want string) {
	t.Helper()
	var body string
	for range 600 {
		if _, body, _ = s.Get("/"); strings.Contains(body, want) {
			s.House.Await(t, s.ARN(), types.ServiceStatusRunning)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the service answers %q, not %q; its logs:\n%s", body, want, s.Story())
}
