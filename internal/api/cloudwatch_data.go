package api

import (
	"context"
	"slices"
	"strconv"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/observe/metrics/expr"
	"slipway.dev/slipway/internal/wire/cloudwatch"
)

// maxDatapoints is how many values GetMetricData answers with at once.
const maxDatapoints = 100_800

func (w *cloudWatchAPI) getData(ctx context.Context, c Call, in *cloudwatch.GetMetricDataInput) (*cloudwatch.GetMetricDataOutput, error) {
	limit := maxDatapoints
	if in.MaxDatapoints != nil {
		if limit = int(*in.MaxDatapoints); limit < 1 || limit > maxDatapoints {
			return nil, apprunner.Errorf(metrics.CodeInvalid, "The parameter MaxDatapoints must be from 1 to %d; it is %d.", maxDatapoints, limit)
		}
	}
	if !in.EndTime.After(*in.StartTime) {
		return nil, apprunner.Errorf(validationCode, "The parameter StartTime must be less than the parameter EndTime.")
	}
	queries, err := queriesIn(c, in.MetricDataQueries)
	if err != nil {
		return nil, err
	}
	w.catch(ctx)
	results, err := w.Metrics.Data(ctx, queries, *in.StartTime, *in.EndTime)
	if err != nil {
		return nil, err
	}
	if val(in.ScanBy) != cloudwatch.ScanByTimestampAscending {
		for _, r := range results {
			slices.Reverse(r.Samples)
		}
	}
	return w.dataPage(c, in, results, limit)
}

// queriesIn reads queries, of which each is answered unless it says that it is not to be.
func queriesIn(c Call, in []cloudwatch.MetricDataQuery) (out []metrics.Query, err error) {
	for _, q := range in {
		if a := val(q.AccountId); a != "" && a != c.Scope.Account {
			return nil, apprunner.Errorf(metrics.CodeInvalid, "The query %s asks for metrics of the account %s; only those of the caller's own can be read here.", *q.Id, a)
		}
		query := metrics.Query{
			ID: *q.Id, Expression: val(q.Expression), Label: val(q.Label), Hidden: q.ReturnData != nil && !*q.ReturnData, Period: time.Duration(val(q.Period)) * time.Second,
		}
		if s := q.MetricStat; s != nil {
			query.Stat = &metrics.Stat{
				Series: metrics.Series{Scope: c.Scope, Namespace: val(s.Metric.Namespace)}, Metric: val(s.Metric.MetricName), Unit: val(s.Unit),
				Period: time.Duration(*s.Period) * time.Second, Statistic: metrics.Statistic(*s.Stat),
			}
			if query.Stat.Series.Dimensions, err = dimensionsIn(s.Metric.Dimensions); err != nil {
				return nil, err
			}
		}
		out = append(out, query)
	}
	return out, nil
}

// dataPage answers with those values that fit, from the place on that a token stands for: all values of the results, one result after the
// other, have a number.
func (w *cloudWatchAPI) dataPage(c Call, in *cloudwatch.GetMetricDataInput, results []metrics.Result, limit int) (*cloudwatch.GetMetricDataOutput, error) {
	l := listing{scope: c.Scope, operation: "cloudwatch/GetMetricData", params: []any{in.MetricDataQueries, in.StartTime, in.EndTime, in.ScanBy}}
	after, err := w.Tokens.after(l, in.NextToken)
	if err != nil {
		return nil, apprunner.Errorf("InvalidNextToken", "%w", err)
	}
	skip, _ := strconv.Atoi(after.Name) // made by this function, or empty
	shown := skip
	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: []cloudwatch.MetricDataResult{}, Messages: []cloudwatch.MessageData{}}
	for _, r := range results {
		all := len(r.Samples)
		from := min(skip, all)
		if limit == 0 && from < all {
			out.NextToken = new(w.Tokens.write(l, position{Name: strconv.Itoa(shown)}))
			break
		}
		to := min(all, from+limit)
		if skip -= from; from < all || all == 0 && skip == 0 {
			out.MetricDataResults = append(out.MetricDataResults, dataResult(r, from, to))
		}
		limit, shown = limit-(to-from), shown+to-from
		if to < all {
			out.NextToken = new(w.Tokens.write(l, position{Name: strconv.Itoa(shown)}))
			break
		}
	}
	return out, nil
}

func dataResult(r metrics.Result, from, to int) cloudwatch.MetricDataResult {
	status := cloudwatch.StatusCodeComplete
	if to < len(r.Samples) {
		status = cloudwatch.StatusCodePartialData
	}
	out := cloudwatch.MetricDataResult{Id: &r.ID, Label: &r.Label, StatusCode: &status, Timestamps: []time.Time{}, Values: []float64{}}
	for _, s := range expr.Series(r.Samples[from:to]) {
		out.Timestamps, out.Values = append(out.Timestamps, s.At), append(out.Values, s.Value)
	}
	return out
}
