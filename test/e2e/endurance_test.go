//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// endurance is a service under load to which everything happens that may happen to one.
type endurance struct {
	rig.Service
	t     *testing.T
	kills []time.Time // of instances
}

// TestEndurance: 100,000 requests over 20 deployments, 5 rollbacks, 5 kills of the control plane, 5 upgrades and 20 kills of instances.
// No request fails that may be sent again; of the others only some that were under way when an instance was killed.
func TestEndurance(t *testing.T) {
	h := rig.Own(t, "--stop-grace", "5s", "--start-timeout", "60s")
	h.PushApp(t, "app", "v1", "v1")
	h.PushApp(t, "app", "v2", "v2")
	two, err := h.Apps.CreateAutoScalingConfiguration(t.Context(), &apprunner.CreateAutoScalingConfigurationInput{
		AutoScalingConfigurationName: aws.String("two-of-them"), MinSize: aws.Int32(2), MaxSize: aws.Int32(4),
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &endurance{t: t, Service: h.Create(t, "endures", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.AutoScalingConfigurationArn = two.AutoScalingConfiguration.AutoScalingConfigurationArn
	})}
	loads := map[string]*rig.Load{
		"GET, HTTP/1.1": e.Load(rig.Pressure{Path: "/slow?ms=5", Rate: 500, Count: 75_000}),
		"GET, HTTP/2":   e.Load(rig.Pressure{Path: "/slow?ms=5", Rate: 100, Count: 15_000, HTTP2: true}),
		"POST":          e.Load(rig.Pressure{Path: "/slow?ms=5", Rate: 70, Count: 10_000, Post: true}),
	}
	for round := range 20 {
		e.round(round)
		for name, l := range loads {
			if r := l.Report(); r.Failed > 0 && name != "POST" {
				t.Fatalf("round %d: %s: %s", round, name, r)
			}
		}
	}
	sent := 0
	for name, l := range loads {
		r := l.Wait()
		sent += r.Sent
		t.Logf("%s: %s", name, r)
		for _, f := range r.Failures {
			if name != "POST" || !e.excused(f) {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
	if sent != 100_000 {
		t.Errorf("%d requests were sent", sent)
	}
	h.NoOrphans(t)
}

// round lets a version be deployed, in some rounds one that does not work first, in some with a kill of the control plane in the middle, in
// some with an upgrade before, and kills an instance.
func (e *endurance) round(n int) {
	e.t.Helper()
	h := e.House
	switch n % 4 {
	case 0:
		if out, err := h.Slipway("upgrade", "--data-dir", h.Dir); err != nil {
			e.t.Fatal(err, out)
		}
	case 1:
		e.Update(e.t, &apprunner.UpdateServiceInput{SourceConfiguration: rig.ImageSource("app", "v2", map[string]string{"EXIT_CODE": "3"})}, types.ServiceStatusRunning)
		if ops := e.Operations(e.t); ops[0] != "UPDATE_SERVICE ROLLBACK_SUCCEEDED" {
			e.t.Fatalf("round %d: operations %v", n, ops)
		}
	}
	version := fmt.Sprint("v", 1+n%2)
	if _, err := h.Apps.UpdateService(e.t.Context(), &apprunner.UpdateServiceInput{ServiceArn: e.ServiceArn, SourceConfiguration: rig.ImageSource("app", version, nil)}); err != nil {
		e.t.Fatal(err)
	}
	if n%4 == 2 {
		before, err := h.PID("control")
		if err != nil {
			e.t.Fatal(err)
		}
		h.Kill(e.t, "control")
		h.Reborn(e.t, "control", before)
	}
	e.Service = h.Await(e.t, e.ARN(), types.ServiceStatusRunning)
	e.Says(e.t, "/", "hello "+version)
	e.killOne()
}

// killOne kills an instance and waits until another one is there in its place.
func (e *endurance) killOne() {
	e.t.Helper()
	victim := e.Instances(e.t, "active")[0]
	pid, err := e.House.Init(victim)
	if err != nil {
		e.t.Fatal(err)
	}
	e.kills = append(e.kills, time.Now())
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		e.t.Fatal(err)
	}
	for range 200 {
		now := e.Instances(e.t, "active")
		if len(now) == 2 && !slices.Contains(now, victim) && e.addressed(now) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	e.t.Fatalf("after the end of %s there are %v", victim, e.Instances(e.t, "active"))
}

func (e *endurance) addressed(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool {
		address, err := e.House.Address(id)
		return err != nil || address == ""
	})
}

// excused tells whether an instance was killed while a request was under way.
func (e *endurance) excused(f rig.Failure) bool {
	return slices.ContainsFunc(e.kills, func(at time.Time) bool {
		return !at.Before(f.Start.Add(-100*time.Millisecond)) && !at.After(f.End)
	})
}
