package reconcile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
)

// makeGroups makes the service's two log groups (§21), again when a user has deleted one.
func (r *Reconciler) makeGroups(ctx context.Context, svc apprunner.Service) error {
	for _, kind := range []string{"service", "application"} {
		err := r.Logs.CreateGroup(ctx, svc.Scope, svc.LogGroup(kind))
		if err != nil && apprunner.CodeOf(err) != observe.CodeAlreadyExists {
			return fmt.Errorf("make log group %s: %w", svc.LogGroup(kind), err)
		}
	}
	return nil
}

// logEvents writes lines to the service's events log (§21). A log that cannot be written must not stop an operation.
func (r *Reconciler) logEvents(ctx context.Context, svc apprunner.Service, lines ...string) {
	now := r.Now().UTC()
	list := make([]observe.Event, 0, len(lines))
	for _, text := range lines {
		for l := range strings.SplitSeq(text, "\n") {
			list = append(list, observe.Event{Time: now, Message: "[AppRunner] " + l})
		}
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

	storing sync.Mutex // held while lines are stored, so that they stay in order
	mu      sync.Mutex
	waiting []observe.Event
	kick    chan struct{}
	closing chan struct{}
	done    chan struct{}
}

func (r *Reconciler) openLog(svc apprunner.Service, op apprunner.Operation) *opLog {
	l := &opLog{
		store: func(ctx context.Context, list []observe.Event) error {
			if op.Type.Silent() {
				return nil // its user did not ask for it and finds no log of it
			}
			err := r.Logs.Append(ctx, svc.Scope, svc.LogGroup("service"), op.Stream(), list)
			if err != nil {
				r.Log.Error("operation log", "operation_id", op.ID, "err", err)
			}
			return err
		},
		now: r.Now, kick: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
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
	defer l.flush()
	for {
		select {
		case <-l.kick:
			l.flush()
		case <-l.closing:
			return
		}
		select { // gather lines for a moment
		case <-time.After(flushEvery):
		case <-l.closing:
			return
		}
	}
}

// flush stores what waits and returns when it, and what another flush had taken before, is stored.
func (l *opLog) flush() {
	l.storing.Lock()
	defer l.storing.Unlock()
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
	close(l.closing)
	<-l.done
}
