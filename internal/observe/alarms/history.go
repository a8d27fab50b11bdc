package alarms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The kinds of what happened to an alarm, as CloudWatch spells them.
const (
	ConfigurationUpdate = "ConfigurationUpdate"
	StateUpdate         = "StateUpdate"
	Action              = "Action"
)

// keepHistory is how long it is known what happened to an alarm.
const keepHistory = 30 * 24 * time.Hour

// Happening is one thing that happened to an alarm.
type Happening struct {
	ID                  int64 // later ones have greater ones
	Alarm               string
	Time                time.Time
	Kind, Summary, Data string
}

// Place is a text that a history can be sorted by, and continued from.
func (h Happening) Place(newestFirst bool) string {
	at, id := h.Time.UnixMicro(), h.ID
	if newestFirst {
		at, id = math.MaxInt64-at, math.MaxInt64-id
	}
	return fmt.Sprintf("%019d %019d", at, id)
}

// note adds to the history of an alarm.
func note(tx *store.Tx, a Alarm, at time.Time, kind, summary string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode the history of an alarm: %w", err)
	}
	return tx.Exec(`INSERT INTO alarm_history (account, region, name, time, kind, summary, data) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.Account, a.Region, a.Name, store.Micros(at), kind, summary, string(text))
}

// HistoryFilter chooses from the history; what is empty chooses all. From and To include their moments.
type HistoryFilter struct {
	Alarm, Kind string
	From, To    time.Time
}

// History gives what happened to the alarms of a scope, those that are deleted included, oldest first.
func (a *Alarms) History(ctx context.Context, sc apprunner.Scope, f HistoryFilter) (list []Happening, err error) {
	to := f.To
	if to.IsZero() {
		to = a.conf.Now().Add(time.Hour)
	}
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT id, name, time, kind, summary, data FROM alarm_history
			WHERE account = $1 AND region = $2 AND time >= $3 AND time <= $4 AND (name = $5 OR $5 = '') AND (kind = $6 OR $6 = '') ORDER BY time, id`,
			[]any{sc.Account, sc.Region, store.Micros(f.From), store.Micros(to), f.Alarm, f.Kind}, func(row store.Row) error {
				var h Happening
				var at int64
				err := row.Scan(&h.ID, &h.Alarm, &at, &h.Kind, &h.Summary, &h.Data)
				h.Time = store.Time(at)
				list = append(list, h)
				return err
			})
	})
	return list, err
}

// Prune drops history that is old.
func (a *Alarms) Prune(ctx context.Context) error {
	return a.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		return tx.Exec(`DELETE FROM alarm_history WHERE time < $1`, store.Micros(a.conf.Now().Add(-keepHistory)))
	})
}
