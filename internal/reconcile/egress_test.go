package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/instancetest"
)

// uplinks notes through what the instances of a world call out, in the order in which they start.
func (w *world) uplinks() func() []string {
	var (
		mu   sync.Mutex
		list []string
		seen = map[string]bool{} // one is asked for again by whoever resumes
	)
	w.machine.Misbehave(instancetest.Faults{Start: func(_ context.Context, s instance.Spec) error {
		mu.Lock()
		defer mu.Unlock()
		if !seen[s.ID] {
			seen[s.ID], list = true, append(list, string(s.Egress)+s.Uplink.Namespace)
		}
		return nil
	}})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

// A service calls out through its connector from the first instance on, also from those that replace others while an update to something
// else is under way. A connector that does not work ends the operation with cause and next step, and the service is as it was.
//
// checklist: 238, 239
func TestServicesCallOutThroughConnectors(t *testing.T) {
	w := newWorld(t)
	w.vpcs = &vpcs{}
	started := w.uplinks()
	w.run(nil)
	conn, err := w.control.CreateVPCConnector(t.Context(), scope, apprunner.VPCConnectorInput{Name: "database", Subnets: []string{"subnet-00000000000000001", "subnet-00000000000000002"}})
	check(t, err)
	s := w.create("caller")
	s, _ = w.await(s.ARN())
	update := func(egress apprunner.EgressType, arn string) apprunner.Operation {
		t.Helper()
		patch := &apprunner.NetworkPatch{Egress: &egress}
		if arn != "" {
			patch.VPCConnectorARN = &arn
		}
		_, _, err := w.control.UpdateService(t.Context(), scope, apprunner.UpdateServiceInput{ServiceARN: s.ARN(), ServicePatch: apprunner.ServicePatch{Network: patch}})
		check(t, err)
		var op apprunner.Operation
		s, op = w.await(s.ARN())
		return op
	}
	w.vpcs.set(func() { w.vpcs.fault = errors.New("no cable") })
	if op := update(apprunner.EgressVPC, conn.ARN); op.Status != apprunner.OpRollbackSucceeded || s.Network.Egress != apprunner.EgressDefault {
		t.Errorf("with a connector that does not work: %s, egress %s", op.Status, s.Network.Egress)
	}
	w.tells(s, "Cause: VPC connector database does not work: the interface eni-0 in subnet subnet-00000000000000001 (us-east-1a): no cable.", "then try again.")
	if got := started(); !slices.Equal(got, []string{"public"}) {
		t.Errorf("instances called out through %q", got)
	}
	w.vpcs.set(func() { w.vpcs.fault = nil })
	if op := update(apprunner.EgressVPC, conn.ARN); op.Status != apprunner.OpSucceeded {
		t.Fatalf("the update is %s:\n%s", op.Status, w.log(s.ARN()))
	}
	w.tells(s, "VPC connector database works: outgoing traffic goes through 2 network interface(s).")
	if got := started(); len(got) != 2 || got[1] != "uplink/run/eni-0" && got[1] != "uplink/run/eni-1" {
		t.Errorf("instances called out through %q", got)
	}
	w.settled(s, 1)
	list, err := w.machine.Driver().List(t.Context())
	check(t, err)
	w.machine.Kill(list[0].ID, instance.Exit{Code: 1})
	for deadline := time.Now().Add(20 * time.Second); len(started()) < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no other instance runs")
		}
	}
	if got := started(); got[2] != "uplink/run/eni-0" && got[2] != "uplink/run/eni-1" {
		t.Errorf("the instance that replaced another calls out through %q", got[2])
	}
	if op := update(apprunner.EgressDefault, ""); op.Status != apprunner.OpSucceeded {
		t.Errorf("the update back is %s", op.Status)
	}
	if got := started(); got[len(got)-1] != "public" {
		t.Errorf("instances called out through %q", got)
	}
}
