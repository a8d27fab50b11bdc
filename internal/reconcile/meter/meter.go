package meter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

// counting is the edge, asked for its counters.
type counting interface {
	Status(ctx context.Context) (edge.Status, error)
}

// running is the driver, asked for what an instance uses.
type running interface {
	Stats(ctx context.Context, id string) (instance.Stats, error)
}

// recording is where the figures go.
type recording interface {
	Add(ctx context.Context, entries []metrics.Entry, also func(*store.Tx) error) error
}

// Config is what a Meter needs. All are required.
type Config struct {
	DB        *store.DB
	Edge      counting
	Instances running
	Metrics   recording
	Now       func() time.Time
	Log       *slog.Logger
}

// Meter measures all services. It is safe for concurrent use.
type Meter struct {
	conf Config

	mu      sync.Mutex
	last    time.Time                // when it was measured; zero before the first time
	known   map[string]edge.Counters // by service: what was counted into the metrics
	changed map[string]bool          // services whose known is newer than the database's
	served  map[string]uint64        // by instance: the requests it had
	active  map[string]map[string]bool
	minute  time.Time // of active
	usage   usage
	pending []metrics.Entry
}

const (
	// Every is how often it is measured: often enough for an average of memory, seldom enough to cost nothing.
	Every = 15 * time.Second
	// fresh is how old a measurement may be for who wants to read.
	fresh = 500 * time.Millisecond
	// patience is how long edge, instances and database may take together; others wait meanwhile.
	patience = 5 * time.Second
	// maxPending is how many entries wait for a database that does not take them; older ones are dropped then.
	maxPending = 10_000
)

var migrations = []string{
	`CREATE TABLE meter_baselines (service_arn TEXT PRIMARY KEY, counters TEXT NOT NULL)`,
}

// Open makes the table where it is missing and reads what was counted before.
func Open(ctx context.Context, c Config) (*Meter, error) {
	if c.DB == nil || c.Edge == nil || c.Instances == nil || c.Metrics == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("meter: the configuration is incomplete")
	}
	if err := c.DB.Migrate(ctx, "meter", migrations); err != nil {
		return nil, err
	}
	m := &Meter{conf: c, known: map[string]edge.Counters{}, changed: map[string]bool{}, served: map[string]uint64{}, usage: usage{of: map[string]used{}}}
	return m, c.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT service_arn, counters FROM meter_baselines`, nil, m.readBaseline)
	})
}

func (m *Meter) readBaseline(row store.Row) error {
	var arn string
	var text []byte
	if err := row.Scan(&arn, &text); err != nil {
		return err
	}
	var c edge.Counters
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("what was counted of %s: %w", arn, err)
	}
	m.known[arn] = c
	return nil
}

// Run measures until ctx ends. closed is called whenever a minute's figures are complete.
func (m *Meter) Run(ctx context.Context, closed func()) error {
	for {
		now := m.conf.Now()
		next := now.Truncate(Every).Add(Every)
		t := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		whole := next.Truncate(time.Minute).Equal(next)
		if err := m.measure(ctx, whole, 0); err != nil && ctx.Err() == nil {
			m.conf.Log.Warn("the metrics of services could not be measured; it is tried again", "err", err)
		}
		if whole {
			closed()
		}
	}
}

// Catch makes what has happened until now part of the metrics.
func (m *Meter) Catch(ctx context.Context) error { return m.measure(ctx, true, fresh) }

// measure measures unless that was done less than a while ago, and with write writes what waits.
func (m *Meter) measure(ctx context.Context, write bool, age time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now := m.conf.Now().UTC()
	if age == 0 || now.Sub(m.last) >= age || now.Before(m.last) {
		if err := m.take(ctx, now); err != nil {
			return err
		}
	}
	if !write {
		return nil
	}
	return m.write(ctx)
}

// take measures all services.
func (m *Meter) take(ctx context.Context, now time.Time) error {
	services, rows, err := m.read(ctx)
	if err != nil {
		return err
	}
	if len(services) == 0 {
		m.forget(nil, edge.Status{})
		m.last = now
		return nil
	}
	st, err := m.conf.Edge.Status(ctx)
	if err != nil {
		return err
	}
	s := sample{at: now, minute: minuteOf(m.last, now), first: m.last.IsZero(), status: st}
	if !s.minute.Equal(m.minute) {
		m.minute, m.active = s.minute, map[string]map[string]bool{}
	}
	uses := m.usage.due(now)
	for _, svc := range services {
		list := rows[svc.ARN()]
		additions := m.traffic(s, svc, list)
		var each []metrics.Entry
		if uses {
			var whole []metrics.Addition
			whole, each = m.use(ctx, s, svc, list)
			additions = append(additions, whole...)
		}
		if measured(svc, list) {
			m.pending = append(append(m.pending, metrics.Entry{Series: seriesOf(svc, ""), Minute: s.minute, Additions: additions}), each...)
		}
	}
	m.forget(services, st)
	m.last = now
	m.pending = m.pending[max(0, len(m.pending)-maxPending):]
	return nil
}

// minuteOf is the minute that what happened between two measurements is counted into: that of the middle, or, after a long pause, of its end.
func minuteOf(last, now time.Time) time.Time {
	if d := now.Sub(last); d > 0 && d <= 2*Every {
		now = now.Add(-d / 2)
	}
	return now.Truncate(time.Minute)
}

// read gives the services there are, and the instances that take part in their traffic.
func (m *Meter) read(ctx context.Context) (services []apprunner.Service, rows map[string][]apprunner.Instance, err error) {
	rows = map[string][]apprunner.Instance{}
	err = m.conf.DB.View(ctx, func(tx *store.Tx) error {
		if services, err = tx.Services(apprunner.Scope{}); err != nil {
			return err
		}
		all, err := tx.Instances("")
		for _, i := range all {
			if i.Phase == apprunner.PhaseActive {
				rows[i.ServiceARN] = append(rows[i.ServiceARN], i)
			}
		}
		return err
	})
	return services, rows, err
}

// measured tells whether a service has metrics: it runs, or is being changed while it does.
func measured(svc apprunner.Service, active []apprunner.Instance) bool {
	return svc.Status == apprunner.StatusRunning || svc.Status == apprunner.StatusInProgress && len(active) > 0
}

// forget drops what is known of services and instances that are gone.
func (m *Meter) forget(services []apprunner.Service, st edge.Status) {
	there := map[string]bool{}
	for _, svc := range services {
		there[svc.ARN()] = true
	}
	for arn := range m.known {
		if !there[arn] {
			delete(m.known, arn)
			m.changed[arn] = true
		}
	}
	for id := range m.served {
		if _, there := st.Targets[id]; !there {
			delete(m.served, id)
		}
	}
	m.usage.forget(st)
}

// write writes what waits, and what it was counted from.
func (m *Meter) write(ctx context.Context) error {
	if len(m.pending) == 0 && len(m.changed) == 0 {
		return nil
	}
	err := m.conf.Metrics.Add(ctx, m.pending, func(tx *store.Tx) error {
		for arn := range m.changed {
			if err := m.writeBaseline(tx, arn); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		m.pending = nil
		clear(m.changed)
	}
	return err
}

func (m *Meter) writeBaseline(tx *store.Tx, arn string) error {
	c, there := m.known[arn]
	if !there {
		return tx.Exec(`DELETE FROM meter_baselines WHERE service_arn = $1`, arn)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO meter_baselines (service_arn, counters) VALUES ($1, $2) ON CONFLICT (service_arn) DO UPDATE SET counters = excluded.counters`, arn, string(text))
}
