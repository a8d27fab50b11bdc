package reconcile

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/store"
)

// state is what the front door depends on, read in one snapshot.
type state struct {
	services  []apprunner.Service
	instances map[string][]apprunner.Instance // by service ARN
	extras    map[string]apprunner.Extras     // by service ARN
	pausing   map[string]bool                 // service ARNs with a pause or resume under way
	deleting  map[string]bool                 // service ARNs with a deletion under way
	patience  map[string]time.Duration        // how long requests may wait in line, by the ARNs of services that were seen serving
	ending    map[string]bool                 // ARNs of services whose instances keep ending
	domains   map[string][]string             // routed custom domains by service ARN
	acls      map[string]*webacl.Resolved     // by service ARN
	joined    map[string]string               // interface endpoints by service ARN
}

// readState takes a snapshot of everything that is routed.
func readState(tx *store.Tx) (state, error) {
	s := state{instances: map[string][]apprunner.Instance{}, pausing: map[string]bool{}, deleting: map[string]bool{}}
	var err error
	if s.services, err = tx.Services(apprunner.Scope{}); err != nil {
		return s, err
	}
	if s.extras, err = tx.ServiceExtras(); err != nil {
		return s, err
	}
	if s.domains, err = tx.RoutedHosts(); err != nil {
		return s, err
	}
	if s.acls, err = tx.WebACLs(); err != nil {
		return s, err
	}
	ingresses, err := store.Resources[apprunner.VPCIngressConnection](tx, apprunner.Scope{}, apprunner.KindVPCIngress, "")
	if err != nil {
		return s, err
	}
	s.joined = endpointsOf(ingresses)
	all, err := tx.Instances("")
	if err != nil {
		return s, err
	}
	for _, i := range all {
		s.instances[i.ServiceARN] = append(s.instances[i.ServiceARN], i)
	}
	ops, err := tx.RunningOperations()
	for _, op := range ops {
		switch op.Type {
		case apprunner.OpPauseService, apprunner.OpResumeService:
			s.pausing[op.ServiceARN] = true
		case apprunner.OpDeleteService:
			s.deleting[op.ServiceARN] = true
		case apprunner.OpCreateService, apprunner.OpUpdateService, apprunner.OpStartDeployment, apprunner.OpMaintenance:
		}
	}
	return s, err
}

// routes is the table that fits a state: the same state always gives the same routes.
func routes(s state) []edge.Route {
	list := make([]edge.Route, 0, len(s.services))
	for _, svc := range s.services {
		if s.deleting[svc.ARN()] {
			continue // its names are unknown from now on; requests in flight finish all the same
		}
		hc, x, active := svc.HealthCheck, s.extras[svc.ARN()], false
		r := edge.Route{
			ServiceARN: svc.ARN(), ServiceName: svc.Name, ServiceID: svc.ID,
			Hosts: hosts(svc, s.domains[svc.ARN()], s.joined[svc.ARN()]), Endpoint: s.endpoint(svc),
			Serving: edge.ServingNone, MaxConcurrency: svc.AutoScaling.MaxConcurrency,
			QueueWait: max(s.patience[svc.ARN()], leastPatience), QueueLength: lineOf(svc.AutoScaling),
			RequestTimeout: x.RequestTimeout, IdleTimeout: x.IdleTimeout, NoUpgrade: x.NoUpgrade, H2C: x.H2C, Trace: svc.Observability.Enabled,
			AllowIPs: x.AllowIPs, BasicAuth: x.BasicAuth, AccessLog: x.AccessLog, Sticky: x.Sticky, WebACL: aclOf(svc, s.acls),
			Health: edge.HealthCheck{
				Protocol: edge.Protocol(hc.Protocol), Path: hc.Path, Interval: seconds(hc.Interval), Timeout: seconds(hc.Timeout),
				HealthyThreshold: hc.HealthyThreshold, UnhealthyThreshold: hc.UnhealthyThreshold,
			},
		}
		if answerable(svc) {
			r.Serving = edge.ServingOn // also while all its instances are about to come back
			r.Hold = s.hold(r.ServiceARN, r.QueueWait, x)
		}
		for _, i := range s.instances[svc.ARN()] {
			if i.Address == "" {
				continue
			}
			t := targetOf(i)
			if i.Phase == apprunner.PhaseActive {
				r.Serving, active = edge.ServingOn, true
			}
			if t.Canary {
				r.CanaryWeight = x.CanaryWeight
			}
			r.Targets = append(r.Targets, t)
		}
		if !active && (svc.Status == apprunner.StatusPaused || s.pausing[r.ServiceARN]) {
			r.Serving = edge.ServingPaused
		}
		list = append(list, r)
	}
	return list
}

// hold is how long a request waits for a first healthy instance: as long as others wait in line, and for longer while the service is
// being brought back, as after a start of the whole machine. Where instances keep ending it does not wait, unless none need run.
func (s state) hold(arn string, wait time.Duration, x apprunner.Extras) time.Duration {
	switch _, seen := s.patience[arn]; {
	case s.ending[arn] && !x.ScaleToZero:
		return 0
	case !seen && !s.ending[arn]:
		return mostPatience
	}
	return wait
}

// targetOf is the part an instance plays at the front door.
func targetOf(i apprunner.Instance) edge.Target {
	t := edge.Target{InstanceID: i.ID, Address: i.Address, Phase: edge.Phase(i.Phase)}
	switch {
	case i.Phase == apprunner.PhaseCanary:
		t.Phase, t.Canary = edge.Active, true
	case i.Phase == apprunner.PhaseActive && i.Reserve:
		t.Phase = edge.Reserve
	}
	return t
}

// answerable tells whether there is a version that could answer requests, with instances or without any at the moment.
func answerable(svc apprunner.Service) bool {
	return svc.DeploymentID != "" && (svc.Status == apprunner.StatusRunning || svc.Status == apprunner.StatusInProgress)
}

// The line of requests that wait is as long as what all instances may hold together, within bounds: each costs memory at the edge.
const (
	shortestLine = 1000
	longestLine  = 5000
)

func lineOf(s apprunner.AutoScalingConfiguration) int {
	return min(max(s.MaxSize*s.MaxConcurrency, shortestLine), longestLine)
}

// hosts are the names a service answers to: none for a private one that is joined to no endpoint (§19.2), which is health-checked
// all the same.
func hosts(svc apprunner.Service, custom []string, endpoint string) []string {
	if !svc.Network.Public && endpoint == "" {
		return nil
	}
	return append([]string{svc.URL}, custom...)
}

// endpoint is the interface endpoint at which a private service answers; "" stands for the public front door.
func (s state) endpoint(svc apprunner.Service) string {
	if svc.Network.Public {
		return ""
	}
	return s.joined[svc.ARN()]
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// publish brings the edge to the state of the store and returns when it routes by it. An edge that is away for a moment is
// waited for: its supervisor starts it again.
func (r *Reconciler) publish(ctx context.Context) error {
	r.publishMu.Lock()
	defer r.publishMu.Unlock()
	for n := 0; ; n++ {
		tried, err := r.publishOnce(ctx, false)
		if err == nil || ctx.Err() != nil || tried == nil {
			return err
		}
		if n%50 == 10 { // a restart of the edge is over by then
			r.Log.Warn("the edge does not take the routing table; trying on", "err", err)
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

// publishOnce sends the table when it differs from the last one, or always when force is set. It returns the table when
// sending was tried.
func (r *Reconciler) publishOnce(ctx context.Context, force bool) (*edge.Table, error) {
	var s state
	err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
		s, err = readState(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is routed: %w", err)
	}
	s.patience, s.ending = r.traffic.patience(), r.back.keepEnding()
	certs, err := r.Certificates.Certificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	l, err := r.layout(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the VPCs: %w", err)
	}
	next := edge.Table{
		Version: r.published.Version, Routes: routes(s), Certificates: certs, Challenges: r.Certificates.Challenges(), Private: r.listeners(l),
	}
	if !force && next.Version != 0 && reflect.DeepEqual(next, r.published) {
		return nil, nil
	}
	next.Version = max(uint64(r.Now().UnixMicro()), r.published.Version+1, r.sight.newest()+1)
	if err := r.Router.Publish(ctx, next); err != nil {
		return &next, err
	}
	r.published = next
	r.sight.table.Store(next.Version)
	return &next, nil
}

// republishEvery is how soon an edge that came back with an old table gets the present one.
const republishEvery = time.Second

// keepPublished hands the edge the table again when it came back with another one, and a new one when something changed that no
// operation published itself, such as a renewed certificate.
func (r *Reconciler) keepPublished(ctx context.Context) error {
	tick := time.NewTicker(republishEvery)
	defer tick.Stop()
	for {
		changed := r.DB.Changed()
		st, err := r.sight.status(ctx, republishEvery)
		r.publishMu.Lock()
		stale := err == nil && st.TableVersion != r.published.Version
		_, err = r.publishOnce(ctx, stale)
		r.publishMu.Unlock()
		if err != nil && ctx.Err() == nil {
			r.Log.Debug("routing table not published yet", "err", err)
		}
		for again := false; !again; again = err != nil || closed(changed) { // nothing changed: nothing to read again
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// watchEdge wakes the loops when something changed at the edge: another edge process, a target's health.
func (r *Reconciler) watchEdge(ctx context.Context) error {
	return r.sight.watch(ctx, func(st edge.Status) {
		r.calls(st)
		r.wake()
	})
}

// breath is how long the edge is left alone after it told of a change: under load it has much to tell.
const breath = 5 * time.Millisecond

// calls has the supervisor look at once when requests wait for an instance.
func (r *Reconciler) calls(st edge.Status) {
	for _, c := range st.Services {
		if c.Waiting > 0 {
			select {
			case r.demand <- struct{}{}:
			default: // it will look already
			}
			return
		}
	}
}
