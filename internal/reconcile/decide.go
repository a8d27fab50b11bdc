package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance"
)

// view is one service as the records, the driver and the edge see it at one moment.
type view struct {
	svc       apprunner.Service
	extras    apprunner.Extras
	want      int                 // how many instances its load and its limits ask for
	awake     int                 // how many of them are not to stand in reserve
	op        apprunner.Operation // the running one; zero when there is none
	rows      []apprunner.Instance
	real      map[string]instance.Instance
	edge      seen
	edgeKnown bool
}

// bad is an instance to be let go, and why.
type bad struct {
	apprunner.Instance
	reason string
}

// decision is what to do for one service.
type decision struct {
	remove  []apprunner.Instance // stop and forget
	replace []bad                // let go and start another
	surplus []apprunner.Instance // let go
	missing int                  // how many instances to start
	turn    []apprunner.Instance // move into the reserve, or out of it
}

// decide compares what should run with what does. It is pure.
func decide(now time.Time, v view, drain time.Duration) decision {
	var d decision
	var active []apprunner.Instance
	for _, i := range v.rows {
		switch i.Phase {
		case apprunner.PhaseDraining:
			if v.drained(now, i, drain) {
				d.remove = append(d.remove, i)
			}
		case apprunner.PhaseStandby, apprunner.PhaseCanary:
			if v.op.ID != i.OperationID {
				d.remove = append(d.remove, i) // its operation has ended without it
			}
		case apprunner.PhaseActive:
			if reason := v.fault(now, i); reason != "" {
				d.replace = append(d.replace, bad{i, reason})
			} else {
				active = append(active, i)
			}
		}
	}
	if !v.shouldServe() {
		return d
	}
	d.missing = max(0, v.want-len(active))
	if v.op.ID != "" {
		return d
	}
	slices.SortStableFunc(active, v.byWorth)
	if len(active) > v.want {
		active, d.surplus = active[:v.want], active[v.want:]
	}
	d.turn = v.turns(active)
	return d
}

// byWorth orders instances by how much is lost when they go: those that take part in the traffic first, then those with the most
// requests, then the oldest.
func (v view) byWorth(a, b apprunner.Instance) int {
	return cmp.Or(cmp.Compare(v.part(b), v.part(a)), cmp.Compare(v.edge.Targets[b.ID].InFlight, v.edge.Targets[a.ID].InFlight), a.CreatedAt.Compare(b.CreatedAt))
}

// part is 2 for an instance that takes part in the traffic, 1 for one in reserve and 0 for one that is not healthy yet.
func (v view) part(i apprunner.Instance) int {
	switch {
	case v.edge.Targets[i.ID].Health != edge.Healthy:
		return 0
	case i.Reserve && !v.roused(i):
		return 1
	}
	return 2
}

// roused tells whether the edge took an instance out of the reserve because it was needed.
func (v view) roused(i apprunner.Instance) bool { return i.Reserve && v.edge.Targets[i.ID].Roused }

// turns are the instances, the most worthy first, whose part in the traffic is to change. Only healthy ones go into the reserve:
// there they are not looked after.
func (v view) turns(active []apprunner.Instance) (list []apprunner.Instance) {
	if !v.edgeKnown {
		return nil
	}
	for n, i := range active {
		spare := n >= v.awake && v.part(i) > 0
		if spare != i.Reserve {
			i.Reserve = spare
			list = append(list, i)
		}
	}
	return list
}

// shouldServe tells whether the service has a version that is meant to run now. While an operation pauses, resumes or deletes
// it, the operation alone decides.
func (v view) shouldServe() bool {
	if v.svc.DeploymentID == "" {
		return false
	}
	switch v.op.Type {
	case apprunner.OpPauseService, apprunner.OpResumeService, apprunner.OpDeleteService, apprunner.OpCreateService:
		return false
	case apprunner.OpUpdateService, apprunner.OpStartDeployment, apprunner.OpMaintenance:
		return v.op.StatusBefore == apprunner.StatusRunning
	}
	return v.svc.Status == apprunner.StatusRunning
}

// drained tells whether a draining instance can go: nothing in flight as far as the edge knows, or out of time.
func (v view) drained(now time.Time, i apprunner.Instance, drain time.Duration) bool {
	if now.Sub(i.DrainSince) > drain {
		return true
	}
	if r, ok := v.real[i.ID]; !ok || r.State == instance.Exited {
		return true
	}
	if !v.edgeKnown {
		return false
	}
	t, routed := v.edge.Targets[i.ID]
	return !routed || t.Phase == edge.Draining && t.InFlight == 0 && !t.Frozen
}

// startGrace is how long a recorded instance may be unknown to the driver: it is being started.
const startGrace = 30 * time.Second

// fault tells why an active instance has to be replaced; empty when it need not.
func (v view) fault(now time.Time, i apprunner.Instance) string {
	r, ok := v.real[i.ID]
	switch {
	case !ok && now.Sub(i.CreatedAt) > startGrace:
		return "is gone"
	case ok && r.State == instance.Exited && r.Exit != nil:
		return r.Exit.String()
	case ok && r.State == instance.Exited:
		return "ended"
	case ok && r.CutOff:
		return "has lost its way into the VPC"
	}
	if t := v.edge.Targets[i.ID]; v.edgeKnown && t.Health == edge.Unhealthy {
		return "failed its health checks (" + t.LastError + ")"
	}
	return ""
}

const (
	backOffFirst = 500 * time.Millisecond
	backOffMost  = time.Minute
	// settled is how long an instance must have lived for its end not to count as another failure in a row.
	settled = time.Minute
)

// backOff paces the replacement of instances that keep ending: the first at once, then 0.5 s, 1 s, … up to a minute.
type backOff struct {
	row  int
	next time.Time
}

// failed counts an instance that ended after having lived for a while.
func (b *backOff) failed(now time.Time, lived time.Duration) {
	if lived >= settled {
		b.row = 0
	}
	if b.row > 0 {
		b.next = now.Add(min(backOffFirst<<min(b.row-1, 20), backOffMost))
	}
	b.row++
}

// wait is how long the next start has to wait.
func (b *backOff) wait(now time.Time) time.Duration { return max(0, b.next.Sub(now)) }

// keepsEnding tells whether more than one instance in a row ended soon after it had started.
func (b *backOff) keepsEnding() bool { return b.row > 1 }

// backOffs paces the replacements of all services.
type backOffs struct {
	mu sync.Mutex
	of map[string]*backOff // by service ARN
}

// failed counts an instance of a service that ended after having lived for a while.
func (b *backOffs) failed(arn string, now time.Time, lived time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[arn] == nil {
		b.of[arn] = &backOff{}
	}
	b.of[arn].failed(now, lived)
}

// wait is how long the next start of an instance of a service has to wait.
func (b *backOffs) wait(arn string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if one := b.of[arn]; one != nil {
		return one.wait(now)
	}
	return 0
}

// keepEnding are the services whose instances keep ending.
func (b *backOffs) keepEnding() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := map[string]bool{}
	for arn, one := range b.of {
		if one.keepsEnding() {
			list[arn] = true
		}
	}
	return list
}

// keep forgets the services that are not named.
func (b *backOffs) keep(services []apprunner.Service) {
	named := arnsOf(services)
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.of, func(arn string, _ *backOff) bool { return !named[arn] })
}

func arnsOf(services []apprunner.Service) map[string]bool {
	named := make(map[string]bool, len(services))
	for _, svc := range services {
		named[svc.ARN()] = true
	}
	return named
}
