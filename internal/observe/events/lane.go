package events

import (
	"context"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// laneKey names the queue of a target of a rule, or of its dead letter target.
type laneKey struct {
	apprunner.Scope
	rule, target string
	dead         bool
}

// args are the values of a queue's columns.
func (l laneKey) args(more ...any) []any {
	dead := 0
	if l.dead {
		dead = 1
	}
	return append([]any{l.Account, l.Region, l.rule, l.target, dead}, more...)
}

const ofLane = `account = $1 AND region = $2 AND rule = $3 AND target = $4 AND dead = $5`

// lane delivers what waits in one queue, one after the other. It lives as long as something waits.
type lane struct {
	nudge    chan struct{}
	failures int       // in a row
	rest     time.Time // until when the target is left alone
	last     int64     // what was tried last
}

// resume goes on with what earlier processes noted. All of it is tried at once, in its order.
func (b *Bus) resume(ctx context.Context) error {
	var keys []laneKey
	err := b.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		keys = nil
		if err := tx.Exec(`UPDATE event_deliveries SET next = 0 WHERE next > 0`); err != nil {
			return err
		}
		return tx.Each(`SELECT DISTINCT account, region, rule, target, dead FROM event_deliveries`, nil, func(row store.Row) error {
			var l laneKey
			var dead int
			err := row.Scan(&l.Account, &l.Region, &l.rule, &l.target, &dead)
			l.dead = dead == 1
			keys = append(keys, l)
			return err
		})
	})
	for _, k := range keys {
		b.wake(ctx, k)
	}
	return err
}

// wake lets a queue be looked at.
func (b *Bus) wake(ctx context.Context, k laneKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[k]
	if l == nil {
		l = &lane{nudge: make(chan struct{}, 1)}
		b.lanes[k] = l
		b.group.Go(func() { b.runLane(ctx, k, l) })
	}
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

func (b *Bus) runLane(ctx context.Context, k laneKey, l *lane) {
	for ctx.Err() == nil {
		now := b.conf.Now().UTC()
		seq, again, err := b.next(ctx, k, l, now)
		switch {
		case err != nil:
			b.conf.Log.Error("look at the events for a target", "rule", RuleARN(k.Scope, k.rule), "target_id", k.target, "err", err)
			wait(ctx, nil, relayPause)
		case seq != 0:
			l.last = seq
			b.deliver(ctx, k, l, seq)
		case again.IsZero():
			if b.leave(k, l) {
				return
			}
		default:
			wait(ctx, l.nudge, again.Sub(now))
		}
	}
}

// leave ends a lane, unless something came meanwhile.
func (b *Bus) leave(k laneKey, l *lane) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-l.nudge:
		return false
	default:
		delete(b.lanes, k)
		return true
	}
}

// next tells what of a queue is to be delivered now, or when to look again.
func (b *Bus) next(ctx context.Context, k laneKey, l *lane, now time.Time) (seq int64, again time.Time, err error) {
	var w waiting
	err = b.conf.DB.View(ctx, func(tx *store.Tx) error {
		if w.head, err = readItem(tx, k, mustGoFirst); err != nil {
			return err
		}
		w.aside, err = readItem(tx, k, setAside)
		return err
	})
	seq, again = choose(w, l.rest, now, l.last)
	return seq, again, err
}

func readItem(tx *store.Tx, k laneKey, which string) (i item, err error) {
	var next int64
	_, err = tx.Get(`SELECT seq, next FROM event_deliveries WHERE `+ofLane+` AND `+which, k.args(), &i.seq, &next)
	i.next = store.Time(next)
	return i, err
}

// addDelivery notes that an event has to go somewhere.
func addDelivery(tx *store.Tx, g goal, now time.Time) error {
	return addFailed(tx, g, now, "")
}

// addFailed is addDelivery for a dead letter target, with the reason why the event did not reach its first one.
func addFailed(tx *store.Tx, g goal, now time.Time, reason string) error {
	return tx.Exec(`INSERT INTO event_deliveries (account, region, rule, target, dead, seq, arrived, attempts, next, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8) ON CONFLICT DO NOTHING`, g.lane.args(g.seq, now.UnixMicro(), reason)...)
}

// dropOldest keeps a queue from growing without end.
func dropOldest(tx *store.Tx, l laneKey, most int) (int64, error) {
	return tx.ExecCount(`DELETE FROM event_deliveries WHERE `+ofLane+` AND seq <= (SELECT seq FROM event_deliveries WHERE `+ofLane+`
		ORDER BY seq DESC LIMIT 1 OFFSET $6)`, l.args(most)...)
}

// dropDeliveries forgets what waits for a target.
func dropDeliveries(tx *store.Tx, sc apprunner.Scope, rule, target string) error {
	return tx.Exec(`DELETE FROM event_deliveries WHERE account = $1 AND region = $2 AND rule = $3 AND target = $4`, sc.Account, sc.Region, rule, target)
}

// endDelivery takes a delivery out of its queue, and its event out of the outbox when it has nowhere else to go.
func endDelivery(tx *store.Tx, k laneKey, seq int64) error {
	if err := tx.Exec(`DELETE FROM event_deliveries WHERE `+ofLane+` AND seq = $6`, k.args(seq)...); err != nil {
		return err
	}
	return forgetEvents(tx, seq-1, seq)
}

// release lets all that waits in a queue be tried at once.
func release(tx *store.Tx, k laneKey) error {
	return tx.Exec(`UPDATE event_deliveries SET next = 0 WHERE `+ofLane+` AND next > 0`, k.args()...)
}

// forgetEvents drops those events with from < seq ≤ to that go nowhere any more. The newest one of the outbox stays, so that places are
// never given out twice.
func forgetEvents(tx *store.Tx, from, to int64) error {
	return tx.Exec(`DELETE FROM events WHERE seq > $1 AND seq <= $2 AND seq < (SELECT max(seq) FROM events)
		AND NOT EXISTS (SELECT 1 FROM event_deliveries d WHERE d.seq = events.seq)`, from, to)
}
