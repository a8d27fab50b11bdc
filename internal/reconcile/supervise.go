package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/store"
)

// superviseEvery is how often reality is compared with the records when nothing announces a change.
const superviseEvery = time.Second

// supervise keeps what should run running and lets go what should not.
func (r *Reconciler) supervise(ctx context.Context) error {
	watched := map[string]bool{}
	age := lately
	for {
		changed := r.DB.Changed()
		if err := r.superviseOnce(ctx, watched, age); err != nil && ctx.Err() == nil {
			r.Log.Error("supervision", "err", err)
		}
		pause := superviseEvery
		if age = lately; r.traffic.hurry() {
			pause, age = hurryEvery, 0
		}
		short, cancel := context.WithTimeout(ctx, pause)
		select {
		case <-short.Done():
		case <-r.demand:
			age = 0
		case <-changed:
			if r.gather(ctx) {
				age = 0
			}
		}
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// lately is how old the counters of the edge may be where nothing is urgent.
const lately = superviseEvery / 2

// hurryEvery is how often services are looked at while requests wait for an instance.
const hurryEvery = 100 * time.Millisecond

// gatherFor is how long changes are let come together before all services are looked at again.
const gatherFor = 20 * time.Millisecond

// gather lets changes come together, unless requests wait, which it returns.
func (r *Reconciler) gather(ctx context.Context) (urgent bool) {
	ctx, cancel := context.WithTimeout(ctx, gatherFor)
	defer cancel()
	select {
	case <-ctx.Done():
		return false
	case <-r.demand:
		return true
	}
}

// sweep removes what a process that died left behind: checkouts, and instances that no record names.
func (r *Reconciler) sweep(ctx context.Context) error {
	old, err := filepath.Glob(filepath.Join(r.ScratchDir, "*"))
	if err != nil {
		return fmt.Errorf("sweep checkouts: %w", err)
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("sweep checkouts: %w", err)
		}
	}
	if err := os.MkdirAll(r.ScratchDir, 0o700); err != nil {
		return fmt.Errorf("make the scratch directory: %w", err)
	}
	return r.sweepInstances(ctx)
}

// sweepInstances brings records and reality together after this process was away, before anything is routed: an address that
// a record still names may belong to another instance soon.
func (r *Reconciler) sweepInstances(ctx context.Context) error {
	var (
		rows    []apprunner.Instance
		running = map[string]bool{}
	)
	err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
		if rows, err = tx.Instances(""); err != nil {
			return err
		}
		ops, err := tx.RunningOperations()
		for _, op := range ops {
			running[op.ID] = true
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read instances: %w", err)
	}
	keep := make([]string, len(rows))
	for n, i := range rows {
		keep[n] = i.ID
	}
	if err := r.Instances.Sweep(ctx, keep); err != nil {
		return fmt.Errorf("remove instances that no record names: %w", err)
	}
	list, err := r.Instances.List(ctx)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	real := map[string]bool{}
	for _, i := range list {
		real[i.ID] = true
	}
	if err := r.Credentials.Keep(ctx, keep); err != nil {
		return err
	}
	return r.DB.Update(ctx, func(tx *store.Tx) (err error) {
		for _, i := range rows {
			switch {
			case real[i.ID]:
			case running[i.OperationID] && (i.Phase == apprunner.PhaseStandby || i.Phase == apprunner.PhaseCanary):
				i.Address, i.Phase = "", apprunner.PhaseStandby // its operation starts it again
				err = errors.Join(err, tx.PutInstance(i))
			default:
				err = errors.Join(err, tx.DeleteInstance(i.ID))
			}
		}
		return err
	})
}

func (r *Reconciler) superviseOnce(ctx context.Context, watched map[string]bool, age time.Duration) error {
	v, err := r.look(ctx, age)
	if err != nil {
		return err
	}
	for _, i := range v.real {
		r.watch(ctx, i, watched)
	}
	maps.DeleteFunc(watched, func(id string, _ bool) bool { _, real := v.real[id]; return !real })
	for _, svc := range v.services {
		r.tend(ctx, v.of(svc))
	}
	for _, i := range v.ownerless() {
		r.once(ctx, i.ID, func(ctx context.Context) error { return r.stopAll(ctx, []apprunner.Instance{i}) })
	}
	recorded := v.recorded()
	for id := range v.real {
		if !recorded[id] {
			r.once(ctx, id, func(ctx context.Context) error { return r.stopOne(ctx, id) })
		}
	}
	return nil
}

// overview is everything the supervisor compares, seen at one moment.
type overview struct {
	state
	ops       map[string]apprunner.Operation // the running one, by service ARN
	want      map[string]int                 // how many instances a service is to have, by its ARN
	awake     map[string]int                 // how many of them are not to stand in reserve
	real      map[string]instance.Instance
	edge      seen
	edgeKnown bool
}

// look takes an overview, with counters of the edge that are at most that old. The order matters: an instance is recorded before it is started, so one that is listed first and not
// recorded afterwards is not wanted any more.
func (r *Reconciler) look(ctx context.Context, age time.Duration) (overview, error) {
	v := overview{ops: map[string]apprunner.Operation{}, real: map[string]instance.Instance{}}
	list, err := r.Instances.List(ctx)
	if err != nil {
		return v, fmt.Errorf("list instances: %w", err)
	}
	for _, i := range list {
		v.real[i.ID] = i
	}
	err = r.DB.View(ctx, func(tx *store.Tx) (err error) {
		if v.state, err = readState(tx); err != nil {
			return err
		}
		ops, err := tx.RunningOperations()
		for _, op := range ops {
			v.ops[op.ServiceARN] = op
		}
		return err
	})
	if err != nil {
		return v, fmt.Errorf("read the records: %w", err)
	}
	v.edge, err = r.sight.status(ctx, age)
	v.edgeKnown = err == nil // while the edge is away nothing is judged by it, and draining instances wait
	r.measure(ctx, &v)
	return v, nil
}

// ownerless are recorded instances whose service is deleted. No operation leaves any; they would run for ever if one did.
func (v overview) ownerless() (list []apprunner.Instance) {
	owned := map[string]bool{}
	for _, svc := range v.services {
		owned[svc.ARN()] = true
	}
	for arn, rows := range v.instances {
		if !owned[arn] {
			list = append(list, rows...)
		}
	}
	return list
}

// of is the part of an overview that is about one service.
func (v overview) of(svc apprunner.Service) view {
	arn := svc.ARN()
	return view{
		svc: svc, extras: v.extras[arn], want: v.want[arn], awake: v.awake[arn], op: v.ops[arn], rows: v.instances[arn], real: v.real, edge: v.edge, edgeKnown: v.edgeKnown,
	}
}

// recorded are the instances that a record names.
func (s state) recorded() map[string]bool {
	ids := map[string]bool{}
	for _, rows := range s.instances {
		for _, i := range rows {
			ids[i.ID] = true
		}
	}
	return ids
}

// watch wakes the supervisor when an instance ends.
func (r *Reconciler) watch(ctx context.Context, i instance.Instance, watched map[string]bool) {
	if watched[i.ID] || i.State == instance.Exited {
		return
	}
	watched[i.ID] = true
	go func() {
		if _, err := r.Instances.Wait(ctx, i.ID); err == nil {
			r.wake()
		}
	}()
}

// tend has one service looked after when something is to be done for it.
func (r *Reconciler) tend(ctx context.Context, v view) {
	d := decide(r.Now(), v, r.DrainTimeout)
	for _, gone := range d.remove {
		r.once(ctx, gone.ID, func(ctx context.Context) error { return r.stopAll(ctx, []apprunner.Instance{gone}) })
	}
	if len(d.turn) > 0 {
		r.once(ctx, "turns of "+v.svc.ARN(), func(ctx context.Context) error { return r.takeTurns(ctx, d.turn) })
	}
	if len(d.replace) == 0 && len(d.surplus) == 0 && d.missing == 0 {
		return
	}
	arn := v.svc.ARN()
	r.once(ctx, arn, func(ctx context.Context) error {
		// What was seen may be old by the time this runs: another round may just have done it. Decide on what is true now.
		now, err := r.look(ctx, lately)
		if err != nil {
			return err
		}
		for _, svc := range now.services {
			if svc.ARN() == arn {
				v := now.of(svc)
				return r.replace(ctx, v, decide(r.Now(), v, r.DrainTimeout))
			}
		}
		return nil
	})
}

// once runs fn in the background unless something runs under the same name already.
func (r *Reconciler) once(ctx context.Context, name string, fn func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.working[name] != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	r.working[name] = cancel
	go func() {
		defer r.endWorker(name)
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("supervision", "of", name, "err", err)
			sleep(ctx, superviseEvery)
		}
	}()
}

// replace records why instances are let go, then starts what is missing, no faster than the service's back-off allows.
func (r *Reconciler) replace(ctx context.Context, v view, d decision) error {
	now := r.Now().UTC()
	arn := v.svc.ARN()
	for _, bad := range d.replace {
		r.logEvents(ctx, v.svc, fmt.Sprintf("Instance %s %s. It is replaced.", bad.ID, bad.reason))
		r.back.failed(arn, now, now.Sub(bad.CreatedAt))
		d.surplus = append(d.surplus, bad.Instance)
	}
	if len(d.surplus) > 0 {
		if err := errors.Join(r.letGo(ctx, d.surplus, now), r.publish(ctx)); err != nil {
			return err
		}
	}
	if wait := r.back.wait(arn, now); wait > 0 {
		sleep(ctx, wait)
		return ctx.Err() // the records may say something else by now; the next round decides
	}
	if d.missing == 0 {
		return nil
	}
	dep, err := r.version(ctx, v.svc, v.svc.DeploymentID, v.svc.SecretsID)
	if err != nil {
		return r.cannotStart(ctx, v.svc, now, err)
	}
	set := make([]apprunner.Instance, d.missing)
	for n := range set {
		set[n] = apprunner.Instance{ID: apprunner.NewID(), ServiceARN: arn, DeploymentID: dep.ID, Phase: apprunner.PhaseActive, CreatedAt: now}
	}
	if err := r.addActive(ctx, v.svc, set); err != nil {
		return err
	}
	if err := r.startAll(ctx, v.serving(), dep, set, r.publish); err != nil {
		r.back.failed(arn, now, 0)
		return fmt.Errorf("start instances of %s: %w", v.svc.Name, errors.Join(err, r.forgetUnstarted(ctx, set)))
	}
	return nil
}

// cannotStart tells the service's events why no instance can be made of its version, such as a KMS key that is disabled, and lets the next try
// wait.
func (r *Reconciler) cannotStart(ctx context.Context, svc apprunner.Service, now time.Time, err error) error {
	r.back.failed(svc.ARN(), now, 0)
	var known *apprunner.Error
	if errors.As(err, &known) && known.Code != apprunner.CodeInternal {
		r.logEvents(ctx, svc, "An instance cannot be started. "+known.Error())
	}
	return fmt.Errorf("start instances of %s: %w", svc.Name, err)
}

// forgetUnstarted drops the records of instances that could not be started, so that others are started in their place.
func (r *Reconciler) forgetUnstarted(ctx context.Context, set []apprunner.Instance) error {
	return r.DB.Update(ctx, func(tx *store.Tx) (err error) {
		for _, i := range set {
			if i.Address == "" {
				err = errors.Join(err, tx.DeleteInstance(i.ID))
			}
		}
		return err
	})
}

// letGo makes active instances draining. An operation may have done so, or removed them, since the decision was made.
func (r *Reconciler) letGo(ctx context.Context, set []apprunner.Instance, now time.Time) error {
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		for _, i := range set {
			_, _, err := tx.ChangeInstance(i.ID, func(i *apprunner.Instance) {
				if i.Phase == apprunner.PhaseActive {
					i.Phase, i.DrainSince = apprunner.PhaseDraining, now
				}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// takeTurns moves instances into the reserve or out of it, unless their service did something else with them meanwhile.
func (r *Reconciler) takeTurns(ctx context.Context, set []apprunner.Instance) error {
	err := r.DB.Update(ctx, func(tx *store.Tx) (err error) {
		for _, turned := range set {
			_, _, failed := tx.ChangeInstance(turned.ID, func(i *apprunner.Instance) {
				i.Reserve = turned.Reserve && i.Phase == apprunner.PhaseActive
			})
			err = errors.Join(err, failed)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change the reserve: %w", err)
	}
	return r.publish(ctx)
}

// addActive records replacements, unless an operation has taken the service over meanwhile.
func (r *Reconciler) addActive(ctx context.Context, was apprunner.Service, set []apprunner.Instance) error {
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		svc, found, err := tx.Service(was.ARN())
		if err != nil {
			return err
		}
		if !found || svc.DeploymentID != was.DeploymentID || svc.SecretsID != was.SecretsID || svc.Status != was.Status {
			return fmt.Errorf("service %s changed while an instance was to be replaced", was.Name)
		}
		for _, i := range set {
			if err := tx.PutInstance(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// stopOne stops an instance. The rest of its log is read by the pump, whatever ends first.
func (r *Reconciler) stopOne(ctx context.Context, id string) error {
	return r.Instances.Stop(ctx, id, r.StopGrace)
}

// awaitDrained waits until the edge has no request in flight on any of the instances, or DrainTimeout is over.
func (r *Reconciler) awaitDrained(ctx context.Context, set []apprunner.Instance) error {
	deadline := r.Now().Add(r.DrainTimeout)
	for {
		st, err := r.sight.status(ctx, superviseEvery)
		busy := 0
		for _, i := range set {
			busy += st.Targets[i.ID].InFlight
			if st.Targets[i.ID].Frozen {
				busy++ // it is being thawed, so that it hears that it is to end
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && busy == 0, r.Now().After(deadline):
			return nil
		}
		short, cancel := context.WithTimeout(ctx, look)
		r.sight.await(short, st.Version)
		cancel()
		sleep(ctx, 20*time.Millisecond)
	}
}
