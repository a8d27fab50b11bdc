package reconcile

import (
	"context"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/observe"
)

// accessStream is the stream of a service's application log group that holds its access log (§21 has no such stream).
const accessStream = "access"

// collectEvery is how often the lines that the edge left are stored.
const collectEvery = 300 * time.Millisecond

// collectAccess stores the access logs that the edge writes. What cannot be stored is tried again; the edge bounds what waits.
func (r *Reconciler) collectAccess(ctx context.Context) error {
	if r.AccessDir == "" {
		return nil
	}
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		err := edge.Collect(r.AccessDir, func(list []edge.AccessLines) error { return r.storeAccess(ctx, list) })
		if err != nil && ctx.Err() == nil {
			r.Log.Error("access logs", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// storeAccess stores what one file holds. A service that is gone keeps its log groups (§21).
func (r *Reconciler) storeAccess(ctx context.Context, list []edge.AccessLines) error {
	for _, l := range list {
		a, err := apprunner.ParseARN(l.ServiceARN)
		if err != nil {
			r.Log.Warn("access log of no service", "service_arn", l.ServiceARN)
			continue
		}
		svc := apprunner.Service{Scope: a.Scope, Name: a.Name, ID: a.ID}
		events := make([]observe.Event, 0, len(l.Lines))
		for _, line := range l.Lines {
			events = append(events, observe.Event{Time: line.Time, Message: line.Text})
		}
		if len(events) > 0 {
			if err := r.Logs.Append(ctx, svc.Scope, svc.LogGroup("application"), accessStream, events); err != nil {
				return fmt.Errorf("store the access log of %s: %w", l.ServiceARN, err)
			}
		}
		if l.Lost > 0 {
			r.logEvents(ctx, svc, fmt.Sprintf("%d lines of the access log were dropped: more were written than could be kept until they were stored.", l.Lost))
		}
	}
	return nil
}
