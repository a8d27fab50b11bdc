package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// delivery is an event on its way to a target.
type delivery struct {
	lane     laneKey
	rule     Rule
	target   Target
	event    *envelope
	attempts int    // that failed
	reason   string // why the target did not get it; of dead letters
}

// arn is where the event goes.
func (d delivery) arn() string {
	if d.lane.dead {
		return d.target.DeadLetter
	}
	return d.target.ARN
}

// policy says how often the delivery is tried. Dead letters have the usual one.
func (d delivery) policy() Target {
	if d.lane.dead {
		return Target{}
	}
	return d.target
}

// deliver tries one delivery and notes how it went.
func (b *Bus) deliver(ctx context.Context, k laneKey, l *lane, seq int64) {
	leave, ok := b.enter(ctx, k)
	if !ok {
		return
	}
	err := b.try(ctx, k, l, seq)
	leave()
	if err != nil && ctx.Err() == nil {
		b.conf.Log.Error("note the delivery of an event", "rule", RuleARN(k.Scope, k.rule), "target_id", k.target, "err", err)
		wait(ctx, nil, relayPause)
	}
}

// try fails when the database does. A process that ends meanwhile notes no failure: the next one tries again.
func (b *Bus) try(ctx context.Context, k laneKey, l *lane, seq int64) error {
	d, err := b.read(ctx, k, seq)
	if errors.Is(err, errGone) {
		return b.end(ctx, k, seq, false)
	}
	if err != nil {
		return err
	}
	switch err := b.send(ctx, d); {
	case err == nil:
		back := l.failures >= outage
		l.failures, l.rest = 0, time.Time{}
		b.count.delivered.Add(1)
		return b.end(ctx, k, seq, back)
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return b.failed(ctx, d, l, seq, err)
	}
}

// enter waits for the right to deliver: first for that of the web hook, so that one which is slow takes no room from others.
func (b *Bus) enter(ctx context.Context, k laneKey) (leave func(), ok bool) {
	var rooms []chan struct{}
	leave = func() {
		for _, r := range rooms {
			<-r
		}
	}
	hook := b.hookOf(ctx, k)
	for _, r := range []chan struct{}{hook, b.slots} {
		if r == nil {
			continue
		}
		select {
		case r <- struct{}{}:
			rooms = append(rooms, r)
		case <-ctx.Done():
			leave()
			return nil, false
		}
	}
	return leave, true
}

// hookOf is the room of the web hook that a queue leads to; nil for other targets.
func (b *Bus) hookOf(ctx context.Context, k laneKey) (room chan struct{}) {
	_, t, err := b.targetOf(ctx, k)
	if hook := b.hook(k.Scope, (delivery{lane: k, target: t}).arn()); err == nil && hook != nil {
		return hook.slots
	}
	return nil
}

func (b *Bus) targetOf(ctx context.Context, k laneKey) (r Rule, t Target, err error) {
	err = b.conf.DB.View(ctx, func(tx *store.Tx) error {
		r, t, err = readTarget(tx, k)
		return err
	})
	return r, t, err
}

// readTarget fails with errGone when the target is not there any more.
func readTarget(tx *store.Tx, k laneKey) (Rule, Target, error) {
	if k.rule == "" {
		return Rule{Scope: k.Scope}, Target{ID: k.target, ARN: k.target}, nil
	}
	r, _, err := readRule(tx, k.Scope, k.rule)
	if err != nil {
		return r, Target{}, err
	}
	i := slices.IndexFunc(r.Targets, func(t Target) bool { return t.ID == k.target })
	if i < 0 {
		return r, Target{}, errGone
	}
	return r, r.Targets[i], nil
}

// read gathers what a delivery needs.
func (b *Bus) read(ctx context.Context, k laneKey, seq int64) (d delivery, err error) {
	d.lane = k
	err = b.conf.DB.View(ctx, func(tx *store.Tx) error {
		var arrived int64
		found, err := tx.Get(`SELECT arrived, attempts, reason FROM event_deliveries WHERE `+ofLane+` AND seq = $6`, k.args(seq), &arrived, &d.attempts, &d.reason)
		if err != nil {
			return err
		}
		if !found {
			return errGone
		}
		if d.rule, d.target, err = readTarget(tx, k); err != nil {
			return err
		}
		list, err := readEvents(tx, `seq = $1`, seq)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errGone
		}
		d.event = list[0]
		d.event.arrived = store.Time(arrived)
		return nil
	})
	return d, err
}

// send brings an event to its target. Errors that are no failure are this machine's trouble.
func (b *Bus) send(ctx context.Context, d delivery) error {
	body, err := d.body()
	if err != nil {
		return failure{err: err, final: true}
	}
	if group, is := logGroup(d.lane.Scope, d.arn()); is {
		return b.writeLog(ctx, d, group, body)
	}
	hook := b.hook(d.lane.Scope, d.arn())
	if hook == nil {
		return failure{err: errors.New("the setting event-targets gives no address for its ARN any more"), final: true}
	}
	m := message{id: messageID(d.event.ID, d.lane), body: body, headers: map[string]string{"Slipway-Target": d.arn()}}
	if d.rule.Name != "" {
		m.headers["Slipway-Rule"] = d.rule.ARN()
	}
	if d.lane.dead {
		m.headers["Slipway-Dead-Target"], m.headers["Slipway-Error"] = d.target.ARN, d.reason
	}
	return hook.send(ctx, m)
}

// body is what the target is sent; a dead letter target gets the event as it was.
func (d delivery) body() ([]byte, error) {
	if d.lane.dead {
		return text(d.event)
	}
	shape, err := d.target.shaper()
	if err != nil {
		return nil, err
	}
	return shape(d.event, d.rule)
}

// writeLog writes an event into a stream of a log group that has to be there. The stream has the name of rule and target; that of events
// which come without a rule is "direct".
func (b *Bus) writeLog(ctx context.Context, d delivery, group string, body []byte) error {
	stream := d.lane.rule + "/" + d.lane.target
	if d.lane.rule == "" {
		stream = "direct"
	}
	events := []observe.Event{{Time: b.conf.Now().UTC(), Message: string(body)}}
	_, err := b.conf.Logs.PutEvents(ctx, d.lane.Scope, group, stream, events)
	if apprunner.CodeOf(err) == apprunner.CodeNotFound {
		if err = b.conf.Logs.CreateStream(ctx, d.lane.Scope, group, stream); err == nil || apprunner.CodeOf(err) == observe.CodeAlreadyExists {
			_, err = b.conf.Logs.PutEvents(ctx, d.lane.Scope, group, stream, events)
		}
	}
	var refused *apprunner.Error
	if errors.As(err, &refused) {
		return failure{err: refused, final: true}
	}
	return err
}

// end forgets a delivery. When the target is back after it was away, what else waits for it is due.
func (b *Bus) end(ctx context.Context, k laneKey, seq int64, back bool) error {
	ctx = context.WithoutCancel(ctx) // what arrived need not be sent again
	return b.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		if back {
			if err := release(tx, k); err != nil {
				return err
			}
		}
		return endDelivery(tx, k, seq)
	})
}

// failed notes a delivery that did not succeed: it is tried again later, or given up.
func (b *Bus) failed(ctx context.Context, d delivery, l *lane, seq int64, why error) error {
	now := b.conf.Now().UTC()
	attempts := d.attempts + 1
	random := b.conf.Random()
	next := nextTry(d.policy(), d.event.arrived, attempts, why, now, random)
	var f failure
	if errors.As(why, &f) && f.final {
		l.failures, l.rest = 0, time.Time{} // the target is there; it is this event that it does not want
	} else {
		l.failures++
		l.rest = now.Add(max(pauseAfter(l.failures, random), min(f.after, longestPause)))
	}
	attrs := []any{"rule", RuleARN(d.lane.Scope, d.lane.rule), "target_id", d.lane.target, "target", d.arn(), "event_id", d.event.ID, "attempts", attempts, "err", why}
	if next.IsZero() {
		b.count.givenUp.Add(1)
		b.conf.Log.Error("an event could not be delivered and is given up", attrs...)
		return b.giveUp(ctx, d, seq, now, why)
	}
	b.count.retried.Add(1)
	if attempts == 1 {
		b.conf.Log.Warn("an event could not be delivered yet", append(attrs, "next", next)...)
	}
	return b.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		return tx.Exec(`UPDATE event_deliveries SET attempts = $6, next = $7 WHERE `+ofLane+` AND seq = $8`, d.lane.args(attempts, next.UnixMicro(), seq)...)
	})
}

// giveUp ends a delivery; its event goes to the dead letter target where there is one.
func (b *Bus) giveUp(ctx context.Context, d delivery, seq int64, now time.Time, why error) error {
	dead := d.lane
	dead.dead = true
	has := !d.lane.dead && d.target.DeadLetter != ""
	err := b.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		if has {
			if err := addFailed(tx, goal{seq, dead}, now, fmt.Sprint(why)); err != nil {
				return err
			}
		}
		return endDelivery(tx, d.lane, seq)
	})
	if err == nil && has {
		b.wake(ctx, dead)
	}
	return err
}
