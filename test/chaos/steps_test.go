//go:build chaos

package chaos

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// scene is one kind of operation: the state it begins in, what starts it, its steps as internal/reconcile has them, and how it ends.
type scene struct {
	name    string
	op      string // type of the operation
	steps   []string
	undo    bool // the operation fails by itself, and the kill comes while it is undone
	prepare func(t *testing.T, h *rig.House, name string) rig.Service
	act     func(t *testing.T, s rig.Service)
	status  types.ServiceStatus
	ends    string // status of the operation
	says    string // of the application afterwards; empty when it does not answer
	serves  bool   // requests are answered all the while
}

var (
	deploying  = []string{"prepare", "provision", "health", "switch", "finish"}
	restarting = deploying[1:]
)

// none begins with nothing: the act makes the service.
func none(*testing.T, *rig.House, string) rig.Service { return rig.Service{} }

func running(t *testing.T, h *rig.House, name string) rig.Service {
	t.Helper()
	return h.Create(t, name, rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
}

func paused(t *testing.T, h *rig.House, name string) rig.Service {
	t.Helper()
	s := running(t, h, name)
	s.Pause(t)
	return s
}

func update(in func() *apprunner.UpdateServiceInput) func(*testing.T, rig.Service) {
	return func(t *testing.T, s rig.Service) {
		t.Helper()
		request := in()
		request.ServiceArn = s.ServiceArn
		_, err := s.House.Apps.UpdateService(t.Context(), request)
		accepted(t, err)
	}
}

// accepted checks that a call was: one whose answer the kill swallowed and that the SDK sent again is refused, since the first one
// counts.
func accepted(t *testing.T, err error) {
	t.Helper()
	if code := rig.Code(err); err != nil && code != "InvalidStateException" && code != "InvalidRequestException" {
		t.Error(err)
	}
}

func newSource(env map[string]string) func() *apprunner.UpdateServiceInput {
	return func() *apprunner.UpdateServiceInput {
		return &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("app", "v2", env)}
	}
}

func newSize() *apprunner.UpdateServiceInput {
	return &apprunner.UpdateServiceInput{InstanceConfiguration: &types.InstanceConfiguration{Memory: aws.String("1024")}}
}

func newNothing() *apprunner.UpdateServiceInput { return &apprunner.UpdateServiceInput{} }

var broken = map[string]string{"EXIT_CODE": "5"}

func scenes() []scene {
	return []scene{
		{name: "create", op: "CREATE_SERVICE", steps: deploying, prepare: none, status: types.ServiceStatusRunning, ends: "SUCCEEDED", says: "hello v1"},
		{name: "create-fails", op: "CREATE_SERVICE", undo: true, prepare: none, status: types.ServiceStatusCreateFailed, ends: "FAILED"},
		{
			name: "deploy", op: "START_DEPLOYMENT", steps: deploying, prepare: running, status: types.ServiceStatusRunning, ends: "SUCCEEDED", says: "hello v1", serves: true,
			act: func(t *testing.T, s rig.Service) {
				_, err := s.House.Apps.StartDeployment(t.Context(), &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
				accepted(t, err)
			},
		},
		{
			name: "update-source", op: "UPDATE_SERVICE", steps: deploying, prepare: running, act: update(newSource(map[string]string{})),
			status: types.ServiceStatusRunning, ends: "SUCCEEDED", says: "hello v2", serves: true,
		},
		{
			name: "update-fails", op: "UPDATE_SERVICE", undo: true, prepare: running, act: update(newSource(broken)),
			status: types.ServiceStatusRunning, ends: "ROLLBACK_SUCCEEDED", says: "hello v1", serves: true,
		},
		{
			name: "update-size", op: "UPDATE_SERVICE", steps: restarting, prepare: running, act: update(newSize),
			status: types.ServiceStatusRunning, ends: "SUCCEEDED", says: "hello v1", serves: true,
		},
		{
			name: "update-nothing", op: "UPDATE_SERVICE", steps: []string{"route", "finish"}, prepare: running, act: update(newNothing),
			status: types.ServiceStatusRunning, ends: "SUCCEEDED", says: "hello v1", serves: true,
		},
		{
			name: "pause", op: "PAUSE_SERVICE", steps: []string{"drain", "stop", "rest", "finish"}, prepare: running, status: types.ServiceStatusPaused, ends: "SUCCEEDED",
			act: func(t *testing.T, s rig.Service) {
				_, err := s.House.Apps.PauseService(t.Context(), &apprunner.PauseServiceInput{ServiceArn: s.ServiceArn})
				accepted(t, err)
			},
		},
		{
			name: "resume", op: "RESUME_SERVICE", steps: restarting, prepare: paused, status: types.ServiceStatusRunning, ends: "SUCCEEDED", says: "hello v1",
			act: func(t *testing.T, s rig.Service) {
				_, err := s.House.Apps.ResumeService(t.Context(), &apprunner.ResumeServiceInput{ServiceArn: s.ServiceArn})
				accepted(t, err)
			},
		},
		{
			name: "delete", op: "DELETE_SERVICE", steps: []string{"drain", "stop", "remove", "finish"}, prepare: running, status: types.ServiceStatusDeleted, ends: "SUCCEEDED",
			act: func(t *testing.T, s rig.Service) {
				_, err := s.House.Apps.DeleteService(t.Context(), &apprunner.DeleteServiceInput{ServiceArn: s.ServiceArn})
				accepted(t, err)
			},
		},
	}
}

// points are the places at which the control plane is killed in a scene.
func (c scene) points() []string {
	if c.undo {
		return []string{c.op + "/undo/before"}
	}
	var all []string
	for _, step := range c.steps {
		all = append(all, c.op+"/"+step+"/before", c.op+"/"+step+"/after")
	}
	return all
}

// TestKillAtEveryStep kills the control plane at each step boundary of each operation.
func TestKillAtEveryStep(t *testing.T) {
	fault := filepath.Join(t.TempDir(), "fault")
	h := raise(t, "SLIPWAY_FAULT="+fault)
	for _, c := range scenes() {
		for n, point := range c.points() {
			t.Run(c.name+strings.TrimPrefix(point, c.op), func(t *testing.T) {
				c.play(t, h, fmt.Sprintf("%s-%d", c.name, n), point, fault)
			})
		}
	}
}

// raise starts an installation with the test application in its registry.
func raise(t *testing.T, env ...string) *rig.House {
	t.Helper()
	rig.NeedRoot(t)
	dir, err := os.MkdirTemp("", "slipway-house-")
	if err != nil {
		t.Fatal(err)
	}
	h, err := rig.UpIn(dir, env, "--service-quota", "100", "--start-timeout", "60s", "--stop-grace", "5s", "--drain-timeout", "10s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Finish(t) })
	h.PushApp(t, "app", "v1", "v1")
	h.PushApp(t, "app", "v2", "v2")
	return h
}

func (c scene) play(t *testing.T, h *rig.House, name, point, fault string) {
	s := c.prepare(t, h, name)
	var load *rig.Load
	if c.serves {
		load = s.Load(rig.Pressure{Path: "/", Rate: 40})
	}
	before, err := h.PID("control")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fault, []byte(point), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.act == nil {
		s = c.begin(t, h, name)
	} else {
		c.act(t, s)
	}
	killed(t, fault)
	h.Reborn(t, "control", before)
	s = h.Await(t, s.ARN(), c.status)
	if load != nil {
		load.Stop().Unharmed(t)
	}
	if ops := s.Operations(t); ops[0] != c.op+" "+c.ends {
		t.Errorf("operations %v; logs:\n%s", ops, s.Story())
	}
	fits(t, s, c.says)
	h.NoOrphans(t)
}

// begin makes a service; its answer may be lost in the kill.
func (c scene) begin(t *testing.T, h *rig.House, name string) rig.Service {
	t.Helper()
	var env map[string]string
	if c.undo {
		env = broken
	}
	in := &apprunner.CreateServiceInput{ServiceName: &name, SourceConfiguration: rig.ImageSource("app", "v1", env)}
	rig.Small(in)
	_, err := h.Apps.CreateService(t.Context(), in)
	accepted(t, err)
	s, err := h.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Remove(t, s.ARN()) })
	return s
}

// killed waits until the process that reached the point has removed the file, which it does just before its end.
func killed(t *testing.T, fault string) {
	t.Helper()
	for range 600 {
		if _, err := os.Stat(fault); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	os.Remove(fault)
	t.Error("the point was never reached")
}

// fits checks that what runs is what the status says.
func fits(t *testing.T, s rig.Service, says string) {
	t.Helper()
	switch s.Status {
	case types.ServiceStatusRunning:
		if n := len(s.Instances(t, "active")); n != 1 {
			t.Errorf("a running service has %d instances", n)
		}
		s.Says(t, "/", says)
	case types.ServiceStatusPaused:
		s.Gone(t)
		if status, _, err := s.Get("/"); status != http.StatusServiceUnavailable {
			t.Errorf("a paused service answers %d, %v", status, err)
		}
	case types.ServiceStatusDeleted:
		s.Gone(t)
		if status, _, err := s.Get("/"); status != http.StatusNotFound {
			t.Errorf("a deleted service answers %d, %v", status, err)
		}
	case types.ServiceStatusCreateFailed:
		s.Gone(t)
	case types.ServiceStatusOperationInProgress, types.ServiceStatusDeleteFailed:
		t.Errorf("the service is %s", s.Status)
	}
}
