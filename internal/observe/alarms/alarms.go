package alarms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

// figures are the metrics, asked for values.
type figures interface {
	Data(ctx context.Context, queries []metrics.Query, from, to time.Time) ([]metrics.Result, error)
}

// Config is what Alarms need. All are required.
type Config struct {
	DB      *store.DB
	Metrics figures
	Now     func() time.Time
	Log     *slog.Logger
}

// Alarms keeps the alarms of all accounts. It is safe for concurrent use.
type Alarms struct {
	conf  Config
	nudge chan struct{}
}

var migrations = []string{
	`CREATE TABLE alarms (
		account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
		body TEXT NOT NULL,
		PRIMARY KEY (account, region, name))`,
	// time: microseconds.
	`CREATE TABLE alarm_history (
		id INTEGER PRIMARY KEY,
		account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
		time BIGINT NOT NULL, kind TEXT NOT NULL, summary TEXT NOT NULL, data TEXT NOT NULL)`,
	`CREATE INDEX alarm_history_place ON alarm_history (account, region, time, id)`,
	`CREATE INDEX alarm_history_age ON alarm_history (time)`,
}

// Open makes the tables where they are missing. The outbox of events has to be there.
func Open(ctx context.Context, c Config) (*Alarms, error) {
	if c.DB == nil || c.Metrics == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("alarms: the configuration is incomplete")
	}
	return &Alarms{conf: c, nudge: make(chan struct{}, 1)}, c.DB.Migrate(ctx, "alarms", migrations)
}

// Put makes an alarm, or gives one that is there other settings; that one keeps its state and its tags. It fails with CodeValidation,
// CodeLimitExceeded or a code of package metrics.
func (a *Alarms) Put(ctx context.Context, alarm Alarm) error {
	if err := alarm.check(); err != nil {
		return err
	}
	now := a.conf.Now().UTC()
	if _, err := a.conf.Metrics.Data(ctx, alarm.Queries, now, now); err != nil {
		return err // an expression that comes to no series does so whatever there is
	}
	alarm.Configured = now
	defer a.Look()
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		old, found, err := read(tx, alarm.Scope, alarm.Name)
		if err != nil {
			return err
		}
		next, kind := alarm, "updated"
		if found {
			next.State, next.Reason, next.ReasonData, next.Updated, next.Transitioned, next.Tags = old.State, old.Reason, old.ReasonData, old.Updated, old.Transitioned, old.Tags
		} else {
			kind = "created"
			next.State, next.Reason, next.Updated, next.Transitioned = Insufficient, "Unchecked: Initial alarm creation", now, now
			if err := roomForAlarm(tx, alarm.Scope); err != nil {
				return err
			}
		}
		if err := write(tx, next); err != nil {
			return err
		}
		return note(tx, next, now, ConfigurationUpdate, fmt.Sprintf("Alarm %q %s", next.Name, kind), next)
	})
}

func roomForAlarm(tx *store.Tx, sc apprunner.Scope) error {
	var n int
	if _, err := tx.Get(`SELECT count(*) FROM alarms WHERE account = $1 AND region = $2`, []any{sc.Account, sc.Region}, &n); err != nil {
		return err
	}
	if n >= maxAlarms {
		return apprunner.Errorf(CodeLimitExceeded, "The maximum limit of %d alarms has been reached.", maxAlarms)
	}
	return nil
}

func read(tx *store.Tx, sc apprunner.Scope, name string) (alarm Alarm, found bool, err error) {
	var body []byte
	found, err = tx.Get(`SELECT body FROM alarms WHERE account = $1 AND region = $2 AND name = $3`, []any{sc.Account, sc.Region, name}, &body)
	if err != nil || !found {
		return Alarm{}, false, err
	}
	return alarm, true, json.Unmarshal(body, &alarm)
}

func write(tx *store.Tx, alarm Alarm) error {
	body, err := json.Marshal(alarm)
	if err != nil {
		return fmt.Errorf("encode alarm: %w", err)
	}
	return tx.Exec(`INSERT INTO alarms (account, region, name, body) VALUES ($1, $2, $3, $4) ON CONFLICT (account, region, name) DO UPDATE SET body = excluded.body`,
		alarm.Account, alarm.Region, alarm.Name, string(body))
}

// List gives the alarms of a scope by name; the zero scope has those of all.
func (a *Alarms) List(ctx context.Context, sc apprunner.Scope) (list []Alarm, err error) {
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT body FROM alarms WHERE account = $1 AND region = $2 OR $1 = '' ORDER BY name`, []any{sc.Account, sc.Region}, func(row store.Row) error {
			var body []byte
			if err := row.Scan(&body); err != nil {
				return err
			}
			var alarm Alarm
			if err := json.Unmarshal(body, &alarm); err != nil {
				return fmt.Errorf("decode alarm: %w", err)
			}
			list = append(list, alarm)
			return nil
		})
	})
	return list, err
}

// Get gives one alarm. It fails with CodeNotFound.
func (a *Alarms) Get(ctx context.Context, sc apprunner.Scope, name string) (alarm Alarm, err error) {
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		alarm, err = mustRead(tx, sc, name)
		return err
	})
	return alarm, err
}

func mustRead(tx *store.Tx, sc apprunner.Scope, name string) (Alarm, error) {
	alarm, found, err := read(tx, sc, name)
	if err == nil && !found {
		err = apprunner.Errorf(CodeNotFound, "There is no alarm %q in this account and region.", name)
	}
	return alarm, err
}

// Delete removes alarms: all of them, or none and CodeNotFound where one is not there.
func (a *Alarms) Delete(ctx context.Context, sc apprunner.Scope, names []string) error {
	now := a.conf.Now().UTC()
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			alarm, err := mustRead(tx, sc, name)
			if err != nil {
				return err
			}
			if err := tx.Exec(`DELETE FROM alarms WHERE account = $1 AND region = $2 AND name = $3`, sc.Account, sc.Region, name); err != nil {
				return err
			}
			if err := note(tx, alarm, now, ConfigurationUpdate, fmt.Sprintf("Alarm %q deleted", name), alarm); err != nil {
				return err
			}
		}
		return nil
	})
}

// Enable switches the actions of alarms on or off. Names of alarms that are not there are passed over, as CloudWatch does.
func (a *Alarms) Enable(ctx context.Context, sc apprunner.Scope, names []string, on bool) error {
	now := a.conf.Now().UTC()
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			alarm, found, err := read(tx, sc, name)
			if err != nil {
				return err
			}
			if !found || alarm.ActionsEnabled == on {
				continue
			}
			alarm.ActionsEnabled, alarm.Configured = on, now
			if err := errors.Join(write(tx, alarm), note(tx, alarm, now, ConfigurationUpdate, fmt.Sprintf("Alarm %q updated", name), alarm)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tag adds tags to an alarm and replaces those of the same keys.
func (a *Alarms) Tag(ctx context.Context, sc apprunner.Scope, name string, tags map[string]string) error {
	return a.retag(ctx, sc, name, func(all map[string]string) { maps.Copy(all, tags) })
}

// Untag takes tags away.
func (a *Alarms) Untag(ctx context.Context, sc apprunner.Scope, name string, keys []string) error {
	return a.retag(ctx, sc, name, func(all map[string]string) {
		maps.DeleteFunc(all, func(k, _ string) bool { return slices.Contains(keys, k) })
	})
}

func (a *Alarms) retag(ctx context.Context, sc apprunner.Scope, name string, change func(map[string]string)) error {
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		alarm, err := mustRead(tx, sc, name)
		if err != nil {
			return err
		}
		if alarm.Tags == nil {
			alarm.Tags = map[string]string{}
		}
		if change(alarm.Tags); len(alarm.Tags) > maxTags {
			return invalid("An alarm has at most %d tags.", maxTags)
		}
		return write(tx, alarm)
	})
}
