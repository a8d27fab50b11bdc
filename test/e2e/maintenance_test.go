package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestMaintenance: a service is moved to new instances. Meanwhile every change is refused and no request fails; afterwards it runs and
// takes changes again. No operation is listed, and the events tell the two changes of the status alone.
//
// checklist: 25, 26, 27
func TestMaintenance(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	// The new instance takes its time, so that there is a meanwhile.
	s := h.Create(t, "maintained", rig.ImageSource("app", "v1", map[string]string{"START_DELAY": "3s"}), types.ServiceStatusRunning, rig.Small)
	before, told := s.Instances(t, "active"), s.Events()
	load := s.Load(rig.Pressure{Path: "/", Rate: 50})
	if out, err := h.Slipway("maintenance", "--data-dir", h.Dir, "--service", s.ARN()); err != nil || strings.TrimSpace(out) != s.ARN() {
		t.Fatal(err, out)
	}
	now, err := h.Describe(s.ARN())
	if err != nil || now.Status != types.ServiceStatusOperationInProgress {
		t.Fatalf("during maintenance the service is %s, %v", now.Status, err)
	}
	for action, want := range map[string]string{
		"UpdateService": "InvalidStateException", "StartDeployment": "InvalidRequestException", "PauseService": "InvalidStateException",
		"ResumeService": "InvalidStateException", "DeleteService": "InvalidStateException",
	} {
		if got := rig.Code(change(t, s, action)); got != want {
			t.Errorf("%s during maintenance: %q, want %s", action, got, want)
		}
	}
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	load.Stop().Unharmed(t)
	after := s.Instances(t, "active")
	if len(after) != 1 || slices.Equal(after, before) {
		t.Errorf("instances %v became %v", before, after)
	}
	if ops := s.Operations(t); len(ops) != 1 || ops[0] != "CREATE_SERVICE SUCCEEDED" {
		t.Errorf("operations %v", ops)
	}
	want := "\n[AppRunner] Service status is set to OPERATION_IN_PROGRESS.\n[AppRunner] Service status is set to RUNNING."
	if got := strings.TrimPrefix(s.Events(), told); got != want {
		t.Errorf("events tell %q, want %q", got, want)
	}
	s.Pause(t)
	if out, err := h.Slipway("maintenance", "--data-dir", h.Dir, "--service", s.ARN()); err == nil {
		t.Errorf("a paused service is moved: %s", out)
	}
	s.Resume(t)
	s.Deploy(t)
}

// change asks for an action on a service.
func change(t *testing.T, s rig.Service, action string) (err error) {
	t.Helper()
	ctx, apps := t.Context(), s.House.Apps
	switch action {
	case "UpdateService":
		_, err = apps.UpdateService(ctx, &apprunner.UpdateServiceInput{
			ServiceArn: s.ServiceArn, InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("1024")},
		})
	case "StartDeployment":
		_, err = apps.StartDeployment(ctx, &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
	case "PauseService":
		_, err = apps.PauseService(ctx, &apprunner.PauseServiceInput{ServiceArn: s.ServiceArn})
	case "ResumeService":
		_, err = apps.ResumeService(ctx, &apprunner.ResumeServiceInput{ServiceArn: s.ServiceArn})
	case "DeleteService":
		_, err = apps.DeleteService(ctx, &apprunner.DeleteServiceInput{ServiceArn: s.ServiceArn})
	}
	return err
}
