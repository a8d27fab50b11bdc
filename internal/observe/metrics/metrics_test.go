package metrics

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

var (
	scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	t0    = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	shop  = Series{Scope: scope, Namespace: "Shop", Dimensions: []Dimension{{"Till", "1"}, {"Country", "SE"}}}
)

// room opens the metrics over a new database; restart does so over the same one.
func room(t *testing.T) (m *Metrics, restart func() *Metrics) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slipway.db")
	var db *store.DB
	open := func() *Metrics {
		if db != nil {
			db.Close()
		}
		var err error
		if db, err = store.Open(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		m, err := Open(t.Context(), Config{DB: db, Retention: 24 * time.Hour, Now: func() time.Time { return t0 }})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	t.Cleanup(func() { db.Close() })
	return open(), open
}

func (m *Metrics) must(t *testing.T, s Series, at time.Time, additions ...Addition) {
	t.Helper()
	if err := m.Put(t.Context(), []Entry{{s, at, additions}}); err != nil {
		t.Fatal(err)
	}
}

func sales(v float64) Addition { return Addition{Metric: Metric{"Sales", "Count"}, Point: Value(v)} }

func (m *Metrics) read(t *testing.T, s Span) []Bucket {
	t.Helper()
	list, err := m.Read(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Values of a minute are one point, those of several minutes one bucket; the order of dimensions does not matter, and a restart loses nothing.
func TestPeriods(t *testing.T) {
	m, restart := room(t)
	for i := range 6 {
		m.must(t, shop, t0.Add(time.Duration(i)*30*time.Second), sales(float64(i)))
	}
	m = restart()
	turned := shop
	turned.Dimensions = []Dimension{shop.Dimensions[1], shop.Dimensions[0]}
	list := m.read(t, Span{Series: turned, Metric: "Sales", From: t0, To: t0.Add(time.Hour), Period: time.Minute})
	if len(list) != 3 || list[1].Sum != 2+3 || list[1].Count != 2 || !list[1].At.Equal(t0.Add(time.Minute)) || list[1].Unit != "Count" {
		t.Errorf("%+v", list)
	}
	list = m.read(t, Span{Series: turned, Metric: "Sales", From: t0.Add(-time.Minute), To: t0.Add(time.Hour), Period: 2 * time.Minute})
	if len(list) != 2 || list[0].Sum != 0+1 || list[1].Sum != 2+3+4+5 || !list[0].At.Equal(t0.Add(-time.Minute)) {
		t.Errorf("periods begin where the span does: %+v", list)
	}
	if list = m.read(t, Span{Series: turned, Metric: "Sales", From: t0, To: t0.Add(time.Minute), Period: time.Minute}); len(list) != 1 {
		t.Errorf("the end is not included: %+v", list)
	}
	for _, s := range []Span{
		{Series: turned, Metric: "Returns"}, {Series: Series{Scope: scope, Namespace: "Shop"}, Metric: "Sales"}, {Series: turned, Metric: "Sales", Unit: "Seconds"},
	} {
		s.From, s.To, s.Period = t0, t0.Add(time.Hour), time.Minute
		if list := m.read(t, s); len(list) > 0 {
			t.Errorf("%+v has %+v", s, list)
		}
	}
}

// What is added to a minute in parts is, by its kind, one value or many.
func TestKinds(t *testing.T) {
	m, _ := room(t)
	for _, v := range []float64{2, 5, 3} {
		m.must(t, shop, t0, Addition{Metric{"T", "Count"}, Total, Value(v)}, Addition{Metric{"P", "Count"}, Peak, Value(v)}, Addition{Metric{"S", "Count"}, Samples, Value(v)})
	}
	for name, want := range map[string]Point{"T": Value(10), "P": Value(5), "S": {Count: 3, Sum: 10, Min: 2, Max: 5}} {
		list := m.read(t, Span{Series: shop, Metric: name, From: t0, To: t0.Add(time.Minute), Period: time.Minute})
		if len(list) != 1 || list[0].Count != want.Count || list[0].Sum != want.Sum || list[0].Min != want.Min || list[0].Max != want.Max {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// A failure in the transaction leaves nothing of the additions.
func TestAllOrNothing(t *testing.T) {
	m, _ := room(t)
	err := m.Add(t.Context(), []Entry{{shop, t0, []Addition{sales(1)}}}, func(*store.Tx) error { return errors.New("no") })
	if err == nil {
		t.Fatal("no error")
	}
	if list, err := m.List(t.Context(), scope, Filter{}); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestListAndPrune(t *testing.T) {
	m, _ := room(t)
	m.must(t, shop, t0.Add(-30*time.Hour), sales(1))
	m.must(t, Series{Scope: scope, Namespace: "Shop", Dimensions: []Dimension{{"Till", "2"}}}, t0.Add(-time.Minute), sales(1), Addition{Metric: Metric{"Sales", "None"}, Point: Value(1)})
	m.must(t, Series{Scope: apprunner.Scope{Account: "210987654321", Region: "us-east-1"}, Namespace: "Shop"}, t0, sales(1))
	names := func(f Filter) (out []string) {
		list, err := m.List(t.Context(), scope, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			out = append(out, l.Metric+l.key())
		}
		return out
	}
	const first, second = `Sales[["Country","SE"],["Till","1"]]`, `Sales[["Till","2"]]`
	for _, tc := range []struct {
		f    Filter
		want []string
	}{
		{Filter{}, []string{first, second}},
		{Filter{Namespace: "Shop", Metric: "Sales", Dimensions: []Dimension{{Name: "Till"}}}, []string{first, second}},
		{Filter{Dimensions: []Dimension{{"Till", "2"}}}, []string{second}},
		{Filter{Since: t0.Add(-3 * time.Hour)}, []string{second}},
		{Filter{Namespace: "Other"}, nil},
	} {
		if got := names(tc.f); !slices.Equal(got, tc.want) {
			t.Errorf("%+v: %q", tc.f, got)
		}
	}
	if err := m.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := names(Filter{}); !slices.Equal(got, []string{second}) {
		t.Errorf("after a day: %q", got)
	}
}

func TestStatistics(t *testing.T) {
	p := Values([]float64{1, 2, 3, 4}, ones(4))
	for s, want := range map[Statistic]float64{"Average": 2.5, "Sum": 10, "Minimum": 1, "Maximum": 4, "SampleCount": 4, "p50": 2, "p100": 4, "p0": 1, "p99.9": 4} {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if got, known := s.Of(p); !known || got < want*0.984 || got > want*1.016 {
			t.Errorf("%s is %v", s, got)
		}
	}
	for _, s := range []Statistic{"", "p", "p101", "p-1", "P50", "tm99", "avg", "p100.1"} {
		if s.Check() == nil {
			t.Errorf("%q is a statistic", s)
		}
	}
	for _, d := range []time.Duration{0, time.Second, 90 * time.Second, -time.Minute} {
		if CheckPeriod(d) == nil {
			t.Errorf("%v is a period", d)
		}
	}
}

// GetMetricData: metrics, math over them in any order, hidden ones; what is wrong is named.
func TestData(t *testing.T) {
	m, _ := room(t)
	for i := range 3 {
		at := t0.Add(time.Duration(i) * time.Minute)
		m.must(t, shop, at, sales(float64(10*(i+1))), Addition{Metric: Metric{"Returns", "Count"}, Point: Value(float64(i))})
	}
	stat := func(name string) *Stat {
		return &Stat{Series: shop, Metric: name, Period: time.Minute, Statistic: "Sum"}
	}
	results, err := m.Data(t.Context(), []Query{
		{ID: "rate", Expression: "100 * returns / sales", Label: "Returned, %"},
		{ID: "sales", Stat: stat("Sales")},
		{ID: "returns", Stat: stat("Returns"), Hidden: true},
		{ID: "none", Stat: stat("Nothing")},
		{ID: "double", Expression: "rate * 2"},
		{ID: "all", Expression: "FILL(none, 1) + 0"},
	}, t0, t0.Add(3*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, r.ID+":"+r.Label)
	}
	if !slices.Equal(got, []string{"rate:Returned, %", "sales:Sales", "none:Nothing", "double:double", "all:all"}) {
		t.Errorf("%q", got)
	}
	if r := results[0].Samples; len(r) != 3 || r[1].Value != 5 || !r[1].At.Equal(t0.Add(time.Minute)) {
		t.Errorf("%+v", r)
	}
	if results[3].Samples[1].Value != 10 || len(results[2].Samples) != 0 || len(results[4].Samples) != 3 {
		t.Errorf("%+v", results)
	}
	for name, list := range map[string][]Query{
		"no queries":   nil,
		"a bad id":     {{ID: "Sales", Stat: stat("Sales")}},
		"a double id":  {{ID: "a", Stat: stat("Sales")}, {ID: "a", Stat: stat("Sales")}},
		"neither":      {{ID: "a"}},
		"a circle":     {{ID: "a", Expression: "b"}, {ID: "b", Expression: "a"}},
		"nothing":      {{ID: "a", Expression: "b"}},
		"no period":    {{ID: "a", Expression: "TIME_SERIES(1)"}},
		"no series":    {{ID: "a", Stat: stat("Sales")}, {ID: "b", Expression: "SUM(a)"}},
		"a short one":  {{ID: "a", Stat: &Stat{Series: shop, Metric: "Sales", Period: time.Second, Statistic: "Sum"}}},
		"no statistic": {{ID: "a", Stat: &Stat{Series: shop, Metric: "Sales", Period: time.Minute, Statistic: "Most"}}},
	} {
		if _, err := m.Data(t.Context(), list, t0, t0.Add(time.Hour)); apprunner.CodeOf(err) != CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
