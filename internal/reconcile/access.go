package reconcile

import (
	"context"
	"fmt"
	"strings"
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
		svc, place, known := placeOf(l.ARN)
		if !known {
			r.Log.Warn("access log of nothing", "arn", l.ARN)
			continue
		}
		events := make([]observe.Event, 0, len(l.Lines))
		for _, line := range l.Lines {
			events = append(events, observe.Event{Time: line.Time, Message: line.Text})
		}
		if len(events) > 0 {
			if err := r.Logs.Append(ctx, place.scope, place.group, place.stream, events); err != nil {
				return fmt.Errorf("store the access log of %s: %w", l.ARN, err)
			}
		}
		if l.Lost > 0 && svc.ID == "" {
			r.Log.Warn("lines of a web ACL's log were dropped", "arn", l.ARN, "lines", l.Lost)
		} else if l.Lost > 0 {
			r.logEvents(ctx, svc, fmt.Sprintf("%d lines of the access log were dropped: more were written than could be kept until they were stored.", l.Lost))
		}
	}
	return nil
}

// logPlace is a log stream.
type logPlace struct {
	scope         apprunner.Scope
	group, stream string
}

// placeOf is where the lines of an ARN belong: of a service, to its access log; of a log stream, there.
func placeOf(arn string) (svc apprunner.Service, p logPlace, known bool) {
	if name, found := strings.CutPrefix(arn, "arn:aws:logs:"); found {
		parts := strings.SplitN(name, ":", 6) // region, account, "log-group", group, "log-stream", stream
		if len(parts) != 6 {
			return svc, p, false
		}
		return svc, logPlace{apprunner.Scope{Region: parts[0], Account: parts[1]}, parts[3], parts[5]}, true
	}
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return svc, p, false
	}
	svc = apprunner.Service{Scope: a.Scope, Name: a.Name, ID: a.ID}
	return svc, logPlace{svc.Scope, svc.LogGroup("application"), accessStream}, true
}
