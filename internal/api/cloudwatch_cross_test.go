package api_test

import (
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

// newFigures serves CloudWatch, in which the first account has a metric and the alarm "victim".
func (x *crossing) newFigures(t *testing.T, db *store.DB, tokens *api.Tokens) *api.Service {
	t.Helper()
	service, data, watch := newCloudWatch(t, db, tokens)
	series := metrics.Series{Scope: scope, Namespace: "victim", Dimensions: []metrics.Dimension{{Name: "note", Value: secretOfA}}}
	ok(t, data.Put(t.Context(), []metrics.Entry{{
		Series: series, Minute: time.Now(), Additions: []metrics.Addition{{Metric: metrics.Metric{Name: "victim", Unit: "None"}, Point: metrics.Value(1)}},
	}}))
	ok(t, watch.Put(t.Context(), alarms.Alarm{
		Scope: scope, Name: "victim", Description: secretOfA, Plain: true, Tags: map[string]string{"note": secretOfA},
		Queries:   []metrics.Query{{ID: "m1", Stat: &metrics.Stat{Series: series, Metric: "victim", Period: time.Minute, Statistic: "Sum"}}},
		Condition: alarms.Condition{Operator: "GreaterThanThreshold", Periods: 1, ToAlarm: 1},
	}))
	return service
}

// figuresInput makes requests of CloudWatch that can be answered.
func (x *crossing) figuresInput(operation string, input map[string]any) {
	for _, member := range []string{"StartTime", "StartDate"} {
		if input[member] != nil {
			input[member] = time.Now().Add(-time.Hour).Unix()
		}
	}
	switch operation {
	case "GetMetricStatistics":
		input["Statistics"], input["Period"] = []any{"Sum"}, 60
	case "GetMetricData":
		stat := map[string]any{"Metric": map[string]any{"Namespace": "victim", "MetricName": "victim"}, "Period": 60, "Stat": "Sum"}
		input["MetricDataQueries"] = []any{map[string]any{"Id": "a", "MetricStat": stat}}
	case "PutMetricData":
		input["MetricData"] = []any{map[string]any{"MetricName": "made", "Value": 1}}
	case "PutMetricAlarm":
		for member, v := range map[string]any{
			"Namespace": "a", "MetricName": "a", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
			"Tags": []any{map[string]any{"Key": "made", "Value": "here"}},
		} {
			input[member] = v
		}
	case "PutDashboard":
		input["DashboardBody"] = `{"widgets":[]}`
	case "TagResource", "UntagResource", "ListTagsForResource":
		input["ResourceARN"] = alarms.ARN(scope, "victim")
	}
}
