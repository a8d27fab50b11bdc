package reconcile

import (
	"context"
	"errors"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// plan is the list of steps an operation goes through.
func (j *job) plan() []step {
	start := []step{{"provision", (*job).provision}, {"health", (*job).awaitHealthy}, {"canary", (*job).canary}, {"switch", (*job).switchTraffic}, {"finish", (*job).succeed}}
	switch j.op.Type {
	case apprunner.OpCreateService, apprunner.OpStartDeployment:
		return append([]step{{"prepare", (*job).prepare}}, start...)
	case apprunner.OpResumeService, apprunner.OpMaintenance:
		return start
	case apprunner.OpUpdateService:
		switch j.op.Work {
		case apprunner.WorkRebuild:
			return append([]step{{"prepare", (*job).prepare}}, start...)
		case apprunner.WorkRestart:
			return start
		case apprunner.WorkNothing:
			return []step{{"route", (*job).route}, {"finish", (*job).succeed}}
		}
	case apprunner.OpPauseService:
		return []step{{"drain", (*job).drain}, {"stop", (*job).stop}, {"rest", (*job).rest}, {"finish", (*job).succeed}}
	case apprunner.OpDeleteService:
		return []step{{"drain", (*job).drain}, {"stop", (*job).stop}, {"remove", (*job).removeVersions}, {"finish", (*job).succeed}}
	}
	return nil
}

// succeed ends the operation well and shows the new state at the front door.
func (j *job) succeed(ctx context.Context) error {
	if err := j.end(ctx, apprunner.OpSucceeded); err != nil {
		return err
	}
	return j.r.publish(ctx)
}

// route brings front-door settings into force.
func (j *job) route(ctx context.Context) error { return j.r.publish(ctx) }

// reload reads the service's record again; others write to it too.
func (j *job) reload(ctx context.Context) error {
	return j.r.DB.View(ctx, func(tx *store.Tx) error {
		s, found, err := tx.Service(j.op.ServiceARN)
		if err == nil && !found {
			err = fmt.Errorf("service %s is gone", j.op.ServiceARN)
		}
		if err == nil {
			j.svc = s
		}
		return err
	})
}

// instances lists those of the service's instances that fit.
func (j *job) instances(ctx context.Context, fits func(apprunner.Instance) bool) ([]apprunner.Instance, error) {
	var list []apprunner.Instance
	err := j.r.DB.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Instances(j.op.ServiceARN)
		for _, i := range all {
			if fits(i) {
				list = append(list, i)
			}
		}
		return err
	})
	return list, err
}

// mine are the instances this operation started.
func (j *job) mine(ctx context.Context) ([]apprunner.Instance, error) {
	return j.instances(ctx, func(i apprunner.Instance) bool { return i.OperationID == j.op.ID })
}

// deploymentID is the version this operation starts: the one it makes itself, else the present one.
func (j *job) deploymentID() string {
	if j.op.Work == apprunner.WorkRebuild {
		return apprunner.StreamID(j.op.ID)
	}
	return j.svc.DeploymentID
}

// switchTraffic makes the new instances the serving ones and lets the old ones drain, in one transaction and one table (§7.3).
func (j *job) switchTraffic(ctx context.Context) error {
	now := j.r.Now().UTC()
	err := j.r.DB.Update(ctx, func(tx *store.Tx) error {
		svc, _, err := tx.Service(j.op.ServiceARN)
		if err != nil {
			return err
		}
		svc.DeploymentID, svc.SecretsID = j.deploymentID(), j.secretsID()
		if err := errors.Join(tx.PutService(svc), j.r.Secrets.Forget(tx, j.op.ServiceARN, svc.SecretsID)); err != nil {
			return err
		}
		all, err := tx.Instances(j.op.ServiceARN)
		for _, i := range all {
			switch {
			case i.OperationID == j.op.ID && (i.Phase == apprunner.PhaseStandby || i.Phase == apprunner.PhaseCanary):
				i.Phase = apprunner.PhaseActive
			case i.OperationID != j.op.ID && i.Phase == apprunner.PhaseActive:
				i.Phase, i.DrainSince = apprunner.PhaseDraining, now
			default:
				continue
			}
			err = errors.Join(err, tx.PutInstance(i))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("switch traffic: %w", err)
	}
	if err := errors.Join(j.reload(ctx), j.r.publish(ctx)); err != nil {
		return err
	}
	j.log.Step("Traffic is routed to the new instances.")
	return j.r.forgetOldDeployments(ctx, j.svc)
}

// drain takes the service out of the front door and waits for the requests in flight, up to DrainTimeout (§9).
func (j *job) drain(ctx context.Context) error {
	now := j.r.Now().UTC()
	err := j.r.DB.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Instances(j.op.ServiceARN)
		for _, i := range all {
			if i.Phase != apprunner.PhaseDraining {
				i.Phase, i.DrainSince = apprunner.PhaseDraining, now
				err = errors.Join(err, tx.PutInstance(i))
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	if err := j.r.publish(ctx); err != nil {
		return err
	}
	j.log.Step("No new requests are routed to the service; requests in flight may finish.")
	left, err := j.instances(ctx, func(apprunner.Instance) bool { return true })
	if err != nil {
		return err
	}
	return j.r.awaitDrained(ctx, left)
}

// stop ends all instances of the service.
func (j *job) stop(ctx context.Context) error {
	left, err := j.instances(ctx, func(apprunner.Instance) bool { return true })
	if err != nil {
		return err
	}
	if err := j.r.stopAll(ctx, left); err != nil {
		return err
	}
	j.log.Step("%d instance(s) stopped.", len(left))
	return j.r.publish(ctx)
}

// rest leaves nothing unpacked of a service with a key of its own of which nothing runs (§24). Others are resumed from what is there.
func (j *job) rest(ctx context.Context) error {
	if j.svc.KMSKey == "" {
		return nil
	}
	return j.r.Images.Rest(ctx, j.op.ServiceARN)
}

// removeVersions drops the stored images of a service that is being deleted (§10.1).
func (j *job) removeVersions(ctx context.Context) error {
	var all []apprunner.Deployment
	err := j.r.DB.View(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Deployments(j.op.ServiceARN)
		return err
	})
	for _, d := range all {
		err = errors.Join(err, j.r.dropDeployment(ctx, d.ID))
	}
	if err == nil {
		err = j.r.Builder.RemoveCaches(ctx, j.svc.ID)
	}
	if err == nil && j.svc.KMSKey != "" && j.r.ReleaseKey != nil {
		err = j.r.DB.Update(ctx, func(tx *store.Tx) error { return j.r.ReleaseKey(tx, j.svc.KMSKey, j.op.ServiceARN) })
	}
	if err != nil {
		return fmt.Errorf("remove stored images: %w", err)
	}
	j.log.Step("The stored images of %d deployment(s) are removed.", len(all))
	return nil
}
