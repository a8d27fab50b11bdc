package metrics

import (
	"context"
	"math"
	"regexp"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/metrics/expr"
	"slipway.dev/slipway/internal/store"
)

// Query asks for a metric, or for what metric math makes of others.
type Query struct {
	ID string
	// Stat is the metric; nil where Expression is given.
	Stat       *Stat
	Expression string
	// Period is how far the values of an expression are apart; 0 takes the shortest of what it is made of.
	Period time.Duration
	Label  string // "" takes the metric's name, or the id of an expression
	// Hidden queries are used by others and not answered themselves.
	Hidden bool
}

// Stat is a statistic of a metric, period by period.
type Stat struct {
	Series
	Metric    string
	Unit      string // "" for any
	Period    time.Duration
	Statistic Statistic
}

// Result is the answer to a query: its samples, oldest first.
type Result struct {
	ID, Label string
	Samples   expr.Series
}

// maxQueries is how many queries one request may have.
const maxQueries = 500

var queryID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`) })

// plan is a list of queries that can be answered.
type plan struct {
	queries map[string]Query
	parsed  map[string]*expr.Expr
	order   []string // every id after those that it needs
	env     expr.Env
}

// CheckQueries refuses queries that cannot be answered: ids that are no ids or come twice, expressions that cannot be read, go round in
// circles or need what is not there.
func CheckQueries(queries []Query) error {
	_, err := planOf(queries)
	return err
}

func planOf(queries []Query) (*plan, error) {
	if len(queries) == 0 || len(queries) > maxQueries {
		return nil, apprunner.Errorf(CodeInvalid, "The parameter MetricDataQueries must hold 1 to %d queries; it holds %d.", maxQueries, len(queries))
	}
	p := &plan{queries: map[string]Query{}, parsed: map[string]*expr.Expr{}, env: expr.Env{Series: map[string]expr.Series{}, Period: map[string]time.Duration{}}}
	for _, q := range queries {
		if err := p.read(q); err != nil {
			return nil, err
		}
	}
	state := map[string]int{}
	for _, q := range queries {
		if err := p.visit(q.ID, state); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func invalidQuery(id, format string, args ...any) error {
	e := apprunner.Errorf(CodeInvalid, format, args...)
	return apprunner.Errorf(CodeInvalid, "The query %q of MetricDataQueries is not valid: %s.", id, e.Message)
}

// read checks one query for itself.
func (p *plan) read(q Query) (err error) {
	_, twice := p.queries[q.ID]
	switch {
	case !queryID().MatchString(q.ID):
		return invalidQuery(q.ID, "an id begins with a small letter and goes on with letters, digits and underscores")
	case twice:
		return invalidQuery(q.ID, "another one has the same id")
	case (q.Stat == nil) == (q.Expression == ""):
		return invalidQuery(q.ID, "it needs either MetricStat or Expression")
	case q.Stat != nil:
		if err = q.Stat.Statistic.Check(); err == nil {
			err = CheckPeriod(q.Stat.Period)
		}
		p.env.Metrics = append(p.env.Metrics, q.ID)
	default:
		if p.parsed[q.ID], err = expr.Parse(q.Expression); err == nil && q.Period != 0 {
			err = CheckPeriod(q.Period)
		}
	}
	p.queries[q.ID] = q
	if err != nil {
		return invalidQuery(q.ID, "%w", err)
	}
	return nil
}

// visit puts a query behind those that it needs.
func (p *plan) visit(id string, state map[string]int) error {
	const underWay, done = 1, 2
	q := p.queries[id]
	switch {
	case state[id] == done:
		return nil
	case state[id] == underWay:
		return invalidQuery(id, "its expression needs itself")
	}
	state[id] = underWay
	period := q.Period
	if q.Stat != nil {
		period = q.Stat.Period
	}
	for _, need := range p.needs(id) {
		if _, there := p.queries[need]; !there {
			return invalidQuery(id, "its expression names %q, which is the id of no query", need)
		}
		if err := p.visit(need, state); err != nil {
			return err
		}
		if q.Period == 0 && q.Stat == nil && (period == 0 || p.env.Period[need] < period) {
			period = p.env.Period[need]
		}
	}
	if period == 0 {
		return invalidQuery(id, "its expression names no metric and has no Period")
	}
	p.env.Period[id] = period
	state[id] = done
	p.order = append(p.order, id)
	return nil
}

// needs are the queries that another is made of.
func (p *plan) needs(id string) []string {
	e := p.parsed[id]
	switch {
	case e == nil:
		return nil
	case e.All():
		return slices.Concat(e.Names(), p.env.Metrics)
	}
	return e.Names()
}

// Data answers queries over a span of time, in their order. Seconds of from are cut off; periods begin there.
func (m *Metrics) Data(ctx context.Context, queries []Query, from, to time.Time) (results []Result, err error) {
	p, err := planOf(queries)
	if err != nil {
		return nil, err
	}
	err = m.conf.DB.View(ctx, func(tx *store.Tx) error {
		for _, id := range p.order {
			if err := p.answer(tx, id, from.Truncate(time.Minute), to); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, q := range queries {
		if !q.Hidden {
			results = append(results, Result{q.ID, q.label(), p.env.Series[q.ID]})
		}
	}
	return results, nil
}

func (q Query) label() string {
	switch {
	case q.Label != "":
		return q.Label
	case q.Stat != nil:
		return q.Stat.Metric
	}
	return q.ID
}

// answer computes one query, whose needs have been computed.
func (p *plan) answer(tx *store.Tx, id string, from, to time.Time) (err error) {
	q := p.queries[id]
	if q.Stat != nil {
		p.env.Series[id], err = q.Stat.read(tx, from, to)
		return err
	}
	p.env.Moments = momentsOf(from, to, p.env.Period[id])
	if p.env.Series[id], err = p.parsed[id].Eval(p.env); err != nil {
		return invalidQuery(id, "%w", err)
	}
	return nil
}

// maxMoments bounds what an expression is computed for.
const maxMoments = 100_800

func momentsOf(from, to time.Time, period time.Duration) (list []time.Time) {
	for at := from; at.Before(to) && len(list) < maxMoments; at = at.Add(period) {
		list = append(list, at.UTC())
	}
	return list
}

func (s *Stat) read(tx *store.Tx, from, to time.Time) (expr.Series, error) {
	buckets, err := Span{Series: s.Series, Metric: s.Metric, Unit: s.Unit, From: from, To: to, Period: s.Period}.read(tx)
	if err != nil {
		return nil, err
	}
	out := expr.Series{}
	for i := 0; i < len(buckets); {
		p, at := Point{}, buckets[i].At
		for ; i < len(buckets) && buckets[i].At.Equal(at); i++ { // whatever its unit
			p = p.Plus(buckets[i].Point)
		}
		if v, known := s.Statistic.Of(p); known && !math.IsNaN(v) {
			out = append(out, expr.Sample{At: at, Value: v})
		}
	}
	return out, nil
}
