package events

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/events/pattern"
	"slipway.dev/slipway/internal/store"
)

const (
	// batch is how many events are held against the rules at a time.
	batch = 50
	// relayPause is how long nothing is done after the database failed.
	relayPause = 5 * time.Second
)

// compiled is a rule ready to be matched.
type compiled struct {
	Rule
	match *pattern.Pattern
}

// cachedRules are all enabled rules, as they were at a version.
type cachedRules struct {
	version int64
	known   bool
	byScope map[apprunner.Scope][]compiled
}

// Run delivers events until ctx ends.
func (b *Bus) Run(ctx context.Context) error {
	defer b.group.Wait()
	if err := b.resume(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	for ctx.Err() == nil {
		changed := b.conf.DB.Changed()
		more, err := b.relay(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			b.conf.Log.Error("hold events against the rules", "err", err)
			wait(ctx, nil, relayPause)
		case !more:
			wait(ctx, changed, 0)
		}
	}
	return nil
}

// wait returns when ctx ends, when changed closes, or, unless it is 0, after a time.
func wait(ctx context.Context, changed <-chan struct{}, d time.Duration) {
	var over <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-over:
	}
}

// relay holds the next events of the outbox against the rules and notes what has to be delivered. more tells that it stopped at the size
// of a batch.
func (b *Bus) relay(ctx context.Context) (more bool, err error) {
	var list []*envelope
	var from int64
	err = b.conf.DB.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.Get(`SELECT value FROM event_places WHERE name = 'matched'`, nil, &from); err != nil {
			return err
		}
		if list, err = readEvents(tx, `seq > $1 ORDER BY seq LIMIT $2`, from, batch); err != nil || len(list) == 0 {
			return err
		}
		return b.refresh(tx)
	})
	if err != nil || len(list) == 0 {
		return false, err
	}
	now := b.conf.Now().UTC()
	var goals []goal
	for _, e := range list {
		goals = append(append(goals, b.goalsOf(e)...), b.direct(e)...)
	}
	if err := b.note(ctx, list, goals, from, now); err != nil {
		return false, err
	}
	for _, g := range goals {
		b.wake(ctx, g.lane)
	}
	return len(list) == batch, nil
}

// goal is a place that an event has to go to.
type goal struct {
	seq  int64
	lane laneKey
}

// refresh reads the rules when they changed.
func (b *Bus) refresh(tx *store.Tx) error {
	var version int64
	if _, err := tx.Get(`SELECT value FROM event_places WHERE name = 'rules'`, nil, &version); err != nil {
		return err
	}
	if b.rules.known && b.rules.version == version {
		return nil
	}
	fresh := cachedRules{version: version, known: true, byScope: map[apprunner.Scope][]compiled{}}
	err := eachRule(tx, apprunner.Scope{}, func(r Rule) error {
		if !r.Enabled || len(r.Targets) == 0 {
			return nil
		}
		p, err := pattern.Compile(r.Pattern)
		if err != nil {
			b.conf.Log.Error("a rule cannot be read any more", "rule", r.ARN(), "err", err)
			return nil
		}
		fresh.byScope[r.Scope] = append(fresh.byScope[r.Scope], compiled{r, p})
		return nil
	})
	if err == nil {
		b.rules = fresh
		clear(b.told) // the targets are others
	}
	return err
}

// goalsOf tells where an event has to go.
func (b *Bus) goalsOf(e *envelope) (goals []goal) {
	rules := b.rules.byScope[e.scope]
	if len(rules) == 0 {
		return nil
	}
	event, err := e.parsed()
	if err != nil {
		b.conf.Log.Error("an event cannot be read", "event_id", e.ID, "err", err)
		return nil
	}
	for _, r := range rules {
		if !r.match.Matches(event) {
			continue
		}
		b.count.matched.Add(1)
		for _, t := range r.Targets {
			l := laneKey{Scope: e.scope, rule: r.Name, target: t.ID}
			if b.serves(e.scope, t.ARN) {
				goals = append(goals, goal{e.seq, l})
			} else {
				b.tellUnserved(r.Rule, t)
			}
		}
	}
	return goals
}

// direct tells where an event goes without a rule. The queue of such a target has no rule and the ARN as its name.
func (b *Bus) direct(e *envelope) (goals []goal) {
	for _, arn := range e.direct {
		if b.serves(e.scope, arn) {
			goals = append(goals, goal{e.seq, laneKey{Scope: e.scope, target: arn}})
		} else {
			b.tellUnserved(Rule{Scope: e.scope}, Target{ID: arn, ARN: arn})
		}
	}
	return goals
}

// tellUnserved counts an event for a target to which nothing is sent, and says so once.
func (b *Bus) tellUnserved(r Rule, t Target) {
	b.count.unserved.Add(1)
	if key := r.ARN() + " " + t.ARN; !b.told[key] {
		b.told[key] = true
		b.conf.Log.Warn("an event matched a rule, but nothing is sent to its target: the setting event-targets gives no address for its ARN, or it is of another account",
			"rule", r.ARN(), "target_id", t.ID, "target", t.ARN)
	}
}

// note writes down where events have to go and that they were held against the rules, and drops those that go nowhere.
func (b *Bus) note(ctx context.Context, list []*envelope, goals []goal, from int64, now time.Time) error {
	dropped, to := int64(0), list[len(list)-1].seq
	err := b.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		lanes := map[laneKey]bool{}
		for _, g := range goals {
			lanes[g.lane] = true
			if err := addDelivery(tx, g, now); err != nil {
				return err
			}
		}
		dropped = 0
		for l := range lanes {
			n, err := dropOldest(tx, l, b.conf.MaxWaiting)
			if dropped += n; err != nil {
				return err
			}
		}
		if err := tx.Exec(`UPDATE event_places SET value = $1 WHERE name = 'matched'`, to); err != nil {
			return err
		}
		return forgetEvents(tx, from-1, to) // from was the newest when it was held against the rules
	})
	if err == nil && dropped > 0 {
		b.count.givenUp.Add(uint64(dropped))
		b.conf.Log.Error("events were dropped because too many wait for one target", "events", dropped, "allowed", b.conf.MaxWaiting)
	}
	return err
}

// readEvents reads events of the outbox.
func readEvents(tx *store.Tx, where string, args ...any) (list []*envelope, err error) {
	err = tx.Each(`SELECT seq, id, account, region, time, source, detail_type, resources, detail, targets FROM events WHERE `+where, args, func(row store.Row) error {
		e := &envelope{Version: "0"}
		var at int64
		var resources, detail, targets string
		if err := row.Scan(&e.seq, &e.ID, &e.Account, &e.Region, &at, &e.Source, &e.DetailType, &resources, &detail, &targets); err != nil {
			return err
		}
		e.scope, e.Time = apprunner.Scope{Account: e.Account, Region: e.Region}, store.Time(at).Format(time.RFC3339)
		if resources == "null" {
			resources = "[]"
		}
		e.Resources, e.Detail = json.RawMessage(resources), json.RawMessage(detail)
		e.direct = strings.Fields(targets)
		list = append(list, e)
		return nil
	})
	return list, err
}

// errGone says that what was to be delivered is not there any more.
var errGone = errors.New("it is gone")
