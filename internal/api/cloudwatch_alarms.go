package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/wire/cloudwatch"
)

// alarmStore is what the CloudWatch API needs of the alarms.
type alarmStore interface {
	Put(context.Context, alarms.Alarm) error
	List(context.Context, apprunner.Scope) ([]alarms.Alarm, error)
	Get(ctx context.Context, sc apprunner.Scope, name string) (alarms.Alarm, error)
	Delete(ctx context.Context, sc apprunner.Scope, names []string) error
	Enable(ctx context.Context, sc apprunner.Scope, names []string, on bool) error
	SetState(ctx context.Context, sc apprunner.Scope, name string, state alarms.State, reason, data string) error
	History(context.Context, apprunner.Scope, alarms.HistoryFilter) ([]alarms.Happening, error)
	Tag(ctx context.Context, sc apprunner.Scope, name string, tags map[string]string) error
	Untag(ctx context.Context, sc apprunner.Scope, name string, keys []string) error
}

// onAlarm asks for an action on an alarm, whose tags are condition keys.
func (w *cloudWatchAPI) onAlarm(ctx context.Context, c Call, action, name string) iam.Request {
	q := iam.Request{Action: "cloudwatch:" + action, Resource: alarms.ARN(c.Scope, name), Context: map[string][]string{}}
	if a, err := w.Alarms.Get(ctx, c.Scope, name); err == nil { // of one that is not there nothing is known
		for k, v := range a.Tags {
			q.Context["aws:ResourceTag/"+k] = []string{v}
		}
	}
	return q
}

// onAlarms asks for an action on each of the alarms that a request names.
func onAlarms[In any](w *cloudWatchAPI, action string, of func(*In) []string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) (asked []iam.Request, err error) {
		for _, name := range of(in) {
			asked = append(asked, w.onAlarm(ctx, c, action, name))
		}
		if len(asked) == 0 {
			asked = append(asked, iam.Request{Action: "cloudwatch:" + action, Resource: alarms.ARN(c.Scope, "*")})
		}
		return asked, nil
	}
}

func (w *cloudWatchAPI) mayPutAlarm(ctx context.Context, c Call, in *cloudwatch.PutMetricAlarmInput) ([]iam.Request, error) {
	q := w.onAlarm(ctx, c, "PutMetricAlarm", val(in.AlarmName))
	requestTags(q.Context, metricTags(in.Tags))
	asked := []iam.Request{q}
	if len(in.Tags) > 0 {
		asked = append(asked, iam.Request{Action: "cloudwatch:TagResource", Resource: q.Resource, Context: q.Context})
	}
	return asked, nil
}

func metricTags(in []cloudwatch.Tag) []apprunner.Tag {
	tags := make([]apprunner.Tag, len(in))
	for i, t := range in {
		tags[i] = apprunner.Tag{Key: val(t.Key), Value: val(t.Value)}
	}
	return tags
}

func metricTagMap(in []cloudwatch.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range in {
		tags[val(t.Key)] = val(t.Value)
	}
	return tags
}

func (w *cloudWatchAPI) putAlarm(ctx context.Context, c Call, in *cloudwatch.PutMetricAlarmInput) error {
	if err := onlyServed(in); err != nil {
		return err
	}
	a := alarms.Alarm{
		Scope: c.Scope, Name: *in.AlarmName, Description: val(in.AlarmDescription), ActionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled,
		Actions: map[alarms.State][]string{alarms.OK: in.OKActions, alarms.InAlarm: in.AlarmActions, alarms.Insufficient: in.InsufficientDataActions},
		Tags:    metricTagMap(in.Tags),
		Condition: alarms.Condition{
			Operator: alarms.Operator(val(in.ComparisonOperator)), Threshold: val(in.Threshold), Periods: int(val(in.EvaluationPeriods)),
			ToAlarm: int(val(in.EvaluationPeriods)), TreatMissing: val(in.TreatMissingData), AllToAlarm: in.DatapointsToAlarm == nil,
		},
	}
	if in.DatapointsToAlarm != nil {
		a.ToAlarm = int(*in.DatapointsToAlarm)
	}
	var err error
	if a.Queries, a.Plain, err = alarmQueries(c, in); err != nil {
		return err
	}
	return w.Alarms.Put(ctx, a)
}

// onlyServed refuses what no alarm here has.
func onlyServed(in *cloudwatch.PutMetricAlarmInput) error {
	switch {
	case in.ThresholdMetricId != nil:
		return apprunner.Errorf(validationCode, "The parameter ThresholdMetricId is not supported here: there are no anomaly detection models.")
	case in.EvaluationCriteria != nil || in.EvaluationInterval != nil || in.EvaluationWindow != nil:
		return apprunner.Errorf(validationCode, "The parameters EvaluationCriteria, EvaluationInterval and EvaluationWindow are not supported here: alarms watch metrics and metric math, at every minute.")
	case in.EvaluateLowSampleCountPercentile != nil && *in.EvaluateLowSampleCountPercentile != "evaluate":
		return apprunner.Errorf(validationCode, "The parameter EvaluateLowSampleCountPercentile must be evaluate here; it is %q.", *in.EvaluateLowSampleCountPercentile)
	case in.Threshold == nil:
		return apprunner.Errorf(validationCode, "The parameter Threshold is required.")
	case in.ComparisonOperator == nil || in.EvaluationPeriods == nil:
		return apprunner.Errorf(validationCode, "The parameters ComparisonOperator and EvaluationPeriods are required.")
	}
	return nil
}

// alarmQueries reads what an alarm watches; plain: it is one metric.
func alarmQueries(c Call, in *cloudwatch.PutMetricAlarmInput) (queries []metrics.Query, plain bool, err error) {
	single := in.MetricName != nil || in.Namespace != nil || in.Statistic != nil || in.ExtendedStatistic != nil || in.Dimensions != nil || in.Period != nil
	if in.Metrics != nil {
		if single {
			return nil, false, apprunner.Errorf(validationCode, "The parameter Metrics excludes MetricName, Namespace, Statistic, ExtendedStatistic, Dimensions and Period.")
		}
		queries, err = queriesIn(c, in.Metrics)
		return queries, false, err
	}
	switch {
	case in.MetricName == nil || in.Namespace == nil || in.Period == nil:
		return nil, false, apprunner.Errorf(validationCode, "The parameters MetricName, Namespace and Period are required, or else Metrics.")
	case (in.Statistic == nil) == (in.ExtendedStatistic == nil):
		return nil, false, apprunner.Errorf(validationCode, "Exactly one of the parameters Statistic and ExtendedStatistic is required.")
	}
	stat := &metrics.Stat{
		Series: metrics.Series{Scope: c.Scope, Namespace: *in.Namespace}, Metric: *in.MetricName, Unit: val(in.Unit),
		Period: time.Duration(*in.Period) * time.Second, Statistic: metrics.Statistic(val(in.Statistic) + val(in.ExtendedStatistic)),
	}
	stat.Series.Dimensions, err = dimensionsIn(in.Dimensions)
	return []metrics.Query{{ID: "m1", Stat: stat}}, true, err
}

func (w *cloudWatchAPI) describeAlarms(ctx context.Context, c Call, in *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	all, err := w.Alarms.List(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(a alarms.Alarm) bool { return !chosen(a, in) })
	params := []any{in.AlarmNames, in.AlarmNamePrefix, in.AlarmTypes, in.StateValue, in.ActionPrefix}
	all, next, err := metricsPage(w, c, "DescribeAlarms", all, func(a alarms.Alarm) string { return a.Name }, params, orPage(in.MaxRecords), in.NextToken)
	if err != nil {
		return nil, err
	}
	return &cloudwatch.DescribeAlarmsOutput{MetricAlarms: alarmsOut(all), CompositeAlarms: []cloudwatch.CompositeAlarm{}, NextToken: next}, nil
}

// orPage is how many records an answer has.
func orPage(limit *int32) int32 {
	if limit == nil {
		return 50
	}
	return *limit
}

// chosen tells whether a request asks for an alarm. There are no composite alarms, so none is the child or parent of another.
func chosen(a alarms.Alarm, in *cloudwatch.DescribeAlarmsInput) bool {
	hasAction := func(prefix string) bool {
		for _, arns := range a.Actions {
			if slices.ContainsFunc(arns, func(arn string) bool { return strings.HasPrefix(arn, prefix) }) {
				return true
			}
		}
		return false
	}
	return (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.Name)) && strings.HasPrefix(a.Name, val(in.AlarmNamePrefix)) &&
		(len(in.AlarmTypes) == 0 || slices.Contains(in.AlarmTypes, cloudwatch.AlarmTypeMetricAlarm)) && in.ChildrenOfAlarmName == nil && in.ParentsOfAlarmName == nil &&
		(in.StateValue == nil || *in.StateValue == string(a.State)) && (in.ActionPrefix == nil || hasAction(*in.ActionPrefix))
}

func (w *cloudWatchAPI) describeForMetric(ctx context.Context, c Call, in *cloudwatch.DescribeAlarmsForMetricInput) (*cloudwatch.DescribeAlarmsForMetricOutput, error) {
	dimensions, err := dimensionsIn(in.Dimensions)
	if err != nil {
		return nil, err
	}
	all, err := w.Alarms.List(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	stat := metrics.Stat{
		Series: metrics.Series{Namespace: *in.Namespace, Dimensions: dimensions}, Metric: *in.MetricName, Unit: val(in.Unit),
		Period: time.Duration(val(in.Period)) * time.Second, Statistic: metrics.Statistic(val(in.Statistic) + val(in.ExtendedStatistic)),
	}
	all = slices.DeleteFunc(all, func(a alarms.Alarm) bool { return !a.Watches(stat) })
	return &cloudwatch.DescribeAlarmsForMetricOutput{MetricAlarms: alarmsOut(all)}, nil
}

func (w *cloudWatchAPI) deleteAlarms(ctx context.Context, c Call, in *cloudwatch.DeleteAlarmsInput) error {
	return w.Alarms.Delete(ctx, c.Scope, in.AlarmNames)
}

func (w *cloudWatchAPI) enableActions(ctx context.Context, c Call, in *cloudwatch.EnableAlarmActionsInput) error {
	return w.Alarms.Enable(ctx, c.Scope, in.AlarmNames, true)
}

func (w *cloudWatchAPI) disableActions(ctx context.Context, c Call, in *cloudwatch.DisableAlarmActionsInput) error {
	return w.Alarms.Enable(ctx, c.Scope, in.AlarmNames, false)
}

func (w *cloudWatchAPI) setState(ctx context.Context, c Call, in *cloudwatch.SetAlarmStateInput) error {
	return w.Alarms.SetState(ctx, c.Scope, *in.AlarmName, alarms.State(*in.StateValue), *in.StateReason, val(in.StateReasonData))
}

func (w *cloudWatchAPI) describeHistory(ctx context.Context, c Call, in *cloudwatch.DescribeAlarmHistoryInput) (*cloudwatch.DescribeAlarmHistoryOutput, error) {
	f := alarms.HistoryFilter{Alarm: val(in.AlarmName), Kind: val(in.HistoryItemType), From: val(in.StartDate), To: val(in.EndDate)}
	all, err := w.Alarms.History(ctx, c.Scope, f)
	if err != nil {
		return nil, err
	}
	if len(in.AlarmTypes) > 0 && !slices.Contains(in.AlarmTypes, cloudwatch.AlarmTypeMetricAlarm) {
		all = nil
	}
	newestFirst := val(in.ScanBy) != cloudwatch.ScanByTimestampAscending
	params := []any{in.AlarmName, in.AlarmTypes, in.HistoryItemType, in.StartDate, in.EndDate, in.ScanBy}
	place := func(h alarms.Happening) string { return h.Place(newestFirst) }
	all, next, err := metricsPage(w, c, "DescribeAlarmHistory", all, place, params, orPage(in.MaxRecords), in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.DescribeAlarmHistoryOutput{AlarmHistoryItems: make([]cloudwatch.AlarmHistoryItem, len(all)), NextToken: next}
	for i, h := range all {
		out.AlarmHistoryItems[i] = cloudwatch.AlarmHistoryItem{
			AlarmName: &h.Alarm, AlarmType: new(cloudwatch.AlarmTypeMetricAlarm), Timestamp: &h.Time, HistoryItemType: &h.Kind, HistorySummary: &h.Summary, HistoryData: &h.Data,
		}
	}
	return out, nil
}
