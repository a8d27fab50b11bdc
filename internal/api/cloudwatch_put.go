package api

import (
	"context"
	"math"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/wire/cloudwatch"
)

// The limits of PutMetricData.
const (
	maxData   = 1000 // metrics in one call
	maxValues = 150  // different values of one metric in one call

	oldestData = 14 * 24 * time.Hour // how old they may be
	newestData = 2 * time.Hour       // how far they may lie in the future
)

func (w *cloudWatchAPI) putMetrics(ctx context.Context, c Call, in *cloudwatch.PutMetricDataInput) error {
	all := in.MetricData
	for _, e := range in.EntityMetricData { // whose they are is of no use here
		all = append(all, e.MetricData...)
	}
	switch {
	case len(all) == 0:
		return apprunner.Errorf(metrics.CodeMissing, "The parameter MetricData is required.")
	case len(all) > maxData:
		return apprunner.Errorf(metrics.CodeInvalid, "The parameter MetricData holds %d metrics; at most %d are allowed.", len(all), maxData)
	case strings.HasPrefix(*in.Namespace, "AWS/"):
		return apprunner.Errorf(metrics.CodeInvalid, "The value AWS/ for parameter Namespace is invalid.")
	}
	now := w.Now().UTC()
	entries := make([]metrics.Entry, len(all))
	for i, d := range all {
		e, err := entryOf(d, now)
		if err != nil {
			return err
		}
		e.Scope, e.Namespace = c.Scope, *in.Namespace
		entries[i] = e
	}
	return w.Metrics.Put(ctx, entries)
}

// entryOf reads one metric of a client.
func entryOf(d cloudwatch.MetricDatum, now time.Time) (e metrics.Entry, err error) {
	if e.Dimensions, err = dimensionsIn(d.Dimensions); err != nil {
		return e, err
	}
	e.Minute = now
	if d.Timestamp != nil {
		e.Minute = *d.Timestamp
	}
	if e.Minute.Before(now.Add(-oldestData)) || e.Minute.After(now.Add(newestData)) {
		return e, apprunner.Errorf(metrics.CodeInvalid, "The parameter Timestamp of %s must be at most two weeks old and at most two hours in the future.", *d.MetricName)
	}
	p, err := pointOf(d)
	if err != nil {
		return e, err
	}
	unit := val(d.Unit)
	if unit == "" {
		unit = cloudwatch.StandardUnitNone
	}
	e.Additions = []metrics.Addition{{Metric: metrics.Metric{Name: *d.MetricName, Unit: unit}, Point: p}}
	return e, nil
}

// pointOf reads the values of a metric, which come in one of three forms.
func pointOf(d cloudwatch.MetricDatum) (metrics.Point, error) {
	forms := 0
	for _, given := range []bool{d.Value != nil, d.StatisticValues != nil, d.Values != nil} {
		if given {
			forms++
		}
	}
	switch {
	case forms != 1 || d.Counts != nil && d.Values == nil:
		return metrics.Point{}, apprunner.Errorf(metrics.CodeCombination, "The metric %s must have exactly one of Value, Values (with or without Counts) and StatisticValues.", *d.MetricName)
	case d.Value != nil:
		return metrics.Value(*d.Value), checkValues(d, *d.Value)
	case d.StatisticValues != nil:
		s := d.StatisticValues
		if err := checkValues(d, *s.SampleCount, *s.Sum, *s.Minimum, *s.Maximum); err != nil {
			return metrics.Point{}, err
		}
		if *s.SampleCount <= 0 || *s.Minimum > *s.Maximum {
			return metrics.Point{}, apprunner.Errorf(metrics.CodeInvalid, "The parameter StatisticValues of %s must have a SampleCount above 0, and a Minimum that is not above its Maximum.", *d.MetricName)
		}
		return metrics.Sums(*s.SampleCount, *s.Sum, *s.Minimum, *s.Maximum), nil
	}
	return listed(d)
}

// listed reads values that come with how often they occur, or else occur once.
func listed(d cloudwatch.MetricDatum) (metrics.Point, error) {
	counts := d.Counts
	if counts == nil {
		counts = make([]float64, len(d.Values))
		for i := range counts {
			counts[i] = 1
		}
	}
	if len(counts) != len(d.Values) || len(d.Values) == 0 || len(d.Values) > maxValues {
		return metrics.Point{}, apprunner.Errorf(metrics.CodeInvalid, "The parameters Values and Counts of %s must have as many elements as each other, from 1 to %d.", *d.MetricName, maxValues)
	}
	sum := 0.0
	for _, n := range counts {
		if n < 0 {
			return metrics.Point{}, apprunner.Errorf(metrics.CodeInvalid, "The parameter Counts of %s must not be negative.", *d.MetricName)
		}
		sum += n
	}
	if sum == 0 {
		return metrics.Point{}, apprunner.Errorf(metrics.CodeInvalid, "The parameter Counts of %s must not be 0 for all values.", *d.MetricName)
	}
	if err := checkValues(d, counts...); err != nil {
		return metrics.Point{}, err
	}
	return metrics.Values(d.Values, counts), checkValues(d, d.Values...)
}

// checkValues refuses what is no number of the range that CloudWatch keeps: up to 2³⁶⁰ on both sides of zero.
func checkValues(d cloudwatch.MetricDatum, values ...float64) error {
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > 0x1p360 {
			return apprunner.Errorf(metrics.CodeInvalid, "The value %v of the metric %s is not allowed: it must be a number from -2^360 to 2^360.", v, *d.MetricName)
		}
	}
	return nil
}
