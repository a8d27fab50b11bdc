package api

import (
	"context"
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/wire"
	"slipway.dev/slipway/internal/wire/cloudwatch"
)

// metricStore is what the CloudWatch API needs of the metrics.
type metricStore interface {
	Put(context.Context, []metrics.Entry) error
	Read(context.Context, metrics.Span) ([]metrics.Bucket, error)
	Data(ctx context.Context, queries []metrics.Query, from, to time.Time) ([]metrics.Result, error)
	List(context.Context, apprunner.Scope, metrics.Filter) ([]metrics.Listed, error)
}

// CloudWatchConfig is what the CloudWatch API needs. All are required.
type CloudWatchConfig struct {
	Metrics    metricStore
	Alarms     alarmStore
	Dashboards dashboardStore
	Tokens     *Tokens
	// Catch makes what happened until this moment part of the metrics of services. That it cannot is no reason not to answer.
	Catch func(context.Context) error
	Now   func() time.Time
}

type cloudWatchAPI struct{ CloudWatchConfig }

// validationCode answers requests that break a constraint of the model, in all protocols.
const validationCode apprunner.Code = "ValidationError"

// NewCloudWatch returns the CloudWatch API (adjacent §5).
func NewCloudWatch(c CloudWatchConfig) (*Service, error) {
	if c.Metrics == nil || c.Alarms == nil || c.Dashboards == nil || c.Tokens == nil || c.Catch == nil || c.Now == nil {
		return nil, errors.New("CloudWatch API: the configuration is incomplete")
	}
	w := &cloudWatchAPI{c}
	return &Service{
		API: &cloudwatch.API, Constraint: validationCode, Refuse: refuseMetric, Internal: "InternalServiceFault",
		Actions: map[string]Action{
			"ListMetrics":         action(anything[cloudwatch.ListMetricsInput]("cloudwatch:ListMetrics"), w.listMetrics),
			"GetMetricStatistics": action(anything[cloudwatch.GetMetricStatisticsInput]("cloudwatch:GetMetricStatistics"), w.getStatistics),
			"GetMetricData":       action(anything[cloudwatch.GetMetricDataInput]("cloudwatch:GetMetricData"), w.getData),
			"PutMetricData":       command(mayPutMetrics, w.putMetrics),

			"PutMetricAlarm":          command(w.mayPutAlarm, w.putAlarm),
			"DescribeAlarms":          action(onAlarms(w, "DescribeAlarms", func(in *cloudwatch.DescribeAlarmsInput) []string { return in.AlarmNames }), w.describeAlarms),
			"DescribeAlarmsForMetric": action(onAlarms(w, "DescribeAlarmsForMetric", func(*cloudwatch.DescribeAlarmsForMetricInput) []string { return nil }), w.describeForMetric),
			"DeleteAlarms":            command(onAlarms(w, "DeleteAlarms", func(in *cloudwatch.DeleteAlarmsInput) []string { return in.AlarmNames }), w.deleteAlarms),
			"EnableAlarmActions":      command(onAlarms(w, "EnableAlarmActions", func(in *cloudwatch.EnableAlarmActionsInput) []string { return in.AlarmNames }), w.enableActions),
			"DisableAlarmActions":     command(onAlarms(w, "DisableAlarmActions", func(in *cloudwatch.DisableAlarmActionsInput) []string { return in.AlarmNames }), w.disableActions),
			"SetAlarmState":           command(onAlarms(w, "SetAlarmState", func(in *cloudwatch.SetAlarmStateInput) []string { return []string{val(in.AlarmName)} }), w.setState),
			"DescribeAlarmHistory": action(onAlarms(w, "DescribeAlarmHistory", func(in *cloudwatch.DescribeAlarmHistoryInput) []string {
				if val(in.AlarmName) == "" {
					return nil
				}
				return []string{*in.AlarmName}
			}), w.describeHistory),

			"PutDashboard":     action(w.mayPutDashboard, w.putDashboard),
			"GetDashboard":     action(w.mayGetDashboard, w.getDashboard),
			"ListDashboards":   action(anything[cloudwatch.ListDashboardsInput]("cloudwatch:ListDashboards"), w.listDashboards),
			"DeleteDashboards": action(w.mayDeleteDashboards, w.deleteDashboards),

			"TagResource":         action(w.mayTag, w.tag),
			"UntagResource":       action(onTaggedMetric(w, "UntagResource", func(in *cloudwatch.UntagResourceInput) *string { return in.ResourceARN }), w.untag),
			"ListTagsForResource": action(onTaggedMetric(w, "ListTagsForResource", func(in *cloudwatch.ListTagsForResourceInput) *string { return in.ResourceARN }), w.listTags),
		},
	}, nil
}

// refuseMetric words a request that breaks a constraint: what is missing has a code of its own.
func refuseMetric(err error) error {
	var v *wire.ValidationError
	if errors.As(err, &v) && v.Failures[0].Missing() {
		return apprunner.Errorf(metrics.CodeMissing, "The parameter %s is required.", upperFirst(v.Failures[0].Path))
	}
	return apprunner.Errorf(validationCode, "%w", err)
}

// mayPutMetrics asks for the right to put metrics, with the namespace as condition key.
func mayPutMetrics(_ context.Context, _ Call, in *cloudwatch.PutMetricDataInput) ([]iam.Request, error) {
	return []iam.Request{{Action: "cloudwatch:PutMetricData", Resource: "*", Context: map[string][]string{"cloudwatch:namespace": {val(in.Namespace)}}}}, nil
}

// catch brings the metrics of services up to date for a reader.
func (w *cloudWatchAPI) catch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = w.Catch(ctx) // the edge may be away: what is there is answered
}

// metricsPerPage is how many metrics ListMetrics answers with at once.
const metricsPerPage int32 = 500

func (w *cloudWatchAPI) listMetrics(ctx context.Context, c Call, in *cloudwatch.ListMetricsInput) (*cloudwatch.ListMetricsOutput, error) {
	if a := val(in.OwningAccount); a != "" && a != c.Scope.Account {
		return nil, apprunner.Errorf(metrics.CodeInvalid, "The parameter OwningAccount is %s; only the metrics of the caller's own account can be listed here.", a)
	}
	f := metrics.Filter{Namespace: val(in.Namespace), Metric: val(in.MetricName)}
	for _, d := range in.Dimensions {
		f.Dimensions = append(f.Dimensions, metrics.Dimension{Name: *d.Name, Value: val(d.Value)})
	}
	if in.RecentlyActive != nil {
		f.Since = w.Now().Add(-3 * time.Hour) // PT3H, the only value the model allows
	}
	w.catch(ctx)
	all, err := w.Metrics.List(ctx, c.Scope, f)
	if err != nil {
		return nil, err
	}
	params := []any{in.Namespace, in.MetricName, in.Dimensions, in.RecentlyActive}
	all, next, err := metricsPage(w, c, "ListMetrics", all, metrics.Listed.Place, params, metricsPerPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.ListMetricsOutput{Metrics: make([]cloudwatch.Metric, len(all)), NextToken: next}
	for i, l := range all {
		out.Metrics[i] = cloudwatch.Metric{Namespace: &l.Namespace, MetricName: &l.Metric, Dimensions: dimensionsOut(l.Dimensions)}
	}
	return out, nil
}

// metricsPage cuts one page out of a listing.
func metricsPage[T any](w *cloudWatchAPI, c Call, operation string, all []T, name func(T) string, params any, limit int32, token *string) ([]T, *string, error) {
	l := listing{scope: c.Scope, operation: "cloudwatch/" + operation, params: params}
	return pageByName(w.Tokens, l, "InvalidNextToken", all, name, &limit, token)
}

func dimensionsOut(in []metrics.Dimension) []cloudwatch.Dimension {
	out := make([]cloudwatch.Dimension, len(in))
	for i, d := range in {
		out[i] = cloudwatch.Dimension{Name: &d.Name, Value: &d.Value}
	}
	return out
}

// dimensionsIn reads dimensions, each of which has a name of its own.
func dimensionsIn(in []cloudwatch.Dimension) (out []metrics.Dimension, err error) {
	names := map[string]bool{}
	for _, d := range in {
		if names[*d.Name] {
			return nil, apprunner.Errorf(metrics.CodeInvalid, "The parameter Dimensions has two values for %s.", *d.Name)
		}
		names[*d.Name] = true
		out = append(out, metrics.Dimension{Name: *d.Name, Value: *d.Value})
	}
	return out, nil
}

// maxStatistics is how many periods GetMetricStatistics answers with.
const maxStatistics = 1440

func (w *cloudWatchAPI) getStatistics(ctx context.Context, c Call, in *cloudwatch.GetMetricStatisticsInput) (*cloudwatch.GetMetricStatisticsOutput, error) {
	span, err := spanOf(c, in)
	if err != nil {
		return nil, err
	}
	for _, s := range in.ExtendedStatistics {
		if err := metrics.Statistic(s).Check(); err != nil {
			return nil, err
		}
	}
	w.catch(ctx)
	buckets, err := w.Metrics.Read(ctx, span)
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []cloudwatch.Datapoint{}}
	for _, b := range buckets {
		out.Datapoints = append(out.Datapoints, datapoint(b, in))
	}
	return out, nil
}

func spanOf(c Call, in *cloudwatch.GetMetricStatisticsInput) (s metrics.Span, err error) {
	s = metrics.Span{
		Metric: *in.MetricName, Unit: val(in.Unit), From: in.StartTime.Truncate(time.Minute), To: *in.EndTime, Period: time.Duration(*in.Period) * time.Second,
		Series: metrics.Series{Scope: c.Scope, Namespace: *in.Namespace},
	}
	if s.Series.Dimensions, err = dimensionsIn(in.Dimensions); err != nil {
		return s, err
	}
	switch {
	case len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0:
		return s, apprunner.Errorf(metrics.CodeMissing, "Must specify either Statistics or ExtendedStatistics.")
	case !s.To.After(*in.StartTime):
		return s, apprunner.Errorf(metrics.CodeInvalid, "The parameter StartTime must be less than the parameter EndTime.")
	}
	if err := metrics.CheckPeriod(s.Period); err != nil {
		return s, err
	}
	if n := int64(s.To.Sub(s.From) / s.Period); n > maxStatistics {
		return s, apprunner.Errorf(metrics.CodeCombination, "You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxStatistics)
	}
	return s, nil
}

// datapoint has those statistics of a period that are asked for.
func datapoint(b metrics.Bucket, in *cloudwatch.GetMetricStatisticsInput) cloudwatch.Datapoint {
	d := cloudwatch.Datapoint{Timestamp: &b.At, Unit: &b.Unit}
	for _, s := range in.Statistics {
		v, _ := metrics.Statistic(s).Of(b.Point)
		switch s {
		case cloudwatch.StatisticAverage:
			d.Average = &v
		case cloudwatch.StatisticSum:
			d.Sum = &v
		case cloudwatch.StatisticMinimum:
			d.Minimum = &v
		case cloudwatch.StatisticMaximum:
			d.Maximum = &v
		case cloudwatch.StatisticSampleCount:
			d.SampleCount = &v
		}
	}
	for _, s := range in.ExtendedStatistics {
		if v, known := metrics.Statistic(s).Of(b.Point); known {
			if d.ExtendedStatistics == nil {
				d.ExtendedStatistics = map[string]float64{}
			}
			d.ExtendedStatistics[s] = v
		}
	}
	return d
}

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
