package metrics

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Statistic is a figure of a point, as CloudWatch spells it: Average, Sum, Minimum, Maximum, SampleCount or a percentile such as p99.9.
type Statistic string

var percentileForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^p(\d{1,2}(\.\d{1,10})?|100(\.0{1,10})?)$`) })

// Check tells whether there is such a statistic here.
func (s Statistic) Check() error {
	switch s {
	case "Average", "Sum", "Minimum", "Maximum", "SampleCount":
		return nil
	}
	if percentileForm().MatchString(string(s)) {
		return nil
	}
	return apprunner.Errorf(CodeInvalid, "The statistic %q is not served here; allowed are Average, Sum, Minimum, Maximum, SampleCount and percentiles such as p50, p95 or p99.9.", string(s))
}

// Of is the statistic of a point; false where the point does not know it.
func (s Statistic) Of(p Point) (float64, bool) {
	switch s {
	case "Average":
		return p.Sum / p.Count, p.Count > 0
	case "Sum":
		return p.Sum, p.Count > 0
	case "Minimum":
		return p.Min, p.Count > 0
	case "Maximum":
		return p.Max, p.Count > 0
	case "SampleCount":
		return p.Count, p.Count > 0
	}
	percent, err := strconv.ParseFloat(string(s[1:]), 64)
	if err != nil {
		return math.NaN(), false
	}
	return p.Percentile(percent)
}

// CheckPeriod refuses what is no span that minutes make up.
func CheckPeriod(d time.Duration) error {
	if d < time.Minute || d%time.Minute != 0 || d > 24*time.Hour*31 {
		return apprunner.Errorf(CodeInvalid, "The parameter Period must be a multiple of 60 seconds, from 60 to 2678400; metrics are kept by the minute. It is %v.", d.Seconds())
	}
	return nil
}

// Span is a metric period by period, from From on and before To. Seconds of From are cut off; periods begin there.
type Span struct {
	Series
	Metric   string
	Unit     string // "" for any
	From, To time.Time
	Period   time.Duration
}

// Bucket is a period of a metric in one unit.
type Bucket struct {
	At   time.Time // its beginning
	Unit string
	Point
}

// Read gives the periods that have values, oldest first; a metric that has several units, and is asked for any, has one bucket for each.
func (m *Metrics) Read(ctx context.Context, s Span) (list []Bucket, err error) {
	if err := CheckPeriod(s.Period); err != nil {
		return nil, err
	}
	err = m.conf.DB.View(ctx, func(tx *store.Tx) error {
		list, err = s.read(tx)
		return err
	})
	return list, err
}

func (s Span) read(tx *store.Tx) (list []Bucket, err error) {
	found, there, err := findSet(tx, s.Series)
	if err != nil || !there {
		return nil, err
	}
	wanted := map[int]string{} // unit by place
	for at, metric := range found.metrics {
		if metric.Name == s.Metric && (s.Unit == "" || s.Unit == metric.Unit) {
			wanted[at] = metric.Unit
		}
	}
	from, step := minuteOf(s.From), int64(s.Period/time.Minute)
	err = tx.Each(`SELECT minute, body FROM metric_points WHERE set_id = $1 AND minute >= $2 AND minute < $3 ORDER BY minute`,
		[]any{found.id, from, (s.To.Unix() + 59) / 60}, func(row store.Row) error {
			var minute int64
			var body []byte
			if err := row.Scan(&minute, &body); err != nil {
				return err
			}
			at := time.Unix((from+(minute-from)/step*step)*60, 0).UTC()
			return eachPoint(body, func(place int, p Point) {
				if unit, is := wanted[place]; is {
					list = put(list, at, unit, p)
				}
			})
		})
	return list, err
}

// put adds a point to its bucket, which is one of the last.
func put(list []Bucket, at time.Time, unit string, p Point) []Bucket {
	for i := len(list) - 1; i >= 0 && list[i].At.Equal(at); i-- {
		if list[i].Unit == unit {
			list[i].Point = list[i].Plus(p)
			return list
		}
	}
	return append(list, Bucket{at, unit, p})
}

// Filter chooses metrics; what is empty chooses all.
type Filter struct {
	Namespace, Metric string
	// Dimensions are those that a series must have; an empty Value stands for any.
	Dimensions []Dimension
	// Since drops series that have no value at or after it; zero drops none.
	Since time.Time
}

// Listed is a metric that there is.
type Listed struct {
	Series
	Metric string

	set int64 // its place among all series
}

// Place is a short text that a list of metrics can be sorted by, and continued from.
func (l Listed) Place() string { return fmt.Sprintf("%019d %s", l.set, l.Metric) }

// List gives the metrics of a scope.
func (m *Metrics) List(ctx context.Context, sc apprunner.Scope, f Filter) (list []Listed, err error) {
	err = m.conf.DB.View(ctx, func(tx *store.Tx) error {
		list = nil
		return tx.Each(`SELECT id, namespace, dimensions, metrics, (SELECT coalesce(max(minute), 0) FROM metric_points WHERE set_id = id) FROM metric_sets
			WHERE account = $1 AND region = $2 AND (namespace = $3 OR $3 = '') ORDER BY id`,
			[]any{sc.Account, sc.Region, f.Namespace}, func(row store.Row) error {
				some, err := f.choose(row, sc)
				list = append(list, some...)
				return err
			})
	})
	return list, err
}

// choose gives the metrics of a set that the filter chooses.
func (f Filter) choose(row store.Row, sc apprunner.Scope) (list []Listed, err error) {
	s := Series{Scope: sc}
	var key, text string
	var id, newest int64
	if err := row.Scan(&id, &s.Namespace, &key, &text, &newest); err != nil {
		return nil, err
	}
	var metrics []Metric
	if err := json.Unmarshal([]byte(text), &metrics); err != nil {
		return nil, fmt.Errorf("decode metrics: %w", err)
	}
	if s.Dimensions, err = dimensionsOf(key); err != nil {
		return nil, fmt.Errorf("decode dimensions: %w", err)
	}
	if !f.Since.IsZero() && newest < minuteOf(f.Since) || !f.matches(s.Dimensions) {
		return nil, nil
	}
	var names []string // of metrics in several units only once
	for _, metric := range metrics {
		if (f.Metric == "" || f.Metric == metric.Name) && !slices.Contains(names, metric.Name) {
			names = append(names, metric.Name)
			list = append(list, Listed{s, metric.Name, id})
		}
	}
	return list, nil
}

func (f Filter) matches(has []Dimension) bool {
	for _, want := range f.Dimensions {
		if !slices.ContainsFunc(has, func(d Dimension) bool { return d.Name == want.Name && (want.Value == "" || want.Value == d.Value) }) {
			return false
		}
	}
	return true
}
