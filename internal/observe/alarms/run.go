package alarms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

// Look lets the alarms be evaluated soon: another minute of metrics is complete, or an alarm is another.
func (a *Alarms) Look() {
	select {
	case a.nudge <- struct{}{}:
	default: // it will be looked anyway
	}
}

// Run evaluates all alarms whenever [Alarms.Look] was called, until ctx ends.
func (a *Alarms) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.nudge:
		}
		if err := a.Evaluate(ctx); err != nil && ctx.Err() == nil {
			a.conf.Log.Error("evaluate alarms", "err", err)
		}
	}
}

// Evaluate evaluates all alarms over the minutes that are complete.
func (a *Alarms) Evaluate(ctx context.Context) error {
	now := a.conf.Now().UTC()
	all, err := a.List(ctx, apprunner.Scope{})
	for _, alarm := range all {
		if one := a.evaluate(ctx, alarm, now); one != nil {
			err = errors.Join(err, fmt.Errorf("alarm %s: %w", alarm.ARN(), one))
		}
	}
	return err
}

func (a *Alarms) evaluate(ctx context.Context, alarm Alarm, now time.Time) error {
	period, n := alarm.Period(), alarm.Window()
	from := now.Truncate(time.Minute).Add(-time.Duration(n) * period)
	results, err := a.conf.Metrics.Data(ctx, alarm.Queries, from, from.Add(time.Duration(n)*period))
	if err != nil {
		return err
	}
	readings := readingsOf(results, from, period, n)
	state, reason := Evaluate(alarm.Condition, readings, alarm.State)
	if state == alarm.State {
		return nil
	}
	data, err := json.Marshal(reasonData(alarm, readings, now))
	if err != nil {
		return err
	}
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		present, found, err := read(tx, alarm.Scope, alarm.Name)
		if err != nil || !found || present.State != alarm.State || !present.Configured.Equal(alarm.Configured) {
			return err // it is another one meanwhile, and is looked at again
		}
		return become(tx, present, state, reason, string(data), now)
	})
}

// readingsOf gives the value of each period.
func readingsOf(results []metrics.Result, from time.Time, period time.Duration, n int) []Reading {
	list := make([]Reading, n)
	for i := range list {
		list[i].At = from.Add(time.Duration(i) * period)
	}
	for _, r := range results {
		for _, s := range r.Samples {
			if i := int(s.At.Sub(from) / period); i >= 0 && i < n {
				list[i] = Reading{list[i].At, s.Value, true}
			}
		}
	}
	return list
}

// reasonData is what the state was decided by, as CloudWatch writes it.
func reasonData(alarm Alarm, readings []Reading, now time.Time) map[string]any {
	recent, evaluated := []float64{}, []map[string]any{}
	for _, r := range readings[len(readings)-alarm.Periods:] {
		one := map[string]any{"timestamp": stamp(r.At)}
		if r.There {
			one["value"] = r.Value
			recent = append(recent, r.Value)
		}
		evaluated = append([]map[string]any{one}, evaluated...)
	}
	data := map[string]any{
		"version": "1.0", "queryDate": stamp(now), "period": int(alarm.Period().Seconds()), "recentDatapoints": recent,
		"threshold": alarm.Threshold, "evaluatedDatapoints": evaluated,
	}
	if s := alarm.Watched().Stat; s != nil {
		data["statistic"] = string(s.Statistic)
	}
	if len(readings) > 0 {
		data["startDate"] = stamp(readings[len(readings)-alarm.Periods].At)
	}
	return data
}

// stamp is a time as CloudWatch writes it in events.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000+0000") }

// SetState puts an alarm into a state until it is evaluated again. It fails with CodeNotFound or CodeInvalidFormat.
func (a *Alarms) SetState(ctx context.Context, sc apprunner.Scope, name string, state State, reason, data string) error {
	if data != "" && !json.Valid([]byte(data)) {
		return apprunner.Errorf(CodeInvalidFormat, "The parameter StateReasonData is not JSON.")
	}
	now := a.conf.Now().UTC()
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		alarm, err := mustRead(tx, sc, name)
		if err != nil {
			return err
		}
		return become(tx, alarm, state, reason, data, now)
	})
}

// become sets the state of an alarm. Where it is another one than before, the bus and the actions hear of it.
func become(tx *store.Tx, before Alarm, state State, reason, data string, now time.Time) error {
	after := before
	after.State, after.Reason, after.ReasonData, after.Updated = state, reason, data, now
	if state == before.State {
		return write(tx, after)
	}
	after.Transitioned = now
	e := stateChange(before, after, now)
	if after.ActionsEnabled {
		e.Targets = after.Actions[state]
	}
	err := errors.Join(write(tx, after), observe.EmitEvent(tx, e),
		note(tx, after, now, StateUpdate, fmt.Sprintf("Alarm updated from %s to %s", before.State, state), map[string]any{
			"version": "1.0", "oldState": stateText(before), "newState": stateText(after),
		}))
	for _, arn := range e.Targets {
		err = errors.Join(err, note(tx, after, now, Action, "Sent the change of state to "+arn, map[string]any{"actionState": "Sent", "stateUpdateTimestamp": now.UnixMilli(), "notificationResource": arn}))
	}
	return err
}

func stateText(a Alarm) map[string]any {
	s := map[string]any{"value": a.State, "reason": a.Reason, "timestamp": stamp(a.Updated), "stateValue": a.State, "stateReason": a.Reason}
	if a.ReasonData != "" {
		s["reasonData"] = a.ReasonData
	}
	return s
}

// stateChange is the event of a change of state.
func stateChange(before, after Alarm, now time.Time) observe.BusEvent {
	trim := func(a Alarm) map[string]any {
		s := stateText(a)
		delete(s, "stateValue")
		delete(s, "stateReason")
		return s
	}
	list := make([]map[string]any, len(after.Queries))
	for i, q := range after.Queries {
		list[i] = queryText(q)
	}
	return observe.BusEvent{
		Scope: after.Scope, Time: now, Source: "aws.cloudwatch", DetailType: "CloudWatch Alarm State Change", Resources: []string{after.ARN()},
		Detail: map[string]any{
			"alarmName": after.Name, "state": trim(after), "previousState": trim(before),
			"configuration": map[string]any{"description": after.Description, "metrics": list},
		},
	}
}

func queryText(q metrics.Query) map[string]any {
	out := map[string]any{"id": q.ID, "returnData": !q.Hidden}
	if q.Stat == nil {
		out["expression"], out["label"] = q.Expression, q.Label
		return out
	}
	dimensions := map[string]string{}
	for _, d := range q.Stat.Dimensions {
		dimensions[d.Name] = d.Value
	}
	stat := map[string]any{
		"metric": map[string]any{"namespace": q.Stat.Namespace, "name": q.Stat.Metric, "dimensions": dimensions},
		"period": int(q.Stat.Period.Seconds()), "stat": string(q.Stat.Statistic),
	}
	if q.Stat.Unit != "" {
		stat["unit"] = q.Stat.Unit
	}
	out["metricStat"] = stat
	return out
}
