package api

import (
	"strings"
	"time"

	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/wire/cloudwatch"
)

func alarmsOut(all []alarms.Alarm) []cloudwatch.MetricAlarm {
	out := make([]cloudwatch.MetricAlarm, len(all))
	for i, a := range all {
		out[i] = alarmOut(a)
	}
	return out
}

func alarmOut(a alarms.Alarm) cloudwatch.MetricAlarm {
	out := cloudwatch.MetricAlarm{
		AlarmName: &a.Name, AlarmArn: new(a.ARN()), AlarmDescription: given(a.Description), AlarmConfigurationUpdatedTimestamp: &a.Configured,
		ActionsEnabled: &a.ActionsEnabled, OKActions: list(a.Actions[alarms.OK]), AlarmActions: list(a.Actions[alarms.InAlarm]),
		InsufficientDataActions: list(a.Actions[alarms.Insufficient]),
		StateValue:              new(string(a.State)), StateReason: &a.Reason, StateReasonData: given(a.ReasonData), StateUpdatedTimestamp: &a.Updated,
		StateTransitionedTimestamp: &a.Transitioned,
		EvaluationPeriods:          new(int32(a.Periods)), Threshold: &a.Threshold, ComparisonOperator: new(string(a.Operator)),
		TreatMissingData: given(a.TreatMissing), Dimensions: []cloudwatch.Dimension{}, Metrics: []cloudwatch.MetricDataQuery{},
	}
	if !a.AllToAlarm { // as CloudWatch does: Terraform takes a number that nobody gave for a change
		out.DatapointsToAlarm = new(int32(a.ToAlarm))
	}
	if !a.Plain {
		out.Metrics = queriesOut(a.Queries)
		return out
	}
	s := a.Watched().Stat
	out.MetricName, out.Namespace, out.Unit, out.Period, out.Dimensions = &s.Metric, &s.Namespace, given(s.Unit), seconds(s.Period), dimensionsOut(s.Dimensions)
	if strings.HasPrefix(string(s.Statistic), "p") {
		out.ExtendedStatistic = new(string(s.Statistic))
	} else {
		out.Statistic = new(string(s.Statistic))
	}
	return out
}

// list is a list for an answer that is sent empty too.
func list(in []string) []string {
	if in == nil {
		return []string{}
	}
	return in
}

func seconds(d time.Duration) *int32 { return given(int32(d / time.Second)) }

func queriesOut(in []metrics.Query) []cloudwatch.MetricDataQuery {
	out := make([]cloudwatch.MetricDataQuery, len(in))
	for i, q := range in {
		out[i] = cloudwatch.MetricDataQuery{Id: &q.ID, Expression: given(q.Expression), Label: given(q.Label), ReturnData: new(!q.Hidden), Period: seconds(q.Period)}
		if s := q.Stat; s != nil {
			out[i].MetricStat = &cloudwatch.MetricStat{
				Metric: &cloudwatch.Metric{Namespace: &s.Namespace, MetricName: &s.Metric, Dimensions: dimensionsOut(s.Dimensions)},
				Period: seconds(s.Period), Stat: new(string(s.Statistic)), Unit: given(s.Unit),
			}
		}
	}
	return out
}
