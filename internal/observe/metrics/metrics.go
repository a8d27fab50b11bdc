package metrics

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The codes of the CloudWatch API that this room answers with.
const (
	CodeInvalid     apprunner.Code = "InvalidParameterValueException"
	CodeCombination apprunner.Code = "InvalidParameterCombinationException"
	CodeMissing     apprunner.Code = "MissingRequiredParameterException"
)

// Config is what Metrics need. All are required.
type Config struct {
	DB *store.DB
	// Retention is how long points are kept.
	Retention time.Duration
	Now       func() time.Time
}

// Metrics keeps the metrics of all accounts. It is safe for concurrent use.
type Metrics struct {
	conf Config
}

// Open makes the tables where they are missing.
func Open(ctx context.Context, c Config) (*Metrics, error) {
	if c.DB == nil || c.Now == nil || c.Retention <= 0 {
		return nil, errors.New("metrics: the configuration is incomplete")
	}
	if err := c.DB.Migrate(ctx, "metrics", migrations); err != nil {
		return nil, err
	}
	return &Metrics{c}, nil
}

// migrations are the room's tables, oldest step first; see store.DB.Migrate for the rule.
var migrations = []string{
	// A set is what has the same dimensions: JSON [[name, value], …] by name. metrics: JSON [{"n": name, "u": unit}, …], only ever appended to.
	`CREATE TABLE metric_sets (
		id INTEGER PRIMARY KEY,
		account TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL, dimensions TEXT NOT NULL,
		metrics TEXT NOT NULL,
		UNIQUE (account, region, namespace, dimensions))`,
	// A minute since the epoch of all metrics of a set: for each its place in the list and its point.
	`CREATE TABLE metric_points (
		set_id BIGINT NOT NULL, minute BIGINT NOT NULL,
		body BLOB NOT NULL,
		PRIMARY KEY (set_id, minute)) WITHOUT ROWID`,
}

// Dimension tells metrics of the same name apart.
type Dimension struct{ Name, Value string }

// Series is what has the same dimensions. No two dimensions have the same name.
type Series struct {
	apprunner.Scope
	Namespace  string
	Dimensions []Dimension // in any order
}

// key is the text that the database knows the dimensions by.
func (s Series) key() string {
	pairs := make([][2]string, len(s.Dimensions))
	for i, d := range s.Dimensions {
		pairs[i] = [2]string{d.Name, d.Value}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	text, err := json.Marshal(pairs)
	if err != nil {
		panic("metrics: strings are JSON: " + err.Error())
	}
	return string(text)
}

// Metric is the name of a figure and what it counts.
type Metric struct {
	Name string `json:"n"`
	Unit string `json:"u"` // as CloudWatch spells units; "None" without
}

// Kind is how a metric grows within a minute.
type Kind uint8

// The kinds of metrics.
const (
	Samples Kind = iota // every addition brings further values
	Total               // a minute has one value, to which every addition adds
	Peak                // a minute has one value, the greatest of all additions
)

// Addition is what is added to a metric.
type Addition struct {
	Metric
	Kind Kind
	Point
}

// Entry is what is added to the metrics of a series in one minute.
type Entry struct {
	Series
	Minute    time.Time // any moment of it
	Additions []Addition
}

// onto is the point of a minute after an addition.
func (a Addition) onto(old Point) Point {
	switch {
	case old.Count == 0 || a.Kind == Samples:
		return old.Plus(a.Point)
	case a.Kind == Total:
		return Value(old.Sum + a.Sum)
	default:
		return Value(max(old.Max, a.Max))
	}
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// Put adds what a client has measured, all of it or nothing.
func (m *Metrics) Put(ctx context.Context, entries []Entry) error { return m.Add(ctx, entries, nil) }

// Add adds to metrics, all of it or nothing. also, which may be nil, is done in the same transaction.
func (m *Metrics) Add(ctx context.Context, entries []Entry, also func(*store.Tx) error) error {
	return m.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		for _, e := range entries {
			if err := add(tx, e); err != nil {
				return fmt.Errorf("add to metrics: %w", err)
			}
		}
		if also == nil {
			return nil
		}
		return also(tx)
	})
}

func add(tx *store.Tx, e Entry) error {
	s, err := openSet(tx, e.Series, e.Additions)
	if err != nil {
		return err
	}
	points, err := readMinute(tx, s.id, minuteOf(e.Minute))
	if err != nil {
		return err
	}
	for _, a := range e.Additions {
		at := slices.Index(s.metrics, a.Metric)
		points[at] = a.onto(points[at])
	}
	var body []byte
	for at := range s.metrics { // in their order, whatever the map's
		if p, there := points[at]; there {
			body = p.append(appendNumber(body, float64(at)))
		}
	}
	return tx.Exec(`INSERT INTO metric_points (set_id, minute, body) VALUES ($1, $2, $3) ON CONFLICT (set_id, minute) DO UPDATE SET body = excluded.body`,
		s.id, minuteOf(e.Minute), body)
}

// set is a series as it is recorded.
type set struct {
	id      int64
	metrics []Metric
}

// openSet gives the record of a series, which has all metrics that are added to.
func openSet(tx *store.Tx, s Series, more []Addition) (set, error) {
	found, there, err := findSet(tx, s)
	if err != nil {
		return set{}, err
	}
	known := len(found.metrics)
	for _, a := range more {
		if !slices.Contains(found.metrics, a.Metric) {
			found.metrics = append(found.metrics, a.Metric)
		}
	}
	if there && len(found.metrics) == known {
		return found, nil
	}
	list, err := json.Marshal(found.metrics)
	if err != nil {
		return set{}, err
	}
	_, err = tx.Get(`INSERT INTO metric_sets (account, region, namespace, dimensions, metrics) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, region, namespace, dimensions) DO UPDATE SET metrics = excluded.metrics RETURNING id`,
		[]any{s.Account, s.Region, s.Namespace, s.key(), string(list)}, &found.id)
	return found, err
}

func findSet(tx *store.Tx, s Series) (found set, there bool, err error) {
	var list []byte
	there, err = tx.Get(`SELECT id, metrics FROM metric_sets WHERE account = $1 AND region = $2 AND namespace = $3 AND dimensions = $4`,
		[]any{s.Account, s.Region, s.Namespace, s.key()}, &found.id, &list)
	if err == nil && there {
		err = json.Unmarshal(list, &found.metrics)
	}
	return found, there, err
}

// readMinute gives the points of a minute by their metric's place.
func readMinute(tx *store.Tx, id, minute int64) (map[int]Point, error) {
	var body []byte
	if _, err := tx.Get(`SELECT body FROM metric_points WHERE set_id = $1 AND minute = $2`, []any{id, minute}, &body); err != nil {
		return nil, err
	}
	points := map[int]Point{}
	return points, eachPoint(body, func(at int, p Point) { points[at] = p })
}

func eachPoint(body []byte, visit func(at int, p Point)) error {
	r := reader{b: body}
	for len(r.b) > 0 {
		at, p := int(r.number()), r.point()
		if r.err != nil {
			return r.err
		}
		visit(at, p)
	}
	return r.err
}

// Prune drops points that are older than the retention, and what has none any more.
func (m *Metrics) Prune(ctx context.Context) error {
	var ids []int64
	err := m.conf.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT id FROM metric_sets`, nil, func(row store.Row) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	oldest := minuteOf(m.conf.Now().Add(-m.conf.Retention))
	for _, id := range ids { // one by one: others write meanwhile
		if err == nil {
			err = m.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error { return pruneSet(tx, id, oldest) })
		}
	}
	return err
}

func pruneSet(tx *store.Tx, id, oldest int64) error {
	if err := tx.Exec(`DELETE FROM metric_points WHERE set_id = $1 AND minute < $2`, id, oldest); err != nil {
		return err
	}
	return tx.Exec(`DELETE FROM metric_sets WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM metric_points WHERE set_id = $1)`, id)
}

// dimensionsOf reads the text that key made.
func dimensionsOf(key string) (list []Dimension, err error) {
	var pairs [][2]string
	if err := json.NewDecoder(strings.NewReader(key)).Decode(&pairs); err != nil {
		return nil, err
	}
	for _, p := range pairs {
		list = append(list, Dimension{p[0], p[1]})
	}
	return list, nil
}
