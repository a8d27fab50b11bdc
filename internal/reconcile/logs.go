package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// logEvents writes lines to the service's events log (§21). A log that cannot be written must not stop an operation.
func (r *Reconciler) logEvents(ctx context.Context, svc apprunner.Service, lines ...string) {
	now := r.Now().UTC()
	list := make([]observe.Event, 0, len(lines))
	for _, l := range lines {
		list = append(list, observe.Event{Time: now, Message: "[AppRunner] " + l})
	}
	if err := r.Logs.Append(ctx, svc.Scope, svc.LogGroup("service"), "events", list); err != nil && ctx.Err() == nil {
		r.Log.Error("events log", "service_arn", svc.ARN(), "err", err)
	}
}

// flushEvery is how long a line of an operation's log may wait for others before it is stored.
const flushEvery = 100 * time.Millisecond

// opLog is the log stream of one operation. Lines are gathered for a moment and stored together; close stores the rest.
type opLog struct {
	store func(context.Context, []observe.Event) error
	now   func() time.Time

	mu      sync.Mutex
	waiting []observe.Event
	kick    chan struct{}
	done    chan struct{}
}

func (r *Reconciler) openLog(svc apprunner.Service, op apprunner.Operation) *opLog {
	l := &opLog{
		store: func(ctx context.Context, list []observe.Event) error {
			err := r.Logs.Append(ctx, svc.Scope, svc.LogGroup("service"), op.Stream(), list)
			if err != nil {
				r.Log.Error("operation log", "operation_id", op.ID, "err", err)
			}
			return err
		},
		now: r.Now, kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// Step notes what Slipway does.
func (l *opLog) Step(format string, args ...any) { l.add("[AppRunner] ", fmt.Sprintf(format, args...)) }

// Output notes a line of a build command.
func (l *opLog) Output(line string) { l.add("[Build] ", line) }

func (l *opLog) add(prefix, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().UTC()
	for line := range strings.SplitSeq(text, "\n") {
		l.waiting = append(l.waiting, observe.Event{Time: now, Message: prefix + line})
	}
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

func (l *opLog) run() {
	defer close(l.done)
	for range l.kick {
		l.flush()
		time.Sleep(flushEvery) //nolint:forbidigo // gathers lines; nothing waits for it but close
	}
	l.flush()
}

func (l *opLog) flush() {
	l.mu.Lock()
	list := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = l.store(ctx, list) // reported by store; the operation goes on
}

func (l *opLog) close() {
	close(l.kick)
	<-l.done
}

// pumpEvery is how often an instance's new log lines are fetched while it runs.
const pumpEvery = 300 * time.Millisecond

// pumpLogs stores what instances write, those that were stopped with lines unread included.
func (r *Reconciler) pumpLogs(ctx context.Context) error {
	tick := time.NewTicker(pumpEvery)
	defer tick.Stop()
	for {
		if err := r.pumpAll(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("application logs", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// pumpAll stores every line there is.
func (r *Reconciler) pumpAll(ctx context.Context) error {
	list, err := r.Instances.List(ctx)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	unread, err := r.Instances.Unread(ctx)
	if err != nil {
		return fmt.Errorf("list instances with unread logs: %w", err)
	}
	for _, i := range append(list, unread...) {
		svc, found := r.serviceOf(ctx, i.ServiceARN)
		if !found {
			svc = strangerFrom(i.ServiceARN)
		}
		if err := r.pump(ctx, svc, i.ID); err != nil && ctx.Err() == nil {
			r.Log.Error("application log", "instance_id", i.ID, "err", err)
		}
	}
	return nil
}

func (r *Reconciler) serviceOf(ctx context.Context, arn string) (svc apprunner.Service, found bool) {
	err := r.DB.View(ctx, func(tx *store.Tx) (err error) {
		svc, found, err = tx.Service(arn)
		return err
	})
	return svc, found && err == nil
}

// strangerFrom gives the little of a forgotten service that its log group's name needs.
func strangerFrom(arn string) apprunner.Service {
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return apprunner.Service{Name: "unknown", ID: "unknown"}
	}
	return apprunner.Service{Scope: a.Scope, Name: a.Name, ID: a.ID}
}

// pump moves an instance's records into its log stream: stored first, trimmed after, so a crash between repeats lines rather
// than losing them.
func (r *Reconciler) pump(ctx context.Context, svc apprunner.Service, id string) error {
	for {
		records, next, err := r.Instances.Logs(ctx, id, instance.Cursor{})
		if errors.Is(err, instance.ErrUnknown) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(records) > 0 {
			list := make([]observe.Event, 0, len(records))
			for _, rec := range records {
				list = append(list, observe.Event{Time: rec.Time, Message: rec.Line})
			}
			if err := r.Logs.Append(ctx, svc.Scope, svc.LogGroup("application"), "instance/"+id, list); err != nil {
				return err
			}
		}
		if err := r.Instances.TrimLogs(ctx, id, next); err != nil && !errors.Is(err, instance.ErrUnknown) {
			return err
		}
		if len(records) == 0 {
			return nil
		}
	}
}
