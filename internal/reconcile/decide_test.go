package reconcile

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func running(change func(*view)) view {
	v := view{
		svc:  apprunner.Service{Status: apprunner.StatusRunning, DeploymentID: "d1"},
		rows: []apprunner.Instance{{ID: "a", Phase: apprunner.PhaseActive, CreatedAt: noon.Add(-time.Hour)}},
		real: map[string]instance.Instance{"a": {ID: "a", State: instance.Running}},
		edge: seen{Status: edge.Status{Targets: map[string]edge.TargetStatus{"a": {Phase: edge.Active, Health: edge.Healthy}}}}, edgeKnown: true,
	}
	v.want, v.awake = 1, 1
	change(&v)
	return v
}

// reserve is a service with two healthy instances.
func reserve(want, awake int, change func(*view)) view {
	return running(func(v *view) {
		v.want, v.awake = want, awake
		v.rows = append(v.rows, apprunner.Instance{ID: "b", Phase: apprunner.PhaseActive, CreatedAt: noon})
		v.real["b"] = instance.Instance{ID: "b", State: instance.Running}
		v.edge.Targets["b"] = edge.TargetStatus{Phase: edge.Active, Health: edge.Healthy}
		change(v)
	})
}

func ids(d decision) map[string]any {
	out := map[string]any{"missing": d.missing}
	for _, i := range d.remove {
		out["remove "+i.ID] = true
	}
	for _, i := range d.surplus {
		out["surplus "+i.ID] = true
	}
	for _, i := range d.turn {
		out["reserve "+i.ID] = i.Reserve
	}
	for _, b := range d.replace {
		out["replace "+b.ID] = b.reason
	}
	return out
}

// checklist: 106
func TestDecide(t *testing.T) {
	exited := &instance.Exit{Code: 3}
	for name, tc := range map[string]struct {
		view view
		want map[string]any
	}{
		"all is well": {running(func(*view) {}), map[string]any{"missing": 0}},
		"too few":     {running(func(v *view) { v.want = 3 }), map[string]any{"missing": 2}},
		"too many": {running(func(v *view) {
			v.rows = append(v.rows, apprunner.Instance{ID: "b", Phase: apprunner.PhaseActive, CreatedAt: noon})
			v.real["b"] = instance.Instance{ID: "b", State: instance.Running}
		}), map[string]any{"missing": 0, "surplus b": true}},
		"too many, one is busy": {running(func(v *view) {
			v.rows = append(v.rows, apprunner.Instance{ID: "b", Phase: apprunner.PhaseActive, CreatedAt: noon})
			v.real["b"] = instance.Instance{ID: "b", State: instance.Running}
			v.edge.Targets["b"] = edge.TargetStatus{Phase: edge.Active, Health: edge.Healthy, InFlight: 2}
		}), map[string]any{"missing": 0, "surplus a": true}},
		"not all are needed": {reserve(2, 1, func(*view) {}), map[string]any{"missing": 0, "reserve b": true}},
		"one is not healthy yet": {reserve(2, 1, func(v *view) {
			v.edge.Targets["b"] = edge.TargetStatus{Phase: edge.Active, Health: edge.Unknown}
		}), map[string]any{"missing": 0}},
		"one in reserve is needed": {reserve(2, 2, func(v *view) {
			v.rows[1].Reserve = true
			v.edge.Targets["b"] = edge.TargetStatus{Phase: edge.Reserve, Health: edge.Healthy, Frozen: true}
		}), map[string]any{"missing": 0, "reserve b": false}},
		"the edge has roused one": {reserve(2, 1, func(v *view) {
			v.rows[1].Reserve = true
			v.edge.Targets["a"] = edge.TargetStatus{Phase: edge.Active, Health: edge.Unknown}
			v.edge.Targets["b"] = edge.TargetStatus{Phase: edge.Active, Health: edge.Healthy, Roused: true}
		}), map[string]any{"missing": 0, "reserve b": false}},
		"one stays in reserve": {reserve(2, 1, func(v *view) {
			v.rows[0].Reserve = true
			v.edge.Targets["a"] = edge.TargetStatus{Phase: edge.Reserve, Health: edge.Healthy, Frozen: true}
		}), map[string]any{"missing": 0}},
		"those in reserve go first": {reserve(1, 1, func(v *view) {
			v.rows[0].Reserve = true
			v.edge.Targets["a"] = edge.TargetStatus{Phase: edge.Reserve, Health: edge.Healthy, Frozen: true}
		}), map[string]any{"missing": 0, "surplus a": true}},
		"all may be in reserve": {reserve(2, 0, func(*view) {}), map[string]any{"missing": 0, "reserve a": true, "reserve b": true}},
		"during a deployment": {reserve(2, 1, func(v *view) {
			v.svc.Status = apprunner.StatusInProgress
			v.op = apprunner.Operation{ID: "op", Type: apprunner.OpStartDeployment, StatusBefore: apprunner.StatusRunning}
		}), map[string]any{"missing": 0}},
		"none is needed": {running(func(v *view) { v.want = 0 }), map[string]any{"missing": 0, "surplus a": true}},
		"one has ended": {
			running(func(v *view) { v.real["a"] = instance.Instance{ID: "a", State: instance.Exited, Exit: exited} }),
			map[string]any{"missing": 1, "replace a": "exited with code 3"},
		},
		"one has lost its uplink": {
			running(func(v *view) { v.real["a"] = instance.Instance{ID: "a", State: instance.Running, CutOff: true} }),
			map[string]any{"missing": 1, "replace a": "has lost its way into the VPC"},
		},
		"one is unhealthy": {
			running(func(v *view) {
				v.edge.Targets["a"] = edge.TargetStatus{Phase: edge.Active, Health: edge.Unhealthy, LastError: "HTTP 500"}
			}),
			map[string]any{"missing": 1, "replace a": "failed its health checks (HTTP 500)"},
		},
		"the edge is away": {running(func(v *view) {
			v.edgeKnown = false
			v.edge = seen{}
		}), map[string]any{"missing": 0}},
		"just recorded, being started": {running(func(v *view) {
			v.rows[0].CreatedAt = noon.Add(-time.Second)
			delete(v.real, "a")
		}), map[string]any{"missing": 0}},
		"gone without a trace": {running(func(v *view) { delete(v.real, "a") }), map[string]any{"missing": 1, "replace a": "is gone"}},
		"paused": {running(func(v *view) {
			v.svc.Status = apprunner.StatusPaused
			v.rows = nil
		}), map[string]any{"missing": 0}},
		"being paused": {running(func(v *view) {
			v.svc.Status = apprunner.StatusInProgress
			v.op = apprunner.Operation{ID: "op", Type: apprunner.OpPauseService, StatusBefore: apprunner.StatusRunning}
			v.rows = nil
		}), map[string]any{"missing": 0}},
		"an instance ends during an update": {running(func(v *view) {
			v.svc.Status = apprunner.StatusInProgress
			v.op = apprunner.Operation{ID: "op", Type: apprunner.OpUpdateService, StatusBefore: apprunner.StatusRunning}
			v.real["a"] = instance.Instance{ID: "a", State: instance.Exited, Exit: exited}
		}), map[string]any{"missing": 1, "replace a": "exited with code 3"}},
		"draining, busy": {running(func(v *view) {
			v.rows = append(v.rows, apprunner.Instance{ID: "old", Phase: apprunner.PhaseDraining, DrainSince: noon.Add(-time.Minute)})
			v.real["old"] = instance.Instance{ID: "old", State: instance.Running}
			v.edge.Targets["old"] = edge.TargetStatus{Phase: edge.Draining, InFlight: 1}
		}), map[string]any{"missing": 0}},
		"draining, the edge still routes to it": {running(func(v *view) {
			v.rows = append(v.rows, apprunner.Instance{ID: "old", Phase: apprunner.PhaseDraining, DrainSince: noon})
			v.real["old"] = instance.Instance{ID: "old", State: instance.Running}
			v.edge.Targets["old"] = edge.TargetStatus{Phase: edge.Active}
		}), map[string]any{"missing": 0}},
		"draining, nothing left": {running(func(v *view) {
			v.rows = append(v.rows, apprunner.Instance{ID: "old", Phase: apprunner.PhaseDraining, DrainSince: noon})
			v.real["old"] = instance.Instance{ID: "old", State: instance.Running}
			v.edge.Targets["old"] = edge.TargetStatus{Phase: edge.Draining}
		}), map[string]any{"missing": 0, "remove old": true}},
		"draining, out of time": {running(func(v *view) {
			v.rows = append(v.rows, apprunner.Instance{ID: "old", Phase: apprunner.PhaseDraining, DrainSince: noon.Add(-3 * time.Minute)})
			v.real["old"] = instance.Instance{ID: "old", State: instance.Running}
			v.edge.Targets["old"] = edge.TargetStatus{Phase: edge.Draining, InFlight: 1}
		}), map[string]any{"missing": 0, "remove old": true}},
		"standby of an operation under way": {running(func(v *view) {
			v.op = apprunner.Operation{ID: "op", Type: apprunner.OpUpdateService, StatusBefore: apprunner.StatusRunning}
			v.rows = append(v.rows, apprunner.Instance{ID: "new", Phase: apprunner.PhaseStandby, OperationID: "op"})
		}), map[string]any{"missing": 0}},
		"standby left behind": {running(func(v *view) {
			v.rows = append(v.rows, apprunner.Instance{ID: "new", Phase: apprunner.PhaseStandby, OperationID: "op"})
		}), map[string]any{"missing": 0, "remove new": true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ids(decide(noon, tc.view, 2*time.Minute))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBackOff(t *testing.T) {
	var b backOff
	now := noon
	var waits []time.Duration
	for range 9 {
		b.failed(now, time.Second)
		waits = append(waits, b.wait(now))
		now = now.Add(b.wait(now))
	}
	want := []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	b.failed(now, 2*time.Minute)
	if w := b.wait(now); w != 0 {
		t.Errorf("after an instance that lived long: wait %s", w)
	}
}

func TestDiagnosis(t *testing.T) {
	sockets := func(list ...string) []netip.AddrPort {
		var out []netip.AddrPort
		for _, s := range list {
			out = append(out, netip.MustParseAddrPort(s))
		}
		return out
	}
	const address = "10.0.0.2:8080"
	var d diagnosis
	d.observe(noon, sockets("127.0.0.1:8080"), address)
	if f := d.verdict(noon.Add(loopbackPatience)); f != "" {
		t.Errorf("too early: %s", f)
	}
	if f := d.verdict(noon.Add(loopbackPatience + time.Second)); !strings.Contains(f, "127.0.0.1:8080") || !strings.Contains(f, "0.0.0.0:8080") {
		t.Errorf("loopback only: %q", f)
	}
	d.observe(noon.Add(time.Second), sockets("127.0.0.1:8080", "0.0.0.0:8080"), address)
	if f := d.verdict(noon.Add(time.Hour)); f != "" {
		t.Errorf("reachable: %q", f)
	}
	d.observe(noon, sockets("0.0.0.0:3000"), address)
	if f := d.verdict(noon.Add(otherPortPatience + time.Second)); !strings.Contains(f, "0.0.0.0:3000") || !strings.Contains(f, "8080") {
		t.Errorf("other port: %q", f)
	}
	d.observe(noon, nil, address)
	if f := d.timeout(5*time.Minute, ""); !strings.Contains(f, "nothing listens on port 8080") {
		t.Errorf("no port: %q", f)
	}
	d.observe(noon, sockets("0.0.0.0:8080"), address)
	if f := d.timeout(5*time.Minute, "HTTP 500"); !strings.Contains(f, "HTTP 500") || !strings.Contains(f, "5m0s") {
		t.Errorf("bad answer: %q", f)
	}
}

func TestRoutes(t *testing.T) {
	svc := apprunner.Service{Scope: apprunner.Scope{Account: "123456789012", Region: "r"}, ID: "1", Name: "svc", URL: "x.r.test", Status: apprunner.StatusRunning}
	svc.Network.Public = true
	set := func(phases ...apprunner.Phase) map[string][]apprunner.Instance {
		var rows []apprunner.Instance
		for n, p := range phases {
			rows = append(rows, apprunner.Instance{ID: string(rune('a' + n)), Address: "10.0.0.1:80", Phase: p})
		}
		return map[string][]apprunner.Instance{svc.ARN(): rows}
	}
	paused, private, deployed := svc, svc, svc
	paused.Status = apprunner.StatusPaused
	deployed.DeploymentID = "d1"
	private.Network.Public = false
	for name, tc := range map[string]struct {
		state   state
		serving edge.Serving
		targets int
		hosts   int
	}{
		"serving":          {state{services: []apprunner.Service{svc}, instances: set("active", "standby", "draining")}, edge.ServingOn, 3, 1},
		"being created":    {state{services: []apprunner.Service{svc}, instances: set("standby")}, edge.ServingNone, 1, 1},
		"paused":           {state{services: []apprunner.Service{paused}}, edge.ServingPaused, 0, 1},
		"being paused":     {state{services: []apprunner.Service{svc}, instances: set("draining"), pausing: map[string]bool{svc.ARN(): true}}, edge.ServingPaused, 1, 1},
		"coming back":      {state{services: []apprunner.Service{deployed}}, edge.ServingOn, 0, 1},
		"private, checked": {state{services: []apprunner.Service{private}, instances: set("active")}, edge.ServingOn, 1, 0},
	} {
		r := routes(tc.state)[0]
		if r.Serving != tc.serving || len(r.Targets) != tc.targets || len(r.Hosts) != tc.hosts {
			t.Errorf("%s: serving %s, %d targets, hosts %v", name, r.Serving, len(r.Targets), r.Hosts)
		}
	}
}

// TestHold: requests wait for instances that are on their way, and not for those that keep ending.
func TestHold(t *testing.T) {
	const arn, wait = "arn:s", 14 * time.Second
	serving, ending := map[string]time.Duration{arn: wait}, map[string]bool{arn: true}
	zero := apprunner.Extras{ScaleToZero: true}
	for name, tc := range map[string]struct {
		state  state
		extras apprunner.Extras
		want   time.Duration
	}{
		"being brought back":             {state{}, apprunner.Extras{}, mostPatience},
		"was serving":                    {state{patience: serving}, apprunner.Extras{}, wait},
		"keeps ending":                   {state{patience: serving, ending: ending}, apprunner.Extras{}, 0},
		"never came up":                  {state{ending: ending}, apprunner.Extras{}, 0},
		"from zero":                      {state{patience: serving}, zero, wait},
		"from zero, but it keeps ending": {state{patience: serving, ending: ending}, zero, wait},
	} {
		if got := tc.state.hold(arn, wait, tc.extras); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	b := backOffs{of: map[string]*backOff{}}
	b.failed(arn, noon, time.Hour)
	if b.keepEnding()[arn] {
		t.Error("one that ended after an hour keeps ending")
	}
	if b.failed(arn, noon, time.Second); !b.keepEnding()[arn] || b.wait(arn, noon) == 0 {
		t.Error("two in a row do not keep ending")
	}
	if b.keep(nil); len(b.of) != 0 {
		t.Error("what is known of a service outlives it")
	}
}
