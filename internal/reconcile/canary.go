package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/store"
)

// canary tries the new version on a share of the requests before it gets all of them, where the service asks for it (tag
// slipway:canary) and an old version serves. When the new one does clearly worse the operation fails, and the old one has all requests
// again at once: it never stopped serving.
func (j *job) canary(ctx context.Context) error {
	extras, err := j.extras(ctx)
	if err != nil || !extras.Canary() {
		return err
	}
	old, err := j.instances(ctx, func(i apprunner.Instance) bool { return i.OperationID != j.op.ID && i.Phase == apprunner.PhaseActive })
	if err != nil || len(old) == 0 {
		return err
	}
	if extras.CanaryAbort {
		return errAborted
	}
	set, err := j.beginCanary(ctx)
	if err != nil {
		return err
	}
	j.log.Step("The new version gets %d of 100 requests for %s.", extras.CanaryWeight, extras.CanaryTime)
	return j.watchCanary(ctx, set, old)
}

// errAborted takes a version back because somebody said so.
var errAborted = apprunner.Errorf(apprunner.CodeInvalidRequest,
	`The new version was taken back: the tag %scanary says abort. Give it a share and a time such as "10 2m", or remove it, before the next deployment.`, apprunner.ExtraPrefix)

// beginCanary gives the new instances their share, and notes when: a worker after a crash does not begin the time anew.
func (j *job) beginCanary(ctx context.Context) ([]apprunner.Instance, error) {
	set, err := j.mine(ctx)
	if err != nil {
		return nil, err
	}
	if set, err = j.restartMissing(ctx, set); err != nil {
		return nil, err
	}
	if j.op.CanarySince.IsZero() {
		if err := j.save(ctx, func(op *apprunner.Operation) { op.CanarySince = j.r.Now().UTC() }); err != nil {
			return nil, err
		}
	}
	return set, j.rephase(ctx, set, apprunner.PhaseCanary)
}

// rephase changes the part some instances play, and shows it to the front door.
func (j *job) rephase(ctx context.Context, set []apprunner.Instance, phase apprunner.Phase) error {
	now := j.r.Now().UTC()
	err := j.r.DB.Update(ctx, func(tx *store.Tx) (err error) {
		for _, i := range set {
			_, _, cause := tx.ChangeInstance(i.ID, func(i *apprunner.Instance) {
				if i.Phase = phase; phase == apprunner.PhaseDraining && i.DrainSince.IsZero() {
					i.DrainSince = now
				}
			})
			err = errors.Join(err, cause)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("change the phase of instances to %s: %w", phase, err)
	}
	return j.r.publish(ctx)
}

// extras are the service's settings beyond App Runner.
func (j *job) extras(ctx context.Context) (x apprunner.Extras, err error) {
	err = j.r.DB.View(ctx, func(tx *store.Tx) error {
		tags, err := tx.Tags(j.op.ServiceARN)
		x, _ = apprunner.ParseExtras(tags) // what is not allowed was refused when the tag was made
		return err
	})
	return x, err
}

// watchCanary waits until the trial is over: its time, or the tag that asks for it, which may change meanwhile. The error says what was
// wrong with the new version.
func (j *job) watchCanary(ctx context.Context, set, old []apprunner.Instance) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, i := range set {
		go j.watchExit(ctx, i.ID, cancel)
	}
	t := trial{set: set, old: old}
	for {
		if over, err := j.canaryOver(ctx); over || err != nil {
			return err
		}
		short, stop := context.WithTimeout(ctx, look)
		st, err := j.r.sight.status(short, look)
		stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			if first, fault := t.observe(st.Status); fault != "" {
				return apprunner.Errorf(apprunner.CodeInvalidRequest, "The new version was taken back after %s on its share of the requests: %s.%s",
					j.r.Now().Sub(j.op.CanarySince).Round(time.Second), fault, j.lastLines(ctx, first.ID))
			}
		}
		sleep(ctx, look)
	}
}

// canaryOver tells whether the new version has been tried long enough. The error says that somebody wants it taken back.
func (j *job) canaryOver(ctx context.Context) (bool, error) {
	extras, err := j.extras(ctx)
	if err != nil {
		return false, err
	}
	took := j.r.Now().Sub(j.op.CanarySince)
	switch {
	case extras.CanaryAbort:
		return false, errAborted
	case extras.CanaryWeight == 0:
		j.log.Step("The trial ends here: the tag %scanary is gone.", apprunner.ExtraPrefix)
		return true, nil
	case took >= extras.CanaryTime:
		j.log.Step("The new version did well on its share of the requests.")
		return true, nil
	}
	return false, nil
}

// trial compares the new version with the old one. It is fed with what the edge knows.
type trial struct {
	set, old []apprunner.Instance
	seen     map[string]tally // what the edge said last, by instance
	mine     tally
	theirs   tally
}

// tally counts requests that ended, and those of them that ended badly.
type tally struct{ requests, bad uint64 }

// observe takes what the edge knows now and returns the instance that is at fault, and its fault.
func (t *trial) observe(st edge.Status) (apprunner.Instance, string) {
	for _, i := range t.set {
		if target := st.Targets[i.ID]; target.Health == edge.Unhealthy {
			return i, fmt.Sprintf("its health check fails (%s)", target.LastError)
		}
	}
	if t.seen == nil { // what was before the trial does not count
		t.seen = map[string]tally{}
		t.add(st, t.old, &tally{})
		t.add(st, t.set, &tally{})
		return apprunner.Instance{}, ""
	}
	t.add(st, t.old, &t.theirs)
	t.add(st, t.set, &t.mine)
	return t.set[0], worse(t.mine, t.theirs)
}

// add counts what came since the last time. An edge that started anew counts from zero.
func (t *trial) add(st edge.Status, set []apprunner.Instance, sum *tally) {
	for _, i := range set {
		now, before := tally{st.Targets[i.ID].Requests, st.Targets[i.ID].Bad}, t.seen[i.ID]
		if now.requests < before.requests {
			before = tally{}
		}
		sum.requests += now.requests - before.requests
		sum.bad += now.bad - before.bad
		t.seen[i.ID] = now
	}
}

// The new version does clearly worse when enough of its requests fail, twice as many of a hundred as with the old one, and five more.
// Enough must not be more than what the edge sends to an instance whose requests all fail before it makes it stand aside.
const (
	enoughRequests = 5
	enoughBad      = 3
	worseTimes     = 2
	worsePoints    = 0.05
)

// worse tells why the new version does clearly worse than the old one; empty when it does not.
func worse(mine, theirs tally) string {
	if mine.requests < enoughRequests || mine.bad < enoughBad {
		return ""
	}
	if m, o := mine.share(), theirs.share(); m <= o*worseTimes || m <= o+worsePoints {
		return ""
	}
	return fmt.Sprintf("%d of its %d requests failed (%.1f %%), while of the previous version's %d it was %d (%.1f %%)",
		mine.bad, mine.requests, 100*mine.share(), theirs.requests, theirs.bad, 100*theirs.share())
}

func (t tally) share() float64 {
	if t.requests == 0 {
		return 0
	}
	return float64(t.bad) / float64(t.requests)
}
