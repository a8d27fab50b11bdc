package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// maxAttempts is how many processes may die while an operation is at work before it is given up: one that kills its worker
// every time must not do so for ever.
const maxAttempts = 5

// job is one operation in the hands of a worker. Its records are read afresh when the worker takes it up and written through.
type job struct {
	r   *Reconciler
	op  apprunner.Operation
	svc apprunner.Service
	log *opLog
}

// step is one idempotent part of an operation: done twice, or done after a crash in its middle, it ends in the same state.
type step struct {
	name string
	run  func(*job, context.Context) error
}

// work carries an operation to its end, or until ctx ends. The error says that the records could not be kept; a failure of
// the operation itself is not an error here.
func (r *Reconciler) work(ctx context.Context, id string) error {
	j, err := r.take(ctx, id)
	if err != nil || j == nil {
		return err
	}
	defer j.log.close()
	if j.op.Failure == "" {
		if err := j.runSteps(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err() // not a failure: the next worker resumes
			}
			if err := j.recordFailure(ctx, err); err != nil {
				return err
			}
		}
	}
	if j.op.Failure != "" {
		return j.undo(ctx)
	}
	return nil
}

// take marks the operation as being worked on; nil when it has ended meanwhile.
func (r *Reconciler) take(ctx context.Context, id string) (*job, error) {
	j := &job{r: r}
	var first, ended bool
	err := r.DB.Update(ctx, func(tx *store.Tx) error {
		op, found, err := tx.Operation(id)
		if err != nil || !found || op.Status.Ended() {
			ended = true
			return err
		}
		svc, found, err := tx.Service(op.ServiceARN)
		if err != nil || !found {
			ended = true
			return errors.Join(err, fmt.Errorf("operation %s: its service %s is gone", id, op.ServiceARN))
		}
		first = op.Status == apprunner.OpPending
		op.Attempts++
		if first {
			op.Status = apprunner.OpInProgress
			if err := r.announceStart(tx, svc, op); err != nil {
				return err
			}
		}
		op.UpdatedAt = r.Now().UTC()
		j.op, j.svc = op, svc
		return tx.PutOperation(op)
	})
	if err != nil || ended {
		return nil, err
	}
	if err := r.makeGroups(ctx, j.svc); err != nil {
		return nil, err
	}
	if j.op.Type == apprunner.OpCreateService {
		if err := r.FirstService(ctx, j.svc.Account); err != nil {
			return nil, err
		}
	}
	j.log = r.openLog(j.svc, j.op)
	if first {
		r.logEvents(ctx, j.svc, j.told(j.op.StartedMessage().Text, apprunner.StatusText(apprunner.StatusInProgress))...)
	} else {
		j.log.Step("The work continues after a restart of the control plane (attempt %d).", j.op.Attempts)
	}
	if j.op.Attempts > maxAttempts && j.op.Failure == "" {
		j.op.Failure = fmt.Sprintf("The control plane ended %d times during this operation. Look at its own log for the reason, then try again.", maxAttempts)
	}
	return j, nil
}

// told are the lines of the events log that users get to see: of a silent operation only the last, the status.
func (j *job) told(lines ...string) []string {
	if j.op.Type.Silent() {
		return lines[len(lines)-1:]
	}
	return lines
}

func (r *Reconciler) announceStart(tx *store.Tx, svc apprunner.Service, op apprunner.Operation) error {
	now := r.Now().UTC()
	before := op.StatusBefore
	if op.Type == apprunner.OpCreateService {
		before = "" // the first change of a new service has no status before (adjacent §6.1)
	}
	return errors.Join(emitOperation(tx, svc, op, op.StartedMessage(), now), observe.EmitEvent(tx, observe.StatusChange(svc, before, now)))
}

// emitOperation tells of an operation, unless it is a silent one.
func emitOperation(tx *store.Tx, svc apprunner.Service, op apprunner.Operation, m apprunner.Message, now time.Time) error {
	if op.Type.Silent() {
		return nil
	}
	return observe.EmitEvent(tx, observe.OperationChange(svc, m, now))
}

// runSteps runs the steps that are not done yet.
func (j *job) runSteps(ctx context.Context) error {
	plan := j.plan()
	done := 0
	for i, s := range plan {
		if s.name == j.op.Step {
			done = i + 1
		}
	}
	for _, s := range plan[done:] {
		point := string(j.op.Type) + "/" + s.name
		j.r.Fault(point + "/before")
		if err := s.run(j, ctx); err != nil {
			return err
		}
		j.r.Fault(point + "/after")
		if j.op.Status.Ended() {
			return nil
		}
		if err := j.save(ctx, func(op *apprunner.Operation) { op.Step = s.name }); err != nil {
			return err
		}
	}
	return nil
}

// save changes the operation's record and the job's copy of it.
func (j *job) save(ctx context.Context, change func(*apprunner.Operation)) error {
	op := j.op
	change(&op)
	op.UpdatedAt = j.r.Now().UTC()
	if err := j.r.DB.Update(ctx, func(tx *store.Tx) error { return tx.PutOperation(op) }); err != nil {
		return fmt.Errorf("write operation: %w", err)
	}
	j.op = op
	return nil
}

// recordFailure keeps the reason before anything is undone, so that a crash while undoing goes on undoing.
func (j *job) recordFailure(ctx context.Context, cause error) error {
	msg := cause.Error()
	var e *apprunner.Error
	if !errors.As(cause, &e) {
		j.r.Log.Error("operation failed", "operation_id", j.op.ID, "service_arn", j.op.ServiceARN, "err", cause)
	}
	j.log.Step("%s", msg)
	return j.save(ctx, func(op *apprunner.Operation) {
		op.Failure = msg
		if op.FailedStatus(true) == apprunner.OpRollbackSucceeded {
			op.Status = apprunner.OpRollbackInProgress
		}
	})
}

// undo takes back what the operation had begun and ends it as failed (§5.2).
func (j *job) undo(ctx context.Context) error {
	j.r.Fault(string(j.op.Type) + "/undo/before")
	if j.op.Status == apprunner.OpRollbackInProgress {
		j.log.Step("Rolling back: the previous version keeps serving.")
	}
	undone := j.removeNew(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if undone != nil {
		j.log.Step("The rollback could not remove everything: %v. Slipway goes on trying.", undone)
		j.r.Log.Error("rollback incomplete", "operation_id", j.op.ID, "err", undone)
	}
	return j.end(ctx, j.op.FailedStatus(undone == nil))
}

// removeNew stops the instances this operation started and drops its deployment. Those that had requests finish them first.
func (j *job) removeNew(ctx context.Context) error {
	mine, err := j.instances(ctx, func(i apprunner.Instance) bool { return i.OperationID == j.op.ID && i.Phase != apprunner.PhaseActive })
	if err != nil {
		return err
	}
	if !j.op.CanarySince.IsZero() {
		if err := j.rephase(ctx, mine, apprunner.PhaseDraining); err != nil {
			return err
		}
		if err := j.r.awaitDrained(ctx, mine); err != nil {
			return err
		}
	}
	if err := errors.Join(j.r.stopAll(ctx, mine), j.forgetSecrets(ctx)); err != nil {
		return err
	}
	id := apprunner.StreamID(j.op.ID)
	if j.svc.DeploymentID == id {
		return nil // it had come so far as to serve; it stays
	}
	return j.r.dropDeployment(ctx, id)
}

// end ends the operation: the logs tell it first, so that whoever sees the final status finds the reason there, then the final
// status of operation and service is written in one transaction.
func (j *job) end(ctx context.Context, status apprunner.OperationStatus) error {
	ok := status == apprunner.OpSucceeded
	now := j.r.Now().UTC()
	j.tellEnd(ctx, status, now)
	op := j.op
	op.Status, op.EndedAt, op.UpdatedAt = status, now, now
	err := j.r.DB.Update(ctx, func(tx *store.Tx) error {
		s, _, err := tx.Service(op.ServiceARN)
		if err != nil {
			return err
		}
		if !ok && op.Before != nil && op.StatusBefore != apprunner.StatusCreateFailed {
			s.Settings = *op.Before
		}
		before := s.Status
		s.Status = j.finalStatus(ok)
		if s.Status == apprunner.StatusDeleted {
			s.DeletedAt, s.UpdatedAt = now, now
		}
		if s.Status == apprunner.StatusDeleted || s.Status == apprunner.StatusPaused { // whoever resumes reads them anew
			s.SecretsID = ""
			err = j.r.Secrets.Forget(tx, op.ServiceARN, "")
		}
		if ok && op.Type == apprunner.OpStartDeployment {
			s.UpdatedAt = now
		}
		return errors.Join(err, tx.PutService(s), tx.PutOperation(op),
			emitOperation(tx, s, op, op.EndedMessage(ok), now),
			observe.EmitEvent(tx, observe.StatusChange(s, before, now)))
	})
	if err != nil {
		return fmt.Errorf("end operation %s: %w", op.ID, err)
	}
	j.op = op
	return nil
}

func (j *job) finalStatus(ok bool) apprunner.ServiceStatus {
	if j.op.Type == apprunner.OpUpdateService && j.op.StatusBefore == apprunner.StatusCreateFailed && !ok {
		return apprunner.StatusCreateFailed
	}
	return apprunner.Final(j.op.Type, j.op.StatusBefore, ok)
}

// tellEnd writes the closing lines of the two logs.
func (j *job) tellEnd(ctx context.Context, status apprunner.OperationStatus, now time.Time) {
	ok := status == apprunner.OpSucceeded
	m := j.op.EndedMessage(ok)
	lines := []string{m.Text}
	if !ok {
		lines = append(lines, "Cause: "+j.op.Failure)
	}
	if status == apprunner.OpRollbackFailed {
		lines = append(lines, "The rollback failed; the service runs on whatever still answers.")
	}
	j.log.Step("%s (%s after %s)", m.Text, status, now.Sub(j.op.StartedAt).Round(time.Millisecond))
	j.log.flush()
	if !ok && j.op.Type.Silent() {
		j.r.Log.Error("a service could not be moved; its instances serve on", "service_arn", j.op.ServiceARN, "type", j.op.Type, "reason", j.op.Failure)
	}
	j.r.logEvents(ctx, j.svc, j.told(append(lines, apprunner.StatusText(j.finalStatus(ok)))...)...)
}
